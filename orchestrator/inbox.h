// Callbacks and signals whose trade or saga another instance drives, which is silent: they are made durable here,
// answered, and acted on by the next owner (saga/inbox.h).
#ifndef TXC_ORCHESTRATOR_INBOX_H
#define TXC_ORCHESTRATOR_INBOX_H

#include "flows/trade/trades.h"
#include "rpc/server.h"
#include "saga/inbox.h"

// Everything is borrowed.
struct inbox_service {
    struct saga_engine *engine;
    struct store *store;
    struct trades *trades;
};

// Whether calls of this method are kept.
bool inbox_service_keeps(const struct rpc_method *method);

// Takes over a call of such a method that has been found to be good, but for what only its owner can tell.
void inbox_service_keep(void *service, struct rpc_inbound *in, unsigned slot);

// For saga_options.inbox.
void inbox_service_act(void *service, const struct inbox_row *row, saga_reply_fn *done, void *ctx);

#endif
