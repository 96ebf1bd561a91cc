// The cache by the configuration, and what the trades are to do with it.
#ifndef TXC_ORCHESTRATOR_CACHING_H
#define TXC_ORCHESTRATOR_CACHING_H

#include "flows/trade/trades.h"
#include "orchestrator/config.h"
#include "rpc/loop.h"
#include "store/cache.h"

// Never fails: a Redis that is not there is connected to later. The loop is to call cache_poll() when it is woken.
struct cache *caching_open(struct rpc_loop *loop, const struct config *config);

// The times of a quote's sources and of facts.
void caching_trades(const struct config *config, struct trades_options *options);

#endif
