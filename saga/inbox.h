// What came for a slot whose owner was silent: made durable by whoever received it, and acted on by whoever owns the
// slot next. It acts once, however often it is acted on: by the id that its sender gave it.
#ifndef TXC_SAGA_INBOX_H
#define TXC_SAGA_INBOX_H

#include "saga/saga.h"
#include "saga/tables.h"

// Keeps a request for the slot's next owner; everything is copied. `done` runs once, later, without error when it is
// durable.
void saga_inbox_keep(struct saga_engine *engine, unsigned slot, const char *method, struct str caller, struct str body,
                     saga_reply_fn *done, void *ctx);

#endif
