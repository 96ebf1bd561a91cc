// Participants that answer something else than they were asked: what can't be right is not taken over.
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

static void bend(struct flow_bed *bed, const char *system, const char *method, const char *how) {
    flow_fault(bed, FAULT(BENT_ANSWER), system, method, flow_text(bed, "code=%s", how));
}

static void assert_alerted(struct flow_bed *bed, const char *what) {
    if (bed->ops->virtual_time)
        assert_true(flow_center_alerts(&flow_virtual(bed)->center, what) > 0);
}

// [A51] a coupon in another currency takes nothing off; nor is it found when it is asked for by name
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

// [A51] points that are worth something in another currency are worth nothing here
static void test_a_points_rule_in_another_currency_is_none(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    bend(bed, "points", "GetPoints", "rule.step_value.currency=USD");
    const Txcenter__Trade__V1__Quote *quote = flow_quote(bed, &trade, FUEL_200, "");
    for (size_t i = 0; i < quote->n_combinations; i++)
        assert_int_equal(quote->combinations[i]->points, 0);
    assert_true(quote->combinations[0]->n_coupon_ids > 0);
    assert_alerted(bed, "the points rule is in another currency");
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

static const struct flow_case cases[] = {
    CASE(test_a_coupon_in_another_currency_is_left_out),
    CASE(test_a_points_rule_in_another_currency_is_none),
    CASE(test_a_card_that_froze_less_pays_nothing),
    CASE(test_a_card_that_froze_more_pays_nothing),
    CASE(test_a_card_that_froze_another_currency_pays_nothing),
    CASE(test_the_number_of_another_trades_order_is_not_taken_over),
    CASE(test_a_trades_next_order_may_have_the_number_of_the_one_before),
};

CASES(bent);
