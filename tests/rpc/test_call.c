// Unary calls over gRPC, from one end to the other.
#include "tests/cmocka.h"
#include "tests/rpc/echo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void a_request_is_answered(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    EchoRequest request = ECHO_REQUEST;
    request.text = (char *)(uintptr_t) "hello";
    struct echo_got got;
    echo_call(&echo, &echo_method, &request, &got);
    assert_int_equal(got.outcome, OUTCOME_OK);
    assert_int_equal(got.error.code, ERR_OK);
    assert_string_equal(got.text, "hello");
    assert_string_equal(got.caller, "anonymous");
    echo_stop(&echo);
}

static void an_answer_may_come_later(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    EchoRequest request = ECHO_REQUEST;
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_HOLD;
    struct echo_got got = {0};
    struct rpc_call_options options = {.deadline_ms = ECHO_PATIENCE_MS};
    rpc_call(echo.channel, &echo_method, &request.base, &options, echo_done, &got);
    echo_until(echo.loop, &echo.service.n_held, 1);
    assert_int_equal(rpc_server_in_flight(echo.server), 1);
    assert_int_equal(got.times, 0);
    echo_release(&echo.service);
    echo_until(echo.loop, &got.times, 1);
    assert_string_equal(got.text, "released");
    echo_stop(&echo);
}

static void an_error_arrives_with_its_reason_fields_and_delay(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    error_field(&echo.service.error, "lines[2].quantity", "must be at least %d", 1);
    error_field(&echo.service.error, "text", "is missing");
    echo.service.error.retry_after_ms = 1500;
    EchoRequest request = ECHO_REQUEST;
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_FAIL;
    request.count = ERR_INVALID_REQUEST;
    struct echo_got got;
    echo_call(&echo, &echo_method, &request, &got);
    assert_int_equal(got.status, 3);
    assert_string_equal(got.reason, "INVALID_REQUEST");
    assert_string_equal(got.domain, "txcenter");
    assert_string_equal(got.error.text, err_info(ERR_INVALID_REQUEST)->text);
    assert_int_equal(got.error.n_fields, 2);
    assert_string_equal(got.error.fields[0].path, "lines[2].quantity");
    assert_string_equal(got.error.fields[0].what, "must be at least 1");
    assert_string_equal(got.error.fields[1].path, "text");
    assert_int_equal(got.error.retry_after_ms, 1500);
    echo_stop(&echo);
}

static void a_text_that_is_not_utf8_does_not_spoil_the_status(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    error_set(&echo.service.error, ERR_INTERNAL, "caf\xc3\xa9 \xff\xc3");
    EchoRequest request = ECHO_REQUEST;
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_FAIL;
    request.count = ERR_INTERNAL;
    struct echo_got got;
    echo_call(&echo, &echo_method, &request, &got);
    assert_string_equal(got.reason, "INTERNAL");
    assert_string_equal(got.error.text, "caf\xc3\xa9 ??");
    assert_int_equal(got.outcome, OUTCOME_UNKNOWN);
    echo_stop(&echo);
}

static void the_deadline_ends_a_call_and_the_server_sees_it(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    EchoRequest request = ECHO_REQUEST;
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_HOLD;
    struct echo_got got = {0};
    int64_t before_ms = clock_now_ms(rpc_loop_clock(echo.loop));
    struct rpc_call_options options = {.deadline_ms = 300};
    rpc_call(echo.channel, &echo_method, &request.base, &options, echo_done, &got);
    echo_until(echo.loop, &got.times, 1);
    assert_true(clock_now_ms(rpc_loop_clock(echo.loop)) - before_ms >= 299);
    assert_int_equal(got.outcome, OUTCOME_UNKNOWN);
    assert_int_equal(got.error.code, ERR_PARTICIPANT_SILENT);
    assert_int_equal(got.status, 4);
    if (echo.service.n_held) { // it had arrived in time
        int64_t deadline_ms = rpc_inbound_deadline_ms(echo.service.held[0]);
        assert_in_range(deadline_ms, before_ms, before_ms + 300 + ECHO_PATIENCE_MS);
        while (!rpc_inbound_gone(echo.service.held[0]))
            rpc_loop_once(echo.loop, 10);
        echo_release(&echo.service);
    }
    echo_stop(&echo);
}

static void a_call_without_a_server_is_retry_for_it_was_never_sent(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    struct error error = {0};
    static const char *const targets[] = {"127.0.0.1:1", "dns:///127.0.0.1:1", "ipv4:127.0.0.1:1", "unix:/nowhere"};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct rpc_channel *nobody = rpc_channel_open(echo.loop, targets[i], NULL, &error);
        EchoRequest request = ECHO_REQUEST;
        struct echo_got got = {0};
        struct rpc_call_options options = {.deadline_ms = ECHO_PATIENCE_MS};
        rpc_call(nobody, &echo_method, &request.base, &options, echo_done, &got);
        echo_until(echo.loop, &got.times, 1);
        assert_int_equal(got.outcome, OUTCOME_RETRY);
        assert_int_equal(got.error.code, ERR_PARTICIPANT_UNAVAILABLE);
        assert_int_equal(got.status, 14);
        rpc_channel_close(nobody);
    }
    echo_stop(&echo);
}

// What a server says of its own connections is no evidence about ours.
static void a_server_that_speaks_of_failed_connections_is_unknown(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    char dns[80], ipv4[80];
    snprintf(dns, sizeof dns, "dns:///%s", echo.target);
    snprintf(ipv4, sizeof ipv4, "ipv4:%s", echo.target);
    const char *targets[] = {echo.target, dns, ipv4};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct error error = {0};
        rpc_channel_close(echo.channel);
        echo.channel = rpc_channel_open(echo.loop, targets[i], NULL, &error);
        error_set(&echo.service.error, ERR_RETRIES_EXHAUSTED, "failed to connect to all addresses; last error: none");
        EchoRequest request = ECHO_REQUEST;
        request.what = TXCENTER__TEST__V1__WHAT__WHAT_FAIL;
        request.count = ERR_RETRIES_EXHAUSTED;
        struct echo_got got;
        echo_call(&echo, &echo_method, &request, &got);
        assert_int_equal(got.status, 14);
        assert_int_equal(got.outcome, OUTCOME_UNKNOWN);
        assert_int_equal(got.error.code, ERR_PARTICIPANT_SILENT);
    }
    echo_stop(&echo);
}

static void closing_the_channel_ends_its_calls_as_unknown(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    EchoRequest request = ECHO_REQUEST;
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_HOLD;
    struct echo_got got[2] = {0};
    struct rpc_call_options options = {.deadline_ms = ECHO_PATIENCE_MS};
    for (size_t i = 0; i < 2; i++)
        rpc_call(echo.channel, &echo_method, &request.base, &options, echo_done, &got[i]);
    echo_until(echo.loop, &echo.service.n_held, 2);
    rpc_channel_close(echo.channel);
    echo.channel = NULL;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(got[i].times, 1);
        assert_int_equal(got[i].outcome, OUTCOME_UNKNOWN);
    }
    // The server hears that the callers have left; answering is still right, and the calls end.
    while (!rpc_inbound_gone(echo.service.held[0]) || !rpc_inbound_gone(echo.service.held[1]))
        rpc_loop_once(echo.loop, 10);
    echo_release(&echo.service);
    echo_release(&echo.service);
    while (rpc_server_in_flight(echo.server))
        rpc_loop_once(echo.loop, 10);
    echo_stop(&echo);
}

struct persistent {
    struct rpc_channel *channel;
    size_t times;
    enum outcome last;
};

static void call_again(void *ctx, const struct rpc_result *result) {
    struct persistent *persistent = ctx;
    persistent->last = result->outcome;
    EchoRequest request = ECHO_REQUEST;
    if (++persistent->times == 1)
        rpc_call(persistent->channel, &echo_method, &request.base, &(struct rpc_call_options){.deadline_ms = 1000},
                 call_again, persistent);
}

static void a_call_made_while_the_channel_closes_is_refused_later(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    EchoRequest request = ECHO_REQUEST;
    struct persistent persistent = {.channel = echo.channel};
    rpc_call(echo.channel, &echo_method, &request.base, &(struct rpc_call_options){.deadline_ms = 1000}, call_again,
             &persistent);
    rpc_channel_close(echo.channel);
    echo.channel = NULL;
    assert_int_equal(persistent.times, 1);
    assert_int_equal(persistent.last, OUTCOME_UNKNOWN);
    echo_until(echo.loop, &persistent.times, 2);
    assert_int_equal(persistent.last, OUTCOME_RETRY);
    echo_stop(&echo);
}

static void the_channel_refuses_more_calls_than_it_may_have_in_flight(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, &(struct rpc_channel_options){.in_flight_max = 2});
    EchoRequest request = ECHO_REQUEST;
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_HOLD;
    struct echo_got got[3] = {0};
    struct rpc_call_options options = {.deadline_ms = ECHO_PATIENCE_MS};
    for (size_t i = 0; i < 3; i++)
        rpc_call(echo.channel, &echo_method, &request.base, &options, echo_done, &got[i]);
    assert_int_equal(got[2].times, 0);
    echo_until(echo.loop, &got[2].times, 1);
    assert_int_equal(got[2].outcome, OUTCOME_RETRY);
    assert_int_equal(got[2].error.code, ERR_OVERLOADED);
    echo_until(echo.loop, &echo.service.n_held, 2);
    echo_release(&echo.service);
    echo_release(&echo.service);
    echo_until(echo.loop, &got[0].times, 1);
    echo_until(echo.loop, &got[1].times, 1);
    echo_stop(&echo);
}

static void a_path_and_bytes_are_enough_for_a_call(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    EchoRequest request = ECHO_REQUEST;
    request.text = (char *)(uintptr_t) "raw";
    struct arena arena;
    arena_init(&arena, 4096);
    struct echo_got got = {0};
    struct rpc_call_options options = {.deadline_ms = ECHO_PATIENCE_MS};
    rpc_call_bytes(echo.channel, "/txcenter.test.v1.EchoService/Echo", rpc_encode(&request.base, &arena), &options,
                   echo_done, &got);
    echo_until(echo.loop, &got.times, 1);
    assert_int_equal(got.outcome, OUTCOME_OK);
    got = (struct echo_got){0};
    rpc_call_bytes(echo.channel, "/no.Such/Method", STR_NONE, &options, echo_done, &got);
    echo_until(echo.loop, &got.times, 1);
    assert_int_equal(got.status, 12);
    assert_int_equal(got.outcome, OUTCOME_RETRY);
    arena_release(&arena);
    echo_stop(&echo);
}

static void waiting_for_a_call_gives_its_message_or_the_servers_own_error(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    struct arena arena;
    arena_init(&arena, 4096);
    EchoRequest request = ECHO_REQUEST;
    request.text = (char *)(uintptr_t) "wait";
    const ProtobufCMessage *message = NULL;
    struct error error = {0};
    struct rpc_call_options options = {.deadline_ms = ECHO_PATIENCE_MS};
    assert_true(
        rpc_call_wait(echo.loop, echo.channel, &echo_method, &request.base, &options, &arena, &message, &error));
    assert_string_equal(((const EchoResponse *)(const void *)message)->text, "wait");
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_FAIL;
    request.count = ERR_QUOTE_EXPIRED;
    snprintf(echo.service.error.text, sizeof echo.service.error.text, "quote 2 has expired");
    assert_false(
        rpc_call_wait(echo.loop, echo.channel, &echo_method, &request.base, &options, &arena, &message, &error));
    assert_int_equal(error.code, ERR_QUOTE_EXPIRED);
    assert_string_equal(error.text, "quote 2 has expired");
    arena_release(&arena);
    echo_stop(&echo);
}

static void ten_thousand_calls_are_answered(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    EchoRequest request = ECHO_REQUEST;
    request.text = (char *)(uintptr_t) "again";
    struct rpc_call_options options = {.deadline_ms = ECHO_PATIENCE_MS};
    struct echo_got got = {0};
    for (size_t sent = 0; sent < 10000;) {
        for (size_t i = 0; i < 50; i++, sent++)
            rpc_call(echo.channel, &echo_method, &request.base, &options, echo_done, &got);
        echo_until(echo.loop, &got.times, sent);
        assert_int_equal(got.outcome, OUTCOME_OK);
    }
    assert_int_equal(echo.service.calls, 10000);
    echo_stop(&echo);
}

// A caller that calls again whenever it fails, which is at once: gRPC doesn't even wait for a connection.
struct hammer {
    struct rpc_channel *nobody;
    size_t times;
    bool enough;
};

static void strike(void *ctx, const struct rpc_result *result) {
    (void)result;
    struct hammer *hammer = ctx;
    hammer->times++;
    EchoRequest request = ECHO_REQUEST;
    if (!hammer->enough)
        rpc_call(hammer->nobody, &echo_method, &request.base, &(struct rpc_call_options){.deadline_ms = 60000}, strike,
                 hammer);
}

struct waited {
    struct rpc_loop *loop;
    struct echo_got got;
};

static void stop_when_done(void *ctx, const struct rpc_result *result) {
    struct waited *waited = ctx;
    echo_done(&waited->got, result);
    rpc_loop_stop(waited->loop);
}

static void calls_that_fail_at_once_do_not_keep_others_from_the_network(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    struct error error = {0};
    struct hammer hammer = {.nobody = rpc_channel_open(echo.loop, "127.0.0.1:1", NULL, &error)};
    strike(&hammer, NULL);
    echo_until(echo.loop, &hammer.times, 100);
    EchoRequest request = ECHO_REQUEST;
    struct waited waited = {.loop = echo.loop};
    rpc_call(echo.channel, &echo_method, &request.base, &(struct rpc_call_options){.deadline_ms = 60000},
             stop_when_done, &waited);
    rpc_loop_run(echo.loop);
    assert_int_equal(waited.got.outcome, OUTCOME_OK);
    hammer.enough = true;
    rpc_channel_close(hammer.nobody);
    echo_stop(&echo);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(an_answer_may_come_later),
        cmocka_unit_test(an_error_arrives_with_its_reason_fields_and_delay),
        cmocka_unit_test(a_text_that_is_not_utf8_does_not_spoil_the_status),
        cmocka_unit_test(the_deadline_ends_a_call_and_the_server_sees_it),
        cmocka_unit_test(a_call_without_a_server_is_retry_for_it_was_never_sent),
        cmocka_unit_test(a_server_that_speaks_of_failed_connections_is_unknown),
        cmocka_unit_test(closing_the_channel_ends_its_calls_as_unknown),
        cmocka_unit_test(a_call_made_while_the_channel_closes_is_refused_later),
        cmocka_unit_test(the_channel_refuses_more_calls_than_it_may_have_in_flight),
        cmocka_unit_test(a_path_and_bytes_are_enough_for_a_call),
        cmocka_unit_test(waiting_for_a_call_gives_its_message_or_the_servers_own_error),
        cmocka_unit_test(ten_thousand_calls_are_answered),
        cmocka_unit_test(calls_that_fail_at_once_do_not_keep_others_from_the_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
