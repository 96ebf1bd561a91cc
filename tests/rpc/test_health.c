// grpc.health.v1, asked with our own client.
#include "tests/cmocka.h"
#include "tests/rpc/echo.h"

#include "grpc/health/v1/health.pb-c.h"

#include <stdio.h>
#include <string.h>

#define SERVICE &grpc__health__v1__health__descriptor
#define STATUS(name) GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##name

static const struct rpc_method check_method = {SERVICE, "Check", .server_streaming = false};
static const struct rpc_method watch_method = {SERVICE, "Watch", .server_streaming = true};

struct health_got {
    size_t times, messages;
    int status;    // of the call
    int served[8]; // what was told
};

static bool each(void *ctx, const ProtobufCMessage *message) {
    struct health_got *got = ctx;
    assert_true(got->messages < 8);
    got->served[got->messages++] = (int)((const Grpc__Health__V1__HealthCheckResponse *)(const void *)message)->status;
    return true;
}

static void done(void *ctx, const struct rpc_result *result) {
    struct health_got *got = ctx;
    got->times++;
    got->status = result->grpc_status;
    if (result->message)
        each(ctx, result->message);
}

static const struct rpc_call_options patient = {.deadline_ms = ECHO_PATIENCE_MS};

static struct health_got check(struct echo *echo, const char *service) {
    struct health_got got = {0};
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = (char *)(uintptr_t)service;
    rpc_call(echo->channel, &check_method, &request.base, &patient, done, &got);
    echo_until(echo->loop, &got.times, 1);
    return got;
}

static void watch(struct echo *echo, const char *service, struct health_got *got) {
    *got = (struct health_got){0};
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = (char *)(uintptr_t)service;
    rpc_stream(echo->channel, &watch_method, &request.base, &patient, each, done, got);
    echo_until(echo->loop, &got->messages, 1);
}

static void the_server_and_its_services_serve(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    assert_int_equal(check(&echo, "").served[0], STATUS(SERVING));
    assert_int_equal(check(&echo, "txcenter.test.v1.EchoService").served[0], STATUS(SERVING));
    rpc_server_set_health(echo.server, false);
    assert_int_equal(check(&echo, "txcenter.test.v1.EchoService").served[0], STATUS(NOT_SERVING));
    assert_int_equal(check(&echo, "").served[0], STATUS(NOT_SERVING));
    assert_int_equal(check(&echo, "no.Such").status, 5);
    echo_stop(&echo);
}

static void a_watch_hears_each_change_and_only_changes(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    struct health_got one, all, other;
    watch(&echo, "txcenter.test.v1.EchoService", &one);
    watch(&echo, "", &all);
    watch(&echo, "no.Such", &other);
    rpc_server_set_health(echo.server, false);
    rpc_server_set_health(echo.server, false);
    rpc_server_set_health(echo.server, true);
    echo_until(echo.loop, &one.messages, 3);
    echo_until(echo.loop, &all.messages, 3);
    assert_int_equal(one.served[0], STATUS(SERVING));
    assert_int_equal(one.served[1], STATUS(NOT_SERVING));
    assert_int_equal(one.served[2], STATUS(SERVING));
    assert_int_equal(other.served[0], STATUS(SERVICE_UNKNOWN));
    assert_int_equal(other.messages, 1);
    echo_stop(&echo);
}

static void draining_tells_the_watchers_and_ends_their_watch(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    struct health_got all;
    watch(&echo, "", &all);
    struct rpc_channel *channel = echo.channel;
    echo.channel = NULL; // open while the server goes
    echo_drain(&echo);
    echo_until(echo.loop, &all.times, 1);
    assert_int_equal(all.messages, 2);
    assert_int_equal(all.served[1], STATUS(NOT_SERVING));
    assert_int_equal(all.status, 0);
    rpc_channel_close(channel);
    echo_stop(&echo);
}

static void a_watcher_that_leaves_is_forgotten(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    struct health_got all;
    watch(&echo, "", &all);
    rpc_channel_close(echo.channel);
    struct error error = {0};
    echo.channel = rpc_channel_open(echo.loop, echo.target, NULL, &error);
    check(&echo, "");
    rpc_server_set_health(echo.server, false);
    assert_int_equal(check(&echo, "").served[0], STATUS(NOT_SERVING));
    echo_stop(&echo);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_server_and_its_services_serve),
        cmocka_unit_test(a_watch_hears_each_change_and_only_changes),
        cmocka_unit_test(draining_tells_the_watchers_and_ends_their_watch),
        cmocka_unit_test(a_watcher_that_leaves_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
