#include "tests/participants/inproc_sim.h"

#include "tests/cmocka.h"

static void store_failed(void *ctx, const struct error *error) {
    (void)ctx;
    fail_msg("the simulators' store failed: %s", error->text);
}

static void back(void *ctx) {
    inproc_sim_start(ctx);
}

static bool pump(void *ctx) {
    struct inproc_sim *sims = ctx;
    if (!sims->store)
        return false;
    bool worked = crash_point_pump(&sims->point, sims->store);
    if (sims->point.due) {
        inproc_sim_kill(sims);
        sims->back = (struct rpc_timer){.fire = back, .ctx = sims};
        sims->time->timers.set(sims->time, &sims->back, sims->time->now_ms + sims->down_ms);
    }
    return worked;
}

void inproc_sim_start(struct inproc_sim *sims) {
    struct error error = {0};
    struct store_options options = {
        .tables = sim_tables(), .clock = &sims->time->clock, .instance = "sim", .address = "here"};
    if (!store_open(crash_point_backend(&sims->point, sims->disk), &options, &sims->store, &error))
        fail_msg("%s", error.text);
    sims->options.timers = sims->time->timers;
    sims->options.store = sims->store;
    sims->options.callback = rpc_inproc_channel(sims->center, "txsim", sims->fate, sims->fate_ctx);
    sims->sim = sim_new(&sims->options);
    for (const char *const *name = sim_system_names(); *name; name++) {
        size_t n;
        void *service;
        const struct rpc_route *routes = sim_routes(sims->sim, *name, &n, &service);
        for (size_t i = 0; i < n; i++)
            switchboard_connect(&sims->board, &routes[i], service);
    }
    // It answers "not yet" until then; nothing else moves meanwhile.
    while (!sim_ready(sims->sim))
        assert_true(crash_point_pump(&sims->point, sims->store));
}

void inproc_sim_kill(struct inproc_sim *sims) {
    switchboard_cut(&sims->board);
    rpc_channel_close(sims->options.callback);
    store_abandon(sims->store);
    sims->store = NULL;
    sim_free(sims->sim);
    sims->sim = NULL;
    sims->point.due = false;
}

static void seeded(void *ctx, bool durable) {
    assert_true(durable);
    *(bool *)ctx = true;
}

void inproc_sim_open(struct inproc_sim *sims, struct virtual_time *time, struct rpc_inproc *center, uint32_t users) {
    bool done = false;
    sims->time = time;
    sims->center = center;
    sims->disk = store_memory();
    sims->options.failed = store_failed;
    switchboard_open(&sims->board, rpc_inproc_new(&time->scheduler));
    virtual_time_add_pump(time, pump, sims);
    inproc_sim_start(sims);
    assert_true(sim_seed(sims->sim, users, seeded, &done));
    while (!done)
        assert_true(virtual_time_step(time));
}

void inproc_sim_close(struct inproc_sim *sims) {
    if (sims->store)
        inproc_sim_kill(sims);
    sims->time->timers.stop(sims->time, &sims->back);
    rpc_inproc_free(sims->board.net);
    switchboard_close(&sims->board);
    store_backend_free(sims->disk);
}
