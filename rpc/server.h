// The server: methods are rows of tables. A handler gets a decoded request and answers once, now or later.
#ifndef TXC_RPC_SERVER_H
#define TXC_RPC_SERVER_H

#include "rpc/client.h"

struct rpc_server;
struct rpc_inbound; // one call being served

// Who may call what. A row names one scope; a caller has a set.
enum rpc_scope {
    RPC_PUBLIC = 0, // anybody who can connect: health, reflection
    RPC_TRADE_READ = 1 << 0,
    RPC_TRADE = 1 << 1,
    RPC_SAGA = 1 << 2,
    RPC_OPERATE = 1 << 3,
    RPC_CALLBACK = 1 << 4,
    RPC_SIM = 1 << 5,            // the participants' own methods, served by txsim
    RPC_TRADE_BACKDATE = 1 << 6, // of no method: to say oneself when something was bought
};

// What is refused first when the server, or what one caller may have of it, is full: higher tiers go before lower ones,
// as to calls and as to bytes.
enum rpc_tier { RPC_TIER_LOW, RPC_TIER_NORMAL, RPC_TIER_HIGH };

enum { RPC_NAME_MAX = 128 };
struct rpc_caller {
    char name[RPC_NAME_MAX]; // mTLS identity (SPIFFE id, else CN), or in development the metadata `x-caller`
    uint32_t scopes;         // set of enum rpc_scope
    bool authenticated;      // by certificate
    uint32_t in_flight_max;  // calls of this caller served at once; 0: as the server's options say
    const void *tenants;     // the authorizer's; opaque here
};

// Runs on the loop. `request` lives until the call is answered; the answer may be given now or later, once. Where the
// client streams too, it runs for each message, which lives until the handler returns; the next one is read when what
// the handler has sent is written. With `request` NULL the client has sent its last, and the call must be ended.
typedef void rpc_handler_fn(void *service, struct rpc_inbound *in, const ProtobufCMessage *request);

struct rpc_route {
    struct rpc_method method;
    rpc_handler_fn *handle;
    enum rpc_scope scope;
    enum rpc_tier tier;
};

// ---- Serving ----------------------------------------------------------------------------------------------------

// PEM files; all NULL: plaintext. They are watched: what replaces them serves the connections from then on.
struct rpc_tls {
    const char *certificate, *key;
    const char *client_ca; // set: clients must present a certificate that it signed
};

// What it points to is borrowed until rpc_server_start() has returned, but for the descriptor set: for the server's
// life.
struct rpc_server_options {
    const char *const *listen; // "127.0.0.1:7600", "[::1]:0", "unix:/run/…"; NULL-terminated
    size_t n_shared;           // the first of them are ports that other processes of ours listen on, too
    struct rpc_tls tls;
    uint32_t message_max;   // bytes of one received message (default 1 MiB)
    uint32_t in_flight_max; // calls being served at once (default 4096); above it RESOURCE_EXHAUSTED at once
    // Once the loop has had no moment of rest for so long, and what is in line would take half of that, only as many as
    // keep it busy, at least 8 in a hundred of in_flight_max, but for RPC_TIER_HIGH: more would only wait for each
    // other, and what can't be done in time is refused by its headers, before it costs more than that. 0: never.
    uint32_t busy_max_ms;
    uint32_t caller_in_flight_max; // of them, of one caller; 0: as many as all
    size_t bytes_in_flight_max;    // of their requests together (default 64 MiB); above it RESOURCE_EXHAUSTED at once
    uint32_t accepts;              // pre-posted accepts over all methods (default 128, at most 256)
    uint32_t drain_ms;             // grace for calls in flight at shutdown (default 5000)
    uint32_t peer_wait_ms;         // for a connection's handshake and for a call's message (default 10000)
    // Fills name and scopes of a caller from its certificate identity (empty when there is none) and metadata.
    // false with an error: the call is refused with it. Not asked for RPC_PUBLIC methods. NULL: everyone is "anonymous"
    // (or what the certificate says) with every scope.
    bool (*authorize)(void *ctx, struct str identity, struct rpc_inbound *in, struct rpc_caller *caller,
                      struct error *error);
    void *authorize_ctx;
    // A FileDescriptorSet (serialized google.protobuf.FileDescriptorSet) for reflection; empty: no reflection.
    struct str descriptor_set;
    bool asks_gone; // handlers of unary calls ask rpc_inbound_gone(): one more round of the queue for each call
    // Called once for each call of a row when it is answered, also when it was refused before its handler: for logs and
    // metrics. NULL is fine.
    void (*observe)(void *ctx, const struct rpc_method *method, struct rpc_inbound *in, int grpc_status,
                    int64_t duration_us);
    void *observe_ctx;
};

struct rpc_server *rpc_server_new(struct rpc_loop *loop, const struct rpc_server_options *options);

// Adds rows before the start, at most 200 in all. `routes` and `service` are borrowed for the server's life.
void rpc_server_add(struct rpc_server *server, const struct rpc_route *routes, size_t n, void *service);

// Listens. Calls that no row names are answered METHOD_UNKNOWN. On failure the server can only be freed.
bool rpc_server_start(struct rpc_server *server, struct error *error);

// The port of the i-th listen address (for ":0"), 0 for a unix socket.
int rpc_server_port(const struct rpc_server *server, size_t i);

// What grpc.health.v1, which every server has, says of the server (its name is "") and of each service of its rows, at
// most 63. SERVING at first; while it drains NOT_SERVING in any case.
void rpc_server_set_health(struct rpc_server *server, bool serving);

// Health NOT_SERVING, refuses new calls with SHUTTING_DOWN, lets those in flight finish for drain_ms, then closes the
// connections and cancels the rest; `drained` runs on the loop when nothing is left. A handler that still owes an
// answer to a cancelled call must give it. rpc_server_free() only after that, or instead of a start.
void rpc_server_drain(struct rpc_server *server, void (*drained)(void *ctx), void *ctx);
void rpc_server_free(struct rpc_server *server);

// Calls being served now.
uint32_t rpc_server_in_flight(const struct rpc_server *server);

struct rpc_server_stats {
    uint64_t in_flight, refused; // now; of all that came, because there was no room or no rest
    uint64_t busy_most;          // with how many in flight more are refused, as the loop has no rest; 0: it has
};

void rpc_server_stats(const struct rpc_server *server, struct rpc_server_stats *ret);

// ---- One call ---------------------------------------------------------------------------------------------------

const struct rpc_caller *rpc_inbound_caller(const struct rpc_inbound *in);

// Lives as long as the call: until rpc_reply, rpc_fail or rpc_stream_end has returned.
struct arena *rpc_inbound_arena(struct rpc_inbound *in);

// The caller's deadline on the loop's clock; INT64_MAX when it set none.
int64_t rpc_inbound_deadline_ms(const struct rpc_inbound *in);

// A metadata value, or the empty slice. Borrowed for the life of the call.
struct str rpc_inbound_header(const struct rpc_inbound *in, const char *name);

// The request as it came. Borrowed for the life of the call.
struct str rpc_inbound_bytes(const struct rpc_inbound *in);

// True once the caller has cancelled (of a unary call only with options.asks_gone) or its deadline has passed.
// Answering is still required (and costs nothing).
bool rpc_inbound_gone(const struct rpc_inbound *in);

// Answers, exactly once, and ends the call; `in` is invalid afterwards.
void rpc_reply(struct rpc_inbound *in, const ProtobufCMessage *response);

// The same with bytes that were encoded before (a stored answer).
void rpc_reply_bytes(struct rpc_inbound *in, struct str response);

// Ends the call (unary or stream) with a status made from the error: google.rpc.Status with ErrorInfo (reason, domain
// "txcenter", metadata), BadRequest for its fields and RetryInfo for its delay, in grpc-status-details-bin.
// `metadata` is NULL-terminated name, value, name, value, … (trade_no, request_id where known), or NULL.
void rpc_fail(struct rpc_inbound *in, const struct error *error, const char *const *metadata);

// Ends the call (unary or stream) with what another server answered to it: for what is passed on.
void rpc_pass(struct rpc_inbound *in, const struct rpc_result *result);

// The call's method.
const struct rpc_method *rpc_inbound_method(const struct rpc_inbound *in);

// Server streaming: any number of messages, then rpc_stream_end() or rpc_fail(). Messages are queued (at most
// `RPC_STREAM_QUEUE`, and 1 MiB of more than one); false when the caller is gone or too slow: end the call then. What
// is queued at the end still goes out, unless the caller doesn't read it for some seconds.
enum { RPC_STREAM_QUEUE = 64 };
bool rpc_stream_send(struct rpc_inbound *in, const ProtobufCMessage *message);
void rpc_stream_end(struct rpc_inbound *in);

// Runs once when the caller leaves a stream before its end; the handler must then end the call.
void rpc_stream_on_gone(struct rpc_inbound *in, void (*gone)(void *ctx), void *ctx);

#endif
