#include "flows/trade/refund.h"

#include "adapters/card/card.h"
#include "adapters/coupon/coupon.h"
#include "adapters/order/order.h"
#include "adapters/payment/payment.h"
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
#include "flows/trade/refund_plan.h"
#include "flows/trade/retire.h"
#include "flows/trade/tender.h"
#include "flows/trade/view.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define GATEWAY_REFUND(name) PARTICIPANT__PAYMENT__V1__REFUND_STATE__REFUND_STATE_##name

static struct refund_row *turn_refund(struct saga_turn *turn) {
    return trade_refund(trade_of(saga_turn_subject(turn)), saga_turn_input(turn));
}

static struct refund_row *call_refund(const struct saga_call *call) {
    return trade_refund(effect_trade(call), saga_call_input(call));
}

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
    if (turn_refund(turn)->kind == REFUND_RETURN || trade->row.completed_ms > 0)
        return saga_done();
    return saga_wait(saga_turn_now(turn) + POKE_LOST_MS); // and poked when it completes
}

// ---- 2: pay out ---------------------------------------------------------------------------------------------------

// A leg's refund at the gateway is "<trade_no>@<refund_no>@<leg>", and each try after a definite no another one there:
// "…@<generation>", from 2. No refund_no holds an '@', so a number names one try of one leg. The gateway takes 64
// bytes; with the longest refund_no (32 bytes) and leg (2 digits) that is enough for nine tries, with all others
// for 99. What is longer is refused there: definite, and the operator's.
enum { GATEWAY_REFUND_NO_MAX = 96 };
// What goes back of a deleted trade has the number of its return (archive.h) as it is, which is no other's.
static void gateway_refund_no(const struct refund_leg_row *leg, int32_t generation, char out[GATEWAY_REFUND_NO_MAX]) {
    bool late = archive_is_return_no(leg->refund_no);
    int length = late ? snprintf(out, GATEWAY_REFUND_NO_MAX, "%s", leg->refund_no)
                      : snprintf(out, GATEWAY_REFUND_NO_MAX, "%s@%s@%d", leg->trade_no, leg->refund_no, leg->leg);
    if (generation > 1)
        snprintf(out + length, (size_t)(GATEWAY_REFUND_NO_MAX - length), "@%d", generation);
}

// Which try of this leg a number names; 0: none that was ever made.
static int32_t generation_named(const struct refund_leg_row *leg, const char *number) {
    char first[GATEWAY_REFUND_NO_MAX], same[GATEWAY_REFUND_NO_MAX];
    int64_t generation = 1;
    gateway_refund_no(leg, 1, first);
    struct str rest = str_c(number);
    if (!str_starts(rest, str_c(first)))
        return 0;
    rest = str_n(rest.ptr + strlen(first), rest.len - strlen(first));
    if (rest.len > 0 && !str_to_i64(str_n(rest.ptr + 1, rest.len - 1), &generation))
        return 0;
    if (generation < 1 || generation > leg->generation)
        return 0;
    gateway_refund_no(leg, (int32_t)generation, same);
    return strcmp(number, same) == 0 ? (int32_t)generation : 0;
}

static struct refund_leg_row *call_leg(const struct saga_call *call) {
    return trade_refund_leg(effect_trade(call), call_refund(call)->refund_no, saga_call_leg(call));
}

static void pay_out_card(struct saga_call *call, struct refund_leg_row *leg, struct tender_row *tender) {
    Participant__Card__V1__RefundCardRequest request = PARTICIPANT__CARD__V1__REFUND_CARD_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = effect_money(effect_trade(call), leg->amount);
    struct adapter_effect effect = effect_of(call);
    request.tender_no = tender->tender_no;
    request.refund_no = leg->refund_no;
    request.amount = &amount;
    card_refund(&effect_adapters(call)->card, &effect, &request, effect_done, call);
}

// What is asked of the gateway for a leg, as its answer must say again.
struct asked_refund {
    struct saga_call *call;
    char tender_no[TENDER_NO_MAX + 1];
    int64_t amount;
    char currency[4];
};

static struct asked_refund asked_of(const struct trade *trade, const struct refund_leg_row *leg) {
    struct asked_refund asked = {.amount = leg->amount};
    memcpy(asked.tender_no, trade_tender(trade, leg->attempt_no, leg->tender)->tender_no, sizeof asked.tender_no);
    memcpy(asked.currency, trade->row.currency, sizeof asked.currency);
    return asked;
}

static bool is_answered(const struct asked_refund *asked, const Participant__Payment__V1__PaymentRefund *refund) {
    return refund->state == GATEWAY_REFUND(NOT_FOUND) ||
           (strcmp(refund->tender_no, asked->tender_no) == 0 && refund->amount &&
            refund->amount->minor_units == asked->amount && strcmp(refund->amount->currency, asked->currency) == 0);
}

// QueryRefund answers as RefundPayment does.
static const Participant__Payment__V1__PaymentRefund *refund_in(struct str answer, struct arena *arena) {
    const Participant__Payment__V1__RefundPaymentResponse *response =
        effect_answer(answer, &participant__payment__v1__refund_payment_response__descriptor, arena);
    return response ? response->refund : NULL;
}

static void refund_answered(void *ctx, const struct adapter_answer *answer) {
    struct asked_refund *asked = ctx;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    const Participant__Payment__V1__PaymentRefund *refund =
        answer->outcome == OUTCOME_OK ? refund_in(answer->bytes, &arena) : NULL;
    if (answer->outcome == OUTCOME_OK && !(refund && is_answered(asked, refund)))
        saga_call_done(asked->call, OUTCOME_UNKNOWN, ERR_PARTICIPANT_BROKEN, NULL,
                       "the answer names another tender, amount or currency", STR_NONE);
    else
        effect_done(asked->call, answer);
    arena_release(&arena);
    free(asked);
}

static struct asked_refund *asking(struct saga_call *call, const struct refund_leg_row *leg) {
    struct asked_refund *asked = malloc(sizeof *asked);
    if (!asked)
        abort();
    *asked = asked_of(effect_trade(call), leg);
    asked->call = call;
    return asked;
}

static void pay_out_gateway(struct saga_call *call, struct refund_leg_row *leg, struct tender_row *tender) {
    struct adapter *gateway = &effect_adapters(call)->payment;
    struct adapter_effect effect = effect_of(call);
    effect.order_no = trade_attempt(effect_trade(call), leg->attempt_no)->order_no; // the trade may have a newer one
    char number[GATEWAY_REFUND_NO_MAX];
    gateway_refund_no(leg, leg->generation, number);
    if (tender->undo == UNDO_REVERSED) {
        Participant__Payment__V1__QueryPaymentRequest request = PARTICIPANT__PAYMENT__V1__QUERY_PAYMENT_REQUEST__INIT;
        request.tender_no = tender->tender_no;
        payment_query(gateway, &effect, &request, tender_settled, call);
        return;
    }
    if (leg->state == REFUND_LEG_STATE(ACCEPTED)) {
        Participant__Payment__V1__QueryRefundRequest request = PARTICIPANT__PAYMENT__V1__QUERY_REFUND_REQUEST__INIT;
        request.refund_no = number;
        payment_query_refund(gateway, &effect, &request, refund_answered, asking(call, leg));
        return;
    }
    Participant__Payment__V1__RefundPaymentRequest request = PARTICIPANT__PAYMENT__V1__REFUND_PAYMENT_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = effect_money(effect_trade(call), leg->amount);
    request.tender_no = tender->tender_no;
    request.refund_no = number;
    request.amount = &amount;
    payment_refund(gateway, &effect, &request, refund_answered, asking(call, leg));
}

// Cash is given back at the counter.
static const char *pays_out(const struct saga_call *call) {
    struct refund_leg_row *leg = call_leg(call);
    struct tender_row *tender = trade_tender(effect_trade(call), leg->attempt_no, leg->tender);
    if (tender->kind == TENDER_KIND(CARD))
        return "card";
    return tender_is_gateway(tender) ? "payment" : NULL;
}

static void pay_out(struct saga_call *call) {
    struct refund_leg_row *leg = call_leg(call);
    struct tender_row *tender = trade_tender(effect_trade(call), leg->attempt_no, leg->tender);
    if (tender->kind == TENDER_KIND(CARD))
        pay_out_card(call, leg, tender);
    else if (tender_is_gateway(tender))
        pay_out_gateway(call, leg, tender);
    else
        saga_call_ok(call, STR_NONE); // cash: given back at the counter
}

#define TO(name) (1u << REFUND_LEG_STATE(name))
static const uint32_t followers[] = {
    [REFUND_LEG_STATE(PENDING)] = TO(ACCEPTED) | TO(DONE) | TO(FAILED),
    [REFUND_LEG_STATE(ACCEPTED)] = TO(DONE) | TO(FAILED) | TO(PENDING) /* the gateway does not know it any more */,
    [REFUND_LEG_STATE(FAILED)] = TO(PENDING) /* an operator said: again */ | TO(DONE) /* told late */,
    [REFUND_LEG_STATE(DONE)] = 0,
};

static void set_leg(struct trade *trade, struct refund_leg_row *leg, Txcenter__Trade__V1__RefundLegState state) {
    trade_change(trade, leg);
    assert(leg->state == (int32_t)state ||
           trade_may_become(followers, STORE_COUNT(followers), leg->state, (int32_t)state));
    leg->state = (int32_t)state;
}

static void learn_leg(struct trade *trade, struct refund_leg_row *leg,
                      const Participant__Payment__V1__PaymentRefund *refund) {
    // A definite word stands; but what was said to have failed may have been paid out after all.
    bool failed = leg->state == REFUND_LEG_STATE(FAILED) && refund->state != GATEWAY_REFUND(DONE);
    if (leg->state == REFUND_LEG_STATE(DONE) || failed)
        return;
    trade_change(trade, leg);
    leg->payer_amount = tender_minor(refund->payer_amount);
    leg->gateway_discount = tender_minor(refund->gateway_discount);
    leg->merchant_discount = tender_minor(refund->merchant_discount);
    leg->settlement_amount = tender_minor(refund->settlement_amount);
    switch (refund->state) {
    case GATEWAY_REFUND(DONE): set_leg(trade, leg, REFUND_LEG_STATE(DONE)); break;
    case GATEWAY_REFUND(ACCEPTED): set_leg(trade, leg, REFUND_LEG_STATE(ACCEPTED)); break;
    case GATEWAY_REFUND(FAILED):
        set_leg(trade, leg, REFUND_LEG_STATE(FAILED));
        str_fit(str_c(refund->code), leg->detail, sizeof leg->detail);
        break;
    default: set_leg(trade, leg, REFUND_LEG_STATE(PENDING)); break; // asked for again, under the same number
    }
}

// Takes in what the gateway has of a tender that was reversed.
static void learn_reversed(struct trade *trade, struct refund_leg_row *leg, struct tender_row *tender,
                           struct str answer) {
    struct arena arena;
    arena_init(&arena, 1 << 20);
    const Participant__Payment__V1__Payment *payment = tender_payment_in(answer, &arena);
    if (payment && payment->state == PARTICIPANT__PAYMENT__V1__PAYMENT_STATE__PAYMENT_STATE_PAID) {
        trade_change(trade, tender);
        tender->undo = UNDO_NONE; // it came after all that, and is there: it can be refunded
    } else if (payment) {
        set_leg(trade, leg, REFUND_LEG_STATE(DONE));
        str_fit(STR("the reversal gave it back"), leg->detail, sizeof leg->detail);
    }
    arena_release(&arena);
}

// Takes in the answer to a refund, or to a query of one or of the tender.
static void learn_answer(struct saga_turn *turn, struct refund_leg_row *leg, const struct saga_asked *asked) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct tender_row *tender = trade_tender(trade, leg->attempt_no, leg->tender);
    if (asked->outcome == OUTCOME_REJECTED) {
        if (leg->state != REFUND_LEG_STATE(PENDING))
            return; // it was asked how the refund stands: to be refused that says nothing of the refund
        char text[SAGA_CODE_MAX + SAGA_TEXT_MAX];
        snprintf(text, sizeof text, "%s: %s", asked->reason, asked->text);
        set_leg(trade, leg, REFUND_LEG_STATE(FAILED));
        str_fit(str_c(text), leg->detail, sizeof leg->detail);
        return;
    }
    if (!tender_is_gateway(tender)) {
        set_leg(trade, leg, REFUND_LEG_STATE(DONE));
        return;
    }
    if (tender->undo == UNDO_REVERSED) {
        learn_reversed(trade, leg, tender, asked->answer);
        return;
    }
    struct arena arena;
    arena_init(&arena, 1 << 20);
    const Participant__Payment__V1__PaymentRefund *refund = refund_in(asked->answer, &arena);
    if (refund)
        learn_leg(trade, leg, refund);
    arena_release(&arena);
}

static struct saga_verdict wait_for_gateway(struct saga_turn *turn, struct refund_leg_row *leg, bool asked) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    int64_t now_ms = saga_turn_now(turn);
    if (asked || leg->next_query_ms == 0) {
        trade_change(trade, leg);
        leg->next_query_ms = tender_next_query_ms(trade, &leg->queries, now_ms);
    } else if (now_ms >= leg->next_query_ms) {
        return saga_ask();
    }
    return saga_wait(leg->next_query_ms);
}

// Durable before it is sent: whatever the gateway says later is told apart by the number it was asked under.
static struct saga_verdict ask_to_pay_out(struct saga_turn *turn, struct refund_leg_row *leg) {
    trade_change(trade_of(saga_turn_subject(turn)), leg);
    leg->generation = (int32_t)saga_turn_generation(turn);
    return saga_ask();
}

static struct saga_verdict paid_out(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_leg_row *leg = trade_refund_leg(trade, turn_refund(turn)->refund_no, saga_turn_leg(turn));
    const struct saga_asked *asked = saga_turn_asked(turn);
    bool definite = asked && (asked->outcome == OUTCOME_OK || asked->outcome == OUTCOME_REJECTED);
    if (definite)
        learn_answer(turn, leg, asked);
    switch (leg->state) {
    case REFUND_LEG_STATE(DONE): return saga_done();
    case REFUND_LEG_STATE(ACCEPTED):
        if (asked && !definite && saga_turn_just_exhausted(turn))
            trades_alert(trade->trades, "how a refund stands can't be learnt", trade, asked->text);
        return wait_for_gateway(turn, leg, asked != NULL);
    case REFUND_LEG_STATE(FAILED):
        if (leg->generation == (int32_t)saga_turn_generation(turn))
            return saga_reject(ERR_PARTICIPANT_REJECTED, leg->detail); // parks
        set_leg(trade, leg, REFUND_LEG_STATE(PENDING));                // an operator said: try again
        leg->queries = 0;
        leg->next_query_ms = 0;
        return ask_to_pay_out(turn, leg);
    default: break;
    }
    if (!asked)
        return ask_to_pay_out(turn, leg);
    if (!definite && saga_turn_exhausted(turn))
        return saga_park(ERR_RETRIES_EXHAUSTED, asked->text);
    return saga_wait(saga_turn_again_ms(turn));
}

enum refund_learnt refund_learn(struct saga_turn *turn, const Participant__Payment__V1__PaymentRefund *refund) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_leg_row *leg;
    int32_t generation = 0;
    for (size_t i = 0; generation == 0 && (leg = trade_at(trade, PART_REFUND_LEG, i)); i++)
        generation = generation_named(leg, refund->refund_no);
    if (generation == 0)
        return REFUND_UNKNOWN;
    const struct asked_refund asked = asked_of(trade, leg);
    if (!is_answered(&asked, refund))
        return REFUND_MISMATCHED;
    bool older = generation < leg->generation;
    if (older && refund->state != GATEWAY_REFUND(DONE))
        return REFUND_LEARNT; // the no to it was heard, and something else sent instead: of that it says nothing
    if (older && leg->state != REFUND_LEG_STATE(FAILED))
        return REFUND_PAID_OUT_BEFORE; // and what was sent instead may be, too
    // Where what was sent instead has definitely failed, the older one is what was paid out.
    char gid[TRADE_GID_MAX];
    if (refund->state == GATEWAY_REFUND(DONE) || leg->state == REFUND_LEG_STATE(ACCEPTED))
        learn_leg(trade, leg, refund);
    trade_refund_gid(trade, leg->refund_no, gid);
    saga_turn_poke(turn, str_c(gid));
    return REFUND_LEARNT;
}

// ---- 3: refunded --------------------------------------------------------------------------------------------------

static void returned(struct trade *trade, struct refund_row *refund, int64_t now_ms) {
    struct refund_leg_row *leg = trade_refund_leg(trade, refund->refund_no, 0);
    struct tender_row *tender = trade_change(trade, trade_tender(trade, leg->attempt_no, leg->tender));
    books_suspense(trade, LEDGER_RETURNED, tender, refund->amount, now_ms);
    tender_set_state(trade, tender, TENDER_STATE(RETURNED));
    tender->refunded = refund->amount;
}

static void take_from_reserved(struct trade *trade, const struct refund_row *refund) {
    for (int32_t i = 0; i < refund->legs; i++) {
        const struct refund_leg_row *leg = trade_refund_leg(trade, refund->refund_no, i);
        struct tender_row *tender = trade_change(trade, trade_tender(trade, leg->attempt_no, leg->tender));
        tender->refunded += leg->amount;
        tender->refund_pending -= leg->amount;
    }
    trade_edit(trade)->refunded += refund->amount;
    trade->row.refund_pending -= refund->amount;
}

static struct saga_verdict refunded(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = trade_change(trade, turn_refund(turn));
    int64_t now_ms = saga_turn_now(turn);
    refund->state = REFUND_STATE(DONE);
    refund->done_ms = now_ms;
    if (refund->kind == REFUND_RETURN) {
        returned(trade, refund, now_ms);
        return saga_done();
    }
    books_refunded(trade, refund, now_ms);
    take_from_reserved(trade, refund);
    if (refund->final)
        after_refunded(trade);
    const struct trade_row *row = &trade->row;
    bool all = row->refunded == row->paid && row->refund_pending == 0;
    trade_set_state(trade, all ? TRADE_STATE(REFUNDED) : TRADE_STATE(PARTIALLY_REFUNDED), now_ms);
    return saga_done();
}

// ---- 4: what followed the payment -----------------------------------------------------------------------------------

static void mark_refunded(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct refund_row *refund = call_refund(call);
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
    struct refund_row *refund = turn_refund(turn);
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
    arena_init(&arena, CHOSEN_ARENA_MAX);
    Participant__Coupon__V1__GiveBackCouponsRequest request = PARTICIPANT__COUPON__V1__GIVE_BACK_COUPONS_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    request.refund_no = call_refund(call)->refund_no;
    request.n_coupon_ids = chosen_coupons(effect_trade(call), &arena, &request.coupon_ids);
    coupon_give_back(&effect_adapters(call)->coupon, &effect, &request, effect_done_bare, call);
    arena_release(&arena);
}

static void give_back_points(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    Participant__Points__V1__GiveBackPointsRequest request = PARTICIPANT__POINTS__V1__GIVE_BACK_POINTS_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    request.refund_no = call_refund(call)->refund_no;
    request.user_id = view_text(trade->row.user_id);
    request.points = trade->row.points;
    points_give_back(&effect_adapters(call)->points, &effect, &request, effect_done_bare, call);
}

static void points_given_back(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op;
    (void)answer;
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = trade_change(trade, turn_refund(turn));
    if (outcome == OUTCOME_OK)
        refund->points_given_back = trade->row.points;
}

static void take_back_points(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct refund_row *refund = call_refund(call);
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
    struct refund_row *refund = turn_refund(turn);
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
    struct refund_row *refund = call_refund(call);
    struct arena arena;
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
    struct refund_row *refund = call_refund(call);
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
        bool waits = refund->state == REFUND_STATE(PENDING) ||
                     (refund->kind == REFUND_OF_TRADE && (!refund->claw_back_done || !refund->marked));
        if (!waits)
            continue;
        char gid[TRADE_GID_MAX];
        trade_refund_gid(trade, refund->refund_no, gid);
        saga_turn_poke(turn, str_c(gid));
    }
}

// ---- The table ----------------------------------------------------------------------------------------------------

static const struct saga_step steps[] = {
    {.id = 10,
     .stage = 1,
     .kind = SAGA_RETRIABLE,
     .name = "captured",
     .text = "Waits until the payment has been worked off",
     .decide = captured},
    {.id = 20,
     .stage = 2,
     .kind = SAGA_RETRIABLE,
     .name = "pay_out",
     .participant = "payment, card",
     .whom = pays_out,
     .text = "Each tender gives back its part",
     .legs = its_legs,
     .decide = paid_out,
     .ask = pay_out,
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
    {.id = 70,
     .stage = 4,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "take_back_points",
     .participant = "points",
     .text = "Awarded points go back",
     .legs = of_trade,
     .decide = taken_back,
     .ask = take_back_points,
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
    .attach = load_attach,
    .estate = &retire_estate,
};

const struct saga_flow late_flow = {
    .name = "trade.late",
    .version = 1,
    .text = "Money that came for a trade that is deleted goes back",
    .steps = steps,
    .n_steps = STORE_COUNT(steps),
    .attach = load_attach_archived,
};
