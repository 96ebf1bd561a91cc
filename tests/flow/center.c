#include "tests/flow/center.h"

#include "base/splitmix.h"

#include <stdlib.h>

// ---- Who may call ---------------------------------------------------------------------------------------------------

enum { EVERYTHING = RPC_TRADE_READ | RPC_TRADE | RPC_SAGA | RPC_OPERATE | RPC_CALLBACK | RPC_TRADE_BACKDATE };

static const char *const everybody[] = {"*", NULL}, *const t001[] = {"T001", NULL}, *const t002[] = {"T002", NULL};

static struct config_caller callers[] = {
    {.name = FLOW_CALLER, .scopes = EVERYTHING, .tenants = everybody},
    {.name = "txsim", .scopes = RPC_CALLBACK, .tenants = everybody},
    {.name = FLOW_SHOP, .scopes = RPC_TRADE_READ | RPC_TRADE, .tenants = t001},
    {.name = FLOW_OTHER, .scopes = RPC_TRADE_READ | RPC_TRADE, .tenants = t002},
    {.name = FLOW_READER, .scopes = RPC_TRADE_READ, .tenants = t001},
    {.name = FLOW_OTHER_OPERATOR, .scopes = RPC_OPERATE, .tenants = t002},
};

// Whoever says no name is the payment gateway.
static bool authorize_call(void *ctx, struct str identity, struct rpc_inbound *in, struct rpc_caller *caller,
                           struct error *error) {
    if (str_empty(rpc_inbound_header(in, "x-caller")))
        identity = STR("txsim");
    return authorize(ctx, identity, in, caller, error);
}

// ---- Its time -------------------------------------------------------------------------------------------------------

static void tick_engine(void *ctx) {
    saga_engine_tick(((struct flow_center *)ctx)->engine);
}

static void wake_engine(void *ctx, int64_t due_ms) {
    struct flow_center *center = ctx;
    center->time->timers.set(center->time, &center->engine_timer, due_ms);
}

static void tick_trades(void *ctx) {
    struct flow_center *center = ctx;
    int64_t due_ms = trades_tick(center->trades);
    if (due_ms < INT64_MAX)
        center->time->timers.set(center->time, &center->trades_timer, due_ms);
}

static void wake_trades(void *ctx, int64_t due_ms) {
    struct flow_center *center = ctx;
    center->time->timers.set(center->time, &center->trades_timer, due_ms);
}

static void back(void *ctx) {
    flow_center_start(ctx);
}

static bool pump(void *ctx) {
    struct flow_center *center = ctx;
    if (!center->store)
        return false;
    bool worked = crash_point_pump(&center->point, center->store);
    if (center->cache_woken) {
        center->cache_woken = false;
        cache_poll(center->cache);
        worked = true;
    }
    if (center->point.due) {
        center->deaths++;
        flow_center_kill(center);
        center->back = (struct rpc_timer){.fire = back, .ctx = center};
        center->time->timers.set(center->time, &center->back, center->time->now_ms + center->down_ms);
    }
    return worked;
}

// The same dice in every run.
static uint64_t dice(void *ctx) {
    return splitmix_next(ctx);
}

// ---- Parts ----------------------------------------------------------------------------------------------------------

static void open_store(struct flow_center *center) {
    // What txcenterd keeps: the engine's tables and the trade's.
    static const struct store_table *tables[32];
    tables[0] = NULL;
    saga_tables_add(tables, sizeof tables / sizeof tables[0], saga_tables);
    saga_tables_add(tables, sizeof tables / sizeof tables[0], trade_tables);
    struct store_options options = {
        .tables = tables, .clock = &center->time->clock, .instance = "center", .address = "here"};
    struct error error = {0};
    if (!store_open(crash_point_backend(&center->point, center->disk), &options, &center->store, &error))
        fail_msg("%s", error.text);
}

static void wake_cache(void *ctx) {
    ((struct flow_center *)ctx)->cache_woken = true;
}

static void open_cache(struct flow_center *center) {
    const struct cache_options options = {
        .clock = &center->time->clock, .wake = wake_cache, .wake_ctx = center, .waiting_max = 100};
    center->cache = cache_memory(&options, &(struct cache_memory_options){.entries_max = 100, .bytes_max = 1 << 20});
}

static void open_adapters(struct flow_center *center) {
    center->channel = rpc_inproc_channel(center->participants, "center", center->fate, center->fate_ctx);
#define X(NAME, name)                                                                                                  \
    center->adapters.name = (struct adapter){.system = #name, .channel = center->channel, .deadline_ms = 3000};
    ADAPTER_SYSTEMS(X)
#undef X
}

// Whatever the target is: the net has one host.
static struct rpc_channel *open_target(void *ctx, const char *target, struct error *error) {
    struct flow_center *center = ctx;
    (void)target, (void)error;
    return rpc_inproc_channel(center->participants, "center", center->fate, center->fate_ctx);
}

static void open_raw(struct flow_center *center) {
    static const char *const targets[] = {FLOW_LEDGER, NULL};
    struct raw_options options = {.open = open_target,
                                  .open_ctx = center,
                                  .timers = &center->time->timers,
                                  .targets = targets,
                                  .channels_max = 4,
                                  .idle_ms = 60000};
    center->raw = raw_new(&options);
    defined_init(&center->defined, center->raw);
}

static void alerted(void *ctx, const char *what, const char *trade_no, const char *detail) {
    struct flow_center *center = ctx;
    (void)trade_no, (void)detail;
    struct flow_alerts *it = center->alerts;
    while (it->what && strcmp(it->what, what) != 0)
        assert_true(++it < center->alerts + FLOW_ALERTS_MAX);
    it->what = what; // literals
    it->n++;
}

unsigned flow_center_alerts(const struct flow_center *center, const char *what) {
    for (const struct flow_alerts *it = center->alerts; it < center->alerts + FLOW_ALERTS_MAX && it->what; it++)
        if (strcmp(it->what, what) == 0)
            return it->n;
    return 0;
}

enum { HOUR_MS = 3600000 };

static struct saga_retention_options retention_of(const struct flow_center *center) {
    int64_t kept_ms = center->options.kept_ms[TRADE_UNPAID];
    return (struct saga_retention_options){
        .kept_ms = {kept_ms, kept_ms, kept_ms},
        .requests_ms = 10 * kept_ms,
        .events_ms = 10 * kept_ms,
        .audit_ms = 10 * kept_ms,
        .interval_ms = kept_ms ? HOUR_MS : 0,
    };
}

static void open_engine(struct flow_center *center) {
    struct error error = {0};
    center->options.store = center->store;
    center->options.adapters = &center->adapters;
    center->options.cache = center->cache;
    center->trades = trades_new(&center->options);
    center->trades_timer = (struct rpc_timer){.fire = tick_trades, .ctx = center};
    trades_on_alarm(center->trades, wake_trades, center);
    trades_on_alert(center->trades, alerted, center);
    struct saga_options options = {
        .store = center->store,
        .clock = &center->time->clock,
        .random = dice,
        .random_ctx = &center->dice,
        .flow_sets = {{trade_flows, center->trades}},
        .alarm = wake_engine,
        .alarm_ctx = center,
        .resident_max = center->resident_max,
        .retention = retention_of(center),
        .patrol = {.interval_ms = HOUR_MS, .checks_per_s = 1000, .rows_per_s = 1000},
        .flow_maker = &center->defined.maker,
    };
    center->engine_timer = (struct rpc_timer){.fire = tick_engine, .ctx = center};
    if (!saga_engine_new(&options, &center->engine, &error))
        fail_msg("%s", error.text);
    trades_start(center->trades, center->engine);
}

static void connect_row(void *ctx, const struct rpc_route *route, void *service) {
    switchboard_connect(ctx, route, service);
}

static void connect(struct flow_center *center) {
    center->service = trade_service_new(center->trades, center->store);
    trade_service_each(center->service, connect_row, &center->board);
    struct submit_options options = {.engine = center->engine,
                                     .store = center->store,
                                     .defined = &center->defined,
                                     .timers = &center->time->timers,
                                     .wait_max_ms = 30000,
                                     .waiters_max = 100};
    center->sagas = (struct saga_service){.engine = center->engine,
                                          .store = center->store,
                                          .requests = requests_new(center->store, &center->time->clock),
                                          .submit = submit_new(&options),
                                          .streams = saga_streams_new(center->engine, center->store, 100)};
    for (size_t i = 0; i < n_saga_routes; i++)
        switchboard_connect(&center->board, &saga_routes[i], &center->sagas);
    center->operators =
        (struct operator_service){.sagas = &center->sagas, .trades = center->trades, .instance = "flow"};
    for (size_t i = 0; i < n_operator_routes; i++)
        switchboard_connect(&center->board, &operator_routes[i], &center->operators);
    center->stats = (struct stats_service){
        .store = center->store, .engine = center->engine, .trades = center->trades, .cache = center->cache};
    for (size_t i = 0; i < n_stats_routes; i++)
        switchboard_connect(&center->board, &stats_routes[i], &center->stats);
    center->anomalies = (struct anomaly_service){.store = center->store};
    for (size_t i = 0; i < n_anomaly_routes; i++)
        switchboard_connect(&center->board, &anomaly_routes[i], &center->anomalies);
}

// ---- Life -----------------------------------------------------------------------------------------------------------

void flow_center_start(struct flow_center *center) {
    open_store(center);
    open_cache(center);
    open_adapters(center);
    open_raw(center);
    open_engine(center);
    saga_engine_recover(center->engine);
    connect(center);
}

// Nothing of it reaches anybody any more, and nothing becomes durable; then its memory is freed in good order.
void flow_center_kill(struct flow_center *center) {
    const struct rpc_timers *timers = &center->time->timers;
    switchboard_cut(&center->board);
    crash_point_seal(&center->point);
    saga_engine_stop(center->engine);
    trade_service_end_streams(center->service);
    operator_service_end_streams(&center->operators);
    trades_hurry(center->trades);
    submit_hurry(center->sagas.submit);
    cache_stop(center->cache);
    rpc_channel_close(center->channel);
    raw_free(center->raw);
    timers->stop(timers->ctx, &center->engine_timer);
    timers->stop(timers->ctx, &center->trades_timer);
    store_close(center->store);
    center->store = NULL;
    saga_engine_free(center->engine);
    trades_free(center->trades);
    cache_free(center->cache);
    center->cache_woken = false;
    requests_free(center->sagas.requests);
    submit_free(center->sagas.submit);
    saga_streams_free(center->sagas.streams);
    trade_service_free(center->service);
    timers->stop(timers->ctx, &center->engine_timer);
    timers->stop(timers->ctx, &center->trades_timer);
    center->point.due = false;
}

static int64_t or_s(int32_t value, int64_t otherwise) {
    return 1000 * (value ? value : otherwise);
}

void flow_center_prepare(struct flow_center *center, struct virtual_time *time, const struct flow_settings *settings) {
    static const struct trade_callback_key keys[] = {{FLOW_KEY_ID, STR(FLOW_SECRET)}, {.id = NULL}};
    center->time = time;
    center->dice = 1;
    center->options = (struct trades_options){
        .clock = &time->clock,
        .random = dice,
        .random_ctx = &center->dice,
        .merchant_id = "M001",
        .currency = "CNY",
        .quote_ttl_ms = or_s(settings->quote_ttl_s, 900),
        .quote_budget_ms = 800,
        .source_budget_ms = {[QUOTE_USER] = settings->user_ms, [QUOTE_COUPONS] = settings->coupons_ms},
        .order_ttl_ms = 900 * 1000,
        .order_ttl_max_ms = 86400 * 1000,
        .attempt_ttl_ms = or_s(settings->attempt_ttl_s, 900),
        .query_first_ms = 2000,
        .query_max_ms = 60000,
        .refund_window_ms = (settings->a_day_of_refunds ? 1 : 365) * INT64_C(86400000),
        .shortfall = settings->shortfall_refunds ? TRADE_SHORTFALL_REFUNDS : TRADE_SHORTFALL_STANDS,
        .refund_first = settings->cash_first ? TRADE_REFUND_CASH : TRADE_REFUND_ALIKE,
        .wait_max_ms = 30000,
        .os_off = settings->os_off,
        .os_caller = settings->os_caller,
        .callback_keys = keys,
        .callback_window_ms = 300 * 1000,
        .resident_max = center->resident_max ? center->resident_max : 20000,
        .watchers_max = 100,
        .archive_kept_ms = settings->kept_days * 10 * INT64_C(86400000),
        .strays_kept_ms = settings->kept_days * INT64_C(86400000),
        .retire_rows_max = settings->rows_max,
    };
    for (int fact = 0; fact < TRADE_FACT_KINDS; fact++)
        center->options.fact_ttl_ms[fact] = settings->facts_ttl_s * INT64_C(1000);
    for (int closed = 0; closed < TRADE_CLOSED_KINDS; closed++)
        center->options.kept_ms[closed] = settings->kept_days * INT64_C(86400000);
    center->config = (struct config){
        .callers = callers, .n_callers = sizeof callers / sizeof callers[0], .development = !settings->callers};
    switchboard_open(&center->board, rpc_inproc_new(&time->scheduler));
    center->authority = (struct authority){.config = &center->config};
    rpc_inproc_authorize(center->board.net, authorize_call, &center->authority);
    center->disk = store_memory();
    virtual_time_add_pump(time, pump, center);
}

void flow_center_close(struct flow_center *center) {
    if (center->store)
        flow_center_kill(center);
    center->time->timers.stop(center->time, &center->back);
    rpc_inproc_free(center->board.net);
    switchboard_close(&center->board);
    store_backend_free(center->disk);
}
