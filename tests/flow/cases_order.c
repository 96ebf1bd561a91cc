// Orders: locks, the order system, expiry, and ordering again.
#include "flows/trade/load.h"
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

// [S3-6] [S3-22] [S3-24] [S3-47] [S3-54] ordering locks what was chosen and gives an order number beside the trade's;
// either finds it
static void test_an_order_locks_what_was_chosen_and_either_number_finds_it(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    assert_string_not_equal(trade.order_no, "");
    assert_string_not_equal(trade.order_no, trade.no);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "lock").n, BEST_200_COUPONS);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "freeze").points, BEST_200_POINTS);
    const Txcenter__Trade__V1__GetTradeResponse *found = flow_must(bed, "GetTrade", "order_no=%s", trade.order_no);
    assert_string_equal(found->trade->trade_no, trade.no);
    flow_refused(bed, "TRADE_NOT_FOUND", "GetTrade", "order_no=O1");
    flow_must(bed, "Cancel", "order_no=%s", trade.order_no);
    assert_state(bed, &trade, TRADE(CANCELLED));
}

// [A10] [S3-20] the same trade and version twice, under two request ids and at once, make one order
static void test_the_same_version_ordered_twice_at_once_makes_one_order(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    struct flow_answer *answers[8];
    int good = 0;
    flow_quote(bed, &trade, FUEL_200, "");
    for (int i = 0; i < 8; i++)
        answers[i] = flow_send(bed, "PlaceOrder", "trade_no=%s quote_version=1", trade.no);
    for (int i = 0; i < 8; i++) {
        flow_wait(bed, answers[i]);
        good += answers[i]->message != NULL;
        if (!answers[i]->message)
            assert_verdict(answers[i], "CANCEL_FIRST");
    }
    assert_int_equal(good, 1);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "create").n, 1);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "lock").n, BEST_200_COUPONS);
    flow_refused(bed, "CANCEL_FIRST", "PlaceOrder", "trade_no=%s quote_version=1", trade.no);
}

static void one_lock_fails(struct flow_bed *bed, const char *system, const char *method, const char *expected) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_fault(bed, FAULT(REJECT), system, method, "code=NOT_NOW count=1");
    flow_refused(bed, expected, "PlaceOrder", "trade_no=%s quote_version=1", trade.no);
    const Txcenter__Trade__V1__Trade *failed = flow_get(bed, trade.no);
    assert_int_equal(failed->state, TRADE(FAILED));
    assert_string_equal(failed->reason, "NOT_NOW");
    flow_until_still(bed, &trade);
    assert_nothing_held(bed, &trade);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "create").n, flow_ledger(bed, "order", trade.no, "close").n);
    // What was released can be had by the next.
    flow_quote(bed, &trade, FUEL_200, "");
    flow_order(bed, &trade, "");
    assert_int_equal(trade.payable, BEST_200);
}

// [A11] [S3-27] when one lock, or the order, is refused, all that were taken are released
static void test_when_one_lock_fails_all_are_released(struct flow_bed *bed) {
    one_lock_fails(bed, "coupon", "LockCoupons", "BENEFIT_UNAVAILABLE");
}

static void test_when_the_points_fail_the_coupons_are_released(struct flow_bed *bed) {
    one_lock_fails(bed, "points", "FreezePoints", "BENEFIT_UNAVAILABLE");
}

static void test_when_the_order_is_refused_every_lock_is_released(struct flow_bed *bed) {
    one_lock_fails(bed, "order", "CreateOrder", "ORDER_REFUSED");
}

// [A30] a lock whose answer is lost is found by asking, not taken for a failure
static void test_an_answer_that_is_lost_is_found_by_asking(struct flow_bed *bed) {
    static const char *const methods[][2] = {
        {"coupon", "LockCoupons"}, {"points", "FreezePoints"}, {"order", "CreateOrder"}};
    for (size_t i = 0; i < 3; i++) {
        struct flow_trade trade;
        flow_fault(bed, FAULT(NO_ANSWER), methods[i][0], methods[i][1], "count=1");
        flow_ordered(bed, &trade);
        assert_int_equal(flow_effects(bed, methods[i][0], trade.no, methods[i][1], EFFECT(APPLIED)), 1);
        flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    }
}

// A system that stays silent makes the order turn round; what it may have done is undone all the same.
static void test_a_silent_order_system_fails_the_order_and_holds_nothing(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_fault(bed, FAULT(NO_ANSWER), "order", "CreateOrder", "");
    flow_fault(bed, FAULT(UNAVAILABLE), "order", "Inquire", "");
    struct flow_answer *answer = flow_send(bed, "PlaceOrder", "trade_no=%s quote_version=1 wait_ms=30000", trade.no);
    flow_wait(bed, answer);
    flow_until_state(bed, &trade, TRADE(FAILED));
    flow_until_still(bed, &trade);
    assert_nothing_held(bed, &trade);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "create").n, flow_ledger(bed, "order", trade.no, "close").n);
}

static void late_lock(void *ctx, const char *method, unsigned nth, struct rpc_inproc_fate *fate) {
    (void)ctx;
    if (strcmp(method, "LockCoupons") == 0 && nth == 1)
        fate->request_delay_ms = 600000; // long after everything has been undone
    else if (strcmp(method, "LockCoupons") == 0 || strcmp(method, "FreezePoints") == 0)
        fate->drop_request = true;
    if (strcmp(method, "Inquire") == 0)
        fate->drop_request = true;
}

// [A12] a lock that arrives after its unlock is refused by its key, and locks nothing
static void test_a_lock_that_arrives_after_its_unlock_locks_nothing(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_set_fate(bed, late_lock, NULL);
    struct flow_answer *answer = flow_send(bed, "PlaceOrder", "trade_no=%s quote_version=1", trade.no);
    flow_wait(bed, answer);
    flow_until_state(bed, &trade, TRADE(FAILED));
    flow_run_for(bed, 700000);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "lock").n, 0);
    assert_int_equal(flow_effects(bed, "coupon", trade.no, "LockCoupons", EFFECT(CANCELLED)), 1);
    flow_set_fate(bed, NULL, NULL);
}

// [A15] of two trades that race for the same coupons one wins, the other is told and holds nothing
static void test_of_two_that_race_for_the_last_coupon_one_wins(struct flow_bed *bed) {
    struct flow_trade trades[2] = {0};
    struct flow_answer *answers[2];
    for (int i = 0; i < 2; i++)
        flow_quote(bed, &trades[i], FUEL_200, "");
    for (int i = 0; i < 2; i++)
        answers[i] = flow_send(bed, "PlaceOrder", "trade_no=%s quote_version=1", trades[i].no);
    for (int i = 0; i < 2; i++)
        flow_wait(bed, answers[i]);
    int winner = answers[0]->message ? 0 : 1;
    assert_verdict(answers[winner], "OK");
    assert_verdict(answers[1 - winner], "BENEFIT_UNAVAILABLE");
    flow_until_still(bed, &trades[1 - winner]);
    assert_nothing_held(bed, &trades[1 - winner]);
    assert_state(bed, &trades[winner], TRADE(ORDERED));
}

// [A14] with nothing payable the trade is paid at once, without a gateway, and refunded with everything
static void test_with_nothing_payable_the_trade_is_paid_at_once(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_control(bed, "AddCoupon",
                 "user_id=%s coupon.coupon_id=FREE-%s coupon.name=free coupon.kind=1 coupon.amount_off=CNY100000",
                 bed->user, bed->user);
    int64_t before = flow_calls(bed, "payment");
    flow_quote(bed, &trade, FUEL_200, flow_text(bed, "required_coupon_ids[0]=FREE-%s exclude_points=true", bed->user));
    flow_order(bed, &trade, "");
    assert_int_equal(trade.payable, 0);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_calls(bed, "payment"), before);
    const Txcenter__Trade__V1__RefundResponse *refund = flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    assert_int_equal(refund->refund->state, REFUND(DONE));
    assert_true(refund->refund->final);
    assert_state(bed, &trade, TRADE(REFUNDED));
    flow_refused(bed, "REFUND_EXCEEDS_REST", "Refund", "trade_no=%s whole=true", trade.no);
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "give_back").n, 1);
}

// An order that nobody pays ends by itself and gives everything back.
static void test_an_order_that_is_not_paid_in_time_expires(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_order(bed, &trade, "expires_in_seconds=1");
    flow_until_state(bed, &trade, TRADE(EXPIRED));
    flow_until_still(bed, &trade);
    assert_nothing_held(bed, &trade);
    assert_string_equal(flow_get(bed, trade.no)->reason, "TIMED_OUT");
    flow_refused(bed, "NOT_PAYABLE", "Pay", "trade_no=%s %s", trade.no,
                 flow_tenders(bed, 1, KIND(WECHAT), BEST_200, "payer"));
    flow_refused(bed, "TRADE_ENDED", "Cancel", "trade_no=%s", trade.no);
}

// [A57] [S3-48] an ordered trade is quoted and ordered again only after a cancel; both order numbers find it
static void test_ordering_again_needs_a_cancel_first(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_refused(bed, "CANCEL_FIRST", "Quote", "trade_no=%s %s " FUEL_200, trade.no, flow_context(bed));
    flow_must(bed, "Cancel", "trade_no=%s reason=another~pump", trade.no);
    char first[80];
    memcpy(first, trade.order_no, sizeof first);
    flow_quote(bed, &trade, "lines[0].fuel.oil_code=95# lines[0].fuel.amount=CNY30000", "");
    flow_order(bed, &trade, "");
    assert_string_not_equal(trade.order_no, first);
    assert_found_by(bed, &trade, first);
    assert_found_by(bed, &trade, trade.order_no);
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    const Txcenter__Trade__V1__RefundResponse *refund = flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    assert_int_equal(refund->refund->state, REFUND(DONE));
}

// An expired order can be had again too, in the same trade.
static void test_an_expired_order_can_be_had_again(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_order(bed, &trade, "expires_in_seconds=1");
    flow_until_state(bed, &trade, TRADE(EXPIRED));
    flow_quote(bed, &trade, FUEL_200, "");
    flow_order(bed, &trade, "");
    assert_int_equal(trade.payable, BEST_200);
    assert_history(bed, &trade, "CREATED QUOTED ORDERING ORDERED CLOSING EXPIRED QUOTED ORDERING ORDERED");
}

// A cancel that comes while the order is being placed is carried out when it is clear what there is to undo.
static void test_a_cancel_while_ordering_undoes_the_order(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_fault(bed, FAULT(DELAY), "order", "CreateOrder", "delay_ms=300");
    struct flow_answer *order = flow_send(bed, "PlaceOrder", "trade_no=%s quote_version=1", trade.no);
    flow_until_state(bed, &trade, TRADE(ORDERING));
    const Txcenter__Trade__V1__CancelResponse *cancelled = flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    assert_false(cancelled->processing);
    assert_int_equal(cancelled->trade->state, TRADE(CANCELLED));
    flow_wait(bed, order);
    assert_verdict(order, "TRADE_ENDED");
    flow_until_still(bed, &trade);
    assert_nothing_held(bed, &trade);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "close").n, 1);
}

// The same of a combined call, whose payment is planned and never starts.
static void test_a_cancel_while_ordering_ends_the_planned_payment(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_fault(bed, FAULT(DELAY), "order", "CreateOrder", "delay_ms=300");
    struct flow_answer *order =
        flow_send(bed, "OrderPay", "trade_no=%s quote_version=1 wait_for=2 %s", trade.no,
                  flow_tenders(bed, 2, KIND(CARD), 5000, bed->card, KIND(WECHAT), BEST_200 - 5000, "payer"));
    flow_until_state(bed, &trade, TRADE(ORDERING));
    const Txcenter__Trade__V1__CancelResponse *cancelled = flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    assert_int_equal(cancelled->trade->state, TRADE(CANCELLED));
    flow_wait(bed, order);
    assert_verdict(order, "TRADE_ENDED");
    assert_int_equal(flow_get(bed, trade.no)->attempts[0]->state, ATTEMPT(FAILED));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, NULL).n, 0);
    assert_int_equal(flow_ledger(bed, "card", trade.no, NULL).n, 0);
}

// An order whose time is over before it was placed expires, and a planned payment never starts.
static void test_an_order_that_expires_while_it_is_placed_takes_no_money(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_fault(bed, FAULT(DELAY), "order", "CreateOrder", "delay_ms=1500 count=1");
    struct flow_answer *order =
        flow_send(bed, "OrderPay", "trade_no=%s quote_version=1 expires_in_seconds=1 wait_for=2 %s", trade.no,
                  flow_tenders(bed, 1, KIND(WECHAT), BEST_200, "payer"));
    flow_wait(bed, order);
    assert_verdict(order, "TRADE_ENDED");
    assert_state(bed, &trade, TRADE(EXPIRED));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, NULL).n, 0);
}

// [S3-10] order and pay in one call
static void test_order_and_pay_in_one_call(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    const Txcenter__Trade__V1__OrderPayResponse *paid =
        flow_must(bed, "OrderPay", "trade_no=%s quote_version=1 wait_for=2 %s", trade.no,
                  flow_tenders(bed, 1, KIND(CARD), BEST_200, bed->card));
    assert_int_equal(paid->attempt->state, ATTEMPT(PAID));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
}

// [S3-10] quote, order and pay in one call: the tender without an amount pays the rest
static void test_quote_order_and_pay_in_one_call(struct flow_bed *bed) {
    const Txcenter__Trade__V1__QuoteOrderPayResponse *paid =
        flow_must(bed, "QuoteOrderPay",
                  "%s " FUEL_200 " wait_for=2 expected_payable=CNY%d tenders[0].kind=%d "
                  "tenders[0].amount=CNY500 tenders[0].account=%s tenders[1].kind=%d tenders[1].account=code",
                  flow_context(bed), BEST_200, KIND(CARD), bed->card, KIND(SCANNED));
    assert_int_equal(paid->attempt->state, ATTEMPT(PAID));
    assert_int_equal(paid->attempt->tenders[1]->amount->minor_units, BEST_200 - 500);
    assert_int_equal(paid->trade->paid->minor_units, BEST_200);
}

static void test_a_combined_call_refuses_before_it_makes_anything(struct flow_bed *bed) {
    const char *tenders = flow_tenders(bed, 1, KIND(WECHAT), 1, "payer");
    flow_refused(bed, "AMOUNT_MISMATCH", "QuoteOrderPay", "%s " FUEL_200 " expected_payable=CNY1 %s", flow_context(bed),
                 tenders);
    flow_refused(bed, "TENDERS_UNEQUAL", "QuoteOrderPay", "%s " FUEL_200 " %s", flow_context(bed), tenders);
    flow_fault(bed, FAULT(DOWN), "coupon", "ListUsableCoupons", "");
    flow_refused(bed, "QUOTE_DEGRADED", "QuoteOrderPay", "%s " FUEL_200 " %s", flow_context(bed), tenders);
    const Txcenter__Trade__V1__ListTradesResponse *list = flow_must(bed, "ListTrades", "filter.user_id=%s", bed->user);
    assert_int_equal(list->n_trades, 0);
}

// [A58] [S3-57] a combined call that fails leaves nothing locked, and fails the trade
static void test_a_combined_call_that_fails_leaves_nothing_locked(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_control(bed, "SetCard", "card_no=%s user_id=%s principal=CNY100 bonus=CNY0", bed->card, bed->user);
    flow_refused(bed, "PAYMENT_FAILED", "OrderPay", "trade_no=%s quote_version=1 wait_for=2 %s", trade.no,
                 flow_tenders(bed, 2, KIND(CARD), 5000, bed->card, KIND(WECHAT), BEST_200 - 5000, "payer"));
    assert_state(bed, &trade, TRADE(FAILED));
    flow_until_still(bed, &trade);
    assert_nothing_held(bed, &trade);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, NULL).n, 0);
}

// With on_failure KEEP the order stays payable.
static void test_a_combined_call_may_keep_the_order_when_the_payment_fails(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_control(bed, "SetCard", "card_no=%s user_id=%s principal=CNY100 bonus=CNY0", bed->card, bed->user);
    flow_refused(bed, "PAYMENT_FAILED", "OrderPay", "trade_no=%s quote_version=1 on_failure=1 wait_for=2 %s", trade.no,
                 flow_tenders(bed, 1, KIND(CARD), BEST_200, bed->card));
    assert_state(bed, &trade, TRADE(ORDERED));
    trade.payable = BEST_200;
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 2, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
}

// The gid of the next purchase is in use: somebody else's saga, or one whose writes are just failing.
static void occupy(void *ctx, struct trade *trade, const struct error *error) {
    struct flow_bed *bed = ctx;
    struct error failed = {0};
    assert_null(error);
    struct saga_turn *turn = saga_turn_begin(flow_virtual(bed)->center.engine, &trade->subject);
    const char *gid = flow_text(bed, "%s/%d", trade->row.trade_no, trade->row.purchase_no + 1);
    assert_true(saga_turn_start(turn, &(struct saga_start){.flow = "trade.purchase", .gid = str_c(gid)}, &failed));
    saga_turn_commit(turn, NULL, NULL);
    saga_subject_release(&trade->subject);
}

// An order whose saga can't be started is refused, and the trade is as it was: nothing is ORDERING that nothing ends.
static void test_an_order_that_can_not_start_changes_nothing(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_fault(bed, FAULT(DOWN), "*", "*", ""); // the other one gets nowhere
    load_trade(flow_virtual(bed)->center.trades, str_c(trade.no), occupy, bed);
    flow_refused(bed, "RETRY", "PlaceOrder", "trade_no=%s quote_version=1", trade.no);
    flow_refused(bed, "RETRY", "OrderPay", "trade_no=%s quote_version=1 %s", trade.no,
                 flow_tenders(bed, 1, KIND(WECHAT), BEST_200, "payer"));
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    assert_int_equal(found->state, TRADE(QUOTED));
    assert_int_equal(found->n_attempts, 0);
    assert_null(found->order_expires_at);
    bed->leave_open = bed->not_compared = true;
}

static const struct flow_case cases[] = {
    VIRTUAL(test_an_order_that_can_not_start_changes_nothing),
    CASE(test_an_order_locks_what_was_chosen_and_either_number_finds_it),
    CASE(test_the_same_version_ordered_twice_at_once_makes_one_order),
    CASE(test_when_one_lock_fails_all_are_released),
    CASE(test_when_the_points_fail_the_coupons_are_released),
    CASE(test_when_the_order_is_refused_every_lock_is_released),
    CASE(test_an_answer_that_is_lost_is_found_by_asking),
    CASE(test_a_silent_order_system_fails_the_order_and_holds_nothing),
    VIRTUAL(test_a_lock_that_arrives_after_its_unlock_locks_nothing),
    CASE(test_of_two_that_race_for_the_last_coupon_one_wins),
    CASE(test_with_nothing_payable_the_trade_is_paid_at_once),
    CASE(test_an_order_that_is_not_paid_in_time_expires),
    CASE(test_ordering_again_needs_a_cancel_first),
    CASE(test_an_expired_order_can_be_had_again),
    CASE(test_a_cancel_while_ordering_undoes_the_order),
    CASE(test_a_cancel_while_ordering_ends_the_planned_payment),
    CASE(test_an_order_that_expires_while_it_is_placed_takes_no_money),
    CASE(test_order_and_pay_in_one_call),
    CASE(test_quote_order_and_pay_in_one_call),
    CASE(test_a_combined_call_refuses_before_it_makes_anything),
    CASE(test_a_combined_call_that_fails_leaves_nothing_locked),
    CASE(test_a_combined_call_may_keep_the_order_when_the_payment_fails),
};

CASES(order);
