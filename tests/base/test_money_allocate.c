#include "base/money.h"
#include "tests/base/seeded.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SHARES_MAX = 12 };

// The definition, by brute force: everyone gets the rounded-down share; then, one at a time, the share that is furthest
// behind its exact due gets one more (the lower index when two are equally far).
static void allocate_slowly(int64_t total, const int64_t *weights, size_t n, int64_t *parts) {
    __int128 sum = 0;
    int64_t left = total;
    for (size_t i = 0; i < n; i++)
        sum += weights[i];
    for (size_t i = 0; i < n; i++) {
        parts[i] = sum ? (int64_t)((__int128)total * weights[i] / sum) : 0;
        left -= parts[i];
    }
    if (sum == 0) {
        parts[0] = total;
        return;
    }
    for (; left > 0; left--) {
        size_t best = n;
        __int128 best_behind = 0;
        for (size_t i = 0; i < n; i++) {
            __int128 behind = (__int128)total * weights[i] - (__int128)parts[i] * sum;
            if (weights[i] > 0 && (best == n || behind > best_behind)) {
                best = i;
                best_behind = behind;
            }
        }
        assert(best < n);
        parts[best]++;
    }
}

static size_t random_weights(struct seeded *seeded, int64_t *weights) {
    size_t n = 1 + seeded_below(seeded, SHARES_MAX);
    uint64_t largest = seeded_below(seeded, 3) == 0 ? MONEY_MAX + 1 : 1 + seeded_below(seeded, 40);
    for (size_t i = 0; i < n; i++)
        weights[i] = seeded_below(seeded, 5) == 0 ? 0 : (int64_t)seeded_below(seeded, largest);
    return n;
}

static int64_t sum_of(const int64_t *values, size_t n) {
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return sum;
}

static void assert_fair(int64_t total, const int64_t *weights, size_t n, const int64_t *parts) {
    int64_t weight = sum_of(weights, n);
    assert_int_equal(sum_of(parts, n), total);
    for (size_t i = 0; i < n; i++) {
        assert_true(parts[i] >= 0);
        if (total <= weight)
            assert_true(parts[i] <= weights[i]);
        if (weight > 0 && weights[i] == 0)
            assert_int_equal(parts[i], 0);
        if (weight > 0) { // within one unit of the exact due
            __int128 off = (__int128)parts[i] * weight - (__int128)total * weights[i];
            assert_true(off < weight && off > -(__int128)weight);
        }
        for (size_t k = 0; k < i; k++)
            assert_true(weights[k] >= weights[i] ? parts[k] >= parts[i] : parts[k] <= parts[i]);
    }
}

// [A51] an allocation adds up exactly, keeps the order of the weights and gives nobody more than its weight
static void test_parts_add_up_and_are_fair(void **state) {
    (void)state;
    struct seeded seeded = {71};
    for (int round = 0; round < 20000; round++) {
        int64_t weights[SHARES_MAX], parts[SHARES_MAX], expected[SHARES_MAX];
        size_t n = random_weights(&seeded, weights);
        int64_t weight = sum_of(weights, n);
        int64_t limit = round % 3 == 0 || weight > MONEY_MAX ? MONEY_MAX : weight;
        int64_t total = (int64_t)seeded_below(&seeded, (uint64_t)limit + 1);
        assert_true(money_allocate(total, weights, n, parts));
        if (weight > 0)
            assert_fair(total, weights, n, parts);
        assert_int_equal(sum_of(parts, n), total);
        allocate_slowly(total, weights, n, expected);
        assert_memory_equal(parts, expected, n * sizeof parts[0]);
    }
}

static void test_every_small_case_equals_the_definition(void **state) {
    (void)state;
    for (int64_t code = 0; code < 6 * 6 * 6; code++) {
        int64_t weights[3] = {code % 6, code / 6 % 6, code / 36}, parts[3], expected[3];
        for (int64_t total = 0; total <= 20; total++) {
            assert_true(money_allocate(total, weights, 3, parts));
            allocate_slowly(total, weights, 3, expected);
            assert_memory_equal(parts, expected, sizeof parts);
        }
    }
}

static void test_the_whole_weight_gives_everyone_exactly_its_weight(void **state) {
    (void)state;
    struct seeded seeded = {72};
    for (int round = 0; round < 5000; round++) {
        int64_t weights[SHARES_MAX], parts[SHARES_MAX];
        size_t n = random_weights(&seeded, weights);
        int64_t weight = sum_of(weights, n);
        if (weight > MONEY_MAX || weight == 0)
            continue;
        assert_true(money_allocate(weight, weights, n, parts));
        assert_memory_equal(parts, weights, n * sizeof parts[0]);
    }
}

static void test_equal_remainders_go_to_the_lower_index(void **state) {
    (void)state;
    int64_t parts[3];
    assert_true(money_allocate(100, (int64_t[]){1, 1, 1}, 3, parts));
    assert_memory_equal(parts, ((int64_t[]){34, 33, 33}), sizeof parts);
    assert_true(money_allocate(2, (int64_t[]){5, 5, 5}, 3, parts));
    assert_memory_equal(parts, ((int64_t[]){1, 1, 0}), sizeof parts);
    assert_true(money_allocate(1, (int64_t[]){0, 5, 5}, 3, parts));
    assert_memory_equal(parts, ((int64_t[]){0, 1, 0}), sizeof parts);
}

static void test_without_weights_the_first_takes_all(void **state) {
    (void)state;
    int64_t parts[3] = {9, 9, 9};
    assert_true(money_allocate(7, (int64_t[]){0, 0, 0}, 3, parts));
    assert_memory_equal(parts, ((int64_t[]){7, 0, 0}), sizeof parts);
    assert_true(money_allocate(0, (int64_t[]){0, 0, 0}, 3, parts));
    assert_memory_equal(parts, ((int64_t[]){0, 0, 0}), sizeof parts);
}

// [A51] what is out of range is refused and changes nothing; the largest amounts are still exact
static void test_the_bounds_are_exact(void **state) {
    (void)state;
    int64_t parts[2] = {42, 42}, large[2] = {MONEY_MAX, MONEY_MAX};
    assert_false(money_allocate(1, large, 0, parts));
    assert_false(money_allocate(-1, large, 2, parts));
    assert_false(money_allocate(MONEY_MAX + 1, large, 2, parts));
    assert_false(money_allocate(1, (int64_t[]){1, -1}, 2, parts));
    assert_false(money_allocate(1, (int64_t[]){1, MONEY_MAX + 1}, 2, parts));
    assert_memory_equal(parts, ((int64_t[]){42, 42}), sizeof parts);
    assert_true(money_allocate(MONEY_MAX, large, 2, parts));
    assert_memory_equal(parts, ((int64_t[]){MONEY_MAX / 2, MONEY_MAX / 2}), sizeof parts);
    assert_true(money_allocate(MONEY_MAX - 1, (int64_t[]){MONEY_MAX, 1}, 2, parts));
    assert_int_equal(parts[0] + parts[1], MONEY_MAX - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_add_up_and_are_fair),
        cmocka_unit_test(test_every_small_case_equals_the_definition),
        cmocka_unit_test(test_the_whole_weight_gives_everyone_exactly_its_weight),
        cmocka_unit_test(test_equal_remainders_go_to_the_lower_index),
        cmocka_unit_test(test_without_weights_the_first_takes_all),
        cmocka_unit_test(test_the_bounds_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
