#include "orchestrator/compose.h"

#include "base/id.h"
#include "orchestrator/authorize.h"
#include "orchestrator/caching.h"
#include "orchestrator/keeping.h"
#include "orchestrator/storage.h"
#include "saga/tables.h"
#include "txc_descriptors.h"

#include <stdlib.h>

enum { TABLES_MAX = 64, SECOND_MS = 1000 };
#define DAY_MS INT64_C(86400000)

// ---- Businesses ---------------------------------------------------------------------------------------------------

static void take_keys(struct center *center) {
    const struct config_callback *callback = &center->config->callback;
    center->callback_keys = calloc(callback->n_keys + 1, sizeof *center->callback_keys);
    if (!center->callback_keys)
        abort();
    for (size_t i = 0; i < callback->n_keys; i++)
        center->callback_keys[i] =
            (struct trade_callback_key){.id = callback->keys[i].id, .secret = callback->keys[i].secret};
}

static void tick_trades(void *ctx) {
    struct center *center = ctx;
    int64_t due_ms = trades_tick(center->trades);
    if (due_ms < INT64_MAX)
        rpc_timer_set(center->loop, &center->trades_timer, due_ms);
}

static void wake_trades(void *ctx, int64_t due_ms) {
    struct center *center = ctx;
    rpc_timer_set(center->loop, &center->trades_timer, due_ms);
}

static void *make_trades(struct center *center) {
    const struct config *config = center->config;
    take_keys(center);
    struct trades_options options = {
        .store = center->store,
        .clock = rpc_loop_clock(center->loop),
        .random = id_random,
        .adapters = &center->participants.adapters,
        .merchant_id = config->trade.merchant_id,
        .currency = config->trade.currency,
        .quote_ttl_ms = (int64_t)config->trade.quote_ttl_s * SECOND_MS,
        .quote_budget_ms = config->trade.quote_budget_ms,
        .order_ttl_ms = (int64_t)config->trade.order_ttl_s * SECOND_MS,
        .order_ttl_max_ms = (int64_t)config->trade.order_ttl_max_s * SECOND_MS,
        .attempt_ttl_ms = (int64_t)config->payment.attempt_ttl_s * SECOND_MS,
        .query_first_ms = config->payment.query_first_ms,
        .query_max_ms = config->payment.query_max_ms,
        .refund_window_ms = config->trade.refund_window_days * DAY_MS,
        .refund_first = config->trade.refund_first,
        .shortfall = config->trade.shortfall,
        .wait_max_ms = config->limits.wait_max_ms,
        .os_off = config->trade.os_sync == CONFIG_OFF,
        .os_caller = config->trade.os_caller,
        .callback_keys = center->callback_keys,
        .callback_window_ms = (int64_t)config->callback.window_s * SECOND_MS,
        .resident_max = config->limits.resident_trades_max,
        .resident_bytes_max = config->limits.resident_trades_bytes_max,
        .watchers_max = config->limits.watchers_max,
        .cache = center->cache,
    };
    keeping_trades(config, &options);
    caching_trades(config, &options);
    center->trades_timer = (struct rpc_timer){.fire = tick_trades, .ctx = center};
    center->trades = trades_new(&options);
    trades_on_alarm(center->trades, wake_trades, center);
    trades_on_alert(center->trades, observe_trade, NULL);
    return center->trades;
}

static void start_trades(struct center *center) {
    trades_start(center->trades, center->engine);
}

static void free_trades(struct center *center) {
    if (center->trades)
        trades_free(center->trades);
    free(center->callback_keys);
}

// What the center can do, a row each. Its calls are served further below.
static const struct {
    const struct store_table *const *tables;
    const struct saga_flow *const *flows;
    void *(*make)(struct center *center); // with the store; gives what the flows' `attach` is given
    void (*start)(struct center *center); // with the engine, before anything runs
    void (*slot_left)(void *made, unsigned slot);
    void (*release)(struct center *center); // after the engine; also what was never made
} businesses[] = {
    {trade_tables, trade_flows, make_trades, start_trades, trades_slot_left, free_trades},
};
enum { BUSINESSES = sizeof businesses / sizeof businesses[0] };
_Static_assert((int)BUSINESSES <= (int)SAGA_FLOW_SETS_MAX, "the engine takes as many");

// ---- Store --------------------------------------------------------------------------------------------------------

static void poll_store(void *ctx) {
    struct center *center = ctx;
    if (center->store)
        store_poll(center->store);
}

static void flush_store(void *ctx) {
    struct center *center = ctx;
    if (center->store)
        store_flush(center->store);
}

static void flush_store_at_rest(void *ctx) {
    struct center *center = ctx;
    rpc_loop_at_rest(center->loop, &center->store_rest);
}

static bool open_store(struct center *center, bool returning, struct error *error) {
    const struct store_table *tables[TABLES_MAX] = {NULL};
    saga_tables_add(tables, TABLES_MAX, saga_tables);
    for (size_t i = 0; i < BUSINESSES; i++)
        saga_tables_add(tables, TABLES_MAX, businesses[i].tables);
    center->store_waker = (struct rpc_waker){.poll = poll_store, .ctx = center};
    center->store_rest = (struct rpc_rest){.run = flush_store, .ctx = center};
    rpc_loop_add_waker(center->loop, &center->store_waker);
    struct store_options options = {
        .tables = tables,
        .clock = rpc_loop_clock(center->loop),
        .threaded = true,
        .wake = rpc_loop_wake,
        .wake_ctx = center->loop,
        .hold = flush_store_at_rest,
        .hold_ctx = center,
        .returning = returning,
    };
    return storage_open(center->loop, center->config, &options, &center->stopping, &center->store, error);
}

// ---- Cache --------------------------------------------------------------------------------------------------------

static void poll_cache(void *ctx) {
    struct center *center = ctx;
    cache_poll(center->cache);
}

static void open_cache(struct center *center) {
    center->cache = caching_open(center->loop, center->config);
    center->cache_waker = (struct rpc_waker){.poll = poll_cache, .ctx = center};
    rpc_loop_add_waker(center->loop, &center->cache_waker);
}

// ---- Callers' own sagas ---------------------------------------------------------------------------------------------

static struct rpc_channel *open_target(void *ctx, const char *target, struct error *error) {
    struct center *center = ctx;
    const struct config_submit *submit = &center->config->submit;
    struct rpc_channel_options options = {
        .ca = submit->tls_ca,
        .certificate = submit->certificate,
        .key = submit->key,
        .message_max = center->config->limits.message_max_bytes,
        .in_flight_max = center->config->targets.gate.in_flight_max,
    };
    return rpc_channel_open(center->loop, target, &options, error);
}

static void make_defined(struct center *center) {
    const struct config_submit *submit = &center->config->submit;
    struct raw_options options = {
        .open = open_target,
        .open_ctx = center,
        .timers = &center->timers,
        .targets = submit->targets,
        .channels_max = submit->channels_max,
        .idle_ms = submit->idle_s * SECOND_MS,
    };
    center->raw = raw_new(&options);
    defined_init(&center->defined, center->raw);
}

static struct submit *make_submit(struct center *center) {
    const struct config *config = center->config;
    struct submit_options options = {
        .engine = center->engine,
        .store = center->store,
        .defined = &center->defined,
        .timers = &center->timers,
        .wait_max_ms = config->limits.wait_max_ms,
        .waiters_max = config->submit.waiters_max,
    };
    return submit_new(&options);
}

// ---- Engine --------------------------------------------------------------------------------------------------------

static void tick_engine(void *ctx) {
    struct center *center = ctx;
    saga_engine_tick(center->engine);
}

static void wake_engine(void *ctx, int64_t due_ms) {
    struct center *center = ctx;
    rpc_timer_set(center->loop, &center->engine_timer, due_ms);
}

static void notice(void *ctx, const struct saga_notice *told) {
    observe_saga(NULL, told);
    if (told->kind == SAGA_NOTICE_FENCED)
        center_fenced(ctx);
}

_Static_assert((int)CONFIG_QUICK == (int)SAGA_QUICK && (int)CONFIG_STUBBORN == (int)SAGA_STUBBORN &&
                   (int)CONFIG_LEISURELY == (int)SAGA_LEISURELY && (int)CONFIG_PATIENCES == (int)SAGA_PATIENCES,
               "the configuration's policies are the engine's");

static void slot_left(void *ctx, unsigned slot) {
    struct center *center = ctx;
    for (size_t i = 0; i < BUSINESSES; i++)
        businesses[i].slot_left(center->made[i], slot);
}

static bool make_engine(struct center *center, struct error *error) {
    const struct config *config = center->config;
    struct saga_options options = {
        .store = center->store,
        .clock = rpc_loop_clock(center->loop),
        .random = id_random,
        .alarm = wake_engine,
        .alarm_ctx = center,
        .notice = notice,
        .notice_ctx = center,
        .resident_max = config->limits.resident_sagas_max,
        .resume_rate = config->sentinel.resume_rate_per_s,
        .scan_interval_ms = config->sentinel.scan_interval_ms,
        .horizon_ms = config->sentinel.horizon_s * SECOND_MS,
        .resume_max = config->sentinel.resume_max,
        .lease_ms = store_lease_ms(center->store),
        .slot_left = slot_left,
        .slot_left_ctx = center,
        .inbox = inbox_service_act,
        .inbox_ctx = &center->inbox,
        .flow_maker = &center->defined.maker,
        .gates = center->gates,
        .n_gates = CONFIG_SYSTEMS,
        .other_gates = participants_limits(&config->targets.gate),
        .gates_max = config->targets.gates_max,
    };
    participants_gates(config, center->gates);
    if (!keeping_sagas(center->config, &options.retention, error) ||
        !keeping_patrol(center->config, &options.patrol, error))
        return false;
    for (size_t i = 0; i < BUSINESSES; i++) {
        center->made[i] = businesses[i].make(center);
        options.flow_sets[i] = (struct saga_flow_set){businesses[i].flows, center->made[i]};
    }
    for (int i = 0; i < CONFIG_PATIENCES; i++)
        options.machine.patience[i] = (struct saga_retry){
            .first_ms = config->retry[i].first_ms,
            .max_ms = config->retry[i].max_ms,
            .attempts = config->retry[i].attempts,
            .jitter_percent = config->retry[i].jitter_percent,
            .hold_ms = config->retry[i].hold_ms,
        };
    options.machine.keys_ms = config->limits.keys_days * DAY_MS;
    center->engine_timer = (struct rpc_timer){.fire = tick_engine, .ctx = center};
    if (!saga_engine_new(&options, &center->engine, error))
        return false;
    for (size_t i = 0; i < BUSINESSES; i++)
        businesses[i].start(center);
    center->inbox = (struct inbox_service){center->engine, center->store, center->trades};
    forward_start(center->forward, center->engine,
                  &(struct forward_keeper){inbox_service_keeps, inbox_service_keep, &center->inbox});
    return true;
}

// ---- Server -------------------------------------------------------------------------------------------------------

static bool serve(struct center *center, struct error *error) {
    struct config *config = center->config;
    struct rpc_server_options options = {
        .listen = config->listen,
        .n_shared = config->shared_listen,
        .tls = {.certificate = config->tls.certificate, .key = config->tls.key, .client_ca = config->tls.client_ca},
        .message_max = config->limits.message_max_bytes,
        .in_flight_max = config->limits.in_flight_max,
        .busy_max_ms = config->limits.busy_max_ms,
        .caller_in_flight_max = config->limits.caller_in_flight_max,
        .bytes_in_flight_max = config->limits.bytes_in_flight_max,
        .drain_ms = config->drain_ms ? config->drain_ms : 1, // 0 would be the server's own default
        .authorize = authorize,
        .authorize_ctx = &center->authority,
        .descriptor_set = str_n(txc_descriptors, (size_t)(txc_descriptors_end - txc_descriptors)),
        .observe = observe_call,
        .observe_ctx = &center->observer,
    };
    center->trade_service = trade_service_new(center->trades, center->store);
    center->saga_service = (struct saga_service){
        .engine = center->engine,
        .store = center->store,
        .requests = requests_new(center->store, rpc_loop_clock(center->loop)),
        .submit = make_submit(center),
        .streams = saga_streams_new(center->engine, center->store, config->limits.watchers_max),
    };
    center->server = rpc_server_new(center->loop, &options);
    trade_service_add(center->trade_service, center->server);
    rpc_server_add(center->server, saga_routes, n_saga_routes, &center->saga_service);
    center->operator_service = (struct operator_service){
        .sagas = &center->saga_service, .trades = center->trades, .instance = config->instance};
    rpc_server_add(center->server, operator_routes, n_operator_routes, &center->operator_service);
    center->stats_service =
        (struct stats_service){center->store, center->engine, center->trades, center->cache, center->server};
    rpc_server_add(center->server, stats_routes, n_stats_routes, &center->stats_service);
    center->anomaly_service = (struct anomaly_service){center->store};
    rpc_server_add(center->server, anomaly_routes, n_anomaly_routes, &center->anomaly_service);
    center->serving = rpc_server_start(center->server, error);
    return center->serving;
}

// ---- All of it ----------------------------------------------------------------------------------------------------

bool center_open(struct center *center, struct config *config, bool returning, struct error *error) {
    *center = (struct center){.config = config, .loop = rpc_loop_new()};
    center->timers = rpc_loop_timers(center->loop);
    center->forward = forward_new(center->loop, config);
    center->authority = (struct authority){config, center->forward};
    make_defined(center);
    open_cache(center);
    if (!center_listen(center, error) || !open_store(center, returning, error) ||
        !participants_open(center->loop, config, &center->participants, error) || !make_engine(center, error))
        return false;
    saga_engine_recover(center->engine);
    while (!saga_engine_settled(center->engine) && !center->stopping && !center->fenced)
        rpc_loop_once(center->loop, SECOND_MS);
    return !center->stopping && !center->fenced && serve(center, error);
}

void center_close(struct center *center) {
    observe_counted(&center->observer);
    if (center->engine)
        saga_engine_stop(center->engine);
    cache_stop(center->cache); // what waits for it asks the participants
    participants_close(&center->participants);
    forward_free(center->forward);
    raw_free(center->raw);
    store_close(center->store);
    center->store = NULL;
    saga_engine_free(center->engine);
    for (size_t i = 0; i < BUSINESSES; i++)
        businesses[i].release(center);
    rpc_loop_remove_waker(center->loop, &center->cache_waker);
    cache_free(center->cache);
    requests_free(center->saga_service.requests);
    submit_free(center->saga_service.submit);
    saga_streams_free(center->saga_service.streams);
    trade_service_free(center->trade_service);
    rpc_server_free(center->server);
    if (center->store_waker.poll)
        rpc_loop_remove_waker(center->loop, &center->store_waker);
    struct rpc_timer *timers[] = {&center->engine_timer, &center->trades_timer, &center->vitals_timer,
                                  &center->hurry_timer, &center->cut_timer};
    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++)
        rpc_timer_stop(center->loop, timers[i]);
    rpc_loop_free(center->loop);
}
