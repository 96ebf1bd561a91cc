// What the tests of rpc/ share: a server of EchoService and a client of it, both on one loop.
#ifndef TXC_TESTS_RPC_ECHO_H
#define TXC_TESTS_RPC_ECHO_H

#include "rpc/client.h"
#include "rpc/server.h"

#include "echo.pb-c.h"

// Long enough for a busy machine under a sanitizer; nothing waits for it when all is well.
enum { ECHO_PATIENCE_MS = 60000, ECHO_HELD_MAX = 64 };

typedef Txcenter__Test__V1__EchoRequest EchoRequest;
typedef Txcenter__Test__V1__EchoResponse EchoResponse;
#define ECHO_REQUEST TXCENTER__TEST__V1__ECHO_REQUEST__INIT
#define ECHO_RESPONSE TXCENTER__TEST__V1__ECHO_RESPONSE__INIT

extern const struct rpc_method echo_method, echo_list, echo_quote, echo_operate, echo_watch, echo_nowhere;
extern const struct rpc_route echo_routes[];
extern const size_t echo_n_routes;

// The service: what it was asked, and the calls that it keeps.
struct echo_service {
    size_t calls;
    struct rpc_inbound *held[ECHO_HELD_MAX];
    size_t n_held;
    struct error error; // what WHAT_FAIL answers, but for its code
    size_t gone;        // streams whose callers have left
    size_t refused_sends;
};

struct echo {
    struct rpc_loop *loop;
    struct rpc_server *server;
    struct rpc_channel *channel;
    struct echo_service service;
    char target[64];
    bool drained;
};

// Serves on a free port of the loopback and opens a channel to it. `options` may be NULL; `listen` is set here. With
// `client` NULL the channel is a plain one.
void echo_start(struct echo *echo, const struct rpc_server_options *options, const struct rpc_channel_options *client);
void echo_stop(struct echo *echo);

// Drains the server; echo_stop() does it otherwise.
void echo_drain(struct echo *echo);

// Ends the call that was held first.
void echo_release(struct echo_service *service);

// A FileDescriptorSet of EchoService and the standard services. Free its ptr.
struct str echo_descriptors(void);

// Starts a program, args[0], and returns its process.
int echo_spawn(const char *const *args);

// Runs tests/rpc/<script> with the server's address and `argument`, and the loop while it runs. Fails the test unless
// the script ends with 0.
void echo_run_python(struct echo *echo, const char *script, const char *argument);

// What a call came to.
struct echo_got {
    size_t times; // that `done` ran
    enum outcome outcome;
    int status;
    struct error error;
    char reason[64], domain[64];
    char text[256], caller[256];
    size_t payload_len;
    size_t messages; // of a stream
    size_t cancel_after;
};

void echo_done(void *ctx, const struct rpc_result *result);
bool echo_each(void *ctx, const ProtobufCMessage *message);

// Runs the loop until `*counter` is at least `n`; fails the test when that takes too long.
void echo_until(struct rpc_loop *loop, const size_t *counter, size_t n);

// Gives the loop something to do all the time, in small pieces: for so long, then runs `then`, and on until *counter is
// at least `n`.
void echo_rush(struct echo *echo, int64_t ms, void (*then)(void *ctx), void *ctx, const size_t *counter, size_t n);

// Calls and waits.
void echo_call(struct echo *echo, const struct rpc_method *method, const EchoRequest *request, struct echo_got *got);

#endif
