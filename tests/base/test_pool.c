#include "base/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct thing {
    char bytes[40];
};

static bool is_clear(const struct thing *thing) {
    for (size_t i = 0; i < sizeof thing->bytes; i++)
        if (thing->bytes[i])
            return false;
    return true;
}

static void test_what_comes_out_is_clear_however_it_went_in(void **state) {
    (void)state;
    struct pool pool = POOL(struct thing, 2);
    struct thing *out[4];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 4; i++) {
            out[i] = pool_take(&pool);
            assert_true(is_clear(out[i]));
            for (size_t k = 0; k < i; k++)
                assert_ptr_not_equal(out[k], out[i]);
            memset(out[i], 0xff, sizeof *out[i]);
        }
        for (size_t i = 0; i < 4; i++)
            pool_give(&pool, out[i]);
        assert_true(pool.n <= pool.most);
    }
    pool_give(&pool, NULL);
    pool_release(&pool);
}

static void test_what_is_out_may_come_back_after_the_end(void **state) {
    (void)state;
    struct pool pool = POOL(struct thing, 2);
    struct thing *late = pool_take(&pool);
    pool_give(&pool, pool_take(&pool));
    pool_release(&pool);
    assert_int_equal(pool.n, 0);
    pool_give(&pool, late);
    assert_int_equal(pool.n, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_comes_out_is_clear_however_it_went_in),
        cmocka_unit_test(test_what_is_out_may_come_back_after_the_end),
    };
    return cmocka_run_group_tests_name("base/pool", tests, NULL, NULL);
}
