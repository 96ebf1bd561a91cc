// The transport of tests and the simulation: a channel that dispatches unary calls straight to rows of a routing table
// in this process, with encoding and decoding as on the wire, but without gRPC, sockets or threads. What an answer
// means is decided by the same code. Streams are not carried.
#ifndef TXC_RPC_INPROC_H
#define TXC_RPC_INPROC_H

#include "rpc/client.h"
#include "rpc/server.h"

struct rpc_inproc; // a set of routes with a scheduler

// The scheduler runs `fn(arg)` once, `delay_ms` later on its clock, never before `later` has returned.
struct rpc_scheduler {
    void *ctx;
    const struct clock *clock;
    void (*later)(void *ctx, int64_t delay_ms, void (*fn)(void *arg), void *arg);
};

struct rpc_inproc *rpc_inproc_new(const struct rpc_scheduler *scheduler);
void rpc_inproc_add(struct rpc_inproc *net, const struct rpc_route *routes, size_t n, void *service);

// As rpc_server_options.authorize: asked for every call when it arrives. Without it callers are as their channel says.
void rpc_inproc_authorize(struct rpc_inproc *net,
                          bool (*authorize)(void *ctx, struct str identity, struct rpc_inbound *in,
                                            struct rpc_caller *caller, struct error *error),
                          void *ctx);

// The host behind the net dies: every call that is under way ends with UNKNOWN (the callbacks run before this returns),
// requests that have not arrived never do, and answers that handlers still give go nowhere.
void rpc_inproc_cut(struct rpc_inproc *net);

// Every channel must be closed before. The scheduler must not run anything of the net's after this.
void rpc_inproc_free(struct rpc_inproc *net);

// What happens to one call; decided by the test for each call before it is sent. Zeroed: it arrives, and is answered at
// once. A request that arrives after its caller's deadline still takes effect, as it may on a network.
struct rpc_inproc_fate {
    bool drop_request; // never arrives: UNAVAILABLE if `refuse`, else DEADLINE_EXCEEDED at the deadline
    bool refuse;
    bool drop_response; // takes effect, the answer is lost: DEADLINE_EXCEEDED at the deadline
    int64_t request_delay_ms, response_delay_ms;
};
// `method` is NULL for rpc_call_bytes().
typedef void rpc_fate_fn(void *ctx, const struct rpc_method *method, struct rpc_inproc_fate *fate);

// `caller` is the name that handlers see, with every scope. `fate` NULL: every call arrives and is answered at once.
struct rpc_channel *rpc_inproc_channel(struct rpc_inproc *net, const char *caller, rpc_fate_fn *fate, void *ctx);

#endif
