// What the gateway tells: early, late, twice, in any order, forged, wrong, and never.
#include "tests/flow/cases.h"
#include "tests/flow/notice.h"
#include "tests/flow/virtual.h"

#include "txcenter/trade/v1/operator.pb-c.h"

// [A19] a callback that comes before the answer to our own create call counts
static void test_a_callback_before_our_answer_counts(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_fault(bed, FAULT(EARLY_CALLBACK), "payment", "CreatePayment", "");
    flow_pay(bed, &trade);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "paid").n, 1);
}

// [A20] [S3-19] duplicates at the same time, under one nonce and under another, count once
static void test_duplicate_callbacks_at_once_count_once(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed_but(bed, &trade, FAULT(DUPLICATE_CALLBACK), "payment", "NotifyPayment", "");
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "paid").n, 1);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "award").n, 1);
}

// [A21] a failure after a success changes nothing
static void test_a_failure_after_a_success_changes_nothing(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed_but(bed, &trade, FAULT(CONTRADICTING_CALLBACK), "payment", "NotifyPayment", "delay_ms=300");
    flow_run_for(bed, 1000);
    assert_state(bed, &trade, TRADE(COMPLETED));
    assert_tender(bed, &trade, 1, 0, TENDER(PAID));
}

// [A21] [A25] a success after the failure that ended the attempt goes back, once; the order can still be paid
static void test_a_success_after_a_failure_goes_back(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay(bed, &trade);
    flow_payer_fails(bed, flow_tender_no(bed, &trade, 1, 0), "NO_MONEY");
    flow_until_state(bed, &trade, TRADE(ORDERED));
    flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_tender(bed, &trade, 1, 0, TENDER(RETURNED));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 1);
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 2, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
}

// [A25] [E9] money that comes too late, and whose way back can't be started, is an operator's to settle
static void test_late_money_that_has_no_way_back_is_a_matter(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered_bare(bed, &trade);
    flow_pay(bed, &trade);
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    flow_get_in_the_way(bed, flow_text(bed, "%s/refund/late-1-0", trade.no));
    flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_tender(bed, &trade, 1, 0, TENDER(CONFLICTED));
    assert_state(bed, &trade, TRADE(CANCELLED));
    const Txcenter__Trade__V1__ListMattersResponse *open =
        flow_must(bed, "ListMatters", "filter.trade_no=%s", trade.no);
    assert_int_equal(open->n_matters, 1);
    assert_string_equal(open->matters[0]->reason, "RETURN_BLOCKED");
    assert_int_equal(open->matters[0]->amount->minor_units, LIST_200);
    flow_refused(bed, "RETRY", "SettleMatter", "trade_no=%s number=1 outcome=%d reason=table", trade.no,
                 TXCENTER__TRADE__V1__MATTER_OUTCOME__MATTER_OUTCOME_RETURNED);
    flow_must(bed, "SettleMatter", "trade_no=%s number=1 outcome=%d reason=table reference=B1", trade.no,
              TXCENTER__TRADE__V1__MATTER_OUTCOME__MATTER_OUTCOME_PAID_OTHERWISE);
    assert_tender(bed, &trade, 1, 0, TENDER(RETURNED));
    bed->leave_open = bed->not_compared = true; // what is in the way is there for ever
}

// [A22] [E11] a payment is asked for, and compared, under the merchant number that was configured when it was begun
static void test_a_payment_keeps_the_merchant_that_it_was_begun_under(struct flow_bed *bed) {
    struct trades_options *options = &flow_virtual(bed)->center.options;
    const char *before = options->merchant_id;
    struct flow_trade paid, late;
    flow_ordered_bare(bed, &paid);
    flow_pay(bed, &paid);
    flow_ordered_bare(bed, &late);
    flow_pay(bed, &late);
    flow_must(bed, "Cancel", "trade_no=%s", late.no);
    options->merchant_id = "M-NEW";
    flow_crash_center(bed);
    flow_payer_pays(bed, flow_tender_no(bed, &paid, 1, 0));
    flow_until_state(bed, &paid, TRADE(COMPLETED));
    flow_payer_pays_late(bed, flow_tender_no(bed, &late, 1, 0));
    flow_until_tender(bed, &late, 1, 0, TENDER(RETURNED));
    flow_ordered_bare(bed, &paid); // under the new one
    flow_pay(bed, &paid);
    flow_payer_pays(bed, flow_tender_no(bed, &paid, 1, 0));
    flow_until_state(bed, &paid, TRADE(COMPLETED));
    options->merchant_id = before;
}

// A trade whose currency is no longer the configured one is not counted on in another: it can be cancelled
static void test_a_trade_in_another_currency_than_the_center_can_only_be_cancelled(struct flow_bed *bed) {
    struct trades_options *options = &flow_virtual(bed)->center.options;
    const char *before = options->currency;
    struct flow_trade bought, ordered;
    flow_completed(bed, &bought);
    flow_ordered_bare(bed, &ordered);
    options->currency = "USD";
    flow_crash_center(bed);
    flow_refused(bed, "CONFIG_INVALID", "Refund", "trade_no=%s amount=USD100", bought.no);
    flow_refused(bed, "CONFIG_INVALID", "Refund", "trade_no=%s whole=true", bought.no);
    flow_must(bed, "Cancel", "trade_no=%s", ordered.no);
    assert_state(bed, &ordered, TRADE(CANCELLED));
    options->currency = before;
    flow_crash_center(bed);
    flow_refunded(bed, &bought, "whole=true");
    flow_until_still(bed, &bought);
}

// Of money in another currency the books hold nothing: they have one, and would call it so many CNY.
static void conflict(struct flow_bed *bed, int kind) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_fault(bed, kind, "payment", "NotifyPayment", "");
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(CONFLICTED));
    flow_until_still(bed, &trade);
    assert_tender(bed, &trade, 1, 0, TENDER(CONFLICTED));
    assert_nothing_held(bed, &trade);
    assert_int_equal(flow_get(bed, trade.no)->n_ledger, kind == FAULT(WRONG_CURRENCY) ? 0 : 2);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "paid").n, 0);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 0); // it is the operator's
    flow_refused(bed, "NOT_CANCELLABLE", "Cancel", "trade_no=%s", trade.no);
    flow_refused(bed, "TRADE_ENDED", "Quote", "trade_no=%s %s " FUEL_200, trade.no, flow_context(bed));
    bed->not_compared = true; // the gateway has said two different things
}

// [A22] an amount, a currency or a merchant that does not match is never paid, and waits for an operator
static void test_another_amount_is_a_conflict(struct flow_bed *bed) {
    conflict(bed, FAULT(WRONG_AMOUNT));
}

static void test_another_currency_is_a_conflict(struct flow_bed *bed) {
    conflict(bed, FAULT(WRONG_CURRENCY));
}

static void test_another_merchant_is_a_conflict(struct flow_bed *bed) {
    conflict(bed, FAULT(WRONG_MERCHANT));
}

// [A22] a conflict of one tender gives back what the others paid
static void test_a_conflict_gives_back_what_the_others_paid(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay_with(bed, &trade,
                  flow_tenders(bed, 3, KIND(CARD), 2000, bed->card, KIND(WECHAT), 3000, "payer-a", KIND(ALIPAY),
                               BEST_200 - 5000, "payer-b"),
                  "");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
    flow_until_tender(bed, &trade, 1, 1, TENDER(PAID));
    struct flow_notice notice = {
        .tender_no = flow_tender_no(bed, &trade, 1, 2), .state = PAYMENT(PAID), .amount = BEST_200 - 5001};
    assert_verdict(flow_notify(bed, &notice), "OK");
    flow_until_state(bed, &trade, TRADE(CONFLICTED));
    flow_until_still(bed, &trade);
    assert_tender(bed, &trade, 1, 0, TENDER(CLOSED));
    assert_tender(bed, &trade, 1, 1, TENDER(RETURNED));
    assert_tender(bed, &trade, 1, 2, TENDER(CONFLICTED));
    bed->not_compared = true;
}

// [A23] forged, stale, unknown key, changed body: refused, and nothing is stored
static void test_forged_callbacks_are_refused(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay(bed, &trade);
    const char *tender_no = flow_tender_no(bed, &trade, 1, 0);
    const struct flow_notice good = {.tender_no = tender_no, .state = PAYMENT(PAID), .amount = BEST_200};
    struct flow_notice notices[6] = {good, good, good, good, good, good};
    notices[0].secret = "another secret of sixteen bytes";
    notices[1].key_id = "no-such-key";
    notices[2].bent = true;
    notices[3].age_ms = 301000;
    notices[4].age_ms = -301000;
    notices[5].secret = "";
    for (size_t i = 0; i < 6; i++) {
        notices[i].nonce = flow_text(bed, "one-nonce-%s", trade.no);
        assert_verdict(flow_notify(bed, &notices[i]), "SIGNATURE_INVALID");
    }
    assert_state(bed, &trade, TRADE(PAYING));
    assert_tender(bed, &trade, 1, 0, TENDER(PENDING));
    // What was refused has not used its nonce up.
    struct flow_notice last = good;
    last.state = PAYMENT(PENDING);
    last.nonce = notices[0].nonce;
    assert_verdict(flow_notify(bed, &last), "OK");
}

static void test_a_forged_signature_beside_the_true_one_does_no_harm(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_fault(bed, FAULT(FORGED_SIGNATURE), "payment", "CreatePayment", "");
    flow_pay(bed, &trade);
    flow_run_for(bed, 500);
    assert_state(bed, &trade, TRADE(PAYING));
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
}

// [A23] the same nonce with the same bytes is acknowledged again without effect, with other bytes it is refused
static void test_a_replayed_nonce_has_no_effect(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay(bed, &trade);
    struct flow_notice notice = {.tender_no = flow_tender_no(bed, &trade, 1, 0),
                                 .state = PAYMENT(PENDING),
                                 .amount = BEST_200,
                                 .nonce = flow_text(bed, "nonce-of-%s", trade.no)};
    for (int i = 0; i < 3; i++)
        assert_verdict(flow_notify(bed, &notice), "OK");
    notice.state = PAYMENT(PAID);
    assert_verdict(flow_notify(bed, &notice), "NONCE_REUSED");
    flow_crash_center(bed);
    assert_verdict(flow_notify(bed, &notice), "NONCE_REUSED");
    assert_state(bed, &trade, TRADE(PAYING));
}

static void test_a_callback_of_bad_form_is_a_bad_request(struct flow_bed *bed) {
    struct flow_notice notice = {.tender_no = "T-1", .state = PAYMENT(PAID), .nonce = "short"};
    assert_verdict(flow_notify(bed, &notice), "INVALID_REQUEST");
    notice.nonce = "01234567890123456789012345678901234567890123456789012345678901234";
    assert_verdict(flow_notify(bed, &notice), "INVALID_REQUEST");
    notice.nonce = "nonce-with\nanother-line"; // could be cut elsewhere under the same signature
    assert_verdict(flow_notify(bed, &notice), "INVALID_REQUEST");
    notice.nonce = NULL;
    notice.tender_no = "";
    assert_verdict(flow_notify(bed, &notice), "INVALID_REQUEST");
}

// [A24] a number that nobody knows is acknowledged, kept and counted
static void test_a_callback_for_an_unknown_number_is_kept(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    const char *const unknown[] = {"nothing-of-ours", flow_text(bed, "%s-7-0", trade.no),
                                   "01M7YBK6QT3HKKBQ7APVMWGMYR-1-0", trade.no};
    int64_t before = flow_stat(bed, "trades.unknown_callbacks");
    for (size_t i = 0; i < 4; i++) {
        struct flow_notice notice = {.tender_no = unknown[i], .state = PAYMENT(PAID), .amount = 100};
        assert_verdict(flow_notify(bed, &notice), "OK");
    }
    assert_int_equal(flow_stat(bed, "trades.unknown_callbacks"), before + 4);
    assert_state(bed, &trade, TRADE(ORDERED));
}

// Told that they were paid, rightly and with another amount.
static void tell_of(struct flow_bed *bed, const struct flow_trade *trade, const int *tenders, int64_t amount) {
    for (int i = 0; i < 2; i++)
        for (int more = 0; more < 2; more++) {
            struct flow_notice notice = {.tender_no = flow_tender_no(bed, trade, 1, tenders[i]),
                                         .state = PAYMENT(PAID),
                                         .amount = amount + more};
            assert_verdict(flow_notify(bed, &notice), "OK");
        }
}

// [A24] [E9] the gateway has no say over a card's part or what is paid in cash: not before it is taken, not while it is
// held, and not when it was released
static void test_a_callback_about_what_is_not_the_gateways_is_kept(struct flow_bed *bed) {
    enum { PART = 1000, CARD = 0, CASH = 1, GATEWAY = 2 };
    static const int others[] = {CARD, CASH};
    struct flow_trade trade;
    int64_t before = flow_stat(bed, "trades.unknown_callbacks");
    flow_ordered(bed, &trade);
    flow_fault(bed, FAULT(DELAY), "card", "FreezeCard", "delay_ms=1000 count=1");
    flow_send(bed, "Pay", "trade_no=%s wait_ms=0 %s", trade.no,
              flow_tenders(bed, 3, KIND(CARD), PART, bed->card, KIND(CASH), PART, "", KIND(WECHAT), BEST_200 - 2 * PART,
                           "payer"));
    flow_until_tender(bed, &trade, 1, CARD, TENDER(CREATED));
    tell_of(bed, &trade, others, PART);
    assert_tender(bed, &trade, 1, CARD, TENDER(CREATED));
    flow_until_tender(bed, &trade, 1, CARD, TENDER(PENDING));
    flow_until_tender(bed, &trade, 1, GATEWAY, TENDER(PENDING));
    tell_of(bed, &trade, others, PART);
    assert_tender(bed, &trade, 1, CASH, TENDER(PENDING));
    flow_payer_fails(bed, flow_tender_no(bed, &trade, 1, GATEWAY), "NO_MONEY");
    flow_until_state(bed, &trade, TRADE(ORDERED));
    flow_until_tender(bed, &trade, 1, CARD, TENDER(CLOSED));
    tell_of(bed, &trade, others, PART);
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    flow_until_still(bed, &trade);
    assert_tender(bed, &trade, 1, CARD, TENDER(CLOSED));
    assert_tender(bed, &trade, 1, CASH, TENDER(CLOSED));
    assert_int_equal(flow_get(bed, trade.no)->n_refunds, 0);
    assert_int_equal(flow_get(bed, trade.no)->n_ledger, 0);
    assert_int_equal(flow_stat(bed, "trades.unknown_callbacks"), before + 12);
    assert_nothing_held(bed, &trade);
}

// [A24] nor over what a card gives back
static void test_a_callback_about_a_refund_that_is_not_the_gateways_is_kept(struct flow_bed *bed) {
    struct flow_trade trade;
    int64_t before = flow_stat(bed, "trades.unknown_callbacks");
    flow_ordered(bed, &trade);
    flow_pay_with(bed, &trade, flow_tenders(bed, 1, KIND(CARD), BEST_200, bed->card), "wait_for=2");
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    flow_fault(bed, FAULT(UNAVAILABLE), "card", "RefundCard", "");
    flow_must(bed, "Refund", "trade_no=%s refund_no=R1 amount=CNY1000 wait_ms=0", trade.no);
    flow_run_for(bed, 1000);
    struct flow_refund_notice notice = {.refund_no = flow_text(bed, "%s@R1@0", trade.no),
                                        .tender_no = flow_tender_no(bed, &trade, 1, 0),
                                        .state = REFUNDED(DONE),
                                        .amount = 1000};
    assert_verdict(flow_notify_refund(bed, &notice), "OK");
    assert_int_equal(flow_stat(bed, "trades.unknown_callbacks"), before + 1);
    assert_int_equal(flow_get(bed, trade.no)->refunds[0]->state, REFUND(PENDING));
    flow_clear_faults(bed);
    flow_until_still(bed, &trade);
    assert_int_equal(flow_get(bed, trade.no)->refunds[0]->state, REFUND(DONE));
    assert_int_equal(flow_ledger(bed, "card", trade.no, "refund").amount, 1000);
}

// [A25] [E9] a success after the cancel goes back, exactly once, however often it is told
static void test_a_success_after_a_cancel_goes_back_once(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay(bed, &trade);
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    assert_tender(bed, &trade, 1, 0, TENDER(CLOSED));
    flow_fault(bed, FAULT(DUPLICATE_CALLBACK), "payment", "NotifyPayment", "");
    flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_tender(bed, &trade, 1, 0, TENDER(RETURNED));
    struct flow_notice again = {
        .tender_no = flow_tender_no(bed, &trade, 1, 0), .state = PAYMENT(PAID), .amount = BEST_200};
    assert_verdict(flow_notify(bed, &again), "OK");
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 1);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, BEST_200);
    assert_state(bed, &trade, TRADE(CANCELLED));
}

// [A25] [E15] a success after the expiry, also when the trade is no longer in memory
static void test_a_success_after_the_expiry_goes_back_once(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_order(bed, &trade, "expires_in_seconds=3");
    flow_pay(bed, &trade);
    flow_until_state(bed, &trade, TRADE(EXPIRED));
    flow_until_still(bed, &trade);
    flow_crash_center(bed);
    flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_tender(bed, &trade, 1, 0, TENDER(RETURNED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 1);
    assert_state(bed, &trade, TRADE(EXPIRED));
}

// [A25] a success of the first attempt after the second has paid
static void test_a_success_of_an_older_attempt_goes_back_once(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay(bed, &trade);
    flow_payer_fails(bed, flow_tender_no(bed, &trade, 1, 0), "NO_MONEY");
    flow_until_state(bed, &trade, TRADE(ORDERED));
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 2, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_tender(bed, &trade, 1, 0, TENDER(RETURNED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, BEST_200);
    assert_state(bed, &trade, TRADE(COMPLETED));
}

// [A56] the first order's payment comes after the trade was ordered again: it goes back under the first order's number
static void test_a_success_of_the_order_before_goes_back_under_its_own_number(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    char first[80];
    memcpy(first, trade.order_no, sizeof first);
    flow_pay(bed, &trade);
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    // It is asked for twice, before and after the trade has a new order number: the same request both times.
    flow_fault(bed, FAULT(NO_ANSWER), "payment", "RefundPayment", "count=1");
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyRefund", "");
    flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_tender(bed, &trade, 1, 0, TENDER(RETURNING));
    flow_quote(bed, &trade, FUEL_200, "");
    flow_order(bed, &trade, "");
    assert_string_not_equal(trade.order_no, first);
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 2, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_tender(bed, &trade, 1, 0, TENDER(RETURNED));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "paid").n, 2);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 1);
}

// [A27] a lost callback is found by asking
static void test_a_lost_callback_is_found_by_asking(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed_but(bed, &trade, FAULT(LOST_CALLBACK), "payment", "NotifyPayment", "");
}

static void callback_at_a_crash(struct flow_bed *bed, bool before) {
    struct flow_trade trade;
    struct virtual_bed *v = flow_virtual(bed);
    flow_ordered(bed, &trade);
    flow_pay(bed, &trade);
    flow_fault(bed, FAULT(DOWN), "payment", "QueryPayment", ""); // only the callback can tell
    crash_point_set(&v->center.point, 1, before);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_run_for(bed, 100);
    assert_int_equal(v->center.deaths, 1);
    const Participant__Sim__V1__GetStatsResponse *stats = flow_control(bed, "GetStats", "%s", "");
    assert_int_equal(stats->notifications_acknowledged, 0);
    flow_run_for(bed, 1000); // until it is back
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "paid").n, 1);
}

// [A28] [E10] a callback whose commit a crash prevents is not acknowledged, and comes again
static void test_a_callback_that_is_not_durable_is_not_acknowledged(struct flow_bed *bed) {
    callback_at_a_crash(bed, true);
}

// [A28] one that became durable in the very moment of the crash is not acknowledged either, comes again, and counts
// once
static void test_a_callback_that_became_durable_in_a_crash_counts_once(struct flow_bed *bed) {
    callback_at_a_crash(bed, false);
}

static const struct flow_case cases[] = {
    CASE(test_a_callback_before_our_answer_counts),
    CASE(test_duplicate_callbacks_at_once_count_once),
    CASE(test_a_failure_after_a_success_changes_nothing),
    CASE(test_a_success_after_a_failure_goes_back),
    CASE(test_another_amount_is_a_conflict),
    CASE(test_another_currency_is_a_conflict),
    CASE(test_another_merchant_is_a_conflict),
    CASE(test_a_conflict_gives_back_what_the_others_paid),
    CASE(test_forged_callbacks_are_refused),
    CASE(test_a_forged_signature_beside_the_true_one_does_no_harm),
    CASE(test_a_replayed_nonce_has_no_effect),
    CASE(test_a_callback_of_bad_form_is_a_bad_request),
    CASE(test_a_callback_for_an_unknown_number_is_kept),
    CASE(test_a_callback_about_what_is_not_the_gateways_is_kept),
    CASE(test_a_callback_about_a_refund_that_is_not_the_gateways_is_kept),
    CASE(test_a_success_after_a_cancel_goes_back_once),
    CASE(test_a_success_after_the_expiry_goes_back_once),
    CASE(test_a_success_of_an_older_attempt_goes_back_once),
    CASE(test_a_success_of_the_order_before_goes_back_under_its_own_number),
    CASE(test_a_lost_callback_is_found_by_asking),
    VIRTUAL(test_a_callback_that_is_not_durable_is_not_acknowledged),
    VIRTUAL(test_a_callback_that_became_durable_in_a_crash_counts_once),
    VIRTUAL(test_late_money_that_has_no_way_back_is_a_matter),
    VIRTUAL(test_a_payment_keeps_the_merchant_that_it_was_begun_under),
    VIRTUAL(test_a_trade_in_another_currency_than_the_center_can_only_be_cancelled),
};

CASES(callback);
