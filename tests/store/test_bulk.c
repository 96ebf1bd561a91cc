// Grouping into bulk statements keeps the order of what happens to one key, and makes few groups.
#include "store/bulk.h"
#include "store/row.h"
#include "tests/cmocka.h"
#include "tests/store/items.h"

#include <stdio.h>
#include <stdlib.h>

enum { OPS = 400 };

// Where the nth operation runs.
static size_t place_of(const struct bulk_plan *plan, const void *row, const struct bulk_group **ret_group) {
    for (size_t g = 0; g < plan->n_groups; g++)
        for (size_t i = 0; i < plan->groups[g].n; i++)
            if (plan->rows[plan->groups[g].first + i] == row) {
                *ret_group = &plan->groups[g];
                return plan->groups[g].first + i;
            }
    fail_msg("an operation is missing");
    return 0;
}

static void assert_order_is_kept(const struct bulk_plan *plan, const struct store_op *ops, size_t n) {
    size_t total = 0;
    for (size_t g = 0; g < plan->n_groups; g++)
        total += plan->groups[g].n;
    assert_int_equal(total, n);
    for (size_t i = 0; i < n; i++) {
        const struct bulk_group *group;
        size_t place = place_of(plan, ops[i].row, &group);
        assert_ptr_equal(group->table, ops[i].table);
        assert_int_equal(group->verb, ops[i].verb);
        for (size_t k = 0; k < i; k++) {
            const struct bulk_group *other;
            if (ops[k].table == ops[i].table && row_compare_keys(ops[i].table, ops[k].row, ops[i].row) == 0)
                assert_true(place_of(plan, ops[k].row, &other) < place);
        }
    }
}

static void test_random_operations(void **state) {
    (void)state;
    struct bulk_plan plan = {0};
    for (unsigned seed = 1; seed <= 30; seed++) {
        static struct item items[OPS];
        static struct pair pairs[OPS];
        struct store_op ops[OPS];
        unsigned random = seed;
        size_t n = seed % 7 ? OPS / 10 * (seed % 11) : OPS;
        for (size_t i = 0; i < n; i++) {
            // Few keys, so that they meet often.
            snprintf(items[i].id, sizeof items[i].id, "k%d", rand_r(&random) % 12);
            pairs[i] = (struct pair){"p", rand_r(&random) % 12, 0};
            bool is_item = rand_r(&random) % 2;
            ops[i] = (struct store_op){.table = is_item ? &item_table : &pair_table,
                                       .verb = (enum store_verb)(rand_r(&random) % 3),
                                       .row = is_item ? (const void *)&items[i] : &pairs[i]};
        }
        bulk_plan_make(&plan, ops, n);
        assert_order_is_kept(&plan, ops, n);
    }
    bulk_plan_release(&plan);
}

// Inserts and puts in turns, so many rows to a key: all inserts are one statement, and all puts.
static void assert_two_groups(size_t rows_to_a_key) {
    static struct item items[OPS];
    struct store_op ops[OPS];
    for (size_t i = 0; i < OPS; i++) {
        snprintf(items[i].id, sizeof items[i].id, "k%zu", i / rows_to_a_key);
        ops[i] = (struct store_op){.table = &item_table, .verb = i % 2 ? STORE_PUT : STORE_INSERT, .row = &items[i]};
    }
    struct bulk_plan plan = {0};
    bulk_plan_make(&plan, ops, OPS);
    assert_int_equal(plan.n_groups, 2);
    assert_order_is_kept(&plan, ops, OPS);
    bulk_plan_release(&plan);
}

// Sagas that begin and sagas that go on.
static void test_turns_make_two_groups(void **state) {
    (void)state;
    assert_two_groups(1);
}

// The same, where each key is inserted and then put.
static void test_insert_then_put_make_two_groups(void **state) {
    (void)state;
    assert_two_groups(2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_turns_make_two_groups),
        cmocka_unit_test(test_insert_then_put_make_two_groups),
    };
    return cmocka_run_group_tests_name("store bulk", tests, NULL, NULL);
}
