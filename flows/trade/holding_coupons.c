#include "adapters/coupon/coupon.h"
#include "flows/trade/chosen.h"
#include "flows/trade/holding.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/view.h"

static bool has(const struct trade *trade) {
    return trade->row.coupons > 0;
}

static void hold(struct saga_call *call, const struct adapter_effect *effect) {
    struct trade *trade = effect_trade(call);
    struct arena arena;
    arena_init(&arena, CHOSEN_ARENA_MAX);
    Participant__Coupon__V1__LockCouponsRequest request = PARTICIPANT__COUPON__V1__LOCK_COUPONS_REQUEST__INIT;
    request.user_id = view_text(trade->row.user_id);
    request.n_coupon_ids = chosen_coupons(trade, &arena, &request.coupon_ids);
    if (request.n_coupon_ids > 0)
        coupon_lock(&effect_adapters(call)->coupon, effect, &request, effect_done_bare, call);
    else
        effect_unreadable(call);
    arena_release(&arena);
}

static void inquire(struct saga_call *call, const struct adapter_effect *effect) {
    adapter_inquire(&effect_adapters(call)->coupon, &coupon_inquire_method, &coupon_lock_method, effect,
                    effect_done_bare, call);
}

static void let_go(struct saga_call *call, const struct adapter_effect *effect) {
    Participant__Coupon__V1__UnlockCouponsRequest request = PARTICIPANT__COUPON__V1__UNLOCK_COUPONS_REQUEST__INIT;
    coupon_unlock(&effect_adapters(call)->coupon, effect, &request, effect_done_bare, call);
}

static bool use(struct saga_call *call, const struct adapter_effect *effect, const char *held_key,
                adapter_done_fn *done) {
    struct arena arena;
    arena_init(&arena, CHOSEN_ARENA_MAX);
    Participant__Coupon__V1__UseCouponsRequest request = PARTICIPANT__COUPON__V1__USE_COUPONS_REQUEST__INIT;
    request.lock_key = view_text(held_key);
    request.n_coupon_ids = chosen_coupons(effect_trade(call), &arena, &request.coupon_ids);
    bool any = has(effect_trade(call));
    if (request.n_coupon_ids > 0)
        coupon_use(&effect_adapters(call)->coupon, effect, &request, done, call);
    else if (any)
        effect_unreadable(call);
    arena_release(&arena);
    return any;
}

static struct holding_worth worth(const struct trade *trade) {
    return (struct holding_worth){.amount = trade->row.discount[SOLVER_LAYER_COUPON]};
}

static void give_back(struct saga_call *call, const struct adapter_effect *effect) {
    struct arena arena;
    arena_init(&arena, CHOSEN_ARENA_MAX);
    Participant__Coupon__V1__GiveBackCouponsRequest request = PARTICIPANT__COUPON__V1__GIVE_BACK_COUPONS_REQUEST__INIT;
    request.refund_no = refund_of_call(call)->refund_no;
    request.n_coupon_ids = chosen_coupons(effect_trade(call), &arena, &request.coupon_ids);
    if (request.n_coupon_ids > 0)
        coupon_give_back(&effect_adapters(call)->coupon, effect, &request, effect_done_bare, call);
    else
        effect_unreadable(call);
    arena_release(&arena);
}

const struct holding holding_coupons = {
    .refused = ERR_BENEFIT_UNAVAILABLE,
    .has = has,
    .hold = hold,
    .inquire = inquire,
    .let_go = let_go,
    .use = use,
    .worth = worth,
    .give_back = give_back,
};
