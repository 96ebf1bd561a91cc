// Gifts for what was spent; those that were used before a refund takes them back stay used.
#include "adapters/activity/activity.h"
#include "flows/trade/after.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/shortfall.h"

static void give(struct saga_call *call, enum after_benefit benefit) {
    struct trade *trade = effect_trade(call);
    Participant__Activity__V1__EvaluateTradeRequest request = PARTICIPANT__ACTIVITY__V1__EVALUATE_TRADE_REQUEST__INIT;
    Txcenter__Type__V1__Money paid;
    struct adapter_effect effect = effect_of(call);
    (void)benefit;
    AFTER_PAYMENT(&request, trade, &paid);
    request.channel = view_text(trade->row.channel);
    activity_evaluate(&effect_adapters(call)->activity, &effect, &request, effect_done_unless_cancelled, call);
}

static void cancel(struct saga_call *call, enum after_benefit benefit) {
    Participant__Activity__V1__CancelEvaluationRequest request =
        PARTICIPANT__ACTIVITY__V1__CANCEL_EVALUATION_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    struct adapter_effect effect = after_undo_effect(call, benefit, key);
    activity_cancel_evaluation(&effect_adapters(call)->activity, &effect, &request, effect_done, call);
}

static void taken(struct saga_turn *turn, struct str answer) {
    struct arena arena;
    arena_init(&arena, 1 << 20);
    const Participant__Activity__V1__CancelEvaluationResponse *response =
        effect_answer(answer, &participant__activity__v1__cancel_evaluation_response__descriptor, &arena);
    if (response) {
        struct refund_row *refund = trade_change(trade_of(saga_turn_subject(turn)), refund_of_turn(turn));
        refund->gifts_spent = after_spent_each(turn, SHORTFALL_GIFTS_SPENT, response->used_ids, response->n_used_ids);
    }
    arena_release(&arena);
}

const struct follower follower_gift = {
    .applies = trade_has_user,
    .give = give,
    .answers = &activity_evaluate_method,
    .returns = trade_has_user,
    .cancel = cancel,
    .taken = taken,
};
