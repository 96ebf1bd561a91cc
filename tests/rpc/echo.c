#include "tests/rpc/echo.h"
#include "tests/cmocka.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVICE &txcenter__test__v1__echo_service__descriptor

const struct rpc_method echo_method = {SERVICE, "Echo", .server_streaming = false};
const struct rpc_method echo_list = {SERVICE, "ListEchoes", .server_streaming = false};
const struct rpc_method echo_quote = {SERVICE, "QuoteEcho", .server_streaming = false};
const struct rpc_method echo_operate = {SERVICE, "Operate", .server_streaming = false};
const struct rpc_method echo_watch = {SERVICE, "WatchEchoes", .server_streaming = true};
const struct rpc_method echo_nowhere = {SERVICE, "Nowhere", .server_streaming = false};

static void reply(struct rpc_inbound *in, const EchoRequest *request) {
    EchoResponse response = ECHO_RESPONSE;
    char caller[RPC_NAME_MAX];
    memcpy(caller, rpc_inbound_caller(in)->name, sizeof caller);
    response.text = request->text;
    response.payload = request->payload;
    response.caller = caller;
    rpc_reply(in, &response.base);
}

static void serve(void *ctx, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct echo_service *service = ctx;
    const EchoRequest *request = (const void *)message;
    service->calls++;
    switch (request->what) {
    case TXCENTER__TEST__V1__WHAT__WHAT_HOLD:
        assert_true(service->n_held < ECHO_HELD_MAX);
        service->held[service->n_held++] = in;
        return;
    case TXCENTER__TEST__V1__WHAT__WHAT_FAIL: {
        struct error error = service->error;
        error.code = (enum err)request->count;
        const char *const metadata[] = {"trade_no", "T1", "request_id", "R1", NULL};
        rpc_fail(in, &error, metadata);
        return;
    }
    default: reply(in, request);
    }
}

static void count_gone(void *ctx) {
    struct echo_service *service = ctx;
    service->gone++;
}

static void watch(void *ctx, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct echo_service *service = ctx;
    const EchoRequest *request = (const void *)message;
    rpc_stream_on_gone(in, count_gone, service);
    for (uint32_t i = 0; i < request->count; i++) {
        EchoResponse response = ECHO_RESPONSE;
        response.text = request->text;
        response.payload = request->payload;
        response.index = i;
        service->refused_sends += !rpc_stream_send(in, &response.base);
    }
    if (request->what == TXCENTER__TEST__V1__WHAT__WHAT_UNSPECIFIED) {
        service->calls++;
        rpc_stream_end(in);
        return;
    }
    serve(ctx, in, message);
}

const struct rpc_route echo_routes[] = {
    {{SERVICE, "Echo", .server_streaming = false}, serve, RPC_TRADE, RPC_TIER_HIGH},
    {{SERVICE, "ListEchoes", .server_streaming = false}, serve, RPC_TRADE, RPC_TIER_LOW},
    {{SERVICE, "QuoteEcho", .server_streaming = false}, serve, RPC_TRADE, RPC_TIER_NORMAL},
    {{SERVICE, "Operate", .server_streaming = false}, serve, RPC_OPERATE, RPC_TIER_HIGH},
    {{SERVICE, "WatchEchoes", .server_streaming = true}, watch, RPC_TRADE, RPC_TIER_HIGH},
};
const size_t echo_n_routes = sizeof echo_routes / sizeof echo_routes[0];

void echo_release(struct echo_service *service) {
    assert_true(service->n_held > 0);
    struct rpc_inbound *in = service->held[0];
    memmove(service->held, service->held + 1, --service->n_held * sizeof service->held[0]);
    EchoResponse response = ECHO_RESPONSE;
    response.text = (char *)(uintptr_t) "released";
    rpc_reply(in, &response.base);
}

// ---- Both ends ----------------------------------------------------------------------------------------------------

static void note_drained(void *ctx) {
    *(bool *)ctx = true;
}

// What gRPC says of failures that a test provokes is not for its output.
static void overhear(enum log_level level, const char *text) {
    (void)level;
    assert_non_null(text);
}

void echo_start(struct echo *echo, const struct rpc_server_options *options, const struct rpc_channel_options *client) {
    static const char *const listen[] = {"127.0.0.1:0", NULL};
    struct rpc_server_options set = options ? *options : (struct rpc_server_options){0};
    set.listen = listen;
    set.asks_gone = true;
    *echo = (struct echo){0};
    rpc_set_core_log(overhear);
    echo->loop = rpc_loop_new();
    echo->server = rpc_server_new(echo->loop, &set);
    rpc_server_add(echo->server, echo_routes, echo_n_routes, &echo->service);
    struct error error = {0};
    if (!rpc_server_start(echo->server, &error))
        fail_msg("%s", error.text);
    snprintf(echo->target, sizeof echo->target, "127.0.0.1:%d", rpc_server_port(echo->server, 0));
    echo->channel = rpc_channel_open(echo->loop, echo->target, client, &error);
    if (!echo->channel)
        fail_msg("%s", error.text);
}

void echo_drain(struct echo *echo) {
    rpc_server_drain(echo->server, note_drained, &echo->drained);
    while (!echo->drained)
        rpc_loop_once(echo->loop, ECHO_PATIENCE_MS);
}

void echo_stop(struct echo *echo) {
    rpc_channel_close(echo->channel);
    if (!echo->drained)
        echo_drain(echo);
    rpc_server_free(echo->server);
    rpc_loop_free(echo->loop);
}

struct str echo_descriptors(void) {
    FILE *file = fopen(ECHO_DESCRIPTORS, "rb");
    assert_non_null(file);
    enum { MAX = 1 << 20 };
    char *bytes = malloc(MAX);
    assert_non_null(bytes);
    size_t len = fread(bytes, 1, MAX, file);
    assert_in_range(len, 1, MAX - 1);
    fclose(file);
    return str_n(bytes, len);
}

int echo_spawn(const char *const *args) {
    pid_t child;
    assert_int_equal(posix_spawn(&child, args[0], NULL, NULL, (char *const *)(uintptr_t)args, environ), 0);
    return child;
}

void echo_run_python(struct echo *echo, const char *script, const char *argument) {
    char path[256];
    snprintf(path, sizeof path, "tests/rpc/%s", script);
    const char *const args[] = {"/usr/bin/python3", path, echo->target, argument, NULL};
    int child = echo_spawn(args), status;
    while (waitpid(child, &status, WNOHANG) == 0)
        rpc_loop_once(echo->loop, 10);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

// ---- Calls --------------------------------------------------------------------------------------------------------

void echo_done(void *ctx, const struct rpc_result *result) {
    struct echo_got *got = ctx;
    got->times++;
    got->outcome = result->outcome;
    got->status = result->grpc_status;
    got->error = result->error;
    snprintf(got->reason, sizeof got->reason, "%s", result->reason);
    snprintf(got->domain, sizeof got->domain, "%s", result->domain);
    if (!result->message)
        return;
    const EchoResponse *response = (const void *)result->message;
    snprintf(got->text, sizeof got->text, "%s", response->text);
    snprintf(got->caller, sizeof got->caller, "%s", response->caller);
    got->payload_len = response->payload.len;
}

bool echo_each(void *ctx, const ProtobufCMessage *message) {
    struct echo_got *got = ctx;
    const EchoResponse *response = (const void *)message;
    assert_int_equal(response->index, got->messages);
    got->messages++;
    return got->cancel_after == 0 || got->messages < got->cancel_after;
}

void echo_until(struct rpc_loop *loop, const size_t *counter, size_t n) {
    const struct clock *clock = rpc_loop_clock(loop);
    int64_t end_ms = clock_now_ms(clock) + ECHO_PATIENCE_MS;
    while (*counter < n) {
        if (clock_now_ms(clock) >= end_ms)
            fail_msg("waited in vain");
        rpc_loop_once(loop, ECHO_PATIENCE_MS);
    }
}

enum { PIECE_NS = 1000000 };

struct rush {
    struct rpc_waker waker;
    struct rpc_loop *loop;
    int64_t ms, until_ns;
    void (*then)(void *ctx);
    void *ctx;
};

static void rush_on(void *ctx) {
    struct rush *rush = ctx;
    void (*then)(void *ctx) = rush->then;
    if (then && rpc_loop_busy_ms(rush->loop) > rush->ms && clock_monotonic_ns() > rush->until_ns) {
        rush->then = NULL;
        then(rush->ctx);
    }
    for (int64_t end_ns = clock_monotonic_ns() + PIECE_NS; clock_monotonic_ns() < end_ns;)
        continue;
    rpc_loop_wake(rush->loop);
}

void echo_rush(struct echo *echo, int64_t ms, void (*then)(void *ctx), void *ctx, const size_t *counter, size_t n) {
    struct rush rush = {
        .loop = echo->loop, .ms = ms, .until_ns = clock_monotonic_ns() + ms * 1000000, .then = then, .ctx = ctx};
    rush.waker = (struct rpc_waker){.poll = rush_on, .ctx = &rush};
    rpc_loop_add_waker(echo->loop, &rush.waker);
    rpc_loop_wake(echo->loop);
    echo_until(echo->loop, counter, n);
    rpc_loop_remove_waker(echo->loop, &rush.waker);
}

void echo_call(struct echo *echo, const struct rpc_method *method, const EchoRequest *request, struct echo_got *got) {
    *got = (struct echo_got){0};
    struct rpc_call_options options = {.deadline_ms = ECHO_PATIENCE_MS};
    rpc_call(echo->channel, method, &request->base, &options, echo_done, got);
    assert_int_equal(got->times, 0);
    echo_until(echo->loop, &got->times, 1);
}
