#include "base/clock.h"
#include "base/str.h"
#include "tests/base/seeded.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void assert_format(int64_t unix_ms, const char *expected) {
    char text[25];
    clock_format(unix_ms, text);
    assert_string_equal(text, expected);
}

static void test_times_are_written_as_rfc_3339_in_utc(void **state) {
    (void)state;
    assert_format(0, "1970-01-01T00:00:00.000Z");
    assert_format(1, "1970-01-01T00:00:00.001Z");
    assert_format(-1, "1969-12-31T23:59:59.999Z");
    assert_format(-1000, "1969-12-31T23:59:59.000Z");
    assert_format(1769903999123, "2026-01-31T23:59:59.123Z");
    assert_format(951782400000, "2000-02-29T00:00:00.000Z");
    assert_format(253402300799999, "9999-12-31T23:59:59.999Z");
    assert_format(-62167219200000, "0000-01-01T00:00:00.000Z");
}

static void test_times_beyond_four_digits_of_years_are_a_dash(void **state) {
    (void)state;
    assert_format(253402300800000, "-");
    assert_format(-62167219200001, "-");
    assert_format(INT64_MAX, "-");
    assert_format(INT64_MIN, "-");
}

static int digits(const char *text, size_t n) {
    int64_t number = -1;
    assert_true(str_to_i64(str_n(text, n), &number));
    return (int)number;
}

static void test_what_is_written_is_that_moment(void **state) {
    (void)state;
    struct seeded seeded = {101};
    for (int round = 0; round < 10000; round++) {
        int64_t at = (int64_t)seeded_below(&seeded, 253402300800000u + 62167219200000u) - 62167219200000;
        char text[25];
        clock_format(at, text);
        struct tm tm = {.tm_year = digits(text, 4) - 1900, .tm_mon = digits(text + 5, 2) - 1};
        tm.tm_mday = digits(text + 8, 2);
        tm.tm_hour = digits(text + 11, 2);
        tm.tm_min = digits(text + 14, 2);
        tm.tm_sec = digits(text + 17, 2);
        assert_int_equal((int64_t)timegm(&tm) * 1000 + digits(text + 20, 3), at);
    }
}

static void test_the_system_clock_starts_at_the_wall_clock(void **state) {
    (void)state;
    struct timespec wall;
    int64_t now = clock_now_ms(clock_system());
    clock_gettime(CLOCK_REALTIME, &wall);
    int64_t difference = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000 - now;
    assert_true(difference > -5000 && difference < 5000);
    int64_t drift = clock_drift_ms();
    assert_true(drift > -5000 && drift < 5000);
}

static void *never_back(void *ret_ok) {
    int64_t before_ms = 0, before_ns = 0;
    for (int i = 0; i < 20000; i++) {
        int64_t ms = clock_now_ms(clock_system()), ns = clock_monotonic_ns();
        if (ms < before_ms || ns < before_ns)
            return NULL;
        before_ms = ms;
        before_ns = ns;
    }
    *(bool *)ret_ok = true;
    return NULL;
}

static void test_the_system_clock_never_goes_back_in_any_thread(void **state) {
    (void)state;
    pthread_t threads[4];
    bool ok[4] = {0};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, never_back, &ok[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_true(ok[i]);
    }
}

static void test_moments_are_those_of_the_years_1_to_9999(void **state) {
    (void)state;
    assert_true(clock_is_moment(-62135596800, 0) && clock_is_moment(253402300799, 999999999));
    assert_false(clock_is_moment(-62135596801, 0) || clock_is_moment(253402300800, 0));
    assert_false(clock_is_moment(0, -1) || clock_is_moment(0, 1000000000));
    assert_int_equal(clock_moment_ms(1, 999999999), 1999);
    assert_int_equal(clock_moment_ms(INT64_MAX, 0), INT64_C(253402300799000));
    assert_int_equal(clock_moment_ms(INT64_MIN, 0), INT64_C(-62135596800000));
}

static void test_a_day_is_the_time_zone_s(void **state) {
    (void)state;
    static const struct {
        const char *zone;
        int64_t unix_ms;
        const char *day;
    } rows[] = {
        {"UTC", 0, "1970-01-01"},          {"UTC", -1, "1969-12-31"},  {"CST-8", 57599999, "1970-01-01"},
        {"CST-8", 57600000, "1970-01-02"}, {"XYZ+5", 0, "1969-12-31"}, {"UTC", INT64_MAX, "-"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char day[11];
        assert_int_equal(setenv("TZ", rows[i].zone, 1), 0); // NOLINT(concurrency-mt-unsafe): there is one thread
        clock_date(rows[i].unix_ms, day);
        assert_string_equal(day, rows[i].day);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_are_written_as_rfc_3339_in_utc),
        cmocka_unit_test(test_times_beyond_four_digits_of_years_are_a_dash),
        cmocka_unit_test(test_what_is_written_is_that_moment),
        cmocka_unit_test(test_a_day_is_the_time_zone_s),
        cmocka_unit_test(test_moments_are_those_of_the_years_1_to_9999),
        cmocka_unit_test(test_the_system_clock_starts_at_the_wall_clock),
        cmocka_unit_test(test_the_system_clock_never_goes_back_in_any_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
