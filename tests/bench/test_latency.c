// The histogram of latencies says what a sorted list of them says, but for the width of a bucket.
#include "tests/base/seeded.h"
#include "tests/bench/latency.h"
#include "tests/cmocka.h"

#include <stdlib.h>

enum { SAMPLES = 20000 };

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void quantiles_are_those_of_the_samples(void **state) {
    (void)state;
    static const double shares[] = {0, 0.5, 0.9, 0.99, 0.999, 1};
    static int64_t samples[SAMPLES];
    static struct latency latency;
    struct seeded seeded = {.state = 7};
    for (int round = 0; round < 30; round++) {
        latency = (struct latency){0};
        for (int i = 0; i < SAMPLES; i++) {
            samples[i] = (int64_t)(seeded_next(&seeded) >> (30 + round));
            latency_add(&latency, samples[i]);
        }
        qsort(samples, SAMPLES, sizeof samples[0], by_size);
        for (size_t k = 0; k < sizeof shares / sizeof shares[0]; k++) {
            size_t at = (size_t)(shares[k] * SAMPLES);
            double expected = (double)samples[at < SAMPLES ? at : SAMPLES - 1] / 1e6;
            double found = latency_ms(&latency, shares[k]);
            assert_true(found >= expected && found <= expected * 1.035);
        }
    }
}

static void what_is_beyond_the_last_bucket_counts_all_the_same(void **state) {
    (void)state;
    static struct latency latency;
    assert_true(latency_ms(&latency, 0.5) == 0);
    latency_add(&latency, -5);
    latency_add(&latency, INT64_MAX);
    assert_int_equal(latency.n, 2);
    assert_true(latency_ms(&latency, 0) <= 0);
    assert_true(latency_ms(&latency, 1) > 1e6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_those_of_the_samples),
        cmocka_unit_test(what_is_beyond_the_last_bucket_counts_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
