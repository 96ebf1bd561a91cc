#include "flows/trade/deduction.h"

#include "flows/trade/holding.h"
#include "flows/trade/load.h"
#include "flows/trade/matter.h"
#include "flows/trade/purchase.h"
#include "flows/trade/refund.h"
#include "flows/trade/refund_end.h"
#include "flows/trade/retire.h"
#include "flows/trade/ruling.h"
#include "flows/trade/shortfall.h"

#include <stdio.h>

enum { STEP_DEDUCT = 10, ARENA_MAX = 65536 };

// ---- Which --------------------------------------------------------------------------------------------------------

// What the order was to use; NULL: nothing that is used with the payment.
static const struct holding_row *holding_of(const struct matter_row *matter) {
    return matter->kind == (int32_t)MATTER_KIND(SHORTFALL) ? holding_named(matter->what) : NULL;
}

static struct matter_row *matter_of(const struct trade *trade, struct str input) {
    int64_t number = 0;
    str_to_i64(input, &number);
    return matter_numbered(trade, (int32_t)number);
}

bool deduction_is_open(const struct matter_row *matter) {
    return matter->kind == (int32_t)MATTER_KIND(SHORTFALL) && matter_is_open(matter) && matter->gid[0];
}

bool deduction_any_open(const struct trade *trade) {
    const struct matter_row *matter;
    for (size_t i = 0; (matter = trade_at(trade, PART_MATTER, i)); i++)
        if (deduction_is_open(matter))
            return true;
    return false;
}

// ---- The steps ----------------------------------------------------------------------------------------------------

static const char *whom(const struct saga_call *call) {
    return holding_of(matter_of(effect_trade(call), saga_call_input(call)))->participant;
}

static void deduct(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    const struct matter_row *matter = matter_of(trade, saga_call_input(call));
    const struct holding_row *holding = holding_of(matter);
    struct effect_whose whose;
    trade_purchase_gid(trade, whose.gid);
    struct adapter_effect effect =
        effect_of_step(call, &purchase_flow, holding->steps[HOLDING_USE], (uint32_t)matter->generation + 1, &whose);
    holding_use_as(call, holding, &effect, effect_done_as_short);
}

static void refused(struct saga_turn *turn, struct matter_row *matter) {
    trade_change(trade_of(saga_turn_subject(turn)), matter);
    matter->generation++; // another try is made under the next key
}

// What it found gone comes as done (effect_done_as_short), to the next step. Here comes what says nothing of that: the
// key was cancelled, or an operator knows that it was refused. The step is parked.
static void answered(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op, (void)answer;
    if (outcome == OUTCOME_REJECTED)
        refused(turn, matter_of(trade_of(saga_turn_subject(turn)), saga_turn_input(turn)));
}

static bool is_unused(const struct trade *trade, const struct matter_row *matter) {
    return trade->row.missed & (int32_t)holding_of(matter)->missed;
}

// Known not to be used, so that a refund does not give it back; else it does.
static void set_unused(struct saga_turn *turn, const struct matter_row *matter, bool unused) {
    struct trade_row *row = trade_edit(trade_of(saga_turn_subject(turn)));
    int32_t bit = (int32_t)holding_of(matter)->missed;
    row->missed = unused ? row->missed | bit : row->missed & ~bit;
}

static void settle(struct saga_turn *turn, struct matter_row *matter) {
    const struct matter_row wanted = *matter;
    const struct matter_settlement settlement = {MATTER_OUTCOME(DEDUCTED), wanted.settled_by, wanted.note, ""};
    set_unused(turn, matter, false);
    matter_settle(turn, matter, &settlement);
}

static struct saga_verdict concluded(struct saga_turn *turn) {
    struct matter_row *matter = matter_of(trade_of(saga_turn_subject(turn)), saga_turn_input(turn));
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    const Txcenter__Trade__V1__Shortfall *still =
        effect_answer(saga_turn_answer_of(turn, STEP_DEDUCT, 0), &txcenter__trade__v1__shortfall__descriptor, &arena);
    if (still) {
        refused(turn, matter);
        set_unused(turn, matter, true); // also should an earlier try have been ended
        matter_stays(turn, matter, still->reason, still->text);
        shortfall_refund(turn);
    } else {
        settle(turn, matter);
    }
    arena_release(&arena);
    refund_poke_all(turn);
    return saga_done();
}

// Terminated before it came to anything that is known. What may be used by now a refund gives back, and is told there
// should it never have been.
static struct saga_verdict ended(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct matter_row *matter = matter_of(trade, saga_turn_input(turn));
    if (saga_turn_saga(turn)->status != SAGA_TERMINATED)
        return saga_done();
    // Of an earlier try that was ended this one says nothing when it has asked nothing.
    bool known = saga_turn_happened(turn, STEP_DEDUCT, 0) == SAGA_HAPPENED_NOT && is_unused(trade, matter);
    set_unused(turn, matter, known);
    matter_stays(turn, matter, err_info(ERR_STOPPED_BY_OPERATOR)->name,
                 known ? "its deduction was ended, and has deducted nothing"
                       : "its deduction was ended: another try tells what became of it");
    refund_poke_all(turn);
    return saga_done();
}

static bool allows(struct saga_turn *turn, const struct saga_ruling *ruling, struct error *error) {
    static const struct ruling_rule rules[] = {
        {.step_id = STEP_DEDUCT,
         .no_skip = "whether it was deducted would not be known: resolve it with what became of it, or terminate the "
                    "saga, and the shortfall stays open"},
        {.step_id = 0},
    };
    return ruling_allowed(rules, turn, ruling, error);
}

#define WHOM(NAME, name, missed, participant, ...) ", " participant

static const struct saga_step steps[] = {
    {.id = STEP_DEDUCT,
     .stage = 1,
     .kind = SAGA_RETRIABLE,
     .name = "deduct",
     .participant = &(TRADE_HOLDINGS(WHOM))[2], // "coupon, points, …"
     .whom = whom,
     .text = "Deducts what was gone when the order was paid",
     .run = deduct,
     .answered = answered,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN},
    {.id = 20,
     .stage = 2,
     .kind = SAGA_RETRIABLE,
     .name = "concluded",
     .text = "The shortfall is settled, or stays",
     .decide = concluded},
};

const struct saga_flow deduction_flow = {
    .name = "trade.deduction",
    .version = 1,
    .text = "Makes a deduction again that found nothing to deduct",
    .steps = steps,
    .n_steps = STORE_COUNT(steps),
    .on_end = ended,
    .allows = allows,
    .attach = load_attach,
    .estate = &retire_estate,
};

// ---- Starting -----------------------------------------------------------------------------------------------------

static bool is_being_refunded(const struct trade *trade) {
    const struct refund_row *refund;
    for (size_t i = 0; (refund = trade_at(trade, PART_REFUND, i)); i++)
        if (refund->kind == REFUND_OF_TRADE && !refund_end_is_over(refund))
            return true;
    return false;
}

// A refund that has begun gives back what was used by then: nothing is used behind its back.
static bool may_start(const struct trade *trade, const struct matter_row *matter, struct error *error) {
    const struct holding_row *holding = holding_of(matter);
    if (!holding || trade_locks_first(trade))
        return error_set(error, ERR_MATTER_STATE, "it is none of what an order deducts: write it off, or collect it");
    if (trade->row.state == TRADE_STATE(REFUNDED))
        return error_set(error, ERR_MATTER_STATE, "the trade is refunded: there is nothing to deduct any more");
    if (is_being_refunded(trade))
        return error_set(error, ERR_MATTER_STATE, "a refund is under way: see to that first");
    const char *too_late = holding->is->too_late ? holding->is->too_late(trade) : NULL;
    return !too_late || error_set(error, ERR_MATTER_STATE, "%s", too_late);
}

static void gid_of(const struct trade *trade, const struct matter_row *matter, int32_t try_no,
                   char out[TRADE_GID_MAX]) {
    snprintf(out, TRADE_GID_MAX, "%s/deduct/%d/%d", trade->row.trade_no, matter->number, try_no);
}

void deduction_gid(const struct trade *trade, const struct matter_row *matter, char out[TRADE_GID_MAX]) {
    gid_of(trade, matter, matter->tries, out);
}

bool deduction_start(struct saga_turn *turn, const struct matter_row *matter, struct error *error) {
    const struct trade *trade = trade_of(saga_turn_subject(turn));
    char gid[TRADE_GID_MAX], input[16];
    if (!may_start(trade, matter, error))
        return false;
    gid_of(trade, matter, matter->tries + 1, gid);
    snprintf(input, sizeof input, "%d", matter->number);
    const struct saga_start start = {.flow = deduction_flow.name, .gid = str_c(gid), .input = str_c(input)};
    return saga_turn_start(turn, &start, error);
}
