// WatchSaga: streams of one saga's durable changes, bounded for the process and for each saga.
#ifndef TXC_ORCHESTRATOR_SAGA_WATCH_H
#define TXC_ORCHESTRATOR_SAGA_WATCH_H

#include "rpc/server.h"

struct saga_engine;
struct store;
struct saga_streams;

enum { SAGA_STREAMS_OF_ONE_MAX = 16 };

// `engine` and `store` are borrowed. At most `most` streams at once.
struct saga_streams *saga_streams_new(struct saga_engine *engine, struct store *store, uint32_t most);

// Ends every stream with SHUTTING_DOWN, so that whoever watches goes on at another instance.
void saga_streams_end(struct saga_streams *streams);

// NULL is fine.
void saga_streams_free(struct saga_streams *streams);

// Serves one call.
void saga_streams_serve(struct saga_streams *streams, struct rpc_inbound *in, const ProtobufCMessage *message);

#endif
