#include "tests/simulation/center.h"

#include "tests/simulation/client.h"
#include "tests/simulation/disk.h"
#include "tests/simulation/network.h"
#include "tests/simulation/watch.h"

#include <stdio.h>
#include <stdlib.h>

enum { IDLE_PUMP_MS = 20, PATIENCE_MS = 3000 };

const char *center_name(const struct center *center) {
    return center ? center->label : "";
}

static int64_t now_of(void *ctx) {
    return world_now->time.now_ms + ((const struct center *)ctx)->wall_offset_ms;
}

static uint64_t any(void *ctx) {
    return seeded_next(&((struct center *)ctx)->dice);
}

static void set_timer(struct rpc_timer *timer, int64_t at_ms) {
    world_now->time.timers.set(&world_now->time, timer, at_ms);
}

static void stop_timer(struct rpc_timer *timer) {
    world_now->time.timers.stop(&world_now->time, timer);
}

// ---- Running ------------------------------------------------------------------------------------------------------

static void pump_later(struct center *center, int64_t delay_ms) {
    if (!center->pump.node.place && center->store)
        set_timer(&center->pump, world_now->time.now_ms + delay_ms);
}

static int64_t commit_delay_ms(struct center *center) {
    int64_t ms = (int64_t)seeded_below(&center->dice, world_now->shape->commit_ms + 1);
    return world_now->store_weather.slow && !world_now->calm ? ms + draw_between(&center->dice, 50, 900) : ms;
}

struct center *center_enter(struct center *center) {
    struct center *before = world_now->running;
    world_now->running = center;
    return before;
}

void center_leave(struct center *center, struct center *before) {
    world_now->running = before;
    pump_later(center, commit_delay_ms(center));
}

bool center_defers(struct center *center, struct rpc_timer *timer) {
    if (center->paused_until_ms <= world_now->time.now_ms)
        return false;
    set_timer(timer, center->paused_until_ms);
    return true;
}

static void on_alarm(void *ctx) {
    struct center *center = ctx;
    if (center_defers(center, &center->alarm))
        return;
    struct center *before = center_enter(center);
    saga_engine_tick(center->engine);
    center_leave(center, before);
}

static void set_alarm(void *ctx, int64_t due_ms) {
    struct center *center = ctx;
    set_timer(&center->alarm, due_ms - center->wall_offset_ms);
}

// One batch of writes and all reads; whether more is to be done, the store says. Another round may come before what
// this one did is delivered.
static void on_pump(void *ctx) {
    struct center *center = ctx;
    if (center->dying || center_defers(center, &center->pump))
        return;
    struct center *before = center_enter(center);
    bool more = store_pump(center->store);
    world_now->running = before;
    if (more)
        pump_later(center, world_now->calm ? 1 : IDLE_PUMP_MS);
    if (center->woken && !center->poll.node.place)
        set_timer(&center->poll, world_now->time.now_ms + (int64_t)seeded_below(&center->dice, 4));
}

static void on_poll(void *ctx) {
    struct center *center = ctx;
    if (center->dying || center_defers(center, &center->poll))
        return;
    struct center *before = center_enter(center);
    center->woken = false;
    limits_arrive(center);
    store_poll(center->store);
    limits_arrived(center);
    center_leave(center, before);
}

static void on_wake(void *ctx) {
    struct center *center = ctx;
    center->woken = true;
    if (!center->poll.node.place)
        set_timer(&center->poll, world_now->time.now_ms + (int64_t)seeded_below(&center->dice, 4));
}

static void on_notice(void *ctx, const struct saga_notice *notice) {
    static const char *const kinds[] = {
        [SAGA_NOTICE_STARTED] = "started",
        [SAGA_NOTICE_ATTEMPT_FAILED] = "attempt failed",
        [SAGA_NOTICE_REVERSED] = "turns round",
        [SAGA_NOTICE_PARKED] = "parked",
        [SAGA_NOTICE_ENDED] = "ended",
        [SAGA_NOTICE_RESUMED] = "resumed",
        [SAGA_NOTICE_FLOW_UNKNOWN] = "unknown flow",
        [SAGA_NOTICE_CORRUPT] = "corrupt",
        [SAGA_NOTICE_WRITE_FAILED] = "write failed",
        [SAGA_NOTICE_LOAD_FAILED] = "load failed",
        [SAGA_NOTICE_OPERATED] = "operators",
        [SAGA_NOTICE_LATE] = "late",
        [SAGA_NOTICE_MEMBERS_UNREAD] = "members unread",
        [SAGA_NOTICE_TAKING_OVER] = "takes over",
        [SAGA_NOTICE_TAKEN_OVER] = "has taken over",
        [SAGA_NOTICE_KEPT_REFUSED] = "kept, then refused",
        [SAGA_NOTICE_ANOMALY] = "anomaly",
        [SAGA_NOTICE_ANOMALY_OVER] = "anomaly over",
    };
    if (notice->kind != SAGA_NOTICE_ATTEMPT_FAILED)
        world_trace(center_name(ctx), "%s %s %s %s %s %s", kinds[notice->kind], world_short(notice->gid), notice->flow,
                    saga_status_name(notice->status), notice->step, notice->reason);
    watch_notice(ctx, notice);
}

// ---- Starting -----------------------------------------------------------------------------------------------------

static bool open_store(struct center *center) {
    struct error error = {0};
    char name[16];
    snprintf(name, sizeof name, "c%u", center->name);
    struct store_options options = {.tables = world_now->tables,
                                    .clock = &center->clock,
                                    .instance = name,
                                    .address = name,
                                    .wake = on_wake,
                                    .wake_ctx = center,
                                    .batch_max = world_now->shape->batch_max,
                                    .retry_first_ms = 20,
                                    .retry_max_ms = 400,
                                    .lease_ms = world_now->shape->lease_ms};
    struct store_backend *backend = disk_new(store_memory_share(world_now->disk), center);
    if (store_open(backend, &options, &center->store, &error))
        return true;
    center->store = NULL;
    world_trace(center->label, "can't start: %s", error.text);
    return false;
}

static void on_slot_left(void *ctx, unsigned slot) {
    subjects_leave(&((struct center *)ctx)->subjects, slot);
}

static bool sees_to(void *ctx, unsigned slot) {
    return saga_engine_owns(((struct center *)ctx)->engine, slot);
}

static bool open_engine(struct center *center) {
    const struct shape *shape = world_now->shape;
    struct error error = {0};
    struct saga_options options = {
        .store = center->store,
        .clock = &center->clock,
        .random = any,
        .random_ctx = center,
        .flow_sets = {{center->older ? world_now->flows.older : world_now->flows.all, center}},
        .machine = {.patience = {[SAGA_QUICK] = {.first_ms = 50,
                                                 .max_ms = 500,
                                                 .attempts = 3,
                                                 .jitter_percent = 20,
                                                 .hold_ms = shape->hold_ms},
                                 [SAGA_STUBBORN] = {.first_ms = 100, .max_ms = 1500, .attempts = 6},
                                 [SAGA_LEISURELY] = {.first_ms = 300, .max_ms = 4000, .attempts = 5}}},
        .alarm = set_alarm,
        .alarm_ctx = center,
        .notice = on_notice,
        .notice_ctx = center,
        .resident_max = shape->resident_max,
        .resume_rate = shape->resume_rate,
        .scan_interval_ms = shape->scan_interval_ms,
        .horizon_ms = shape->horizon_ms,
        .resume_max = shape->resume_max,
        .other_gates = shape->limits,
        .pause_poll_ms = shape->pause_poll_ms,
        .lease_ms = shape->lease_ms,
        .slot_left = on_slot_left,
        .slot_left_ctx = center,
        .retention = shape->retention,
        .patrol = shape->patrol,
        .owns = sees_to,
        .owns_ctx = center,
    };
    if (saga_engine_new(&options, &center->engine, &error))
        return true;
    world_broken("flows", "the engine refuses what was drawn: %s", error.text);
}

struct center *center_start(unsigned name, bool older) {
    struct center *center = calloc(1, sizeof *center);
    if (!center)
        abort();
    center->name = name;
    center->life = ++world_now->lives[name];
    center->older = older;
    center->wall_offset_ms = world_now->wall_offset_ms;
    center->clock = (struct clock){center, now_of};
    center->dice = draw_stream(world_now->seed, "process", name * 100000u + center->life);
    center->alarm = (struct rpc_timer){.fire = on_alarm, .ctx = center};
    center->pump = (struct rpc_timer){.fire = on_pump, .ctx = center};
    center->poll = (struct rpc_timer){.fire = on_poll, .ctx = center};
    snprintf(center->label, sizeof center->label, "c%u.%u", name, center->life);
    struct center *before = center_enter(center);
    if (!open_store(center)) {
        world_now->running = before;
        free(center);
        return NULL;
    }
    open_engine(center);
    center->requests = requests_new(center->store, &center->clock);
    center->subjects.store = center->store;
    center->subjects.engine = center->engine;
    if (world_now->current[name])
        network_unknown(world_now->current[name]);
    center->next = world_now->centers;
    world_now->centers = center;
    world_now->current[name] = center;
    world_trace(center->label, "starts%s", older ? " as an older release" : "");
    saga_engine_recover(center->engine);
    center_leave(center, before);
    return center;
}

// ---- Ending -------------------------------------------------------------------------------------------------------

static void leave_memory(struct center *center) {
    struct center **at = &world_now->centers;
    stop_timer(&center->alarm);
    stop_timer(&center->patience);
    if (center_is_current(center))
        network_unknown(center);
    saga_engine_free(center->engine);
    requests_free(center->requests);
    subjects_drop(&center->subjects);
    network_forget(center);
    client_forget(center);
    stop_timer(&center->alarm);
    stop_timer(&center->pump);
    stop_timer(&center->poll);
    while (*at != center)
        at = &(*at)->next;
    *at = center->next;
    if (world_now->current[center->name] == center)
        world_now->current[center->name] = NULL;
    free(center);
}

void center_close(struct center *center) {
    struct center *before = center_enter(center);
    world_trace(center->label, "is stopped");
    center->subjects.ending = true;
    saga_engine_stop(center->engine);
    disk_settle(center->disk);
    store_close(center->store);
    center->store = NULL;
    center->disk = NULL;
    leave_memory(center);
    world_now->running = before;
}

void center_kill(struct center *center) {
    struct center *before = center_enter(center);
    center->dying = center->subjects.ending = true;
    world_trace(center->label, "is gone");
    world_now->tally.deaths++;
    saga_engine_stop(center->engine);
    disk_settle(center->disk);
    store_abandon(center->store);
    center->store = NULL;
    center->disk = NULL;
    leave_memory(center);
    world_now->running = before;
}

void center_die(struct center *center, const char *why) {
    if (!center->dying)
        world_trace(center->label, "dies %s", why);
    center->dying = true;
}

void center_pause(struct center *center, int64_t for_ms) {
    world_trace(center->label, "stands still for %lld ms", (long long)for_ms);
    center->paused_until_ms = world_now->time.now_ms + for_ms;
}

static void on_left(void *ctx, const struct error *error) {
    struct center *center = ctx;
    world_trace(center->label, "has given its slots away%s", error ? ", but for some" : "");
    center->closes = true;
}

static void on_patience(void *ctx) {
    ((struct center *)ctx)->closes = true;
}

void center_leave_slots(struct center *center, bool becomes_older) {
    center->becomes_older = becomes_older;
    if (center->leaving)
        return;
    center->leaving = true;
    world_trace(center->label, "gives its slots away");
    center->patience = (struct rpc_timer){.fire = on_patience, .ctx = center};
    set_timer(&center->patience, world_now->time.now_ms + PATIENCE_MS);
    struct center *before = center_enter(center);
    saga_engine_hand_over(center->engine, on_left, center);
    center_leave(center, before);
}

bool center_owns(const struct center *center, unsigned slot) {
    if (!center || !center->store || !center_is_current(center))
        return false;
    struct store_identity identity;
    if (!world_now->shape->lease_ms)
        return true;
    store_identity(center->store, &identity);
    return identity.incarnation == world_now->incarnations[center->name] && world_now->owners[slot] == center->name;
}

bool center_is_current(const struct center *center) {
    return center && world_now->current[center->name] == center;
}

bool center_dies_at(struct center *center, enum death where) {
    if (center->death != where || world_now->calm)
        return false;
    return center->death_countdown == 0 || --center->death_countdown == 0;
}
