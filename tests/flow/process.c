// The real programs: txcenterd and txsim in a folder of their own, over unix sockets, in real time. Pauses are short,
// so that what has to wait does not wait long.
#include "base/buf.h"
#include "base/map.h"
#include "rpc/message.h"
#include "tests/flow/bed.h"
#include "tests/flow/center.h"
#include "tests/flow/guard.h"
#include "tests/participants/program.h"
#include "tests/scratch.h"

#include <stdio.h>
#include <stdlib.h>

enum { USERS = 500, CONFIG_MAX = 16384 };

struct process_bed {
    struct flow_bed bed;
    struct rpc_loop *loop;
    struct rpc_server *ledger;
    pid_t center, sim;
    char folder[SCRATCH_PATH_MAX], ledger_target[SCRATCH_PATH_MAX + 32];
};

static const struct flow_bed_ops ops;

static struct process_bed *process(struct flow_bed *bed) {
    return CONTAINER_OF(bed, struct process_bed, bed);
}

// ---- Time -----------------------------------------------------------------------------------------------------------

static void step(struct flow_bed *bed) {
    rpc_loop_once(process(bed)->loop, 1000);
}

static int64_t now_ms(const struct flow_bed *bed) {
    return clock_now_ms(rpc_loop_clock(((const struct process_bed *)(const void *)bed)->loop));
}

static void elapsed(void *ctx) {
    *(bool *)ctx = true;
}

static void run_for(struct flow_bed *bed, int64_t ms) {
    bool done = false;
    struct rpc_timer timer = {.fire = elapsed, .ctx = &done};
    rpc_timer_set(process(bed)->loop, &timer, now_ms(bed) + ms);
    while (!done)
        step(bed);
}

// ---- The programs ---------------------------------------------------------------------------------------------------

static void configure_participants(struct buf *config, const char *folder) {
#define X(NAME, name) #name,
    static const char *const systems[] = {ADAPTER_SYSTEMS(X)};
#undef X
    buf_printf(config, "participants:\n");
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++)
        // What these tests bend is told by the answers, not by a breaker that opens behind many of them.
        buf_printf(config, "  %s: {target: \"unix:%s/sim\", deadline_ms: 1000, failures_max: 0, failure_percent: 0}\n",
                   systems[i], folder);
}

static void configure_callers(struct buf *config) {
    buf_printf(
        config,
        "callers:\n"
        "  - {name: %s, scopes: [trade.read, trade, trade.backdate, saga, operate, callback], tenants: [\"*\"]}\n"
        "  - {name: %s, scopes: [trade.read, trade], tenants: [T001]}\n"
        "  - {name: %s, scopes: [trade.read, trade], tenants: [T002]}\n"
        "  - {name: %s, scopes: [trade.read], tenants: [T001]}\n"
        "  - {name: %s, scopes: [operate], tenants: [T002]}\n",
        FLOW_CALLER, FLOW_SHOP, FLOW_OTHER, FLOW_READER, FLOW_OTHER_OPERATOR);
}

static void configure(const struct process_bed *bed) {
    const struct flow_settings *settings = &bed->bed.settings;
    struct buf config;
    char path[SCRATCH_PATH_MAX + 32];
    buf_init(&config, CONFIG_MAX);
    buf_printf(&config, "listen: [\"unix:%s/center\"]\ndata_dir: %s/data\nlog: {level: debug, format: json}\n",
               bed->folder, bed->folder);
    buf_printf(&config,
               "trade: {quote_ttl_s: %d, quote_budget_ms: 2000, refund_window_days: %d, os_sync: %s, os_caller: %s, "
               "refund_first: %s, shortfall: %s}\n",
               settings->quote_ttl_s ? settings->quote_ttl_s : 900, settings->a_day_of_refunds ? 1 : 365,
               settings->os_off ? "off" : "on", settings->os_caller ? settings->os_caller : "nobody",
               settings->cash_first ? "cash" : "alike", settings->shortfall_refunds ? "refunds" : "stands");
    buf_printf(&config,
               "quote: {user_ms: %d, coupons_ms: %d, level_ms: 0, points_ms: 0, points_rule_ms: 0, activities_ms: 0}\n",
               settings->user_ms, settings->coupons_ms);
    buf_printf(&config, "cache: {price_ttl_s: %d, points_rule_ttl_s: %d, level_ttl_s: %d, activities_ttl_s: %d}\n",
               settings->facts_ttl_s, settings->facts_ttl_s, settings->facts_ttl_s, settings->facts_ttl_s);
    buf_printf(&config, "payment: {query_first_ms: 200, query_max_ms: 1000, attempt_ttl_s: %d}\n",
               settings->attempt_ttl_s ? settings->attempt_ttl_s : 900);
    buf_printf(&config, "submit: {targets: [\"%s\"]}\n", bed->ledger_target);
    buf_printf(&config, "callback: {keys: [{id: %s, secret: %s}]}\n", FLOW_KEY_ID, FLOW_SECRET);
    buf_printf(&config, "sentinel: {scan_interval_ms: 500}\n"
                        "retry:\n"
                        "  quick: {first_ms: 20, max_ms: 200, attempts: 6}\n"
                        "  stubborn: {first_ms: 50, max_ms: 500, attempts: 40}\n"
                        "  leisurely: {first_ms: 50, max_ms: 1000, attempts: 60}\n");
    configure_participants(&config, bed->folder);
    if (settings->callers)
        configure_callers(&config);
    snprintf(path, sizeof path, "%s/txcenter.yaml", bed->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    struct str text = buf_str(&config);
    assert_int_equal(fwrite(text.ptr, 1, text.len, file), text.len);
    fclose(file);
    buf_release(&config);
}

// A new channel: one that has just lost its connection would fail the next call for it.
static void connect(struct process_bed *bed, const char *name, struct rpc_channel **channel) {
    char target[SCRATCH_PATH_MAX + 32];
    struct error error = {0};
    rpc_channel_close(*channel);
    snprintf(target, sizeof target, "unix:%s/%s", bed->folder, name);
    *channel = rpc_channel_open(bed->loop, target, NULL, &error);
    assert_non_null(*channel);
}

static void start_center(struct flow_bed *base) {
    struct process_bed *bed = process(base);
    char config[SCRATCH_PATH_MAX + 32], log[SCRATCH_PATH_MAX + 32];
    snprintf(config, sizeof config, "%s/txcenter.yaml", bed->folder);
    snprintf(log, sizeof log, "%s/center.log", bed->folder);
    bed->center = program_start(TXCENTERD, (const char *const[]){"--config", config, NULL}, log);
    connect(bed, "center", &base->center);
}

static void start_sim(struct flow_bed *base) {
    struct process_bed *bed = process(base);
    char listen[SCRATCH_PATH_MAX + 32], center[SCRATCH_PATH_MAX + 32], data[SCRATCH_PATH_MAX + 32],
        log[SCRATCH_PATH_MAX + 32], users[16];
    snprintf(listen, sizeof listen, "unix:%s/sim", bed->folder);
    snprintf(center, sizeof center, "unix:%s/center", bed->folder);
    snprintf(data, sizeof data, "%s/sim-data", bed->folder);
    snprintf(log, sizeof log, "%s/sim.log", bed->folder);
    snprintf(users, sizeof users, "%d", USERS);
    const char *const args[] = {"serve",
                                "--listen",
                                listen,
                                "--data",
                                data,
                                "--center",
                                center,
                                "--callback-key",
                                (FLOW_KEY_ID ":" FLOW_SECRET),
                                "--seed-world",
                                "--users",
                                users,
                                NULL};
    bed->sim = program_start(TXSIM, args, log);
    connect(bed, "sim", &base->sim);
}

static void kill_one(pid_t *pid) {
    if (*pid > 0)
        program_kill(*pid);
    *pid = 0;
}

static void kill_center(struct flow_bed *bed) {
    kill_one(&process(bed)->center);
}

static void kill_sim(struct flow_bed *bed) {
    kill_one(&process(bed)->sim);
}

// ---- The ledger -----------------------------------------------------------------------------------------------------

static void start_ledger(struct process_bed *bed) {
    snprintf(bed->ledger_target, sizeof bed->ledger_target, "unix:%s/ledger", bed->folder);
    const char *const listen[] = {bed->ledger_target, NULL};
    const struct rpc_server_options options = {.listen = listen};
    struct error error = {0};
    bed->ledger = rpc_server_new(bed->loop, &options);
    rpc_server_add(bed->ledger, ledger_routes, n_ledger_routes, &bed->bed.ledger);
    if (!rpc_server_start(bed->ledger, &error))
        fail_msg("%s", error.text);
    bed->bed.ledger_target = bed->ledger_target;
}

static void stop_ledger(struct process_bed *bed) {
    bool drained = false;
    rpc_server_drain(bed->ledger, elapsed, &drained);
    while (!drained)
        step(&bed->bed);
    rpc_server_free(bed->ledger);
    ledger_release(&bed->bed.ledger);
}

// ---- Watching -------------------------------------------------------------------------------------------------------

static bool watched(void *ctx, const ProtobufCMessage *message) {
    struct flow_watch *watch = ctx;
    const Txcenter__Trade__V1__WatchTradeResponse *response = (const void *)message;
    assert_true(watch->n < FLOW_WATCHED_MAX);
    watch->versions[watch->n] = response->trade->version;
    watch->states[watch->n++] = (int32_t)response->trade->state;
    return !watch->call; // set: the watcher wants to leave
}

static void over(void *ctx, const struct rpc_result *result) {
    struct flow_watch *watch = ctx;
    watch->over = true;
    if (result->outcome != OUTCOME_OK)
        str_copy(str_c(result->reason[0] ? result->reason : outcome_name(result->outcome)), watch->reason,
                 sizeof watch->reason);
}

static void watch(struct flow_bed *bed, const Txcenter__Trade__V1__WatchTradeRequest *request,
                  struct flow_watch *watch) {
    static const struct rpc_method method = {
        .service = &txcenter__trade__v1__trade_service__descriptor, .name = "WatchTrade", .server_streaming = true};
    static const struct rpc_header headers[] = {{"x-caller", {FLOW_CALLER, sizeof FLOW_CALLER - 1}}, {.name = NULL}};
    *watch = (struct flow_watch){.bed = bed};
    rpc_stream(bed->center, &method, &request->base,
               &(struct rpc_call_options){.deadline_ms = 60000, .headers = headers}, watched, over, watch);
}

static void unwatch(struct flow_watch *watch) {
    watch->call = watch;
}

// ---- Life -----------------------------------------------------------------------------------------------------------

static void close_bed(struct flow_bed *base) {
    struct process_bed *bed = process(base);
    rpc_channel_close(base->center);
    rpc_channel_close(base->sim);
    kill_center(base);
    kill_sim(base);
    stop_ledger(bed);
    rpc_loop_free(bed->loop);
    scratch_remove(bed->folder);
    free(bed);
}

struct flow_bed *flow_process_open(const struct flow_settings *settings) {
    struct process_bed *bed = calloc(1, sizeof *bed);
    assert_non_null(bed);
    bed->bed.ops = &ops;
    bed->bed.settings = *settings;
    assert_true(scratch_make("flow", bed->folder));
    guard_folder(bed->folder);
    bed->loop = rpc_loop_new();
    start_ledger(bed);
    configure(bed);
    start_sim(&bed->bed);
    start_center(&bed->bed);
    return &bed->bed;
}

static const struct flow_bed_ops ops = {
    .name = "process",
    .close = close_bed,
    .step = step,
    .run_for = run_for,
    .now_ms = now_ms,
    .kill_center = kill_center,
    .start_center = start_center,
    .kill_sim = kill_sim,
    .start_sim = start_sim,
    .watch = watch,
    .unwatch = unwatch,
};
