// Policies as numbers: how long until the next attempt.
#include "saga/machine.h"
#include "tests/base/seeded.h"
#include "tests/cmocka.h"

// [E6]
static void test_pauses_double_up_to_their_maximum(void **state) {
    (void)state;
    static const struct saga_retry retry = {.first_ms = 100, .max_ms = 1000};
    static const int64_t pauses[] = {100, 200, 400, 800, 1000, 1000};
    for (uint32_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++)
        assert_int_equal(saga_backoff_ms(&retry, i + 1, 12345), pauses[i]);
    assert_int_equal(saga_backoff_ms(&retry, UINT32_MAX, 12345), 1000);
}

// [E6] both ends of the spread are reached, and nothing beyond them
static void test_pauses_are_spread_by_their_jitter(void **state) {
    (void)state;
    static const struct saga_retry retry = {.first_ms = 100, .max_ms = 1000, .jitter_percent = 20};
    struct seeded seeded = {11};
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 10000; i++) {
        int64_t pause = saga_backoff_ms(&retry, 2, seeded_next(&seeded));
        least = pause < least ? pause : least;
        most = pause > most ? pause : most;
    }
    assert_int_equal(least, 160);
    assert_int_equal(most, 240);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pauses_double_up_to_their_maximum),
        cmocka_unit_test(test_pauses_are_spread_by_their_jitter),
    };
    return cmocka_run_group_tests_name("saga/machine, back-off", tests, NULL, NULL);
}
