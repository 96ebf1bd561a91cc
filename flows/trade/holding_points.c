// Points; of an order that locks nothing first each payment attempt freezes them (payment.h, D47).
#include "adapters/points/points.h"
#include "flows/trade/holding.h"
#include "flows/trade/payment.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/view.h"

static bool has(const struct trade *trade) {
    return trade->row.points > 0;
}

static void hold(struct saga_call *call, const struct adapter_effect *effect) {
    struct trade *trade = effect_trade(call);
    Participant__Points__V1__FreezePointsRequest request = PARTICIPANT__POINTS__V1__FREEZE_POINTS_REQUEST__INIT;
    request.user_id = view_text(trade->row.user_id);
    request.points = trade->row.points;
    points_freeze(&effect_adapters(call)->points, effect, &request, effect_done_bare, call);
}

static void inquire(struct saga_call *call, const struct adapter_effect *effect) {
    adapter_inquire(&effect_adapters(call)->points, &points_inquire_method, &points_freeze_method, effect,
                    effect_done_bare, call);
}

static void let_go(struct saga_call *call, const struct adapter_effect *effect) {
    Participant__Points__V1__UnfreezePointsRequest request = PARTICIPANT__POINTS__V1__UNFREEZE_POINTS_REQUEST__INIT;
    points_unfreeze(&effect_adapters(call)->points, effect, &request, effect_done_bare, call);
}

static bool use(struct saga_call *call, const struct adapter_effect *effect, const char *held_key,
                adapter_done_fn *done) {
    struct trade *trade = effect_trade(call);
    Participant__Points__V1__DeductPointsRequest request = PARTICIPANT__POINTS__V1__DEDUCT_POINTS_REQUEST__INIT;
    if (!has(trade))
        return false;
    request.freeze_key = view_text(held_key);
    request.user_id = view_text(trade->row.user_id);
    request.points = trade->row.points;
    points_deduct(&effect_adapters(call)->points, effect, &request, done, call);
    return true;
}

static struct holding_worth worth(const struct trade *trade) {
    return (struct holding_worth){trade->row.discount[SOLVER_LAYER_POINTS], trade->row.points};
}

static void give_back(struct saga_call *call, const struct adapter_effect *effect) {
    struct trade *trade = effect_trade(call);
    Participant__Points__V1__GiveBackPointsRequest request = PARTICIPANT__POINTS__V1__GIVE_BACK_POINTS_REQUEST__INIT;
    request.refund_no = refund_of_call(call)->refund_no;
    request.user_id = view_text(trade->row.user_id);
    request.points = trade->row.points;
    points_give_back(&effect_adapters(call)->points, effect, &request, effect_done_bare, call);
}

static void given_back(struct trade *trade, struct refund_row *refund) {
    trade_change(trade, refund);
    refund->points_given_back = trade->row.points;
}

const struct holding holding_points = {
    .refused = ERR_BENEFIT_UNAVAILABLE,
    .has = has,
    .hold = hold,
    .inquire = inquire,
    .let_go = let_go,
    .use = use,
    .worth = worth,
    .give_back = give_back,
    .given_back = given_back,
    .later_key = payment_points_key,
    .let_go_later = payment_unfreeze_paid,
};
