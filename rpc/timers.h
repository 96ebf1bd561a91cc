// Timers as a table, so that what needs them runs on a loop and under virtual time alike. The owner of virtual time
// keeps a heap of the same struct rpc_timer.
#ifndef TXC_RPC_TIMERS_H
#define TXC_RPC_TIMERS_H

#include "rpc/loop.h"

struct rpc_timers {
    void *ctx;
    const struct clock *clock;
    // As rpc_timer_set() and rpc_timer_stop(): fires once, later, not before its time; setting again moves it.
    void (*set)(void *ctx, struct rpc_timer *timer, int64_t due_ms);
    void (*stop)(void *ctx, struct rpc_timer *timer);
};

// Those of a loop.
struct rpc_timers rpc_loop_timers(struct rpc_loop *loop);

#endif
