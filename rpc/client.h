// The client: a channel to one target, whose call is one function. The engine owns retries; gRPC's own are off.
#ifndef TXC_RPC_CLIENT_H
#define TXC_RPC_CLIENT_H

#include "rpc/loop.h"
#include "rpc/method.h"

// A channel is an interface, so that tests and the simulation can put their own transport behind adapters.
struct rpc_channel {
    const struct rpc_channel_ops *ops;
};

struct rpc_header {
    const char *name; // lower case; NULL ends the list
    struct str value;
};

struct rpc_result {
    // OK, or PARTICIPANT_REJECTED / _UNAVAILABLE / _SILENT / _BROKEN by the table below; text is the status message.
    struct error error;
    enum outcome outcome;
    int grpc_status;                 // as it came
    const char *reason;              // ErrorInfo.reason where the status carries one, else ""
    const ProtobufCMessage *message; // NULL unless OK; borrowed until the callback returns
    struct str bytes;                // the same, encoded
};

typedef void rpc_done_fn(void *ctx, const struct rpc_result *result);

struct rpc_call_options {
    uint32_t deadline_ms;             // > 0, always: no call without one
    const struct rpc_header *headers; // NULL, or ended by a NULL name
};

struct rpc_channel_ops {
    void (*call)(struct rpc_channel *channel, const struct rpc_method *method, const ProtobufCMessage *request,
                 const struct rpc_call_options *options, rpc_done_fn *done, void *ctx);
    void (*close)(struct rpc_channel *channel);
};

// Encodes the request at once (it may live on the stack), sends it, and runs `done` exactly once, later, on the loop:
// by the deadline at the latest, also when the channel is closed meanwhile.
//
// Status → outcome: OK → OK. ABORTED; FAILED_PRECONDITION with ErrorInfo.reason "REJECTED"; INVALID_ARGUMENT, NOT_FOUND,
// ALREADY_EXISTS, PERMISSION_DENIED, UNAUTHENTICATED, OUT_OF_RANGE, UNIMPLEMENTED, FAILED_PRECONDITION → REJECTED only
// when the participant says so with ErrorInfo.reason "REJECTED" or the status is ABORTED; without it these are
// misconfiguration: RETRY, because nothing was done and an operator can mend it. UNAVAILABLE and RESOURCE_EXHAUSTED →
// RETRY when the request was never sent, else UNKNOWN. All else (DEADLINE_EXCEEDED, CANCELLED, INTERNAL, UNKNOWN,
// DATA_LOSS), and an answer that can't be decoded → UNKNOWN.
static inline void rpc_call(struct rpc_channel *channel, const struct rpc_method *method,
                            const ProtobufCMessage *request, const struct rpc_call_options *options,
                            rpc_done_fn *done, void *ctx) {
    channel->ops->call(channel, method, request, options, done, ctx);
}

struct rpc_channel_options {
    const char *ca;               // PEM file: TLS; NULL: plaintext
    const char *certificate, *key; // PEM files: mutual TLS
    const char *server_name;      // expected in the certificate; NULL: the target's host
    uint32_t message_max;         // bytes received (default 1 MiB)
    uint32_t in_flight_max;       // default 2048; above it `done` gets OVERLOADED/RETRY
};

// Never blocks: connecting happens in the background. `target` as in gRPC: "dns:///host:port", "127.0.0.1:7700",
// "unix:…", "xds:///…".
struct rpc_channel *rpc_channel_open(struct rpc_loop *loop, const char *target,
                                     const struct rpc_channel_options *options, struct error *error);

// Calls in flight end with UNKNOWN (their callbacks run before this returns).
static inline void rpc_channel_close(struct rpc_channel *channel) {
    if (channel)
        channel->ops->close(channel);
}

// ---- For command line clients -------------------------------------------------------------------------------------

// Calls and runs the loop until the answer is there. The message lives in `arena`.
bool rpc_call_wait(struct rpc_loop *loop, struct rpc_channel *channel, const struct rpc_method *method,
                   const ProtobufCMessage *request, const struct rpc_call_options *options, struct arena *arena,
                   const ProtobufCMessage **ret_message, struct error *error);

// A server stream: `each` runs for every message (false: cancel), `done` at the end with the status.
typedef bool rpc_each_fn(void *ctx, const ProtobufCMessage *message);
void rpc_stream(struct rpc_channel *channel, const struct rpc_method *method, const ProtobufCMessage *request,
                const struct rpc_call_options *options, rpc_each_fn *each, rpc_done_fn *done, void *ctx);

#endif
