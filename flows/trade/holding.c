#include "flows/trade/holding.h"

#include "flows/trade/purchase_step.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/refund_step.h"
#include "flows/trade/shortfall.h"

#include <assert.h>

// ---- The rows -----------------------------------------------------------------------------------------------------

#define X(NAME, name_, missed_, participant_, hold, use, let_go, give_back, ...)                                       \
    {.is = &holding_##name_,                                                                                           \
     .name = #name_,                                                                                                   \
     .participant = participant_,                                                                                      \
     .missed = MISSED_##NAME,                                                                                          \
     .steps = {ROW_STEP_ID hold, ROW_STEP_ID use, ROW_STEP_ID let_go, ROW_STEP_ID give_back}},
const struct holding_row holding_rows[HOLDINGS] = {TRADE_HOLDINGS(X)};
#undef X

#define OTHERS(op) (MISSED_SETTLEMENT op MISSED_RECHARGE op MISSED_PERHAPS)
#define X(NAME, ...) +MISSED_##NAME
enum { MISSED_SUM = OTHERS(+) TRADE_HOLDINGS(X) };
#undef X
#define X(NAME, ...) | MISSED_##NAME
static_assert(MISSED_SUM == (OTHERS(|) TRADE_HOLDINGS(X)), "each has a bit of its own");
#undef X

const struct holding_row *holding_of_step(enum holding_step which, uint16_t step_id) {
    for (size_t i = 0; i < HOLDINGS; i++)
        if (holding_rows[i].steps[which] == step_id)
            return &holding_rows[i];
    return NULL;
}

const struct holding_row *holding_named(const char *name) {
    for (size_t i = 0; i < HOLDINGS; i++)
        if (strcmp(holding_rows[i].name, name) == 0)
            return &holding_rows[i];
    return NULL;
}

static const struct holding_row *of_call(const struct saga_call *call, enum holding_step which) {
    return holding_of_step(which, saga_call_step(call)->id);
}

static bool is_missed(const struct holding_row *row, const struct trade *trade) {
    return trade->row.missed & (int32_t)row->missed;
}

bool holding_any_missed(const struct trade *trade) {
    for (size_t i = 0; i < HOLDINGS; i++)
        if (is_missed(&holding_rows[i], trade))
            return true;
    return false;
}

// ---- Which steps apply --------------------------------------------------------------------------------------------

// Whether a refund gives it back. What the trade may still hold, though an adjustment has left nothing of it to use, is
// let go of then; whether it does is known only when the purchase is over. (What comes back in parts is lines, which
// stay.) Which refund is the last is not known before its money is back, so it is a step of each.
static bool returns(const struct holding_row *row, const struct saga_subject *subject, struct str input) {
    const struct trade *trade = trade_of_const(subject);
    bool may_hold = !row->is->comes_back && (is_missed(row, trade) || trade->row.adjust == ADJUST_DONE);
    return refund_of_trade(subject, input) && (row->is->has(trade) || may_hold);
}

#define X(NAME, name, ...)                                                                                             \
    unsigned holding_has_##name(const struct saga_subject *subject, struct str input) {                                \
        (void)input;                                                                                                   \
        return holding_##name.has(trade_of_const(subject));                                                            \
    }                                                                                                                  \
    unsigned holding_locks_##name(const struct saga_subject *subject, struct str input) {                              \
        return trade_locks_first(trade_of_const(subject)) && holding_has_##name(subject, input);                       \
    }                                                                                                                  \
    unsigned holding_returns_##name(const struct saga_subject *subject, struct str input) {                            \
        return returns(holding_named(#name), subject, input);                                                          \
    }
TRADE_HOLDINGS(X)
#undef X

// ---- Held, and let go of ------------------------------------------------------------------------------------------

void holding_hold(struct saga_call *call) {
    struct adapter_effect effect = effect_of(call);
    of_call(call, HOLDING_HOLD)->is->hold(call, &effect);
}

void holding_inquire(struct saga_call *call) {
    struct adapter_effect effect = effect_of(call);
    of_call(call, HOLDING_HOLD)->is->inquire(call, &effect);
}

static void let_go(struct saga_call *call, const struct holding_row *row) {
    struct effect_whose whose;
    if (row->is->let_go_later && !trade_locks_first(effect_trade(call))) {
        row->is->let_go_later(call);
        return;
    }
    struct adapter_effect effect = purchase_undo_effect(call, row->steps[HOLDING_HOLD], &whose);
    row->is->let_go(call, &effect);
}

void holding_undo(struct saga_call *call) {
    let_go(call, of_call(call, HOLDING_HOLD));
}

void holding_let_go(struct saga_call *call) {
    let_go(call, of_call(call, HOLDING_LET_GO));
}

// ---- Used ---------------------------------------------------------------------------------------------------------

// The key under which it is held; empty when it is not.
static void held_key(const struct saga_call *call, const struct holding_row *row, char out[SAGA_KEY_MAX]) {
    out[0] = '\0';
    if (trade_locks_first(effect_trade(call)))
        saga_call_key_of(call, row->steps[HOLDING_HOLD], 0, out);
    else if (row->is->later_key)
        row->is->later_key(effect_trade(call), out);
}

void holding_use_as(struct saga_call *call, const struct holding_row *row, const struct adapter_effect *effect,
                    adapter_done_fn *done) {
    char key[SAGA_KEY_MAX];
    held_key(call, row, key);
    if (row->is->use(call, effect, key, done))
        return;
    if (key[0])
        let_go(call, row); // an adjustment has left nothing of it
    else
        saga_call_ok(call, STR_NONE);
}

// What was not locked before may be gone. (Decided now: in its answer a call may have no trade any more.)
void holding_use(struct saga_call *call) {
    struct adapter_effect effect = effect_of(call);
    holding_use_as(call, of_call(call, HOLDING_USE), &effect,
                   trade_locks_first(effect_trade(call)) ? effect_done_bare : effect_done_as_short);
}

// What was to be used is gone: it was never used, so it does not come back either.
void holding_used(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op, (void)outcome;
    struct trade *trade = trade_of(saga_turn_subject(turn));
    const struct holding_row *row = holding_of_step(HOLDING_USE, saga_turn_step(turn)->id);
    struct holding_worth worth = row->is->worth(trade);
    if (shortfall_of_answer(turn, answer, row->name, worth.amount, worth.points))
        trade_edit(trade)->missed |= (int32_t)row->missed;
}

// ---- Given back ---------------------------------------------------------------------------------------------------

// Whether this refund gives back any of it, or lets go of it because it was never used: of all of it at once, so the
// one does after which the buyer keeps none.
static bool comes_back(const struct holding_row *row, const struct trade *trade, const struct refund_row *refund) {
    return row->is->comes_back && !is_missed(row, trade) ? row->is->comes_back(trade, refund) : refund->final;
}

void holding_give_back(struct saga_call *call) {
    const struct trade *trade = effect_trade(call);
    const struct holding_row *row = of_call(call, HOLDING_GIVE_BACK);
    struct adapter_effect effect = effect_of(call);
    if (!comes_back(row, trade, refund_of_call(call)))
        saga_call_ok(call, STR_NONE);
    else if (is_missed(row, trade))
        let_go(call, row);
    else if (row->is->has(trade))
        row->is->give_back(call, &effect);
    else
        saga_call_ok(call, STR_NONE); // the purchase has let go of it
}

void holding_given_back(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op, (void)answer;
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = refund_of_turn(turn);
    const struct holding_row *row = holding_of_step(HOLDING_GIVE_BACK, saga_turn_step(turn)->id);
    bool came = outcome == OUTCOME_OK && comes_back(row, trade, refund) && !is_missed(row, trade);
    if (came && row->is->given_back)
        row->is->given_back(trade, refund);
}
