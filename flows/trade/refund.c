#include "flows/trade/refund.h"

#include "adapters/coupon/coupon.h"
#include "adapters/order/order.h"
#include "adapters/points/points.h"
#include "adapters/push/push.h"
#include "adapters/settlement/settlement.h"
#include "flows/trade/after.h"
#include "flows/trade/archive.h"
#include "flows/trade/books.h"
#include "flows/trade/chosen.h"
#include "flows/trade/effect.h"
#include "flows/trade/load.h"
#include "flows/trade/purchase.h"
#include "flows/trade/refund_end.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/refund_plan.h"
#include "flows/trade/retire.h"
#include "flows/trade/ruling.h"
#include "flows/trade/tender.h"
#include "flows/trade/view.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

// Whoever is waited for pokes us; should that be lost with the process, this is how late it is noticed.
enum { POKE_LOST_MS = 60000 };

// ---- Which steps apply --------------------------------------------------------------------------------------------

static const struct refund_row *subject_refund(const struct saga_subject *subject, struct str input) {
    return trade_refund(trade_of_const(subject), input);
}

static unsigned its_legs(const struct saga_subject *subject, struct str input) {
    return (unsigned)subject_refund(subject, input)->legs;
}

static unsigned of_trade(const struct saga_subject *subject, struct str input) {
    return subject_refund(subject, input)->kind == REFUND_OF_TRADE;
}

static unsigned final_of_trade(const struct saga_subject *subject, struct str input) {
    const struct refund_row *refund = subject_refund(subject, input);
    return refund->kind == REFUND_OF_TRADE && refund->final;
}

static unsigned final_with_coupons(const struct saga_subject *subject, struct str input) {
    return final_of_trade(subject, input) && chosen_has_coupons(trade_of_const(subject));
}

static unsigned final_with_points(const struct saga_subject *subject, struct str input) {
    return final_of_trade(subject, input) && trade_of_const(subject)->row.points > 0;
}

// ---- 1: captured --------------------------------------------------------------------------------------------------

static struct saga_verdict captured(struct saga_turn *turn) {
    const struct trade *trade = trade_of(saga_turn_subject(turn));
    const struct refund_row *refund = refund_leg_of_turn(turn);
    if (refund->kind == REFUND_RETURN || refund->stopped || trade->row.completed_ms > 0)
        return saga_done();
    return saga_wait(saga_turn_now(turn) + POKE_LOST_MS); // and poked when it completes
}

// ---- 3: refunded --------------------------------------------------------------------------------------------------

static struct saga_verdict refunded(struct saga_turn *turn) {
    refund_end_paid_out(turn, refund_leg_of_turn(turn));
    return saga_done();
}

// ---- 4: what followed the payment -----------------------------------------------------------------------------------

// It was terminated before any money was on its way: there is nobody to tell.
static bool nothing_went_back(const struct refund_row *refund) {
    return refund->state == REFUND_STATE(STOPPED) && refund->amount == 0;
}

// For a call that only the refund makes after which nothing is left. True, and the call is answered, when there is
// something left after all: another refund was terminated.
static bool is_not_final(struct saga_call *call) {
    if (refund_leg_of_call(call)->final)
        return false;
    saga_call_ok(call, STR_NONE);
    return true;
}

static void mark_refunded(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct refund_row *refund = refund_leg_of_call(call);
    Participant__Order__V1__MarkRefundedRequest request = PARTICIPANT__ORDER__V1__MARK_REFUNDED_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = effect_money(trade, refund->amount);
    struct adapter_effect effect = effect_of(call);
    request.refund_no = refund->refund_no;
    request.amount = &amount;
    request.full = refund->final;
    order_mark_refunded(&effect_adapters(call)->order, &effect, &request, effect_done_bare, call);
}

// What a failed question means for a step that must be done: false when it did not fail (or none was asked).
static bool asked_in_vain(struct saga_turn *turn, struct saga_verdict *ret_verdict) {
    const struct saga_asked *asked = saga_turn_asked(turn);
    if (!asked || asked->outcome == OUTCOME_OK)
        return false;
    if (asked->outcome == OUTCOME_REJECTED)
        *ret_verdict = saga_reject(ERR_PARTICIPANT_REJECTED, asked->text);
    else if (saga_turn_exhausted(turn))
        *ret_verdict = saga_park(ERR_RETRIES_EXHAUSTED, asked->text);
    else
        *ret_verdict = saga_wait(saga_turn_again_ms(turn));
    return true;
}

// The refund after which nothing is left closes the order's book: it comes last.
static bool others_unmarked(const struct trade *trade, const struct refund_row *refund) {
    const struct refund_row *other;
    for (size_t i = 0; (other = trade_at(trade, PART_REFUND, i)); i++)
        if (other != refund && other->kind == REFUND_OF_TRADE && !other->marked)
            return true;
    return false;
}

static struct saga_verdict marked_refunded(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = refund_leg_of_turn(turn);
    struct saga_verdict failed;
    if (asked_in_vain(turn, &failed))
        return failed;
    if (saga_turn_asked(turn)) {
        trade_change(trade, refund);
        refund->marked = 1;
        refund_poke_all(turn);
    }
    if (refund->marked)
        return saga_done();
    if (refund->final && others_unmarked(trade, refund))
        return saga_wait(saga_turn_now(turn) + POKE_LOST_MS); // poked when they are
    return saga_ask();
}

static void give_back_coupons(struct saga_call *call) {
    struct arena arena;
    if (is_not_final(call))
        return;
    if (effect_trade(call)->row.missed & MISSED_COUPONS) {
        purchase_unlock_coupons(call); // they were never used
        return;
    }
    arena_init(&arena, CHOSEN_ARENA_MAX);
    Participant__Coupon__V1__GiveBackCouponsRequest request = PARTICIPANT__COUPON__V1__GIVE_BACK_COUPONS_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    request.refund_no = refund_leg_of_call(call)->refund_no;
    request.n_coupon_ids = chosen_coupons(effect_trade(call), &arena, &request.coupon_ids);
    coupon_give_back(&effect_adapters(call)->coupon, &effect, &request, effect_done_bare, call);
    arena_release(&arena);
}

static void give_back_points(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    if (is_not_final(call))
        return;
    if (trade->row.missed & MISSED_POINTS) {
        purchase_unfreeze_points(call); // they were never deducted
        return;
    }
    Participant__Points__V1__GiveBackPointsRequest request = PARTICIPANT__POINTS__V1__GIVE_BACK_POINTS_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    request.refund_no = refund_leg_of_call(call)->refund_no;
    request.user_id = view_text(trade->row.user_id);
    request.points = trade->row.points;
    points_give_back(&effect_adapters(call)->points, &effect, &request, effect_done_bare, call);
}

static void points_given_back(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op;
    (void)answer;
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = trade_change(trade, refund_leg_of_turn(turn));
    if (outcome == OUTCOME_OK && refund->final)
        refund->points_given_back = trade->row.points;
}

static void take_back_points(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct refund_row *refund = refund_leg_of_call(call);
    struct adapter *points = &effect_adapters(call)->points;
    struct adapter_effect effect = effect_of(call);
    char key[SAGA_KEY_MAX];
    after_key(trade, AFTER_AWARD, STEP_AWARD_POINTS, key);
    if (trade->row.after[AFTER_AWARD].state == AFTER_CANCELLED) {
        Participant__Points__V1__CancelAwardRequest request = PARTICIPANT__POINTS__V1__CANCEL_AWARD_REQUEST__INIT;
        effect.key = key; // the award's own: it is its compensation
        request.user_id = view_text(trade->row.user_id);
        points_cancel_award(points, &effect, &request, effect_done, call);
        return;
    }
    Participant__Points__V1__ClawBackPointsRequest request = PARTICIPANT__POINTS__V1__CLAW_BACK_POINTS_REQUEST__INIT;
    request.refund_no = refund->refund_no;
    request.user_id = view_text(trade->row.user_id);
    request.award_key = key;
    request.points = refund_plan_share(trade->row.points_awarded, refund, trade->row.paid);
    points_claw_back(points, &effect, &request, effect_done, call);
}

static void note_taken_back(struct trade *trade, struct refund_row *refund, struct str answer) {
    struct arena arena;
    arena_init(&arena, 65536);
    const Participant__Points__V1__ClawBackPointsResponse *response =
        effect_answer(answer, &participant__points__v1__claw_back_points_response__descriptor, &arena);
    trade_change(trade, refund);
    refund->claw_back_done = 1;
    if (response) {
        refund->points_clawed_back = response->points;
        refund->points_shortfall = response->shortfall;
        trade_edit(trade)->points_clawed_back += response->points;
        if (response->shortfall > 0)
            trades_alert(trade->trades, "points shortfall", trade, refund->refund_no);
    }
    arena_release(&arena);
}

static struct saga_verdict nothing_to_take_back(struct trade *trade, struct refund_row *refund) {
    trade_change(trade, refund);
    refund->claw_back_done = 1; // else it would be poked for ever
    return saga_done();
}

static struct saga_verdict taken_back(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = refund_leg_of_turn(turn);
    const struct saga_asked *asked = saga_turn_asked(turn);
    struct saga_verdict failed;
    if (asked_in_vain(turn, &failed))
        return failed;
    if (asked)
        note_taken_back(trade, refund, asked->answer);
    if (refund->claw_back_done)
        return saga_done();
    switch (trade->row.after[AFTER_AWARD].state) {
    case AFTER_PENDING: return saga_wait(saga_turn_now(turn) + POKE_LOST_MS); // poked when it has come
    case AFTER_CANCELLED: return refund->final ? saga_ask() : nothing_to_take_back(trade, refund);
    case AFTER_APPLIED:
        if (refund_plan_share(trade->row.points_awarded, refund, trade->row.paid) > 0)
            return saga_ask();
        return nothing_to_take_back(trade, refund);
    default: return nothing_to_take_back(trade, refund);
    }
}

static void withdraw_coupons(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    if (is_not_final(call))
        return;
    Participant__Coupon__V1__WithdrawCouponsRequest request = PARTICIPANT__COUPON__V1__WITHDRAW_COUPONS_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    char key[SAGA_KEY_MAX];
    after_key(trade, AFTER_ISSUE, STEP_ISSUE_COUPONS, key);
    effect.key = key; // the issue's own: it is its compensation
    coupon_withdraw(&effect_adapters(call)->coupon, &effect, &request, effect_done, call);
}

static void coupons_withdrawn(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op;
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct arena arena;
    arena_init(&arena, 1 << 20);
    const Participant__Coupon__V1__WithdrawCouponsResponse *response =
        effect_answer(answer, &participant__coupon__v1__withdraw_coupons_response__descriptor, &arena);
    if (outcome == OUTCOME_OK && response && response->n_spent_ids > 0)
        trades_alert(trade->trades, "issued coupons already spent", trade, response->spent_ids[0]);
    arena_release(&arena);
}

static void reverse_settlement(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct refund_row *refund = refund_leg_of_call(call);
    struct arena arena;
    if (nothing_went_back(refund) || trade->row.missed & MISSED_SETTLEMENT) {
        saga_call_ok(call, STR_NONE); // there is nothing to reverse
        return;
    }
    arena_init(&arena, 1 << 20);
    Participant__Settlement__V1__ReverseTradeRequest request = PARTICIPANT__SETTLEMENT__V1__REVERSE_TRADE_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    books_postings(trade, refund->entry, &arena, &request.postings, &request.n_postings);
    request.refund_no = refund->refund_no;
    request.tenant_id = view_text(trade->row.tenant_id);
    request.station_id = view_text(trade->row.station_id);
    request.shift_id = view_text(trade->row.shift_id);
    request.business_date = view_text(trade->row.business_date);
    settlement_reverse(&effect_adapters(call)->settlement, &effect, &request, effect_done_bare, call);
    arena_release(&arena);
}

static void push_refunded(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct refund_row *refund = refund_leg_of_call(call);
    if (nothing_went_back(refund)) {
        saga_call_ok(call, STR_NONE);
        return;
    }
    Participant__Push__V1__PushRequest request = PARTICIPANT__PUSH__V1__PUSH_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    char amount[MONEY_TEXT_MAX], text[TRADE_ID_MAX + MONEY_TEXT_MAX + 32];
    struct money sum = {.minor = refund->amount};
    memcpy(sum.currency, trade->row.currency, sizeof sum.currency);
    money_format(sum, amount);
    snprintf(text, sizeof text, "Order %s refunded: %s", trade->row.order_no, amount);
    request.station_id = view_text(trade->row.station_id);
    request.event = view_text("REFUNDED");
    request.text = text;
    push_send(&effect_adapters(call)->push, &effect, &request, effect_done_bare, call);
}

// ---- For others ---------------------------------------------------------------------------------------------------

void refund_poke_all(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    const struct refund_row *refund;
    for (size_t i = 0; (refund = trade_at(trade, PART_REFUND, i)); i++) {
        bool waits = !refund_end_is_over(refund) ||
                     (refund->kind == REFUND_OF_TRADE && (!refund->claw_back_done || !refund->marked));
        if (!waits)
            continue;
        char gid[TRADE_GID_MAX];
        trade_refund_gid(trade, refund->refund_no, gid);
        saga_turn_poke(turn, str_c(gid));
    }
}

// ---- Operators ----------------------------------------------------------------------------------------------------

enum { STEP_TAKE_BACK_POINTS = 70 };

static void mark_ruled(struct saga_turn *turn, const struct saga_ruling *ruling) {
    struct refund_row *refund = refund_leg_of_turn(turn);
    if (ruling->act == SAGA_ACT_RESOLVE && ruling->outcome != OUTCOME_OK)
        return;
    trade_change(trade_of(saga_turn_subject(turn)), refund);
    refund->marked = 1;
    refund_poke_all(turn);
}

// What was to be taken back was, by somebody else, or, when the step is skipped, is not.
static void take_back_ruled(struct saga_turn *turn, const struct saga_ruling *ruling) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = refund_leg_of_turn(turn);
    bool skipped = ruling->act == SAGA_ACT_SKIP, awarded = trade->row.after[AFTER_AWARD].state == AFTER_APPLIED;
    if (!skipped && ruling->outcome != OUTCOME_OK)
        return;
    int64_t points = awarded ? refund_plan_share(trade->row.points_awarded, refund, trade->row.paid) : 0;
    trade_change(trade, refund);
    refund->claw_back_done = 1;
    *(skipped ? &refund->points_shortfall : &refund->points_clawed_back) = points;
    trade_edit(trade)->points_clawed_back += skipped ? 0 : points;
}

static bool allows(struct saga_turn *turn, const struct saga_ruling *ruling, struct error *error) {
    static const struct ruling_rule rules[] = {
        {.step_id = STEP_PAY_OUT,
         .no_skip =
             "the money has not gone back: retry it; resolve it with OK when it went another way; or terminate the "
             "refund, which frees what has not gone back"},
        {.step_id = 0},
    };
    if (saga_turn_step(turn)->id == STEP_PAY_OUT && ruling->act == SAGA_ACT_RESOLVE &&
        !refund_leg_may_be(turn, ruling, error))
        return false;
    bool awaits_award = trade_of(saga_turn_subject(turn))->row.after[AFTER_AWARD].state == AFTER_PENDING;
    if (saga_turn_step(turn)->id == STEP_TAKE_BACK_POINTS && awaits_award)
        return error_set(error, ERR_SAGA_STATE,
                         "whether points were awarded is not known yet: see to award_points first");
    return ruling_allowed(rules, turn, ruling, error);
}

// ---- The table ----------------------------------------------------------------------------------------------------

static const struct saga_step steps[] = {
    {.id = 10,
     .stage = 1,
     .kind = SAGA_RETRIABLE,
     .name = "captured",
     .text = "Waits until the payment has been worked off",
     .decide = captured},
    {.id = STEP_PAY_OUT,
     .stage = 2,
     .kind = SAGA_RETRIABLE,
     .name = "pay_out",
     .participant = "payment, card",
     .whom = refund_leg_pays_out,
     .text = "Each tender gives back its part",
     .legs = its_legs,
     .decide = refund_leg_paid_out,
     .ask = refund_leg_pay_out,
     .ruled = refund_leg_ruled,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_STUBBORN},
    {.id = 30, .stage = 3, .kind = SAGA_RETRIABLE, .name = "refunded", .text = "The money is back", .decide = refunded},
    {.id = 40,
     .stage = 4,
     .kind = SAGA_RETRIABLE,
     .name = "mark_refunded",
     .participant = "order",
     .text = "Marks the order refunded",
     .legs = of_trade,
     .decide = marked_refunded,
     .ask = mark_refunded,
     .ruled = mark_ruled,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN},
    {.id = 50,
     .stage = 4,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "give_back_coupons",
     .participant = "coupon",
     .text = "Used coupons come back",
     .legs = final_with_coupons,
     .run = give_back_coupons,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_LEISURELY},
    {.id = 60,
     .stage = 4,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "give_back_points",
     .participant = "points",
     .text = "Spent points come back",
     .legs = final_with_points,
     .run = give_back_points,
     .answered = points_given_back,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_LEISURELY},
    {.id = STEP_TAKE_BACK_POINTS,
     .stage = 4,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "take_back_points",
     .participant = "points",
     .text = "Awarded points go back",
     .legs = of_trade,
     .decide = taken_back,
     .ask = take_back_points,
     .ruled = take_back_ruled,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_LEISURELY},
    {.id = 80,
     .stage = 4,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "withdraw_coupons",
     .participant = "coupon",
     .text = "Issued coupons go back",
     .legs = final_of_trade,
     .run = withdraw_coupons,
     .answered = coupons_withdrawn,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_LEISURELY},
    {.id = 90,
     .stage = 4,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "reverse_settlement",
     .participant = "settlement",
     .text = "Reverses the settlement's record",
     .legs = of_trade,
     .run = reverse_settlement,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_LEISURELY},
    {.id = 100,
     .stage = 4,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "push_refunded",
     .participant = "push",
     .text = "Tells the screens",
     .legs = of_trade,
     .run = push_refunded,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_LEISURELY},
};

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
