// Goods other than fuel, paid items and recharges: alone, mixed, out of stock, and delivered whatever happens.
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

#define COLA_2 "lines[0].goods.sku=COLA lines[0].goods.quantity=2"
#define BASKET                                                                                                         \
    FUEL_200 " lines[1].goods.sku=COLA lines[1].goods.quantity=2 lines[2].goods.sku=WHEEL lines[2].goods.quantity=3"
enum { LIST_COLA_2 = 1000, LIST_BASKET = LIST_200 + LIST_COLA_2 + 300 };
enum { RECHARGE_POSTINGS = 2 }; // principal and bonus

static void paid(struct flow_bed *bed, struct flow_trade *trade, const char *lines, const char *more) {
    flow_quote(bed, trade, lines, more);
    flow_order(bed, trade, "");
    flow_pay(bed, trade);
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 0));
}

// [S3-2] [S3-29] fuel, goods with stock and a paid item in one trade: each is priced by its system, and each comes
static void test_a_mixed_basket_is_sold_and_delivered(struct flow_bed *bed) {
    static const char *const kinds[] = {"fuel", "goods", "item"};
    struct flow_trade trade = {0};
    const Txcenter__Trade__V1__Quote *quote = flow_quote(bed, &trade, BASKET, "");
    assert_int_equal(quote->list_price->minor_units, LIST_BASKET);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(quote->lines[i]->kind, kinds[i]);
    assert_int_equal(quote->lines[2]->quantity, 3);
    flow_order(bed, &trade, "");
    assert_int_equal(flow_ledger(bed, "goods", trade.no, "reserve").n, 1);
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    assert_int_equal(flow_ledger(bed, "goods", trade.no, "deduct").n, 1);
    assert_int_equal(flow_ledger(bed, "activity", trade.no, "deliver").n, 3);
    flow_until_still(bed, &trade);
    assert_nothing_held(bed, &trade);
}

// [S3-2] [S3-32] [A69] what is bought is balance: it is credited once, though the card system fails for a while
static void test_a_recharge_is_credited_once_whatever_the_card_system_does(struct flow_bed *bed) {
    static const int faults[] = {FAULT(ERROR), FAULT(NO_ANSWER), FAULT(DOWN)};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct flow_trade trade = {0};
        const char *line = flow_text(bed, "lines[0].recharge.card_no=%s lines[0].recharge.amount=CNY50000", bed->card);
        flow_quote(bed, &trade, line, "");
        flow_order(bed, &trade, "");
        assert_int_equal(trade.payable, 50000);
        flow_pay(bed, &trade);
        flow_fault(bed, faults[i], "card", "RechargeCard", "count=3");
        flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
        flow_until_state(bed, &trade, TRADE(COMPLETED));
        assert_int_equal(flow_effects(bed, "card", trade.no, "RechargeCard", EFFECT(APPLIED)), 1);
        assert_int_equal(flow_ledger(bed, "card", trade.no, "recharge").n, RECHARGE_POSTINGS);
        flow_clear_faults(bed);
    }
}

// [A69] [A34] a card system that definitely refuses to credit what is paid for waits for an operator; nothing is
// rolled back
static void test_a_recharge_that_is_refused_after_payment_waits_for_an_operator(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    const char *line = flow_text(bed, "lines[0].recharge.card_no=%s lines[0].recharge.amount=CNY50000", bed->card);
    flow_fault(bed, FAULT(REJECT), "card", "RechargeCard", "code=CARD_FROZEN count=1");
    paid(bed, &trade, line, "");
    flow_until_parked(bed, &trade, 1);
    assert_state(bed, &trade, TRADE(PAID));
    flow_retry_parked(bed, &trade);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    assert_int_equal(flow_ledger(bed, "card", trade.no, "recharge").n, RECHARGE_POSTINGS);
}

// [A11] [S3-48] goods that can't be reserved fail the order, and every other lock is released; a cancel releases them
static void test_goods_are_reserved_like_any_benefit(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, BASKET, "");
    flow_fault(bed, FAULT(REJECT), "goods", "ReserveStock", "code=OUT_OF_STOCK count=1");
    flow_refused(bed, "OUT_OF_STOCK", "PlaceOrder", "trade_no=%s quote_version=1", trade.no);
    assert_state(bed, &trade, TRADE(FAILED));
    flow_until_still(bed, &trade);
    assert_nothing_held(bed, &trade);
    flow_quote(bed, &trade, BASKET, "");
    flow_order(bed, &trade, "");
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "goods", trade.no, "reserve").n, 1);
    assert_nothing_held(bed, &trade);
}

// [A30] a reservation whose answer is lost is found by asking
static void test_a_reservation_whose_answer_is_lost_is_found_by_asking(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_fault(bed, FAULT(NO_ANSWER), "goods", "ReserveStock", "count=1");
    flow_quote(bed, &trade, COLA_2, "");
    flow_order(bed, &trade, "");
    assert_int_equal(flow_effects(bed, "goods", trade.no, "ReserveStock", EFFECT(APPLIED)), 1);
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    flow_until_still(bed, &trade);
    assert_nothing_held(bed, &trade);
}

// [A15] of two that race for the last unit one gets it
static void test_of_two_that_race_for_the_last_unit_one_wins(struct flow_bed *bed) {
    struct flow_trade trades[2] = {{.version = 0}, {.version = 0}};
    struct flow_answer *answers[2];
    int won = 0;
    for (int i = 0; i < 2; i++) // of different users, whose coupons don't race
        flow_quote(bed, &trades[i], "lines[0].goods.sku=OIL4L lines[0].goods.quantity=11",
                   i ? flow_text(bed, "context.user_id=%s", bed->other_user) : "");
    for (int i = 0; i < 2; i++)
        answers[i] = flow_send(bed, "PlaceOrder", "trade_no=%s quote_version=1", trades[i].no);
    for (int i = 0; i < 2; i++) {
        flow_wait(bed, answers[i]);
        won += answers[i]->message != NULL;
        if (!answers[i]->message)
            assert_verdict(answers[i], "OUT_OF_STOCK");
    }
    assert_int_equal(won, 1);
    flow_refused(bed, "OUT_OF_STOCK", "Quote", "%s lines[0].goods.sku=OIL4L lines[0].goods.quantity=11",
                 flow_context(bed));
    for (int i = 0; i < 2; i++) { // the others sell it again
        flow_ask(bed, "Cancel", "trade_no=%s", trades[i].no);
        flow_until_still(bed, &trades[i]);
        assert_nothing_held(bed, &trades[i]);
    }
}

// [S3-3] [S3-11] whatever the channel, it is the same sale: the center decides nothing by it
static void test_a_channel_is_data(struct flow_bed *bed) {
    static const char *const channels[] = {"merchant", "senseless", "wechat", "os", "tomorrow"};
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++) {
        struct flow_trade trade = {0};
        paid(bed, &trade, COLA_2, flow_text(bed, "context.channel=%s", channels[i]));
        flow_until_state(bed, &trade, TRADE(COMPLETED));
        assert_string_equal(flow_get(bed, trade.no)->context->channel, channels[i]);
        assert_history(bed, &trade, "CREATED QUOTED ORDERING ORDERED PAYING PAID COMPLETED");
    }
}

static void test_lines_that_make_no_sense_are_refused(struct flow_bed *bed) {
    static const char *const bad[] = {
        "lines[0].goods.sku=COLA",
        "lines[0].goods.sku=COLA lines[0].goods.quantity=-1",
        "lines[0].goods.quantity=1",
        "lines[0].goods.sku=none lines[0].goods.quantity=1",
        COLA_2 " lines[1].goods.sku=COLA lines[1].goods.quantity=1",
        "lines[0].recharge.card_no=C0001",
        "lines[0].recharge.card_no=none lines[0].recharge.amount=CNY100",
        COLA_2 " lines[1].recharge.card_no=C0001 lines[1].recharge.amount=CNY100",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        flow_refused(bed, "INVALID_REQUEST", "Quote", "%s %s", flow_context(bed), bad[i]);
}

// [A7] without the system that prices it nothing is sold; fuel is, without the goods system
static void test_goods_need_their_system_and_fuel_does_not(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_fault(bed, FAULT(DOWN), "goods", "", "");
    flow_refused(bed, "PRICE_UNAVAILABLE", "Quote", "%s " COLA_2, flow_context(bed));
    assert_int_equal(flow_quote(bed, &trade, FUEL_200, "")->n_degraded_sources, 0);
    flow_clear_faults(bed);
}

// ---- Refunds --------------------------------------------------------------------------------------------------------

static void refunded(struct flow_bed *bed, const struct flow_trade *trade, const char *extent) {
    flow_must(bed, "Refund", "trade_no=%s %s wait_ms=10000", trade->no, extent);
    flow_until_still(bed, trade);
}

// [S3-9] a line whose money is back comes back, once: goods to the shelf, an item unless it is used. Part of a line's
// money is a matter of money alone
static void test_what_was_sold_comes_back_with_its_money(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    paid(bed, &trade, BASKET, "");
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    refunded(bed, &trade, "amount=CNY10");
    assert_int_equal(flow_ledger(bed, "goods", trade.no, "return").n, 0);
    refunded(bed, &trade, "lines.indexes[0]=1");
    assert_int_equal(flow_ledger(bed, "goods", trade.no, "return").n, 1);
    assert_int_equal(flow_ledger(bed, "activity", trade.no, "withdraw").n, 0);
    refunded(bed, &trade, "whole=true");
    assert_state(bed, &trade, TRADE(REFUNDED));
    assert_int_equal(flow_ledger(bed, "goods", trade.no, "return").n, 1);
    assert_int_equal(flow_ledger(bed, "activity", trade.no, "withdraw").n, 3);
    assert_int_equal(flow_get(bed, trade.no)->n_shortfalls, 0);
}

// an item that its buyer has used stays used: the refund is done, and a shortfall says so
static void test_an_item_that_is_used_is_a_shortfall(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    paid(bed, &trade, "lines[0].goods.sku=WHEEL lines[0].goods.quantity=1", "");
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    flow_fault(bed, FAULT(REJECT), "activity", "WithdrawItem", "code=ALREADY_USED count=1");
    refunded(bed, &trade, "whole=true");
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    assert_int_equal(found->state, TRADE(REFUNDED));
    assert_int_equal(found->n_shortfalls, 1);
    assert_string_equal(found->shortfalls[0]->what, "item");
    assert_string_equal(found->shortfalls[0]->reason, "ALREADY_USED");
}

// [S3-9] what cost nothing is taken from the shelf all the same, and comes back when it is refunded, once
static void test_goods_that_cost_nothing_come_back(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_control(bed, "SetGoods", "station_id=S001 sku=LEAFLET name=leaflet kind=1 unit_price=CNY0 available=100");
    flow_quote(bed, &trade, "lines[0].goods.sku=LEAFLET lines[0].goods.quantity=2", "");
    flow_order(bed, &trade, "");
    assert_int_equal(trade.payable, 0);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "goods", trade.no, "deduct").n, 1);
    refunded(bed, &trade, "whole=true");
    assert_state(bed, &trade, TRADE(REFUNDED));
    assert_int_equal(flow_ledger(bed, "goods", trade.no, "return").n, 1);
    flow_refused(bed, "REFUND_EXCEEDS_REST", "Refund", "trade_no=%s whole=true", trade.no);
}

// [A49] of a recharge that is partly spent only what is left can be refunded: the balance goes before the money does
static void test_of_a_partly_spent_recharge_what_is_left_is_refunded(struct flow_bed *bed) {
    struct flow_trade trade = {0}, fuel = {0};
    flow_control(bed, "SetCard", "card_no=%s user_id=%s principal=CNY0 bonus=CNY0", bed->card, bed->user);
    flow_recharged(bed, &trade);
    flow_ordered_bare(bed, &fuel);
    flow_pay_with(bed, &fuel, flow_tenders(bed, 1, KIND(CARD), LIST_200, bed->card), "wait_for=2 wait_ms=10000");
    flow_until_state(bed, &fuel, TRADE(COMPLETED));
    struct flow_answer *answer = flow_ask(bed, "Refund", "trade_no=%s whole=true", trade.no);
    assert_verdict(answer, "REFUND_EXCEEDS_REST");
    refunded(bed, &trade, "amount=CNY20000");
    assert_state(bed, &trade, TRADE(PARTIALLY_REFUNDED));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, 20000);
    assert_int_equal(flow_effects(bed, "card", trade.no, "ReverseRecharge", EFFECT(APPLIED)), 1);
    flow_until_still(bed, &fuel);
}

// While the card system is asked the trade leaves this instance's memory: what was read then is not acted on, and
// the caller is told so at once
static void test_a_refund_whose_trade_was_dropped_meanwhile_is_refused_at_once(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_recharged(bed, &trade);
    flow_fault(bed, FAULT(DELAY), "card", "GetRecharge", "delay_ms=1000 count=1");
    struct flow_answer *answer = flow_send(bed, "Refund", "trade_no=%s whole=true", trade.no);
    flow_run_for(bed, 500);
    trades_slot_left(flow_virtual(bed)->center.trades, id_slot(str_c(trade.no)));
    flow_wait(bed, answer);
    assert_verdict(answer, "STORE_STALE");
    assert_true(answer->at_ms - answer->sent_ms < 2000);
    assert_int_equal(flow_get(bed, trade.no)->n_refunds, 0);
    refunded(bed, &trade, "whole=true");
    assert_state(bed, &trade, TRADE(REFUNDED));
}

// [A49] what is spent between the asking and the doing is not paid out: the refund comes to nothing, and its money can
// be refunded again
static void test_a_recharge_that_is_spent_meanwhile_is_not_paid_out(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_recharged(bed, &trade);
    flow_fault(bed, FAULT(REJECT), "card", "ReverseRecharge", "code=EXCEEDS_REST count=1");
    refunded(bed, &trade, "whole=true refund_no=one");
    assert_state(bed, &trade, TRADE(COMPLETED));
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    assert_int_equal(found->refunds[0]->state, REFUND(STOPPED));
    assert_int_equal(found->refunds[0]->amount->minor_units, 0);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 0);
    refunded(bed, &trade, "whole=true refund_no=two");
    assert_state(bed, &trade, TRADE(REFUNDED));
    assert_int_equal(flow_effects(bed, "card", trade.no, "ReverseRecharge", EFFECT(APPLIED)), 1);
}

// A card system that is paused is not asked, not even how much is left of a recharge: the refund waits for it.
static void test_a_paused_card_system_is_not_asked_for_a_refund(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_recharged(bed, &trade);
    flow_must(bed, "PauseParticipant", "participant=card reason=maintenance");
    int64_t before = flow_calls(bed, "card");
    const Txcenter__Trade__V1__RefundResponse *refund =
        flow_must(bed, "Refund", "trade_no=%s whole=true wait_ms=500", trade.no);
    assert_true(refund->processing);
    assert_int_equal(flow_calls(bed, "card"), before);
    flow_must(bed, "ResumeParticipant", "participant=card reason=done");
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, 50000);
}

// ---- The greatest trade ---------------------------------------------------------------------------------------------

enum { LINES_MAX = 32, TENDERS_MAX = 16 };

// So many lines: `first`, and items; paid with as many tenders as an attempt may have, and completed.
static void greatest(struct flow_bed *bed, struct flow_trade *trade, const char *first, int n_first) {
    const char *lines = first, *tenders = "";
    for (int i = n_first; i < LINES_MAX; i++)
        lines = flow_text(bed, "%s lines[%d].goods.sku=ITEM-%d lines[%d].goods.quantity=1", lines, i, i, i);
    flow_quote(bed, trade, lines, flow_text(bed, "context.channel=%s", bed->user));
    flow_order(bed, trade, "");
    int64_t part = trade->payable / TENDERS_MAX, last = trade->payable - (TENDERS_MAX - 1) * part;
    for (int i = 0; i < TENDERS_MAX; i++)
        tenders = flow_text(bed, "%s tenders[%d].kind=%d tenders[%d].amount=CNY%d tenders[%d].account=payer-%d",
                            tenders, i, KIND(WECHAT), i, (int)(i + 1 < TENDERS_MAX ? part : last), i, i);
    flow_pay_with(bed, trade, tenders, "");
    for (int i = 0; i < TENDERS_MAX; i++)
        flow_payer_pays(bed, flow_tender_no(bed, trade, 1, i));
    flow_until_state(bed, trade, TRADE(COMPLETED));
    flow_until_still(bed, trade);
}

// [S3-9] [S3-54] a trade of as many lines and tenders as there may be, which has used all that one can use, is given
// back whole, to every tender, with every item
static void test_the_greatest_trade_is_refunded_whole(struct flow_bed *bed) {
    static const struct {
        const char *first;
        int n;
    } firsts[] = {{FUEL_200 " lines[1].goods.sku=COLA lines[1].goods.quantity=2", 2}, {FUEL_200, 1}, {"", 0}};
    flow_control(bed, "SetActivity",
                 "activity.activity_id=all-%s channels[0]=%s activity.kind=1 activity.rule.kind=1 "
                 "activity.rule.amount_off=CNY100 activity.quota_unit=1 quota=9",
                 bed->user, bed->user);
    for (int i = 0; i < LINES_MAX; i++)
        flow_control(bed, "SetGoods", "station_id=S001 sku=ITEM-%d name=item kind=2 unit_price=CNY100 available=0", i);
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        struct flow_trade trade = {0};
        greatest(bed, &trade, firsts[i].first, firsts[i].n);
        const Txcenter__Trade__V1__RefundResponse *back = flow_refunded(bed, &trade, "whole=true");
        assert_int_equal(back->trade->state, TRADE(REFUNDED));
        assert_int_equal(back->refund->n_legs, TENDERS_MAX);
        flow_until_still(bed, &trade);
        assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, trade.payable);
        assert_int_equal(flow_ledger(bed, "activity", trade.no, "withdraw").n, LINES_MAX - firsts[i].n);
        assert_nothing_held(bed, &trade);
    }
}

static const struct flow_case cases[] = {
    CASE(test_a_mixed_basket_is_sold_and_delivered),
    CASE(test_a_recharge_is_credited_once_whatever_the_card_system_does),
    CASE(test_a_recharge_that_is_refused_after_payment_waits_for_an_operator),
    CASE(test_goods_are_reserved_like_any_benefit),
    CASE(test_a_reservation_whose_answer_is_lost_is_found_by_asking),
    CASE(test_of_two_that_race_for_the_last_unit_one_wins),
    CASE(test_a_channel_is_data),
    CASE(test_lines_that_make_no_sense_are_refused),
    CASE(test_goods_need_their_system_and_fuel_does_not),
    CASE(test_what_was_sold_comes_back_with_its_money),
    CASE(test_an_item_that_is_used_is_a_shortfall),
    CASE(test_goods_that_cost_nothing_come_back),
    CASE(test_the_greatest_trade_is_refunded_whole),
    CASE(test_of_a_partly_spent_recharge_what_is_left_is_refunded),
    VIRTUAL(test_a_refund_whose_trade_was_dropped_meanwhile_is_refused_at_once),
    CASE(test_a_recharge_that_is_spent_meanwhile_is_not_paid_out),
    CASE(test_a_paused_card_system_is_not_asked_for_a_refund),
};
CASES(goods);
