// Stored-value cards. A freeze takes principal and bonus in the proportion in which they are there; what is given back
// is in the proportion in which it was taken, exact over all refunds.
#include "sim/card.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define PB(name) Participant__Card__V1__##name

enum { FREEZE_DEFAULT_MS = 24 * 60 * 60 * 1000 };

static const struct store_column card_columns[] = {
    STORE_COL_TEXT(sim_card_row, card_no),       STORE_COL_TEXT(sim_card_row, user_id),
    STORE_COL_TEXT(sim_card_row, currency),      STORE_COL_I32(sim_card_row, frozen),
    STORE_COL_I64(sim_card_row, principal),      STORE_COL_I64(sim_card_row, bonus),
    STORE_COL_I64(sim_card_row, held_principal), STORE_COL_I64(sim_card_row, held_bonus),
    STORE_COL_I64(sim_card_row, freeze_ms),
};

const struct store_table sim_cards_table = {
    .name = "sim_card",
    .row_size = sizeof(struct sim_card_row),
    .columns = card_columns,
    .n_columns = STORE_COUNT(card_columns),
    .n_key = 1,
    .since = 1,
};

static const struct store_column hold_columns[] = {
    STORE_COL_TEXT(sim_hold_row, tender_no), STORE_COL_TEXT(sim_hold_row, made_by),
    STORE_COL_TEXT(sim_hold_row, gid),       STORE_COL_TEXT(sim_hold_row, card_no),
    STORE_COL_TEXT(sim_hold_row, trade_no),  STORE_COL_I32(sim_hold_row, state),
    STORE_COL_I64(sim_hold_row, principal),  STORE_COL_I64(sim_hold_row, bonus),
    STORE_COL_I64(sim_hold_row, refunded),   STORE_COL_I64(sim_hold_row, expires_ms),
};

const struct store_table sim_holds_table = {
    .name = "sim_hold",
    .row_size = sizeof(struct sim_hold_row),
    .columns = hold_columns,
    .n_columns = STORE_COUNT(hold_columns),
    .n_key = 1,
    .since = 1,
};

static const char *state_name(int32_t state) {
    static const char *const names[] = {
        [SIM_HOLD_FROZEN] = "FROZEN",   [SIM_HOLD_RELEASED] = "RELEASED", [SIM_HOLD_CONFIRMED] = "CONFIRMED",
        [SIM_HOLD_EXPIRED] = "EXPIRED", [SIM_HOLD_RETURNED] = "RETURNED",
    };
    return names[state];
}

static struct sim_card_row *card_of(struct sim_system *system, const struct sim_hold_row *hold) {
    struct sim_card_row *card = sim_find(system, SIM_CARDS, hold->card_no);
    assert(card); // cards are never removed
    return card;
}

void sim_card_post(struct sim_change *change, const char *kind, const struct sim_card_row *card, int64_t principal,
                   int64_t bonus, const char *state, const char *detail) {
    const struct {
        const char *part;
        int64_t amount;
    } parts[] = {{"principal", principal}, {"bonus", bonus}};
    for (int i = 0; i < 2; i++) {
        char account[SIM_ID_MAX + 16];
        snprintf(account, sizeof account, "%s/%s", card->card_no, parts[i].part);
        sim_post(change, &(struct sim_posting){.kind = kind,
                                               .account = account,
                                               .currency = card->currency,
                                               .amount = parts[i].amount,
                                               .state = state,
                                               .detail = str_c(detail)});
    }
}

static void post(struct sim_change *change, const char *kind, const struct sim_hold_row *hold,
                 const struct sim_card_row *card, int64_t principal, int64_t bonus) {
    sim_card_post(change, kind, card, principal, bonus, state_name(hold->state), hold->tender_no);
}

PB(CardAmount) * sim_card_amount(struct sim_call *call, const char *currency, int64_t principal, int64_t bonus) {
    PB(CardAmount) *amount = (void *)rpc_message_new(&participant__card__v1__card_amount__descriptor, call->arena);
    if (amount) {
        amount->principal = sim_money(call, currency, principal);
        amount->bonus = sim_money(call, currency, bonus);
    }
    return amount;
}

static void get_card(struct sim_call *call) {
    const PB(GetCardRequest) *request = (const void *)call->request;
    const struct sim_card_row *card = sim_find(call->system, SIM_CARDS, request->card_no);
    if (!card) {
        sim_reject(call, "NOT_FOUND", "there is no card %s", request->card_no);
        return;
    }
    PB(GetCardResponse) response = PARTICIPANT__CARD__V1__GET_CARD_RESPONSE__INIT;
    response.available = sim_card_amount(call, card->currency, card->principal, card->bonus);
    response.frozen = sim_card_amount(call, card->currency, card->held_principal, card->held_bonus);
    sim_answer(call, &response.base);
}

// ---- Freeze and release ----------------------------------------------------------------------------------------

// What is held goes back, or is taken, by the new state.
static void end_hold(struct sim_change *change, struct sim_hold_row *hold, enum sim_hold_state state,
                     const char *kind) {
    struct sim_card_row *card = card_of(change->system, hold);
    card->held_principal -= hold->principal;
    card->held_bonus -= hold->bonus;
    if (state != SIM_HOLD_CONFIRMED) {
        card->principal += hold->principal;
        card->bonus += hold->bonus;
    }
    hold->state = (int32_t)state;
    sim_put(change, card);
    sim_put(change, hold);
    post(change, kind, hold, card, hold->principal, hold->bonus);
}

static void freeze(struct sim_call *call, const PB(FreezeCardRequest) * request, struct sim_card_row *card,
                   struct sim_hold_row *hold) {
    int64_t parts[2];
    bool split = money_allocate(request->amount->minor_units, (int64_t[]){card->principal, card->bonus}, 2, parts);
    assert(split); // both are within what the card holds
    if (!hold)
        hold = sim_make(call->system, SIM_HOLDS, request->tender_no);
    SIM_COPY(hold->made_by, request->effect->key);
    SIM_COPY(hold->gid, request->effect->gid);
    SIM_COPY(hold->card_no, card->card_no);
    SIM_COPY(hold->trade_no, request->effect->trade_no);
    hold->state = SIM_HOLD_FROZEN;
    hold->principal = parts[0];
    hold->bonus = parts[1];
    hold->refunded = 0;
    hold->expires_ms = sim_now(call->system->sim) + (card->freeze_ms > 0 ? card->freeze_ms : FREEZE_DEFAULT_MS);
    card->principal -= parts[0];
    card->bonus -= parts[1];
    card->held_principal += parts[0];
    card->held_bonus += parts[1];
    sim_put(&call->change, card);
    sim_put(&call->change, hold);
    sim_arm(&call->change, hold, hold->expires_ms);
    post(&call->change, "freeze", hold, card, parts[0], parts[1]);
    sim_note(call, str_c(hold->tender_no));
    PB(FreezeCardResponse) response = PARTICIPANT__CARD__V1__FREEZE_CARD_RESPONSE__INIT;
    response.frozen = sim_card_amount(call, card->currency, parts[0], parts[1]);
    sim_answer(call, &response.base);
}

static void freeze_card(struct sim_call *call) {
    const PB(FreezeCardRequest) *request = (const void *)call->request;
    if (!sim_wants_text(call, request->tender_no, "tender_no") ||
        !sim_wants_amount(call, request->amount, true, "amount"))
        return;
    struct sim_card_row *card = sim_find(call->system, SIM_CARDS, request->card_no);
    struct sim_hold_row *hold = sim_find(call->system, SIM_HOLDS, request->tender_no);
    if (!card || (*request->user_id && strcmp(card->user_id, request->user_id) != 0))
        sim_reject(call, "NOT_FOUND", "there is no card %s of this user", request->card_no);
    else if (card->frozen)
        sim_reject(call, "CARD_FROZEN", "card %s is frozen", card->card_no);
    else if (strcmp(request->amount->currency, card->currency) != 0)
        sim_reject(call, "CURRENCY_MISMATCH", "card %s is in %s", card->card_no, card->currency);
    else if (hold && (hold->state == SIM_HOLD_FROZEN || hold->state == SIM_HOLD_CONFIRMED))
        sim_reject(call, "TENDER_EXISTS", "tender %s is %s", hold->tender_no, state_name(hold->state));
    else if (request->amount->minor_units > card->principal + card->bonus)
        sim_reject(call, "INSUFFICIENT_BALANCE", "card %s has %" PRId64 " %s", card->card_no,
                   card->principal + card->bonus, card->currency);
    else
        freeze(call, request, card, hold);
}

static void release_card(struct sim_call *call) {
    struct sim_hold_row *hold = sim_find(call->system, SIM_HOLDS, call->note.ptr);
    if (!hold || strcmp(hold->made_by, call->effect->key) != 0)
        return;
    if (hold->state == SIM_HOLD_FROZEN)
        end_hold(&call->change, hold, SIM_HOLD_RELEASED, "release");
    else if (hold->state == SIM_HOLD_CONFIRMED)
        sim_reject(call, "ALREADY_CONFIRMED", "tender %s was taken: refund it", hold->tender_no);
}

static void hold_due(struct sim_system *system, void *row) {
    struct sim_hold_row *hold = row;
    if (hold->state != SIM_HOLD_FROZEN || sim_now(system->sim) < hold->expires_ms)
        return;
    struct sim_change change;
    sim_change_begin(&change, system, (struct sim_about){hold->made_by, hold->gid, hold->trade_no});
    end_hold(&change, hold, SIM_HOLD_EXPIRED, "expire");
    sim_change_commit(&change, NULL, NULL);
}

static int64_t hold_rearm(struct sim_system *system, const void *row) {
    (void)system;
    const struct sim_hold_row *hold = row;
    return hold->state == SIM_HOLD_FROZEN ? hold->expires_ms : 0;
}

// ---- Confirm and refund ----------------------------------------------------------------------------------------

// How much of the first `amount` that is taken, or given back, is principal.
static int64_t principal_of(const struct sim_hold_row *hold, int64_t amount) {
    int64_t parts[2];
    bool split = money_allocate(amount, (int64_t[]){hold->principal, hold->bonus}, 2, parts);
    assert(split); // never more than was taken
    return parts[0];
}

// Where less is taken than was frozen, the rest goes back first, in the proportion in which it was frozen.
static bool confirm_part(struct sim_call *call, struct sim_hold_row *hold, const Txcenter__Type__V1__Money *amount) {
    struct sim_card_row *card = card_of(call->system, hold);
    int64_t frozen = hold->principal + hold->bonus;
    if (amount->minor_units > frozen || strcmp(amount->currency, card->currency) != 0) {
        sim_reject(call, "EXCEEDS_REST", "%" PRId64 " %s are frozen", frozen, card->currency);
        return false;
    }
    int64_t principal = hold->principal - principal_of(hold, amount->minor_units);
    int64_t bonus = frozen - amount->minor_units - principal;
    if (principal + bonus == 0)
        return true;
    hold->principal -= principal;
    hold->bonus -= bonus;
    card->held_principal -= principal;
    card->held_bonus -= bonus;
    card->principal += principal;
    card->bonus += bonus;
    post(&call->change, "release", hold, card, principal, bonus);
    return true;
}

static void confirm_card(struct sim_call *call) {
    const PB(ConfirmCardRequest) *request = (const void *)call->request;
    if (!sim_wants_text(call, request->tender_no, "tender_no") ||
        !sim_wants_text(call, request->freeze_key, "freeze_key") ||
        (request->amount && !sim_wants_amount(call, request->amount, true, "amount")))
        return;
    struct sim_hold_row *hold = sim_find(call->system, SIM_HOLDS, request->tender_no);
    if (!hold || strcmp(hold->made_by, request->freeze_key) != 0) {
        sim_reject(call, "NOT_FOUND", "tender %s was not frozen under this key", request->tender_no);
        return;
    }
    if (hold->state != SIM_HOLD_FROZEN) {
        static const char *const codes[] = {
            [SIM_HOLD_RELEASED] = "CANCELLED",
            [SIM_HOLD_CONFIRMED] = "ALREADY_CONFIRMED",
            [SIM_HOLD_EXPIRED] = "FREEZE_EXPIRED",
            [SIM_HOLD_RETURNED] = "CANCELLED",
        };
        sim_reject(call, codes[hold->state], "tender %s is %s", hold->tender_no, state_name(hold->state));
        return;
    }
    if (request->amount && !confirm_part(call, hold, request->amount))
        return;
    end_hold(&call->change, hold, SIM_HOLD_CONFIRMED, "confirm");
    sim_note(call, str_c(hold->tender_no));
    PB(ConfirmCardResponse) response = PARTICIPANT__CARD__V1__CONFIRM_CARD_RESPONSE__INIT;
    response.taken = sim_card_amount(call, card_of(call->system, hold)->currency, hold->principal, hold->bonus);
    sim_answer(call, &response.base);
}

static void give_back(struct sim_call *call, const char *kind, struct sim_hold_row *hold, struct sim_card_row *card,
                      int64_t amount, int64_t principal) {
    hold->refunded += amount;
    card->principal += principal;
    card->bonus += amount - principal;
    sim_put(&call->change, card);
    sim_put(&call->change, hold);
    post(&call->change, kind, hold, card, principal, amount - principal);
}

// What was taken and not refunded yet.
static void cancel_confirm(struct sim_call *call) {
    struct sim_hold_row *hold = sim_find(call->system, SIM_HOLDS, call->note.ptr);
    if (!hold || hold->state != SIM_HOLD_CONFIRMED)
        return;
    int64_t rest = hold->principal + hold->bonus - hold->refunded;
    int64_t principal = hold->principal - principal_of(hold, hold->refunded);
    hold->state = SIM_HOLD_RETURNED;
    give_back(call, "cancel_confirm", hold, card_of(call->system, hold), rest, principal);
}

static void refund_card(struct sim_call *call) {
    const PB(RefundCardRequest) *request = (const void *)call->request;
    if (!sim_wants_text(call, request->tender_no, "tender_no") ||
        !sim_wants_amount(call, request->amount, true, "amount"))
        return;
    struct sim_hold_row *hold = sim_find(call->system, SIM_HOLDS, request->tender_no);
    if (!hold || hold->state != SIM_HOLD_CONFIRMED) {
        sim_reject(call, hold ? "NOT_CONFIRMED" : "NOT_FOUND", "tender %s was not taken", request->tender_no);
        return;
    }
    struct sim_card_row *card = card_of(call->system, hold);
    int64_t amount = request->amount->minor_units;
    if (strcmp(request->amount->currency, card->currency) != 0) {
        sim_reject(call, "CURRENCY_MISMATCH", "card %s is in %s", card->card_no, card->currency);
        return;
    }
    int64_t rest = hold->principal + hold->bonus - hold->refunded;
    if (amount > rest) {
        sim_reject(call, "EXCEEDS_REST", "of tender %s %" PRId64 " %s are left", hold->tender_no, rest, card->currency);
        return;
    }
    int64_t principal = principal_of(hold, hold->refunded + amount) - principal_of(hold, hold->refunded);
    give_back(call, "refund", hold, card, amount, principal);
    PB(RefundCardResponse) response = PARTICIPANT__CARD__V1__REFUND_CARD_RESPONSE__INIT;
    response.refunded = sim_card_amount(call, card->currency, principal, amount - principal);
    sim_answer(call, &response.base);
}

static const struct sim_method methods[] = {
    {.name = "GetCard", .op = SIM_READ, .apply = get_card},
    {.name = "FreezeCard", .op = SIM_ACTION, .apply = freeze_card},
    {.name = "ReleaseCard", .op = SIM_COMPENSATE, .apply = release_card, .undoes = "FreezeCard"},
    {.name = "ConfirmCard", .op = SIM_ACTION, .apply = confirm_card},
    {.name = "CancelConfirm", .op = SIM_COMPENSATE, .apply = cancel_confirm, .undoes = "ConfirmCard"},
    {.name = "RefundCard", .op = SIM_ACTION, .apply = refund_card},
    {.name = "RechargeCard", .op = SIM_ACTION, .apply = sim_recharge_card},
    {.name = "CancelRecharge", .op = SIM_COMPENSATE, .apply = sim_cancel_recharge, .undoes = "RechargeCard"},
    {.name = "GetRecharge", .op = SIM_READ, .apply = sim_get_recharge},
    {.name = "ReverseRecharge", .op = SIM_ACTION, .apply = sim_reverse_recharge},
    {.name = "Inquire", .op = SIM_INQUIRE},
};

static const struct sim_set_def sets[] = {
    [SIM_CARDS] = {.table = &sim_cards_table},
    [SIM_HOLDS] = {.table = &sim_holds_table, .due = hold_due, .rearm = hold_rearm},
    [SIM_RECHARGES] = {.table = &sim_recharges_table},
};

const struct sim_system_def sim_card_def = {
    .name = "card",
    .service = &participant__card__v1__card_service__descriptor,
    .methods = methods,
    .n_methods = STORE_COUNT(methods),
    .sets = sets,
    .n_sets = STORE_COUNT(sets),
};
