// Deduct-later: nothing is held when ordering; what is gone once it is paid is a shortfall, and the trade stays paid.
#include "flows/trade/internal.h"
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

#define LATER "mode=2" // ORDER_MODE_DEDUCT_LATER
#define OIL_11 "lines[0].goods.sku=OIL4L lines[0].goods.quantity=11"

static void ordered_later(struct flow_bed *bed, struct flow_trade *trade, const char *lines) {
    flow_quote(bed, trade, lines, "");
    flow_order(bed, trade, LATER);
}

static void payer_pays(struct flow_bed *bed, struct flow_trade *trade) {
    flow_pay(bed, trade);
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 0));
}

// [A13] [S3-47] [S3-49] nothing is locked when ordering; the points are frozen for the attempt, and all of it is taken
// once it is paid
static void test_nothing_is_held_before_it_is_paid(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    ordered_later(bed, &trade, FUEL_200);
    assert_int_equal(trade.payable, BEST_200);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, NULL).n, 0);
    assert_int_equal(flow_ledger(bed, "points", trade.no, NULL).n, 0);
    payer_pays(bed, &trade);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "lock").n, 0);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "use").n, BEST_200_COUPONS);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "freeze").points, BEST_200_POINTS);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "deduct").points, BEST_200_POINTS);
    assert_int_equal(flow_get(bed, trade.no)->n_shortfalls, 0);
    flow_until_still(bed, &trade);
}

// [S3-49] [A6] a coupon that another trade has used meanwhile is a shortfall: the trade stays paid and completes, and a
// refund does not give back what was never used
static void test_a_coupon_that_is_gone_is_a_shortfall(struct flow_bed *bed) {
    struct flow_trade trade = {0}, other;
    ordered_later(bed, &trade, FUEL_200);
    flow_completed(bed, &other); // the same user, and the same coupons
    flow_control(bed, "SetPoints", "user_id=%s available=%d", bed->user, BEST_200_POINTS);
    payer_pays(bed, &trade);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    assert_int_equal(found->n_shortfalls, 1);
    assert_string_equal(found->shortfalls[0]->what, "coupons");
    assert_string_equal(found->shortfalls[0]->reason, "COUPON_UNAVAILABLE");
    assert_int_equal(found->shortfalls[0]->amount->minor_units, found->combination->coupon_discount->minor_units);
    flow_must(bed, "Refund", "trade_no=%s whole=true wait_ms=10000", trade.no);
    flow_until_still(bed, &trade);
    assert_state(bed, &trade, TRADE(REFUNDED));
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "give_back").n, 0);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "give_back").points, BEST_200_POINTS);
}

// [A15] [S3-49] goods that were sold meanwhile are a shortfall
static void test_goods_that_are_gone_are_a_shortfall(struct flow_bed *bed) {
    struct flow_trade trade = {0}, other = {0};
    ordered_later(bed, &trade, OIL_11);
    flow_quote(bed, &other, OIL_11, flow_text(bed, "context.user_id=%s", bed->other_user));
    flow_order(bed, &other, "");
    payer_pays(bed, &trade);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    assert_int_equal(found->n_shortfalls, 1);
    assert_string_equal(found->shortfalls[0]->what, "stock");
    assert_string_equal(found->shortfalls[0]->reason, "OUT_OF_STOCK");
    flow_must(bed, "Cancel", "trade_no=%s", other.no);
    flow_until_still(bed, &trade);
    flow_until_still(bed, &other);
}

// [S3-51] points that can't be frozen fail the attempt; an attempt that fails unfreezes them, and the next one freezes
// them anew
static void test_points_are_frozen_with_each_attempt(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    ordered_later(bed, &trade, FUEL_200);
    flow_fault(bed, FAULT(REJECT), "points", "FreezePoints", "code=INSUFFICIENT_POINTS count=1");
    const char *tenders = flow_tenders(bed, 1, KIND(WECHAT), BEST_200, "payer");
    flow_refused(bed, "PAYMENT_FAILED", "Pay", "trade_no=%s %s", trade.no, tenders);
    assert_state(bed, &trade, TRADE(ORDERED));
    flow_pay(bed, &trade);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "freeze").points, BEST_200_POINTS);
    flow_payer_fails(bed, flow_tender_no(bed, &trade, 2, 0), "NO_MONEY");
    flow_until_state(bed, &trade, TRADE(ORDERED));
    assert_nothing_held(bed, &trade);
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 3, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    assert_int_equal(flow_ledger(bed, "points", trade.no, "deduct").points, BEST_200_POINTS);
    flow_until_still(bed, &trade);
    assert_nothing_held(bed, &trade);
}

// [A38] a cancel while it is being paid leaves nothing frozen
static void test_a_cancel_leaves_nothing_frozen(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    ordered_later(bed, &trade, FUEL_200);
    flow_pay(bed, &trade);
    flow_must(bed, "Cancel", "trade_no=%s wait_ms=10000", trade.no);
    flow_until_still(bed, &trade);
    assert_state(bed, &trade, TRADE(CANCELLED));
    assert_int_equal(flow_ledger(bed, "points", trade.no, "freeze").points, BEST_200_POINTS);
    assert_nothing_held(bed, &trade);
}

// [A56] [A78] what was let off in an attempt that failed is none of the next order's, of which nothing is payable: it
// is marked paid as it is, and has no attempt
static void test_what_a_failed_attempt_let_off_is_not_the_next_orders(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_fault(bed, FAULT(BENT_ANSWER), "points", "GetRule", "code=rule.max_share_bp=10000");
    ordered_later(bed, &trade, FUEL_200);
    flow_fault(bed, FAULT(REJECT), "points", "FreezePoints", "code=INSUFFICIENT_POINTS count=1");
    flow_refused(bed, "PAYMENT_FAILED", "Pay", "trade_no=%s rounding_off=CNY50 %s", trade.no,
                 flow_tenders(bed, 1, KIND(CASH), (int)trade.payable - 50, ""));
    flow_control(bed, "SetPoints", "user_id=%s available=1000", bed->user);
    flow_quote(bed, &trade, "lines[0].fuel.oil_code=92# lines[0].fuel.amount=CNY1000", "");
    flow_order(bed, &trade, LATER);
    assert_int_equal(trade.payable, 0);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_parked(bed, trade.no), 0);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "paid").n, 1);
    flow_refunded(bed, &trade, "whole=true");
    flow_until_still(bed, &trade);
}

// [E8] [S3-49] points that pay for everything leave no attempt that could have frozen them: when they are gone, the
// refund has nothing to give back, and ends
static void test_points_that_pay_all_and_are_gone_are_not_given_back(struct flow_bed *bed) {
    enum { POINTS = 1000 };
    struct flow_trade trade = {0}, other = {0};
    flow_fault(bed, FAULT(BENT_ANSWER), "points", "GetRule", "code=rule.max_share_bp=10000");
    flow_control(bed, "SetPoints", "user_id=%s available=%d", bed->user, POINTS);
    flow_quote(bed, &trade, "lines[0].fuel.oil_code=92# lines[0].fuel.amount=CNY1000", "");
    flow_quote(bed, &other, "lines[0].fuel.oil_code=92# lines[0].fuel.amount=CNY1000", "");
    flow_order(bed, &other, LATER);
    flow_until_state(bed, &other, TRADE(COMPLETED));
    flow_until_still(bed, &other);
    assert_int_equal(flow_ledger(bed, "points", other.no, "deduct").points, POINTS);
    flow_order(bed, &trade, LATER);
    assert_int_equal(trade.payable, 0);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    assert_int_equal(found->n_shortfalls, 1);
    assert_string_equal(found->shortfalls[0]->what, "points");
    assert_int_equal(found->n_attempts, 0);
    flow_must(bed, "Refund", "trade_no=%s whole=true wait_ms=10000", trade.no);
    flow_until_still(bed, &trade);
    assert_state(bed, &trade, TRADE(REFUNDED));
    assert_int_equal(flow_ledger(bed, "points", trade.no, "give_back").n, 0);
    assert_int_equal(flow_effects(bed, "points", trade.no, "UnfreezePoints", EFFECT(APPLIED)), 0);
    assert_int_equal(flow_get(bed, trade.no)->refunds[0]->points_given_back, 0);
    flow_must(bed, "Refund", "trade_no=%s whole=true wait_ms=10000", other.no);
    flow_until_still(bed, &other);
    assert_int_equal(flow_ledger(bed, "points", other.no, "give_back").points, POINTS);
    assert_int_equal(flow_get(bed, other.no)->refunds[0]->points_given_back, POINTS);
}

// [E9] an answer that comes when an operator has ended its saga finds no trade any more: it is only noted
static void test_an_answer_that_finds_its_saga_gone_is_noted(struct flow_bed *bed) {
    static const char *const modes[] = {"", LATER};
    bed->not_compared = true; // what follows a payment never came
    for (size_t i = 0; i < 2; i++) {
        struct flow_trade trade = {0};
        flow_quote(bed, &trade, FUEL_200, "");
        flow_order(bed, &trade, modes[i]);
        flow_fault(bed, FAULT(DELAY), "coupon", "UseCoupons", "delay_ms=2000 count=1");
        payer_pays(bed, &trade);
        flow_until_state(bed, &trade, TRADE(PAID));
        flow_must(bed, "Terminate", "gid=%s/1 reason=table", trade.no);
        flow_run_for(bed, 5000);
        assert_state(bed, &trade, TRADE(COMPLETED));
        flow_must(bed, "Refund", "trade_no=%s whole=true wait_ms=10000", trade.no);
        flow_until_still(bed, &trade);
        assert_nothing_held(bed, &trade);
    }
}

// [S3-49] the quote that was ordered can't be read when its benefits are to be used: that is not "none of them", so
// they are neither let go of nor done with, and used when it can be
static void test_benefits_that_can_not_be_read_wait(struct flow_bed *bed) {
    for (int later = 0; later < 2; later++) {
        struct flow_trade trade = {0};
        flow_quote(bed, &trade, FUEL_200, "exclude_points=true context.channel=app");
        flow_order(bed, &trade, later ? LATER : "");
        flow_fault(bed, FAULT(DOWN), "coupon", "UseCoupons", "");
        flow_fault(bed, FAULT(DOWN), "discount", "UseQuota", "");
        payer_pays(bed, &trade);
        flow_until_state(bed, &trade, TRADE(PAID));
        const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
        assert_true(found->combination->n_coupon_ids > 0 && found->combination->n_quotas > 0);
        struct trades *trades = flow_virtual(bed)->center.trades;
        struct trade *resident = CONTAINER_OF(map_find(&trades->resident, str_c(trade.no)), struct trade, node);
        struct quote_row *quote = trade_quote_row(resident, resident->row.ordered_version);
        struct str kept = quote->quote;
        quote->quote = STR("no quote");
        flow_clear_faults(bed);
        flow_until_parked(bed, &trade, 1);
        assert_int_equal(flow_effects(bed, "coupon", trade.no, "LockCoupons", EFFECT(COMPENSATED)), 0);
        assert_int_equal(flow_effects(bed, "discount", trade.no, "LockQuota", EFFECT(COMPENSATED)), 0);
        quote->quote = kept;
        flow_retry_parked(bed, &trade);
        flow_until_state(bed, &trade, TRADE(COMPLETED));
        flow_until_still(bed, &trade);
        assert_true(flow_ledger(bed, "coupon", trade.no, "use").n > 0);
        assert_int_equal(flow_effects(bed, "discount", trade.no, "UseQuota", EFFECT(APPLIED)), 1);
        flow_refunded(bed, &trade, "whole=true"); // benefits for the next one
        flow_until_still(bed, &trade);
    }
}

static const struct flow_case cases[] = {
    CASE(test_nothing_is_held_before_it_is_paid),
    CASE(test_a_coupon_that_is_gone_is_a_shortfall),
    CASE(test_goods_that_are_gone_are_a_shortfall),
    CASE(test_points_are_frozen_with_each_attempt),
    CASE(test_a_cancel_leaves_nothing_frozen),
    CASE(test_what_a_failed_attempt_let_off_is_not_the_next_orders),
    CASE(test_points_that_pay_all_and_are_gone_are_not_given_back),
    CASE(test_an_answer_that_finds_its_saga_gone_is_noted),
    VIRTUAL(test_benefits_that_can_not_be_read_wait),
};
CASES(later);
