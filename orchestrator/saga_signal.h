// SignalSaga: callers tell their sagas what their steps await.
#ifndef TXC_ORCHESTRATOR_SAGA_SIGNAL_H
#define TXC_ORCHESTRATOR_SAGA_SIGNAL_H

#include "rpc/server.h"
#include "saga/saga.h"

// Whether the call, a SignalSaga, would be refused for what is durable of the saga; `done` runs once, at once or later:
// with the error, or with how many signals more the saga takes (as many as there may be for one that it has already).
typedef void saga_signal_checked_fn(void *ctx, const struct error *error, const char *gid, uint32_t room);
void saga_signal_check(struct saga_engine *engine, struct store *store, struct rpc_inbound *in,
                       saga_signal_checked_fn *done, void *ctx);

// Serves one call. Both are borrowed.
void saga_signal_serve(struct saga_engine *engine, struct store *store, struct rpc_inbound *in,
                       const ProtobufCMessage *message);

#endif
