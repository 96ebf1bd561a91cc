// What may follow a paid order later, each part by itself: awards, records, messages.
#include "flows/trade/purchase_step.h"

#include "adapters/coupon/coupon.h"
#include "adapters/points/points.h"
#include "adapters/push/push.h"
#include "adapters/settlement/settlement.h"
#include "flows/trade/after.h"
#include "flows/trade/books.h"
#include "flows/trade/purchase_end.h"
#include "flows/trade/view.h"

#include <stdio.h>

void purchase_award_points(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    Participant__Points__V1__AwardPointsRequest request = PARTICIPANT__POINTS__V1__AWARD_POINTS_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = effect_money(trade, trade->row.paid);
    struct adapter_effect effect = effect_of(call);
    if (after_never(call, AFTER_AWARD))
        return;
    request.user_id = view_text(trade->row.user_id);
    request.station_id = view_text(trade->row.station_id);
    request.paid = &amount;
    points_award(&effect_adapters(call)->points, &effect, &request, effect_done_unless_cancelled, call);
}

void purchase_points_awarded(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op;
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct arena arena;
    arena_init(&arena, 65536);
    const Participant__Points__V1__AwardPointsResponse *response =
        effect_answer(answer, &participant__points__v1__award_points_response__descriptor, &arena);
    if (response && trade->row.after[AFTER_AWARD].state == AFTER_PENDING)
        trade_edit(trade)->points_awarded = response->points;
    after_answered(turn, AFTER_AWARD, outcome, response != NULL);
    arena_release(&arena);
}

void purchase_award_ruled(struct saga_turn *turn, const struct saga_ruling *ruling) {
    if (ruling->act == SAGA_ACT_SKIP)
        after_given_up(turn, AFTER_AWARD);
}

void purchase_issue_coupons(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    Participant__Coupon__V1__IssueCouponsRequest request = PARTICIPANT__COUPON__V1__ISSUE_COUPONS_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = effect_money(trade, trade->row.paid);
    struct adapter_effect effect = effect_of(call);
    if (after_never(call, AFTER_ISSUE))
        return;
    request.user_id = view_text(trade->row.user_id);
    request.station_id = view_text(trade->row.station_id);
    request.paid = &amount;
    coupon_issue(&effect_adapters(call)->coupon, &effect, &request, effect_done_unless_cancelled, call);
}

void purchase_coupons_issued(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op;
    after_answered(turn, AFTER_ISSUE, outcome, !str_empty(answer));
}

void purchase_issue_ruled(struct saga_turn *turn, const struct saga_ruling *ruling) {
    if (ruling->act == SAGA_ACT_SKIP)
        after_given_up(turn, AFTER_ISSUE);
}

void purchase_record_settlement(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct arena arena;
    arena_init(&arena, 1 << 20);
    Participant__Settlement__V1__RecordTradeRequest request = PARTICIPANT__SETTLEMENT__V1__RECORD_TRADE_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    books_postings(trade, trade->row.paid_entry, &arena, &request.postings, &request.n_postings);
    request.tenant_id = view_text(trade->row.tenant_id);
    request.station_id = view_text(trade->row.station_id);
    request.shift_id = view_text(trade->row.shift_id);
    request.business_date = view_text(trade->row.business_date);
    request.paid_at = view_time(trade->row.paid_ms, &arena);
    settlement_record(&effect_adapters(call)->settlement, &effect, &request, effect_done_bare, call);
    arena_release(&arena);
}

void purchase_record_ruled(struct saga_turn *turn, const struct saga_ruling *ruling) {
    if (ruling->act == SAGA_ACT_SKIP)
        purchase_end_missed(turn, STEP_RECORD_SETTLEMENT, MISSED_SETTLEMENT);
}

void purchase_push_paid(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    Participant__Push__V1__PushRequest request = PARTICIPANT__PUSH__V1__PUSH_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    char amount[MONEY_TEXT_MAX], text[TRADE_ID_MAX + MONEY_TEXT_MAX + 32];
    struct money sum = {.minor = trade->row.paid};
    memcpy(sum.currency, trade->row.currency, sizeof sum.currency);
    money_format(sum, amount);
    snprintf(text, sizeof text, "Order %s paid: %s", trade->row.order_no, amount);
    request.station_id = view_text(trade->row.station_id);
    request.event = view_text("PAID");
    request.text = text;
    push_send(&effect_adapters(call)->push, &effect, &request, effect_done_bare, call);
}
