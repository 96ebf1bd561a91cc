// SignalSaga: callers tell their sagas what their steps await.
#ifndef TXC_ORCHESTRATOR_SAGA_SIGNAL_H
#define TXC_ORCHESTRATOR_SAGA_SIGNAL_H

#include "rpc/server.h"

struct saga_engine;
struct store;

// Serves one call. Both are borrowed.
void saga_signal_serve(struct saga_engine *engine, struct store *store, struct rpc_inbound *in,
                       const ProtobufCMessage *message);

#endif
