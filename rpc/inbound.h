// Inside rpc/ only: what a handler sees of one call, over whatever transport it came.
#ifndef TXC_RPC_INBOUND_H
#define TXC_RPC_INBOUND_H

#include "rpc/server.h"

// How a call ends. With status OK a unary call answers `message`, or `bytes` when that is NULL.
struct rpc_answer {
    int status;
    struct str text, details; // of a failure; borrowed during the call
    const ProtobufCMessage *message;
    struct str bytes;
};

// What a transport does for its calls.
struct rpc_inbound_ops {
    struct str (*header)(const struct rpc_inbound *in, const char *name);
    // Ends the call. The transport frees it at any time from now on, but after the present turn of the loop.
    void (*answer)(struct rpc_inbound *in, const struct rpc_answer *answer);
    // For streams; NULL in a transport that has none.
    bool (*send)(struct rpc_inbound *in, const ProtobufCMessage *message);
    void (*on_gone)(struct rpc_inbound *in, void (*gone)(void *ctx), void *ctx);
};

// The first member of a transport's own call.
struct rpc_inbound {
    const struct rpc_inbound_ops *ops;
    const struct rpc_route *route;
    void *service;
    const ProtobufCMessageDescriptor *request_type, *response_type;
    const struct clock *clock;
    struct arena arena;
    struct str bytes; // of the request
    struct rpc_caller caller;
    int64_t deadline_ms;
    bool gone;     // the caller has left
    bool answered; // the handler has ended it
};

// Whether the caller's scopes allow the call.
bool rpc_inbound_permitted(const struct rpc_inbound *in, struct error *error);

// Decodes the request in `bytes`, unless the handler does, and runs the handler. False with the reason when it was not
// run.
bool rpc_inbound_dispatch(struct rpc_inbound *in, struct error *error);

// How a call ends that fails like this; `metadata` as in rpc_fail(). It borrows from the error and the arena.
struct rpc_answer rpc_failure(const struct error *error, const char *const *metadata, struct arena *arena);
void rpc_inbound_end(struct rpc_inbound *in, const struct rpc_answer *how);

// As rpc_fail(), for what standard protocols want: a bare gRPC status.
void rpc_inbound_fail(struct rpc_inbound *in, int status, const char *text);

#endif
