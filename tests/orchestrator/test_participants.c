// The channels and adapters that a configuration asks for.
#include "orchestrator/participants.h"
#include "tests/cmocka.h"

static void test_each_system_has_the_bounds_of_its_row(void **state) {
    (void)state;
    struct config config;
    struct buf report;
    buf_init(&report, 4096);
    assert_true(config_parse("t.yaml",
                             STR("participants:\n"
                                 "  user: {target: 'unix:/nowhere', in_flight_max: 3, deadline_ms: 1234}\n"
                                 "  coupon: {target: 'unix:/nowhere', in_flight_max: 5}\n"
                                 "  points: {target: 'unix:/elsewhere', rate_per_s: 7}\n"),
                             false, &config, &report));
    struct rpc_loop *loop = rpc_loop_new();
    struct participants participants;
    struct error error = {0};
    assert_true(participants_open(loop, &config, &participants, &error));
    const struct adapters *adapters = &participants.adapters;
    struct saga_gate gates[CONFIG_SYSTEMS];
    participants_gates(&config, gates);
    assert_string_equal(gates[CONFIG_USER].participant, "user");
    assert_int_equal(gates[CONFIG_USER].limits.in_flight_max, 3);
    assert_int_equal(gates[CONFIG_COUPON].limits.in_flight_max, 5);
    assert_int_equal(gates[CONFIG_POINTS].limits.rate_per_s, 7);
    assert_int_equal(gates[CONFIG_POINTS].limits.failures_max, 20);
    assert_int_equal(adapters->user.deadline_ms, 1234);
    assert_string_equal(adapters->user.system, "user");
    assert_ptr_equal(adapters->user.channel, adapters->coupon.channel);
    assert_ptr_not_equal(adapters->user.channel, adapters->points.channel);
    participants_close(&participants);
    rpc_loop_free(loop);
    config_release(&config);
    buf_release(&report);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_system_has_the_bounds_of_its_row)};
    return cmocka_run_group_tests_name("orchestrator/participants", tests, NULL, NULL);
}
