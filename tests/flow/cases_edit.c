// An order that holds nothing is edited: quoted and ordered again under its trade number, without a cancel.
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

#define LATER "mode=2" // ORDER_MODE_DEDUCT_LATER
#define FUEL_300 "lines[0].fuel.oil_code=95# lines[0].fuel.amount=CNY30000"
enum { APART_MAX_MS = 14 };

static void ordered_later(struct flow_bed *bed, struct flow_trade *trade) {
    *trade = (struct flow_trade){0};
    flow_quote(bed, trade, FUEL_200, "");
    flow_order(bed, trade, LATER);
}

static struct flow_answer *order_again(struct flow_bed *bed, const struct flow_trade *trade) {
    return flow_send(bed, "PlaceOrder", "trade_no=%s quote_version=%d " LATER, trade->no, trade->version);
}

static int64_t refunded_at_gateway(struct flow_bed *bed, const struct flow_trade *trade) {
    return flow_ledger(bed, "payment", trade->no, "refunded").n;
}

// [A56] [S3-48] an edit after the order: the quote changes nothing of it; ordering again closes its tenders and it, and
// makes another order under the same trade number
static void test_an_edited_order_is_ordered_again_under_its_trade_number(struct flow_bed *bed) {
    struct flow_trade trade;
    char first[80];
    ordered_later(bed, &trade);
    memcpy(first, trade.order_no, sizeof first);
    flow_pay(bed, &trade);
    flow_quote(bed, &trade, FUEL_300, "");
    const Txcenter__Trade__V1__Trade *still = flow_get(bed, trade.no);
    assert_int_equal(still->state, TRADE(PAYING));
    assert_int_equal(still->payable->minor_units, BEST_200);
    assert_int_equal(still->quote->version, 2);
    flow_order(bed, &trade, LATER);
    assert_string_not_equal(trade.order_no, first);
    assert_tender(bed, &trade, 1, 0, TENDER(CLOSED));
    assert_int_equal(flow_ledger(bed, "order", trade.no, "close").n, 1);
    assert_found_by(bed, &trade, first);
    assert_found_by(bed, &trade, trade.order_no);
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 2, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "create").n, 2);
    assert_int_equal(flow_get(bed, trade.no)->paid->minor_units, trade.payable);
    assert_history(bed, &trade,
                   "CREATED QUOTED ORDERING ORDERED PAYING CLOSING ORDERING ORDERED PAYING PAID COMPLETED");
}

// [A56] the number of an order that was replaced finds the trade, but what is asked of that order is not done to the
// one that replaced it
static void test_the_number_of_a_replaced_order_changes_nothing(struct flow_bed *bed) {
    struct flow_trade trade;
    char first[80];
    ordered_later(bed, &trade);
    memcpy(first, trade.order_no, sizeof first);
    flow_quote(bed, &trade, FUEL_300, "");
    flow_order(bed, &trade, LATER);
    for (int paid = 0; paid < 2; paid++) {
        int state = paid ? TRADE(COMPLETED) : TRADE(ORDERED);
        assert_state(bed, &trade, state);
        flow_refused(bed, "TRADE_ENDED", "Cancel", "order_no=%s", first);
        flow_refused(bed, "TRADE_ENDED", "Refund", "order_no=%s whole=true", first);
        flow_refused(bed, "TRADE_ENDED", "Adjust", "order_no=%s lines[0].index=0 lines[0].amount=CNY100", first);
        assert_state(bed, &trade, state);
        assert_found_by(bed, &trade, first);
        if (paid)
            break;
        flow_pay(bed, &trade);
        flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
        flow_until_state(bed, &trade, TRADE(COMPLETED));
        flow_until_still(bed, &trade);
    }
    assert_int_equal(refunded_at_gateway(bed, &trade), 0);
    flow_must(bed, "Cancel", "order_no=%s", trade.order_no);
    assert_state(bed, &trade, TRADE(REFUNDED));
}

// The edit may be for somebody else, at another pump: what is ordered then counts, and not before.
static void test_an_edit_takes_its_context_with_it_when_it_is_ordered(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered_later(bed, &trade);
    const char *other = flow_text(bed, "context.user_id=%s context.terminal_id=T7", bed->other_user);
    flow_quote(bed, &trade, FUEL_300, other);
    assert_string_equal(flow_get(bed, trade.no)->context->user_id, bed->user);
    flow_order(bed, &trade, LATER);
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    assert_string_equal(found->context->user_id, bed->other_user);
    assert_string_equal(found->context->terminal_id, "T7");
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
}

// [A56] [S3-48] what closing finds paid stands: nothing is ordered again, and nothing goes back
static void test_an_order_that_is_found_paid_stands(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered_later(bed, &trade);
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyPayment", "");
    flow_pay(bed, &trade);
    flow_quote(bed, &trade, FUEL_300, "");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    struct flow_answer *answer = order_again(bed, &trade);
    flow_wait(bed, answer);
    assert_verdict(answer, "ALREADY_PAID");
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    assert_int_equal(found->paid->minor_units, BEST_200);
    assert_int_equal(found->quote->version, 1); // of what was bought
    assert_int_equal(flow_ledger(bed, "order", trade.no, "create").n, 1);
    assert_int_equal(refunded_at_gateway(bed, &trade), 0);
    flow_refused(bed, "ALREADY_PAID", "Quote", "trade_no=%s %s " FUEL_300, trade.no, flow_context(bed));
}

// [A56] the old prepay is paid late, before the new one or after it, or both at once: the surplus goes back once
static void test_when_both_get_paid_the_surplus_goes_back_once(struct flow_bed *bed) {
    for (int late = 0; late < 3; late++) {
        struct flow_trade trade;
        flow_control(bed, "SetPoints", "user_id=%s available=%d", bed->user, BEST_200_POINTS);
        ordered_later(bed, &trade);
        flow_pay(bed, &trade);
        flow_quote(bed, &trade, FUEL_300, "exclude_points=true");
        flow_order(bed, &trade, LATER " combination_id=1");
        flow_pay(bed, &trade);
        if (late == 0)
            flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
        flow_payer_pays(bed, flow_tender_no(bed, &trade, 2, 0));
        if (late == 1)
            flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
        flow_until_state(bed, &trade, TRADE(COMPLETED));
        if (late == 2)
            flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
        flow_until_tender(bed, &trade, 1, 0, TENDER(RETURNED));
        flow_until_still(bed, &trade);
        assert_tender(bed, &trade, 2, 0, TENDER(PAID));
        assert_int_equal(flow_ledger(bed, "payment", trade.no, "paid").n, 2);
        assert_int_equal(refunded_at_gateway(bed, &trade), 1);
        assert_int_equal(flow_get(bed, trade.no)->refunded->minor_units, 0);
        flow_must(bed, "Cancel", "trade_no=%s", trade.no); // its benefits are for the next
        flow_until_still(bed, &trade);
    }
}

// [S3-48] only a newer version, and with PlaceOrder alone
static void test_what_is_no_edit_is_refused(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered_later(bed, &trade);
    flow_refused(bed, "CANCEL_FIRST", "PlaceOrder", "trade_no=%s quote_version=1 " LATER, trade.no);
    flow_quote(bed, &trade, FUEL_300, "");
    flow_refused(bed, "CANCEL_FIRST", "PlaceOrder", "trade_no=%s quote_version=1 " LATER, trade.no);
    flow_refused(bed, "QUOTE_NOT_FOUND", "PlaceOrder", "trade_no=%s quote_version=3 " LATER, trade.no);
    flow_refused(bed, "CANCEL_FIRST", "OrderPay", "trade_no=%s quote_version=2 %s", trade.no,
                 flow_tenders(bed, 1, KIND(WECHAT), 22500, "payer"));
    assert_state(bed, &trade, TRADE(ORDERED));
    flow_order(bed, &trade, ""); // this one locks first
    flow_refused(bed, "CANCEL_FIRST", "Quote", "trade_no=%s %s " FUEL_200, trade.no, flow_context(bed));
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
}

static bool is_closing(struct flow_bed *bed, const void *ctx) {
    return flow_get(bed, ctx)->state == TRADE(CLOSING);
}

// [A79] the gateway does not answer: the old order stays as it is, and the new one waits for it. A cancel ends both.
static void test_an_edit_waits_until_the_old_order_is_definite(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered_later(bed, &trade);
    flow_pay(bed, &trade);
    flow_quote(bed, &trade, FUEL_300, "");
    flow_fault(bed, FAULT(DOWN), "payment", "ClosePayment", "");
    struct flow_answer *answer =
        flow_send(bed, "PlaceOrder", "trade_no=%s quote_version=2 wait_ms=300 " LATER, trade.no);
    flow_wait(bed, answer);
    assert_true(((const Txcenter__Trade__V1__PlaceOrderResponse *)(const void *)answer->message)->processing);
    flow_until(bed, is_closing, trade.no, "it must be closing");
    flow_refused(bed, "CANCEL_FIRST", "Quote", "trade_no=%s %s " FUEL_200, trade.no, flow_context(bed));
    struct flow_answer *cancel = flow_send(bed, "Cancel", "trade_no=%s wait_ms=100", trade.no);
    flow_wait(bed, cancel);
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(CANCELLED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "create").n, 1);
    assert_nothing_held(bed, &trade);
}

// The gateway does not answer for longer than the new quote holds: nobody is sold anything at the price of then
static void test_an_edit_whose_quote_expires_meanwhile_is_not_ordered(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered_later(bed, &trade);
    flow_pay(bed, &trade);
    flow_quote(bed, &trade, FUEL_300, "");
    flow_fault(bed, FAULT(DOWN), "payment", "*", "");
    struct flow_answer *answer = order_again(bed, &trade);
    flow_run_for(bed, 4000);
    flow_clear_faults(bed);
    flow_wait(bed, answer);
    assert_verdict(answer, "QUOTE_EXPIRED");
    flow_until_state(bed, &trade, TRADE(FAILED));
    flow_until_still(bed, &trade);
    assert_string_equal(flow_get(bed, trade.no)->reason, "QUOTE_EXPIRED");
    assert_int_equal(flow_ledger(bed, "order", trade.no, "create").n, 1);
    assert_nothing_held(bed, &trade);
    flow_quote(bed, &trade, FUEL_300, "");
    flow_order(bed, &trade, LATER);
}

// [A10] the same request again, and others at the same time, make one new order
static void test_one_edit_makes_one_order(struct flow_bed *bed) {
    struct flow_trade trade;
    struct flow_answer *answers[6];
    int good = 0;
    ordered_later(bed, &trade);
    flow_quote(bed, &trade, FUEL_300, "");
    for (int i = 0; i < 6; i++)
        answers[i] = i < 2 ? flow_send(bed, "PlaceOrder", "request_id=again-%u trade_no=%s quote_version=2 " LATER,
                                       bed->test_no, trade.no)
                           : order_again(bed, &trade);
    for (int i = 0; i < 6; i++) {
        flow_wait(bed, answers[i]);
        good += answers[i]->message != NULL;
        if (!answers[i]->message)
            assert_verdict(answers[i], "CANCEL_FIRST");
    }
    assert_int_equal(good, 2);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "create").n, 2);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "close").n, 1);
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
}

// [A56] [A25] an edit against the payer of the old order, at every distance in time: one order is bought, and what was
// paid for the other goes back
static void test_an_edit_against_the_payer(struct flow_bed *bed) {
    for (int apart_ms = -APART_MAX_MS; apart_ms <= APART_MAX_MS; apart_ms++) {
        struct flow_trade trade;
        ordered_later(bed, &trade);
        flow_pay(bed, &trade);
        flow_quote(bed, &trade, FUEL_300, "");
        struct flow_answer *again = apart_ms < 0 ? order_again(bed, &trade) : NULL;
        if (apart_ms < 0)
            flow_run_for(bed, -apart_ms);
        flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
        if (!again && apart_ms)
            flow_run_for(bed, apart_ms);
        again = again ? again : order_again(bed, &trade);
        flow_wait(bed, again);
        flow_run_for(bed, 10000); // what comes late has come
        bool ordered = again->message != NULL;
        if (!ordered)
            assert_verdict(again, "ALREADY_PAID");
        assert_state(bed, &trade, ordered ? TRADE(ORDERED) : TRADE(COMPLETED));
        assert_int_equal(flow_ledger(bed, "payment", trade.no, "paid").n, 1);
        assert_int_equal(refunded_at_gateway(bed, &trade), ordered);
        flow_must(bed, "Cancel", "trade_no=%s", trade.no);
        flow_until_still(bed, &trade);
    }
}

static const struct flow_case cases[] = {
    CASE(test_an_edited_order_is_ordered_again_under_its_trade_number),
    CASE(test_the_number_of_a_replaced_order_changes_nothing),
    CASE(test_an_edit_takes_its_context_with_it_when_it_is_ordered),
    CASE(test_an_order_that_is_found_paid_stands),
    CASE(test_when_both_get_paid_the_surplus_goes_back_once),
    CASE(test_what_is_no_edit_is_refused),
    CASE(test_an_edit_waits_until_the_old_order_is_definite),
    CASE_WITH(test_an_edit_whose_quote_expires_meanwhile_is_not_ordered, .quote_ttl_s = 3),
    CASE(test_one_edit_makes_one_order),
    VIRTUAL(test_an_edit_against_the_payer),
};
CASES(edit);
