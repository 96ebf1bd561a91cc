// The user's growth.
#include "adapters/level/level.h"
#include "flows/trade/after.h"
#include "flows/trade/refund_end.h"
#include "flows/trade/refund_leg.h"

static void give(struct saga_call *call, enum after_benefit benefit) {
    Participant__Level__V1__ReportGrowthRequest request = PARTICIPANT__LEVEL__V1__REPORT_GROWTH_REQUEST__INIT;
    Txcenter__Type__V1__Money paid;
    struct adapter_effect effect = effect_of(call);
    (void)benefit;
    AFTER_PAYMENT(&request, effect_trade(call), &paid);
    level_report(&effect_adapters(call)->level, &effect, &request, effect_done_unless_cancelled, call);
}

static void cancel(struct saga_call *call, enum after_benefit benefit) {
    Participant__Level__V1__CancelGrowthRequest request = PARTICIPANT__LEVEL__V1__CANCEL_GROWTH_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    struct adapter_effect effect = after_undo_effect(call, benefit, key);
    level_cancel_report(&effect_adapters(call)->level, &effect, &request, effect_done_bare, call);
}

static void take(struct saga_call *call, enum after_benefit benefit) {
    struct trade *trade = effect_trade(call);
    struct refund_row *refund = refund_of_call(call);
    if (trade->row.paid == 0) {
        cancel(call, benefit); // it cost nothing: no money is part of it, so all of it goes
        return;
    }
    Participant__Level__V1__ReverseGrowthRequest request = PARTICIPANT__LEVEL__V1__REVERSE_GROWTH_REQUEST__INIT;
    Txcenter__Type__V1__Money refunded = effect_money(trade, refund->amount);
    struct adapter_effect effect = effect_of(call);
    char key[SAGA_KEY_MAX];
    after_key(trade, benefit, key);
    request.refund_no = refund->refund_no;
    request.report_key = key;
    request.refunded = &refunded;
    level_reverse(&effect_adapters(call)->level, &effect, &request, effect_done_bare, call);
}

const struct follower follower_growth = {
    .applies = trade_has_user,
    .give = give,
    .answers = &level_report_method,
    .cancel = cancel,
    .takes = refund_end_gave_back,
    .take = take,
};
