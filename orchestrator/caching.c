#include "orchestrator/caching.h"

enum { SECOND_MS = 1000 };

struct cache *caching_open(struct rpc_loop *loop, const struct config *config) {
    const struct config_cache *c = &config->cache;
    const struct cache_options options = {
        .clock = rpc_loop_clock(loop), .wake = rpc_loop_wake, .wake_ctx = loop, .waiting_max = c->waiting_max};
    if (c->kind == CONFIG_MEMORY)
        return cache_memory(&options,
                            &(struct cache_memory_options){.entries_max = c->entries_max, .bytes_max = c->bytes_max});
    return cache_redis(&options, &(struct cache_redis_options){
                                     .host = c->host,
                                     .port = c->port,
                                     .socket = c->socket,
                                     .user = c->user,
                                     .password = c->password.ptr,
                                     .database = c->database,
                                     .prefix = c->prefix,
                                     .timeout_ms = c->timeout_ms,
                                     .retry_first_ms = c->retry_first_ms,
                                     .retry_max_ms = c->retry_max_ms,
                                 });
}

void caching_trades(const struct config *config, struct trades_options *options) {
    for (int source = 0; source < QUOTE_SOURCE_KINDS; source++)
        options->source_budget_ms[source] = config->quote.budget_ms[source];
    for (int fact = 0; fact < TRADE_FACT_KINDS; fact++)
        options->fact_ttl_ms[fact] = (int64_t)config->cache.ttl_s[fact] * SECOND_MS;
}
