// What came for a slot whose owner was silent: made durable by whoever received it, and acted on by whoever owns the
// slot next. It acts once, however often it is acted on: by the id that its sender gave it.
#ifndef TXC_SAGA_INBOX_H
#define TXC_SAGA_INBOX_H

#include "saga/saga.h"
#include "saga/tables.h"

enum { SAGA_INBOX_MAX = 1000 }; // for one slot

struct saga_keeping {
    unsigned slot;
    const char *method;
    struct str caller, body;
    struct str about;   // the saga; empty: none
    uint32_t about_max; // that are kept about it
};

// Keeps a request for the slot's next owner; everything is copied. `done` runs once, later, without error when it is
// durable; with OVERLOADED when as many are kept as may be. (Several instances that keep at the same moment may go past
// that together.)
void saga_inbox_keep(struct saga_engine *engine, const struct saga_keeping *keeping, saga_reply_fn *done, void *ctx);

#endif
