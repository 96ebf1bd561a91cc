#include "orchestrator/admission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { QUEUE_MAX = 1600 };

static void test_quotes_are_refused_before_payments_while_the_store_does_not_keep_up(void **state) {
    (void)state;
    struct error error = {0};
    assert_true(admission_admits(RPC_TIER_QUOTE, 400, QUEUE_MAX, false, &error));
    assert_false(admission_admits(RPC_TIER_QUOTE, 399, QUEUE_MAX, false, &error));
    assert_int_equal(error.code, ERR_OVERLOADED);
    assert_true(error.retry_after_ms > 0);
    error = (struct error){0};
    assert_true(admission_admits(RPC_TIER_PAY, 399, QUEUE_MAX, false, &error));
    assert_true(admission_admits(RPC_TIER_PAY, 100, QUEUE_MAX, false, &error));
    assert_int_equal(error.code, ERR_OK);
    assert_false(admission_admits(RPC_TIER_PAY, 99, QUEUE_MAX, false, &error));
    assert_int_equal(error.code, ERR_OVERLOADED);
}

static void test_nothing_that_changes_something_comes_in_while_the_store_is_down(void **state) {
    (void)state;
    for (int urgency = RPC_TIER_LIST; urgency <= RPC_TIER_PAY; urgency++) {
        struct error error = {0};
        assert_false(admission_admits((enum rpc_tier)urgency, 0, QUEUE_MAX, true, &error));
        assert_int_equal(error.code, ERR_STORE_UNAVAILABLE);
        assert_true(error.retry_after_ms > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quotes_are_refused_before_payments_while_the_store_does_not_keep_up),
        cmocka_unit_test(test_nothing_that_changes_something_comes_in_while_the_store_is_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
