// Cancels: in every state, twice, against a payment that comes at the same time, and of what is paid already.
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

typedef Txcenter__Trade__V1__CancelResponse cancel_response;

static const char *three_tenders(struct flow_bed *bed) {
    return flow_tenders(bed, 3, KIND(CARD), 3000, bed->card, KIND(WECHAT), 4000, "payer-a", KIND(ALIPAY),
                        BEST_200 - 7000, "payer-b");
}

// Everything that the trade had taken has been undone at its system.
static void assert_undone(struct flow_bed *bed, const struct flow_trade *trade) {
    static const char *const effects[][2] = {
        {"order", "CreateOrder"}, {"coupon", "LockCoupons"}, {"points", "FreezePoints"}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(flow_effects(bed, effects[i][0], trade->no, effects[i][1], EFFECT(APPLIED)), 0);
        assert_int_equal(flow_effects(bed, effects[i][0], trade->no, effects[i][1], EFFECT(COMPENSATED)), 1);
    }
    assert_nothing_held(bed, trade);
}

// A quote that is given up: nobody but the center knew of it.
static void test_a_quoted_trade_is_cancelled_without_asking_anybody(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    int64_t before = flow_calls(bed, "order") + flow_calls(bed, "coupon") + flow_calls(bed, "points");
    const cancel_response *cancelled = flow_must(bed, "Cancel", "trade_no=%s reason=too~dear", trade.no);
    assert_int_equal(cancelled->trade->state, TRADE(CANCELLED));
    assert_false(cancelled->processing);
    assert_null(cancelled->refund);
    assert_string_equal(cancelled->trade->reason, "CANCELLED");
    assert_string_equal(cancelled->trade->text, "too dear");
    assert_int_equal(flow_calls(bed, "order") + flow_calls(bed, "coupon") + flow_calls(bed, "points"), before);
    flow_refused(bed, "TRADE_ENDED", "PlaceOrder", "trade_no=%s quote_version=1", trade.no);
}

// [A38] [S3-8] every lock is gone, and what was locked can be had again
static void test_a_cancelled_order_leaves_no_lock(struct flow_bed *bed) {
    struct flow_trade trade, next;
    flow_ordered(bed, &trade);
    const cancel_response *cancelled = flow_must(bed, "Cancel", "trade_no=%s reason=changed~my~mind", trade.no);
    assert_int_equal(cancelled->trade->state, TRADE(CANCELLED));
    assert_undone(bed, &trade);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "close").n, 1);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, NULL).n, 0);
    assert_history(bed, &trade, "CREATED QUOTED ORDERING ORDERED CLOSING CANCELLED");
    flow_ordered(bed, &next); // asserts that it gets the same benefits
}

// [A36] [A38] the open tenders are closed, the card is released, and only then are the locks undone
static void test_a_cancel_while_paying_closes_the_gateway_first(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay_with(bed, &trade, three_tenders(bed), "");
    flow_fault(bed, FAULT(DELAY), "payment", "ClosePayment", "delay_ms=300");
    struct flow_answer *answer = flow_send(bed, "Cancel", "trade_no=%s", trade.no);
    flow_until_state(bed, &trade, TRADE(CLOSING));
    flow_run_for(bed, 100);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "closed").n, 0);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "unlock").n, 0);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "unfreeze").n, 0);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "close").n, 0);
    flow_wait(bed, answer);
    assert_verdict(answer, "OK");
    assert_state(bed, &trade, TRADE(CANCELLED));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "closed").n, 2);
    for (int i = 0; i < 3; i++)
        assert_tender(bed, &trade, 1, i, TENDER(CLOSED));
    assert_int_equal(flow_get(bed, trade.no)->attempts[0]->state, ATTEMPT(FAILED));
    assert_undone(bed, &trade);
}

// [A36] a gateway that can't be reached keeps the locks: nobody knows whether it was paid
static void test_a_gateway_out_of_reach_keeps_what_is_cancelled_locked(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay_with(bed, &trade, three_tenders(bed), "");
    flow_fault(bed, FAULT(NO_ANSWER), "payment", "*", "");
    const cancel_response *cancelled = flow_must(bed, "Cancel", "trade_no=%s wait_ms=200", trade.no);
    assert_true(cancelled->processing);
    assert_int_equal(cancelled->trade->state, TRADE(CLOSING));
    flow_run_for(bed, bed->ops->virtual_time ? 3600000 : 2500);
    assert_state(bed, &trade, TRADE(CLOSING));
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "unlock").n, 0);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "release").n, 0);
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(CANCELLED));
    assert_undone(bed, &trade);
}

// [A37] twice is the same as once: the same request, another, and many at the same time
static void test_a_cancel_that_comes_often_is_one(struct flow_bed *bed) {
    struct flow_trade trade;
    struct flow_answer *answers[8];
    flow_ordered(bed, &trade);
    flow_pay(bed, &trade);
    for (int i = 0; i < 8; i++) // half of them the same request
        answers[i] = flow_send(bed, "Cancel", "trade_no=%s request_id=%s-%d", trade.no, trade.no, i / 2 * 2);
    for (int i = 0; i < 8; i++) {
        flow_wait(bed, answers[i]);
        assert_verdict(answers[i], "OK");
        assert_int_equal(((const cancel_response *)answers[i]->message)->trade->state, TRADE(CANCELLED));
    }
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    flow_crash_center(bed);
    const cancel_response *again = flow_must(bed, "Cancel", "trade_no=%s request_id=%s-0", trade.no, trade.no);
    assert_int_equal(again->trade->state, TRADE(CANCELLED));
    flow_refused(bed, "IDEMPOTENCY_KEY_REUSED", "Cancel", "trade_no=%s request_id=%s-0 reason=another", trade.no,
                 trade.no);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "close").n, 1);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "closed").n, 1);
    assert_undone(bed, &trade);
}

static bool money_is_back(struct flow_bed *bed, const void *ctx) {
    return flow_ledger(bed, "payment", ctx, "refunded").n > 0;
}

// Whatever became of the race: what was paid has gone back, once, and nothing is held.
static int settled(struct flow_bed *bed, const struct flow_trade *trade) {
    flow_until(bed, money_is_back, trade->no, "what was paid must go back");
    flow_until_still(bed, trade);
    struct flow_sum paid = flow_ledger(bed, "payment", trade->no, "paid");
    struct flow_sum refunded = flow_ledger(bed, "payment", trade->no, "refunded");
    assert_int_equal(paid.n, 1);
    assert_int_equal(refunded.n, 1);
    assert_int_equal(refunded.amount, paid.amount);
    assert_nothing_held(bed, trade);
    int state = (int)flow_get(bed, trade->no)->state;
    if (state != TRADE(CANCELLED) && state != TRADE(REFUNDED))
        fail_msg("the trade is neither cancelled nor refunded");
    return state;
}

enum { RACES = 24 };

static void race(struct flow_bed *bed, bool cancel_first, bool seen[2]) {
    int races = bed->ops->virtual_time ? RACES : 4;
    for (int i = 0; i < races; i++) {
        struct flow_trade trade;
        flow_ordered_bare(bed, &trade);
        flow_pay(bed, &trade);
        struct flow_answer *cancel = NULL;
        if (cancel_first)
            cancel = flow_send(bed, "Cancel", "trade_no=%s", trade.no);
        else
            flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
        if (i > 0)
            flow_run_for(bed, i);
        if (cancel_first)
            flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0)); // late only when it was closed
        else
            cancel = flow_send(bed, "Cancel", "trade_no=%s", trade.no);
        flow_wait(bed, cancel);
        assert_verdict(cancel, "OK");
        seen[settled(bed, &trade) == TRADE(REFUNDED)] = true;
    }
}

// [A35] [A25] a cancel, and at any moment after it a payment: it is cancelled and the money goes back, or it is paid
// and refunded
static void test_of_a_cancel_and_then_a_payment_one_wins(struct flow_bed *bed) {
    bool seen[2] = {false};
    race(bed, true, seen);
    if (bed->ops->virtual_time)
        assert_true(seen[0] && seen[1]); // the moments hit both sides
}

// [A35] [A39] a payment, and at any moment after it a cancel: it is paid and refunded
static void test_of_a_payment_and_then_a_cancel_the_payment_wins(struct flow_bed *bed) {
    bool seen[2] = {false};
    race(bed, false, seen);
    assert_true(seen[1]);
    assert_false(seen[0]);
}

// [A35] [A39] the cancel finds at the gateway that it was paid, though its callback was lost: paid, and all goes back
static void test_a_cancel_that_finds_it_paid_becomes_a_refund(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyPayment", "");
    flow_fault(bed, FAULT(DOWN), "payment", "QueryPayment", "");
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    const cancel_response *cancelled = flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    assert_int_equal(cancelled->trade->state, TRADE(REFUNDED));
    assert_non_null(cancelled->refund);
    assert_int_equal(cancelled->refund->amount->minor_units, BEST_200);
    settled(bed, &trade);
    assert_history(bed, &trade, "CREATED QUOTED ORDERING ORDERED PAYING CLOSING PAID COMPLETED REFUNDED");
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "give_back").n, BEST_200_COUPONS);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "give_back").points, BEST_200_POINTS);
}

// [A35] of two asynchronous tenders one was paid when the cancel came: it goes back, the other is closed
static void test_a_cancel_gives_back_what_one_of_two_tenders_paid(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay_with(bed, &trade, three_tenders(bed), "");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
    flow_until_tender(bed, &trade, 1, 1, TENDER(PAID));
    const cancel_response *cancelled = flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    assert_int_equal(cancelled->trade->state, TRADE(CANCELLED));
    flow_until_tender(bed, &trade, 1, 1, TENDER(RETURNED));
    assert_tender(bed, &trade, 1, 0, TENDER(CLOSED));
    assert_tender(bed, &trade, 1, 2, TENDER(CLOSED));
    assert_int_equal(flow_ledger(bed, "card", trade.no, "confirm").n, 0);
    settled(bed, &trade);
}

// [A39] [S3-8] a cancel of a paid trade refunds all of it, to every tender, and takes back what followed
static void test_a_cancel_of_a_completed_trade_refunds_it(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay_with(bed, &trade, three_tenders(bed), "");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 2));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    for (int i = 0; i < 3; i++) { // and again, which changes nothing
        const cancel_response *cancelled = flow_must(bed, "Cancel", "trade_no=%s", trade.no);
        assert_int_equal(cancelled->trade->state, TRADE(REFUNDED));
        assert_int_equal(cancelled->refund->state, REFUND(DONE));
        assert_int_equal(cancelled->refund->n_legs, 3);
        assert_true(cancelled->refund->final);
    }
    flow_until_still(bed, &trade);
    assert_int_equal(flow_get(bed, trade.no)->n_refunds, 1);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, BEST_200 - 3000);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "refund").amount, 3000);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "claw_back").points, BEST_200 / 100);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "withdraw").n, 1);
}

// A cancel while the payment is still being worked off: paid, completed, refunded, in this order.
static void test_a_cancel_of_a_trade_that_has_just_been_paid_waits_for_its_completion(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_fault(bed, FAULT(DELAY), "order", "MarkPaid", "delay_ms=400");
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(PAID));
    const cancel_response *cancelled = flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    assert_int_equal(cancelled->trade->state, TRADE(REFUNDED));
    settled(bed, &trade);
    assert_history(bed, &trade, "CREATED QUOTED ORDERING ORDERED PAYING PAID COMPLETED REFUNDED");
}

// [A39] of a trade that was refunded in part the cancel refunds the rest
static void test_a_cancel_refunds_what_is_left(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    flow_must(bed, "Refund", "trade_no=%s amount=CNY2500", trade.no);
    const cancel_response *cancelled = flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    assert_int_equal(cancelled->trade->state, TRADE(REFUNDED));
    assert_int_equal(cancelled->refund->amount->minor_units, BEST_200 - 2500);
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, BEST_200);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "give_back").points, BEST_200_POINTS);
}

static void test_what_has_ended_otherwise_is_not_cancelled(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_fault(bed, FAULT(REJECT), "order", "CreateOrder", "code=CLOSED_TODAY count=1");
    flow_refused(bed, "ORDER_REFUSED", "PlaceOrder", "trade_no=%s quote_version=1", trade.no);
    flow_refused(bed, "TRADE_ENDED", "Cancel", "trade_no=%s", trade.no);
    assert_state(bed, &trade, TRADE(FAILED));
    flow_refused(bed, "TRADE_NOT_FOUND", "Cancel", "trade_no=01M7YBK6QT3HKKBQ7APVMWGMYR");
    flow_refused(bed, "TRADE_NOT_FOUND", "Cancel", "order_no=O-nobody-has");
    flow_refused(bed, "INVALID_REQUEST", "Cancel", "reason=none");
    flow_refused(bed, "INVALID_REQUEST", "Cancel", "trade_no=%s wait_ms=30001", trade.no);
}

// Whoever cancels may leave: the cancel goes on, also over a death.
static void test_a_cancel_goes_on_without_its_caller(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay(bed, &trade);
    flow_fault(bed, FAULT(UNAVAILABLE), "payment", "ClosePayment", "count=2");
    const cancel_response *cancelled = flow_must(bed, "Cancel", "trade_no=%s wait_ms=0", trade.no);
    assert_true(cancelled->processing);
    flow_crash_center(bed);
    flow_until_state(bed, &trade, TRADE(CANCELLED));
    assert_undone(bed, &trade);
}

// [A38] [A30] undoing goes on while systems fail and answers are lost
static void test_undoing_goes_on_until_it_is_done(struct flow_bed *bed) {
    static const char *const undo[][2] = {
        {"order", "CloseOrder"}, {"coupon", "UnlockCoupons"}, {"points", "UnfreezePoints"}, {"card", "ReleaseCard"}};
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay_with(bed, &trade, three_tenders(bed), "");
    for (size_t i = 0; i < 4; i++) {
        flow_fault(bed, FAULT(UNAVAILABLE), undo[i][0], undo[i][1], "count=2");
        flow_fault(bed, FAULT(NO_ANSWER), undo[i][0], undo[i][1], "count=1");
        flow_fault(bed, FAULT(ERROR), undo[i][0], undo[i][1], "count=1");
    }
    const cancel_response *cancelled = flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    assert_int_equal(cancelled->trade->state, TRADE(CANCELLED));
    assert_undone(bed, &trade);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "unlock").n, BEST_200_COUPONS);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "release").amount, 3000);
}

// [A38] [S3-17] a system that stays away too long parks the undoing; an operator's retry finishes it
static void test_undoing_that_takes_too_long_waits_for_an_operator(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_fault(bed, FAULT(DOWN), "coupon", "UnlockCoupons", "");
    assert_true(((const cancel_response *)flow_must(bed, "Cancel", "trade_no=%s wait_ms=1000", trade.no))->processing);
    flow_until_parked(bed, &trade, 1);
    assert_state(bed, &trade, TRADE(CLOSING));
    assert_int_equal(flow_ledger(bed, "points", trade.no, "unfreeze").n, 1);
    flow_clear_faults(bed);
    flow_retry_parked(bed, &trade);
    flow_until_state(bed, &trade, TRADE(CANCELLED));
    assert_undone(bed, &trade);
}

static const struct flow_case cases[] = {
    CASE(test_a_quoted_trade_is_cancelled_without_asking_anybody),
    CASE(test_a_cancelled_order_leaves_no_lock),
    CASE(test_a_cancel_while_paying_closes_the_gateway_first),
    CASE(test_a_gateway_out_of_reach_keeps_what_is_cancelled_locked),
    CASE(test_a_cancel_that_comes_often_is_one),
    CASE(test_of_a_cancel_and_then_a_payment_one_wins),
    CASE(test_of_a_payment_and_then_a_cancel_the_payment_wins),
    CASE(test_a_cancel_that_finds_it_paid_becomes_a_refund),
    CASE(test_a_cancel_gives_back_what_one_of_two_tenders_paid),
    CASE(test_a_cancel_of_a_completed_trade_refunds_it),
    CASE(test_a_cancel_of_a_trade_that_has_just_been_paid_waits_for_its_completion),
    CASE(test_a_cancel_refunds_what_is_left),
    CASE(test_what_has_ended_otherwise_is_not_cancelled),
    CASE(test_a_cancel_goes_on_without_its_caller),
    CASE(test_undoing_goes_on_until_it_is_done),
    VIRTUAL(test_undoing_that_takes_too_long_waits_for_an_operator),
};

CASES(cancel);
