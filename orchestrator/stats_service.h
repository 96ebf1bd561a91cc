// StatsService: the counters of the store, the engine, the trades, the cache and the server, from one table.
#ifndef TXC_ORCHESTRATOR_STATS_SERVICE_H
#define TXC_ORCHESTRATOR_STATS_SERVICE_H

#include "flows/trade/trades.h"
#include "rpc/server.h"
#include "store/cache.h"

struct stats_service {
    const struct store *store;
    const struct saga_engine *engine;
    const struct trades *trades;
    struct cache *cache;
    const struct rpc_server *server; // NULL: there is none, and its counters are 0
};

extern const struct rpc_route stats_routes[];
extern const size_t n_stats_routes;

#endif
