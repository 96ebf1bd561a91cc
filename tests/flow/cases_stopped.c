// Refunds that do not go through, and are ended by an operator or are the last one only in the end: what has not gone
// back is never said to have, what may be on its way is followed, and what nobody was given back is free again.
#include "tests/flow/cases.h"
#include "tests/flow/notice.h"

#include "txcenter/trade/v1/operator.pb-c.h"

typedef Txcenter__Trade__V1__Refund refund_message;
typedef Txcenter__Trade__V1__Trade trade_message;
typedef Txcenter__Trade__V1__ListMattersResponse matters;

enum { RECHARGED = 50000, PAYOUT = TXCENTER__TRADE__V1__MATTER_KIND__MATTER_KIND_PAYOUT };
enum { PAID_OTHERWISE = TXCENTER__TRADE__V1__MATTER_OUTCOME__MATTER_OUTCOME_PAID_OTHERWISE };

static void terminate(struct flow_bed *bed, const struct flow_trade *trade, const char *saga) {
    flow_must(bed, "Terminate", "gid=%s/refund/%s reason=enough", trade->no, saga);
}

static const refund_message *refund_of(struct flow_bed *bed, const struct flow_trade *trade, const char *refund_no) {
    const trade_message *found = flow_get(bed, trade->no);
    for (size_t i = 0; i < found->n_refunds; i++)
        if (strcmp(found->refunds[i]->refund_no, refund_no) == 0)
            return found->refunds[i];
    fail_msg("there is no refund %s", refund_no);
    return NULL;
}

static const matters *open_matters(struct flow_bed *bed, const struct flow_trade *trade) {
    return flow_must(bed, "ListMatters", "filter.trade_no=%s", trade->no);
}

static int64_t given_back(struct flow_bed *bed, const struct flow_trade *trade) {
    return flow_ledger(bed, "payment", trade->no, "refunded").amount;
}

static int64_t balance_taken(struct flow_bed *bed, const struct flow_trade *trade) {
    return flow_effects(bed, "card", trade->no, "ReverseRecharge", EFFECT(APPLIED));
}

// ---- Recharges ----------------------------------------------------------------------------------------------------

// The balance of its recharge is taken, and the gateway refuses to give back the money.
static void taken_and_refused(struct flow_bed *bed, struct flow_trade *trade) {
    flow_recharged(bed, trade);
    flow_fault(bed, FAULT(REJECT), "payment", "RefundPayment", flow_text(bed, "code=CLOSED key_prefix=%s", trade->no));
    flow_must(bed, "Refund", "trade_no=%s refund_no=A whole=true wait_ms=0", trade->no);
    flow_until_parked(bed, trade, 1);
    assert_int_equal(balance_taken(bed, trade), 1);
}

// [A45] [E8] whose balance is taken is owed the money, also when an operator has ended the refund: each try is asked
// for by an operator, and is another refund at the gateway, which may say yes to it
static void test_what_is_owed_is_tried_again_when_an_operator_says_so(struct flow_bed *bed) {
    struct flow_trade trade;
    taken_and_refused(bed, &trade);
    flow_retry_parked(bed, &trade);
    flow_until_parked(bed, &trade, 1);
    terminate(bed, &trade, "A");
    flow_until_parked(bed, &trade, 1);
    int64_t calls = flow_calls(bed, "payment");
    flow_run_for(bed, 5000);
    assert_int_equal(flow_calls(bed, "payment"), calls);
    flow_retry_parked(bed, &trade);
    flow_until_parked(bed, &trade, 1);
    flow_run_for(bed, 5000);
    assert_int_equal(flow_calls(bed, "payment"), calls + 1);
    flow_clear_faults(bed);
    flow_retry_parked(bed, &trade);
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_int_equal(given_back(bed, &trade), RECHARGED);
    assert_int_equal(balance_taken(bed, &trade), 1);
    assert_int_equal(open_matters(bed, &trade)->n_matters, 0);
}

// [A75] [E8] however often its sagas are ended: money that did not go back is not said to have, and stays a matter
// until it was paid in another way
static void test_what_is_owed_is_not_back_however_often_it_is_ended(struct flow_bed *bed) {
    struct flow_trade trade;
    taken_and_refused(bed, &trade);
    static const char *const sagas[] = {"A", "A/2", "A/3"};
    for (size_t i = 0; i < 3; i++) {
        terminate(bed, &trade, sagas[i]);
        flow_until_parked(bed, &trade, 1);
        assert_state(bed, &trade, TRADE(COMPLETED));
        assert_int_equal(refund_of(bed, &trade, "A")->state, REFUND(PENDING));
        const matters *open = open_matters(bed, &trade);
        assert_int_equal(open->n_matters, 1);
        assert_int_equal(open->matters[0]->kind, PAYOUT);
        assert_int_equal(open->matters[0]->amount->minor_units, RECHARGED);
        assert_string_equal(open->matters[0]->gid, flow_text(bed, "%s/refund/A/%zu", trade.no, i + 2));
    }
    flow_refused(bed, "REFUND_EXCEEDS_REST", "Refund", "trade_no=%s whole=true", trade.no);
    flow_must(bed, "SettleMatter", "trade_no=%s number=1 outcome=%d reason=because reference=V1", trade.no,
              PAID_OTHERWISE);
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_int_equal(given_back(bed, &trade), 0);
    assert_int_equal(open_matters(bed, &trade)->n_matters, 0);
    bed->not_compared = true; // the gateway still has the money
}

// [A30] [E8] whether the balance was taken is not known when its refund is ended: that is found out, and then the money
// is owed
static void test_a_reversal_that_may_be_on_its_way_is_followed(struct flow_bed *bed) {
    for (int sagas = 1; sagas <= 2; sagas++) {
        struct flow_trade trade;
        flow_recharged(bed, &trade);
        flow_fault(bed, FAULT(NO_ANSWER), "card", "ReverseRecharge", flow_text(bed, "key_prefix=%s", trade.no));
        flow_must(bed, "Refund", "trade_no=%s refund_no=A whole=true wait_ms=0", trade.no);
        flow_run_for(bed, 1000);
        for (int i = 1; i <= sagas; i++)
            terminate(bed, &trade, i == 1 ? "A" : "A/2");
        flow_run_for(bed, 1000);
        assert_int_equal(refund_of(bed, &trade, "A")->state, REFUND(PENDING));
        flow_clear_faults(bed);
        flow_until_state(bed, &trade, TRADE(REFUNDED));
        flow_until_still(bed, &trade);
        assert_int_equal(balance_taken(bed, &trade), 1);
        assert_int_equal(given_back(bed, &trade), RECHARGED);
    }
}

// [A49] what was never asked for is free again when its refund is ended, and so is what turns out to be spent
static void test_a_recharge_of_which_nothing_was_taken_is_free_again(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_recharged(bed, &trade);
    flow_fault(bed, FAULT(DOWN), "card", "", "");
    flow_must(bed, "Refund", "trade_no=%s refund_no=A whole=true wait_ms=0", trade.no);
    flow_run_for(bed, 1000);
    terminate(bed, &trade, "A");
    flow_clear_faults(bed);
    flow_fault(bed, FAULT(REJECT), "card", "ReverseRecharge",
               flow_text(bed, "code=EXCEEDS_REST count=1 key_prefix=%s", trade.no));
    flow_until_still(bed, &trade);
    flow_clear_faults(bed);
    const refund_message *ended = refund_of(bed, &trade, "A");
    if (ended->state == REFUND(STOPPED)) { // nothing of it had reached the card system
        assert_int_equal(ended->amount->minor_units, 0);
        assert_state(bed, &trade, TRADE(COMPLETED));
        flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    }
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_int_equal(balance_taken(bed, &trade), 1);
    assert_int_equal(given_back(bed, &trade), RECHARGED);
}

// [E8] the card system never says it, its people do: taken, the money goes back; not taken, it is asked again
static void test_what_became_of_a_reversal_may_be_said_by_an_operator(struct flow_bed *bed) {
    for (int outcome = 1; outcome <= 2; outcome++) {
        struct flow_trade trade;
        flow_recharged(bed, &trade);
        flow_fault(bed, FAULT(NO_ANSWER), "card", "ReverseRecharge", flow_text(bed, "key_prefix=%s", trade.no));
        flow_must(bed, "Refund", "trade_no=%s refund_no=A whole=true wait_ms=0", trade.no);
        flow_run_for(bed, 1000);
        flow_must(bed, "Resolve", "gid=%s/refund/A step=reverse_recharge outcome=%d reason=they~say", trade.no,
                  outcome);
        flow_clear_faults(bed);
        flow_run_for(bed, 1000);
        flow_retry_parked(bed, &trade);
        flow_until_state(bed, &trade, TRADE(REFUNDED));
        flow_until_still(bed, &trade);
        assert_int_equal(balance_taken(bed, &trade), 1);
        assert_int_equal(given_back(bed, &trade), RECHARGED);
    }
}

// Paid, and its purchase ended while nobody knew whether the recharge had come.
static void never_recharged(struct flow_bed *bed, struct flow_trade *trade) {
    flow_recharging(bed, trade);
    flow_fault(bed, FAULT(DOWN), "card", "RechargeCard", flow_text(bed, "key_prefix=%s", trade->no));
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 0));
    flow_until_state(bed, trade, TRADE(PAID));
    flow_run_for(bed, 1000);
    flow_must(bed, "Terminate", "gid=%s/1 reason=never", trade->no);
    flow_clear_faults(bed);
    bed->not_compared = true; // the screens never heard of the payment
}

// [A49] [E4] [E8] a purchase that was ended while nobody knew whether the recharge had come: where it never did its
// money goes back, and it can't come any more
static void test_a_recharge_that_never_came_is_refunded(struct flow_bed *bed) {
    struct flow_trade trade;
    never_recharged(bed, &trade);
    flow_must(bed, "Refund", "trade_no=%s refund_no=part amount=CNY20000", trade.no);
    flow_must(bed, "Refund", "trade_no=%s refund_no=rest whole=true", trade.no);
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_int_equal(given_back(bed, &trade), RECHARGED);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "recharge").n, 0);
    assert_int_equal(flow_effects(bed, "card", trade.no, "RechargeCard", EFFECT(CANCELLED)), 1);
}

// [A49] [E4] [E8] the refund of one that never came is ended while that is found out, or while it is cancelled: what
// may be on its way is followed, and nothing is paid out of a balance that could still come
static void test_a_refund_that_is_ended_while_its_recharge_is_cancelled_comes_right(struct flow_bed *bed) {
    static const char *const methods[] = {"ReverseRecharge", "CancelRecharge"};
    for (size_t i = 0; i < 2; i++) {
        struct flow_trade trade;
        never_recharged(bed, &trade);
        flow_fault(bed, FAULT(NO_ANSWER), "card", methods[i], flow_text(bed, "key_prefix=%s", trade.no));
        flow_must(bed, "Refund", "trade_no=%s refund_no=A whole=true wait_ms=0", trade.no);
        flow_run_for(bed, 1000);
        terminate(bed, &trade, "A");
        flow_run_for(bed, 1000);
        assert_int_equal(given_back(bed, &trade), 0);
        flow_crash_center(bed);
        flow_clear_faults(bed);
        flow_until_still(bed, &trade);
        if (refund_of(bed, &trade, "A")->state == REFUND(STOPPED)) // nothing of it had reached the card system
            flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
        flow_until_state(bed, &trade, TRADE(REFUNDED));
        flow_until_still(bed, &trade);
        assert_int_equal(given_back(bed, &trade), RECHARGED);
        assert_int_equal(flow_effects(bed, "card", trade.no, "RechargeCard", EFFECT(CANCELLED)), 1);
    }
}

// [A49] [A69] the card was credited by hand: the balance is there, and the card system does not know the recharge. Its
// money waits until somebody has taken the balance, or is free again
static void test_a_recharge_that_was_credited_by_hand_is_taken_by_hand(struct flow_bed *bed) {
    for (int taken = 0; taken < 2; taken++) {
        struct flow_trade trade;
        flow_recharging(bed, &trade);
        flow_fault(bed, FAULT(REJECT), "card", "RechargeCard",
                   flow_text(bed, "code=CARD_FROZEN count=1 key_prefix=%s", trade.no));
        flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
        flow_until_parked(bed, &trade, 1);
        flow_must(bed, "Resolve", "gid=%s/1 step=recharge outcome=1 reason=by-hand", trade.no);
        flow_until_state(bed, &trade, TRADE(COMPLETED));
        flow_until_still(bed, &trade);
        flow_must(bed, "Refund", "trade_no=%s refund_no=A whole=true wait_ms=100", trade.no);
        flow_until_parked(bed, &trade, 1);
        flow_crash_center(bed);
        flow_retry_parked(bed, &trade);
        flow_until_parked(bed, &trade, 1);
        assert_int_equal(given_back(bed, &trade), 0);
        if (taken)
            flow_must(bed, "Resolve", "gid=%s/refund/A step=reverse_recharge outcome=1 reason=taken", trade.no);
        else
            terminate(bed, &trade, "A");
        flow_until_still(bed, &trade);
        assert_int_equal(refund_of(bed, &trade, "A")->state, taken ? REFUND(DONE) : REFUND(STOPPED));
        assert_int_equal(given_back(bed, &trade), taken ? RECHARGED : 0);
        assert_int_equal(flow_get(bed, trade.no)->refunded->minor_units, taken ? RECHARGED : 0);
        assert_int_equal(flow_effects(bed, "card", trade.no, "RechargeCard", EFFECT(CANCELLED)), 0);
    }
    bed->not_compared = true; // what was done by hand
}

// ---- The last one -------------------------------------------------------------------------------------------------

enum { FIRST = 3000 };

// A part is refused by its channel, and the whole rest has gone back.
static void rest_beside_a_refused_part(struct flow_bed *bed, struct flow_trade *trade) {
    flow_completed(bed, trade);
    flow_fault(bed, FAULT(REJECT), "payment", "RefundPayment",
               flow_text(bed, "code=CLOSED count=1 key_prefix=%s", trade->no));
    flow_must(bed, "Refund", "trade_no=%s refund_no=part amount=CNY%d wait_ms=0", trade->no, FIRST);
    flow_until_parked(bed, trade, 1);
    flow_must(bed, "Refund", "trade_no=%s refund_no=rest whole=true", trade->no);
    flow_until_still(bed, trade);
    assert_int_equal(refund_of(bed, trade, "rest")->state, REFUND(DONE));
    assert_false(refund_of(bed, trade, "rest")->final);
    assert_state(bed, trade, TRADE(PARTIALLY_REFUNDED));
    assert_int_equal(flow_ledger(bed, "coupon", trade->no, "give_back").n, 0);
    assert_int_equal(flow_ledger(bed, "points", trade->no, "give_back").n, 0);
    assert_int_equal(flow_ledger(bed, "coupon", trade->no, "withdraw").n, 0);
}

static void assert_all_back_once(struct flow_bed *bed, const struct flow_trade *trade) {
    flow_until_state(bed, trade, TRADE(REFUNDED));
    flow_until_still(bed, trade);
    assert_int_equal(flow_ledger(bed, "coupon", trade->no, "give_back").n, BEST_200_COUPONS);
    assert_int_equal(flow_ledger(bed, "points", trade->no, "give_back").points, BEST_200_POINTS);
    assert_int_equal(flow_ledger(bed, "points", trade->no, "claw_back").points, BEST_200 / 100);
    assert_int_equal(flow_ledger(bed, "order", trade->no, "refunded").amount, BEST_200);
    assert_int_equal(given_back(bed, trade), BEST_200);
}

// [A47] [A41] benefits come back with the refund after which nothing is left, once: that is decided when its money is
// back, as one beside it may still come to nothing
static void test_what_comes_back_with_the_last_refund_comes_back_once(struct flow_bed *bed) {
    struct flow_trade trade;
    rest_beside_a_refused_part(bed, &trade);
    terminate(bed, &trade, "part");
    flow_until_still(bed, &trade);
    assert_state(bed, &trade, TRADE(PARTIALLY_REFUNDED));
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "give_back").n, 0);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "refunded").n, 1);
    const Txcenter__Trade__V1__RefundResponse *last =
        flow_must(bed, "Refund", "trade_no=%s refund_no=last whole=true", trade.no);
    assert_int_equal(last->refund->amount->minor_units, FIRST);
    assert_true(last->refund->final);
    assert_all_back_once(bed, &trade);
}

// [A47] the last one is the one whose money is back last, whichever was asked for first
static void test_the_last_refund_is_the_one_that_ends_last(struct flow_bed *bed) {
    struct flow_trade trade;
    rest_beside_a_refused_part(bed, &trade);
    flow_retry_parked(bed, &trade);
    assert_all_back_once(bed, &trade);
    assert_true(refund_of(bed, &trade, "part")->final);
    assert_false(refund_of(bed, &trade, "rest")->final);
}

// ---- Nothing to pay -----------------------------------------------------------------------------------------------

// [E8] [A47] a trade that cost nothing: its refund is ended before it begins, which changes nothing, and another one
// gives everything back
static void test_a_refund_of_nothing_that_is_ended_gives_nothing_back(struct flow_bed *bed) {
    for (int complete = 0; complete < 2; complete++) {
        struct flow_trade trade;
        flow_for_nothing(bed, &trade);
        flow_must(bed, "Refund", "trade_no=%s refund_no=A whole=true wait_ms=0", trade.no);
        if (complete)
            flow_must(bed, "Pause", "gid=%s/refund/A reason=slow", trade.no);
        if (complete) {
            flow_clear_faults(bed);
            flow_retry_parked(bed, &trade);
            flow_until_state(bed, &trade, TRADE(COMPLETED));
        }
        terminate(bed, &trade, "A");
        flow_run_for(bed, 1000);
        assert_int_equal(refund_of(bed, &trade, "A")->state, REFUND(STOPPED));
        assert_false(refund_of(bed, &trade, "A")->final);
        assert_state(bed, &trade, complete ? TRADE(COMPLETED) : TRADE(PAID));
        flow_clear_faults(bed);
        flow_retry_parked(bed, &trade);
        flow_until_state(bed, &trade, TRADE(COMPLETED));
        flow_until_still(bed, &trade);
        assert_int_equal(flow_ledger(bed, "coupon", trade.no, "give_back").n, 0);
        flow_must(bed, complete ? "Cancel" : "Refund", "trade_no=%s %s", trade.no, complete ? "" : "whole=true");
        flow_until_state(bed, &trade, TRADE(REFUNDED));
        flow_until_still(bed, &trade);
        assert_int_equal(flow_ledger(bed, "coupon", trade.no, "give_back").n, 1);
        assert_int_equal(flow_effects(bed, "marketing", trade.no, "RecordTrade", EFFECT(COMPENSATED)), 1);
        assert_int_equal(flow_effects(bed, "level", trade.no, "ReportGrowth", EFFECT(COMPENSATED)), 1);
        flow_refused(bed, "REFUND_EXCEEDS_REST", "Refund", "trade_no=%s whole=true", trade.no);
    }
}

// [E8] [A47] goods that a terminated purchase has reserved and not deducted: what the buyer keeps is not free before
// the refund after which nothing is kept
static void test_goods_that_the_buyer_keeps_are_not_free(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_control(bed, "SetGoods", "station_id=S001 sku=CAKE name=cake kind=1 unit_price=CNY700 available=10");
    flow_quote(bed, &trade,
               "lines[0].goods.sku=COLA lines[0].goods.quantity=2 lines[1].goods.sku=CAKE lines[1].goods.quantity=3",
               "exclude_points=true");
    flow_order(bed, &trade, "");
    flow_fault(bed, FAULT(REJECT), "goods", "DeductStock", flow_text(bed, "code=STUCK key_prefix=%s", trade.no));
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_parked(bed, &trade, 1);
    flow_must(bed, "Terminate", "gid=%s/1 reason=stuck", trade.no);
    flow_clear_faults(bed);
    flow_refunded(bed, &trade, "lines.indexes[0]=0");
    flow_until_still(bed, &trade);
    assert_int_equal(flow_effects(bed, "goods", trade.no, "ReserveStock", EFFECT(COMPENSATED)), 0);
    flow_refunded(bed, &trade, "whole=true");
    flow_until_still(bed, &trade);
    assert_int_equal(flow_effects(bed, "goods", trade.no, "ReserveStock", EFFECT(COMPENSATED)), 1);
    assert_nothing_held(bed, &trade);
    bed->not_compared = true; // what follows a payment never comes
}

// ---- Come right, and paid twice -------------------------------------------------------------------------------------

static struct flow_refund_notice word_of(struct flow_bed *bed, const struct flow_trade *trade) {
    return (struct flow_refund_notice){.refund_no = flow_text(bed, "%s@A@0", trade->no),
                                       .tender_no = flow_tender_no(bed, trade, 1, 0),
                                       .state = REFUNDED(DONE),
                                       .amount = trade->payable};
}

// The gateway refuses it, and its step is parked.
static void refused(struct flow_bed *bed, struct flow_trade *trade) {
    flow_completed(bed, trade);
    flow_fault(bed, FAULT(REFUND_FAILS), "payment", "RefundPayment",
               flow_text(bed, "code=NO_BALANCE count=1 key_prefix=%s", trade->no));
    flow_must(bed, "Refund", "trade_no=%s refund_no=A whole=true wait_ms=0", trade->no);
    flow_until_parked(bed, trade, 1);
    bed->not_compared = true; // the gateway says two different things
}

static void assert_came_right(struct flow_bed *bed, const struct flow_trade *trade) {
    flow_until_state(bed, trade, TRADE(REFUNDED));
    flow_until_still(bed, trade);
    assert_int_equal(flow_parked(bed, trade->no), 0);
    assert_int_equal(open_matters(bed, trade)->n_matters, 0);
    assert_int_equal(refund_of(bed, trade, "A")->state, REFUND(DONE));
}

// [A45] [E8] told while an operator has paused it: it goes on as soon as it may
static void test_a_refused_leg_that_comes_right_while_paused_goes_on_when_resumed(struct flow_bed *bed) {
    for (int dies = 0; dies < 2; dies++) {
        struct flow_trade trade;
        refused(bed, &trade);
        const struct flow_refund_notice word = word_of(bed, &trade);
        flow_must(bed, "Pause", "gid=%s/refund/A reason=wait", trade.no);
        assert_verdict(flow_notify_refund(bed, &word), "OK");
        assert_int_equal(refund_of(bed, &trade, "A")->legs[0]->state, LEG(DONE));
        if (dies)
            flow_crash_center(bed);
        assert_state(bed, &trade, TRADE(COMPLETED));
        flow_must(bed, "Resume", "gid=%s/refund/A reason=on", trade.no);
        assert_came_right(bed, &trade);
    }
}

// [A24] [A45] told under a number that nobody knew, and matched to it by an operator
static void test_a_refused_leg_goes_on_when_a_stray_is_matched_to_it(struct flow_bed *bed) {
    struct flow_trade trade;
    refused(bed, &trade);
    struct flow_refund_notice word = word_of(bed, &trade);
    const char *number = word.refund_no;
    word.refund_no = flow_text(bed, "x-%s", trade.no);
    assert_verdict(flow_notify_refund(bed, &word), "OK");
    const Txcenter__Trade__V1__Stray *stray = flow_stray(bed, word.refund_no);
    flow_must(bed, "SettleStray", "key_id=%s nonce=%s outcome=1 trade_no=%s number=%s reason=it~is~this", stray->key_id,
              stray->nonce, trade.no, number);
    assert_came_right(bed, &trade);
}

// [A30] [A46] whether the gateway has got it was not known for so long that it was parked; then the gateway says that
// it was paid out
static void test_a_leg_that_was_given_up_goes_on_when_it_is_told_of(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    flow_fault(bed, FAULT(NO_ANSWER), "payment", "RefundPayment", flow_text(bed, "key_prefix=%s", trade.no));
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyRefund", "");
    flow_must(bed, "Refund", "trade_no=%s refund_no=A whole=true wait_ms=0", trade.no);
    flow_until_parked(bed, &trade, 1);
    const struct flow_refund_notice word = word_of(bed, &trade);
    assert_verdict(flow_notify_refund(bed, &word), "OK");
    assert_came_right(bed, &trade);
    assert_int_equal(given_back(bed, &trade), trade.payable);
}

// [A75] [E8] an operator says that it went back, by whatever way; when the gateway says later that it has paid it out,
// the money may have left twice, which is kept for somebody who knows
static void test_what_the_gateway_pays_out_as_well_as_an_operator_is_noticed(struct flow_bed *bed) {
    static const int faults[] = {FAULT(REFUND_FAILS), FAULT(NO_ANSWER)}; // refused; and whether it got it is not known
    for (size_t i = 0; i < 2; i++) {
        struct flow_trade trade;
        flow_completed(bed, &trade);
        flow_fault(bed, faults[i], "payment", "RefundPayment", flow_text(bed, "code=NO key_prefix=%s", trade.no));
        flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyRefund", "");
        flow_must(bed, "Refund", "trade_no=%s refund_no=A whole=true wait_ms=0", trade.no);
        flow_until_parked(bed, &trade, 1);
        flow_must(bed, "Resolve", "gid=%s/refund/A step=pay_out outcome=1 reason=in~cash", trade.no);
        flow_until_state(bed, &trade, TRADE(REFUNDED));
        flow_until_still(bed, &trade);
        int64_t conflicts = flow_stat(bed, "trades.conflicts");
        struct flow_refund_notice word = word_of(bed, &trade);
        word.state = REFUNDED(FAILED);
        assert_verdict(flow_notify_refund(bed, &word), "OK"); // as it should be
        assert_int_equal(flow_stat(bed, "trades.conflicts"), conflicts);
        word.state = REFUNDED(DONE);
        assert_verdict(flow_notify_refund(bed, &word), "OK");
        assert_int_equal(flow_stat(bed, "trades.conflicts"), conflicts + 1);
        const Txcenter__Trade__V1__Stray *stray = flow_stray(bed, word.refund_no);
        assert_string_equal(stray->why, "the gateway has paid out a refund that counts as paid already");
        assert_string_equal(stray->trade_no, trade.no);
        flow_refused(bed, "MATTER_STATE", "SettleStray",
                     "key_id=%s nonce=%s outcome=1 trade_no=%s number=%s reason=it~is~this", stray->key_id,
                     stray->nonce, trade.no, word.refund_no);
        assert_state(bed, &trade, TRADE(REFUNDED));
    }
    bed->not_compared = true; // it left twice, or never
}

static const struct flow_case cases[] = {
    CASE(test_what_is_owed_is_tried_again_when_an_operator_says_so),
    CASE(test_what_is_owed_is_not_back_however_often_it_is_ended),
    CASE(test_a_reversal_that_may_be_on_its_way_is_followed),
    CASE(test_a_recharge_of_which_nothing_was_taken_is_free_again),
    CASE(test_what_became_of_a_reversal_may_be_said_by_an_operator),
    CASE(test_a_recharge_that_never_came_is_refunded),
    CASE(test_a_recharge_that_was_credited_by_hand_is_taken_by_hand),
    CASE(test_a_refund_that_is_ended_while_its_recharge_is_cancelled_comes_right),
    CASE(test_what_comes_back_with_the_last_refund_comes_back_once),
    CASE(test_the_last_refund_is_the_one_that_ends_last),
    CASE(test_a_refund_of_nothing_that_is_ended_gives_nothing_back),
    CASE(test_goods_that_the_buyer_keeps_are_not_free),
    CASE(test_a_refused_leg_that_comes_right_while_paused_goes_on_when_resumed),
    CASE(test_a_refused_leg_goes_on_when_a_stray_is_matched_to_it),
    VIRTUAL(test_a_leg_that_was_given_up_goes_on_when_it_is_told_of),
    VIRTUAL(test_what_the_gateway_pays_out_as_well_as_an_operator_is_noticed),
};

CASES(stopped);
