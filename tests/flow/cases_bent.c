// Participants that answer something else than they were asked: what can't be right is not taken over.
#include "tests/flow/cases.h"
#include "tests/flow/notice.h"
#include "tests/flow/virtual.h"

#include "txcenter/trade/v1/operator.pb-c.h"

static void bend(struct flow_bed *bed, const char *system, const char *method, const char *how) {
    flow_fault(bed, FAULT(BENT_ANSWER), system, method, flow_text(bed, "code=%s", how));
}

static void assert_alerted(struct flow_bed *bed, const char *what) {
    if (bed->ops->virtual_time)
        assert_true(flow_center_alerts(&flow_virtual(bed)->center, what) > 0);
}

struct step_said {
    const char *gid, *step, *reason;
};

static bool says_reason(struct flow_bed *bed, const void *ctx) {
    const struct step_said *said = ctx;
    const Txcenter__Saga__V1__GetSagaResponse *found = flow_must(bed, "GetSaga", "gid=%s", said->gid);
    for (size_t i = 0; i < found->saga->n_steps; i++)
        if (strcmp(found->saga->steps[i]->name, said->step) == 0)
            return strcmp(found->saga->steps[i]->reason, said->reason) == 0;
    return false;
}

// A coupon in another currency takes nothing off; nor is it found when it is asked for by name
static void test_a_coupon_in_another_currency_is_left_out(struct flow_bed *bed) {
    struct flow_trade trade = {0}, again = {0};
    const Txcenter__Trade__V1__Quote *before = flow_quote(bed, &trade, FUEL_200, "");
    flow_control(bed, "AddCoupon",
                 "user_id=%s coupon.coupon_id=USD-%s coupon.name=foreign coupon.kind=1 coupon.amount_off=USD9000",
                 bed->user, bed->user);
    const Txcenter__Trade__V1__Quote *after = flow_quote(bed, &again, FUEL_200, "");
    assert_int_equal(after->n_combinations, before->n_combinations);
    for (size_t i = 0; i < after->n_combinations; i++)
        assert_int_equal(after->combinations[i]->payable->minor_units, before->combinations[i]->payable->minor_units);
    assert_int_equal(after->n_degraded_sources, 0);
    assert_alerted(bed, "a coupon is in another currency");
    flow_refused(bed, "BENEFIT_UNAVAILABLE", "Quote", "%s " FUEL_200 " required_coupon_ids[0]=USD-%s",
                 flow_context(bed), bed->user);
}

// Points that are worth something in another currency are worth nothing here
static void test_a_points_rule_in_another_currency_is_none(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    bend(bed, "points", "GetRule", "rule.step_value.currency=USD");
    const Txcenter__Trade__V1__Quote *quote = flow_quote(bed, &trade, FUEL_200, "");
    for (size_t i = 0; i < quote->n_combinations; i++)
        assert_int_equal(quote->combinations[i]->points, 0);
    assert_true(quote->combinations[0]->n_coupon_ids > 0);
    assert_alerted(bed, "the points rule is in another currency");
}

// Nor do activities and the member's prices, and a limit in a unit that nobody knows limits nothing
static void test_activities_that_can_not_be_counted_with_are_left_out(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    static const char *const bad[] = {
        "activity.kind=1 activity.rule.kind=1 activity.rule.amount_off=USD9000",
        "activity.kind=3 activity.rule.condition_scope[0]=fuel quota=1",
        "activity.kind=9 activity.rule.kind=1 activity.rule.amount_off=CNY9000",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        flow_control(bed, "SetActivity", "activity.activity_id=bad%zu-%s channels[0]=%s %s", i, bed->user, bed->user,
                     bad[i]);
    flow_control(bed, "SetLevel", "level_code=FOREIGN least=1000000 rule.kind=1 rule.amount_off=USD9000");
    flow_control(bed, "SetGrowth", "user_id=%s growth=1000000", bed->user);
    const Txcenter__Trade__V1__Quote *quote =
        flow_quote(bed, &trade, FUEL_200, flow_text(bed, "context.channel=%s", bed->user));
    assert_int_equal(quote->combinations[0]->payable->minor_units, BEST_200);
    assert_int_equal(quote->combinations[0]->n_quotas, 0);
    assert_int_equal(quote->n_degraded_sources, 0);
    assert_alerted(bed, "an activity is in another currency");
    assert_alerted(bed, "a level's benefit is in another currency");
    assert_alerted(bed, "a limit can't be counted");
}

static void froze_otherwise(struct flow_bed *bed, const char *how) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    bend(bed, "card", "FreezeCard", how);
    flow_refused(bed, "PAYMENT_FAILED", "Pay", "trade_no=%s %s wait_for=2", trade.no,
                 flow_tenders(bed, 1, KIND(CARD), (int)trade.payable, bed->card));
    flow_until_state(bed, &trade, TRADE(ORDERED));
    assert_string_equal(flow_get(bed, trade.no)->attempts[0]->reason, "PARTICIPANT_BROKEN");
    assert_int_equal(flow_ledger(bed, "card", trade.no, "release").amount, trade.payable);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "confirm").n, 0);
    flow_clear_faults(bed);
    flow_pay_with(bed, &trade, flow_tenders(bed, 1, KIND(CARD), (int)trade.payable, bed->card), "wait_for=2");
    flow_until_state(bed, &trade, TRADE(COMPLETED));
}

// [A17] [A70] a card that says it froze less, more, or something else is released, and pays nothing
static void test_a_card_that_froze_less_pays_nothing(struct flow_bed *bed) {
    froze_otherwise(bed, "frozen.principal.minor_units=1");
}

static void test_a_card_that_froze_more_pays_nothing(struct flow_bed *bed) {
    froze_otherwise(bed, "frozen.principal.minor_units=99999999");
}

static void test_a_card_that_froze_another_currency_pays_nothing(struct flow_bed *bed) {
    froze_otherwise(bed, "frozen.principal.currency=USD");
}

// ---- What is done for a trade that is to be paid, or is -------------------------------------------------------------

static void resolved(struct flow_bed *bed, const struct flow_trade *trade, const char *gid, const char *step) {
    flow_until_parked(bed, trade, 1);
    flow_must(bed, "Resolve", "gid=%s/%s step=%s outcome=1 reason=it~is~right~there", trade->no, gid, step);
}

static void took_otherwise(struct flow_bed *bed, const char *how) {
    struct flow_trade trade;
    flow_clear_faults(bed);
    flow_control(bed, "SetCard", "card_no=%s user_id=%s principal=CNY40000 bonus=CNY10000", bed->card, bed->user);
    flow_ordered_bare(bed, &trade);
    bend(bed, "card", "ConfirmCard", how);
    flow_pay_with(bed, &trade, flow_tenders(bed, 1, KIND(CARD), LIST_200, bed->card), "wait_ms=0");
    flow_until_still(bed, &trade); // it is asked for so long that the order expires meanwhile
    assert_state(bed, &trade, TRADE(EXPIRED));
    assert_string_equal(flow_get(bed, trade.no)->attempts[0]->reason, "PARTICIPANT_BROKEN");
    assert_int_equal(flow_ledger(bed, "card", trade.no, "cancel_confirm").amount, LIST_200);
    assert_nothing_held(bed, &trade);
}

// A card that says it took something else than it was asked to pays nothing, and gives back what it took.
static void test_a_card_that_took_something_else_pays_nothing(struct flow_bed *bed) {
    took_otherwise(bed, "taken.principal.minor_units=7");
    took_otherwise(bed, "taken.bonus.minor_units=-7");
    took_otherwise(bed, "taken.principal.currency=USD");
}

// One that says it gave back something else waits for an operator, who knows what it did.
static void test_a_card_that_gave_back_something_else_is_an_operators(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered_bare(bed, &trade);
    flow_pay_with(bed, &trade, flow_tenders(bed, 1, KIND(CARD), LIST_200, bed->card), "wait_for=2");
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    bend(bed, "card", "RefundCard", "refunded.principal.minor_units=7");
    flow_must(bed, "Refund", "trade_no=%s refund_no=B1 whole=true wait_ms=0", trade.no);
    flow_until_parked(bed, &trade, 1);
    assert_int_equal(flow_get(bed, trade.no)->refunds[0]->legs[0]->state, LEG(PENDING));
    resolved(bed, &trade, "refund/B1", "pay_out");
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
}

// The same of what is taken when it is known what was dispensed
static void test_a_card_that_captured_something_else_is_an_operators(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200 " lines[0].fuel.authorised=true", "exclude_points=true");
    flow_order(bed, &trade, "");
    flow_pay_with(bed, &trade, flow_tenders(bed, 1, KIND(CARD), (int)trade.payable, bed->card), "wait_for=2");
    bend(bed, "card", "ConfirmCard", "taken.principal.minor_units=9000000000000000000");
    flow_must(bed, "Adjust", "trade_no=%s lines[0].index=0 lines[0].amount=CNY18000", trade.no);
    flow_until_parked(bed, &trade, 1);
    assert_state(bed, &trade, TRADE(PAID));
    resolved(bed, &trade, "capture/1", "capture");
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
}

// A recharge is what was paid for, and what goes from the card before its money does is what was asked for; what
// the card system gave on top of it is its own
static void test_a_recharge_of_something_else_is_an_operators(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, flow_text(bed, "lines[0].recharge.card_no=%s lines[0].recharge.amount=CNY50000", bed->card),
               "");
    flow_order(bed, &trade, "");
    bend(bed, "card", "RechargeCard", "credited.principal.minor_units=1");
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    resolved(bed, &trade, "1", "recharge");
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    bend(bed, "card", "ReverseRecharge", "reversed.principal.minor_units=-50000");
    flow_must(bed, "Refund", "trade_no=%s whole=true wait_ms=0", trade.no);
    flow_until_parked(bed, &trade, 1);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 0);
    bed->parked = 1;
    bed->not_compared = true;
}

// Points that can't be counted with are not counted
static void test_points_that_can_not_be_are_an_operators(struct flow_bed *bed) {
    static const char *const bent[][3] = {{"AwardPoints", "points=-5", ""},
                                          {"AwardPoints", "points=9223372036854775807", ""},
                                          {"ClawBackPoints", "points=-5", "R"},
                                          {"ClawBackPoints", "shortfall=9223372036854775807", "R"}};
    bed->not_compared = true;
    for (size_t i = 0; i < 4; i++) {
        struct flow_trade trade;
        bool of_refund = bent[i][2][0] != '\0';
        flow_clear_faults(bed);
        bend(bed, "points", bent[i][0], bent[i][1]);
        flow_ordered_bare(bed, &trade);
        flow_pay(bed, &trade);
        flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
        flow_until_state(bed, &trade, TRADE(COMPLETED));
        flow_until_still(bed, &trade);
        if (of_refund)
            flow_must(bed, "Refund", "trade_no=%s amount=CNY10000", trade.no);
        flow_until_parked(bed, &trade, 1);
        const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
        assert_int_equal(found->points_awarded, of_refund ? LIST_200 / 100 : 0);
        assert_int_equal(found->n_shortfalls, 0);
        bed->parked++;
    }
}

// ---- Numbers --------------------------------------------------------------------------------------------------------

// An order number that another trade has: this one is not ordered, that one keeps it.
static void test_the_number_of_another_trades_order_is_not_taken_over(struct flow_bed *bed) {
    struct flow_trade first, second = {0};
    flow_ordered(bed, &first);
    bend(bed, "order", "CreateOrder", flow_text(bed, "order_no=%s", first.order_no));
    flow_must(bed, "Cancel", "trade_no=%s", first.no); // its benefits are for the next, its number is not
    flow_quote(bed, &second, FUEL_200, "");
    flow_refused(bed, "ORDER_REFUSED", "PlaceOrder", "trade_no=%s quote_version=1", second.no);
    flow_until_state(bed, &second, TRADE(FAILED));
    const Txcenter__Trade__V1__GetTradeResponse *found = flow_must(bed, "GetTrade", "order_no=%s", first.order_no);
    assert_string_equal(found->trade->trade_no, first.no);
    flow_until_still(bed, &second);
    assert_nothing_held(bed, &second);
    assert_int_equal(flow_ledger(bed, "order", second.no, "close").n, 1);
}

// Its own one it may get again.
static void test_a_trades_next_order_may_have_the_number_of_the_one_before(struct flow_bed *bed) {
    struct flow_trade trade;
    char number[80];
    flow_ordered(bed, &trade);
    memcpy(number, trade.order_no, sizeof number);
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    bend(bed, "order", "CreateOrder", flow_text(bed, "order_no=%s", number));
    flow_quote(bed, &trade, FUEL_200, "");
    flow_order(bed, &trade, "");
    assert_string_equal(trade.order_no, number);
    const Txcenter__Trade__V1__GetTradeResponse *found = flow_must(bed, "GetTrade", "order_no=%s", number);
    assert_string_equal(found->trade->trade_no, trade.no);
}

// Accepted, and not done as far as anybody has heard.
static void refund_accepted(struct flow_bed *bed, struct flow_trade *trade) {
    flow_completed(bed, trade);
    flow_fault(bed, FAULT(DOWN), "payment", "QueryRefund", "");
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyRefund", "");
    flow_must(bed, "Refund", "trade_no=%s refund_no=B1 amount=CNY5000 wait_ms=100", trade->no);
}

// [A46] [A22] a refund notice counts when tender, amount and currency are those of the refund; another one is kept for
// an operator and changes nothing
static void test_a_refund_notice_that_does_not_match_changes_nothing(struct flow_bed *bed) {
    struct flow_trade trade;
    refund_accepted(bed, &trade);
    const struct flow_refund_notice good = {.refund_no = flow_text(bed, "%s@B1@0", trade.no),
                                            .tender_no = flow_tender_no(bed, &trade, 1, 0),
                                            .state = REFUNDED(DONE),
                                            .amount = 5000};
    struct flow_refund_notice notices[4] = {good, good, good, good};
    notices[0].tender_no = "OTHER";
    notices[1].amount = 1;
    notices[2].currency = "USD";
    notices[3].state = REFUNDED(FAILED), notices[3].amount = 4999;
    int64_t conflicts = flow_stat(bed, "trades.conflicts");
    for (size_t i = 0; i < 4; i++)
        assert_verdict(flow_notify_refund(bed, &notices[i]), "OK");
    assert_int_equal(flow_stat(bed, "trades.conflicts"), conflicts + 4);
    assert_alerted(bed, "refund does not match");
    assert_state(bed, &trade, TRADE(COMPLETED));
    assert_verdict(flow_notify_refund(bed, &good), "OK");
    flow_until_state(bed, &trade, TRADE(PARTIALLY_REFUNDED));
}

static void refunded_otherwise(struct flow_bed *bed, const char *how) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    bend(bed, "payment", "RefundPayment", how);
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyRefund", "");
    flow_must(bed, "Refund", "trade_no=%s amount=CNY5000 wait_ms=1", trade.no);
    flow_until_parked(bed, &trade, 1);
    assert_state(bed, &trade, TRADE(COMPLETED));
    bed->parked = 1;
    bed->not_compared = true; // what that gateway did nobody knows
}

// [A46] nor does an answer that names something else: unknown, asked again, and at last an operator's
static void test_a_refund_answer_of_another_amount_is_parked(struct flow_bed *bed) {
    refunded_otherwise(bed, "refund.amount.minor_units=1");
}

// Nor one that knows nothing of what it was asked to make.
static void test_a_refund_that_is_not_found_as_it_is_made_is_parked(struct flow_bed *bed) {
    refunded_otherwise(bed, "refund.state=1");
}

// Nor one of a state that nobody here knows: a gateway that is newer than we are
static void test_a_refund_answer_of_an_unknown_state_is_parked(struct flow_bed *bed) {
    refunded_otherwise(bed, "refund.state=9");
}

// [A46] told so when it is asked how a refund stands, we ask less and less often, and somebody hears of it
static void test_a_refund_whose_state_nobody_knows_is_asked_for_patiently(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    bend(bed, "payment", "QueryRefund", "refund.state=9");
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyRefund", "");
    flow_must(bed, "Refund", "trade_no=%s refund_no=B1 amount=CNY5000 wait_ms=1", trade.no);
    int64_t calls = flow_calls(bed, "payment");
    flow_run_for(bed, bed->ops->virtual_time ? 3600000 : 3000);
    assert_in_range(flow_calls(bed, "payment") - calls, 1, 100);
    assert_int_equal(flow_get(bed, trade.no)->refunds[0]->legs[0]->state, LEG(ACCEPTED));
    assert_int_equal(flow_effects(bed, "payment", trade.no, "RefundPayment", EFFECT(APPLIED)), 1);
    assert_alerted(bed, "how a refund stands can't be learnt");
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(PARTIALLY_REFUNDED));
}

// [A46] nor is a gateway that refuses to say how a refund stands asked in silence: the step says why, and somebody
// hears of it at once
static void test_a_gateway_that_refuses_to_say_how_a_refund_stands_is_told_of(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    flow_fault(bed, FAULT(REJECT), "payment", "QueryRefund", "code=NOT_ALLOWED");
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyRefund", "");
    flow_must(bed, "Refund", "trade_no=%s refund_no=B1 amount=CNY5000 wait_ms=1", trade.no);
    struct step_said said = {flow_text(bed, "%s/refund/B1", trade.no), "pay_out", "NOT_ALLOWED"};
    flow_until(bed, says_reason, &said, "the step says why");
    assert_alerted(bed, "how a refund stands can't be learnt");
    assert_int_equal(flow_get(bed, trade.no)->refunds[0]->legs[0]->state, LEG(ACCEPTED));
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(PARTIALLY_REFUNDED));
}

// [A24] a notification of a state that nobody here knows is kept for somebody who does
static void test_a_notice_of_an_unknown_state_is_kept(struct flow_bed *bed) {
    struct flow_trade trade, paying;
    refund_accepted(bed, &trade);
    const struct flow_refund_notice refund = {.refund_no = flow_text(bed, "%s@B1@0", trade.no),
                                              .tender_no = flow_tender_no(bed, &trade, 1, 0),
                                              .state = 9,
                                              .amount = 5000};
    assert_verdict(flow_notify_refund(bed, &refund), "OK");
    assert_int_equal(flow_get(bed, trade.no)->refunds[0]->legs[0]->state, LEG(ACCEPTED));
    flow_ordered_bare(bed, &paying);
    flow_pay(bed, &paying);
    const struct flow_notice payment = {
        .tender_no = flow_tender_no(bed, &paying, 1, 0), .state = 9, .amount = paying.payable};
    assert_verdict(flow_notify(bed, &payment), "OK");
    assert_tender(bed, &paying, 1, 0, TENDER(PENDING));
    const char *const numbers[] = {refund.refund_no, payment.tender_no};
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(flow_stray(bed, numbers[i])->why, "callback with an unknown state");
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(PARTIALLY_REFUNDED));
    flow_must(bed, "Cancel", "trade_no=%s", paying.no);
}

// [E9] what a gateway says of another tender is not said of the one that it was asked for: nothing is sold for
// it, nothing let go, and it is asked again
static void test_a_payment_answer_of_another_tender_is_not_taken_over(struct flow_bed *bed) {
    static const char other[] = "payment.tender_no=OTHER";
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    bend(bed, "payment", "QueryPayment", other);
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyPayment", "");
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    struct step_said said = {flow_text(bed, "%s/pay/1", trade.no), "collect", "PARTICIPANT_BROKEN"};
    flow_until(bed, says_reason, &said, "the step says why");
    assert_state(bed, &trade, TRADE(PAYING));
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);

    flow_ordered_bare(bed, &trade);
    flow_pay(bed, &trade);
    bend(bed, "payment", "ClosePayment", other);
    flow_must(bed, "Cancel", "trade_no=%s wait_ms=0", trade.no);
    said.gid = flow_text(bed, "%s/pay/1", trade.no);
    flow_until(bed, says_reason, &said, "the step says why");
    assert_state(bed, &trade, TRADE(CLOSING));
    flow_clear_faults(bed); // but what has answered once answers alike for ever: an operator asks the gateway
    flow_must(bed, "Resolve", "gid=%s step=collect outcome=2 reason=closed~there", said.gid);
    flow_until_parked(bed, &trade, 1);
    assert_state(bed, &trade, TRADE(CLOSING));
    flow_must(bed, "Resolve", "gid=%s step=create outcome=1 reason=closed~there", said.gid);
    flow_until_state(bed, &trade, TRADE(CANCELLED));
    flow_until_still(bed, &trade);
}

// Nor does one that names another tender as it is to be made: the attempt turns round.
static void test_a_payment_that_is_made_for_another_tender_pays_nothing(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered_bare(bed, &trade);
    bend(bed, "payment", "CreatePayment", "payment.tender_no=OTHER");
    flow_refused(bed, "PAYMENT_FAILED", "Pay", "trade_no=%s %s", trade.no,
                 flow_tenders(bed, 1, KIND(WECHAT), LIST_200, "payer"));
    assert_string_equal(flow_get(bed, trade.no)->attempts[0]->reason, "PARTICIPANT_BROKEN");
    assert_tender(bed, &trade, 1, 0, TENDER(CLOSED));
    flow_clear_faults(bed);
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
}

static void test_a_refund_answer_of_another_tender_is_parked(struct flow_bed *bed) {
    refunded_otherwise(bed, "refund.tender_no=OTHER");
}

static void test_a_refund_answer_of_another_refund_is_parked(struct flow_bed *bed) {
    refunded_otherwise(bed, "refund.refund_no=OTHER");
}

// [A61] who bears what of a refund is known: the payer gets back what the payer paid
static void test_a_refund_of_a_subsidised_payment_says_who_bears_it(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay(bed, &trade);
    flow_control(bed, "PayTender", "tender_no=%s result=1 gateway_discount=300 merchant_discount=200",
                 flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    int64_t payer = 0, gateway = 0, merchant = 0;
    static const char *const extents[] = {"amount=CNY3333", "amount=CNY1", "whole=true"};
    for (size_t i = 0; i < 3; i++) {
        const Txcenter__Trade__V1__RefundResponse *refund =
            flow_must(bed, "Refund", "trade_no=%s %s", trade.no, extents[i]);
        const Txcenter__Trade__V1__RefundLeg *leg = refund->refund->legs[0];
        assert_int_equal(leg->payer_amount->minor_units + leg->gateway_discount->minor_units +
                             leg->merchant_discount->minor_units,
                         leg->amount->minor_units);
        assert_int_equal(leg->settlement_amount->minor_units,
                         leg->amount->minor_units - leg->merchant_discount->minor_units);
        payer += leg->payer_amount->minor_units;
        gateway += leg->gateway_discount->minor_units;
        merchant += leg->merchant_discount->minor_units;
    }
    assert_int_equal(payer, trade.payable - 500);
    assert_int_equal(gateway, 300);
    assert_int_equal(merchant, 200);
}

static const struct flow_case cases[] = {
    CASE(test_a_coupon_in_another_currency_is_left_out),
    CASE(test_a_points_rule_in_another_currency_is_none),
    CASE(test_activities_that_can_not_be_counted_with_are_left_out),
    CASE(test_a_card_that_froze_less_pays_nothing),
    CASE(test_a_card_that_froze_more_pays_nothing),
    CASE(test_a_card_that_froze_another_currency_pays_nothing),
    VIRTUAL(test_a_card_that_took_something_else_pays_nothing),
    VIRTUAL(test_a_card_that_gave_back_something_else_is_an_operators),
    VIRTUAL(test_a_card_that_captured_something_else_is_an_operators),
    VIRTUAL(test_a_recharge_of_something_else_is_an_operators),
    VIRTUAL(test_points_that_can_not_be_are_an_operators),
    CASE(test_the_number_of_another_trades_order_is_not_taken_over),
    CASE(test_a_trades_next_order_may_have_the_number_of_the_one_before),
    CASE_WITH(test_a_refund_notice_that_does_not_match_changes_nothing, .a_day_of_refunds = true),
    CASE(test_a_refund_answer_of_another_amount_is_parked),
    CASE(test_a_refund_that_is_not_found_as_it_is_made_is_parked),
    CASE(test_a_refund_answer_of_an_unknown_state_is_parked),
    CASE(test_a_refund_whose_state_nobody_knows_is_asked_for_patiently),
    CASE(test_a_gateway_that_refuses_to_say_how_a_refund_stands_is_told_of),
    CASE(test_a_notice_of_an_unknown_state_is_kept),
    CASE(test_a_payment_answer_of_another_tender_is_not_taken_over),
    CASE(test_a_payment_that_is_made_for_another_tender_pays_nothing),
    CASE(test_a_refund_answer_of_another_tender_is_parked),
    CASE(test_a_refund_answer_of_another_refund_is_parked),
    CASE(test_a_refund_of_a_subsidised_payment_says_who_bears_it),
};

CASES(bent);
