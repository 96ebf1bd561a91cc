// Reflection, asked by another implementation's client.
#include "tests/cmocka.h"
#include "tests/rpc/echo.h"

#include <stdlib.h>
#include <string.h>

static void a_client_that_knows_nothing_can_call(void **state) {
    (void)state;
    static const char *const packages[] = {"grpc.reflection.v1", "grpc.reflection.v1alpha"};
    struct str set = echo_descriptors();
    struct echo echo;
    echo_start(&echo, &(struct rpc_server_options){.descriptor_set = set}, NULL);
    for (size_t i = 0; i < 2; i++)
        echo_run_python(&echo, "reflection.py", packages[i]);
    assert_int_equal(echo.service.calls, 2);
    echo_stop(&echo);
    free((void *)(uintptr_t)set.ptr);
}

static void without_a_descriptor_set_there_is_no_reflection(void **state) {
    (void)state;
    struct echo echo;
    echo_start(&echo, NULL, NULL);
    struct echo_got got = {0};
    struct rpc_call_options options = {.deadline_ms = ECHO_PATIENCE_MS};
    rpc_call_bytes(echo.channel, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", STR_NONE, &options,
                   echo_done, &got);
    echo_until(echo.loop, &got.times, 1);
    assert_int_equal(got.status, 12);
    echo_stop(&echo);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_knows_nothing_can_call),
        cmocka_unit_test(without_a_descriptor_set_there_is_no_reflection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
