// Inside rpc/ only: grpc.health.v1, which every server serves.
#ifndef TXC_RPC_HEALTH_H
#define TXC_RPC_HEALTH_H

#include "rpc/server.h"

struct rpc_health;

// Adds its rows to the server.
struct rpc_health *rpc_health_new(struct rpc_server *server);
void rpc_health_free(struct rpc_health *health);

// Adds the service where it is new.
void rpc_health_add(struct rpc_health *health, const char *service);

// Of every service. After rpc_health_stop() none serves any more.
void rpc_health_set(struct rpc_health *health, bool serving);
void rpc_health_stop(struct rpc_health *health);

// Ends all watches.
void rpc_health_close(struct rpc_health *health);

#endif
