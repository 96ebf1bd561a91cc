// SignalSaga: callers tell their sagas what their steps await.
#ifndef TXC_ORCHESTRATOR_SAGA_SIGNAL_H
#define TXC_ORCHESTRATOR_SAGA_SIGNAL_H

#include "rpc/server.h"
#include "saga/saga.h"

// Whether the call, a SignalSaga, would be refused for what is durable of the saga; `done` runs once, at once or later.
void saga_signal_check(struct saga_engine *engine, struct store *store, struct rpc_inbound *in, saga_reply_fn *done,
                       void *ctx);

// Serves one call. Both are borrowed.
void saga_signal_serve(struct saga_engine *engine, struct store *store, struct rpc_inbound *in,
                       const ProtobufCMessage *message);

#endif
