// Inside rpc/ only: what waits on the loop's completion queue.
#ifndef TXC_RPC_TAG_H
#define TXC_RPC_TAG_H

#include "rpc/loop.h"

#include <grpc/grpc.h>

// Lives in what started the operation. `done` runs once, on the loop, when the operation is over.
struct rpc_tag {
    void (*done)(struct rpc_tag *tag, bool ok);
    // It goes back to what came from the network: there are no more of these than came, so the network can wait for
    // them. Looking there first would let more calls pile up in gRPC than are taken from it.
    bool arrival;
};

grpc_completion_queue *rpc_loop_queue(struct rpc_loop *loop);

// The loop's clock against gRPC's: `ms` from now; and a call's deadline on the loop's clock, INT64_MAX for none.
gpr_timespec rpc_deadline_after(int64_t ms);
int64_t rpc_deadline_ms(const struct rpc_loop *loop, gpr_timespec deadline);

// Cleared memory; aborts when there is none.
void *rpc_alloc(size_t size);

#endif
