// Inside rpc/ only: grpc.reflection.v1 and v1alpha, from a descriptor set.
#ifndef TXC_RPC_REFLECTION_H
#define TXC_RPC_REFLECTION_H

#include "rpc/server.h"

struct rpc_reflection;

// Adds its rows to the server, whose services it lists. The set is borrowed for its life.
struct rpc_reflection *rpc_reflection_new(struct rpc_server *server, struct str descriptor_set);
void rpc_reflection_free(struct rpc_reflection *reflection);

#endif
