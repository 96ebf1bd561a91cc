#include "flows/trade/after.h"

#include "flows/trade/refund.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/shortfall.h"

#define X(NAME, name, since, participant, give, when_given, how, take_back, ...)                                       \
    [AFTER_##NAME] = {&follower_##name, ROW_STEP_ID give, ROW_STEP_ID take_back},
const struct follower_row follower_rows[AFTERS] = {AFTER_TABLE(X)};
#undef X

static bool applies(enum after_benefit benefit, const struct trade *trade) {
    const struct follower *follower = follower_rows[benefit].is;
    return !follower->applies || follower->applies(trade);
}

#define X(NAME, name, ...)                                                                                             \
    unsigned after_applies_##name(const struct saga_subject *subject, struct str input) {                              \
        (void)input;                                                                                                   \
        return applies(AFTER_##NAME, trade_of_const(subject));                                                         \
    }
AFTER_TABLE(X)
#undef X

enum after_benefit after_of_step(uint16_t step_id) {
    int benefit = 0;
    while (benefit < AFTERS && follower_rows[benefit].give_step != step_id)
        benefit++;
    return (enum after_benefit)benefit;
}

enum after_benefit after_of_take_step(uint16_t step_id) {
    int benefit = 0;
    while (benefit < AFTERS && follower_rows[benefit].take_step != step_id)
        benefit++;
    return (enum after_benefit)benefit;
}

void after_paid(struct trade *trade) {
    for (int benefit = 0; benefit < AFTERS; benefit++)
        if (applies((enum after_benefit)benefit, trade))
            trade_edit(trade)->after[benefit] = (struct after){.state = AFTER_PENDING, .generation = 1};
}

void after_refunded(struct trade *trade) {
    for (int benefit = 0; benefit < AFTERS; benefit++)
        if (trade->row.after[benefit].state == AFTER_PENDING)
            trade_edit(trade)->after[benefit].state = AFTER_CANCELLED;
}

void after_over(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    for (int benefit = 0; benefit < AFTERS; benefit++)
        if (trade->row.after[benefit].state == AFTER_PENDING &&
            saga_turn_happened(turn, follower_rows[benefit].give_step, 0) != SAGA_HAPPENED_NOT)
            trade_edit(trade)->after[benefit].state = AFTER_UNSURE;
    after_refunded(trade);
    refund_poke_all(turn);
}

bool after_may_skip(struct saga_turn *turn, enum after_benefit benefit, struct error *error) {
    const struct follower_row *row = &follower_rows[benefit];
    return !row->is->take || saga_turn_happened(turn, row->give_step, 0) == SAGA_HAPPENED_NOT ||
           error_set(error, ERR_SAGA_STATE, "whether it came is not known: retry it, or resolve it");
}

void after_give(struct saga_call *call) {
    enum after_benefit benefit = after_of_step(saga_call_step(call)->id);
    int32_t state = effect_trade(call)->row.after[benefit].state;
    if (state == AFTER_CANCELLED || state == AFTER_NONE)
        saga_call_ok(call, STR_NONE); // it is never to come
    else
        follower_rows[benefit].is->give(call, benefit);
}

void after_answered(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op;
    struct trade *trade = trade_of(saga_turn_subject(turn));
    enum after_benefit benefit = after_of_step(saga_turn_step(turn)->id);
    const struct follower *follower = follower_rows[benefit].is;
    bool came = !str_empty(answer) && (!follower->given || follower->given(trade, answer));
    struct after *after = &trade_edit(trade)->after[benefit];
    if (outcome == OUTCOME_REJECTED)
        after->generation++; // another try will be made under the next key
    else if (after->state == AFTER_PENDING)
        after->state = came ? AFTER_APPLIED : AFTER_CANCELLED;
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
    saga_key(gid, follower_rows[benefit].give_step, 0, (uint32_t)trade->row.after[benefit].generation, out);
}

struct adapter_effect after_undo_effect(const struct saga_call *call, enum after_benefit benefit,
                                        char key[SAGA_KEY_MAX]) {
    struct adapter_effect effect = effect_of(call);
    after_key(effect_trade(call), benefit, key);
    effect.key = key;
    return effect;
}

void after_spent(struct saga_turn *turn, const char *what, const char *text, int64_t points) {
    shortfall_add(turn, &(struct shortfall){.what = what, .reason = "ALREADY_SPENT", .text = text, .points = points});
}

enum { NAMED_MAX = 20 };
int32_t after_spent_each(struct saga_turn *turn, const char *what, char *const *ids, size_t n) {
    char rest[SAGA_TEXT_MAX];
    for (size_t i = 0; i < n && i < NAMED_MAX; i++)
        after_spent(turn, what, ids[i], 0);
    if (n > NAMED_MAX) {
        str_print(rest, sizeof rest, "%zu more", n - NAMED_MAX);
        after_spent(turn, what, rest, 0);
    }
    return (int32_t)n;
}
