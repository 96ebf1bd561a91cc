// Points that are awarded; each refund takes back its share. How many came is known only when they have.
#include "adapters/points/points.h"
#include "flows/trade/after.h"
#include "flows/trade/moved.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/refund_plan.h"
#include "flows/trade/shortfall.h"

static void give(struct saga_call *call, enum after_benefit benefit) {
    Participant__Points__V1__AwardPointsRequest request = PARTICIPANT__POINTS__V1__AWARD_POINTS_REQUEST__INIT;
    Txcenter__Type__V1__Money paid;
    struct adapter_effect effect = effect_of(call);
    (void)benefit;
    AFTER_PAYMENT(&request, effect_trade(call), &paid);
    const struct effect_expected expected = {moved_award, 0, "the points system awarded what can't be points",
                                             effect_done_unless_cancelled};
    points_award(&effect_adapters(call)->points, &effect, &request, effect_done_as_expected,
                 effect_expecting(call, &expected));
}

static bool fits(struct saga_turn *turn, const ProtobufCMessage *answer) {
    (void)turn;
    return moved_award(answer, 0, "");
}

static bool given(struct trade *trade, struct str answer) {
    struct arena arena;
    arena_init(&arena, 65536);
    const Participant__Points__V1__AwardPointsResponse *response =
        effect_answer(answer, &participant__points__v1__award_points_response__descriptor, &arena);
    bool good = response != NULL;
    if (good && trade->row.after[AFTER_AWARD].state == AFTER_PENDING)
        trade_edit(trade)->points_awarded = response->points;
    arena_release(&arena);
    return good;
}

static int64_t share_of(const struct trade *trade, const struct refund_row *refund) {
    return refund_plan_share(trade->row.points_awarded, refund, trade->row.paid);
}

static bool takes(const struct trade *trade, const struct refund_row *refund) {
    return share_of(trade, refund) > 0;
}

static void cancel(struct saga_call *call, enum after_benefit benefit) {
    Participant__Points__V1__CancelAwardRequest request = PARTICIPANT__POINTS__V1__CANCEL_AWARD_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    struct adapter_effect effect = after_undo_effect(call, benefit, key);
    request.user_id = view_text(effect_trade(call)->row.user_id);
    const struct effect_expected expected = {moved_cancelled, 0, "the points system took back what can't be points",
                                             effect_done};
    points_cancel_award(&effect_adapters(call)->points, &effect, &request, effect_done_as_expected,
                        effect_expecting(call, &expected));
}

static void take(struct saga_call *call, enum after_benefit benefit) {
    struct trade *trade = effect_trade(call);
    struct refund_row *refund = refund_of_call(call);
    struct adapter_effect effect = effect_of(call);
    char key[SAGA_KEY_MAX];
    after_key(trade, benefit, key);
    Participant__Points__V1__ClawBackPointsRequest request = PARTICIPANT__POINTS__V1__CLAW_BACK_POINTS_REQUEST__INIT;
    request.refund_no = refund->refund_no;
    request.user_id = view_text(trade->row.user_id);
    request.award_key = key;
    request.points = share_of(trade, refund);
    const struct effect_expected expected = {
        moved_back, request.points, "the points system took back another number than it was asked to", effect_done};
    points_claw_back(&effect_adapters(call)->points, &effect, &request, effect_done_as_expected,
                     effect_expecting(call, &expected));
}

static void taken(struct saga_turn *turn, struct str answer) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = refund_of_turn(turn);
    struct arena arena;
    arena_init(&arena, 65536);
    const Participant__Points__V1__ClawBackPointsResponse *response =
        effect_answer(answer, &participant__points__v1__claw_back_points_response__descriptor, &arena);
    trade_change(trade, refund);
    if (response) {
        refund->points_clawed_back = response->points;
        refund->points_shortfall = response->shortfall;
        trade_edit(trade)->points_clawed_back += response->points;
        if (response->shortfall > 0)
            after_spent(turn, SHORTFALL_POINTS_SPENT, refund->refund_no, response->shortfall);
    }
    arena_release(&arena);
}

static void ruled(struct saga_turn *turn, bool skipped) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = trade_change(trade, refund_of_turn(turn));
    int64_t points = trade->row.after[AFTER_AWARD].state == AFTER_APPLIED ? share_of(trade, refund) : 0;
    *(skipped ? &refund->points_shortfall : &refund->points_clawed_back) = points;
    trade_edit(trade)->points_clawed_back += skipped ? 0 : points;
}

const struct follower follower_award = {
    .applies = trade_has_user,
    .give = give,
    .answers = &points_award_method,
    .fits = fits,
    .given = given,
    .cancel = cancel,
    .taken = taken,
    .takes = takes,
    .unknown = true,
    .take = take,
    .ruled = ruled,
};
