#include "orchestrator/admission.h"

#include "flows/trade/trades.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { QUEUE_MAX = 1600 };

static void test_quotes_are_refused_before_payments_while_the_store_does_not_keep_up(void **state) {
    (void)state;
    struct error error = {0};
    assert_true(admission_admits(RPC_TIER_NORMAL, 400, QUEUE_MAX, false, &error));
    assert_false(admission_admits(RPC_TIER_NORMAL, 399, QUEUE_MAX, false, &error));
    assert_int_equal(error.code, ERR_OVERLOADED);
    assert_true(error.retry_after_ms > 0);
    error = (struct error){0};
    assert_true(admission_admits(RPC_TIER_HIGH, 399, QUEUE_MAX, false, &error));
    assert_true(admission_admits(RPC_TIER_HIGH, 100, QUEUE_MAX, false, &error));
    assert_int_equal(error.code, ERR_OK);
    assert_false(admission_admits(RPC_TIER_HIGH, 99, QUEUE_MAX, false, &error));
    assert_int_equal(error.code, ERR_OVERLOADED);
}

static void test_nothing_that_changes_something_comes_in_while_the_store_is_down(void **state) {
    (void)state;
    for (int urgency = RPC_TIER_LOW; urgency <= RPC_TIER_HIGH; urgency++) {
        struct error error = {0};
        assert_false(admission_admits((enum rpc_tier)urgency, 0, QUEUE_MAX, true, &error));
        assert_int_equal(error.code, ERR_STORE_UNAVAILABLE);
        assert_true(error.retry_after_ms > 0);
    }
}

// [S3-12] the tiers of every method of the trade: what pays, calls back or gives back before what quotes before what
// lists; what only reads is never more than a list
static void test_paying_calling_back_and_refunding_go_before_quoting_before_listing(void **state) {
    (void)state;
    size_t n = 0;
    for (const struct trade_method *method = trade_methods; method->name; method++, n++) {
        bool reads = method->access == TRADE_READS || method->access == TRADE_OVERSEES;
        bool quotes = strcmp(method->name, "Quote") == 0;
        assert_int_equal(method->urgency, reads ? TRADE_LIST : quotes ? TRADE_QUOTE : TRADE_PAY);
    }
    assert_true(n >= 16);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quotes_are_refused_before_payments_while_the_store_does_not_keep_up),
        cmocka_unit_test(test_nothing_that_changes_something_comes_in_while_the_store_is_down),
        cmocka_unit_test(test_paying_calling_back_and_refunding_go_before_quoting_before_listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
