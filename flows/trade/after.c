#include "flows/trade/after.h"

#include "flows/trade/invoicing.h"
#include "flows/trade/purchase.h"
#include "flows/trade/refund.h"

static const struct {
    uint16_t step_id;
    bool (*applies)(const struct trade *trade); // NULL: to every trade
} benefits[AFTERS] = {
    [AFTER_AWARD] = {STEP_AWARD_POINTS, trade_has_user},
    [AFTER_ISSUE] = {STEP_ISSUE_COUPONS, trade_has_user},
    [AFTER_GROWTH] = {STEP_REPORT_GROWTH, trade_has_user},
    [AFTER_MARKETING] = {STEP_RECORD_MARKETING, NULL},
    [AFTER_GIFT] = {STEP_EVALUATE_ACTIVITIES, trade_has_user},
    [AFTER_FUEL_INVOICE] = {STEP_ISSUE_FUEL_INVOICE, invoicing_has_fuel},
    [AFTER_GOODS_INVOICE] = {STEP_ISSUE_GOODS_INVOICE, invoicing_has_goods},
};

enum after_benefit after_of_step(uint16_t step_id) {
    int benefit = 0;
    while (benefit < AFTERS && benefits[benefit].step_id != step_id)
        benefit++;
    return (enum after_benefit)benefit;
}

void after_paid(struct trade *trade) {
    for (int benefit = 0; benefit < AFTERS; benefit++)
        if (!benefits[benefit].applies || benefits[benefit].applies(trade))
            trade_edit(trade)->after[benefit] = (struct after){.state = AFTER_PENDING, .generation = 1};
}

void after_refunded(struct trade *trade) {
    for (int benefit = 0; benefit < AFTERS; benefit++)
        if (trade->row.after[benefit].state == AFTER_PENDING)
            trade_edit(trade)->after[benefit].state = AFTER_CANCELLED;
}

void after_over(struct saga_turn *turn) {
    after_refunded(trade_of(saga_turn_subject(turn)));
    refund_poke_all(turn);
}

bool after_never(struct saga_call *call) {
    enum after_benefit benefit = after_of_step(saga_call_step(call)->id);
    int32_t state = effect_trade(call)->row.after[benefit].state;
    if (state != AFTER_CANCELLED && state != AFTER_NONE)
        return false;
    saga_call_ok(call, STR_NONE);
    return true;
}

void after_answered(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op;
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct after *after = &trade_edit(trade)->after[after_of_step(saga_turn_step(turn)->id)];
    if (outcome == OUTCOME_REJECTED)
        after->generation++; // another try will be made under the next key
    else if (after->state == AFTER_PENDING)
        after->state = str_empty(answer) ? AFTER_CANCELLED : AFTER_APPLIED;
    refund_poke_all(turn);
}

void after_ruled(struct saga_turn *turn, const struct saga_ruling *ruling) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    enum after_benefit benefit = after_of_step(saga_turn_step(turn)->id);
    if (ruling->act != SAGA_ACT_SKIP)
        return;
    if (trade->row.after[benefit].state == AFTER_PENDING)
        trade_edit(trade)->after[benefit].state = AFTER_CANCELLED;
    refund_poke_all(turn);
}

void after_key(const struct trade *trade, enum after_benefit benefit, char out[SAGA_KEY_MAX]) {
    char gid[TRADE_GID_MAX];
    trade_purchase_gid(trade, gid);
    saga_key(gid, benefits[benefit].step_id, 0, (uint32_t)trade->row.after[benefit].generation, out);
}

struct adapter_effect after_undo_effect(const struct saga_call *call, enum after_benefit benefit,
                                        char key[SAGA_KEY_MAX]) {
    struct adapter_effect effect = effect_of(call);
    after_key(effect_trade(call), benefit, key);
    effect.key = key;
    return effect;
}
