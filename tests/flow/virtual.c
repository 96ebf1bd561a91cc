#include "tests/flow/virtual.h"

#include "base/map.h"
#include "rpc/message.h"

#include <stdlib.h>

enum { USERS = 14 };

static const struct flow_bed_ops ops;

struct virtual_bed *flow_virtual(struct flow_bed *bed) {
    assert_true(bed->ops->virtual_time);
    return CONTAINER_OF(bed, struct virtual_bed, bed);
}

// ---- Sagas ----------------------------------------------------------------------------------------------------------

static struct saga_verdict stay(struct saga_turn *turn) {
    return saga_wait(saga_turn_now(turn) + 3600000);
}

void flow_get_in_the_way(struct flow_bed *bed, const char *gid) {
    static const struct saga_step steps[] = {
        {.id = 1, .stage = 1, .kind = SAGA_RETRIABLE, .name = "stay", .text = "Stays", .decide = stay}};
    static const struct saga_flow flow = {
        .name = "test.stay", .version = 1, .text = "Stays", .steps = steps, .n_steps = 1};
    struct saga_turn *turn = saga_turn_begin(flow_virtual(bed)->center.engine, NULL);
    struct error error = {0};
    assert_true(saga_turn_start(turn, &(struct saga_start){.gid = str_c(gid), .made = &flow}, &error));
    saga_turn_commit(turn, NULL, NULL);
}

// ---- Messages -------------------------------------------------------------------------------------------------------

static unsigned count(struct virtual_bed *bed, const char *method) {
    for (size_t i = 0; i < FLOW_METHODS_MAX; i++) {
        if (!bed->sent[i].method)
            bed->sent[i].method = method;
        if (strcmp(bed->sent[i].method, method) == 0)
            return ++bed->sent[i].n;
    }
    fail_msg("more than %d methods", FLOW_METHODS_MAX);
    return 0;
}

static void decide(void *ctx, const struct rpc_method *method, struct rpc_inproc_fate *fate) {
    struct virtual_bed *bed = ctx;
    fate->request_delay_ms = fate->response_delay_ms = 1;
    const char *name = method ? method->name : FLOW_LEDGER;
    unsigned nth = count(bed, name);
    if (bed->fate)
        bed->fate(bed->fate_ctx, name, nth, fate);
}

void flow_network_fate(const struct flow_network *network, struct seeded *seeded, struct rpc_inproc_fate *ret) {
    ret->request_delay_ms = 1 + (int64_t)seeded_below(seeded, 30);
    ret->response_delay_ms = 1 + (int64_t)seeded_below(seeded, 30);
    switch (seeded_below(seeded, network->times)) {
    case 0: ret->drop_request = true; break;
    case 1: ret->drop_response = true; break;
    case 2: ret->drop_request = ret->refuse = true; break;
    case 3: ret->request_delay_ms = (int64_t)seeded_below(seeded, (uint64_t)network->request_ms); break;
    case 4: ret->response_delay_ms = (int64_t)seeded_below(seeded, (uint64_t)network->response_ms); break;
    default: break;
    }
}

void flow_set_fate(struct flow_bed *bed, flow_fate_fn *fate, void *ctx) {
    struct virtual_bed *v = flow_virtual(bed);
    v->fate = fate;
    v->fate_ctx = ctx;
    memset(v->sent, 0, sizeof v->sent);
}

// ---- Time -----------------------------------------------------------------------------------------------------------

static void step(struct flow_bed *bed) {
    assert_true(virtual_time_step(&flow_virtual(bed)->time));
}

static void run_for(struct flow_bed *bed, int64_t ms) {
    struct virtual_time *time = &flow_virtual(bed)->time;
    virtual_time_run_until(time, time->now_ms + ms);
}

static int64_t now_ms(const struct flow_bed *bed) {
    return ((const struct virtual_bed *)(const void *)bed)->time.now_ms; // its first member
}

// ---- Deaths ---------------------------------------------------------------------------------------------------------

static void kill_center(struct flow_bed *bed) {
    flow_center_kill(&flow_virtual(bed)->center);
}

static void start_center(struct flow_bed *bed) {
    flow_center_start(&flow_virtual(bed)->center);
}

static void kill_sim(struct flow_bed *bed) {
    inproc_sim_kill(&flow_virtual(bed)->sims);
}

static void start_sim(struct flow_bed *bed) {
    inproc_sim_start(&flow_virtual(bed)->sims);
}

// ---- Watching: streams are not carried by the net, so the trade is asked by itself

// ----------------------------------------

struct watching {
    struct trade_call call;
    struct flow_watch *watch;
    struct trades *trades;
};

static bool may(void *ctx, struct str tenant_id) {
    (void)ctx, (void)tenant_id;
    return true;
}

static bool watched(void *ctx, const ProtobufCMessage *message) {
    struct flow_watch *watch = ((struct watching *)ctx)->watch;
    const Txcenter__Trade__V1__WatchTradeResponse *response = (const void *)message;
    assert_true(watch->n < FLOW_WATCHED_MAX);
    watch->versions[watch->n] = response->trade->version;
    watch->states[watch->n++] = (int32_t)response->trade->state;
    return true;
}

static void over(struct watching *watching) {
    watching->watch->over = true;
    watching->watch->call = NULL;
    free(watching);
}

static void failed(void *ctx, const struct error *error, const char *trade_no, const char *request_id) {
    (void)trade_no, (void)request_id;
    struct watching *watching = ctx;
    str_copy(str_c(err_info(error->code)->name), watching->watch->reason, sizeof watching->watch->reason);
    over(watching);
}

static void ended(void *ctx) {
    over(ctx);
}

static void watch(struct flow_bed *bed, const Txcenter__Trade__V1__WatchTradeRequest *request,
                  struct flow_watch *watch) {
    struct watching *watching = calloc(1, sizeof *watching);
    const struct trade_method *method = trade_methods;
    assert_non_null(watching);
    *watch = (struct flow_watch){.bed = bed, .call = watching};
    watching->watch = watch;
    watching->trades = flow_virtual(bed)->center.trades;
    watching->call = (struct trade_call){.ctx = watching,
                                         .caller = FLOW_CALLER,
                                         .may = may,
                                         .deadline_ms = INT64_MAX,
                                         .request_id = "",
                                         .traceparent = "",
                                         .fail = failed,
                                         .send = watched,
                                         .end = ended};
    while (strcmp(method->name, "WatchTrade") != 0)
        method++;
    method->serve(watching->trades, &watching->call, &request->base);
}

static void unwatch(struct flow_watch *watch) {
    struct watching *watching = watch->call;
    if (watching)
        trades_gone(watching->trades, &watching->call);
}

// ---- Life -----------------------------------------------------------------------------------------------------------

static void close_bed(struct flow_bed *base) {
    struct virtual_bed *bed = flow_virtual(base);
    if (bed->center.store)
        flow_center_kill(&bed->center);
    if (bed->sims.store)
        inproc_sim_kill(&bed->sims);
    rpc_channel_close(base->center);
    rpc_channel_close(base->sim);
    virtual_time_release(&bed->time);
    flow_center_close(&bed->center);
    inproc_sim_close(&bed->sims);
    ledger_release(&base->ledger);
    free(bed);
}

struct flow_bed *flow_virtual_open(const struct flow_settings *settings) {
    struct virtual_bed *bed = calloc(1, sizeof *bed);
    assert_non_null(bed);
    bed->bed.ops = &ops;
    bed->bed.settings = *settings;
    virtual_time_init(&bed->time, INT64_C(1790000000000));
    bed->sims.options =
        (struct sim_options){.callback_key_id = FLOW_KEY_ID, .callback_secret = FLOW_SECRET, .fault_seed = 1};
    bed->sims.fate = bed->center.fate = decide;
    bed->sims.fate_ctx = bed->center.fate_ctx = bed;
    bed->sims.down_ms = bed->center.down_ms = 500;
    // Each needs the other's net: the center's is there first.
    flow_center_prepare(&bed->center, &bed->time, settings);
    inproc_sim_open(&bed->sims, &bed->time, bed->center.board.net, USERS);
    bed->center.participants = bed->sims.board.net;
    rpc_inproc_add(bed->sims.board.net, ledger_routes, n_ledger_routes, &bed->bed.ledger);
    bed->bed.ledger_target = FLOW_LEDGER;
    flow_center_start(&bed->center);
    bed->bed.center = rpc_inproc_channel(bed->center.board.net, FLOW_CALLER, NULL, NULL);
    bed->bed.sim = rpc_inproc_channel(bed->sims.board.net, FLOW_CALLER, NULL, NULL);
    return &bed->bed;
}

static const struct flow_bed_ops ops = {
    .name = "virtual",
    .virtual_time = true,
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

// ---- Behind the center's back -------------------------------------------------------------------------------------

static void durable(void *ctx, const struct error *error) {
    assert_null(error);
    *(bool *)ctx = true;
}

void flow_write_rows(struct flow_bed *bed, const struct store_table *table, enum store_verb verb, const void *rows,
                     size_t n) {
    struct store *store = flow_virtual(bed)->center.store;
    struct store_group group = {0};
    struct store_write *write = store_write_new(store);
    bool done = false;
    for (size_t i = 0; i < n; i++)
        store_row(write, table, verb, (const char *)rows + i * table->row_size);
    store_submit(store, write, &group, durable, &done);
    while (!done)
        bed->ops->step(bed);
}
