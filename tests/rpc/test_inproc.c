// The in-process transport: the same calls as over gRPC, with a virtual clock and faults on demand.
#include "rpc/inproc.h"

#include "tests/cmocka.h"
#include "tests/rpc/echo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- A virtual scheduler ------------------------------------------------------------------------------------------

enum { EVENTS_MAX = 64 };

struct event {
    int64_t due_ms;
    size_t number;
    void (*fn)(void *arg);
    void *arg;
};

struct virtual {
    int64_t now_ms;
    struct clock clock;
    struct event events[EVENTS_MAX];
    size_t n, numbers;
};

static int64_t virtual_now(void *ctx) {
    return ((struct virtual *)ctx)->now_ms;
}

static void virtual_later(void *ctx, int64_t delay_ms, void (*fn)(void *arg), void *arg) {
    struct virtual *virtual = ctx;
    assert_true(virtual->n < EVENTS_MAX);
    virtual->events[virtual->n++] = (struct event){virtual->now_ms + delay_ms, virtual->numbers++, fn, arg};
}

// Runs the next event; false when there is none.
static bool virtual_step(struct virtual *virtual) {
    if (!virtual->n)
        return false;
    size_t first = 0;
    for (size_t i = 1; i < virtual->n; i++) {
        const struct event *a = &virtual->events[i], *b = &virtual->events[first];
        if (a->due_ms < b->due_ms || (a->due_ms == b->due_ms && a->number < b->number))
            first = i;
    }
    struct event event = virtual->events[first];
    virtual->events[first] = virtual->events[--virtual->n];
    virtual->now_ms = event.due_ms;
    event.fn(event.arg);
    return true;
}

struct net {
    struct virtual virtual;
    struct rpc_inproc *inproc;
    struct echo_service service;
    struct rpc_inproc_fate fate;
    struct rpc_channel *channel;
};

static void decide(void *ctx, const struct rpc_method *method, struct rpc_inproc_fate *fate) {
    (void)method;
    *fate = ((struct net *)ctx)->fate;
}

static void net_start(struct net *net) {
    *net = (struct net){.virtual.now_ms = 1000};
    net->virtual.clock = (struct clock){&net->virtual, virtual_now};
    struct rpc_scheduler scheduler = {&net->virtual, &net->virtual.clock, virtual_later};
    net->inproc = rpc_inproc_new(&scheduler);
    rpc_inproc_add(net->inproc, echo_routes, echo_n_routes, &net->service);
    net->channel = rpc_inproc_channel(net->inproc, "tester", decide, net);
}

static void net_stop(struct net *net) {
    rpc_channel_close(net->channel);
    rpc_inproc_free(net->inproc);
}

static void net_call(struct net *net, const EchoRequest *request, struct echo_got *got) {
    static const struct rpc_header headers[] = {{"tx-gid", {"g1", 2}}, {NULL, {NULL, 0}}};
    *got = (struct echo_got){0};
    rpc_call(net->channel, &echo_method, &request->base,
             &(struct rpc_call_options){.deadline_ms = 500, .headers = headers}, echo_done, got);
    assert_int_equal(got->times, 0);
}

static void net_run(struct net *net) {
    while (virtual_step(&net->virtual))
        ;
}

// ---- Tests --------------------------------------------------------------------------------------------------------

static void a_call_is_served_and_answered(void **state) {
    (void)state;
    struct net net;
    net_start(&net);
    EchoRequest request = ECHO_REQUEST;
    request.text = (char *)(uintptr_t) "hello";
    struct echo_got got;
    net.fate = (struct rpc_inproc_fate){.request_delay_ms = 30, .response_delay_ms = 12};
    net_call(&net, &request, &got);
    while (!got.times)
        virtual_step(&net.virtual);
    assert_int_equal(net.virtual.now_ms, 1042);
    assert_int_equal(got.outcome, OUTCOME_OK);
    assert_string_equal(got.text, "hello");
    assert_string_equal(got.caller, "tester");
    net_run(&net);
    assert_int_equal(got.times, 1);
    net_stop(&net);
}

static void an_error_means_the_same_as_over_grpc(void **state) {
    (void)state;
    struct net net;
    net_start(&net);
    EchoRequest request = ECHO_REQUEST;
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_FAIL;
    request.count = ERR_OVERLOADED;
    net.service.error.retry_after_ms = 70;
    struct echo_got got;
    net_call(&net, &request, &got);
    net_run(&net);
    assert_int_equal(got.outcome, OUTCOME_RETRY);
    assert_string_equal(got.reason, "OVERLOADED");
    assert_int_equal(got.error.retry_after_ms, 70);
    net_stop(&net);
}

static void a_refused_request_is_retry_and_takes_no_effect(void **state) {
    (void)state;
    struct net net;
    net_start(&net);
    net.fate = (struct rpc_inproc_fate){.drop_request = true, .refuse = true};
    EchoRequest request = ECHO_REQUEST;
    struct echo_got got;
    net_call(&net, &request, &got);
    net_run(&net);
    assert_int_equal(got.outcome, OUTCOME_RETRY);
    assert_int_equal(net.service.calls, 0);
    net_stop(&net);
}

static void a_lost_request_and_a_lost_answer_look_alike(void **state) {
    (void)state;
    for (size_t lost = 0; lost < 2; lost++) {
        struct net net;
        net_start(&net);
        net.fate = (struct rpc_inproc_fate){.drop_request = lost == 0, .drop_response = lost == 1};
        EchoRequest request = ECHO_REQUEST;
        struct echo_got got;
        net_call(&net, &request, &got);
        while (!got.times)
            virtual_step(&net.virtual);
        assert_int_equal(net.virtual.now_ms, 1500);
        assert_int_equal(got.outcome, OUTCOME_UNKNOWN);
        assert_int_equal(got.error.code, ERR_PARTICIPANT_SILENT);
        assert_int_equal(net.service.calls, lost);
        net_run(&net);
        net_stop(&net);
    }
}

static void a_request_may_arrive_after_its_caller_gave_up(void **state) {
    (void)state;
    struct net net;
    net_start(&net);
    net.fate = (struct rpc_inproc_fate){.request_delay_ms = 900};
    EchoRequest request = ECHO_REQUEST;
    struct echo_got got;
    net_call(&net, &request, &got);
    net_run(&net);
    assert_int_equal(got.times, 1);
    assert_int_equal(got.outcome, OUTCOME_UNKNOWN);
    assert_int_equal(net.service.calls, 1);
    net_stop(&net);
}

static void a_handler_may_answer_later_or_never(void **state) {
    (void)state;
    struct net net;
    net_start(&net);
    EchoRequest request = ECHO_REQUEST;
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_HOLD;
    struct echo_got got[3];
    for (size_t i = 0; i < 3; i++)
        net_call(&net, &request, &got[i]);
    while (net.service.n_held < 3)
        virtual_step(&net.virtual);
    assert_true(str_eq_c(rpc_inbound_header(net.service.held[0], "tx-gid"), "g1"));
    assert_int_equal(rpc_inbound_deadline_ms(net.service.held[0]), 1500);
    echo_release(&net.service);
    while (!got[0].times)
        virtual_step(&net.virtual);
    assert_string_equal(got[0].text, "released");
    net_run(&net); // past the deadlines
    assert_int_equal(got[1].outcome, OUTCOME_UNKNOWN);
    assert_true(rpc_inbound_gone(net.service.held[0]));
    echo_release(&net.service);
    net_run(&net);
    assert_int_equal(got[1].times, 1);
    net_stop(&net); // with the third one unanswered
}

static void closing_the_channel_ends_its_calls_as_unknown(void **state) {
    (void)state;
    struct net net;
    net_start(&net);
    EchoRequest request = ECHO_REQUEST;
    struct echo_got got[2];
    net_call(&net, &request, &got[0]);
    net_call(&net, &request, &got[1]);
    rpc_channel_close(net.channel);
    net.channel = rpc_inproc_channel(net.inproc, "again", NULL, NULL);
    assert_int_equal(got[0].times, 1);
    assert_int_equal(got[1].outcome, OUTCOME_UNKNOWN);
    net_run(&net);
    assert_int_equal(net.service.calls, 2); // the requests were on their way
    assert_int_equal(got[0].times, 1);
    net_stop(&net);
}

static void an_unknown_method_and_bad_bytes_are_refused_as_by_a_server(void **state) {
    (void)state;
    struct net net;
    net_start(&net);
    struct echo_got got = {0};
    struct rpc_call_options options = {.deadline_ms = 500};
    rpc_call_bytes(net.channel, "/no.Such/Method", STR("x"), &options, echo_done, &got);
    net_run(&net);
    assert_int_equal(got.status, 12);
    assert_string_equal(got.reason, "METHOD_UNKNOWN");
    rpc_call_bytes(net.channel, "/txcenter.test.v1.EchoService/Echo", STR("\x0a\x01\xff"), &options, echo_done, &got);
    net_run(&net);
    assert_int_equal(got.status, 3);
    assert_string_equal(got.error.fields[0].path, "text");
    net_stop(&net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_served_and_answered),
        cmocka_unit_test(an_error_means_the_same_as_over_grpc),
        cmocka_unit_test(a_refused_request_is_retry_and_takes_no_effect),
        cmocka_unit_test(a_lost_request_and_a_lost_answer_look_alike),
        cmocka_unit_test(a_request_may_arrive_after_its_caller_gave_up),
        cmocka_unit_test(a_handler_may_answer_later_or_never),
        cmocka_unit_test(closing_the_channel_ends_its_calls_as_unknown),
        cmocka_unit_test(an_unknown_method_and_bad_bytes_are_refused_as_by_a_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
