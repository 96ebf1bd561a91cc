// Expiry: of quotes and orders, to the millisecond, against payments and cancels, over deaths, and money that comes
// afterwards.
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

static void ordered_for(struct flow_bed *bed, struct flow_trade *trade, int seconds) {
    *trade = (struct flow_trade){0};
    flow_quote(bed, trade, FUEL_200, "");
    flow_order(bed, trade, flow_text(bed, "expires_in_seconds=%d", seconds));
}

static int64_t expires_ms(struct flow_bed *bed, const struct flow_trade *trade) {
    const Google__Protobuf__Timestamp *at = flow_get(bed, trade->no)->order_expires_at;
    return at->seconds * 1000 + at->nanos / 1000000;
}

// [A3] a quote is good up to its last millisecond, and not in the next
static void test_a_quote_is_good_to_its_last_millisecond(struct flow_bed *bed) {
    for (int late_ms = -2; late_ms <= 2; late_ms++) {
        struct flow_trade trade = {0};
        const Txcenter__Trade__V1__Quote *quote = flow_quote(bed, &trade, FUEL_200, "");
        int64_t end_ms = quote->expires_at->seconds * 1000 + quote->expires_at->nanos / 1000000;
        flow_run_for(bed, end_ms + late_ms - flow_now(bed));
        if (late_ms < 0) {
            flow_order(bed, &trade, "");
            flow_must(bed, "Cancel", "trade_no=%s", trade.no);
        } else {
            flow_refused(bed, "QUOTE_EXPIRED", "PlaceOrder", "trade_no=%s quote_version=1", trade.no);
        }
    }
}

static void test_the_time_of_an_order_has_limits(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    static const int bad[] = {-1, 86401, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < 4; i++)
        flow_refused(bed, "INVALID_REQUEST", "PlaceOrder", "trade_no=%s quote_version=1 expires_in_seconds=%d",
                     trade.no, bad[i]);
    int64_t before_ms = flow_now(bed);
    flow_order(bed, &trade, "");
    int64_t time_ms = expires_ms(bed, &trade) - before_ms;
    assert_true(time_ms >= 900000 && time_ms <= 900000 + flow_now(bed) - before_ms);
    struct flow_trade other = {0};
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    ordered_for(bed, &other, 86400);
    assert_true(expires_ms(bed, &other) >= flow_now(bed) + 86400000 - 10000);
}

// [A36] at the expiry the open tenders are closed, the card is released, and every lock is gone
static void test_an_order_that_is_being_paid_expires(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered_for(bed, &trade, 1);
    flow_pay_with(bed, &trade,
                  flow_tenders(bed, 2, KIND(CARD), 2500, bed->card, KIND(WECHAT), BEST_200 - 2500, "payer"), "");
    flow_until_state(bed, &trade, TRADE(EXPIRED));
    assert_true(flow_now(bed) >= expires_ms(bed, &trade));
    flow_until_still(bed, &trade);
    assert_nothing_held(bed, &trade);
    assert_tender(bed, &trade, 1, 0, TENDER(CLOSED));
    assert_tender(bed, &trade, 1, 1, TENDER(CLOSED));
    assert_int_equal(flow_ledger(bed, "card", trade.no, "release").amount, 2500);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "closed").n, 1);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "close").n, 1);
    assert_history(bed, &trade, "CREATED QUOTED ORDERING ORDERED PAYING CLOSING EXPIRED");
    struct flow_trade next;
    flow_ordered(bed, &next); // with the same benefits
}

static bool money_is_back(struct flow_bed *bed, const void *ctx) {
    return flow_ledger(bed, "payment", ctx, "refunded").n > 0;
}

enum { AROUND = 12 };

// [A25] [A35] a payment at any moment around the expiry: paid and completed, or expired and given back
static void test_a_payment_around_the_expiry_is_paid_or_given_back(struct flow_bed *bed) {
    bool seen[2] = {false};
    for (int offset_ms = -AROUND; offset_ms <= AROUND; offset_ms++) {
        struct flow_trade trade = {0};
        const Txcenter__Trade__V1__Quote *quote = flow_quote(bed, &trade, FUEL_200, "");
        flow_order(bed, &trade,
                   flow_text(bed, "expires_in_seconds=60 combination_id=%s",
                             quote->combinations[quote->n_combinations - 1]->combination_id));
        flow_pay(bed, &trade);
        flow_run_for(bed, expires_ms(bed, &trade) + offset_ms - flow_now(bed));
        flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0)); // late only when it was closed
        flow_run_for(bed, 1000);
        flow_until_still(bed, &trade);
        bool paid = flow_get(bed, trade.no)->state == TRADE(COMPLETED);
        if (!paid) {
            flow_until(bed, money_is_back, trade.no, "late money must go back");
            flow_until_still(bed, &trade);
            assert_state(bed, &trade, TRADE(EXPIRED));
            assert_tender(bed, &trade, 1, 0, TENDER(RETURNED));
        }
        assert_int_equal(flow_ledger(bed, "payment", trade.no, "paid").n, 1);
        assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, !paid);
        assert_int_equal(flow_ledger(bed, "order", trade.no, "paid").n, paid);
        assert_int_equal(flow_ledger(bed, "order", trade.no, "close").n, !paid);
        seen[paid] = true;
    }
    assert_true(seen[0] && seen[1]);
}

// [A35] a cancel at any moment around the expiry ends it either way, with nothing held
static void test_a_cancel_around_the_expiry_ends_it_once(struct flow_bed *bed) {
    bool seen[2] = {false};
    for (int offset_ms = -AROUND; offset_ms <= AROUND; offset_ms++) {
        struct flow_trade trade;
        ordered_for(bed, &trade, 60);
        flow_pay(bed, &trade);
        flow_run_for(bed, expires_ms(bed, &trade) + offset_ms - flow_now(bed));
        struct flow_answer *cancel = flow_ask(bed, "Cancel", "trade_no=%s", trade.no);
        flow_until_still(bed, &trade);
        bool cancelled = flow_get(bed, trade.no)->state == TRADE(CANCELLED);
        if (!cancelled) {
            assert_state(bed, &trade, TRADE(EXPIRED));
            if (!cancel->message)
                assert_verdict(cancel, "TRADE_ENDED");
        } else {
            assert_verdict(cancel, "OK");
        }
        assert_nothing_held(bed, &trade);
        assert_int_equal(flow_ledger(bed, "order", trade.no, "close").n, 1);
        seen[cancelled] = true;
    }
    assert_true(seen[0] && seen[1]);
}

// An order whose time ends while the center is dead expires when it is back.
static void test_an_order_expires_though_the_center_was_dead(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered_for(bed, &trade, 1);
    flow_pay(bed, &trade);
    bed->ops->kill_center(bed);
    flow_run_for(bed, 1200);
    bed->ops->start_center(bed);
    flow_until_state(bed, &trade, TRADE(EXPIRED));
    flow_until_still(bed, &trade);
    assert_nothing_held(bed, &trade);
}

// Paid in time while the center was dead and past its expiry: paid beats expiry.
static void test_what_was_paid_in_time_counts_though_the_center_was_dead(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered_for(bed, &trade, 2);
    flow_pay(bed, &trade);
    bed->ops->kill_center(bed);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_run_for(bed, 2500);
    bed->ops->start_center(bed);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "paid").n, 1);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 0);
}

// [A25] [A26] two tenders that are both paid after the expiry both go back, each once
static void test_two_tenders_paid_after_the_expiry_both_go_back(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered_for(bed, &trade, 1);
    flow_pay_with(bed, &trade,
                  flow_tenders(bed, 2, KIND(WECHAT), 2500, "payer-a", KIND(ALIPAY), BEST_200 - 2500, "payer-b"), "");
    flow_until_state(bed, &trade, TRADE(EXPIRED));
    flow_fault(bed, FAULT(DUPLICATE_CALLBACK), "payment", "NotifyPayment", "");
    for (int i = 0; i < 2; i++)
        flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, i));
    for (int i = 0; i < 2; i++)
        flow_until_tender(bed, &trade, 1, i, TENDER(RETURNED));
    flow_until_still(bed, &trade);
    assert_state(bed, &trade, TRADE(EXPIRED));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 2);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, BEST_200);
    assert_int_equal(flow_get(bed, trade.no)->paid->minor_units, 0);
}

// [A25] [A56] the expired order's money comes after the trade was ordered again and paid: only that goes back
static void test_money_of_the_expired_order_goes_back_from_the_next(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered_for(bed, &trade, 1);
    flow_pay(bed, &trade);
    flow_until_state(bed, &trade, TRADE(EXPIRED));
    flow_quote(bed, &trade, FUEL_200, "");
    flow_order(bed, &trade, "");
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 2, 0));
    flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_tender(bed, &trade, 1, 0, TENDER(RETURNED));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    assert_tender(bed, &trade, 2, 0, TENDER(PAID));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "paid").n, 2);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 1);
    assert_int_equal(flow_get(bed, trade.no)->refunded->minor_units, 0);
}

// [A30] the answers of closing and undoing are lost: asked again, done once
static void test_an_expiry_survives_lost_answers(struct flow_bed *bed) {
    static const char *const undo[][2] = {{"payment", "ClosePayment"},
                                          {"order", "CloseOrder"},
                                          {"coupon", "UnlockCoupons"},
                                          {"points", "UnfreezePoints"}};
    struct flow_trade trade;
    ordered_for(bed, &trade, 1);
    flow_pay(bed, &trade);
    for (size_t i = 0; i < 4; i++)
        flow_fault(bed, FAULT(NO_ANSWER), undo[i][0], undo[i][1], "count=1");
    flow_until_state(bed, &trade, TRADE(EXPIRED));
    flow_until_still(bed, &trade);
    assert_nothing_held(bed, &trade);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "close").n, 1);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "closed").n, 1);
}

// Many orders whose time ends in the same moment.
static void test_many_orders_expire_at_once(struct flow_bed *bed) {
    enum { ORDERS = 20 };
    struct flow_trade trades[ORDERS];
    for (int i = 0; i < ORDERS; i++) {
        struct flow_trade *trade = &trades[i];
        *trade = (struct flow_trade){0};
        const Txcenter__Trade__V1__Quote *quote = flow_quote(bed, trade, FUEL_200, "");
        flow_order(bed, trade,
                   flow_text(bed, "expires_in_seconds=2 combination_id=%s",
                             quote->combinations[quote->n_combinations - 1]->combination_id));
        if (i % 2)
            flow_pay(bed, trade);
    }
    for (int i = 0; i < ORDERS; i++) {
        flow_until_state(bed, &trades[i], TRADE(EXPIRED));
        assert_nothing_held(bed, &trades[i]);
    }
}

static const struct flow_case cases[] = {
    VIRTUAL(test_a_quote_is_good_to_its_last_millisecond),
    CASE(test_the_time_of_an_order_has_limits),
    CASE(test_an_order_that_is_being_paid_expires),
    VIRTUAL(test_a_payment_around_the_expiry_is_paid_or_given_back),
    VIRTUAL(test_a_cancel_around_the_expiry_ends_it_once),
    CASE(test_an_order_expires_though_the_center_was_dead),
    CASE(test_what_was_paid_in_time_counts_though_the_center_was_dead),
    CASE(test_two_tenders_paid_after_the_expiry_both_go_back),
    CASE(test_money_of_the_expired_order_goes_back_from_the_next),
    CASE(test_an_expiry_survives_lost_answers),
    CASE(test_many_orders_expire_at_once),
};

CASES(expiry);
