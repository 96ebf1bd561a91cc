#include "flows/trade/refund.h"

#include "flows/trade/deduction.h"
#include "flows/trade/holding.h"
#include "flows/trade/load.h"
#include "flows/trade/refund_end.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/refund_step.h"
#include "flows/trade/retire.h"
#include "flows/trade/ruling.h"
#include "flows/trade/tell.h"

#include <assert.h>

// ---- Which steps apply --------------------------------------------------------------------------------------------

static unsigned its_legs(const struct saga_subject *subject, struct str input) {
    return (unsigned)trade_refund(trade_of_const(subject), input)->legs;
}

// ---- 1: purchase_over ---------------------------------------------------------------------------------------------

// No money goes back before the purchase has been worked off, deductions of its shortfalls included, and before it has
// been taken.
static struct saga_verdict purchase_over(struct saga_turn *turn) {
    const struct trade *trade = trade_of(saga_turn_subject(turn));
    const struct refund_row *refund = refund_of_turn(turn);
    bool worked_off = trade->row.completed_ms > 0 && !trade->row.capturing && !deduction_any_open(trade);
    if (refund->kind != REFUND_OF_TRADE || refund->stopped || worked_off)
        return saga_done();
    return saga_wait(saga_turn_now(turn) + EFFECT_LOOK_MS); // and poked when it is
}

// ---- 4: refunded --------------------------------------------------------------------------------------------------

static struct saga_verdict refunded(struct saga_turn *turn) {
    refund_end_paid_out(turn, refund_of_turn(turn));
    return saga_done();
}

// ---- For others ---------------------------------------------------------------------------------------------------

void refund_poke_all(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    const struct refund_row *refund;
    for (size_t i = 0; (refund = trade_at(trade, PART_REFUND, i)); i++) {
        bool waits =
            !refund_end_is_over(refund) || (refund->kind == REFUND_OF_TRADE && (refund->awaits || !refund->marked));
        if (!waits)
            continue;
        char gid[TRADE_GID_MAX];
        trade_refund_gid(trade, refund->refund_no, gid);
        saga_turn_poke(turn, str_c(gid));
    }
}

// ---- Operators ----------------------------------------------------------------------------------------------------

static bool allows(struct saga_turn *turn, const struct saga_ruling *ruling, struct error *error) {
    static const struct ruling_rule rules[] = {
        {.step_id = STEP_REVERSE_RECHARGE,
         .no_skip = "whether the balance was taken is not known: retry it, or resolve it with what became of it"},
        {.step_id = STEP_PAY_OUT,
         .no_skip =
             "the money has not gone back: retry it; resolve it with OK when it went another way; or terminate the "
             "refund, which frees what has not gone back"},
        {.step_id = 0},
    };
    if (saga_turn_step(turn)->id == STEP_PAY_OUT && ruling->act == SAGA_ACT_RESOLVE &&
        !refund_leg_may_be(turn, ruling, error))
        return false;
    const struct saga_step *awaited = refund_awaits(trade_of(saga_turn_subject(turn)), saga_turn_step(turn)->id);
    if (awaited)
        return error_set(error, ERR_SAGA_STATE,
                         "whether there is anything to take back is not known yet: see to %s first", awaited->name);
    return ruling_allowed(rules, turn, ruling, error);
}

// ---- The table ----------------------------------------------------------------------------------------------------

#define GIVE_BACK(NAME, name_, missed, participant_, hold, use, let_go, give_back, when_used, when_back, ...)          \
    {ROW_STEP give_back,                                                                                               \
     .stage = 5,                                                                                                       \
     .kind = SAGA_RETRIABLE,                                                                                           \
     .tier = SAGA_NON_CORE,                                                                                            \
     .participant = participant_,                                                                                      \
     .legs = holding_returns_##name_,                                                                                  \
     .when = when_back,                                                                                                \
     .run = holding_give_back,                                                                                         \
     .answered = holding_given_back,                                                                                   \
     .deadline_ms = EFFECT_LATER_MS,                                                                                   \
     .retry = SAGA_LEISURELY},

#define TAKEN_BACK_IN_PARTS .decide = refund_taken_back, .ask = refund_take_back, .ruled = refund_take_back_ruled
#define TAKEN_BACK_AS_A_WHOLE .run = refund_withdraw, .answered = refund_withdrawn
#define TAKE_BACK(NAME, name_, since, participant_, give, when_given, how, take_back, when_)                           \
    {ROW_STEP take_back,                                                                                               \
     .stage = 5,                                                                                                       \
     .kind = SAGA_RETRIABLE,                                                                                           \
     .tier = SAGA_NON_CORE,                                                                                            \
     .participant = participant_,                                                                                      \
     .legs = refund_returns_##name_,                                                                                   \
     .when = when_,                                                                                                    \
     how,                                                                                                              \
     .deadline_ms = EFFECT_LATER_MS,                                                                                   \
     .retry = SAGA_LEISURELY},

static const struct saga_step steps[] = {
    {.id = 10,
     .stage = 1,
     .kind = SAGA_RETRIABLE,
     .name = "purchase_over",
     .text = "Waits until the purchase is over: all that must follow its payment is done, deductions tried again and "
             "what is taken of cards included",
     .decide = purchase_over},
    {.id = STEP_REVERSE_RECHARGE,
     .stage = 2,
     .kind = SAGA_RETRIABLE,
     .name = "reverse_recharge",
     .participant = "card",
     .text = "What was recharged goes from the card, before its money does",
     .legs = refund_of_recharge,
     .when = "a recharge",
     .decide = refund_recharge_reversed,
     .ask = refund_reverse_recharge,
     .ruled = refund_recharge_ruled,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN},
    {.id = STEP_PAY_OUT,
     .stage = 3,
     .kind = SAGA_RETRIABLE,
     .name = REFUND_LEG_STEP,
     .participant = "payment, card",
     .whom = refund_leg_pays_out,
     .text = "Each tender gives back its part",
     .legs = its_legs,
     .when = "each tender that gives something back",
     .decide = refund_leg_paid_out,
     .ask = refund_leg_pay_out,
     .ruled = refund_leg_ruled,
     .came_right = refund_leg_came_right,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_STUBBORN},
    {.id = 30, .stage = 4, .kind = SAGA_RETRIABLE, .name = "refunded", .text = "The money is back", .decide = refunded},
    {.id = 40,
     .stage = 5,
     .kind = SAGA_RETRIABLE,
     .name = "mark_refunded",
     .participant = "order",
     .text = "Marks the order refunded",
     .legs = refund_of_trade,
     .when = "what was bought goes back",
     .decide = refund_marked,
     .ask = refund_mark,
     .ruled = refund_mark_ruled,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN},
    TRADE_HOLDINGS(GIVE_BACK) // a row each
    {.id = 67,
     .stage = 5,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "withdraw_items",
     .participant = "activity",
     .text = "Paid items go back, unless they are used",
     .legs = refund_of_items,
     .when = "each paid item",
     .run = refund_withdraw_item,
     .answered = refund_item_withdrawn,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_LEISURELY},
    AFTER_TABLE(TAKE_BACK) // a row each
    {.id = 90,
     .stage = 5,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "reverse_settlement",
     .participant = "settlement",
     .text = "Reverses the settlement's record",
     .legs = refund_of_trade,
     .when = "what was bought goes back",
     .run = refund_reverse_settlement,
     .answered = refund_settlement_reversed,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_LEISURELY},
    {.id = 100,
     .stage = 5,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "push_refunded",
     .participant = "push",
     .text = "Tells the screens",
     .legs = refund_of_trade,
     .when = "what was bought goes back",
     .run = tell_screens,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_LEISURELY},
    {.id = 160,
     .stage = 5,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "notify_refunded",
     .participant = "notify",
     .text = "Tells the user",
     .legs = refund_of_user,
     .when = "the buyer is known",
     .run = tell_user,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_LEISURELY},
    {.id = 170,
     .stage = 5,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "sync_refunded",
     .participant = "os",
     .text = "Tells the stations' own system",
     .legs = refund_tells_os,
     .when = "that system is told, and has not ordered it itself",
     .run = tell_os,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_LEISURELY},
};

// Whatever can be bought and paid can be given back: a row that does not apply is a step all the same, and a recharge
// is its trade's only line.
static_assert(STORE_COUNT(steps) - 2 + (int)TRADE_TENDERS_MAX + (int)TRADE_LINES_MAX <= (int)SAGA_LEGS_MAX,
              "a saga holds the refund of the greatest trade");

const struct saga_flow refund_flow = {
    .name = "trade.refund",
    .version = 1,
    .text = "Money goes back, and what followed the payment with it",
    .steps = steps,
    .n_steps = STORE_COUNT(steps),
    .on_end = refund_end_ended,
    .allows = allows,
    .attach = load_attach,
    .estate = &retire_estate,
};

const struct saga_flow late_flow = {
    .name = "trade.late",
    .version = 1,
    .text = "Money that came for a trade that is deleted goes back",
    .steps = steps,
    .n_steps = STORE_COUNT(steps),
    .on_end = refund_end_ended,
    .allows = allows,
    .attach = load_attach_archived,
};
