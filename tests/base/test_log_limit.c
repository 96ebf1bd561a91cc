// A flood of lines is cut to so many a second, and none of it is left uncounted.
#include "base/log_limit.h"

#include "tests/cmocka.h"

static unsigned take(struct log_limit *limit, int64_t now_ms, unsigned n) {
    unsigned taken = 0;
    for (unsigned i = 0; i < n; i++)
        taken += log_limit_take(limit, now_ms);
    return taken;
}

static void test_what_is_seldom_is_written(void **state) {
    (void)state;
    struct log_limit limit = {0};
    for (int64_t now_ms = 5; now_ms < 100000; now_ms += 100)
        assert_true(log_limit_take(&limit, now_ms));
    assert_int_equal(log_limit_held_back(&limit), 0);
}

static void test_each_second_has_its_lines_and_the_others_are_counted_once(void **state) {
    (void)state;
    struct log_limit limit = {0};
    assert_int_equal(take(&limit, 7000, 100), LOG_LIMIT_LINES);
    assert_int_equal(take(&limit, 7999, 100), 0);
    assert_int_equal(log_limit_held_back(&limit), 200 - LOG_LIMIT_LINES);
    assert_int_equal(take(&limit, 8000, 100), LOG_LIMIT_LINES);
    assert_int_equal(log_limit_held_back(&limit), 100 - LOG_LIMIT_LINES); // also while it goes on
    assert_int_equal(log_limit_held_back(&limit), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_seldom_is_written),
        cmocka_unit_test(test_each_second_has_its_lines_and_the_others_are_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
