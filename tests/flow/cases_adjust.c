// Fill-ups that are authorised: what was dispensed is what is bought, priced and paid, and what follows waits for it.
#include "flows/trade/actual.h"
#include "flows/trade/internal.h"
#include "flows/trade/load.h"
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

#define FILL_UP FUEL_200 " lines[0].fuel.authorised=true"
#define ACTUAL(amount) "lines[0].index=0 lines[0].amount=CNY" #amount
enum { APART_MAX_MS = 6 };

// A coupon of the test's user: so much off, from so much on.
static const char *coupon(struct flow_bed *bed, int amount_off, int minimum) {
    const char *id = flow_text(bed, "A-%s-%u", bed->user, ++bed->request_no);
    flow_control(bed, "AddCoupon",
                 "user_id=%s coupon.coupon_id=%s coupon.name=off coupon.kind=1 coupon.amount_off=CNY%d "
                 "coupon.minimum_spend=CNY%d coupon.minimum_base=1",
                 bed->user, id, amount_off, minimum);
    return id;
}

// Ordered with the benefits that `more` leaves, paid with these tenders, and still to be adjusted.
static void authorised(struct flow_bed *bed, struct flow_trade *trade, const char *more, const char *mode) {
    *trade = (struct flow_trade){0};
    flow_quote(bed, trade, FILL_UP, more);
    flow_order(bed, trade, mode);
}

static void bare(struct flow_bed *bed, struct flow_trade *trade) {
    *trade = (struct flow_trade){0};
    const Txcenter__Trade__V1__Quote *quote = flow_quote(bed, trade, FILL_UP, "");
    flow_order(bed, trade,
               flow_text(bed, "combination_id=%s", quote->combinations[quote->n_combinations - 1]->combination_id));
    assert_int_equal(trade->payable, LIST_200);
}

static void paid_by_wechat(struct flow_bed *bed, struct flow_trade *trade) {
    flow_pay(bed, trade);
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 0));
    flow_until_state(bed, trade, TRADE(PAID));
}

static void paid_by_card(struct flow_bed *bed, struct flow_trade *trade) {
    flow_pay_with(bed, trade, flow_tenders(bed, 1, KIND(CARD), (int)trade->payable, bed->card), "wait_for=2");
    flow_until_state(bed, trade, TRADE(PAID));
}

static const Txcenter__Trade__V1__Trade *adjusted(struct flow_bed *bed, const struct flow_trade *trade,
                                                  const char *lines) {
    flow_must(bed, "Adjust", "trade_no=%s %s", trade->no, lines);
    flow_until_state(bed, trade, TRADE(COMPLETED));
    flow_until_still(bed, trade);
    return flow_get(bed, trade->no);
}

// [A63] less than was authorised: the trade is what was dispensed, the rest of the money goes back, and what follows a
// payment waits for that
static void test_less_is_paid_for_and_the_rest_goes_back(struct flow_bed *bed) {
    struct flow_trade trade;
    bare(bed, &trade);
    paid_by_wechat(bed, &trade);
    flow_run_for(bed, 1500);
    assert_state(bed, &trade, TRADE(PAID));
    assert_int_equal(flow_ledger(bed, "points", trade.no, "award").n, 0);
    assert_int_equal(flow_ledger(bed, "invoice", trade.no, NULL).n, 0);
    assert_int_equal(flow_ledger(bed, "settlement", trade.no, NULL).n, 0);
    flow_refused(bed, "NOT_REFUNDABLE", "Refund", "trade_no=%s amount=CNY100", trade.no);
    const Txcenter__Trade__V1__Trade *found = adjusted(bed, &trade, ACTUAL(15000));
    assert_int_equal(found->authorised->minor_units, LIST_200);
    assert_int_equal(found->paid->minor_units, 15000);
    assert_int_equal(found->refunded->minor_units, 0);
    assert_int_equal(found->quote->lines[0]->list_price->minor_units, 15000);
    assert_int_equal(found->unused->amount->minor_units, 5000);
    assert_int_equal(found->unused->state, REFUND(DONE));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, 5000);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "award").points, 150);
    assert_int_equal(flow_ledger(bed, "invoice", trade.no, "record").amount, 15000);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "paid").amount, LIST_200);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "refunded").amount, 5000);
    // What was bought can be refunded, and no more.
    flow_refused(bed, "REFUND_EXCEEDS_REST", "Refund", "trade_no=%s amount=CNY15001", trade.no);
    flow_must(bed, "Refund", "trade_no=%s amount=CNY5000", trade.no);
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    flow_until_still(bed, &trade);
    assert_state(bed, &trade, TRADE(REFUNDED));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, LIST_200);
}

// [A31] [A70] of a card only what was used is taken, principal and bonus in the proportion in which they were frozen
static void test_a_card_is_captured_in_part(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_control(bed, "SetCard", "card_no=%s user_id=%s principal=CNY40000 bonus=CNY10000", bed->card, bed->user);
    bare(bed, &trade);
    paid_by_card(bed, &trade);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "confirm").n, 0); // it is frozen until then
    flow_fault(bed, FAULT(NO_ANSWER), "card", "ConfirmCard", "count=1");
    const Txcenter__Trade__V1__Trade *found = adjusted(bed, &trade, ACTUAL(15000));
    const Txcenter__Trade__V1__Tender *tender = found->attempts[0]->tenders[0];
    assert_int_equal(tender->amount->minor_units, 15000);
    assert_int_equal(tender->principal->minor_units, 12000);
    assert_int_equal(tender->bonus->minor_units, 3000);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "confirm").amount, 15000);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "release").amount, 5000);
    assert_null(found->unused);
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "refund").amount, 15000);
}

// [E8] [A18] [A31] an authorisation of a card that has expired is not captured: an operator ends the taking of what the
// card was to pay, the trade is paid all the same, and what is missing is a matter
static void test_a_card_that_is_not_captured_is_a_shortfall(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_control(bed, "SetCard", "card_no=%s user_id=%s principal=CNY40000 bonus=CNY10000 freeze_ms=1000", bed->card,
                 bed->user);
    bare(bed, &trade);
    paid_by_card(bed, &trade);
    flow_run_for(bed, 2000);
    flow_must(bed, "Adjust", "trade_no=%s " ACTUAL(15000), trade.no);
    flow_until_parked(bed, &trade, 1);
    flow_must(bed, "Terminate", "gid=%s/capture/1 reason=gone", trade.no);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    assert_int_equal(found->n_shortfalls, 1);
    assert_string_equal(found->shortfalls[0]->what, "card");
    assert_string_equal(found->shortfalls[0]->reason, "NOT_TAKEN");
    assert_string_equal(found->shortfalls[0]->text, flow_tender_no(bed, &trade, 1, 0));
    assert_int_equal(found->shortfalls[0]->amount->minor_units, 15000);
    flow_refused(bed, "MATTER_STATE", "SettleMatter", "trade_no=%s number=1 outcome=7 reason=because", trade.no);
    flow_must(bed, "SettleMatter", "trade_no=%s number=1 outcome=1 reason=because", trade.no);
    bed->not_compared = true; // the card still has the money
}

// [A31] [A63] of several tenders each gives its part
static void test_each_tender_gives_its_part(struct flow_bed *bed) {
    struct flow_trade trade;
    bare(bed, &trade);
    flow_pay_with(bed, &trade,
                  flow_tenders(bed, 3, KIND(CARD), 5000, bed->card, KIND(SCANNED), 10000, "code", KIND(CASH), 5000, ""),
                  "wait_for=2");
    flow_until_state(bed, &trade, TRADE(PAID));
    adjusted(bed, &trade, "lines[0].index=0 lines[0].amount=CNY10001");
    assert_int_equal(flow_ledger(bed, "card", trade.no, "confirm").amount, 2500);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, 4999);
    assert_int_equal(flow_tender(bed, &trade, 1, 2)->amount->minor_units, 2500);
}

// [A63] exactly as much; once; more is refused, it is a trade of its own
static void test_no_more_than_was_authorised(struct flow_bed *bed) {
    struct flow_trade trade;
    bare(bed, &trade);
    flow_refused(bed, "ADJUST_REFUSED", "Adjust", "trade_no=%s " ACTUAL(20000), trade.no);
    paid_by_card(bed, &trade);
    flow_refused(bed, "ADJUST_EXCEEDS", "Adjust", "trade_no=%s " ACTUAL(20001), trade.no);
    flow_refused(bed, "PRICE_CHANGED", "Adjust", "trade_no=%s lines[0].pump_price=CNY769 " ACTUAL(20000), trade.no);
    flow_refused(bed, "PUMP_AMOUNT_MISMATCH", "Adjust", "trade_no=%s lines[0].volume_centi=2000 " ACTUAL(15362),
                 trade.no);
    flow_refused(bed, "INVALID_REQUEST", "Adjust", "trade_no=%s", trade.no);
    flow_refused(bed, "INVALID_REQUEST", "Adjust", "trade_no=%s lines[0].index=1", trade.no);
    flow_refused(bed, "INVALID_REQUEST", "Adjust", "trade_no=%s " ACTUAL(100) " lines[1].index=0", trade.no);
    const Txcenter__Trade__V1__Trade *found = adjusted(bed, &trade, "lines[0].pump_price=CNY768 " ACTUAL(20000));
    assert_int_equal(found->paid->minor_units, LIST_200);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "confirm").amount, LIST_200);
    flow_refused(bed, "ADJUST_REFUSED", "Adjust", "trade_no=%s " ACTUAL(100), trade.no);
}

// [A63] nothing was dispensed: everything is released, and nothing follows
static void test_nothing_releases_everything(struct flow_bed *bed) {
    for (int later = 0; later < 2; later++) {
        struct flow_trade trade;
        authorised(bed, &trade, "", later ? "mode=2" : "");
        assert_int_equal(trade.payable, BEST_200);
        flow_pay_with(bed, &trade,
                      flow_tenders(bed, 2, KIND(CARD), 2500, bed->card, KIND(SCANNED), BEST_200 - 2500, "code"),
                      "wait_for=2");
        flow_until_state(bed, &trade, TRADE(PAID));
        const Txcenter__Trade__V1__Trade *found = adjusted(bed, &trade, "lines[0].index=0");
        assert_int_equal(found->paid->minor_units, 0);
        assert_int_equal(found->points_awarded, 0);
        assert_nothing_held(bed, &trade);
        assert_int_equal(flow_ledger(bed, "coupon", trade.no, "use").n, 0);
        assert_int_equal(flow_ledger(bed, "points", trade.no, "deduct").n, 0);
        assert_int_equal(flow_ledger(bed, "points", trade.no, "award").n, 0);
        assert_int_equal(flow_ledger(bed, "invoice", trade.no, "record").n, 0);
        assert_int_equal(flow_ledger(bed, "card", trade.no, "confirm").n, 0);
        assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, BEST_200 - 2500);
        flow_refused(bed, "NOT_REFUNDABLE", "Refund", "trade_no=%s whole=true", trade.no);
    }
}

// [A63] a threshold that is lost loses its discount, and the coupon is free again
static void test_a_threshold_that_is_lost_loses_its_discount(struct flow_bed *bed) {
    struct flow_trade trade;
    const char *id = coupon(bed, 2000, 15000);
    authorised(bed, &trade, flow_text(bed, "required_coupon_ids[0]=%s exclude_points=true max_combinations=10", id),
               "");
    int64_t discount = LIST_200 - trade.payable;
    assert_true(discount >= 2000);
    paid_by_wechat(bed, &trade);
    const Txcenter__Trade__V1__Trade *found = adjusted(bed, &trade, ACTUAL(9000));
    assert_int_equal(found->paid->minor_units, 9000 - found->combination->coupon_discount->minor_units);
    for (size_t i = 0; i < found->combination->n_coupon_ids; i++)
        assert_string_not_equal(found->combination->coupon_ids[i], id);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "use").n, (int)found->combination->n_coupon_ids);
    assert_nothing_held(bed, &trade);
}

// [A63] [S3-37] goods that a threshold made free cost something when it is lost: they are invoiced, and refunded
static void test_what_an_adjustment_makes_cost_something_is_invoiced(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    const char *id = flow_text(bed, "A-%s-goods", bed->user);
    flow_control(bed, "AddCoupon",
                 "user_id=%s coupon.coupon_id=%s coupon.name=off coupon.kind=1 coupon.amount_off=CNY2000 "
                 "coupon.minimum_spend=CNY15000 coupon.minimum_base=1 coupon.condition_scope[0]=fuel "
                 "coupon.benefit_scope[0]=goods",
                 bed->user, id);
    flow_quote(bed, &trade, FILL_UP " lines[1].goods.sku=COLA lines[1].goods.quantity=4",
               flow_text(bed, "required_coupon_ids[0]=%s exclude_points=true", id));
    flow_order(bed, &trade, "");
    paid_by_wechat(bed, &trade);
    assert_int_equal(flow_get(bed, trade.no)->combination->line_shares[1]->payable->minor_units, 0);
    const Txcenter__Trade__V1__Trade *found = adjusted(bed, &trade, ACTUAL(10000));
    int64_t goods = found->combination->line_shares[1]->payable->minor_units;
    assert_true(goods > 0);
    assert_int_equal(flow_effects(bed, "invoice", trade.no, "IssueInvoice", EFFECT(APPLIED)), 2);
    assert_int_equal(flow_ledger(bed, "invoice", trade.no, "record").amount, found->paid->minor_units);
    flow_refunded(bed, &trade, "lines.indexes[0]=1");
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "invoice", trade.no, "reverse").amount, goods);
}

// [A63] but nobody pays more than was authorised: the benefit is kept for the difference
static void test_nobody_pays_more_than_was_authorised(struct flow_bed *bed) {
    struct flow_trade trade;
    const char *id = coupon(bed, 15000, 20000);
    authorised(bed, &trade, flow_text(bed, "required_coupon_ids[0]=%s exclude_points=true", id), "");
    int64_t most = trade.payable;
    assert_true(most <= 5000);
    paid_by_wechat(bed, &trade);
    const Txcenter__Trade__V1__Trade *found = adjusted(bed, &trade, ACTUAL(19000));
    assert_int_equal(found->paid->minor_units, most);
    assert_int_equal(found->combination->coupon_discount->minor_units, 19000 - most);
    assert_null(found->unused);
    assert_true(flow_ledger(bed, "coupon", trade.no, "use").n >= 1);
    flow_must(bed, "Refund", "trade_no=%s amount=CNY100", trade.no);
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    flow_until_still(bed, &trade);
}

// [A63] [A78] where that is so because something was let off in cash, that stays what it is: no benefit has saved it
static void test_what_was_let_off_in_cash_is_no_benefit(struct flow_bed *bed) {
    struct flow_trade trade;
    const char *id = coupon(bed, 1933, 15000);
    authorised(bed, &trade, flow_text(bed, "required_coupon_ids[0]=%s exclude_points=true", id), "");
    int64_t off = trade.payable % 100, saved = 0;
    assert_true(off > 0);
    flow_pay_with(bed, &trade, flow_tenders(bed, 1, KIND(CASH), (int)(trade.payable - off), ""),
                  flow_text(bed, "wait_for=2 rounding_off=CNY%d", (int)off));
    flow_until_state(bed, &trade, TRADE(PAID));
    const Txcenter__Trade__V1__Trade *found = adjusted(bed, &trade, ACTUAL(20000));
    assert_int_equal(found->paid->minor_units, trade.payable - off);
    assert_int_equal(found->combination->rounding_discount->minor_units, off);
    for (size_t i = 0; i < found->combination->n_benefits; i++)
        saved += found->combination->benefits[i]->discount->minor_units;
    assert_int_equal(saved, LIST_200 - trade.payable);
    assert_int_equal(flow_ledger(bed, "marketing", trade.no, "benefit").amount, saved);
    flow_must(bed, "Cancel", "trade_no=%s", trade.no); // its benefits are for the next
    flow_until_still(bed, &trade);
}

// [A63] fewer points are spent where the rule allows fewer; the others are free again
static void test_fewer_points_are_spent(struct flow_bed *bed) {
    for (int later = 0; later < 2; later++) {
        struct flow_trade trade;
        flow_control(bed, "SetPoints", "user_id=%s available=%d", bed->user, BEST_200_POINTS);
        authorised(bed, &trade, "", later ? "mode=2" : "");
        paid_by_wechat(bed, &trade);
        const Txcenter__Trade__V1__Trade *found = adjusted(bed, &trade, ACTUAL(6000));
        assert_true(found->combination->points > 0 && found->combination->points < BEST_200_POINTS);
        assert_int_equal(flow_ledger(bed, "points", trade.no, "deduct").points, found->combination->points);
        assert_int_equal(flow_ledger(bed, "points", trade.no, "unfreeze").points,
                         BEST_200_POINTS - found->combination->points);
        flow_must(bed, "Cancel", "trade_no=%s", trade.no); // its benefits are for the next
        flow_until_still(bed, &trade);
    }
}

// ---- Cancelled before anything was dispensed ------------------------------------------------------------------------

#define BASKET                                                                                                         \
    FILL_UP " lines[1].goods.sku=COLA lines[1].goods.quantity=2 lines[2].goods.sku=WHEEL lines[2].goods.quantity=3"
enum { OF_CARD = 2500 };

// Nothing was bought: nothing is taken of the card, nothing is sold, used or given, and the rest has gone back.
static void assert_came_to_nothing(struct flow_bed *bed, const struct flow_trade *trade, int64_t of_card) {
    static const char *const never[][2] = {{"card", "confirm"},   {"card", "refund"},      {"goods", "deduct"},
                                           {"goods", "return"},   {"activity", "deliver"}, {"coupon", "use"},
                                           {"points", "deduct"},  {"points", "award"},     {"discount", "use"},
                                           {"invoice", "record"}, {"settlement", "record"}};
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade->no);
    assert_int_equal(found->state, TRADE(REFUNDED));
    assert_int_equal(found->authorised->minor_units, trade->payable);
    assert_int_equal(found->paid->minor_units, 0);
    assert_int_equal(found->refunded->minor_units, 0);
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        assert_int_equal(flow_ledger(bed, never[i][0], trade->no, never[i][1]).n, 0);
    assert_int_equal(flow_ledger(bed, "card", trade->no, "release").amount, of_card);
    assert_int_equal(flow_ledger(bed, "payment", trade->no, "refunded").amount, trade->payable - of_card);
    assert_int_equal(flow_ledger(bed, "order", trade->no, "refunded").amount, trade->payable);
    assert_int_equal(flow_ledger(bed, "order", trade->no, "refunded").n, 1);
    assert_nothing_held(bed, trade);
}

static void paid_by_card_and_code(struct flow_bed *bed, struct flow_trade *trade, const char *lines, const char *mode) {
    *trade = (struct flow_trade){0};
    flow_quote(bed, trade, lines, "");
    flow_order(bed, trade, mode);
    flow_pay_with(
        bed, trade,
        flow_tenders(bed, 2, KIND(CARD), OF_CARD, bed->card, KIND(SCANNED), (int)trade->payable - OF_CARD, "code"),
        "wait_for=2");
    flow_until_state(bed, trade, TRADE(PAID));
}

// [A39] [A63] [A37] a cancel before it is adjusted releases everything, as an adjustment to nothing does, whatever else
// is in the basket; however often it is said
static void test_a_cancel_before_it_is_adjusted_takes_nothing(struct flow_bed *bed) {
    for (int later = 0; later < 2; later++) {
        struct flow_trade trade;
        paid_by_card_and_code(bed, &trade, BASKET, later ? "mode=2" : "");
        for (int again = 0; again < 2; again++) {
            const Txcenter__Trade__V1__CancelResponse *cancelled =
                flow_must(bed, "Cancel", "trade_no=%s reason=drives~on request_id=first-%s", trade.no, trade.no);
            assert_false(cancelled->processing);
            assert_int_equal(cancelled->trade->state, TRADE(REFUNDED));
            assert_string_equal(cancelled->refund->reason, "drives on");
            assert_int_equal(cancelled->refund->state, REFUND(DONE));
            assert_int_equal(cancelled->refund->amount->minor_units, 0);
            assert_int_equal(cancelled->trade->unused->state, REFUND(DONE));
            assert_int_equal(cancelled->trade->unused->amount->minor_units, trade.payable - OF_CARD);
        }
        flow_until_still(bed, &trade);
        assert_came_to_nothing(bed, &trade, OF_CARD);
        const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
        assert_int_equal(found->quote->lines[0]->volume_centi, 0);
        assert_int_equal(found->quote->lines[1]->quantity, 0);
        assert_int_equal(found->quote->lines[2]->quantity, 0);
        flow_must(bed, "Cancel", "trade_no=%s", trade.no);
        flow_refused(bed, "ADJUST_REFUSED", "Adjust", "trade_no=%s " ACTUAL(100), trade.no);
        flow_refused(bed, "REFUND_EXCEEDS_REST", "Refund", "trade_no=%s whole=true", trade.no);
        flow_until_still(bed, &trade);
        assert_came_to_nothing(bed, &trade, OF_CARD);
    }
}

// [A39] [A35] so does one that finds it paid, because its callback was lost
static void test_a_cancel_that_finds_a_fill_up_paid_takes_nothing(struct flow_bed *bed) {
    struct flow_trade trade;
    bare(bed, &trade);
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyPayment", "");
    flow_pay_with(bed, &trade, flow_tenders(bed, 2, KIND(CARD), 5000, bed->card, KIND(WECHAT), 15000, "payer"), "");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_came_to_nothing(bed, &trade, 5000);
}

// [A30] [A63] that the release was done is not known, or it can't be done for a while: it is done once, and so is what
// goes back
static void test_a_release_whose_answer_is_lost_is_made_once(struct flow_bed *bed) {
    static const int faults[] = {FAULT(ERROR), FAULT(NO_ANSWER), FAULT(DOWN)};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct flow_trade trade;
        paid_by_card_and_code(bed, &trade, FILL_UP, "");
        flow_fault(bed, faults[i], "card", "ReleaseCard", "count=3");
        flow_fault(bed, faults[i], "payment", "RefundPayment", "count=3");
        flow_must(bed, "Cancel", "trade_no=%s", trade.no);
        flow_until_state(bed, &trade, TRADE(REFUNDED));
        flow_until_still(bed, &trade);
        assert_came_to_nothing(bed, &trade, OF_CARD);
        flow_clear_faults(bed);
    }
}

// [A37] it can be given up as long as it is not adjusted, which a purchase that is complete can't be refunded
static void test_a_fill_up_is_cancelled_at_any_time(struct flow_bed *bed) {
    enum { LONGER_THAN_THE_WINDOW_MS = 25 * 3600 * 1000 };
    struct flow_trade trade, whole;
    bare(bed, &whole);
    paid_by_card(bed, &whole);
    adjusted(bed, &whole, ACTUAL(15000));
    bare(bed, &trade);
    flow_pay_with(bed, &trade, flow_tenders(bed, 1, KIND(SCANNED), LIST_200, "code"), "wait_for=2");
    flow_until_state(bed, &trade, TRADE(PAID));
    flow_run_for(bed, LONGER_THAN_THE_WINDOW_MS);
    flow_refused(bed, "NOT_REFUNDABLE", "Cancel", "trade_no=%s", whole.no);
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    flow_until_still(bed, &trade);
    assert_came_to_nothing(bed, &trade, 0);
}

// [A39] [E8] the refund by which a cancelled fill-up ends was terminated before it began: nothing was bought, and
// another refund ends it
static void test_a_cancelled_fill_up_whose_refund_was_ended_is_ended_by_another(struct flow_bed *bed) {
    struct flow_trade trade;
    paid_by_card_and_code(bed, &trade, FILL_UP, "");
    flow_fault(bed, FAULT(DOWN), "order", "MarkRefunded", ""); // what a refund waits for
    flow_must(bed, "Cancel", "trade_no=%s wait_ms=0", trade.no);
    flow_run_for(bed, 1000);
    flow_must(bed, "Terminate", "gid=%s/refund/cancel reason=wrong", trade.no);
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    flow_refused(bed, "ALREADY_PAID", "Cancel", "trade_no=%s", trade.no);
    assert_state(bed, &trade, TRADE(COMPLETED));
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    flow_until_still(bed, &trade);
    assert_came_to_nothing(bed, &trade, OF_CARD);
    flow_refused(bed, "REFUND_EXCEEDS_REST", "Refund", "trade_no=%s whole=true", trade.no);
}

// [A39] who waits for a cancel is answered when the money has gone back, too
static void test_a_cancel_is_answered_when_what_was_taken_is_back(struct flow_bed *bed) {
    struct flow_trade trade;
    paid_by_card_and_code(bed, &trade, FILL_UP, "");
    flow_fault(bed, FAULT(DELAY), "payment", "RefundPayment", "delay_ms=3000");
    const Txcenter__Trade__V1__CancelResponse *cancelled =
        flow_must(bed, "Cancel", "trade_no=%s wait_ms=1000", trade.no);
    assert_true(cancelled->processing);
    assert_int_equal(cancelled->refund->state, REFUND(DONE));
    assert_int_equal(cancelled->trade->unused->state, REFUND(PENDING));
    flow_until_still(bed, &trade);
    assert_came_to_nothing(bed, &trade, OF_CARD);
}

// [E8] an operator ends the purchase before it has let go of what was locked: the refund does
static void test_what_a_terminated_purchase_still_holds_is_free_with_its_refund(struct flow_bed *bed) {
    static const char *const releases[][2] = {
        {"coupon", "UnlockCoupons"}, {"points", "UnfreezePoints"}, {"goods", "ReleaseStock"}};
    struct flow_trade trade;
    for (int later = 0; later < 2; later++) {
        paid_by_card_and_code(bed, &trade, BASKET, later ? "mode=2" : "");
        for (size_t i = 0; i < sizeof releases / sizeof releases[0]; i++)
            flow_fault(bed, FAULT(REJECT), releases[i][0], releases[i][1],
                       flow_text(bed, "code=STUCK count=1 key_prefix=%s", trade.no));
        flow_must(bed, "Cancel", "trade_no=%s wait_ms=0", trade.no);
        flow_until_parked(bed, &trade, 1);
        flow_must(bed, "Terminate", "gid=%s/1 reason=stuck", trade.no);
        flow_until_state(bed, &trade, TRADE(REFUNDED));
        flow_until_still(bed, &trade);
        assert_nothing_held(bed, &trade);
        flow_clear_faults(bed);
    }
    // So does the refund of what was dispensed, where an adjustment has lost a coupon, or of nothing.
    for (int some = 0; some < 2; some++) {
        const char *id = coupon(bed, 2000, 15000);
        authorised(bed, &trade, flow_text(bed, "required_coupon_ids[0]=%s exclude_points=true", id), "");
        paid_by_wechat(bed, &trade);
        flow_fault(bed, FAULT(REJECT), "coupon", "*", flow_text(bed, "code=STUCK key_prefix=%s", trade.no));
        flow_must(bed, "Adjust", "trade_no=%s %s", trade.no, some ? ACTUAL(1) : "lines[0].index=0");
        flow_until_parked(bed, &trade, 1);
        flow_must(bed, "Terminate", "gid=%s/1 reason=stuck", trade.no);
        flow_until_state(bed, &trade, TRADE(COMPLETED));
        flow_clear_faults(bed);
        assert_int_equal(flow_get(bed, trade.no)->combination->n_coupon_ids, 0);
        flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
        flow_until_still(bed, &trade);
        assert_nothing_held(bed, &trade);
        flow_refused(bed, "REFUND_EXCEEDS_REST", "Refund", "trade_no=%s whole=true", trade.no);
    }
    // Also of one that had begun before the purchase was terminated.
    authorised(bed, &trade, flow_text(bed, "required_coupon_ids[0]=%s", coupon(bed, 2000, 15000)), "");
    paid_by_wechat(bed, &trade);
    flow_fault(bed, FAULT(REJECT), "coupon", "*", flow_text(bed, "code=STUCK key_prefix=%s", trade.no));
    flow_fault(bed, FAULT(REJECT), "points", "*", flow_text(bed, "code=STUCK key_prefix=%s", trade.no));
    flow_must(bed, "Adjust", "trade_no=%s " ACTUAL(1), trade.no);
    flow_until_parked(bed, &trade, 1);
    flow_must(bed, "Refund", "trade_no=%s whole=true wait_ms=0", trade.no);
    flow_run_for(bed, 1000);
    flow_must(bed, "Terminate", "gid=%s/1 reason=stuck", trade.no);
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_nothing_held(bed, &trade);
    bed->not_compared = true; // what follows a payment never comes
}

// [A39] what was dispensed is known by then: that is what was bought, and a cancel is its refund
static void test_a_cancel_after_it_is_adjusted_refunds_what_was_dispensed(struct flow_bed *bed) {
    struct flow_trade trade;
    bare(bed, &trade);
    paid_by_card(bed, &trade);
    flow_fault(bed, FAULT(DELAY), "card", "ConfirmCard", "delay_ms=300"); // is being captured
    flow_must(bed, "Adjust", "trade_no=%s " ACTUAL(15000), trade.no);
    const Txcenter__Trade__V1__CancelResponse *cancelled = flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    assert_int_equal(cancelled->refund->amount->minor_units, 15000);
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "confirm").amount, 15000);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "refund").amount, 15000);
}

// ---- What can't be started ------------------------------------------------------------------------------------------

// Refused, and not the least of it is done.
static void refused_whole(struct flow_bed *bed, struct flow_trade *trade, const char *gid, const char *method,
                          const char *fields) {
    bare(bed, trade);
    flow_pay_with(bed, trade, flow_tenders(bed, 2, KIND(CARD), 5000, bed->card, KIND(SCANNED), 15000, "code"),
                  "wait_for=2");
    flow_until_state(bed, trade, TRADE(PAID));
    flow_run_for(bed, 1000);
    flow_get_in_the_way(bed, flow_text(bed, "%s/%s", trade->no, gid));
    int64_t version = flow_get(bed, trade->no)->version;
    flow_refused(bed, "RETRY", method, "trade_no=%s %s", trade->no, fields);
    flow_run_for(bed, 1000);
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade->no);
    assert_int_equal(found->version, version);
    assert_int_equal(found->state, TRADE(PAID));
}

// Where a saga that it needs can't be started, a fill-up is neither adjusted nor cancelled by half
static void test_what_can_not_be_started_changes_nothing(struct flow_bed *bed) {
    static const char *const of_refund[][3] = {
        {"refund/unused", "Adjust", ACTUAL(15000)}, {"refund/unused", "Cancel", ""}, {"refund/cancel", "Cancel", ""}};
    static const char *const of_card[][2] = {{"Adjust", ACTUAL(15000)}, {"Cancel", ""}};
    static const char *const needed[] = {"refund/cancel", "refund/unused", "capture/1"};
    struct flow_trade trade;
    for (size_t i = 0; i < 3; i++) {
        refused_whole(bed, &trade, of_refund[i][0], of_refund[i][1], of_refund[i][2]);
        // What needs no such saga goes on from where it was.
        const Txcenter__Trade__V1__Trade *found = adjusted(bed, &trade, ACTUAL(20000));
        assert_int_equal(found->paid->minor_units, LIST_200);
        assert_int_equal(flow_ledger(bed, "card", trade.no, "confirm").amount, 5000);
        flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
        flow_until_still(bed, &trade);
        assert_state(bed, &trade, TRADE(REFUNDED));
    }
    for (size_t i = 0; i < 2; i++)
        refused_whole(bed, &trade, "capture/1", of_card[i][0], of_card[i][1]);
    // Nor is it paid, where a cancel finds that it is and all of it is to go back.
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        bare(bed, &trade);
        flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyPayment", "");
        flow_pay_with(bed, &trade, flow_tenders(bed, 2, KIND(CARD), 5000, bed->card, KIND(WECHAT), 15000, "payer"), "");
        flow_get_in_the_way(bed, flow_text(bed, "%s/%s", trade.no, needed[i]));
        flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
        flow_must(bed, "Cancel", "trade_no=%s wait_ms=0", trade.no);
        flow_run_for(bed, 5000);
        assert_state(bed, &trade, TRADE(CLOSING));
        assert_tender(bed, &trade, 1, 1, TENDER(PAID));
    }
    bed->leave_open = bed->not_compared = true; // what is in the way of the last ones is there for ever
}

// What is needed for an adjustment is made before anything is changed: with too little room for it there is none.
static void adjusted_with_room(struct flow_bed *bed, const struct flow_trade *trade, int64_t payable) {
    enum { LEAST = 256, ENOUGH = 8 << 20 };
    Txcenter__Trade__V1__ActualLine line = TXCENTER__TRADE__V1__ACTUAL_LINE__INIT, *lines[] = {&line};
    Txcenter__Type__V1__Money amount = TXCENTER__TYPE__V1__MONEY__INIT;
    amount.currency = (char *)(uintptr_t) "CNY";
    amount.minor_units = 19000;
    line.amount = &amount;
    struct trades *trades = flow_virtual(bed)->center.trades;
    const struct trade *found = CONTAINER_OF(map_find(&trades->resident, str_c(trade->no)), struct trade, node);
    bool enough = false;
    unsigned refused = 0;
    for (size_t room = LEAST; !enough; room += room / 16) {
        struct actual actual;
        struct error error = {0};
        struct arena arena;
        assert_true(room < ENOUGH);
        arena_init(&arena, room);
        enough = actual_of(found, lines, 1, &arena, &actual, &error);
        refused += !enough;
        assert_true(enough == !error_is(&error));
        if (enough) {
            const Txcenter__Trade__V1__Quote *quote =
                adapter_decode(actual.quote, &txcenter__trade__v1__quote__descriptor, &bed->arena);
            assert_int_equal(quote->combinations[0]->payable->minor_units, payable);
        }
        arena_release(&arena);
    }
    assert_true(refused > 10);
    const Txcenter__Trade__V1__Trade *after = adjusted(bed, trade, ACTUAL(19000));
    assert_int_equal(after->paid->minor_units, payable);
    assert_int_equal(after->combination->coupon_discount->minor_units, 19000 - payable);
}

static void test_an_adjustment_that_lacks_room_is_refused(struct flow_bed *bed) {
    struct flow_trade trade;
    bare(bed, &trade);
    paid_by_wechat(bed, &trade);
    adjusted_with_room(bed, &trade, 19000);
    // Where the benefits are kept for the difference.
    const char *id = coupon(bed, 15000, 20000);
    authorised(bed, &trade, flow_text(bed, "required_coupon_ids[0]=%s exclude_points=true", id), "");
    paid_by_wechat(bed, &trade);
    adjusted_with_room(bed, &trade, trade.payable);
}

// An operator who ends the purchase before it is adjusted leaves a trade that is bought as it was authorised.
static void test_a_purchase_that_is_terminated_counts_as_authorised(struct flow_bed *bed) {
    struct flow_trade trade;
    bed->not_compared = true; // what follows a payment never comes
    bare(bed, &trade);
    paid_by_card(bed, &trade);
    flow_must(bed, "Terminate", "gid=%s/1 reason=stuck", trade.no);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "confirm").amount, LIST_200);
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    flow_until_still(bed, &trade);
}

// [A31] [S3-17] a purchase that was terminated is complete before its card has been captured: a refund waits for that
static void test_a_refund_waits_until_the_card_is_captured(struct flow_bed *bed) {
    struct flow_trade trade;
    for (int taken = 0; taken < 2; taken++) {
        bare(bed, &trade);
        paid_by_card(bed, &trade);
        flow_fault(bed, FAULT(REJECT), "card", "ConfirmCard", flow_text(bed, "code=CLOSED key_prefix=%s", trade.no));
        flow_must(bed, "Adjust", "trade_no=%s " ACTUAL(15000), trade.no);
        flow_until_parked(bed, &trade, 1);
        flow_must(bed, "Terminate", "gid=%s/1 reason=stuck", trade.no);
        flow_until_state(bed, &trade, TRADE(COMPLETED));
        flow_must(bed, "Refund", "trade_no=%s refund_no=A whole=true wait_ms=100", trade.no);
        flow_run_for(bed, 2000);
        assert_int_equal(flow_effects(bed, "card", trade.no, "RefundCard", EFFECT(REJECTED)), 0);
        assert_int_equal(flow_unfinished(bed, trade.no)->n_sagas, 2);
        flow_crash_center(bed);
        flow_clear_faults(bed);
        if (taken)
            flow_retry_parked(bed, &trade);
        else
            flow_must(bed, "Terminate", "gid=%s/capture/1 reason=closed", trade.no);
        flow_until_still(bed, &trade);
        assert_int_equal(flow_ledger(bed, "card", trade.no, "refund").amount, taken ? 15000 : 0);
        assert_int_equal(flow_parked(bed, trade.no), taken ? 0 : 1); // what was not taken does not go back
    }
    bed->parked = 1;
    bed->not_compared = true; // what follows a payment never comes
}

// [E8] where even the taking can't be started then, what is not taken is a matter, which an operator settles
static void test_a_capture_that_can_not_start_is_a_shortfall(struct flow_bed *bed) {
    struct flow_trade trade;
    bare(bed, &trade);
    flow_pay_with(bed, &trade, flow_tenders(bed, 2, KIND(CARD), 5000, bed->card, KIND(SCANNED), 15000, "code"),
                  "wait_for=2");
    flow_until_state(bed, &trade, TRADE(PAID));
    flow_get_in_the_way(bed, flow_text(bed, "%s/capture/1", trade.no));
    flow_must(bed, "Terminate", "gid=%s/1 reason=stuck", trade.no);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    const Txcenter__Trade__V1__ListMattersResponse *open =
        flow_must(bed, "ListMatters", "filter.trade_no=%s", trade.no);
    assert_int_equal(open->n_matters, 1);
    assert_int_equal(open->matters[0]->kind, TXCENTER__TRADE__V1__MATTER_KIND__MATTER_KIND_SHORTFALL);
    assert_string_equal(open->matters[0]->what, "card");
    assert_string_equal(open->matters[0]->reason, "NOT_TAKEN");
    assert_string_equal(open->matters[0]->text, flow_tender_no(bed, &trade, 1, 0));
    assert_int_equal(open->matters[0]->amount->minor_units, 5000);
    flow_must(bed, "SettleMatter", "trade_no=%s number=1 outcome=2 reason=paid~in~cash", trade.no);
    open = flow_must(bed, "ListMatters", "filter.trade_no=%s", trade.no);
    assert_int_equal(open->n_matters, 0);
    bed->leave_open = bed->not_compared =
        true; // the card still has the money, and what was in the way is there for ever
}

// [A75] a channel that can't give back what was not used parks that alone: the trade goes on
static void test_what_can_not_go_back_waits_for_an_operator(struct flow_bed *bed) {
    struct flow_trade trade;
    bare(bed, &trade);
    paid_by_wechat(bed, &trade);
    flow_fault(bed, FAULT(REJECT), "payment", "RefundPayment", "code=ACCOUNT_CLOSED count=1");
    flow_must(bed, "Adjust", "trade_no=%s " ACTUAL(15000), trade.no);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_parked(bed, &trade, 1);
    flow_retry_parked(bed, &trade);
    flow_until_still(bed, &trade);
    assert_int_equal(flow_get(bed, trade.no)->unused->state, REFUND(DONE));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, 5000);
}

// Two who adjust at once, and one who cancels before them, between, or behind: one of them is heard first, and what the
// card pays is what that one has said.
static void test_an_adjustment_against_others(struct flow_bed *bed) {
    int heard[3] = {0};
    for (int apart_ms = -APART_MAX_MS; apart_ms <= APART_MAX_MS; apart_ms++) {
        struct flow_trade trade;
        struct flow_answer *adjusts[2], *cancel = NULL;
        bare(bed, &trade);
        paid_by_card(bed, &trade);
        if (apart_ms < 0) {
            cancel = flow_send(bed, "Cancel", "trade_no=%s", trade.no);
            flow_run_for(bed, -apart_ms - 1);
        }
        adjusts[0] = flow_send(bed, "Adjust", "trade_no=%s " ACTUAL(15000), trade.no);
        adjusts[1] = flow_send(bed, "Adjust", "trade_no=%s " ACTUAL(10000), trade.no);
        if (apart_ms > 0)
            flow_run_for(bed, apart_ms);
        if (!cancel)
            cancel = flow_send(bed, "Cancel", "trade_no=%s", trade.no);
        flow_wait(bed, cancel);
        assert_non_null(cancel->message);
        int64_t taken = 0;
        for (int i = 0; i < 2; i++) {
            flow_wait(bed, adjusts[i]);
            if (!adjusts[i]->message) {
                assert_verdict(adjusts[i], "ADJUST_REFUSED");
                continue;
            }
            assert_int_equal(taken, 0);
            taken = i == 0 ? 15000 : 10000;
        }
        heard[taken == 0 ? 2 : taken == 15000 ? 0 : 1]++;
        flow_until_state(bed, &trade, TRADE(REFUNDED));
        flow_until_still(bed, &trade);
        assert_int_equal(flow_ledger(bed, "card", trade.no, "confirm").amount, taken);
        assert_int_equal(flow_ledger(bed, "card", trade.no, "release").amount, LIST_200 - taken);
        assert_int_equal(flow_ledger(bed, "card", trade.no, "refund").amount, taken);
    }
    assert_true(heard[0] + heard[1] > 0 && heard[2] > 0);
}

// The gid of the refund is in use: somebody else's saga, or one whose writes are just failing.
static void occupy(void *ctx, struct trade *trade, const struct error *error) {
    struct flow_bed *bed = ctx;
    struct error failed = {0};
    assert_null(error);
    struct saga_turn *turn = saga_turn_begin(flow_virtual(bed)->center.engine, &trade->subject);
    const char *gid = flow_text(bed, "%s/refund/unused", trade->row.trade_no);
    assert_true(saga_turn_start(turn, &(struct saga_start){.flow = "trade.recall_order", .gid = str_c(gid)}, &failed));
    saga_turn_commit(turn, NULL, NULL);
    saga_subject_release(&trade->subject);
}

// [A63] [A53] an adjustment whose refund can't be started is refused, and the trade is as it was: no money is left that
// nobody gives back
static void test_an_adjustment_whose_refund_can_not_start_changes_nothing(struct flow_bed *bed) {
    struct flow_trade trade;
    bare(bed, &trade);
    paid_by_wechat(bed, &trade);
    flow_run_for(bed, 1500);
    flow_fault(bed, FAULT(DOWN), "order", "*", ""); // the other one gets nowhere
    load_trade(flow_virtual(bed)->center.trades, str_c(trade.no), occupy, bed);
    size_t postings = flow_get(bed, trade.no)->n_ledger;
    for (int i = 0; i < 2; i++)
        flow_refused(bed, "RETRY", "Adjust", "trade_no=%s %s request_id=adjust-it", trade.no, ACTUAL(15000));
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    assert_int_equal(found->state, TRADE(PAID));
    assert_null(found->adjusted_at);
    assert_null(found->unused);
    assert_int_equal(found->paid->minor_units, LIST_200);
    assert_int_equal(found->n_ledger, postings);
    bed->leave_open = bed->not_compared = true;
}

static const struct flow_case cases[] = {
    CASE(test_less_is_paid_for_and_the_rest_goes_back),
    CASE(test_a_card_is_captured_in_part),
    CASE(test_a_card_that_is_not_captured_is_a_shortfall),
    CASE(test_each_tender_gives_its_part),
    CASE(test_no_more_than_was_authorised),
    CASE(test_nothing_releases_everything),
    CASE(test_a_threshold_that_is_lost_loses_its_discount),
    CASE(test_what_an_adjustment_makes_cost_something_is_invoiced),
    CASE(test_nobody_pays_more_than_was_authorised),
    CASE(test_what_was_let_off_in_cash_is_no_benefit),
    CASE(test_fewer_points_are_spent),
    CASE(test_a_cancel_before_it_is_adjusted_takes_nothing),
    CASE(test_a_cancel_that_finds_a_fill_up_paid_takes_nothing),
    CASE(test_a_release_whose_answer_is_lost_is_made_once),
    VIRTUAL_WITH(test_a_fill_up_is_cancelled_at_any_time, .a_day_of_refunds = true),
    CASE(test_a_cancel_is_answered_when_what_was_taken_is_back),
    CASE(test_a_cancelled_fill_up_whose_refund_was_ended_is_ended_by_another),
    CASE(test_what_a_terminated_purchase_still_holds_is_free_with_its_refund),
    CASE(test_a_cancel_after_it_is_adjusted_refunds_what_was_dispensed),
    VIRTUAL(test_what_can_not_be_started_changes_nothing),
    VIRTUAL(test_an_adjustment_that_lacks_room_is_refused),
    CASE(test_a_purchase_that_is_terminated_counts_as_authorised),
    CASE(test_a_refund_waits_until_the_card_is_captured),
    VIRTUAL(test_a_capture_that_can_not_start_is_a_shortfall),
    CASE(test_what_can_not_go_back_waits_for_an_operator),
    VIRTUAL(test_an_adjustment_against_others),
    VIRTUAL(test_an_adjustment_whose_refund_can_not_start_changes_nothing),
};
CASES(adjust);
