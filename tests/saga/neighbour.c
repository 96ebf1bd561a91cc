#include "tests/saga/neighbour.h"

#include "tests/cmocka.h"

struct neighbour neighbour;

static void tick(void *ctx) {
    struct neighbour *other = ctx;
    if (!other->stopped)
        saga_engine_tick(other->engine);
}

static void set_alarm(void *ctx, int64_t due_ms) {
    struct neighbour *other = ctx;
    other->bed->time.timers.set(&other->bed->time, &other->alarm, due_ms);
}

static bool pump(void *ctx) {
    struct neighbour *other = ctx;
    if (!other->store || other->stopped)
        return false;
    store_pump(other->store);
    return store_poll(other->store) > 0;
}

void neighbour_open(void) {
    struct saga_bed *bed = neighbour.bed;
    struct error error = {0};
    struct saga_options options = bed->options;
    struct store_options store_options = {.tables = bed->tables,
                                          .clock = &bed->time.clock,
                                          .instance = "two",
                                          .address = "two:1",
                                          .reads_max = neighbour.reads_max,
                                          .lease_ms = NEIGHBOUR_LEASE_MS};
    if (!store_open(store_memory_share(bed->disk), &store_options, &neighbour.store, &error))
        fail_msg("%s", error.text);
    options.store = neighbour.store;
    options.alarm = set_alarm;
    options.alarm_ctx = &neighbour;
    if (neighbour.inbox_ctx)
        options.inbox_ctx = neighbour.inbox_ctx;
    if (!saga_engine_new(&options, &neighbour.engine, &error))
        fail_msg("%s", error.text);
    saga_engine_recover(neighbour.engine);
}

void neighbour_end(bool dies) {
    if (!neighbour.store)
        return;
    saga_engine_stop(neighbour.engine);
    if (dies)
        store_abandon(neighbour.store);
    else
        store_close(neighbour.store);
    neighbour.bed->time.timers.stop(&neighbour.bed->time, &neighbour.alarm);
    saga_engine_free(neighbour.engine);
    neighbour.engine = NULL;
    neighbour.store = NULL;
}

void neighbour_go_on(void) {
    neighbour.stopped = false;
    tick(&neighbour);
}

int neighbour_set_up(void **state) {
    static struct saga_bed bed;
    bed_init(&bed);
    bed.lease_ms = NEIGHBOUR_LEASE_MS;
    neighbour = (struct neighbour){.bed = &bed};
    neighbour.alarm = (struct rpc_timer){.fire = tick, .ctx = &neighbour};
    virtual_time_add_pump(&bed.time, pump, &neighbour);
    *state = &bed;
    return 0;
}

int neighbour_tear_down(void **state) {
    neighbour_end(false);
    bed_release(*state);
    return 0;
}

unsigned neighbour_slots(const struct saga_engine *engine) {
    unsigned n = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        n += saga_engine_owns(engine, slot);
    return n;
}
