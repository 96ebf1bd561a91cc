#include "base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    const char *wanted, *candidates[4], *best;
    unsigned distance;
} rows[] = {
    {"store", {"store", "stone"}, "store", 0},
    {"sotre", {"trade", "store", "score"}, "store", 2},
    {"stor", {"store"}, "store", 1},
    {"sstore", {"store"}, "store", 1},
    {"ab", {"xb", "ax"}, "xb", 1}, // the first of equals
    {"", {"a", "abc"}, "a", 1},
    {"batchmax", {"queue_max", "batch_max"}, "batch_max", 1},
    {"wibble", {"store", "trade", "sentinel"}, NULL, 4},
    {"store", {"0123456789012345678901234567890123456789x"}, NULL, 3},
    {"0123456789012345678901234567890123456789x", {"0123456789012345678901234567890123456789"}, NULL, 15},
};

static void test_the_nearest_candidate_is_found_when_it_is_near_enough(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct nearest nearest;
        nearest_init(&nearest, str_c(rows[i].wanted));
        for (size_t k = 0; k < 4 && rows[i].candidates[k]; k++)
            nearest_consider(&nearest, str_c(rows[i].candidates[k]));
        assert_int_equal(nearest.distance, rows[i].distance);
        assert_true(rows[i].best ? str_eq_c(nearest.best, rows[i].best) : nearest.best.ptr == NULL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_nearest_candidate_is_found_when_it_is_near_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
