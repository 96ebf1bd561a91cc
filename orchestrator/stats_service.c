#include "orchestrator/stats_service.h"

#include "txcenter/ops/v1/stats.pb-c.h"

struct seen {
    struct store_stats store;
    struct saga_stats sagas;
    struct trades_stats trades;
    struct cache_stats cache;
    struct rpc_server_stats server;
    int64_t weak;
};

// One row per counter: what it is called, where it is, what it counts.
static const struct {
    const char *name;
    size_t offset;
    const char *text;
} counters[] = {
#define COUNTER(name, field, text)                                                                                     \
    { (name), offsetof(struct seen, field), (text) }
    COUNTER("store.commits", store.commits, "transactions committed"),
    COUNTER("store.writes", store.writes, "writes made durable; several share a commit"),
    COUNTER("store.rows", store.rows, "rows written"),
    COUNTER("store.reads", store.reads, "queries answered"),
    COUNTER("store.commit_ns", store.commit_ns, "time spent committing, in nanoseconds"),
    COUNTER("store.failed_writes", store.failed_writes, "writes that had no effect"),
    COUNTER("store.retries", store.retries, "batches tried again because the store did not answer"),
    COUNTER("store.queue", store.queue, "writes waiting now"),
    COUNTER("store.weak", weak, "1: a crash of the database's machine can lose what was acknowledged: must be 0"),
    COUNTER("sagas.resident", sagas.resident, "sagas in memory now"),
    COUNTER("sagas.in_flight_calls", sagas.in_flight_calls, "calls to participants under way now"),
    COUNTER("sagas.started", sagas.started, "sagas started"),
    COUNTER("sagas.ended", sagas.ended, "sagas ended"),
    COUNTER("sagas.resumed", sagas.resumed, "sagas resumed that were under way when their process died"),
    COUNTER("sagas.loads", sagas.loads, "sagas loaded from the store"),
    COUNTER("sagas.evictions", sagas.evictions, "waiting sagas that went back to being rows"),
    COUNTER("sagas.crowded_out", sagas.crowded_out,
            "core calls that found no room at a remote system though some is kept for them: must be 0"),
    COUNTER("sagas.attempts_failed", sagas.attempts_failed, "attempts of steps that failed"),
    COUNTER("sagas.parked", sagas.parked_events, "times that a step was parked for an operator"),
    COUNTER("sagas.slots", sagas.slots, "slots that this instance drives now; of all instances together 256"),
    COUNTER("sagas.taken_over", sagas.taken_over, "times that this instance took over from one whose lease was over"),
    COUNTER("sagas.unknown_flows", sagas.unknown_flows, "sagas left untouched because their flow is not known here"),
    COUNTER("sagas.corrupt", sagas.corrupt, "sagas whose record can't be read"),
    COUNTER("sagas.orphans", sagas.orphans, "sagas that nothing would ever drive on: must be 0"),
    COUNTER("anomalies.raised", sagas.anomalies_raised, "times that something was found to be wrong"),
    COUNTER("anomalies.open", sagas.anomalies_open, "of these, what still is: `txctl anomaly list`"),
    COUNTER("anomalies.stuck", sagas.anomalies_stuck, "unfinished sagas that nobody would drive on: must be 0"),
    COUNTER("anomalies.amounts", sagas.anomalies_amounts, "trades whose ledger or amounts do not add up: must be 0"),
    COUNTER("anomalies.checked", sagas.subjects_checked, "trades whose amounts were looked at"),
    COUNTER("anomalies.passes", sagas.patrol_passes,
            "such looks until each saga that waits for a child was looked at: 1, more where very many wait"),
    COUNTER("anomalies.round_s", sagas.patrol_s, "since everything unfinished was last looked through"),
    COUNTER("retention.deleted", sagas.deleted, "sagas deleted because their time was over"),
    COUNTER("retention.deleted_rows", sagas.deleted_rows, "rows deleted, theirs and all others"),
    COUNTER("retention.deleted_hour", sagas.deleted_hour, "sagas deleted in the last hour"),
    COUNTER("retention.oldest_kept_s", sagas.oldest_kept_s, "age of the oldest that has ended and is still there"),
    COUNTER("retention.behind_s", sagas.behind_s, "for how long what goes now should be gone: not rising"),
    COUNTER("trades.resident", trades.resident, "trades in memory now"),
    COUNTER("trades.resident_bytes", trades.resident_bytes, "their bytes"),
    COUNTER("trades.waiting", trades.waiting, "calls waiting for their outcome now"),
    COUNTER("trades.watching", trades.watching, "streams watching a trade now"),
    COUNTER("trades.commands", trades.commands, "calls that change a trade"),
    COUNTER("trades.callbacks", trades.callbacks, "notifications of the payment gateway"),
    COUNTER("trades.unknown_callbacks", trades.unknown_callbacks, "notifications that name nothing we know"),
    COUNTER("trades.conflicts", trades.conflicts, "payments that do not match what was asked for"),
    COUNTER("trades.open_shortfalls", trades.shortfalls, "shortfalls that wait for an operator: `txctl matter list`"),
    COUNTER("trades.open_conflicts", trades.conflicted, "payments in conflict that wait for an operator"),
    COUNTER("trades.open_payouts", trades.payouts,
            "parts of refunds that their channel refuses, waiting for an operator"),
    COUNTER("trades.open_strays", trades.strays, "notifications that nothing took in, waiting: `txctl stray list`"),
    COUNTER("trades.returned", trades.returned, "payments given back because the trade did not want them"),
    COUNTER("quotes.degraded", trades.degraded, "quotes without one of their sources"),
    COUNTER("quotes.shared", trades.shared, "questions to a source that another quote's answer was good for"),
    COUNTER("cache.gets", cache.gets, "facts looked for in the cache"),
    COUNTER("cache.hits", cache.hits, "of these, found"),
    COUNTER("cache.misses", cache.misses, "not there"),
    COUNTER("cache.failed", cache.failed, "not found out in time, or the cache is lost or behind"),
    COUNTER("cache.refused", cache.refused, "not asked, for too many waited"),
    COUNTER("cache.unfit", cache.unfit, "there, but cleared since, for another time, or not what was put there"),
    COUNTER("cache.get_ns", cache.get_ns, "time from the question to its answer, in nanoseconds"),
    COUNTER("cache.puts", cache.puts, "facts to be kept"),
    COUNTER("cache.clears", cache.clears, "kinds of facts that were cleared"),
    COUNTER("cache.evictions", cache.evictions, "facts that gave way to others"),
    COUNTER("cache.entries", cache.entries, "facts in memory now"),
    COUNTER("cache.bytes", cache.bytes, "bytes that they take"),
    COUNTER("cache.connects", cache.connects, "connections made to Redis"),
    COUNTER("server.in_flight", server.in_flight, "calls being served now"),
    COUNTER("server.refused", server.refused, "calls refused because there was no room, or no rest"),
    COUNTER("server.busy_most", server.busy_most,
            "calls in flight beyond which new work is refused now, as there is no rest; 0: as many as ever"),
#undef COUNTER
};

enum { COUNTERS = sizeof counters / sizeof counters[0] };

static void get_stats(void *service, struct rpc_inbound *in, const ProtobufCMessage *request) {
    const struct stats_service *stats = service;
    struct seen seen = {0};
    Txcenter__Ops__V1__Stat rows[COUNTERS], *pointers[COUNTERS];
    Txcenter__Ops__V1__GetStatsResponse response = TXCENTER__OPS__V1__GET_STATS_RESPONSE__INIT;
    (void)request;
    store_stats(stats->store, &seen.store);
    saga_engine_stats(stats->engine, &seen.sagas);
    trades_stats(stats->trades, &seen.trades);
    cache_stats(stats->cache, &seen.cache);
    if (stats->server)
        rpc_server_stats(stats->server, &seen.server);
    char *warning = (char *)(uintptr_t)store_durability_warning(stats->store);
    seen.weak = warning != NULL;
    for (size_t i = 0; i < COUNTERS; i++) {
        txcenter__ops__v1__stat__init(&rows[i]);
        rows[i].name = (char *)(uintptr_t)counters[i].name;
        rows[i].text = (char *)(uintptr_t)counters[i].text;
        memcpy(&rows[i].value, (const char *)&seen + counters[i].offset, sizeof rows[i].value);
        pointers[i] = &rows[i];
    }
    response.stats = pointers;
    response.n_stats = COUNTERS;
    response.warnings = &warning;
    response.n_warnings = warning != NULL;
    rpc_reply(in, &response.base);
}

const struct rpc_route stats_routes[] = {
    {.method = {.service = &txcenter__ops__v1__stats_service__descriptor, .name = "GetStats"},
     .handle = get_stats,
     .scope = RPC_OPERATE,
     .tier = RPC_TIER_LOW},
};
const size_t n_stats_routes = sizeof stats_routes / sizeof stats_routes[0];
