#include "orchestrator/vitals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static unsigned look(struct vitals *vitals, int64_t drift_ms, bool store_down) {
    struct vitals_seen seen = {.drift_ms = drift_ms, .store_down = store_down};
    return vitals_look(vitals, &seen);
}

static void test_a_jump_of_the_wall_clock_is_said_once_in_either_direction(void **state) {
    (void)state;
    struct vitals vitals = {0};
    assert_int_equal(look(&vitals, VITALS_DRIFT_MS - 1, false), 0);
    assert_int_equal(look(&vitals, 3600000, false), VITALS_CLOCK_JUMPED);
    assert_int_equal(look(&vitals, 3600010, false), 0);
    assert_int_equal(look(&vitals, -5000, false), VITALS_CLOCK_JUMPED);
    assert_int_equal(look(&vitals, -5000, false), 0);
}

static void test_slow_drift_is_said_when_it_has_added_up(void **state) {
    (void)state;
    struct vitals vitals = {0};
    unsigned said = 0;
    for (int64_t drift_ms = 0; drift_ms <= 2 * VITALS_DRIFT_MS; drift_ms += 10)
        said += look(&vitals, drift_ms, false) == VITALS_CLOCK_JUMPED;
    assert_int_equal(said, 2);
}

static void test_a_store_that_goes_and_comes_is_said_once_each_time(void **state) {
    (void)state;
    struct vitals vitals = {0};
    assert_int_equal(look(&vitals, 0, false), 0);
    assert_int_equal(look(&vitals, 0, true), VITALS_STORE_DOWN);
    assert_int_equal(look(&vitals, 0, true), 0);
    assert_int_equal(look(&vitals, 5000, false), VITALS_CLOCK_JUMPED | VITALS_STORE_BACK);
}

static void test_a_cache_that_goes_and_comes_is_said_once_each_time(void **state) {
    (void)state;
    struct vitals vitals = {0};
    static const struct vitals_seen well = {0}, down = {.cache_down = true},
                                    both = {.cache_down = true, .store_down = true};
    assert_int_equal(vitals_look(&vitals, &well), 0);
    assert_int_equal(vitals_look(&vitals, &down), VITALS_CACHE_DOWN);
    assert_int_equal(vitals_look(&vitals, &both), VITALS_STORE_DOWN);
    assert_int_equal(vitals_look(&vitals, &well), VITALS_CACHE_BACK | VITALS_STORE_BACK);
}

static void test_settings_that_weaken_the_store_are_said_once_each(void **state) {
    (void)state;
    struct vitals vitals = {0};
    static const struct vitals_seen sound = {0}, flush = {.store_warning = "flush is 2"},
                                    binlog = {.store_warning = "sync_binlog is 0"};
    assert_int_equal(vitals_look(&vitals, &sound), 0);
    assert_int_equal(vitals_look(&vitals, &flush), VITALS_STORE_WEAK);
    assert_int_equal(vitals_look(&vitals, &flush), 0);
    assert_int_equal(vitals_look(&vitals, &binlog), VITALS_STORE_WEAK);
    assert_int_equal(vitals_look(&vitals, &sound), VITALS_STORE_SOUND);
    assert_int_equal(vitals_look(&vitals, &sound), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_jump_of_the_wall_clock_is_said_once_in_either_direction),
        cmocka_unit_test(test_slow_drift_is_said_when_it_has_added_up),
        cmocka_unit_test(test_a_store_that_goes_and_comes_is_said_once_each_time),
        cmocka_unit_test(test_a_cache_that_goes_and_comes_is_said_once_each_time),
        cmocka_unit_test(test_settings_that_weaken_the_store_are_said_once_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
