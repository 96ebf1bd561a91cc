// The ends that trades come from: whoever calls, whatever it calls itself, there is one way.
#include "tests/flow/cases.h"

static const char *const ends[][2] = {{"merchant", "cashier"},
                                      {"senseless", "plate"},
                                      {"wechat", "one-key"},
                                      {"os", "dual-screen"},
                                      {"scanned", "flash"},
                                      {"", ""},
                                      {"a-channel-of-tomorrow", "no-scenario-that-we-know"}};
enum { ENDS = sizeof ends / sizeof ends[0] };

// Every step of every saga of a trade, without what names the trade itself.
static const char *way_of(struct flow_bed *bed, const char *trade_no) {
    const Txcenter__Trade__V1__Trade *trade = flow_get(bed, trade_no);
    const char *text = "";
    for (size_t i = 0; i < trade->n_saga_gids; i++) {
        const Txcenter__Saga__V1__GetSagaResponse *found = flow_must(bed, "GetSaga", "gid=%s", trade->saga_gids[i]);
        for (size_t k = 0; k < found->saga->n_steps; k++) {
            const Txcenter__Saga__V1__Step *step = found->saga->steps[k];
            text = flow_text(bed, "%s %s/%s.%d=%d", text, found->saga->flow, step->name, step->leg, (int)step->state);
        }
    }
    for (size_t i = 0; i < trade->n_history; i++)
        text = flow_text(bed, "%s %d", text, (int)trade->history[i]->state);
    return text;
}

// Quoted, ordered, paid, completed, and refunded from one end.
static const char *bought_from(struct flow_bed *bed, const char *channel, const char *scenario) {
    const Txcenter__Trade__V1__QuoteOrderPayResponse *paid =
        flow_must(bed, "QuoteOrderPay", "%s context.channel=%s context.scenario=%s " FUEL_200 " wait_for=2 %s",
                  flow_context(bed), channel, scenario, flow_tenders(bed, 1, KIND(CARD), BEST_200, bed->card));
    struct flow_trade trade = {0};
    str_copy(str_c(paid->trade->trade_no), trade.no, sizeof trade.no);
    assert_string_equal(paid->trade->context->channel, channel);
    assert_string_equal(paid->trade->context->scenario, scenario);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    flow_until_still(bed, &trade);
    return way_of(bed, trade.no);
}

// [S3-11] [S3-67] channel and scenario are data: each end's trade costs the same and goes the same way, step by step
static void test_every_end_goes_the_same_way(struct flow_bed *bed) {
    const char *first = bought_from(bed, ends[0][0], ends[0][1]);
    for (size_t i = 1; i < ENDS; i++)
        assert_string_equal(bought_from(bed, ends[i][0], ends[i][1]), first);
}

// [S3-67] a trade that one end has quoted is ordered by another, paid by a third and given back by a fourth
static void test_one_trade_goes_from_end_to_end(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "context.channel=wechat");
    flow_order(bed, &trade, "");
    const char *tenders = flow_tenders(bed, 1, KIND(CARD), BEST_200, bed->card);
    struct flow_answer *paid = flow_send_as(bed, FLOW_SHOP, "Pay", "trade_no=%s wait_for=2 %s", trade.no, tenders);
    flow_wait(bed, paid);
    assert_verdict(paid, "OK");
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    struct flow_answer *back = flow_send_as(bed, FLOW_SHOP, "Refund", "order_no=%s whole=true", trade.order_no);
    flow_wait(bed, back);
    assert_verdict(back, "OK");
    assert_state(bed, &trade, TRADE(REFUNDED));
    assert_string_equal(flow_get(bed, trade.no)->created_by, FLOW_CALLER);
}

// [S3-69] whatever end sold it, a tenant's trades are in one list, told in one form
static void test_the_trades_of_every_end_are_in_one_list(struct flow_bed *bed) {
    for (size_t i = 0; i < ENDS; i++)
        bought_from(bed, ends[i][0], ends[i][1]);
    struct flow_answer *answer =
        flow_send_as(bed, FLOW_SHOP, "ListTrades", "filter.tenant_id=T001 filter.user_id=%s", bed->user);
    flow_wait(bed, answer);
    assert_verdict(answer, "OK");
    const Txcenter__Trade__V1__ListTradesResponse *list = (const void *)answer->message;
    assert_int_equal(list->n_trades, ENDS);
    for (size_t i = 0; i < ENDS; i++) { // newest first
        assert_string_equal(list->trades[i]->context->channel, ends[ENDS - 1 - i][0]);
        assert_string_equal(list->trades[i]->context->scenario, ends[ENDS - 1 - i][1]);
        assert_int_equal(list->trades[i]->payable->minor_units, BEST_200);
    }
}

static const struct flow_case cases[] = {
    CASE(test_every_end_goes_the_same_way),
    CASE(test_one_trade_goes_from_end_to_end),
    CASE(test_the_trades_of_every_end_are_in_one_list),
};

CASES(ends);
