// Coupons that are issued; those that were spent before a refund takes them back stay spent.
#include "adapters/coupon/coupon.h"
#include "flows/trade/after.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/shortfall.h"

static void give(struct saga_call *call, enum after_benefit benefit) {
    Participant__Coupon__V1__IssueCouponsRequest request = PARTICIPANT__COUPON__V1__ISSUE_COUPONS_REQUEST__INIT;
    Txcenter__Type__V1__Money paid;
    struct adapter_effect effect = effect_of(call);
    (void)benefit;
    AFTER_PAYMENT(&request, effect_trade(call), &paid);
    coupon_issue(&effect_adapters(call)->coupon, &effect, &request, effect_done_unless_cancelled, call);
}

static void cancel(struct saga_call *call, enum after_benefit benefit) {
    Participant__Coupon__V1__WithdrawCouponsRequest request = PARTICIPANT__COUPON__V1__WITHDRAW_COUPONS_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    struct adapter_effect effect = after_undo_effect(call, benefit, key);
    coupon_withdraw(&effect_adapters(call)->coupon, &effect, &request, effect_done, call);
}

static void taken(struct saga_turn *turn, struct str answer) {
    struct arena arena;
    arena_init(&arena, 1 << 20);
    const Participant__Coupon__V1__WithdrawCouponsResponse *response =
        effect_answer(answer, &participant__coupon__v1__withdraw_coupons_response__descriptor, &arena);
    if (response) {
        struct refund_row *refund = trade_change(trade_of(saga_turn_subject(turn)), refund_of_turn(turn));
        refund->coupons_spent =
            after_spent_each(turn, SHORTFALL_COUPONS_SPENT, response->spent_ids, response->n_spent_ids);
    }
    arena_release(&arena);
}

const struct follower follower_issue = {
    .applies = trade_has_user,
    .give = give,
    .answers = &coupon_issue_method,
    .returns = trade_has_user,
    .cancel = cancel,
    .taken = taken,
};
