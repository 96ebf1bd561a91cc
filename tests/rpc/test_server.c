// What a server lets in, and what it refuses before a handler runs.
#include "tests/cmocka.h"
#include "tests/rpc/echo.h"
#include "tests/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUSH_MS = 200, MANY = 100 };

static const struct rpc_call_options patient = {.deadline_ms = ECHO_PATIENCE_MS};

// ---- Who may call -------------------------------------------------------------------------------------------------

static bool authorize(void *ctx, struct str identity, struct rpc_inbound *in, struct rpc_caller *caller,
                      struct error *error) {
    (void)ctx;
    assert_true(str_empty(identity));
    struct str name = rpc_inbound_header(in, "x-caller");
    if (str_empty(name))
        return error_set(error, ERR_UNAUTHENTICATED, "no x-caller");
    assert_true(str_copy(name, caller->name, sizeof caller->name));
    caller->scopes = str_eq_c(name, "operator") ? RPC_TRADE | RPC_OPERATE : RPC_TRADE;
    caller->in_flight_max = str_eq_c(name, "small") ? 4 : 0;
    return true;
}

static void call_as(struct echo *echo, const char *caller, const struct rpc_method *method, struct echo_got *got) {
    const struct rpc_header headers[] = {{"x-caller", str_c(caller)}, {NULL, STR_NONE}};
    struct rpc_call_options options = {.deadline_ms = ECHO_PATIENCE_MS, .headers = caller ? headers : NULL};
    EchoRequest request = ECHO_REQUEST;
    *got = (struct echo_got){0};
    rpc_call(echo->channel, method, &request.base, &options, echo_done, got);
    echo_until(echo->loop, &got->times, 1);
}

static void a_method_needs_its_scope(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.authorize = authorize}, NULL);
    struct echo_got got;
    call_as(&echo, "operator", &echo_operate, &got);
    assert_int_equal(got.status, 0);
    assert_string_equal(got.caller, "operator");
    call_as(&echo, "shop", &echo_operate, &got);
    assert_int_equal(got.status, 7);
    assert_string_equal(got.reason, "SCOPE_MISSING");
    assert_string_equal(got.error.text, "Operate needs the scope operate");
    call_as(&echo, "shop", &echo_method, &got);
    assert_int_equal(got.status, 0);
    call_as(&echo, NULL, &echo_method, &got);
    assert_int_equal(got.status, 16);
    assert_string_equal(got.reason, "UNAUTHENTICATED");
    assert_int_equal(got.outcome, OUTCOME_RETRY);
    assert_int_equal(echo.service.calls, 2);
    echo_stop(&echo);
}

static void health_needs_no_name(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.authorize = authorize}, NULL);
    struct echo_got got = {0};
    rpc_call_bytes(echo.channel, "/grpc.health.v1.Health/Check", STR_NONE, &patient, echo_done, &got);
    echo_until(echo.loop, &got.times, 1);
    assert_int_equal(got.status, 0);
    echo_stop(&echo);
}

// ---- What is no call of ours --------------------------------------------------------------------------------------

static void a_method_that_no_row_names_is_unimplemented(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    EchoRequest request = ECHO_REQUEST;
    struct echo_got got;
    for (size_t i = 0; i < 3; i++) {
        echo_call(&echo, &echo_nowhere, &request, &got);
        assert_int_equal(got.status, 12);
        assert_string_equal(got.reason, "METHOD_UNKNOWN");
        assert_string_equal(got.error.text, "there is no method /txcenter.test.v1.EchoService/Nowhere");
    }
    echo_stop(&echo);
}

static void hostile_bytes_are_refused_and_the_server_goes_on(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    const struct str hostile[] = {STR("\x0a\x05hel"), STR("\x0a\x01\xff"), STR("\x2a\x02\x0a\x05"), STR("\x0b"),
                                  STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")};
    struct echo_got got;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        got = (struct echo_got){0};
        rpc_call_bytes(echo.channel, "/txcenter.test.v1.EchoService/Echo", hostile[i], &patient, echo_done, &got);
        echo_until(echo.loop, &got.times, 1);
        assert_int_equal(got.status, 3);
        assert_string_equal(got.reason, "INVALID_REQUEST");
    }
    assert_int_equal(echo.service.calls, 0);
    EchoRequest request = ECHO_REQUEST;
    echo_call(&echo, &echo_method, &request, &got);
    assert_int_equal(got.status, 0);
    echo_stop(&echo);
}

static void another_implementations_odd_calls_are_answered(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    echo_run_python(&echo, "odd_calls.py", "");
    echo_stop(&echo);
}

// ---- Sizes --------------------------------------------------------------------------------------------------------

static void call_with_payload(struct echo *echo, size_t size, struct echo_got *got) {
    EchoRequest request = ECHO_REQUEST;
    request.payload.data = calloc(1, size);
    request.payload.len = size;
    assert_non_null(request.payload.data);
    echo_call(echo, &echo_method, &request, got);
    free(request.payload.data);
}

static void a_message_that_is_too_large_is_refused(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.message_max = 10000}, NULL);
    struct echo_got got;
    call_with_payload(&echo, 9990, &got);
    assert_int_equal(got.status, 0);
    assert_int_equal(got.payload_len, 9990);
    call_with_payload(&echo, 10001, &got);
    assert_int_equal(got.status, 8);
    assert_string_equal(got.reason, "MESSAGE_TOO_LARGE");
    assert_int_equal(got.outcome, OUTCOME_RETRY);
    call_with_payload(&echo, 500000, &got); // by gRPC itself, without a reason
    assert_int_equal(got.status, 8);
    assert_int_equal(echo.service.calls, 1);
    echo_stop(&echo);
}

static void an_answer_that_is_too_large_is_unknown(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, &(struct rpc_channel_options){.message_max = 10000});
    struct echo_got got;
    call_with_payload(&echo, 20000, &got);
    assert_int_equal(got.status, 8);
    assert_int_equal(got.outcome, OUTCOME_UNKNOWN);
    assert_int_equal(echo.service.calls, 1);
    echo_stop(&echo);
}

static void a_long_message_arrives_whole(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    struct echo_got got;
    call_with_payload(&echo, 1000000, &got); // in many frames
    assert_int_equal(got.status, 0);
    assert_int_equal(got.payload_len, 1000000);
    echo_stop(&echo);
}

// ---- Overload -----------------------------------------------------------------------------------------------------

static void hold_with(struct echo *echo, const struct rpc_call_options *options, struct echo_got *got, size_t n) {
    EchoRequest request = ECHO_REQUEST;
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_HOLD;
    for (size_t i = 0; i < n; i++) {
        size_t before = echo->service.n_held;
        rpc_call(echo->channel, &echo_method, &request.base, options, echo_done, got);
        echo_until(echo->loop, &echo->service.n_held, before + 1);
    }
}

static void hold(struct echo *echo, struct echo_got *got, size_t n) {
    hold_with(echo, &patient, got, n);
}

static void release_all(struct echo *echo, struct echo_got *got, size_t n) {
    while (echo->service.n_held)
        echo_release(&echo->service);
    echo_until(echo->loop, &got->times, n);
}

static void what_matters_less_is_refused_first(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.in_flight_max = 20}, NULL);
    static const struct {
        size_t held;
        int list, quote, pay; // status of one more call of each tier
    } steps[] = {{13, 0, 0, 0}, {14, 8, 0, 0}, {16, 8, 0, 0}, {17, 8, 8, 0}, {19, 8, 8, 0}, {20, 8, 8, 8}};
    struct echo_got held = {0}, got;
    EchoRequest request = ECHO_REQUEST;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        hold(&echo, &held, steps[i].held - echo.service.n_held);
        echo_call(&echo, &echo_list, &request, &got);
        assert_int_equal(got.status, steps[i].list);
        echo_call(&echo, &echo_quote, &request, &got);
        assert_int_equal(got.status, steps[i].quote);
        echo_call(&echo, &echo_method, &request, &got);
        assert_int_equal(got.status, steps[i].pay);
    }
    assert_string_equal(got.reason, "OVERLOADED");
    assert_int_equal(got.outcome, OUTCOME_RETRY);
    assert_true(got.error.retry_after_ms > 0);
    // Health is asked just then.
    got = (struct echo_got){0};
    rpc_call_bytes(echo.channel, "/grpc.health.v1.Health/Check", STR_NONE, &patient, echo_done, &got);
    echo_until(echo.loop, &got.times, 1);
    assert_int_equal(got.status, 0);
    release_all(&echo, &held, 20);
    echo_call(&echo, &echo_list, &request, &got);
    assert_int_equal(got.status, 0);
    echo_stop(&echo);
}

static void a_flood_of_what_matters_less_keeps_no_payment_out(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.in_flight_max = 20}, NULL);
    struct echo_got held = {0}, lists = {0}, payment = {0};
    hold(&echo, &held, 14);
    EchoRequest request = ECHO_REQUEST;
    for (size_t i = 0; i < 200; i++)
        rpc_call(echo.channel, &echo_list, &request.base, &patient, echo_done, &lists);
    rpc_call(echo.channel, &echo_method, &request.base, &patient, echo_done, &payment);
    echo_until(echo.loop, &payment.times, 1);
    assert_int_equal(payment.status, 0);
    echo_until(echo.loop, &lists.times, 200);
    assert_string_equal(lists.reason, "OVERLOADED");
    release_all(&echo, &held, 14);
    echo_stop(&echo);
}

// Three calls that come to a server that has something to do all the time.
struct newcomers {
    struct echo *echo;
    struct echo_got list, quote, pay, many;
};

static void begin_three(void *ctx) {
    struct newcomers *three = ctx;
    EchoRequest request = ECHO_REQUEST;
    rpc_call(three->echo->channel, &echo_list, &request.base, &patient, echo_done, &three->list);
    rpc_call(three->echo->channel, &echo_quote, &request.base, &patient, echo_done, &three->quote);
    rpc_call(three->echo->channel, &echo_method, &request.base, &patient, echo_done, &three->pay);
}

static void until_ended(struct newcomers *three) {
    echo_until(three->echo->loop, &three->list.times, 1);
    echo_until(three->echo->loop, &three->quote.times, 1);
    echo_until(three->echo->loop, &three->pay.times, 1);
}

static void rush(struct newcomers *three, int64_t ms) {
    *three = (struct newcomers){.echo = three->echo};
    echo_rush(three->echo, ms, begin_three, three, &three->pay.times, 1);
    until_ended(three);
}

static void a_server_without_rest_takes_less_of_what_matters_less(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.in_flight_max = 50, .busy_max_ms = RUSH_MS}, NULL);
    static const struct {
        size_t held;
        int list, quote;
    } steps[] = {{2, 0, 0}, {3, 8, 0}, {4, 8, 8}, {40, 8, 8}};
    struct echo_got held = {0};
    struct newcomers three = {.echo = &echo};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        hold(&echo, &held, steps[i].held - echo.service.n_held);
        rush(&three, RUSH_MS);
        assert_int_equal(three.list.status, steps[i].list);
        assert_int_equal(three.quote.status, steps[i].quote);
        assert_int_equal(three.pay.status, 0);
    }
    assert_string_equal(three.quote.reason, "OVERLOADED");
    assert_int_equal(three.quote.outcome, OUTCOME_RETRY);
    assert_in_range(three.quote.error.retry_after_ms, 500, 1000); // what is left of the second
    struct rpc_server_stats stats;
    rpc_server_stats(echo.server, &stats);
    assert_int_equal(stats.refused, 5);
    assert_int_equal(stats.busy_most, 4); // its least, as it began with 2
    assert_int_equal(stats.in_flight, 40);
    release_all(&echo, &held, 40);
    echo_stop(&echo);
}

// What a short pause left to do makes nobody refused.
static void a_short_rush_does_not_make_it_busy(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.in_flight_max = 50, .busy_max_ms = RUSH_MS}, NULL);
    struct echo_got held = {0};
    struct newcomers three = {.echo = &echo};
    hold(&echo, &held, 10);
    rush(&three, RUSH_MS / 3);
    assert_int_equal(three.list.status + three.quote.status + three.pay.status, 0);
    release_all(&echo, &held, 10);
    echo_stop(&echo);
}

static void begin_many(void *ctx) {
    struct newcomers *three = ctx;
    EchoRequest request = ECHO_REQUEST;
    for (size_t i = 0; i < MANY; i++)
        rpc_call(three->echo->channel, &echo_method, &request.base, &patient, echo_done, &three->many);
}

// A thousand at once of one caller, say, keep the loop busy for as long as it likes to ask.
static void many_that_are_done_soon_do_not_make_it_busy(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.in_flight_max = 120, .busy_max_ms = RUSH_MS}, NULL);
    struct echo_got held = {0};
    struct newcomers three = {.echo = &echo};
    hold(&echo, &held, 8);
    echo_rush(&echo, RUSH_MS, begin_many, &three, &three.many.times, MANY);
    rush(&three, 1);
    assert_int_equal(three.list.status + three.quote.status + three.pay.status, 0);
    release_all(&echo, &held, 8);
    echo_stop(&echo);
}

// But those for which there is no room are not done.
static void many_that_are_refused_make_it_no_less_busy(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo,
               &(struct rpc_server_options){.in_flight_max = 50, .caller_in_flight_max = 6, .busy_max_ms = RUSH_MS},
               NULL);
    struct echo_got held = {0};
    struct newcomers three = {.echo = &echo};
    hold(&echo, &held, 4);
    echo_rush(&echo, RUSH_MS, begin_many, &three, &three.many.times, MANY);
    rush(&three, 1);
    assert_int_equal(three.quote.status, 8);
    release_all(&echo, &held, 4);
    echo_stop(&echo);
}

// Whoever watches, or waits for a participant that takes long, has his place for himself.
static void what_only_waits_takes_no_place_of_a_busy_server(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.in_flight_max = 60, .busy_max_ms = RUSH_MS}, NULL);
    struct echo_got held = {0}, got;
    struct newcomers three = {.echo = &echo};
    hold(&echo, &held, 5);
    EchoRequest request = ECHO_REQUEST;
    for (int64_t end_ns = clock_monotonic_ns() + INT64_C(1100000000); clock_monotonic_ns() < end_ns;) {
        rpc_loop_once(echo.loop, 20);
        echo_call(&echo, &echo_quote, &request, &got);
        assert_int_equal(got.status, 0);
    }
    rush(&three, RUSH_MS);
    assert_int_equal(three.list.status + three.quote.status + three.pay.status, 0);
    hold(&echo, &held, 5); // as many as it takes in line in any case
    rush(&three, RUSH_MS);
    assert_int_equal(three.quote.status, 8);
    assert_int_equal(three.pay.status, 0);
    release_all(&echo, &held, 10);
    echo_stop(&echo);
}

// It begins with half of what is in flight, 25 of 50, and is at its least, 16, when 15 are left.
static void a_busy_server_lets_in_fewer_while_it_has_no_rest(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.in_flight_max = 200, .busy_max_ms = RUSH_MS}, NULL);
    struct echo_got held = {0};
    struct newcomers three = {.echo = &echo};
    hold(&echo, &held, 50);
    rush(&three, RUSH_MS);
    assert_int_equal(three.quote.status, 8);
    while (echo.service.n_held > 22)
        echo_release(&echo.service);
    echo_until(echo.loop, &held.times, 28);
    rpc_loop_once(echo.loop, 10); // a moment of rest
    rush(&three, 1);
    assert_int_equal(three.quote.status, 0);
    for (int i = 0; i < 5; i++) {
        rush(&three, RUSH_MS / 2); // with a moment of rest before each
        rpc_loop_once(echo.loop, 5);
    }
    assert_int_equal(three.quote.status, 8);
    while (echo.service.n_held > 15)
        echo_release(&echo.service);
    echo_until(echo.loop, &held.times, 35);
    rush(&three, RUSH_MS / 2);
    assert_int_equal(three.quote.status, 0);
    assert_int_equal(three.pay.status, 0);
    release_all(&echo, &held, 50);
    echo_stop(&echo);
}

// However many it takes to have something to do all the time: they may wait for a participant that takes long.
static void a_busy_server_lets_in_more_while_it_has_some_rest(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.in_flight_max = 50, .busy_max_ms = RUSH_MS}, NULL);
    struct echo_got held = {0}, got = {0};
    struct newcomers three = {.echo = &echo};
    hold(&echo, &held, 10);
    rush(&three, RUSH_MS);
    assert_int_equal(three.quote.status, 8);
    EchoRequest request = ECHO_REQUEST;
    int tries = 0;
    do {
        rpc_loop_once(echo.loop, 120); // to wait is no work
        echo_call(&echo, &echo_quote, &request, &got);
    } while (got.status != 0 && ++tries < 100);
    assert_int_equal(got.status, 0);
    release_all(&echo, &held, 10);
    echo_stop(&echo);
}

static void a_server_that_nobody_asks_for_a_second_is_not_busy(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.in_flight_max = 50, .busy_max_ms = RUSH_MS}, NULL);
    struct echo_got held = {0}, got = {0};
    struct newcomers three = {.echo = &echo};
    hold(&echo, &held, 40);
    rush(&three, RUSH_MS);
    assert_int_equal(three.quote.status, 8);
    for (int64_t end_ns = clock_monotonic_ns() + INT64_C(1010000000); clock_monotonic_ns() < end_ns;)
        rpc_loop_once(echo.loop, 100);
    EchoRequest request = ECHO_REQUEST;
    echo_call(&echo, &echo_quote, &request, &got);
    assert_int_equal(got.status, 0);
    release_all(&echo, &held, 40);
    echo_stop(&echo);
}

static void stand_still(void *ctx) {
    begin_three(ctx);
    for (int64_t end_ns = clock_monotonic_ns() + 3 * RUSH_MS * INT64_C(1000000); clock_monotonic_ns() < end_ns;)
        continue;
}

// One callback that takes long, as when the process was stopped; a little to do every millisecond, for long, and now
// and then a call.
static void a_server_that_stood_still_or_has_a_little_to_do_takes_all(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.in_flight_max = 20, .busy_max_ms = RUSH_MS}, NULL);
    struct echo_got held = {0}, got;
    hold(&echo, &held, 13);
    struct newcomers three = {.echo = &echo};
    struct rpc_timer timer = {.fire = stand_still, .ctx = &three};
    rpc_timer_set(echo.loop, &timer, clock_now_ms(rpc_loop_clock(echo.loop)));
    until_ended(&three);
    assert_int_equal(three.list.status + three.quote.status + three.pay.status, 0);
    EchoRequest request = ECHO_REQUEST;
    for (int64_t end_ns = clock_monotonic_ns() + 3 * RUSH_MS * INT64_C(1000000); clock_monotonic_ns() < end_ns;) {
        for (int i = 0; i < 20; i++)
            rpc_loop_once(echo.loop, 1);
        echo_call(&echo, &echo_quote, &request, &got);
        assert_int_equal(got.status, 0);
    }
    release_all(&echo, &held, 13);
    echo_stop(&echo);
}

// [S3-12] one caller's flood leaves room for the others, and its own lists for its own payments
static void one_caller_has_its_part_and_no_more(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo,
               &(struct rpc_server_options){.authorize = authorize, .in_flight_max = 40, .caller_in_flight_max = 10},
               NULL);
    static const struct {
        const char *caller;
        size_t held;
        int list, quote, pay;
    } steps[] = {{"shop", 6, 0, 0, 0},  {"shop", 7, 8, 0, 0},  {"shop", 8, 8, 8, 0},  {"shop", 10, 8, 8, 8},
                 {"other", 0, 0, 0, 0}, {"small", 1, 0, 0, 0}, {"small", 2, 8, 0, 0}, {"small", 4, 8, 8, 8}};
    struct echo_got held = {0}, got;
    size_t its = 0, all = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        const struct rpc_header headers[] = {{"x-caller", str_c(steps[i].caller)}, {NULL, STR_NONE}};
        const struct rpc_call_options options = {.deadline_ms = ECHO_PATIENCE_MS, .headers = headers};
        its = i > 0 && strcmp(steps[i].caller, steps[i - 1].caller) == 0 ? its : 0;
        hold_with(&echo, &options, &held, steps[i].held - its);
        all += steps[i].held - its;
        its = steps[i].held;
        call_as(&echo, steps[i].caller, &echo_list, &got);
        assert_int_equal(got.status, steps[i].list);
        call_as(&echo, steps[i].caller, &echo_quote, &got);
        assert_int_equal(got.status, steps[i].quote);
        call_as(&echo, steps[i].caller, &echo_method, &got);
        assert_int_equal(got.status, steps[i].pay);
    }
    assert_string_equal(got.reason, "OVERLOADED");
    assert_string_equal(got.error.text, "4 calls of small are being served");
    assert_int_equal(got.outcome, OUTCOME_RETRY);
    assert_true(got.error.retry_after_ms > 0);
    release_all(&echo, &held, all);
    call_as(&echo, "shop", &echo_list, &got);
    assert_int_equal(got.status, 0);
    echo_stop(&echo);
}

// Of the bytes, too, lists have a part and payments all.
static void requests_that_matter_less_have_a_part_of_the_bytes(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.bytes_in_flight_max = 20000}, NULL);
    struct echo_got held = {0}, got;
    EchoRequest request = ECHO_REQUEST;
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_HOLD;
    uint8_t payload[15000] = {0};
    request.payload = (ProtobufCBinaryData){sizeof payload, payload};
    rpc_call(echo.channel, &echo_method, &request.base, &patient, echo_done, &held);
    echo_until(echo.loop, &echo.service.n_held, 1);
    request = (EchoRequest)ECHO_REQUEST;
    request.payload = (ProtobufCBinaryData){1000, payload};
    echo_call(&echo, &echo_list, &request, &got);
    assert_string_equal(got.reason, "OVERLOADED");
    echo_call(&echo, &echo_quote, &request, &got);
    assert_int_equal(got.status, 0);
    request.payload = (ProtobufCBinaryData){4000, payload};
    echo_call(&echo, &echo_quote, &request, &got);
    assert_string_equal(got.reason, "OVERLOADED");
    echo_call(&echo, &echo_method, &request, &got);
    assert_int_equal(got.status, 0);
    release_all(&echo, &held, 1);
    echo_stop(&echo);
}

static void requests_together_have_a_bound_too(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.bytes_in_flight_max = 25000}, NULL);
    struct echo_got held = {0}, got;
    EchoRequest request = ECHO_REQUEST;
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_HOLD;
    uint8_t payload[10000] = {0};
    request.payload = (ProtobufCBinaryData){sizeof payload, payload};
    for (size_t i = 1; i <= 2; i++) {
        rpc_call(echo.channel, &echo_method, &request.base, &patient, echo_done, &held);
        echo_until(echo.loop, &echo.service.n_held, i);
    }
    call_with_payload(&echo, 10000, &got);
    assert_int_equal(got.status, 8);
    assert_string_equal(got.reason, "OVERLOADED");
    call_with_payload(&echo, 1000, &got);
    assert_int_equal(got.status, 0);
    release_all(&echo, &held, 2);
    while (rpc_server_in_flight(echo.server))
        rpc_loop_once(echo.loop, 10);
    call_with_payload(&echo, 10000, &got);
    assert_int_equal(got.status, 0);
    echo_stop(&echo);
}

// ---- Around it ----------------------------------------------------------------------------------------------------

struct observed {
    size_t calls;
    int status;
    char method[32];
};

static void observe(void *ctx, const struct rpc_method *method, struct rpc_inbound *in, int status,
                    int64_t duration_us) {
    struct observed *observed = ctx;
    assert_non_null(rpc_inbound_caller(in));
    assert_true(duration_us >= 0);
    observed->calls++;
    observed->status = status;
    snprintf(observed->method, sizeof observed->method, "%s", method->name);
}

static void each_call_is_observed_once(void **state) {
    (void)state;
    struct observed observed = {0};
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.observe = observe, .observe_ctx = &observed}, NULL);
    EchoRequest request = ECHO_REQUEST;
    struct echo_got got;
    echo_call(&echo, &echo_quote, &request, &got);
    assert_int_equal(observed.calls, 1);
    assert_int_equal(observed.status, 0);
    assert_string_equal(observed.method, "QuoteEcho");
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_FAIL;
    request.count = ERR_TRADE_NOT_FOUND;
    echo_call(&echo, &echo_method, &request, &got);
    assert_int_equal(observed.calls, 2);
    assert_int_equal(observed.status, 5);
    echo_stop(&echo);
}

static void a_server_that_can_not_listen_says_so(void **state) {
    (void)state;
    struct rpc_loop *loop = rpc_loop_new();
    static const char *const nowhere[] = {"127.0.0.1:0", "203.0.113.1:1", NULL};
    struct rpc_server *server = rpc_server_new(loop, &(struct rpc_server_options){.listen = nowhere});
    struct error error = {0};
    assert_false(rpc_server_start(server, &error));
    assert_int_equal(error.code, ERR_CONFIG_INVALID);
    assert_string_equal(error.text, "can't listen on 203.0.113.1:1");
    rpc_server_free(server);
    rpc_loop_free(loop);
}

// A second server on the address of the first, whatever it is.
static void refuse_second(struct rpc_loop *loop, const char *address) {
    const char *const list[] = {"127.0.0.1:0", address, NULL};
    struct rpc_server *second = rpc_server_new(loop, &(struct rpc_server_options){.listen = list});
    struct error error = {0};
    assert_false(rpc_server_start(second, &error));
    assert_int_equal(error.code, ERR_CONFIG_INVALID);
    char text[SCRATCH_PATH_MAX + 80];
    snprintf(text, sizeof text, "address in use: %s: another process listens there", address);
    assert_string_equal(error.text, text);
    rpc_server_free(second);
}

static void an_address_that_is_in_use_is_refused(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    refuse_second(echo.loop, echo.target);
    char name[64];
    snprintf(name, sizeof name, "localhost:%d", rpc_server_port(echo.server, 0));
    refuse_second(echo.loop, name);
    snprintf(name, sizeof name, "0.0.0.0:%d", rpc_server_port(echo.server, 0));
    refuse_second(echo.loop, name);
    // The first one still has it.
    EchoRequest request = ECHO_REQUEST;
    struct echo_got got;
    echo_call(&echo, &echo_method, &request, &got);
    assert_int_equal(got.status, 0);
    echo_stop(&echo);
}

static void a_unix_socket_serves_too(void **state) {
    (void)state;
    char folder[SCRATCH_PATH_MAX], listen[SCRATCH_PATH_MAX + 16];
    assert_true(scratch_make("rpc", folder));
    snprintf(listen, sizeof listen, "unix:%s/socket", folder);
    const char *const list[] = {listen, NULL};
    struct echo echo = {.loop = rpc_loop_new()};
    echo.server = rpc_server_new(echo.loop, &(struct rpc_server_options){.listen = list});
    rpc_server_add(echo.server, echo_routes, echo_n_routes, &echo.service);
    struct error error = {0};
    assert_true(rpc_server_start(echo.server, &error));
    assert_int_equal(rpc_server_port(echo.server, 0), 0);
    echo.channel = rpc_channel_open(echo.loop, listen, NULL, &error);
    EchoRequest request = ECHO_REQUEST;
    struct echo_got got;
    echo_call(&echo, &echo_method, &request, &got);
    assert_int_equal(got.status, 0);
    // Not mistaken for a call that was never sent.
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_FAIL;
    request.count = ERR_RETRIES_EXHAUSTED;
    error_set(&echo.service.error, ERR_RETRIES_EXHAUSTED, "failed to connect to all addresses");
    echo_call(&echo, &echo_method, &request, &got);
    assert_int_equal(got.outcome, OUTCOME_UNKNOWN);
    refuse_second(echo.loop, listen);
    echo_stop(&echo);
    scratch_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_method_needs_its_scope),
        cmocka_unit_test(health_needs_no_name),
        cmocka_unit_test(a_method_that_no_row_names_is_unimplemented),
        cmocka_unit_test(hostile_bytes_are_refused_and_the_server_goes_on),
        cmocka_unit_test(another_implementations_odd_calls_are_answered),
        cmocka_unit_test(a_message_that_is_too_large_is_refused),
        cmocka_unit_test(an_answer_that_is_too_large_is_unknown),
        cmocka_unit_test(a_long_message_arrives_whole),
        cmocka_unit_test(what_matters_less_is_refused_first),
        cmocka_unit_test(a_flood_of_what_matters_less_keeps_no_payment_out),
        cmocka_unit_test(a_server_without_rest_takes_less_of_what_matters_less),
        cmocka_unit_test(a_short_rush_does_not_make_it_busy),
        cmocka_unit_test(many_that_are_done_soon_do_not_make_it_busy),
        cmocka_unit_test(many_that_are_refused_make_it_no_less_busy),
        cmocka_unit_test(what_only_waits_takes_no_place_of_a_busy_server),
        cmocka_unit_test(a_busy_server_lets_in_fewer_while_it_has_no_rest),
        cmocka_unit_test(a_busy_server_lets_in_more_while_it_has_some_rest),
        cmocka_unit_test(a_server_that_nobody_asks_for_a_second_is_not_busy),
        cmocka_unit_test(a_server_that_stood_still_or_has_a_little_to_do_takes_all),
        cmocka_unit_test(one_caller_has_its_part_and_no_more),
        cmocka_unit_test(requests_that_matter_less_have_a_part_of_the_bytes),
        cmocka_unit_test(requests_together_have_a_bound_too),
        cmocka_unit_test(each_call_is_observed_once),
        cmocka_unit_test(a_server_that_can_not_listen_says_so),
        cmocka_unit_test(an_address_that_is_in_use_is_refused),
        cmocka_unit_test(a_unix_socket_serves_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
