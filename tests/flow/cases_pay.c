// Payments: tenders of every kind, alone and together, and what may go wrong with them.
#include "tests/flow/cases.h"
#include "tests/flow/notice.h"
#include "tests/flow/virtual.h"

static const char *mixed(struct flow_bed *bed, int64_t payable) {
    return flow_tenders(bed, 3, KIND(CARD), 3000, bed->card, KIND(WECHAT), 4000, "payer-a", KIND(ALIPAY),
                        (int)payable - 7000, "payer-b");
}

// What was frozen was released or taken; the order's own locks stay.
static void assert_no_card_held(struct flow_bed *bed, const struct flow_trade *trade) {
    assert_int_equal(flow_ledger(bed, "card", trade->no, "freeze").amount,
                     flow_ledger(bed, "card", trade->no, "release").amount +
                         flow_ledger(bed, "card", trade->no, "confirm").amount);
}

// [A16] the tenders must add up to what is payable; nothing starts otherwise
static void test_tenders_must_add_up_to_what_is_payable(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    for (int off = -1; off <= 1; off += 2)
        flow_refused(bed, "TENDERS_UNEQUAL", "Pay", "trade_no=%s %s", trade.no,
                     flow_tenders(bed, 2, KIND(CARD), 500, bed->card, KIND(WECHAT), BEST_200 - 500 + off, "payer"));
    flow_refused(bed, "TENDERS_UNEQUAL", "Pay", "trade_no=%s", trade.no);
    assert_state(bed, &trade, TRADE(ORDERED));
    assert_int_equal(flow_get(bed, trade.no)->n_attempts, 0);
}

// [S3-7] [S3-28] [S3-50] [S3-52] [S3-53] [S3-54] [S3-58] [S3-60] [S3-61] one card and two asynchronous tenders: the
// card is frozen first, paid only when both callbacks have come, then confirmed, and everything that follows is driven
// on
static void test_a_mixed_payment_is_paid_when_every_tender_is(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    const Txcenter__Trade__V1__PayResponse *offered = flow_pay_with(bed, &trade, mixed(bed, trade.payable), "");
    assert_string_not_equal(offered->attempt->tenders[1]->prepay_parameters, "");
    assert_int_equal(flow_ledger(bed, "card", trade.no, "freeze").amount, 3000);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 2));
    flow_until_tender(bed, &trade, 1, 2, TENDER(PAID));
    assert_state(bed, &trade, TRADE(PAYING));
    assert_int_equal(flow_ledger(bed, "card", trade.no, "confirm").n, 0);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "paid").n, 0);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    assert_int_equal(flow_ledger(bed, "card", trade.no, "confirm").amount, 3000);
    assert_history(bed, &trade, "CREATED QUOTED ORDERING ORDERED PAYING PAID COMPLETED");
}

// [S3-32] [A70] a card pays by itself, and principal and bonus are known
static void test_a_card_pays_alone(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    const Txcenter__Trade__V1__PayResponse *paid =
        flow_pay_with(bed, &trade, flow_tenders(bed, 1, KIND(CARD), (int)trade.payable, bed->card), "wait_for=2");
    assert_int_equal(paid->attempt->state, ATTEMPT(PAID));
    const Txcenter__Trade__V1__Tender *tender = flow_tender(bed, &trade, 1, 0);
    assert_int_equal(tender->principal->minor_units + tender->bonus->minor_units, trade.payable);
    assert_true(tender->bonus->minor_units > 0);
}

static void test_cash_is_recorded_as_taken(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay_with(bed, &trade,
                  flow_tenders(bed, 2, KIND(CASH), 2500, "", KIND(SCANNED), (int)trade.payable - 2500, "code"),
                  "wait_for=2");
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    assert_tender(bed, &trade, 1, 0, TENDER(PAID));
}

// [A17] a card with too little fails the attempt; nothing is taken anywhere, the order stays payable
static void test_a_card_with_too_little_takes_nothing(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_control(bed, "SetCard", "card_no=%s user_id=%s principal=CNY2000 bonus=CNY999", bed->card, bed->user);
    flow_refused(bed, "PAYMENT_FAILED", "Pay", "trade_no=%s %s wait_for=2", trade.no, mixed(bed, trade.payable));
    assert_state(bed, &trade, TRADE(ORDERED));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, NULL).n, 0);
    assert_int_equal(flow_ledger(bed, "card", trade.no, NULL).n, 0);
    assert_string_equal(flow_tender(bed, &trade, 1, 0)->detail, "INSUFFICIENT_BALANCE");
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 2, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
}

static void test_of_two_cards_the_frozen_one_is_released_when_the_other_is_short(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_control(bed, "SetCard", "card_no=second-%s user_id=%s principal=CNY10 bonus=CNY0", bed->card, bed->user);
    flow_refused(bed, "PAYMENT_FAILED", "Pay", "trade_no=%s wait_for=2 %s", trade.no,
                 flow_tenders(bed, 2, KIND(CARD), 5000, bed->card, KIND(CARD), (int)trade.payable - 5000,
                              flow_text(bed, "second-%s", bed->card)));
    flow_until_state(bed, &trade, TRADE(ORDERED)); // the attempt has ended
    assert_no_card_held(bed, &trade);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "release").amount, 5000);
}

// [A18] [A60] a freeze that expired is refused at the confirm, after the callback's success: what was paid goes back
static void test_a_freeze_that_expires_gives_back_what_the_others_paid(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_control(bed, "SetCard", "card_no=%s user_id=%s principal=CNY100000 bonus=CNY0 freeze_ms=300", bed->card,
                 bed->user);
    flow_pay_with(bed, &trade,
                  flow_tenders(bed, 2, KIND(CARD), 3000, bed->card, KIND(WECHAT), (int)trade.payable - 3000, "payer"),
                  "");
    flow_run_for(bed, 600);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
    flow_until_tender(bed, &trade, 1, 1, TENDER(RETURNED));
    flow_until_state(bed, &trade, TRADE(ORDERED)); // the attempt has ended
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, trade.payable - 3000);
    assert_int_equal(flow_get(bed, trade.no)->attempts[0]->state, ATTEMPT(FAILED));
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 2, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
}

// [A60] of two cards the confirmed one gets its money back when the other's confirm is refused
static void test_a_confirm_that_is_refused_takes_the_other_one_back(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_control(bed, "SetCard", "card_no=second-%s user_id=%s principal=CNY100000 bonus=CNY0", bed->card, bed->user);
    flow_fault(bed, FAULT(DELAY), "card", "ConfirmCard", flow_text(bed, "count=1 delay_ms=50"));
    flow_fault(bed, FAULT(REJECT), "card", "ConfirmCard", "count=1 code=FREEZE_EXPIRED");
    flow_refused(bed, "PAYMENT_FAILED", "Pay", "trade_no=%s wait_for=2 %s", trade.no,
                 flow_tenders(bed, 2, KIND(CARD), 5000, bed->card, KIND(CARD), (int)trade.payable - 5000,
                              flow_text(bed, "second-%s", bed->card)));
    flow_until_state(bed, &trade, TRADE(ORDERED)); // the attempt has ended
    assert_no_card_held(bed, &trade);
    // One of them was: neither both, nor none.
    int64_t confirmed = flow_ledger(bed, "card", trade.no, "confirm").amount;
    assert_true(confirmed == 5000 || confirmed == trade.payable - 5000);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "cancel_confirm").amount, confirmed);
    assert_int_equal(flow_effects(bed, "card", trade.no, "ConfirmCard", EFFECT(REJECTED)), 1);
    flow_pay(bed, &trade); // the order stays payable
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 2, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
}

// [A61] what the gateway subsidises is paid all the same; who bore what is kept
static void test_a_subsidised_payment_is_paid(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay(bed, &trade);
    flow_control(bed, "PayTender", "tender_no=%s result=1 gateway_discount=300 merchant_discount=200",
                 flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    const Txcenter__Trade__V1__Tender *tender = flow_tender(bed, &trade, 1, 0);
    assert_int_equal(tender->payer_amount->minor_units, trade.payable - 500);
    assert_int_equal(tender->gateway_discount->minor_units, 300);
    assert_int_equal(tender->merchant_discount->minor_units, 200);
    assert_int_equal(tender->settlement_amount->minor_units, trade.payable - 200);
}

// [A59] a scanned payment that stays in progress is reversed when its time is over, also when it was paid unnoticed
static void test_a_scanned_payment_that_was_paid_unnoticed_is_reversed(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_control(bed, "SetAutoPay", "rules[0].method=4 rules[0].result=3");
    flow_pay_with(bed, &trade, flow_tenders(bed, 1, KIND(SCANNED), (int)trade.payable, "code"), "");
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyPayment", "");
    flow_fault(bed, FAULT(DOWN), "payment", "QueryPayment", "");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    assert_state(bed, &trade, TRADE(CANCELLED));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "paid").amount, trade.payable);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, trade.payable);
    flow_control(bed, "SetAutoPay", "%s", "");
}

// Ordered, scanned, paid at the gateway, and the center does not know.
static void scanned_unnoticed(struct flow_bed *bed, struct flow_trade *trade) {
    flow_ordered(bed, trade);
    flow_control(bed, "SetAutoPay", "rules[0].method=4 rules[0].result=3");
    flow_pay_with(bed, trade, flow_tenders(bed, 1, KIND(SCANNED), (int)trade->payable, "code"), "");
    flow_fault(bed, FAULT(DOWN), "payment", "QueryPayment", "");
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyPayment", "");
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 0));
    flow_control(bed, "SetAutoPay", "%s", "");
}

static void assert_reversed_once(struct flow_bed *bed, const struct flow_trade *trade) {
    flow_clear_faults(bed);
    flow_until_tender(bed, trade, 1, 0, TENDER(RETURNED));
    flow_until_still(bed, trade);
    assert_state(bed, trade, TRADE(CANCELLED));
    assert_int_equal(flow_ledger(bed, "payment", trade->no, "paid").amount, trade->payable);
    assert_int_equal(flow_ledger(bed, "payment", trade->no, "refunded").amount, trade->payable);
}

// [A25] [A59] told after the reversal that it had been paid: what the reversal gave back is not given back again, and
// nothing waits for ever for a gateway that has no more to give
static void test_a_success_told_after_the_reversal_went_back_with_it(struct flow_bed *bed) {
    struct flow_trade trade;
    scanned_unnoticed(bed, &trade);
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    assert_tender(bed, &trade, 1, 0, TENDER(CLOSED));
    struct flow_notice paid = {
        .tender_no = flow_tender_no(bed, &trade, 1, 0), .state = PAYMENT(PAID), .amount = trade.payable};
    for (int i = 0; i < 2; i++)
        assert_verdict(flow_notify(bed, &paid), "OK");
    assert_reversed_once(bed, &trade);
}

// [A59] told while the reversal is under way: it is reversed all the same, and the trade must not count as paid
static void test_a_success_told_during_the_reversal_does_not_count(struct flow_bed *bed) {
    struct flow_trade trade;
    scanned_unnoticed(bed, &trade);
    flow_fault(bed, FAULT(NO_ANSWER), "payment", "ReversePayment", "count=1");
    flow_must(bed, "Cancel", "trade_no=%s wait_ms=100", trade.no);
    struct flow_notice paid = {
        .tender_no = flow_tender_no(bed, &trade, 1, 0), .state = PAYMENT(PAID), .amount = trade.payable};
    assert_verdict(flow_notify(bed, &paid), "OK");
    assert_reversed_once(bed, &trade);
}

static void test_a_scanned_payment_in_progress_is_found_paid_by_asking(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_control(bed, "SetAutoPay", "rules[0].method=4 rules[0].result=3");
    flow_pay_with(bed, &trade, flow_tenders(bed, 1, KIND(SCANNED), (int)trade.payable, "code"), "");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_control(bed, "SetAutoPay", "%s", "");
}

static void test_a_scanned_code_that_is_refused_fails_the_attempt(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_control(bed, "SetAutoPay", "rules[0].method=4 rules[0].result=2 rules[0].code=NO_MONEY");
    flow_refused(bed, "PAYMENT_FAILED", "Pay", "trade_no=%s %s wait_for=2", trade.no,
                 flow_tenders(bed, 1, KIND(SCANNED), (int)trade.payable, "code"));
    assert_string_equal(flow_tender(bed, &trade, 1, 0)->detail, "NO_MONEY");
    assert_state(bed, &trade, TRADE(ORDERED));
    flow_control(bed, "SetAutoPay", "%s", "");
}

// [S3-59] a payer who fails fails the attempt, and with FAIL_TRADE the trade
static void test_a_callback_of_failure_fails_the_trade_where_that_was_asked_for(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay_with(bed, &trade, mixed(bed, trade.payable), "on_failure=2");
    flow_payer_fails(bed, flow_tender_no(bed, &trade, 1, 1), "NO_MONEY");
    flow_until_state(bed, &trade, TRADE(FAILED));
    flow_until_still(bed, &trade);
    assert_nothing_held(bed, &trade);
}

// [A26] [S3-52] [S3-53] two asynchronous tenders: one pays, one fails: the card is released, the other closed, what was
// paid goes back
static void two_tenders(struct flow_bed *bed, bool fails_first) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay_with(bed, &trade, mixed(bed, trade.payable), "");
    if (!fails_first) {
        flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
        flow_until_tender(bed, &trade, 1, 1, TENDER(PAID));
    }
    flow_payer_fails(bed, flow_tender_no(bed, &trade, 1, 2), "NO_MONEY");
    if (fails_first) {
        flow_until_tender(bed, &trade, 1, 2, TENDER(FAILED));
        flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 1));
    }
    flow_until_tender(bed, &trade, 1, 1, TENDER(RETURNED));
    flow_until_state(bed, &trade, TRADE(ORDERED)); // the attempt has ended
    assert_tender(bed, &trade, 1, 0, TENDER(CLOSED));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, 4000);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 1);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "release").amount, 3000);
}

static void test_of_two_tenders_one_pays_and_then_one_fails(struct flow_bed *bed) {
    two_tenders(bed, false);
}

static void test_of_two_tenders_one_fails_and_then_one_pays(struct flow_bed *bed) {
    two_tenders(bed, true);
}

// [A26] one that stays silent is closed when the attempt's time is over; what the other paid goes back
static void test_of_two_tenders_one_stays_silent(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay_with(bed, &trade, mixed(bed, trade.payable), "");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
    flow_until_tender(bed, &trade, 1, 1, TENDER(RETURNED));
    assert_tender(bed, &trade, 1, 2, TENDER(CLOSED));
    flow_until_state(bed, &trade, TRADE(ORDERED));
    // [A26] and both late
    flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 2));
    flow_until_tender(bed, &trade, 1, 2, TENDER(RETURNED));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, trade.payable - 3000);
}

// [A30] whatever answer is lost at the card or the gateway, the payment goes through once
static void test_lost_answers_of_a_payment_are_found_by_asking(struct flow_bed *bed) {
    static const char *const methods[][2] = {{"card", "FreezeCard"},   {"payment", "CreatePayment"},
                                             {"card", "ConfirmCard"},  {"order", "MarkPaid"},
                                             {"coupon", "UseCoupons"}, {"points", "DeductPoints"}};
    struct flow_trade trade;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        flow_fault(bed, FAULT(NO_ANSWER), methods[i][0], methods[i][1], "count=1");
    flow_ordered(bed, &trade);
    flow_pay_with(bed, &trade,
                  flow_tenders(bed, 2, KIND(CARD), 3000, bed->card, KIND(WECHAT), (int)trade.payable - 3000, "payer"),
                  "");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        assert_int_equal(flow_effects(bed, methods[i][0], trade.no, methods[i][1], EFFECT(APPLIED)), 1);
}

// One attempt at a time; a paid trade is not paid again.
static void test_one_attempt_is_open_at_a_time(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay(bed, &trade);
    flow_refused(bed, "PAYMENT_IN_PROGRESS", "Pay", "trade_no=%s %s", trade.no,
                 flow_tenders(bed, 1, KIND(CARD), BEST_200, bed->card));
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_refused(bed, "ALREADY_PAID", "Pay", "trade_no=%s %s", trade.no,
                 flow_tenders(bed, 1, KIND(CARD), BEST_200, bed->card));
    flow_refused(bed, "ALREADY_PAID", "Quote", "trade_no=%s %s " FUEL_200, trade.no, flow_context(bed));
    flow_refused(bed, "ALREADY_PAID", "PlaceOrder", "trade_no=%s quote_version=1", trade.no);
}

// A trade has so many attempts to pay, whichever call makes them; with the last one it can still be ordered
static void test_a_trade_has_so_many_attempts(struct flow_bed *bed) {
    enum { MOST = 50 };
    struct flow_trade trade = {0};
    flow_fault(bed, FAULT(REJECT), "card", "FreezeCard", "code=CARD_FROZEN");
    const char *card = flow_tenders(bed, 1, KIND(CARD), BEST_200, bed->card);
    for (int i = 0; i <= MOST; i++) {
        flow_quote(bed, &trade, FUEL_200, "");
        struct flow_answer *answer =
            flow_ask(bed, "OrderPay", "trade_no=%s quote_version=%d %s", trade.no, trade.version, card);
        assert_verdict(answer, i < MOST ? "PAYMENT_FAILED" : "NOT_PAYABLE");
        assert_state(bed, &trade, i < MOST ? TRADE(FAILED) : TRADE(QUOTED));
    }
    flow_order(bed, &trade, "");
    flow_refused(bed, "NOT_PAYABLE", "Pay", "trade_no=%s %s", trade.no, card);
    assert_int_equal(flow_get(bed, trade.no)->n_attempts, MOST);
}

// [A79] a gateway that can't be reached when the order expires keeps the locks until it is definite
static void test_a_gateway_out_of_reach_at_expiry_keeps_the_locks(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_order(bed, &trade, "expires_in_seconds=3");
    flow_pay(bed, &trade);
    flow_fault(bed, FAULT(NO_ANSWER), "payment", "*", "");
    flow_until_state(bed, &trade, TRADE(CLOSING));
    flow_run_for(bed, bed->ops->virtual_time ? 3600000 : 3000);
    assert_state(bed, &trade, TRADE(CLOSING));
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "unlock").n, 0);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "unfreeze").n, 0);
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(EXPIRED));
    flow_until_still(bed, &trade);
    assert_nothing_held(bed, &trade);
}

// Paid beats expiry: the gateway says at the end that it was paid, though its callback was lost.
static void test_paid_beats_expiry(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_order(bed, &trade, "expires_in_seconds=3");
    flow_pay(bed, &trade);
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyPayment", "");
    flow_fault(bed, FAULT(DOWN), "payment", "QueryPayment", "");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    assert_history(bed, &trade, "CREATED QUOTED ORDERING ORDERED PAYING CLOSING PAID COMPLETED");
}

static const struct flow_case cases[] = {
    CASE(test_tenders_must_add_up_to_what_is_payable),
    CASE(test_a_mixed_payment_is_paid_when_every_tender_is),
    CASE(test_a_card_pays_alone),
    CASE(test_cash_is_recorded_as_taken),
    CASE(test_a_card_with_too_little_takes_nothing),
    CASE(test_of_two_cards_the_frozen_one_is_released_when_the_other_is_short),
    CASE(test_a_freeze_that_expires_gives_back_what_the_others_paid),
    CASE(test_a_confirm_that_is_refused_takes_the_other_one_back),
    CASE(test_a_subsidised_payment_is_paid),
    CASE(test_a_scanned_payment_that_was_paid_unnoticed_is_reversed),
    CASE(test_a_success_told_after_the_reversal_went_back_with_it),
    CASE(test_a_success_told_during_the_reversal_does_not_count),
    CASE(test_a_scanned_payment_in_progress_is_found_paid_by_asking),
    CASE(test_a_scanned_code_that_is_refused_fails_the_attempt),
    CASE(test_a_callback_of_failure_fails_the_trade_where_that_was_asked_for),
    CASE(test_of_two_tenders_one_pays_and_then_one_fails),
    CASE(test_of_two_tenders_one_fails_and_then_one_pays),
    CASE(test_lost_answers_of_a_payment_are_found_by_asking),
    CASE(test_one_attempt_is_open_at_a_time),
    CASE(test_a_trade_has_so_many_attempts),
    CASE(test_a_gateway_out_of_reach_at_expiry_keeps_the_locks),
    CASE(test_paid_beats_expiry),
    CASE_WITH(test_of_two_tenders_one_stays_silent, .attempt_ttl_s = 2),
};

CASES(pay);
