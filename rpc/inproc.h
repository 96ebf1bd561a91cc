// The transport of tests and the simulation: a channel that dispatches unary calls straight to rows of a routing table
// in this process, with encoding and decoding as on the wire, but without gRPC, sockets or threads.
#ifndef TXC_RPC_INPROC_H
#define TXC_RPC_INPROC_H

#include "rpc/client.h"
#include "rpc/server.h"

struct rpc_inproc; // a set of routes with a scheduler

// The scheduler runs `fn(ctx)` after `delay_ms` of its own (virtual) time, never before `later` returns.
struct rpc_scheduler {
    void *ctx;
    const struct clock *clock;
    void (*later)(void *ctx, int64_t delay_ms, void (*fn)(void *arg), void *arg);
};

struct rpc_inproc *rpc_inproc_new(const struct rpc_scheduler *scheduler);
void rpc_inproc_add(struct rpc_inproc *net, const struct rpc_route *routes, size_t n, void *service);
void rpc_inproc_free(struct rpc_inproc *net);

// What happens to one call; made by the test for each call before it is sent.
struct rpc_inproc_fate {
    bool drop_request;    // never arrives: UNAVAILABLE if `refuse`, else DEADLINE_EXCEEDED at the deadline
    bool refuse;
    bool drop_response;   // takes effect, the answer is lost: DEADLINE_EXCEEDED at the deadline
    int64_t request_delay_ms, response_delay_ms;
};
typedef void rpc_fate_fn(void *ctx, const struct rpc_method *method, struct rpc_inproc_fate *fate);

// `fate` NULL: every call arrives and is answered at once.
struct rpc_channel *rpc_inproc_channel(struct rpc_inproc *net, const char *caller, rpc_fate_fn *fate, void *ctx);

#endif
