// Recharges of cards. The bonus follows from the amount; what is taken back is the bonus first and whole, and where it
// was spent meanwhile, as much less of the principal can be paid out.
#include "sim/card.h"

#include <inttypes.h>

#define PB(name) Participant__Card__V1__##name

enum { BONUS_BP = 1000, WHOLE_BP = 10000 }; // 10 % …
#define BONUS_LEAST 50000                   // … from 500.00 on

static const struct store_column columns[] = {
    STORE_COL_TEXT(sim_recharge_row, recharge_key),  STORE_COL_TEXT(sim_recharge_row, card_no),
    STORE_COL_I32(sim_recharge_row, cancelled),      STORE_COL_I64(sim_recharge_row, principal),
    STORE_COL_I64(sim_recharge_row, bonus),          STORE_COL_I64(sim_recharge_row, reversed_principal),
    STORE_COL_I64(sim_recharge_row, reversed_bonus),
};

const struct store_table sim_recharges_table = {
    .name = "sim_recharge",
    .row_size = sizeof(struct sim_recharge_row),
    .columns = columns,
    .n_columns = STORE_COUNT(columns),
    .n_key = 1,
    .since = 2,
};

static struct sim_card_row *card_of(struct sim_call *call, const struct sim_recharge_row *recharge) {
    return sim_find(call->system, SIM_CARDS, recharge->card_no);
}

static void move(struct sim_call *call, const char *kind, struct sim_recharge_row *recharge, struct sim_card_row *card,
                 int64_t principal, int64_t bonus, const char *detail) {
    card->principal += principal;
    card->bonus += bonus;
    sim_put(&call->change, card);
    sim_put(&call->change, recharge);
    bool back = principal < 0 || bonus < 0;
    sim_card_post(&call->change, kind, card, back ? -principal : principal, back ? -bonus : bonus,
                  recharge->cancelled ? "CANCELLED" : "CREDITED", detail);
}

void sim_recharge_card(struct sim_call *call) {
    const PB(RechargeCardRequest) *request = (const void *)call->request;
    if (!sim_wants_amount(call, request->principal, true, "principal"))
        return;
    struct sim_card_row *card = sim_find(call->system, SIM_CARDS, request->card_no);
    if (!card || (*request->user_id && strcmp(card->user_id, request->user_id) != 0)) {
        sim_reject(call, "NOT_FOUND", "there is no card %s of this user", request->card_no);
        return;
    }
    int64_t principal = request->principal->minor_units;
    int64_t bonus = principal >= BONUS_LEAST ? principal / WHOLE_BP * BONUS_BP : 0;
    if (strcmp(request->principal->currency, card->currency) != 0)
        sim_reject(call, "CURRENCY_MISMATCH", "card %s is in %s", card->card_no, card->currency);
    else if (card->frozen)
        sim_reject(call, "CARD_FROZEN", "card %s is frozen", card->card_no);
    else if (card->principal + card->bonus + card->held_principal + card->held_bonus > MONEY_MAX - principal - bonus)
        sim_reject(call, "OUT_OF_RANGE", "card %s is full", card->card_no);
    if (call->rejected)
        return;
    struct sim_recharge_row *recharge = sim_make(call->system, SIM_RECHARGES, call->effect->key);
    SIM_COPY(recharge->card_no, card->card_no);
    recharge->principal = principal;
    recharge->bonus = bonus;
    move(call, "recharge", recharge, card, principal, bonus, "");
    PB(RechargeCardResponse) response = PARTICIPANT__CARD__V1__RECHARGE_CARD_RESPONSE__INIT;
    response.credited = sim_card_amount(call, card->currency, principal, bonus);
    sim_answer(call, &response.base);
}

// ---- Taking back -----------------------------------------------------------------------------------------------

// What the next reversal takes of the bonus, and the most that it takes of the principal.
struct rest {
    int64_t bonus, principal;
};

static int64_t less(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static struct rest rest_of(const struct sim_recharge_row *recharge, const struct sim_card_row *card) {
    int64_t owed = recharge->bonus - recharge->reversed_bonus;
    struct rest rest = {.bonus = less(owed, card->bonus)};
    int64_t principal = less(recharge->principal - recharge->reversed_principal, card->principal) - (owed - rest.bonus);
    rest.principal = recharge->cancelled || principal < 0 ? 0 : principal;
    return rest;
}

void sim_cancel_recharge(struct sim_call *call) {
    struct sim_recharge_row *recharge = sim_find(call->system, SIM_RECHARGES, call->effect->key);
    struct sim_card_row *card = recharge ? card_of(call, recharge) : NULL;
    if (!card)
        return;
    int64_t principal = recharge->principal - recharge->reversed_principal;
    struct rest rest = rest_of(recharge, card);
    if (rest.principal < principal) {
        sim_reject(call, "ALREADY_SPENT", "of this recharge %" PRId64 " are left", rest.principal);
        return;
    }
    recharge->cancelled = 1;
    recharge->reversed_principal += principal;
    recharge->reversed_bonus += rest.bonus;
    move(call, "cancel_recharge", recharge, card, -principal, -rest.bonus, "");
}

static struct sim_recharge_row *recharge_named(struct sim_call *call, const char *recharge_key) {
    struct sim_recharge_row *recharge = sim_find(call->system, SIM_RECHARGES, recharge_key);
    if (!recharge)
        sim_reject(call, "NOT_FOUND", "no card was recharged under this key");
    return recharge;
}

void sim_get_recharge(struct sim_call *call) {
    const PB(GetRechargeRequest) *request = (const void *)call->request;
    const struct sim_recharge_row *recharge = recharge_named(call, request->recharge_key);
    if (!recharge)
        return;
    const struct sim_card_row *card = card_of(call, recharge);
    PB(GetRechargeResponse) response = PARTICIPANT__CARD__V1__GET_RECHARGE_RESPONSE__INIT;
    response.credited = sim_card_amount(call, card->currency, recharge->principal, recharge->bonus);
    response.reversed = sim_card_amount(call, card->currency, recharge->reversed_principal, recharge->reversed_bonus);
    response.reversible = sim_money(call, card->currency, rest_of(recharge, card).principal);
    sim_answer(call, &response.base);
}

void sim_reverse_recharge(struct sim_call *call) {
    const PB(ReverseRechargeRequest) *request = (const void *)call->request;
    if (!sim_wants_amount(call, request->amount, true, "amount"))
        return;
    struct sim_recharge_row *recharge = recharge_named(call, request->recharge_key);
    if (!recharge)
        return;
    struct sim_card_row *card = card_of(call, recharge);
    struct rest rest = rest_of(recharge, card);
    int64_t principal = request->amount->minor_units;
    if (recharge->cancelled)
        sim_reject(call, "CANCELLED", "the recharge was cancelled");
    else if (principal > rest.principal || strcmp(request->amount->currency, card->currency) != 0)
        sim_reject(call, "EXCEEDS_REST", "of this recharge %" PRId64 " %s are left", rest.principal, card->currency);
    if (call->rejected)
        return;
    recharge->reversed_principal += principal;
    recharge->reversed_bonus += rest.bonus;
    move(call, "reverse_recharge", recharge, card, -principal, -rest.bonus, request->refund_no);
    PB(ReverseRechargeResponse) response = PARTICIPANT__CARD__V1__REVERSE_RECHARGE_RESPONSE__INIT;
    response.reversed = sim_card_amount(call, card->currency, principal, rest.bonus);
    sim_answer(call, &response.base);
}
