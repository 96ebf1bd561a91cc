#include "rpc/waiting.h"

#include <assert.h>

static int64_t now_ms(const struct rpc_waiting *waiting) {
    return clock_now_ms(rpc_loop_clock(waiting->loop));
}

static void set_timer(struct rpc_waiting *waiting) {
    if (waiting->first)
        rpc_timer_set(waiting->loop, &waiting->timer, waiting->first->since_ms + waiting->wait_ms);
}

static void look(void *ctx) {
    struct rpc_waiting *waiting = ctx;
    struct rpc_wait *wait;
    while ((wait = rpc_waiting_take(waiting, waiting->wait_ms)))
        waiting->late(wait);
    set_timer(waiting);
}

void rpc_waiting_init(struct rpc_waiting *waiting, struct rpc_loop *loop, uint32_t wait_ms,
                      void (*late)(struct rpc_wait *wait)) {
    *waiting = (struct rpc_waiting){.loop = loop, .wait_ms = wait_ms, .late = late};
    waiting->timer = (struct rpc_timer){.fire = look, .ctx = waiting};
}

void rpc_waiting_release(struct rpc_waiting *waiting) {
    assert(!waiting->first);
    rpc_timer_stop(waiting->loop, &waiting->timer);
}

void rpc_waiting_add(struct rpc_waiting *waiting, struct rpc_wait *wait) {
    assert(!wait->waits);
    *wait = (struct rpc_wait){.before = waiting->last, .since_ms = now_ms(waiting), .waits = true};
    if (waiting->last)
        waiting->last->after = wait;
    else
        waiting->first = wait;
    waiting->last = wait;
    // A timer that is set stays as it is, though who it was set for may have gone: nearly every message is there at
    // once.
    if (!waiting->timer.node.place)
        set_timer(waiting);
}

void rpc_waiting_remove(struct rpc_waiting *waiting, struct rpc_wait *wait) {
    if (!wait->waits)
        return;
    wait->waits = false;
    *(wait->before ? &wait->before->after : &waiting->first) = wait->after;
    *(wait->after ? &wait->after->before : &waiting->last) = wait->before;
}

struct rpc_wait *rpc_waiting_take(struct rpc_waiting *waiting, int64_t least_ms) {
    struct rpc_wait *first = waiting->first;
    if (!first || now_ms(waiting) - first->since_ms < least_ms)
        return NULL;
    rpc_waiting_remove(waiting, first);
    return first;
}
