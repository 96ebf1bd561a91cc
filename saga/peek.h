// Looking at one saga that is under way.
#ifndef TXC_SAGA_PEEK_H
#define TXC_SAGA_PEEK_H

#include "saga/saga.h"

// What is known of it: its row without blobs, its steps, its input. Its status is durable, how far its calls are may be
// ahead. Borrowed until the callback returns.
struct saga_seen {
    struct saga_row row;
    const struct saga_instance *saga;
    struct str input;
};
typedef void saga_seen_fn(void *ctx, const struct saga_seen *seen, const struct error *error);

// Calls back once, at once or later, when nothing of it is being written. `seen` NULL: SAGA_STATE (it has ended, and is
// to be read in the store), SAGA_NOT_FOUND, or why it can't be loaded.
void saga_peek(struct saga_engine *engine, struct str gid, saga_seen_fn *done, void *ctx);

#endif
