// Open tenders are made definite when a trade no longer waits for them: closed, or, scanned ones, reversed. A tender's
// money goes one way back at a time, whatever is told meanwhile.
#include "tests/flow/cases.h"
#include "tests/flow/notice.h"
#include "tests/flow/virtual.h"

// The payer is not asked yet.
static void scan(struct flow_bed *bed, const struct flow_trade *trade, const char *tenders) {
    flow_control(bed, "SetAutoPay", "rules[0].method=4 rules[0].result=3");
    flow_pay_with(bed, trade, tenders, "");
    flow_control(bed, "SetAutoPay", "%s", "");
}

// Ordered and scanned, the payer not asked yet. Where its time is to run out after the payer paid, that time is long
// enough to get there on a slow machine.
static void scanned(struct flow_bed *bed, struct flow_trade *trade, const char *more) {
    *trade = (struct flow_trade){0};
    flow_quote(bed, trade, FUEL_200, "");
    flow_order(bed, trade, more);
    scan(bed, trade, flow_tenders(bed, 1, KIND(SCANNED), (int)trade->payable, "code"));
}

// The payer pays, and nobody tells.
static void pays_unnoticed(struct flow_bed *bed, const char *tender_no) {
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyPayment", "count=1");
    flow_payer_pays(bed, tender_no);
}

static void told(struct flow_bed *bed, const struct flow_trade *trade, int tender, int state, int64_t amount) {
    struct flow_notice notice = {.tender_no = flow_tender_no(bed, trade, 1, tender), .state = state, .amount = amount};
    assert_verdict(flow_notify(bed, &notice), "OK");
}

static bool is_reversed(struct flow_bed *bed, const void *ctx) {
    return flow_ledger(bed, "payment", ctx, "refunded").n > 0;
}

static void until_reversed(struct flow_bed *bed, const struct flow_trade *trade) {
    flow_until(bed, is_reversed, trade->no, "the gateway must have reversed it");
}

static void assert_back_once(struct flow_bed *bed, const struct flow_trade *trade) {
    flow_until_tender(bed, trade, 1, 0, TENDER(RETURNED));
    flow_until_still(bed, trade);
    flow_until_parked(bed, trade, 0);
    assert_int_equal(flow_ledger(bed, "payment", trade->no, "refunded").n, 1);
    assert_int_equal(flow_ledger(bed, "payment", trade->no, "refunded").amount,
                     flow_ledger(bed, "payment", trade->no, "paid").amount);
}

// ---- Told while a reversal is under way ---------------------------------------------------------------------------

// Scanned and paid, which nobody has heard of; answers to its reversal are lost: so many, "": all.
static void paid_unheard(struct flow_bed *bed, struct flow_trade *trade, const char *more, const char *lost) {
    scanned(bed, trade, more);
    flow_fault(bed, FAULT(DOWN), "payment", "QueryPayment", "");
    pays_unnoticed(bed, flow_tender_no(bed, trade, 1, 0));
    flow_fault(bed, FAULT(NO_ANSWER), "payment", "ReversePayment", lost);
}

static void told_while_reversed(struct flow_bed *bed, struct flow_trade *trade) {
    until_reversed(bed, trade);
    told(bed, trade, 0, PAYMENT(PAID), trade->payable);
    flow_clear_faults(bed);
    flow_until_tender(bed, trade, 1, 0, TENDER(RETURNED));
}

// [A59] [A25] the attempt's time is over, the answer to the reversal is lost, then its success is told
static void test_a_success_told_while_the_expiry_reverses_it_does_not_count(struct flow_bed *bed) {
    struct flow_trade trade;
    paid_unheard(bed, &trade, "expires_in_seconds=3", "count=2");
    told_while_reversed(bed, &trade);
    assert_back_once(bed, &trade);
    assert_state(bed, &trade, TRADE(EXPIRED));
}

static void test_a_success_told_while_the_attempts_end_reverses_it_does_not_count(struct flow_bed *bed) {
    struct flow_trade trade;
    paid_unheard(bed, &trade, "", "count=2");
    told_while_reversed(bed, &trade);
    assert_state(bed, &trade, TRADE(ORDERED));
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    assert_back_once(bed, &trade);
}

// [A59] [E8] what is being reversed was not paid, whatever an operator sees at the gateway meanwhile
static void test_what_is_being_reversed_can_not_be_said_to_be_paid(struct flow_bed *bed) {
    struct flow_trade trade;
    paid_unheard(bed, &trade, "expires_in_seconds=3", "");
    until_reversed(bed, &trade);
    flow_refused(bed, "SAGA_STATE", "Resolve", "gid=%s/pay/1 step=collect leg=0 outcome=1 reason=paid~there", trade.no);
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(EXPIRED));
    flow_until_still(bed, &trade);
    assert_tender(bed, &trade, 1, 0, TENDER(CLOSED)); // nobody was told that it had been paid
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount,
                     flow_ledger(bed, "payment", trade.no, "paid").amount);
}

// [A59] [E2] that it is being reversed is known after a crash, too
static void test_a_success_told_after_a_crash_in_the_reversal_does_not_count(struct flow_bed *bed) {
    struct flow_trade trade;
    paid_unheard(bed, &trade, "", "");
    flow_must(bed, "Cancel", "trade_no=%s wait_ms=1", trade.no);
    until_reversed(bed, &trade);
    flow_crash_center(bed);
    told_while_reversed(bed, &trade);
    assert_back_once(bed, &trade);
    assert_state(bed, &trade, TRADE(CANCELLED));
}

// [A21] [A26] [E9] told that it failed, the attempt turns round and reverses it; told meanwhile that it was paid: it
// went back with the reversal, and no second way back waits for money that is not there
static void test_a_success_told_while_the_compensation_reverses_it_starts_no_second_return(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    scan(bed, &trade,
         flow_tenders(bed, 2, KIND(SCANNED), (int)trade.payable - 100, "code", KIND(WECHAT), 100, "payer"));
    pays_unnoticed(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_fault(bed, FAULT(NO_ANSWER), "payment", "ReversePayment", "");
    told(bed, &trade, 0, PAYMENT(FAILED), trade.payable - 100);
    until_reversed(bed, &trade);
    told(bed, &trade, 0, PAYMENT(PAID), trade.payable - 100);
    flow_run_for(bed, 300); // time for a refund to be asked for
    flow_clear_faults(bed);
    flow_until_tender(bed, &trade, 1, 0, TENDER(RETURNED));
    flow_until_state(bed, &trade, TRADE(ORDERED));
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    assert_back_once(bed, &trade);
    assert_tender(bed, &trade, 1, 1, TENDER(CLOSED));
    assert_int_equal(flow_effects(bed, "payment", trade.no, "RefundPayment", EFFECT(REJECTED)), 0);
}

// A gateway that breaks its word: paid after it was reversed. That money is there, so it is refunded.
static void test_what_is_paid_after_the_reversal_is_refunded(struct flow_bed *bed) {
    struct flow_trade trade;
    scanned(bed, &trade, "");
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    assert_tender(bed, &trade, 1, 0, TENDER(CLOSED));
    flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
    assert_back_once(bed, &trade);
    assert_int_equal(flow_effects(bed, "payment", trade.no, "RefundPayment", EFFECT(APPLIED)), 1);
}

// How long the notice takes, and the answer to the first reversal.
struct lateness {
    int64_t notice_ms, answer_ms;
};

static void late(void *ctx, const char *method, unsigned nth, struct rpc_inproc_fate *fate) {
    const struct lateness *lateness = ctx;
    if (strcmp(method, "NotifyPayment") == 0)
        fate->request_delay_ms = lateness->notice_ms;
    else if (strcmp(method, "ReversePayment") == 0 && nth == 1)
        fate->response_delay_ms = lateness->answer_ms;
}

// [A35] [A59] the payer pays in every millisecond around a cancel, and is told of sooner or later than the reversal is
// answered: paid and refunded, or reversed, and never both
static void test_a_scanned_payer_around_a_cancel_pays_once_or_not_at_all(struct flow_bed *bed) {
    static const struct lateness latenesses[] = {{1, 1}, {1, 10}, {5, 10}, {10, 1}, {10, 3500}, {4000, 20}};
    for (size_t i = 0; i < sizeof latenesses / sizeof latenesses[0]; i++)
        for (int64_t at_ms = 0; at_ms < 12; at_ms++) {
            struct flow_trade trade;
            scanned(bed, &trade, "");
            flow_set_fate(bed, late, (void *)(uintptr_t)&latenesses[i]);
            struct flow_answer *cancel = flow_send(bed, "Cancel", "trade_no=%s", trade.no);
            flow_run_for(bed, at_ms);
            flow_control_maybe(bed, "PayTender", flow_text(bed, "tender_no=%s", flow_tender_no(bed, &trade, 1, 0)));
            flow_wait(bed, cancel);
            flow_until_still(bed, &trade);
            flow_run_for(bed, 10000);
            flow_set_fate(bed, NULL, NULL);
            flow_settle(bed);
            assert_true(flow_ledger(bed, "payment", trade.no, "refunded").n <= 1);
            flow_until_parked(bed, &trade, 0);
        }
}

// ---- A gateway that does not close --------------------------------------------------------------------------------

// Cancelled, and the gateway refuses this for good.
static void cancelled_in_vain(struct flow_bed *bed, const struct flow_trade *trade, const char *method) {
    flow_fault(bed, FAULT(REJECT), "payment", method, "code=NO_SUCH");
    flow_must(bed, "Cancel", "trade_no=%s wait_ms=1", trade->no);
    flow_until_parked(bed, trade, 1);
}

static void tried_again(struct flow_bed *bed, const struct flow_trade *trade) {
    flow_clear_faults(bed);
    flow_retry_parked(bed, trade);
}

// [E12] refused for good: parked for an operator, who has it tried again
static void test_a_close_that_is_refused_is_parked(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay(bed, &trade);
    cancelled_in_vain(bed, &trade, "ClosePayment");
    assert_state(bed, &trade, TRADE(CLOSING));
    tried_again(bed, &trade);
    flow_until_state(bed, &trade, TRADE(CANCELLED));
}

// [E12] and what is paid meanwhile counts, without an operator
static void test_what_was_paid_while_its_close_was_parked_counts(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay(bed, &trade);
    cancelled_in_vain(bed, &trade, "ClosePayment");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_parked(bed, &trade, 0);
}

static void test_a_reversal_that_is_refused_is_parked(struct flow_bed *bed) {
    struct flow_trade trade;
    scanned(bed, &trade, "");
    cancelled_in_vain(bed, &trade, "ReversePayment");
    tried_again(bed, &trade);
    flow_until_state(bed, &trade, TRADE(CANCELLED));
}

// [A79] [E6] [S3-16] a gateway that does not answer is asked for as long as it takes; operators are told once, and what
// is kept of the tries does not grow for ever
static void test_a_gateway_that_is_away_for_a_day_is_told_of_once(struct flow_bed *bed) {
    struct flow_trade trade;
    const struct flow_center *center = &flow_virtual(bed)->center;
    flow_ordered(bed, &trade);
    flow_pay(bed, &trade);
    flow_fault(bed, FAULT(DOWN), "payment", "ClosePayment", "");
    flow_must(bed, "Cancel", "trade_no=%s wait_ms=1", trade.no);
    flow_run_for(bed, 86400000);
    assert_state(bed, &trade, TRADE(CLOSING));
    assert_int_equal(flow_center_alerts(center, "a payment can't be closed"), 1);
    const Txcenter__Saga__V1__GetSagaResponse *saga = flow_must(bed, "GetSaga", "gid=%s/pay/1", trade.no);
    assert_true(saga->saga->n_attempts > 10 && saga->saga->n_attempts <= 41);
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(CANCELLED));
}

static const struct flow_case cases[] = {
    CASE(test_a_success_told_while_the_expiry_reverses_it_does_not_count),
    CASE(test_what_is_being_reversed_can_not_be_said_to_be_paid),
    CASE(test_a_success_told_after_a_crash_in_the_reversal_does_not_count),
    CASE(test_a_success_told_while_the_compensation_reverses_it_starts_no_second_return),
    CASE(test_what_is_paid_after_the_reversal_is_refunded),
    VIRTUAL(test_a_scanned_payer_around_a_cancel_pays_once_or_not_at_all),
    CASE(test_a_close_that_is_refused_is_parked),
    CASE(test_what_was_paid_while_its_close_was_parked_counts),
    CASE(test_a_reversal_that_is_refused_is_parked),
    VIRTUAL(test_a_gateway_that_is_away_for_a_day_is_told_of_once),
    CASE_WITH(test_a_success_told_while_the_attempts_end_reverses_it_does_not_count, .attempt_ttl_s = 3),
};

CASES(closing);
