// Watching one saga: whoever wants to hear of its durable changes while this process drives it.
#ifndef TXC_SAGA_WATCH_H
#define TXC_SAGA_WATCH_H

#include "saga/saga.h"

// Runs when a write of the saga's row is durable: the row without its blobs, and the saga as it is in it. Both are
// borrowed until it returns. With neither: another instance drives the saga now, and nothing more is heard of it here.
// It may end its own watch, and no other.
typedef void saga_changed_fn(void *ctx, const struct saga_row *row, const struct saga_instance *saga);

// Lives in whoever watches.
struct saga_watch {
    saga_changed_fn *changed;
    void *ctx;

    // The engine's; zero at the start.
    struct saga_watched *of; // NULL: it doesn't watch
    struct saga_watch *next, **link;
};

// The saga need not be in memory, nor be there at all.
void saga_watch(struct saga_engine *engine, struct str gid, struct saga_watch *watch);

// Does nothing to one that doesn't watch. When the engine is freed every watch has ended.
void saga_unwatch(struct saga_watch *watch);

// How many watch this saga.
uint32_t saga_watches(const struct saga_engine *engine, struct str gid);

#endif
