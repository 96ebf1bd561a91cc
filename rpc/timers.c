#include "rpc/timers.h"

static void set(void *ctx, struct rpc_timer *timer, int64_t due_ms) {
    rpc_timer_set(ctx, timer, due_ms);
}

static void stop(void *ctx, struct rpc_timer *timer) {
    rpc_timer_stop(ctx, timer);
}

struct rpc_timers rpc_loop_timers(struct rpc_loop *loop) {
    return (struct rpc_timers){loop, rpc_loop_clock(loop), set, stop};
}
