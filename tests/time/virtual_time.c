#include "tests/time/virtual_time.h"

#include "base/map.h"

#include <assert.h>
#include <stdlib.h>

enum { ORDERS = 1000000 }; // events of one millisecond that keep their order

static int64_t now(void *ctx) {
    return ((struct virtual_time *)ctx)->now_ms;
}

static int64_t key_of(struct virtual_time *time, int64_t due_ms) {
    int64_t last_ms = INT64_MAX / ORDERS - 1;
    if (due_ms < time->now_ms)
        due_ms = time->now_ms;
    return (due_ms < last_ms ? due_ms : last_ms) * ORDERS + time->order++ % ORDERS;
}

static void set(void *ctx, struct rpc_timer *timer, int64_t due_ms) {
    struct virtual_time *time = ctx;
    heap_set(&time->heap, &timer->node, key_of(time, due_ms));
}

static void stop(void *ctx, struct rpc_timer *timer) {
    heap_remove(&((struct virtual_time *)ctx)->heap, &timer->node);
}

// A scheduled event is a timer that frees itself.
struct event {
    struct rpc_timer timer;
    void (*fn)(void *arg);
    void *arg;
};

static void run_event(void *ctx) {
    struct event *event = ctx;
    event->fn(event->arg);
    free(event);
}

static void later(void *ctx, int64_t delay_ms, void (*fn)(void *arg), void *arg) {
    struct virtual_time *time = ctx;
    struct event *event = malloc(sizeof *event);
    assert(event);
    *event = (struct event){.timer = {.fire = run_event, .ctx = event}, .fn = fn, .arg = arg};
    set(time, &event->timer, time->now_ms + delay_ms);
}

void virtual_time_init(struct virtual_time *time, int64_t now_ms) {
    *time = (struct virtual_time){.now_ms = now_ms};
    time->clock = (struct clock){time, now};
    time->timers = (struct rpc_timers){time, &time->clock, set, stop};
    time->scheduler = (struct rpc_scheduler){time, &time->clock, later};
}

void virtual_time_release(struct virtual_time *time) {
    struct heap_node *node;
    while ((node = heap_least(&time->heap))) {
        heap_remove(&time->heap, node);
        struct rpc_timer *timer = CONTAINER_OF(node, struct rpc_timer, node);
        if (timer->fire == run_event)
            free(timer->ctx);
    }
    heap_release(&time->heap);
}

void virtual_time_add_pump(struct virtual_time *time, bool (*pump)(void *ctx), void *ctx) {
    assert(time->n_pumps < VIRTUAL_PUMPS_MAX);
    time->pumps[time->n_pumps].pump = pump;
    time->pumps[time->n_pumps++].ctx = ctx;
}

static bool pump_all(struct virtual_time *time) {
    bool worked = false;
    for (unsigned i = 0; i < time->n_pumps; i++)
        worked |= time->pumps[i].pump(time->pumps[i].ctx);
    return worked;
}

// What is due by then, at most one thing.
static bool run_next(struct virtual_time *time, int64_t until_ms) {
    struct heap_node *node = heap_least(&time->heap);
    if (!node || node->key / ORDERS > until_ms)
        return false;
    int64_t due_ms = node->key / ORDERS;
    if (due_ms > time->now_ms)
        time->now_ms = due_ms;
    struct rpc_timer *timer = CONTAINER_OF(node, struct rpc_timer, node);
    heap_remove(&time->heap, node);
    timer->fire(timer->ctx);
    return true;
}

bool virtual_time_step(struct virtual_time *time) {
    return pump_all(time) || run_next(time, INT64_MAX);
}

void virtual_time_run_until(struct virtual_time *time, int64_t until_ms) {
    while (pump_all(time) || run_next(time, until_ms))
        continue;
    if (time->now_ms < until_ms)
        time->now_ms = until_ms;
}
