// Inside rpc/ only: calls that were let in and whose message is still to come, in the order of their coming. All wait
// equally long, so one timer is enough.
#ifndef TXC_RPC_WAITING_H
#define TXC_RPC_WAITING_H

#include "rpc/loop.h"

// Lives in what waits.
struct rpc_wait {
    struct rpc_wait *before, *after;
    int64_t since_ms;
    bool waits;
};

struct rpc_waiting {
    struct rpc_loop *loop;
    uint32_t wait_ms;
    void (*late)(struct rpc_wait *wait); // has waited for wait_ms, and waits no longer
    struct rpc_wait *first, *last;
    struct rpc_timer timer;
};

void rpc_waiting_init(struct rpc_waiting *waiting, struct rpc_loop *loop, uint32_t wait_ms,
                      void (*late)(struct rpc_wait *wait));

// Nothing may be waiting any more.
void rpc_waiting_release(struct rpc_waiting *waiting);

void rpc_waiting_add(struct rpc_waiting *waiting, struct rpc_wait *wait);

// Does nothing when it doesn't wait.
void rpc_waiting_remove(struct rpc_waiting *waiting, struct rpc_wait *wait);

// Removes and returns the one that has waited longest, when that is `least_ms` at least; else NULL.
struct rpc_wait *rpc_waiting_take(struct rpc_waiting *waiting, int64_t least_ms);

#endif
