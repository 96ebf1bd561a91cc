// The end of a server: what is in flight finishes, what is new is refused, what is late is cut off.
#include "tests/cmocka.h"
#include "tests/rpc/echo.h"

#include <stdio.h>
#include <string.h>

static const struct rpc_call_options patient = {.deadline_ms = ECHO_PATIENCE_MS};

struct drained {
    size_t times;
};

static void note(void *ctx) {
    ((struct drained *)ctx)->times++;
}

static void hold(struct echo *echo, struct echo_got *got) {
    EchoRequest request = ECHO_REQUEST;
    request.what = TXCENTER__TEST__V1__WHAT__WHAT_HOLD;
    *got = (struct echo_got){0};
    rpc_call(echo->channel, &echo_method, &request.base, &patient, echo_done, got);
    echo_until(echo->loop, &echo->service.n_held, 1);
}

static void what_is_in_flight_finishes_and_what_is_new_is_refused(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.drain_ms = ECHO_PATIENCE_MS}, NULL);
    struct echo_got held, late;
    hold(&echo, &held);
    struct drained drained = {0};
    rpc_server_drain(echo.server, note, &drained);
    EchoRequest request = ECHO_REQUEST;
    echo_call(&echo, &echo_method, &request, &late);
    assert_int_equal(late.status, 14);
    assert_string_equal(late.reason, "SHUTTING_DOWN");
    assert_int_equal(late.outcome, OUTCOME_RETRY);
    assert_int_equal(drained.times, 0);
    echo_release(&echo.service);
    echo_until(echo.loop, &held.times, 1);
    assert_string_equal(held.text, "released");
    echo_until(echo.loop, &drained.times, 1);
    echo.drained = true;
    // Nobody listens any more.
    echo_call(&echo, &echo_method, &request, &late);
    assert_int_equal(late.outcome, OUTCOME_RETRY);
    assert_int_equal(drained.times, 1);
    echo_stop(&echo);
}

static void what_takes_longer_than_the_grace_is_cut_off(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.drain_ms = 50}, NULL);
    struct echo_got held;
    hold(&echo, &held);
    struct drained drained = {0};
    rpc_server_drain(echo.server, note, &drained);
    echo_until(echo.loop, &held.times, 1);
    assert_int_equal(held.outcome, OUTCOME_UNKNOWN); // it had begun
    assert_int_equal(drained.times, 0);              // its handler owes the answer
    while (!rpc_inbound_gone(echo.service.held[0]))
        rpc_loop_once(echo.loop, 10);
    echo_release(&echo.service);
    echo_until(echo.loop, &drained.times, 1);
    echo.drained = true;
    echo_stop(&echo);
}

static void an_idle_server_with_connections_ends_at_once(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.drain_ms = ECHO_PATIENCE_MS}, NULL);
    EchoRequest request = ECHO_REQUEST;
    struct echo_got got;
    echo_call(&echo, &echo_method, &request, &got);
    int64_t begin_ms = clock_now_ms(rpc_loop_clock(echo.loop));
    echo_drain(&echo);
    assert_true(clock_now_ms(rpc_loop_clock(echo.loop)) - begin_ms < ECHO_PATIENCE_MS / 2);
    echo_stop(&echo);
}

static void a_server_can_start_anew_and_the_channel_finds_it(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    EchoRequest request = ECHO_REQUEST;
    struct echo_got got;
    echo_call(&echo, &echo_method, &request, &got);
    echo_drain(&echo);
    rpc_server_free(echo.server);
    const char *const listen[] = {echo.target, NULL};
    echo.server = rpc_server_new(echo.loop, &(struct rpc_server_options){.listen = listen});
    rpc_server_add(echo.server, echo_routes, echo_n_routes, &echo.service);
    struct error error = {0};
    assert_true(rpc_server_start(echo.server, &error));
    echo.drained = false;
    do
        echo_call(&echo, &echo_method, &request, &got);
    while (got.outcome == OUTCOME_RETRY);
    assert_int_equal(got.outcome, OUTCOME_OK);
    echo_stop(&echo);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_flight_finishes_and_what_is_new_is_refused),
        cmocka_unit_test(what_takes_longer_than_the_grace_is_cut_off),
        cmocka_unit_test(an_idle_server_with_connections_ends_at_once),
        cmocka_unit_test(a_server_can_start_anew_and_the_channel_finds_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
