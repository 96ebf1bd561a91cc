#include "flows/trade/after.h"

#include "flows/trade/effect.h"
#include "flows/trade/refund.h"

void after_paid(struct trade *trade) {
    for (int benefit = 0; benefit < AFTERS; benefit++)
        trade_edit(trade)->after[benefit] = (struct after){.state = AFTER_PENDING, .generation = 1};
}

void after_refunded(struct trade *trade) {
    for (int benefit = 0; benefit < AFTERS; benefit++)
        if (trade->row.after[benefit].state == AFTER_PENDING)
            trade_edit(trade)->after[benefit].state = AFTER_CANCELLED;
}

bool after_never(struct saga_call *call, enum after_benefit benefit) {
    if (effect_trade(call)->row.after[benefit].state != AFTER_CANCELLED)
        return false;
    saga_call_ok(call, STR_NONE);
    return true;
}

void after_answered(struct saga_turn *turn, enum after_benefit benefit, enum outcome outcome, bool applied) {
    struct after *after = &trade_edit(trade_of(saga_turn_subject(turn)))->after[benefit];
    if (outcome == OUTCOME_REJECTED)
        after->generation++; // another try will be made under the next key
    else if (after->state == AFTER_PENDING)
        after->state = applied ? AFTER_APPLIED : AFTER_CANCELLED;
    refund_poke_all(turn);
}

void after_given_up(struct saga_turn *turn, enum after_benefit benefit) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    if (trade->row.after[benefit].state == AFTER_PENDING)
        trade_edit(trade)->after[benefit].state = AFTER_CANCELLED;
    refund_poke_all(turn);
}

void after_key(const struct trade *trade, enum after_benefit benefit, uint16_t step_id, char out[SAGA_KEY_MAX]) {
    char gid[TRADE_GID_MAX];
    trade_purchase_gid(trade, gid);
    saga_key(gid, step_id, 0, (uint32_t)trade->row.after[benefit].generation, out);
}
