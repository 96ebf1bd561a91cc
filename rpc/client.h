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
    const char *domain;              // and its domain
    const ProtobufCMessage *message; // NULL unless OK; borrowed until the callback returns
    struct str bytes;                // the same, encoded
    struct str text, details;        // what came with the status: its message, and grpc-status-details-bin as it was
};

typedef void rpc_done_fn(void *ctx, const struct rpc_result *result);

// The server's own code, where it is one of ours (QUOTE_EXPIRED, …), else that of `error`.
enum err rpc_result_code(const struct rpc_result *result);

// Lives in whoever made the call, until `done` has run; zero before.
struct rpc_outgoing;
struct rpc_handle {
    struct rpc_outgoing *call; // the client's
};

struct rpc_call_options {
    uint32_t deadline_ms;             // > 0, always: no call without one
    const struct rpc_header *headers; // NULL, or ended by a NULL name
    struct rpc_handle *handle;        // NULL, or what it can be cancelled by
};

typedef bool rpc_each_fn(void *ctx, const ProtobufCMessage *message);

struct rpc_channel_ops {
    void (*call)(struct rpc_channel *channel, const struct rpc_method *method, const ProtobufCMessage *request,
                 const struct rpc_call_options *options, rpc_done_fn *done, void *ctx);
    void (*close)(struct rpc_channel *channel);
    // May be NULL in a transport that doesn't have it.
    void (*call_bytes)(struct rpc_channel *channel, const char *path, struct str request,
                       const struct rpc_call_options *options, rpc_done_fn *done, void *ctx);
    void (*stream)(struct rpc_channel *channel, const struct rpc_method *method, const ProtobufCMessage *request,
                   const struct rpc_call_options *options, rpc_each_fn *each, rpc_done_fn *done, void *ctx);
};

// Encodes the request at once (it may live on the stack), sends it, and runs `done` exactly once, later, on the loop:
// by the deadline at the latest, also when the channel is closed meanwhile.
//
// What an answer means, by the first that fits (outcome/error code):
//   - OK whose answer can be decoded: OK/OK.
//   - UNAVAILABLE when certainly no connection was there to send the request on: RETRY/UNAVAILABLE.
//   - Any but OK with ErrorInfo.reason "RETRY": RETRY/UNAVAILABLE.
//   - UNAVAILABLE or RESOURCE_EXHAUSTED with ErrorInfo.domain "txcenter" and a reason that our own servers give before
//     they do anything (OVERLOADED, SHUTTING_DOWN, …): RETRY/UNAVAILABLE.
//   - ABORTED: REJECTED/REJECTED.
//   - FAILED_PRECONDITION, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, OUT_OF_RANGE, PERMISSION_DENIED,
//     UNAUTHENTICATED, UNIMPLEMENTED with ErrorInfo.reason "REJECTED": REJECTED/REJECTED. Without it this is
//     misconfiguration: nothing was done, and an operator can mend it: RETRY/UNAVAILABLE.
//   - OK that can't be decoded, INTERNAL, UNKNOWN, DATA_LOSS, others: UNKNOWN/BROKEN.
//   - DEADLINE_EXCEEDED, CANCELLED, UNAVAILABLE, RESOURCE_EXHAUSTED: UNKNOWN/SILENT.
//
// A connection that breaks while the request is on its way is UNKNOWN: this version of gRPC does not say how far it
// got.
static inline void rpc_call(struct rpc_channel *channel, const struct rpc_method *method,
                            const ProtobufCMessage *request, const struct rpc_call_options *options, rpc_done_fn *done,
                            void *ctx) {
    channel->ops->call(channel, method, request, options, done, ctx);
}

// The same for a method that is known by its path only ("/pkg.Service/Method"), with bytes in and out: `message` of the
// result is NULL, `bytes` the answer as it came. The path and the request are copied.
static inline void rpc_call_bytes(struct rpc_channel *channel, const char *path, struct str request,
                                  const struct rpc_call_options *options, rpc_done_fn *done, void *ctx) {
    channel->ops->call_bytes(channel, path, request, options, done, ctx);
}

// The call ends soon, with UNKNOWN unless its answer is there already: `done` runs later. Does nothing once it has
// ended.
void rpc_cancel(struct rpc_handle *handle);

struct rpc_channel_options {
    const char *ca;                // PEM file: TLS; NULL: plaintext
    const char *certificate, *key; // PEM files: mutual TLS. All three are watched, as struct rpc_tls
    const char *server_name;       // expected in the certificate; NULL: the target's host
    uint32_t message_max;          // bytes received (default 1 MiB)
    uint32_t in_flight_max;        // default 2048; above it `done` gets OVERLOADED/RETRY
};

// Never blocks: connecting happens in the background. `options` NULL: all defaults; nothing of it is kept. `target` as
// in gRPC: "dns:///host:port", "127.0.0.1:7700", "unix:…", "xds:///…".
struct rpc_channel *rpc_channel_open(struct rpc_loop *loop, const char *target,
                                     const struct rpc_channel_options *options, struct error *error);

// Calls in flight end with UNKNOWN: their callbacks run before this returns. A call that one of them makes ends as
// RETRY, later. May be called from a callback of the channel.
static inline void rpc_channel_close(struct rpc_channel *channel) {
    if (channel)
        channel->ops->close(channel);
}

// ---- For command line clients -------------------------------------------------------------------------------------

// Calls and runs the loop until the answer is there. The message lives in `arena`. On failure the error has the
// server's own code where it is one of ours (QUOTE_EXPIRED, …), with its field violations, else that of rpc_call().
bool rpc_call_wait(struct rpc_loop *loop, struct rpc_channel *channel, const struct rpc_method *method,
                   const ProtobufCMessage *request, const struct rpc_call_options *options, struct arena *arena,
                   const ProtobufCMessage **ret_message, struct error *error);

// A server stream: `each` runs for every message (borrowed until it returns; false: cancel), `done` once at the end.
// The next message is read when `each` has returned.
static inline void rpc_stream(struct rpc_channel *channel, const struct rpc_method *method,
                              const ProtobufCMessage *request, const struct rpc_call_options *options,
                              rpc_each_fn *each, rpc_done_fn *done, void *ctx) {
    channel->ops->stream(channel, method, request, options, each, done, ctx);
}

#endif
