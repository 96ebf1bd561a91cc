// Inside rpc/ only: the server's side of calls that come over gRPC.
#ifndef TXC_RPC_SERVED_H
#define TXC_RPC_SERVED_H

#include "base/map.h"
#include "base/pool.h"
#include "rpc/buffer.h"
#include "rpc/inbound.h"
#include "rpc/tag.h"
#include "rpc/waiting.h"

struct rpc_flow;

// A row that is served, with what gRPC knows it by.
struct rpc_served_route {
    const struct rpc_route *route; // NULL: whatever no row names
    void *service;
    const ProtobufCMessageDescriptor *request_type, *response_type;
    void *registered;
    bool own;                   // health and reflection: outside the limits and the observer, with a limit of their own
    uint32_t most;              // of an own row's calls at once
    uint32_t calls;             // of the row, being served
    struct rpc_waiting waiting; // of an own row's calls
};

// A caller with calls that are being served.
struct rpc_served_caller {
    struct map_node node; // by name
    uint32_t calls;
    char name[RPC_NAME_MAX];
};

// A server without rest, and what it answers to whom it refuses: made once for many, for it has little time for each.
struct rpc_busy {
    uint32_t most;     // calls in flight, for one of RPC_TIER_NORMAL to be let in; 0: as many as ever
    uint32_t waiting;  // of them, which only wait; at most those in flight
    uint32_t fewest;   // in flight with rest, since fewest_ns; UINT32_MAX: there was none
    int64_t fewest_ns; // on the monotonic clock, as all here
    uint64_t done;     // calls that were answered since the last look, but for those that were refused for want of room
    int64_t looked_ns; // when that was
    int64_t until_ns;  // nobody refused need come again before
    uint32_t told;     // that were refused
    struct error error;
    struct arena arena;
    struct rpc_answer answer;
};

struct rpc_server {
    struct rpc_loop *loop;
    struct rpc_busy busy;
    struct rpc_server_options options;
    grpc_server *core; // NULL before the start
    int *ports;
    struct rpc_served_route *routes;
    size_t n_routes;
    struct rpc_served_route unknown;
    struct pool pool;           // of struct rpc_served
    uint32_t posted;            // accepts
    uint32_t calls;             // that are not freed yet
    uint32_t in_flight;         // those of them that were let in, but for the own rows'
    uint32_t refused;           // those of them that were refused
    uint64_t refused_ever;      // and those that are gone
    size_t bytes;               // of requests in flight
    struct map callers;         // no more than there are calls in flight
    struct rpc_waiting waiting; // calls of rows that are not own ones

    struct rpc_health *health;
    struct rpc_reflection *reflection;

    bool draining, closing, closed;
    struct rpc_tag shut;
    struct rpc_timer grace;
    void (*drained)(void *ctx);
    void *drained_ctx;
};

// One accept, and then the call that it took.
struct rpc_served {
    struct rpc_inbound in;
    struct rpc_server *server;
    struct rpc_served_route *route;
    grpc_call *call;
    grpc_call_details details; // of the unknown route
    grpc_metadata_array headers;
    gpr_timespec deadline;
    grpc_byte_buffer *payload;
    grpc_slice request;
    size_t request_size; // counted in server->bytes
    int64_t started_ns;

    struct rpc_tag accepted, read, sent, closed;
    struct rpc_wait wait;             // for the message
    uint32_t pending;                 // batches that still come back
    bool counted;                     // it was let in
    struct rpc_served_caller *caller; // that it counts for, too; NULL: none
    bool refused;                     // it was answered without its handler
    bool over;                        // the last batch has come back
    bool watching;                    // the close is waited for in a batch of its own
    bool greeted;                     // the initial metadata has been sent
    int cancelled;
    grpc_byte_buffer *response;
    grpc_slice text;
    grpc_metadata detail; // the status details, when there are any

    struct rpc_flow *flow; // of streaming methods
};

// Posts one accept for the route.
void rpc_served_accept(struct rpc_server *server, struct rpc_served_route *route);

// For a call that waits for its message: it has not come in time.
void rpc_served_late(struct rpc_wait *wait);

// Starts a batch on the call, which comes back to `tag`. The call lives until then.
void rpc_served_start(struct rpc_served *served, const grpc_op *ops, size_t n, struct rpc_tag *tag);

// To be called first by each tag: counts the batch back in. False: that was the last, the call is gone.
bool rpc_served_finish(struct rpc_served *served);

// Whether a message that came fits into what one may have, and all may have together: counts it.
bool rpc_served_count(struct rpc_served *served, grpc_slice message, struct error *error);

// Sends status (and answer), the last batch of the call.
void rpc_served_end(struct rpc_served *served, const struct rpc_answer *answer);

// What has to happen when a call is over: see server.c.
void rpc_server_call_over(struct rpc_server *server);

// Adds rows of the server's own, of which at most `most` calls each are served at once.
void rpc_server_add_own(struct rpc_server *server, const struct rpc_route *routes, size_t n, void *service,
                        uint32_t most);

#endif
