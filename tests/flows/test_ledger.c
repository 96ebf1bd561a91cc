// The trade's double-entry ledger: every entry adds up to zero, and a refunded trade leaves nothing on any account.
#include "flows/trade/allocation.h"
#include "flows/trade/ledger.h"
#include "tests/base/seeded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define OFF(coupon, points)                                                                                            \
    { [SOLVER_LAYER_COUPON] = (coupon), [SOLVER_LAYER_POINTS] = (points) }

enum { ROOM = 256, LINES_MAX = 5, TRADES = 3000 };

static struct ledger_posting postings[ROOM];

static struct ledger empty(void) {
    return (struct ledger){postings, 0, ROOM};
}

// [A53] after every event the ledger adds up to zero
static void check(const struct ledger *ledger) {
    struct error error = {0};
    if (!ledger_check(ledger->postings, ledger->n, &error))
        fail_msg("%s", error.text);
}

static int64_t balance(const struct ledger *ledger, const char *account) {
    int64_t sum = 0;
    for (size_t i = 0; i < ledger->n; i++)
        if (strcmp(ledger->postings[i].account, account) == 0)
            sum += ledger->postings[i].amount;
    return sum;
}

static void must(bool done, const struct error *error) {
    if (!done)
        fail_msg("%s", error->text);
}

// [A53]
static void test_a_paid_and_partly_refunded_trade_adds_up_to_zero_at_all_times(void **state) {
    (void)state;
    struct ledger ledger = empty();
    struct error error = {0};
    const struct ledger_leg paid[] = {{STR("T1"), 7000}, {STR("T2"), 1500}};
    const int64_t discounts[SOLVER_LAYERS] = OFF(1000, 500);
    must(ledger_paid(&ledger, paid, 2, discounts, 10000, &error), &error);
    check(&ledger);
    assert_int_equal(balance(&ledger, "tender:T1"), 7000);
    assert_int_equal(balance(&ledger, "sales"), -10000);
    assert_int_equal(balance(&ledger, "discount:coupon"), 1000);
    assert_int_equal(balance(&ledger, "discount:points"), 500);
    // One line of goods that the coupon made cheaper, one of fuel that it did not.
    struct ledger_line lines[] = {{.net = 1500, .discount = OFF(1000, 88), .refunding = 1500},
                                  {.net = 7000, .discount = OFF(0, 412)}};
    const struct ledger_leg back[] = {{STR("T1"), 1235}, {STR("T2"), 265}};
    must(ledger_refunded(&ledger, STR("R1"), back, 2, lines, 2, &error), &error);
    check(&ledger);
    assert_int_equal(ledger.postings[ledger.n - 1].entry, 2);
    assert_string_equal(ledger.postings[ledger.n - 1].text, "refund R1");
    assert_int_equal(balance(&ledger, "tender:T1"), 7000 - 1235);
    assert_int_equal(balance(&ledger, "discount:coupon"), 0);
    assert_int_equal(balance(&ledger, "discount:points"), 412);
    assert_int_equal(balance(&ledger, "sales"), -10000 + 2588);
}

// [A53] money that came late, twice or with another amount stands against suspense until it is gone
static void test_money_that_is_not_the_trades_is_held_in_suspense(void **state) {
    (void)state;
    struct ledger ledger = empty();
    struct error error = {0};
    const struct ledger_leg late = {STR("T1"), 700}, odd = {STR("T2"), 699};
    must(ledger_suspense(&ledger, LEDGER_UNWANTED, &late, &error), &error);
    must(ledger_suspense(&ledger, LEDGER_CONFLICTED, &odd, &error), &error);
    check(&ledger);
    assert_int_equal(balance(&ledger, "tender:T1"), 700);
    assert_int_equal(balance(&ledger, "suspense:T1"), -700);
    assert_int_equal(balance(&ledger, "suspense:T2"), -699);
    must(ledger_suspense(&ledger, LEDGER_RETURNED, &late, &error), &error);
    check(&ledger);
    assert_int_equal(balance(&ledger, "tender:T1"), 0);
    assert_int_equal(balance(&ledger, "suspense:T1"), 0);
    assert_int_equal(ledger.postings[ledger.n - 1].entry, 3);
    // What an operator accepts is kept, and what is given back otherwise went another way: all of it is money that is
    // there.
    must(ledger_suspense(&ledger, LEDGER_KEPT, &odd, &error), &error);
    must(ledger_suspense(&ledger, LEDGER_OTHERWISE, &late, &error), &error);
    check(&ledger);
    assert_int_equal(balance(&ledger, "suspense:T2"), 0);
    assert_int_equal(balance(&ledger, "kept:T2"), -699);
    assert_int_equal(balance(&ledger, "tender:T1"), 700);
    assert_int_equal(balance(&ledger, "otherwise:T1"), -700);
    for (size_t i = 0; i < ledger.n; i++)
        assert_true(ledger_is_money(str_c(ledger.postings[i].account)));
    assert_false(ledger_is_money(STR("sales")));
}

static void test_a_trade_that_cost_nothing_is_booked_and_reversed_whole(void **state) {
    (void)state;
    struct ledger ledger = empty();
    struct error error = {0};
    const int64_t discounts[SOLVER_LAYERS] = OFF(800, 200);
    must(ledger_paid(&ledger, NULL, 0, discounts, 1000, &error), &error);
    const struct ledger_line lines[] = {{.net = 0, .discount = OFF(800, 200)}};
    must(ledger_refunded(&ledger, STR("R1"), NULL, 0, lines, 1, &error), &error);
    check(&ledger);
    assert_int_equal(balance(&ledger, "sales"), 0);
    assert_int_equal(balance(&ledger, "discount:coupon"), 0);
}

static void test_a_free_lines_discount_is_reversed_once_with_the_whole(void **state) {
    (void)state;
    struct ledger ledger = empty();
    struct error error = {0};
    const struct ledger_leg all = {STR("T1"), 500};
    const int64_t discounts[SOLVER_LAYERS] = OFF(300, 0);
    must(ledger_paid(&ledger, &all, 1, discounts, 800, &error), &error);
    struct ledger_line lines[] = {{.net = 0, .discount = OFF(300, 0)}, {.net = 500, .refunding = 200}};
    const struct ledger_leg part = {STR("T1"), 200}, rest = {STR("T1"), 300};
    must(ledger_refunded(&ledger, STR("R1"), &part, 1, lines, 2, &error), &error);
    assert_int_equal(balance(&ledger, "discount:coupon"), 300);
    lines[1].refunded = 200;
    lines[1].refunding = 300;
    must(ledger_refunded(&ledger, STR("R2"), &rest, 1, lines, 2, &error), &error);
    assert_int_equal(balance(&ledger, "discount:coupon"), 0);
    lines[1].refunded = 500;
    lines[1].refunding = 0;
    size_t n = ledger.n;
    must(ledger_refunded(&ledger, STR("R3"), NULL, 0, lines, 2, &error), &error);
    assert_int_equal(ledger.n, n); // nothing is left to reverse
    check(&ledger);
}

static const char *const layer_accounts[SOLVER_LAYERS] = {
    [SOLVER_LAYER_LEVEL] = "discount:level",   [SOLVER_LAYER_ACTIVITY] = "discount:activity",
    [SOLVER_LAYER_COUPON] = "discount:coupon", [SOLVER_LAYER_POINTS] = "discount:points",
    [SOLVER_LAYER_TENDER] = "discount:tender", [SOLVER_LAYER_ROUNDING] = "discount:rounding",
};

// [A53] over any sequence of refunds the discounts are reversed in proportion, never beyond, and in the end every
// account is at zero
static void test_any_sequence_of_refunds_ends_with_every_account_at_zero(void **state) {
    (void)state;
    struct seeded seeded = {53};
    struct arena arena;
    arena_init(&arena, 1 << 20);
    for (int t = 0; t < TRADES; t++) {
        struct ledger ledger = empty();
        struct error error = {0};
        struct ledger_line lines[LINES_MAX] = {0};
        struct allocation_line shares[LINES_MAX] = {0};
        size_t n = 1 + seeded_below(&seeded, LINES_MAX);
        int64_t discounts[SOLVER_LAYERS] = {0}, paid = 0, list = 0;
        for (size_t i = 0; i < n; i++) {
            lines[i].net = shares[i].net = (int64_t)seeded_below(&seeded, 40);
            paid += lines[i].net;
            list += lines[i].net;
            for (int layer = 0; layer < SOLVER_LAYERS; layer++) {
                lines[i].discount[layer] = (int64_t)seeded_below(&seeded, 60);
                discounts[layer] += lines[i].discount[layer];
                list += lines[i].discount[layer];
            }
        }
        struct allocation_tender tender = {.tender_no = STR("T1"), .amount = paid};
        const struct allocation_paid trade = {&tender, 1, shares, n, "CNY"};
        struct ledger_leg leg = {STR("T1"), paid};
        must(ledger_paid(&ledger, &leg, 1, discounts, list, &error), &error);
        check(&ledger);
        arena_reset(&arena);
        for (int r = 0; r == 0 || tender.taken < paid; r++) {
            struct allocation_request request = {.extent = ALLOCATION_WHOLE};
            if (paid > 0 && r < 20)
                request = (struct allocation_request){
                    ALLOCATION_AMOUNT, .amount = 1 + (int64_t)seeded_below(&seeded, (uint64_t)(paid - tender.taken))};
            struct allocation allocation;
            must(allocation_make(&trade, &request, &arena, &allocation, &error), &error);
            for (size_t i = 0; i < n; i++)
                lines[i].refunding = allocation.lines[i];
            leg.amount = allocation.amount;
            must(ledger_refunded(&ledger, STR("R"), &leg, 1, lines, n, &error), &error);
            check(&ledger);
            assert_true(balance(&ledger, "sales") <= 0);
            for (int layer = 0; layer < SOLVER_LAYERS; layer++)
                assert_true(balance(&ledger, layer_accounts[layer]) >= 0);
            tender.taken += allocation.amount;
            for (size_t i = 0; i < n; i++)
                lines[i].refunded = shares[i].taken += allocation.lines[i];
        }
        assert_true(balance(&ledger, "tender:T1") == 0 && balance(&ledger, "sales") == 0);
        for (int layer = 0; layer < SOLVER_LAYERS; layer++)
            assert_true(balance(&ledger, layer_accounts[layer]) == 0);
    }
    arena_release(&arena);
}

// ---- Refusals -----------------------------------------------------------------------------------------------------

static void test_an_entry_that_does_not_add_up_is_not_booked(void **state) {
    (void)state;
    struct ledger ledger = empty();
    struct error error = {0};
    const struct ledger_leg leg = {STR("T1"), 900};
    const int64_t discounts[SOLVER_LAYERS] = OFF(99, 0);
    assert_false(ledger_paid(&ledger, &leg, 1, discounts, 1000, &error));
    assert_int_equal(error.code, ERR_AMOUNT_MISMATCH);
    assert_string_equal(error.text, "the ledger entry \"paid\" is off by -1");
    struct ledger_line line = {.net = 900, .discount = OFF(100, 0), .refunding = 899};
    assert_false(ledger_refunded(&ledger, STR("R1"), &leg, 1, &line, 1, &error));
    assert_int_equal(error.code, ERR_AMOUNT_MISMATCH);
    line.refunding = 901;
    assert_false(ledger_refunded(&ledger, STR("R1"), &leg, 1, &line, 1, &error));
    assert_int_equal(error.code, ERR_REFUND_EXCEEDS_REST);
    assert_int_equal(ledger.n, 0);
}

// [A51] amounts out of range are refused, also where only their sum is
static void test_amounts_out_of_range_are_not_booked(void **state) {
    (void)state;
    struct ledger ledger = empty();
    struct error error = {0};
    const int64_t none[SOLVER_LAYERS] = {0}, huge[SOLVER_LAYERS] = {INT64_MAX}, below[SOLVER_LAYERS] = {-1};
    const struct ledger_leg legs[] = {{STR("T1"), MONEY_MAX}, {STR("T2"), 1}}, most = {STR("T1"), INT64_MAX};
    assert_false(ledger_paid(&ledger, legs, 2, none, MONEY_MAX, &error));
    assert_int_equal(error.code, ERR_AMOUNT_OVERFLOW);
    assert_false(ledger_paid(&ledger, &most, 1, none, MONEY_MAX, &error));
    assert_int_equal(error.code, ERR_AMOUNT_OVERFLOW);
    assert_false(ledger_paid(&ledger, NULL, 0, huge, MONEY_MAX, &error));
    assert_int_equal(error.code, ERR_AMOUNT_OVERFLOW);
    assert_false(ledger_paid(&ledger, legs, 1, below, MONEY_MAX - 1, &error));
    assert_int_equal(error.code, ERR_AMOUNT_OVERFLOW);
    struct ledger_line line = {.net = 1, .discount = OFF(MONEY_MAX, MONEY_MAX), .refunding = 1};
    assert_false(ledger_refunded(&ledger, STR("R1"), &legs[1], 1, &line, 1, &error));
    assert_int_equal(error.code, ERR_AMOUNT_OVERFLOW);
    must(ledger_paid(&ledger, legs, 1, none, MONEY_MAX, &error), &error);
    check(&ledger);
}

static void test_a_full_ledger_and_a_long_number_are_refused(void **state) {
    (void)state;
    struct ledger ledger = {postings, 0, 3};
    struct error error = {0};
    const struct ledger_leg leg = {STR("T1"), 1};
    must(ledger_suspense(&ledger, LEDGER_UNWANTED, &leg, &error), &error);
    assert_false(ledger_suspense(&ledger, LEDGER_RETURNED, &leg, &error));
    assert_int_equal(error.code, ERR_RECORD_TOO_LARGE);
    assert_int_equal(ledger.n, 2);
    ledger = empty();
    char number[LEDGER_ACCOUNT_MAX];
    memset(number, '7', sizeof number);
    const struct ledger_leg fits = {str_n(number, LEDGER_ACCOUNT_MAX - 9), 1}; // behind "suspense:"
    must(ledger_suspense(&ledger, LEDGER_UNWANTED, &fits, &error), &error);
    const struct ledger_leg too_long = {str_n(number, LEDGER_ACCOUNT_MAX - 8), 1};
    assert_false(ledger_suspense(&ledger, LEDGER_UNWANTED, &too_long, &error));
    assert_int_equal(error.code, ERR_INTERNAL);
    assert_int_equal(ledger.n, 2);
    check(&ledger);
}

// [A53] a ledger that is off by one unit, lacks an entry or has an empty posting is found
static void test_a_broken_ledger_is_found(void **state) {
    (void)state;
    struct ledger ledger = empty();
    struct error error = {0};
    const struct ledger_leg leg = {STR("T1"), 500};
    must(ledger_suspense(&ledger, LEDGER_UNWANTED, &leg, &error), &error);
    must(ledger_suspense(&ledger, LEDGER_RETURNED, &leg, &error), &error);
    check(&ledger);
    for (size_t i = 0; i < ledger.n; i++) {
        struct ledger_posting kept = postings[i];
        postings[i].amount++;
        assert_false(ledger_check(postings, ledger.n, &error));
        postings[i] = kept;
        postings[i].amount = 0;
        assert_false(ledger_check(postings, ledger.n, &error));
        postings[i] = kept;
        postings[i].account[0] = '\0';
        assert_false(ledger_check(postings, ledger.n, &error));
        postings[i] = kept;
        postings[i].entry += 5;
        assert_false(ledger_check(postings, ledger.n, &error));
        postings[i] = kept;
        if (i > 0)
            assert_int_equal(ledger_check(postings, i, &error), i == 2);
    }
    assert_false(ledger_check(postings + 2, 2, &error)); // entry 1 is missing
    assert_true(ledger_check(NULL, 0, &error));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_paid_and_partly_refunded_trade_adds_up_to_zero_at_all_times),
        cmocka_unit_test(test_money_that_is_not_the_trades_is_held_in_suspense),
        cmocka_unit_test(test_a_trade_that_cost_nothing_is_booked_and_reversed_whole),
        cmocka_unit_test(test_a_free_lines_discount_is_reversed_once_with_the_whole),
        cmocka_unit_test(test_any_sequence_of_refunds_ends_with_every_account_at_zero),
        cmocka_unit_test(test_an_entry_that_does_not_add_up_is_not_booked),
        cmocka_unit_test(test_amounts_out_of_range_are_not_booked),
        cmocka_unit_test(test_a_full_ledger_and_a_long_number_are_refused),
        cmocka_unit_test(test_a_broken_ledger_is_found),
    };
    return cmocka_run_group_tests_name("flows.ledger", tests, NULL, NULL);
}
