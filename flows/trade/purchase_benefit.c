// The benefits of an order: locked before it is made, used once it is paid, unlocked when it comes to nothing.
#include "flows/trade/purchase_step.h"

#include "adapters/coupon/coupon.h"
#include "adapters/points/points.h"
#include "flows/trade/chosen.h"
#include "flows/trade/view.h"

// ---- Which steps apply --------------------------------------------------------------------------------------------

unsigned purchase_has_coupons(const struct saga_subject *subject, struct str input) {
    (void)input;
    return chosen_has_coupons(trade_of_const(subject));
}

unsigned purchase_has_points(const struct saga_subject *subject, struct str input) {
    (void)input;
    return trade_of_const(subject)->row.points > 0;
}

// ---- Coupons ------------------------------------------------------------------------------------------------------

void purchase_lock_coupons(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct arena arena;
    arena_init(&arena, CHOSEN_ARENA_MAX);
    Participant__Coupon__V1__LockCouponsRequest request = PARTICIPANT__COUPON__V1__LOCK_COUPONS_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    request.user_id = view_text(trade->row.user_id);
    request.n_coupon_ids = chosen_coupons(trade, &arena, &request.coupon_ids);
    coupon_lock(&effect_adapters(call)->coupon, &effect, &request, effect_done_bare, call);
    arena_release(&arena);
}

void purchase_inquire_coupons(struct saga_call *call) {
    struct adapter_effect effect = effect_of(call);
    adapter_inquire(&effect_adapters(call)->coupon, &coupon_inquire_method, &coupon_lock_method, &effect,
                    effect_done_bare, call);
}

void purchase_unlock_coupons(struct saga_call *call) {
    Participant__Coupon__V1__UnlockCouponsRequest request = PARTICIPANT__COUPON__V1__UNLOCK_COUPONS_REQUEST__INIT;
    struct effect_whose whose;
    struct adapter_effect effect = purchase_undo_effect(call, STEP_LOCK_COUPONS, &whose);
    coupon_unlock(&effect_adapters(call)->coupon, &effect, &request, effect_done_bare, call);
}

void purchase_use_coupons(struct saga_call *call) {
    struct arena arena;
    arena_init(&arena, CHOSEN_ARENA_MAX);
    Participant__Coupon__V1__UseCouponsRequest request = PARTICIPANT__COUPON__V1__USE_COUPONS_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    char lock_key[SAGA_KEY_MAX];
    saga_call_key_of(call, STEP_LOCK_COUPONS, 0, lock_key);
    request.lock_key = lock_key;
    request.n_coupon_ids = chosen_coupons(effect_trade(call), &arena, &request.coupon_ids);
    coupon_use(&effect_adapters(call)->coupon, &effect, &request, effect_done_bare, call);
    arena_release(&arena);
}

// ---- Points -------------------------------------------------------------------------------------------------------

void purchase_freeze_points(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    Participant__Points__V1__FreezePointsRequest request = PARTICIPANT__POINTS__V1__FREEZE_POINTS_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    request.user_id = view_text(trade->row.user_id);
    request.points = trade->row.points;
    points_freeze(&effect_adapters(call)->points, &effect, &request, effect_done_bare, call);
}

void purchase_inquire_points(struct saga_call *call) {
    struct adapter_effect effect = effect_of(call);
    adapter_inquire(&effect_adapters(call)->points, &points_inquire_method, &points_freeze_method, &effect,
                    effect_done_bare, call);
}

void purchase_unfreeze_points(struct saga_call *call) {
    Participant__Points__V1__UnfreezePointsRequest request = PARTICIPANT__POINTS__V1__UNFREEZE_POINTS_REQUEST__INIT;
    struct effect_whose whose;
    struct adapter_effect effect = purchase_undo_effect(call, STEP_FREEZE_POINTS, &whose);
    points_unfreeze(&effect_adapters(call)->points, &effect, &request, effect_done_bare, call);
}
void purchase_deduct_points(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    Participant__Points__V1__DeductPointsRequest request = PARTICIPANT__POINTS__V1__DEDUCT_POINTS_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    char freeze_key[SAGA_KEY_MAX];
    saga_call_key_of(call, STEP_FREEZE_POINTS, 0, freeze_key);
    request.freeze_key = freeze_key;
    request.user_id = view_text(trade->row.user_id);
    request.points = trade->row.points;
    points_deduct(&effect_adapters(call)->points, &effect, &request, effect_done_bare, call);
}
