// An order that holds nothing is edited: quoted and ordered again under its trade number, without a cancel; or another
// of its kept combinations is chosen.
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

// Of one of the combinations that are kept, from 0.
static int64_t payable_of(struct flow_bed *bed, const struct flow_trade *trade, size_t i) {
    const Txcenter__Trade__V1__Quote *quote = flow_get(bed, trade->no)->quote;
    assert_true(i < quote->n_combinations);
    return quote->combinations[i]->payable->minor_units;
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

// [S3-48] only a newer version, or another combination of the same one while it is the newest, and with PlaceOrder
// alone
static void test_what_is_no_edit_is_refused(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered_later(bed, &trade);
    flow_refused(bed, "CANCEL_FIRST", "PlaceOrder", "trade_no=%s quote_version=1 " LATER, trade.no);
    flow_refused(bed, "CANCEL_FIRST", "PlaceOrder", "trade_no=%s quote_version=1 combination_id=1 " LATER, trade.no);
    flow_refused(bed, "CANCEL_FIRST", "OrderPay", "trade_no=%s quote_version=1 combination_id=2 %s", trade.no,
                 flow_tenders(bed, 1, KIND(WECHAT), (int)payable_of(bed, &trade, 1), "payer"));
    flow_quote(bed, &trade, FUEL_300, "");
    flow_refused(bed, "CANCEL_FIRST", "PlaceOrder", "trade_no=%s quote_version=1 " LATER, trade.no);
    flow_refused(bed, "QUOTE_SUPERSEDED", "PlaceOrder", "trade_no=%s quote_version=1 combination_id=2 " LATER,
                 trade.no);
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

// ---- Switching ----------------------------------------------------------------------------------------------------

// The order that there is is the n-th, of this combination of the version that was kept first; those before it are
// closed.
static void assert_switched(struct flow_bed *bed, const struct flow_trade *trade, const char *combination, int64_t n) {
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade->no);
    assert_int_equal(found->state, TRADE(ORDERED));
    assert_string_equal(found->combination->combination_id, combination);
    assert_int_equal(found->payable->minor_units, found->combination->payable->minor_units);
    assert_int_equal(found->quote->version, 1);
    assert_int_equal(flow_ledger(bed, "order", trade->no, "create").n, n);
    assert_int_equal(flow_ledger(bed, "order", trade->no, "close").n, n - 1);
}

// [S3-45] the payer switches between the kept combinations as often as they like: there and back, with a payment open,
// too. No new version is made and nothing is asked again; each has the amount that it was shown with, and every order
// number finds the trade
static void test_the_payer_switches_between_the_kept_combinations(struct flow_bed *bed) {
    static const char *const ids[] = {"2", "1", "3", "2", "1", "2"};
    enum { SWITCHES = sizeof ids / sizeof ids[0], SHOWN = 3 };
    struct flow_trade trade;
    char numbers[SWITCHES + 1][80];
    int64_t shown[SHOWN];
    ordered_later(bed, &trade);
    memcpy(numbers[0], trade.order_no, sizeof numbers[0]);
    for (size_t i = 0; i < SHOWN; i++)
        shown[i] = payable_of(bed, &trade, i);
    assert_true(shown[0] < shown[1] && shown[1] <= shown[2]);
    int64_t asked = flow_calls(bed, "user") + flow_calls(bed, "oil") + flow_calls(bed, "coupon");
    for (int i = 0; i < SWITCHES; i++) {
        if (i >= SHOWN)
            flow_pay(bed, &trade);
        flow_order(bed, &trade, flow_text(bed, LATER " combination_id=%s", ids[i]));
        assert_int_equal(trade.payable, shown[ids[i][0] - '1']);
        assert_switched(bed, &trade, ids[i], i + 2);
        memcpy(numbers[i + 1], trade.order_no, sizeof numbers[0]);
        for (int k = 0; k <= i; k++)
            assert_string_not_equal(numbers[k], numbers[i + 1]);
    }
    // Points that a payment freezes come back with it.
    assert_int_equal(flow_ledger(bed, "points", trade.no, "freeze").points,
                     flow_ledger(bed, "points", trade.no, "unfreeze").points);
    assert_int_equal(flow_calls(bed, "user") + flow_calls(bed, "oil") + flow_calls(bed, "coupon"), asked);
    for (int i = 0; i <= SWITCHES; i++)
        assert_found_by(bed, &trade, numbers[i]);
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 4, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    assert_int_equal(found->paid->minor_units, shown[1]);
    assert_int_equal(found->quote->version, 1);
    assert_string_equal(found->combination->combination_id, "2");
    flow_refused(bed, "ALREADY_PAID", "PlaceOrder", "trade_no=%s quote_version=1 combination_id=3 " LATER, trade.no);
}

// [S3-45] [S3-48] an order that has locked what it chose is cancelled first; a combination that is not kept is none
static void test_what_can_not_be_switched_to_is_refused(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered_later(bed, &trade);
    flow_refused(bed, "COMBINATION_UNKNOWN", "PlaceOrder", "trade_no=%s quote_version=1 combination_id=99 " LATER,
                 trade.no);
    flow_refused(bed, "AMOUNT_MISMATCH", "PlaceOrder",
                 "trade_no=%s quote_version=1 combination_id=2 expected_payable=CNY%d " LATER, trade.no, BEST_200);
    assert_switched(bed, &trade, "1", 1);
    flow_order(bed, &trade, "combination_id=2"); // this one locks first
    assert_switched(bed, &trade, "2", 2);
    flow_refused(bed, "CANCEL_FIRST", "PlaceOrder", "trade_no=%s quote_version=1 combination_id=3 " LATER, trade.no);
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    flow_refused(bed, "TRADE_ENDED", "PlaceOrder", "trade_no=%s quote_version=1 combination_id=3", trade.no);
    assert_nothing_held(bed, &trade);
}

// [A3] [S3-45] a combination is kept as long as its quote
static void test_a_switch_after_the_quote_expired_is_refused(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered_later(bed, &trade);
    flow_run_for(bed, 2100);
    flow_refused(bed, "QUOTE_EXPIRED", "PlaceOrder", "trade_no=%s quote_version=1 combination_id=2 " LATER, trade.no);
    assert_switched(bed, &trade, "1", 1);
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
}

// [S3-45] [A10] a duplicate of an older PlaceOrder that comes late switches nothing back, not after a crash either
static void test_a_late_duplicate_of_an_older_choice_changes_nothing(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered_later(bed, &trade);
    const char *second = flow_text(bed, "request_id=second-%u trade_no=%s quote_version=1 combination_id=2 " LATER,
                                   bed->test_no, trade.no),
               *third = flow_text(bed, "request_id=third-%u trade_no=%s quote_version=1 combination_id=3 " LATER,
                                  bed->test_no, trade.no);
    const Txcenter__Trade__V1__PlaceOrderResponse *chosen = flow_must(bed, "PlaceOrder", "%s", second);
    flow_must(bed, "PlaceOrder", "%s", third);
    for (int crashed = 0; crashed < 2; crashed++) {
        const Txcenter__Trade__V1__PlaceOrderResponse *again = flow_must(bed, "PlaceOrder", "%s", second);
        assert_string_equal(again->trade->order_no, chosen->trade->order_no); // what was answered then
        assert_switched(bed, &trade, "3", 3);
        if (!crashed)
            flow_crash_center(bed);
    }
    trade.payable = payable_of(bed, &trade, 2);
    flow_pay(bed, &trade);
    flow_must(bed, "PlaceOrder", "%s", second);
    assert_state(bed, &trade, TRADE(PAYING));
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    flow_must(bed, "PlaceOrder", "%s", second);
    assert_int_equal(flow_get(bed, trade.no)->paid->minor_units, trade.payable);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "create").n, 3);
}

// [S3-45] [A10] choices and their duplicates at the same time: each that is accepted makes one order, the last of them
// stands, and the others are told to ask again
static void test_choices_at_the_same_time_are_made_one_by_one(struct flow_bed *bed) {
    enum { AT_ONCE = 12, CHOICES = 3 };
    struct flow_answer *answers[AT_ONCE];
    struct flow_trade trade;
    bool accepted[CHOICES] = {false};
    ordered_later(bed, &trade);
    const char *older = flow_text(bed, "request_id=older-%u trade_no=%s quote_version=1 combination_id=3 " LATER,
                                  bed->test_no, trade.no);
    flow_must(bed, "PlaceOrder", "%s", older);
    flow_order(bed, &trade, LATER " combination_id=1");
    for (int i = 0; i < AT_ONCE; i++)
        answers[i] = i % CHOICES == 2 ? flow_send(bed, "PlaceOrder", "%s", older)
                                      : flow_send(bed, "PlaceOrder",
                                                  "request_id=choice-%u-%d trade_no=%s quote_version=1 "
                                                  "combination_id=%d " LATER,
                                                  bed->test_no, i % CHOICES, trade.no, i % CHOICES + 2);
    for (int i = 0; i < AT_ONCE; i++) {
        flow_wait(bed, answers[i]);
        accepted[i % CHOICES] = accepted[i % CHOICES] || answers[i]->message;
        if (!answers[i]->message)
            assert_verdict(answers[i], "CANCEL_FIRST");
    }
    assert_true(accepted[2]); // its answer is there since
    assert_true(accepted[0] || accepted[1]);
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    const char *stands = found->combination->combination_id;
    assert_true((accepted[0] && strcmp(stands, "2") == 0) || (accepted[1] && strcmp(stands, "3") == 0));
    assert_switched(bed, &trade, stands, 3 + accepted[0] + accepted[1]);
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
}

// [S3-45] [A25] a switch against the payer of the order that there is, at every distance in time: one order is bought,
// and what was paid for the other goes back
static void test_a_switch_against_the_payer(struct flow_bed *bed) {
    for (int apart_ms = -APART_MAX_MS; apart_ms <= APART_MAX_MS; apart_ms++) {
        struct flow_trade trade;
        struct flow_answer *answer = NULL;
        ordered_later(bed, &trade);
        flow_pay(bed, &trade);
        for (int at_ms = -APART_MAX_MS; at_ms <= APART_MAX_MS; at_ms++) {
            if (at_ms == apart_ms)
                answer = flow_send(bed, "PlaceOrder", "trade_no=%s quote_version=1 combination_id=2 " LATER, trade.no);
            if (at_ms == 0)
                flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
            flow_run_for(bed, 1);
        }
        flow_wait(bed, answer);
        flow_run_for(bed, 10000); // what comes late has come
        bool ordered = answer->message != NULL;
        if (!ordered)
            assert_verdict(answer, "ALREADY_PAID");
        assert_state(bed, &trade, ordered ? TRADE(ORDERED) : TRADE(COMPLETED));
        assert_int_equal(refunded_at_gateway(bed, &trade), ordered);
        assert_int_equal(flow_ledger(bed, "order", trade.no, "create").n, 1 + ordered);
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
    CASE(test_the_payer_switches_between_the_kept_combinations),
    CASE(test_what_can_not_be_switched_to_is_refused),
    CASE_WITH(test_a_switch_after_the_quote_expired_is_refused, .quote_ttl_s = 2),
    CASE(test_a_late_duplicate_of_an_older_choice_changes_nothing),
    CASE(test_choices_at_the_same_time_are_made_one_by_one),
    VIRTUAL(test_a_switch_against_the_payer),
};
CASES(edit);
