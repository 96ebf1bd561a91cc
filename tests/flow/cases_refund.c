// Refunds: how much, to which tender and line, at the same time, again, and what comes back with the money.
#include "tests/flow/cases.h"
#include "tests/flow/notice.h"
#include "tests/flow/virtual.h"

typedef Txcenter__Trade__V1__RefundResponse refund_response;
typedef Txcenter__Trade__V1__Refund refund_message;
typedef Txcenter__Trade__V1__Trade trade_message;

enum { CARD_PART = 3000, WECHAT_PART = 4000, ALIPAY_PART = BEST_200 - 7000 };

// Paid with a card and two asynchronous tenders, and completed.
static void completed_with_three(struct flow_bed *bed, struct flow_trade *trade) {
    flow_ordered(bed, trade);
    flow_pay_with(bed, trade,
                  flow_tenders(bed, 3, KIND(CARD), CARD_PART, bed->card, KIND(WECHAT), WECHAT_PART, "payer-a",
                               KIND(ALIPAY), ALIPAY_PART, "payer-b"),
                  "");
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 1));
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 2));
    flow_until_state(bed, trade, TRADE(COMPLETED));
    flow_until_still(bed, trade);
}

static const refund_message *refund_of(struct flow_bed *bed, const struct flow_trade *trade, const char *refund_no) {
    const trade_message *found = flow_get(bed, trade->no);
    for (size_t i = 0; i < found->n_refunds; i++)
        if (strcmp(found->refunds[i]->refund_no, refund_no) == 0)
            return found->refunds[i];
    return NULL;
}

static int64_t refunded_of(struct flow_bed *bed, const struct flow_trade *trade) {
    return flow_get(bed, trade->no)->refunded->minor_units;
}

struct expected_leg {
    const char *refund_no;
    const struct flow_trade *trade;
    size_t leg;
    int state;
};

static bool leg_is(struct flow_bed *bed, const void *ctx) {
    const struct expected_leg *expected = ctx;
    const refund_message *found = refund_of(bed, expected->trade, expected->refund_no);
    return found && found->n_legs > expected->leg && (int)found->legs[expected->leg]->state == expected->state;
}

static void until_leg(struct flow_bed *bed, const struct flow_trade *trade, const char *refund_no, size_t leg,
                      int state) {
    struct expected_leg expected = {refund_no, trade, leg, state};
    flow_until(bed, leg_is, &expected, "a leg must get there");
}

// ---- How much -------------------------------------------------------------------------------------------------------

// [S3-9] [S3-54] [S3-55] [A47] the whole: to every tender its part, and everything that followed the payment comes back
static void test_a_whole_refund_gives_everything_back(struct flow_bed *bed) {
    struct flow_trade trade;
    completed_with_three(bed, &trade);
    const refund_response *response = flow_refunded(bed, &trade, "whole=true reason=wrong~fuel refund_no=RMA-1");
    assert_int_equal(response->trade->state, TRADE(REFUNDED));
    assert_true(response->refund->final);
    assert_int_equal(response->refund->amount->minor_units, BEST_200);
    assert_int_equal(response->refund->n_legs, 3);
    assert_string_equal(response->refund->reason, "wrong fuel");
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "refund").amount, CARD_PART);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, BEST_200 - CARD_PART);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "refunded").amount, BEST_200);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "give_back").n, BEST_200_COUPONS);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "withdraw").n, 1);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "give_back").points, BEST_200_POINTS);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "claw_back").points, BEST_200 / 100);
    assert_true(flow_ledger(bed, "settlement", trade.no, "reverse").n >= 4);
    assert_int_equal(flow_ledger(bed, "push", trade.no, "push").n, 2);
    const refund_message *kept = refund_of(bed, &trade, "RMA-1");
    assert_int_equal(kept->points_given_back, BEST_200_POINTS);
    assert_int_equal(kept->points_clawed_back, BEST_200 / 100);
    struct flow_trade next;
    flow_ordered(bed, &next); // the benefits can be had again
}

// [A44] [A47] parts by amount: the last takes exactly the rest, and only with it coupons and points come back
static void test_parts_add_up_and_the_last_takes_the_rest(struct flow_bed *bed) {
    static const int parts[] = {1, 4999, 3333, 2222};
    struct flow_trade trade;
    int64_t taken = 0;
    completed_with_three(bed, &trade);
    for (size_t i = 0; i < 4; i++) {
        const refund_response *response = flow_refunded(bed, &trade, flow_text(bed, "amount=CNY%d", parts[i]));
        taken += parts[i];
        assert_int_equal(response->trade->state, TRADE(PARTIALLY_REFUNDED));
        assert_int_equal(response->trade->refunded->minor_units, taken);
        assert_false(response->refund->final);
        flow_until_still(bed, &trade);
        assert_int_equal(flow_ledger(bed, "points", trade.no, "claw_back").points, BEST_200 / 100 * taken / BEST_200);
        assert_int_equal(flow_ledger(bed, "coupon", trade.no, "give_back").n, 0);
        assert_int_equal(flow_ledger(bed, "points", trade.no, "give_back").n, 0);
    }
    const refund_response *last = flow_refunded(bed, &trade, "whole=true");
    assert_int_equal(last->refund->amount->minor_units, BEST_200 - taken);
    assert_true(last->refund->final);
    assert_int_equal(last->trade->state, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "refund").amount, CARD_PART);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, BEST_200 - CARD_PART);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "claw_back").points, BEST_200 / 100);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "give_back").n, BEST_200_COUPONS);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "give_back").points, BEST_200_POINTS);
}

// [A43] each refund is spread over what is left of the tenders, by largest remainder, to the unit
static void test_a_part_is_spread_over_the_tenders_exactly(struct flow_bed *bed) {
    struct flow_trade trade;
    completed_with_three(bed, &trade);
    int64_t left[3] = {CARD_PART, WECHAT_PART, ALIPAY_PART}, all = BEST_200;
    for (int i = 0; i < 5; i++) {
        int64_t amount = 1237 + i, sum = 0;
        const refund_message *made = flow_refunded(bed, &trade, flow_text(bed, "amount=CNY%d", (int)amount))->refund;
        assert_int_equal(made->n_legs, 3);
        for (size_t k = 0; k < 3; k++) {
            int64_t leg = made->legs[k]->amount->minor_units, floor = amount * left[k] / all;
            assert_true(leg == floor || leg == floor + 1);
            left[k] -= leg;
            sum += leg;
        }
        assert_int_equal(sum, amount);
        all -= amount;
    }
    for (int k = 0; k < 3; k++)
        assert_int_equal(flow_tender(bed, &trade, 1, k)->amount->minor_units -
                             flow_tender(bed, &trade, 1, k)->refunded->minor_units,
                         left[k]);
}

// [A43] [A52] by lines: each gives back its net share, and no line twice
static void test_lines_give_back_their_net_shares(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    const Txcenter__Trade__V1__Quote *quote =
        flow_quote(bed, &trade,
                   FUEL_200 " lines[1].fuel.oil_code=95# lines[1].fuel.amount=CNY7777 lines[2].fuel.oil_code=98# "
                            "lines[2].fuel.amount=CNY333",
                   "");
    int64_t shares[3];
    for (size_t i = 0; i < 3; i++)
        shares[i] = quote->combinations[0]->line_shares[i]->payable->minor_units;
    flow_order(bed, &trade, "");
    assert_int_equal(shares[0] + shares[1] + shares[2], trade.payable);
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_refused(bed, "INVALID_REQUEST", "Refund", "trade_no=%s lines.indexes[0]=3", trade.no);
    flow_refused(bed, "INVALID_REQUEST", "Refund", "trade_no=%s lines.indexes[0]=1 lines.indexes[1]=1", trade.no);
    assert_int_equal(flow_refunded(bed, &trade, "lines.indexes[0]=1")->refund->amount->minor_units, shares[1]);
    flow_refused(bed, "REFUND_EXCEEDS_REST", "Refund", "trade_no=%s lines.indexes[0]=1", trade.no);
    const refund_response *rest = flow_refunded(bed, &trade, "lines.indexes[0]=0 lines.indexes[1]=2");
    assert_int_equal(rest->refund->amount->minor_units, shares[0] + shares[2]);
    assert_true(rest->refund->final);
    assert_int_equal(rest->trade->state, TRADE(REFUNDED));
}

// [A43] what is left after a part is not priced again: without the second line the coupon from 200.00 on would not have
// been had, and all the same each line gives back just what it cost
static void test_a_threshold_is_not_tested_again_by_a_refund(struct flow_bed *bed) {
    enum { SECOND = 8000 };
    struct flow_trade trade = {0};
    const Txcenter__Trade__V1__Quote *quote =
        flow_quote(bed, &trade,
                   "lines[0].fuel.oil_code=92# lines[0].fuel.amount=CNY12000 lines[1].fuel.oil_code=92# "
                   "lines[1].fuel.amount=CNY8000",
                   flow_text(bed, "exclude_points=true required_coupon_ids[0]=K%s-1", bed->user + 1));
    const Txcenter__Trade__V1__Combination *chosen = quote->combinations[0];
    int64_t net = chosen->line_shares[1]->payable->minor_units;
    assert_true(chosen->coupon_discount->minor_units >= 2000 && net < SECOND);
    flow_order(bed, &trade, "");
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    const refund_response *part = flow_refunded(bed, &trade, "lines.indexes[0]=1");
    assert_int_equal(part->refund->amount->minor_units, net);
    assert_int_equal(part->trade->payable->minor_units, trade.payable);
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "give_back").n, 0); // with all of it, not with a part
    const refund_response *rest = flow_refunded(bed, &trade, "whole=true");
    assert_int_equal(rest->refund->amount->minor_units, trade.payable - net);
    assert_int_equal(rest->trade->state, TRADE(REFUNDED));
}

// The caller may say which tender gives back how much.
static void test_a_refund_can_be_split_by_its_caller(struct flow_bed *bed) {
    struct flow_trade trade;
    completed_with_three(bed, &trade);
    const char *card = flow_tender_no(bed, &trade, 1, 0), *wechat = flow_tender_no(bed, &trade, 1, 1);
    struct {
        const char *split, *reason;
    } bad[] = {{flow_text(bed, "split[0].tender_no=%s split[0].amount=CNY999", card), "INVALID_REQUEST"},
               {flow_text(bed, "split[0].tender_no=%s-x split[0].amount=CNY1000", card), "INVALID_REQUEST"},
               {flow_text(bed, "split[0].tender_no=%s split[0].amount=USD1000", card), "INVALID_REQUEST"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        flow_refused(bed, bad[i].reason, "Refund", "trade_no=%s amount=CNY1000 %s", trade.no, bad[i].split);
    flow_refused(bed, "REFUND_EXCEEDS_REST", "Refund",
                 "trade_no=%s amount=CNY%d split[0].tender_no=%s split[0].amount=CNY%d", trade.no, CARD_PART + 1, card,
                 CARD_PART + 1);
    const refund_message *made =
        flow_refunded(bed, &trade,
                      flow_text(bed,
                                "amount=CNY1000 split[0].tender_no=%s split[0].amount=CNY400 split[1].tender_no=%s "
                                "split[1].amount=CNY600",
                                wechat, card))
            ->refund;
    assert_int_equal(made->n_legs, 2);
    assert_int_equal(flow_tender(bed, &trade, 1, 0)->refunded->minor_units, 600);
    assert_int_equal(flow_tender(bed, &trade, 1, 1)->refunded->minor_units, 400);
    assert_int_equal(flow_tender(bed, &trade, 1, 2)->refunded->minor_units, 0);
    flow_refunded(bed, &trade, "whole=true");
}

// [A40] more than what is left is refused, and changes nothing
static void test_more_than_is_left_is_refused(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    flow_refused(bed, "REFUND_EXCEEDS_REST", "Refund", "trade_no=%s amount=CNY%d", trade.no, BEST_200 + 1);
    flow_refunded(bed, &trade, "amount=CNY5000");
    flow_refused(bed, "REFUND_EXCEEDS_REST", "Refund", "trade_no=%s amount=CNY%d", trade.no, BEST_200 - 4999);
    assert_int_equal(refunded_of(bed, &trade), 5000);
    assert_int_equal(flow_get(bed, trade.no)->n_refunds, 1);
    flow_refunded(bed, &trade, flow_text(bed, "amount=CNY%d", BEST_200 - 5000)); // exactly the rest
    assert_state(bed, &trade, TRADE(REFUNDED));
    flow_refused(bed, "REFUND_EXCEEDS_REST", "Refund", "trade_no=%s amount=CNY1", trade.no);
    flow_refused(bed, "REFUND_EXCEEDS_REST", "Refund", "trade_no=%s whole=true", trade.no);
}

static void test_a_refund_of_bad_form_is_refused(struct flow_bed *bed) {
    static const char *const bad[] = {"amount=CNY0",
                                      "amount=CNY-1",
                                      "amount=USD100",
                                      "",
                                      "whole=false",
                                      "amount=CNY1 refund_no=late-1-0",
                                      "amount=CNY1 refund_no=a/b",
                                      "amount=CNY1 refund_no=0123456789012345678901234567890123",
                                      "amount=CNY1 wait_ms=-1",
                                      "lines.indexes[0]=-1",
                                      "lines.indexes[0]=32"};
    struct flow_trade trade;
    flow_completed(bed, &trade);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        flow_refused(bed, "INVALID_REQUEST", "Refund", "trade_no=%s %s", trade.no, bad[i]);
    flow_refused(bed, "TRADE_NOT_FOUND", "Refund", "order_no=nobody-s whole=true");
    assert_int_equal(flow_get(bed, trade.no)->n_refunds, 0);
    const refund_response *by_order = flow_must(bed, "Refund", "order_no=%s amount=CNY100", trade.order_no);
    assert_string_equal(by_order->trade->trade_no, trade.no);
}

// [A50] before it is paid there is nothing to refund, whatever its state
static void test_before_it_is_paid_a_refund_is_refused(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_refused(bed, "NOT_REFUNDABLE", "Refund", "trade_no=%s whole=true", trade.no);
    flow_order(bed, &trade, "");
    flow_refused(bed, "NOT_REFUNDABLE", "Refund", "trade_no=%s whole=true", trade.no);
    flow_pay(bed, &trade);
    flow_refused(bed, "NOT_REFUNDABLE", "Refund", "trade_no=%s amount=CNY1", trade.no);
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    flow_refused(bed, "NOT_REFUNDABLE", "Refund", "trade_no=%s whole=true", trade.no);
    assert_int_equal(flow_get(bed, trade.no)->n_refunds, 0);
}

// The window is counted from the payment; one second later nothing is refunded any more.
static void test_after_the_window_a_refund_is_refused(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    flow_run_for(bed, 86400000 - 60000);
    flow_refunded(bed, &trade, "amount=CNY100");
    flow_run_for(bed, 61000);
    flow_refused(bed, "NOT_REFUNDABLE", "Refund", "trade_no=%s amount=CNY100", trade.no);
    flow_refused(bed, "NOT_REFUNDABLE", "Cancel", "trade_no=%s", trade.no);
}

// ---- At the same time, and again ------------------------------------------------------------------------------------

// [A41] [S3-21] many parts at once never take more than was paid
static void test_parts_at_once_never_exceed_what_was_paid(struct flow_bed *bed) {
    enum { AT_ONCE = 12, PART = 2000 };
    struct flow_trade trade;
    struct flow_answer *answers[AT_ONCE];
    int64_t done = 0;
    completed_with_three(bed, &trade);
    for (int i = 0; i < AT_ONCE; i++)
        answers[i] = flow_send(bed, "Refund", "trade_no=%s amount=CNY%d", trade.no, PART);
    for (int i = 0; i < AT_ONCE; i++) {
        flow_wait(bed, answers[i]);
        if (answers[i]->message)
            done += PART;
        else
            assert_verdict(answers[i], "REFUND_EXCEEDS_REST");
    }
    assert_int_equal(done, BEST_200 / PART * PART);
    flow_until_still(bed, &trade);
    assert_int_equal(refunded_of(bed, &trade), done);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount +
                         flow_ledger(bed, "card", trade.no, "refund").amount,
                     done);
    assert_int_equal(flow_refunded(bed, &trade, "whole=true")->refund->amount->minor_units, BEST_200 - done);
}

// [A41] what is under way is reserved; the rest that is refunded meanwhile ends the trade only with it
static void test_a_refund_beside_one_that_is_under_way(struct flow_bed *bed) {
    struct flow_trade trade;
    completed_with_three(bed, &trade);
    flow_fault(bed, FAULT(DOWN), "card", "RefundCard", "");
    const refund_response *slow =
        flow_must(bed, "Refund", "trade_no=%s refund_no=slow amount=CNY5000 wait_ms=100", trade.no);
    assert_true(slow->processing);
    assert_int_equal(slow->refund->state, REFUND(PENDING));
    flow_refused(bed, "REFUND_EXCEEDS_REST", "Refund", "trade_no=%s amount=CNY7501", trade.no);
    // The rest, but nothing more from the card.
    const char *wechat = flow_tender_no(bed, &trade, 1, 1);
    const refund_message *quick =
        flow_refunded(
            bed, &trade,
            flow_text(bed, "refund_no=quick amount=CNY1000 split[0].tender_no=%s split[0].amount=CNY1000", wechat))
            ->refund;
    assert_false(quick->final);
    assert_state(bed, &trade, TRADE(PARTIALLY_REFUNDED));
    assert_int_equal(refunded_of(bed, &trade), 1000);
    const refund_response *rest =
        flow_must(bed, "Refund", "trade_no=%s refund_no=rest whole=true wait_ms=100", trade.no);
    assert_true(rest->refund->final);
    assert_int_equal(rest->refund->amount->minor_units, BEST_200 - 6000);
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "refunded").n, 3);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "give_back").n, BEST_200_COUPONS);
}

// What a call answers and what is read later list refunds alike: by their numbers, not as they came.
static void test_refunds_are_listed_by_their_numbers(struct flow_bed *bed) {
    static const char *const asked[] = {"B", "A", "C"}, *const listed[] = {"A", "B", "C"};
    struct flow_trade trade;
    const trade_message *answered = NULL;
    flow_completed(bed, &trade);
    for (size_t i = 0; i < 3; i++)
        answered = flow_refunded(bed, &trade, flow_text(bed, "refund_no=%s amount=CNY100", asked[i]))->trade;
    const trade_message *read = flow_get(bed, trade.no);
    assert_int_equal(answered->n_refunds, 3);
    assert_int_equal(answered->n_saga_gids, read->n_saga_gids);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(answered->refunds[i]->refund_no, listed[i]);
        assert_string_equal(read->refunds[i]->refund_no, listed[i]);
    }
    for (size_t i = 0; i < read->n_saga_gids; i++)
        assert_string_equal(answered->saga_gids[i], read->saga_gids[i]);
}

// [A42] [S3-19] a refund's number names one refund for ever; its own request asks for it again
static void test_the_same_number_with_another_amount_is_refused(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    const char *fields = flow_text(bed, "trade_no=%s refund_no=N1 amount=CNY1000 request_id=%s-n1", trade.no, trade.no);
    for (int i = 0; i < 3; i++) {
        const refund_response *response = flow_must(bed, "Refund", "%s", fields);
        assert_string_equal(response->refund->refund_no, "N1");
        assert_int_equal(response->refund->amount->minor_units, 1000);
        if (i == 1)
            flow_crash_center(bed);
    }
    flow_refused(bed, "IDEMPOTENCY_KEY_REUSED", "Refund", "trade_no=%s refund_no=N1 amount=CNY2000", trade.no);
    flow_refused(bed, "IDEMPOTENCY_KEY_REUSED", "Refund", "trade_no=%s refund_no=N1 amount=CNY2000 request_id=%s-n1",
                 trade.no, trade.no);
    assert_int_equal(refunded_of(bed, &trade), 1000);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 1);
}

// [A42] the same request many times at once is one refund
static void test_the_same_refund_at_once_is_one(struct flow_bed *bed) {
    enum { AT_ONCE = 10 };
    struct flow_trade trade;
    struct flow_answer *answers[AT_ONCE];
    flow_completed(bed, &trade);
    for (int i = 0; i < AT_ONCE; i++)
        answers[i] = flow_send(bed, "Refund", "trade_no=%s amount=CNY1000 request_id=%s-same", trade.no, trade.no);
    for (int i = 0; i < AT_ONCE; i++) {
        flow_wait(bed, answers[i]);
        assert_verdict(answers[i], "OK");
        assert_int_equal(((const refund_response *)answers[i]->message)->refund->state, REFUND(DONE));
    }
    assert_int_equal(flow_get(bed, trade.no)->n_refunds, 1);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 1);
}

// ---- Legs -----------------------------------------------------------------------------------------------------------

// [A45] [A34] one leg that the channel refuses parks alone; the others stand; tried again it goes through, once
static void test_one_leg_that_fails_is_tried_again_alone(struct flow_bed *bed) {
    struct flow_trade trade;
    completed_with_three(bed, &trade);
    flow_fault(bed, FAULT(REFUND_FAILS), "payment", "RefundPayment",
               flow_text(bed, "code=NO_BALANCE count=1 key_prefix=%s", trade.no));
    const refund_response *response =
        flow_must(bed, "Refund", "trade_no=%s refund_no=F1 whole=true wait_ms=100", trade.no);
    assert_true(response->processing);
    flow_until_parked(bed, &trade, 1);
    size_t failed = refund_of(bed, &trade, "F1")->legs[1]->state == LEG(FAILED) ? 1 : 2;
    until_leg(bed, &trade, "F1", failed, LEG(FAILED));
    until_leg(bed, &trade, "F1", 0, LEG(DONE));
    until_leg(bed, &trade, "F1", 3 - failed, LEG(DONE));
    assert_string_equal(refund_of(bed, &trade, "F1")->legs[failed]->detail, "NO_BALANCE");
    assert_state(bed, &trade, TRADE(COMPLETED));
    assert_int_equal(refunded_of(bed, &trade), 0);
    flow_refused(bed, "REFUND_EXCEEDS_REST", "Refund", "trade_no=%s amount=CNY1", trade.no); // all is reserved
    flow_retry_parked(bed, &trade);
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 2);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "refund").amount, CARD_PART);
}

// [A45] a channel that says no at once, and a card system that does, are the operator's too
static void test_a_leg_that_is_rejected_waits_for_an_operator(struct flow_bed *bed) {
    static const char *const methods[][2] = {{"payment", "RefundPayment"}, {"card", "RefundCard"}};
    for (size_t i = 0; i < 2; i++) {
        struct flow_trade trade;
        flow_ordered(bed, &trade);
        flow_pay_with(
            bed, &trade,
            flow_tenders(bed, 2, KIND(CARD), CARD_PART, bed->card, KIND(WECHAT), BEST_200 - CARD_PART, "payer"), "");
        flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
        flow_until_state(bed, &trade, TRADE(COMPLETED));
        flow_until_still(bed, &trade);
        flow_fault(bed, FAULT(REJECT), methods[i][0], methods[i][1], "code=ACCOUNT_CLOSED count=1");
        flow_must(bed, "Refund", "trade_no=%s refund_no=F2 whole=true wait_ms=100", trade.no);
        until_leg(bed, &trade, "F2", i == 0 ? 1 : 0, LEG(FAILED));
        until_leg(bed, &trade, "F2", i == 0 ? 0 : 1, LEG(DONE));
        flow_until_parked(bed, &trade, 1);
        flow_crash_center(bed);
        flow_retry_parked(bed, &trade);
        flow_until_state(bed, &trade, TRADE(REFUNDED));
        flow_until_still(bed, &trade);
        assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 1);
        assert_int_equal(flow_ledger(bed, "card", trade.no, "refund").amount, CARD_PART);
    }
}

// [A45] [E9] what a leg's earlier try is said to have come to changes nothing of the one that is under way: told late
// or twice, its no must not set off a third. A yes may be money that left twice: an operator's.
static void test_a_late_word_of_an_earlier_try_changes_nothing(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    flow_fault(bed, FAULT(REFUND_FAILS), "payment", "RefundPayment",
               flow_text(bed, "code=NO_BALANCE count=1 key_prefix=%s", trade.no));
    flow_must(bed, "Refund", "trade_no=%s refund_no=L1 amount=CNY5000 wait_ms=100", trade.no);
    flow_until_parked(bed, &trade, 1);
    // The second try goes on for as long as nobody hears of it.
    flow_fault(bed, FAULT(DOWN), "payment", "QueryRefund", "");
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyRefund", "");
    flow_retry_parked(bed, &trade);
    until_leg(bed, &trade, "L1", 0, LEG(ACCEPTED));
    const char *first = flow_text(bed, "%s@L1@0", trade.no);
    struct flow_refund_notice word = {.refund_no = first,
                                      .tender_no = flow_tender_no(bed, &trade, 1, 0),
                                      .state = REFUNDED(FAILED),
                                      .amount = 5000,
                                      .code = "NO_BALANCE"};
    for (int i = 0; i < 2; i++)
        assert_verdict(flow_notify_refund(bed, &word), "OK");
    int64_t conflicts = flow_stat(bed, "trades.conflicts"), unknown = flow_stat(bed, "trades.unknown_callbacks");
    word.state = REFUNDED(DONE);
    assert_verdict(flow_notify_refund(bed, &word), "OK");
    assert_int_equal(flow_stat(bed, "trades.conflicts"), conflicts + 1);
    // Tries that were never made are not ours.
    word.refund_no = flow_text(bed, "%s@3", first);
    assert_verdict(flow_notify_refund(bed, &word), "OK");
    word.refund_no = flow_text(bed, "%s@1", first);
    assert_verdict(flow_notify_refund(bed, &word), "OK");
    assert_int_equal(flow_stat(bed, "trades.unknown_callbacks"), unknown + 2);
    flow_run_for(bed, 300);
    until_leg(bed, &trade, "L1", 0, LEG(ACCEPTED));
    assert_int_equal(flow_effects(bed, "payment", trade.no, "RefundPayment", EFFECT(APPLIED)), 2);
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(PARTIALLY_REFUNDED));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, 5000);
}

// [A45] [E9] the second try has definitely failed, too, and then the gateway says that the first was paid after all:
// that is the refund, which ends without an operator
static void test_an_earlier_try_that_was_paid_after_all_is_the_refund(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    flow_fault(bed, FAULT(REFUND_FAILS), "payment", "RefundPayment",
               flow_text(bed, "code=NO_BALANCE count=2 key_prefix=%s", trade.no));
    flow_must(bed, "Refund", "trade_no=%s refund_no=L1 amount=CNY5000 wait_ms=100", trade.no);
    flow_until_parked(bed, &trade, 1);
    flow_retry_parked(bed, &trade);
    until_leg(bed, &trade, "L1", 0, LEG(FAILED));
    flow_until_parked(bed, &trade, 1);
    struct flow_refund_notice word = {.refund_no = flow_text(bed, "%s@L1@0", trade.no),
                                      .tender_no = flow_tender_no(bed, &trade, 1, 0),
                                      .state = REFUNDED(DONE),
                                      .amount = 5000};
    assert_verdict(flow_notify_refund(bed, &word), "OK");
    until_leg(bed, &trade, "L1", 0, LEG(DONE));
    flow_until_state(bed, &trade, TRADE(PARTIALLY_REFUNDED));
    flow_until_still(bed, &trade);
    const refund_message *done = refund_of(bed, &trade, "L1");
    assert_int_equal(done->state, REFUND(DONE));
    assert_int_equal(flow_effects(bed, "payment", trade.no, "RefundPayment", EFFECT(APPLIED)),
                     2); // both tries, no third
    flow_crash_center(bed);
    int64_t conflicts = flow_stat(bed, "trades.conflicts");
    assert_verdict(flow_notify_refund(bed, &word), "OK"); // told again
    word.refund_no = flow_text(bed, "%s@L1@0@2", trade.no);
    word.state = REFUNDED(FAILED);
    assert_verdict(flow_notify_refund(bed, &word), "OK");
    assert_int_equal(flow_stat(bed, "trades.conflicts"), conflicts);
    word.state = REFUNDED(DONE); // paid out, too
    assert_verdict(flow_notify_refund(bed, &word), "OK");
    assert_int_equal(flow_stat(bed, "trades.conflicts"), conflicts + 1);
    bed->not_compared = true; // the gateway has said two different things
}

// [A45] no two tries have one number at the gateway, whatever the refunds are called
static void test_refunds_with_similar_numbers_are_told_apart(struct flow_bed *bed) {
    struct flow_trade trade;
    completed_with_three(bed, &trade);
    flow_fault(bed, FAULT(REFUND_FAILS), "payment", "RefundPayment",
               flow_text(bed, "code=NO_BALANCE count=1 key_prefix=%s/refund/A/20.1/", trade.no));
    flow_must(bed, "Refund", "trade_no=%s refund_no=A amount=CNY5000 wait_ms=100", trade.no);
    flow_until_parked(bed, &trade, 1);
    flow_refunded(bed, &trade, "refund_no=A-1 amount=CNY5000");
    flow_retry_parked(bed, &trade); // leg 1 of A for the second time, not leg 2 of A-1
    flow_until_still(bed, &trade);
    assert_int_equal(refund_of(bed, &trade, "A")->state, REFUND(DONE));
    assert_int_equal(refunded_of(bed, &trade), 10000);
}

// [A46] [S3-56] accepted is not done: its callback finishes it, and when that is lost, asking does
static void test_an_accepted_leg_is_finished_by_callback_or_by_asking(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    flow_fault(bed, FAULT(DOWN), "payment", "QueryRefund", "");
    flow_refunded(bed, &trade, "amount=CNY1000"); // by its callback alone
    flow_clear_faults(bed);
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyRefund", "");
    flow_refunded(bed, &trade, "amount=CNY2000"); // by asking alone
    flow_clear_faults(bed);
    flow_fault(bed, FAULT(DUPLICATE_CALLBACK), "payment", "NotifyRefund", "");
    flow_refunded(bed, &trade, "amount=CNY3000");
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 3);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, 6000);
}

// A gateway out of reach: the refund is processing for as long as that takes, and done when it is back.
static void test_a_refund_waits_for_a_gateway_out_of_reach(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    flow_fault(bed, FAULT(DOWN), "payment", "*", "");
    const refund_response *response = flow_must(bed, "Refund", "trade_no=%s whole=true wait_ms=300", trade.no);
    assert_true(response->processing);
    assert_int_equal(response->trade->state, TRADE(COMPLETED));
    flow_run_for(bed, bed->ops->virtual_time ? 300000 : 1000);
    flow_crash_center(bed);
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 1);
}

// [A30] [A55] whichever answer of a refund is lost, everything is done once, under keys of its own
static void test_lost_answers_of_a_refund_double_nothing(struct flow_bed *bed) {
    static const char *const methods[][2] = {
        {"payment", "RefundPayment"},  {"card", "RefundCard"},         {"order", "MarkRefunded"},
        {"coupon", "GiveBackCoupons"}, {"points", "GiveBackPoints"},   {"points", "ClawBackPoints"},
        {"coupon", "WithdrawCoupons"}, {"settlement", "ReverseTrade"}, {"push", "Push"}};
    struct flow_trade trade;
    completed_with_three(bed, &trade);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        flow_fault(bed, FAULT(NO_ANSWER), methods[i][0], methods[i][1], "count=1");
    flow_refunded(bed, &trade, "whole=true");
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, BEST_200 - CARD_PART);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "refund").amount, CARD_PART);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "refunded").n, 1);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "give_back").n, BEST_200_COUPONS);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "give_back").points, BEST_200_POINTS);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "claw_back").n, 1);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "withdraw").n, 1);
    assert_int_equal(flow_ledger(bed, "push", trade.no, "push").n, 2);
}

static const struct flow_case cases[] = {
    CASE(test_a_whole_refund_gives_everything_back),
    CASE(test_parts_add_up_and_the_last_takes_the_rest),
    CASE(test_a_part_is_spread_over_the_tenders_exactly),
    CASE(test_lines_give_back_their_net_shares),
    CASE(test_a_threshold_is_not_tested_again_by_a_refund),
    CASE(test_a_refund_can_be_split_by_its_caller),
    CASE(test_more_than_is_left_is_refused),
    CASE(test_a_refund_of_bad_form_is_refused),
    CASE(test_before_it_is_paid_a_refund_is_refused),
    CASE(test_parts_at_once_never_exceed_what_was_paid),
    CASE(test_a_refund_beside_one_that_is_under_way),
    CASE(test_refunds_are_listed_by_their_numbers),
    CASE(test_the_same_number_with_another_amount_is_refused),
    CASE(test_the_same_refund_at_once_is_one),
    CASE(test_one_leg_that_fails_is_tried_again_alone),
    CASE(test_a_leg_that_is_rejected_waits_for_an_operator),
    CASE(test_a_late_word_of_an_earlier_try_changes_nothing),
    CASE(test_an_earlier_try_that_was_paid_after_all_is_the_refund),
    CASE(test_refunds_with_similar_numbers_are_told_apart),
    CASE(test_an_accepted_leg_is_finished_by_callback_or_by_asking),
    CASE(test_a_refund_waits_for_a_gateway_out_of_reach),
    CASE(test_lost_answers_of_a_refund_double_nothing),
    {.name = "test_after_the_window_a_refund_is_refused",
     .run = test_after_the_window_a_refund_is_refused,
     .virtual_only = true,
     .settings = {.a_day_of_refunds = true}},
};

CASES(refund);
