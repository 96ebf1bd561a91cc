// Server streams: order, bounds, and either side leaving.
#include "tests/cmocka.h"
#include "tests/rpc/echo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct rpc_call_options patient = {.deadline_ms = ECHO_PATIENCE_MS};

static void watch(struct echo *echo, const EchoRequest *request, struct echo_got *got) {
    rpc_stream(echo->channel, &echo_watch, &request->base, &patient, echo_each, echo_done, got);
}

static void messages_arrive_in_order_and_then_the_end(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    for (uint32_t count = 0; count <= 50; count += 25) {
        EchoRequest request = ECHO_REQUEST;
        request.count = count;
        struct echo_got got = {0};
        watch(&echo, &request, &got);
        echo_until(echo.loop, &got.times, 1);
        assert_int_equal(got.messages, count);
        assert_int_equal(got.outcome, OUTCOME_OK);
    }
    echo_stop(&echo);
}

static void a_stream_may_end_with_an_error_after_its_messages(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    EchoRequest request = ECHO_REQUEST;
    request.count = ERR_STORE_CORRUPT;
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_FAIL;
    struct echo_got got = {0};
    watch(&echo, &request, &got);
    echo_until(echo.loop, &got.times, 1);
    assert_int_equal(got.messages, ERR_STORE_CORRUPT);
    assert_int_equal(got.status, 15);
    assert_string_equal(got.reason, "STORE_CORRUPT");
    echo_stop(&echo);
}

static void a_refused_stream_fails_like_a_call(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    struct echo_got got = {0};
    rpc_call_bytes(echo.channel, "/txcenter.test.v1.EchoService/WatchEchoes", STR("\x0a\x01\xff"), &patient, echo_done,
                   &got);
    echo_until(echo.loop, &got.times, 1);
    assert_int_equal(got.status, 3);
    echo_stop(&echo);
}

static void no_more_is_queued_than_the_bound(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    EchoRequest request = ECHO_REQUEST;
    request.count = 1000; // all in one turn of the loop: nobody can read meanwhile
    struct echo_got got = {0};
    watch(&echo, &request, &got);
    echo_until(echo.loop, &got.times, 1);
    // One is on its way, the others wait.
    assert_int_equal(got.messages, RPC_STREAM_QUEUE + 1);
    assert_int_equal(echo.service.refused_sends, 1000 - RPC_STREAM_QUEUE - 1);
    echo_stop(&echo);
}

static void no_more_bytes_are_queued_than_the_bound(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    EchoRequest request = ECHO_REQUEST;
    request.count = 20;
    request.payload.len = 100000;
    request.payload.data = calloc(1, request.payload.len);
    assert_non_null(request.payload.data);
    struct echo_got got = {0};
    watch(&echo, &request, &got);
    echo_until(echo.loop, &got.times, 1);
    free(request.payload.data);
    assert_in_range(got.messages, 5, 12);
    assert_int_equal(got.messages + echo.service.refused_sends, 20);
    echo_stop(&echo);
}

static void a_caller_that_leaves_is_reported_once(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    EchoRequest request = ECHO_REQUEST;
    request.count = 3;
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_HOLD;
    struct echo_got got = {.cancel_after = 2};
    watch(&echo, &request, &got);
    echo_until(echo.loop, &got.times, 1);
    assert_int_equal(got.messages, 2);
    assert_int_equal(got.outcome, OUTCOME_UNKNOWN);
    assert_int_equal(got.status, 1);
    echo_until(echo.loop, &echo.service.gone, 1);
    struct rpc_inbound *in = echo.service.held[0];
    assert_true(rpc_inbound_gone(in));
    EchoResponse response = ECHO_RESPONSE;
    assert_false(rpc_stream_send(in, &response.base));
    rpc_stream_end(in);
    while (rpc_server_in_flight(echo.server))
        rpc_loop_once(echo.loop, 10);
    assert_int_equal(echo.service.gone, 1);
    echo_stop(&echo);
}

static void a_deadline_ends_a_stream(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    EchoRequest request = ECHO_REQUEST;
    request.count = 1;
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_HOLD;
    struct echo_got got = {0};
    // The connection is made before, so that the deadline is the stream's alone.
    struct echo_got first;
    echo_call(&echo, &echo_method, &(EchoRequest)ECHO_REQUEST, &first);
    rpc_stream(echo.channel, &echo_watch, &request.base, &(struct rpc_call_options){.deadline_ms = 2000}, echo_each,
               echo_done, &got);
    echo_until(echo.loop, &got.times, 1);
    assert_int_equal(got.messages, 1);
    assert_int_equal(got.status, 4);
    echo_until(echo.loop, &echo.service.gone, 1);
    rpc_stream_end(echo.service.held[0]);
    echo_stop(&echo);
}

// A reader that takes nothing: a call whose channel is not read. Sending stops at the bound, and ends in good time.
struct stuck {
    struct rpc_timer timer;
    struct rpc_inbound *in;
    struct rpc_loop *loop;
    size_t sent, ended;
    uint8_t *payload;
};

enum { STUCK_PAYLOAD = 500000, STUCK_TURNS_MAX = 1000 };

// One message a turn, for as long as they are taken.
static void send_one(void *ctx) {
    struct stuck *stuck = ctx;
    EchoResponse response = ECHO_RESPONSE;
    response.payload = (ProtobufCBinaryData){STUCK_PAYLOAD, stuck->payload};
    if (rpc_stream_send(stuck->in, &response.base) && stuck->sent++ < STUCK_TURNS_MAX) {
        rpc_timer_set(stuck->loop, &stuck->timer, clock_now_ms(rpc_loop_clock(stuck->loop)) + 1);
        return;
    }
    struct error slow = {0};
    error_set(&slow, ERR_OVERLOADED, "too slow");
    rpc_fail(stuck->in, &slow, NULL);
    stuck->ended++;
}

static void a_reader_that_does_not_read_bounds_the_sender(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    EchoRequest request = ECHO_REQUEST;
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_HOLD;
    struct stuck stuck = {.loop = echo.loop, .payload = calloc(1, STUCK_PAYLOAD)};
    stuck.timer = (struct rpc_timer){.fire = send_one, .ctx = &stuck};
    assert_non_null(stuck.payload);
    // Asked for as a unary call: gRPC's client reads one message of it and leaves the rest on the wire.
    struct arena arena;
    arena_init(&arena, 4096);
    struct echo_got got = {0};
    rpc_call_bytes(echo.channel, "/txcenter.test.v1.EchoService/WatchEchoes", rpc_encode(&request.base, &arena),
                   &patient, echo_done, &got);
    echo_until(echo.loop, &echo.service.n_held, 1);
    stuck.in = echo.service.held[0];
    send_one(&stuck);
    echo_until(echo.loop, &stuck.ended, 1);
    assert_true(stuck.sent < STUCK_TURNS_MAX);
    // What is stuck on its way holds the call for a while yet, and no longer.
    int64_t begin_ms = clock_now_ms(rpc_loop_clock(echo.loop));
    while (rpc_server_in_flight(echo.server))
        rpc_loop_once(echo.loop, 1000);
    assert_true(clock_now_ms(rpc_loop_clock(echo.loop)) - begin_ms < ECHO_PATIENCE_MS / 2);
    arena_release(&arena);
    free(stuck.payload);
    echo_stop(&echo);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_in_order_and_then_the_end),
        cmocka_unit_test(a_stream_may_end_with_an_error_after_its_messages),
        cmocka_unit_test(a_refused_stream_fails_like_a_call),
        cmocka_unit_test(no_more_is_queued_than_the_bound),
        cmocka_unit_test(no_more_bytes_are_queued_than_the_bound),
        cmocka_unit_test(a_caller_that_leaves_is_reported_once),
        cmocka_unit_test(a_deadline_ends_a_stream),
        cmocka_unit_test(a_reader_that_does_not_read_bounds_the_sender),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
