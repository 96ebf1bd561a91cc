#include "flows/trade/refund_leg.h"

#include "adapters/card/card.h"
#include "adapters/payment/payment.h"
#include "flows/trade/archive.h"
#include "flows/trade/books.h"
#include "flows/trade/effect.h"
#include "flows/trade/matter.h"
#include "flows/trade/moved.h"
#include "flows/trade/refund_end.h"
#include "flows/trade/tender.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define GATEWAY_REFUND(name) PARTICIPANT__PAYMENT__V1__REFUND_STATE__REFUND_STATE_##name

// ---- How much, to whom --------------------------------------------------------------------------------------------

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
    return trade_refund_leg(effect_trade(call), refund_of_call(call)->refund_no, saga_call_leg(call));
}

// Of the refund's first saga, whichever asks.
static struct adapter_effect leg_effect(const struct saga_call *call, const struct refund_leg_row *leg,
                                        struct effect_whose *whose) {
    trade_refund_first_gid(effect_trade(call), leg->refund_no, whose->gid);
    return effect_of_step(call, saga_call_flow(call), STEP_PAY_OUT, (uint32_t)leg->generation, whose);
}

static void pay_out_card(struct saga_call *call, struct refund_leg_row *leg, struct tender_row *tender) {
    Participant__Card__V1__RefundCardRequest request = PARTICIPANT__CARD__V1__REFUND_CARD_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = effect_money(effect_trade(call), leg->amount);
    struct effect_whose whose;
    struct adapter_effect effect = leg_effect(call, leg, &whose);
    request.tender_no = tender->tender_no;
    request.refund_no = leg->refund_no;
    request.amount = &amount;
    const struct effect_expected expected = {moved_all, leg->amount,
                                             "the card gave back another amount than it was asked to", effect_done};
    card_refund(&effect_adapters(call)->card, &effect, &request, effect_done_as_expected,
                effect_expecting(call, &expected));
}

// What is asked of the gateway for a leg, as its answer must say again.
struct asked_refund {
    struct saga_call *call;
    char refund_no[GATEWAY_REFUND_NO_MAX];
    char tender_no[TENDER_NO_MAX + 1];
    int64_t amount;
    char currency[4];
    bool queried; // else it is to be made
};

static struct asked_refund asked_of(const struct trade *trade, const struct refund_leg_row *leg, int32_t generation) {
    struct asked_refund asked = {.amount = leg->amount};
    gateway_refund_no(leg, generation, asked.refund_no);
    memcpy(asked.tender_no, trade_tender(trade, leg->attempt_no, leg->tender)->tender_no, sizeof asked.tender_no);
    memcpy(asked.currency, trade->row.currency, sizeof asked.currency);
    return asked;
}

static bool is_answered(const struct asked_refund *asked, const Participant__Payment__V1__PaymentRefund *refund) {
    if (refund->state == GATEWAY_REFUND(NOT_FOUND))
        return asked->queried;
    return adapter_is_known(&participant__payment__v1__refund_state__descriptor, (int)refund->state) &&
           strcmp(refund->refund_no, asked->refund_no) == 0 && strcmp(refund->tender_no, asked->tender_no) == 0 &&
           refund->amount && refund->amount->minor_units == asked->amount &&
           strcmp(refund->amount->currency, asked->currency) == 0;
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
                       "the answer names another refund, tender, amount or currency", STR_NONE);
    else
        effect_done(asked->call, answer);
    arena_release(&arena);
    free(asked);
}

static struct asked_refund *asking(struct saga_call *call, const struct refund_leg_row *leg, bool queried) {
    struct asked_refund *asked = malloc(sizeof *asked);
    if (!asked)
        abort();
    *asked = asked_of(effect_trade(call), leg, leg->generation);
    asked->call = call;
    asked->queried = queried;
    return asked;
}

static void pay_out_gateway(struct saga_call *call, struct refund_leg_row *leg, struct tender_row *tender) {
    struct adapter *gateway = &effect_adapters(call)->payment;
    struct effect_whose whose;
    struct adapter_effect effect = leg_effect(call, leg, &whose);
    effect.order_no = trade_attempt(effect_trade(call), leg->attempt_no)->order_no; // the trade may have a newer one
    if (tender->undo == UNDO_REVERSED) {
        Participant__Payment__V1__QueryPaymentRequest request = PARTICIPANT__PAYMENT__V1__QUERY_PAYMENT_REQUEST__INIT;
        request.tender_no = tender->tender_no;
        payment_query(gateway, &effect, &request, tender_answered, tender_asking(call, tender, true));
        return;
    }
    if (leg->state == REFUND_LEG_STATE(ACCEPTED)) {
        Participant__Payment__V1__QueryRefundRequest request = PARTICIPANT__PAYMENT__V1__QUERY_REFUND_REQUEST__INIT;
        struct asked_refund *asked = asking(call, leg, true);
        request.refund_no = asked->refund_no;
        payment_query_refund(gateway, &effect, &request, refund_answered, asked);
        return;
    }
    Participant__Payment__V1__RefundPaymentRequest request = PARTICIPANT__PAYMENT__V1__REFUND_PAYMENT_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = effect_money(effect_trade(call), leg->amount);
    struct asked_refund *asked = asking(call, leg, false);
    request.tender_no = tender->tender_no;
    request.refund_no = asked->refund_no;
    request.amount = &amount;
    payment_refund(gateway, &effect, &request, refund_answered, asked);
}

// Cash is given back at the counter.
const char *refund_leg_pays_out(const struct saga_call *call) {
    struct refund_leg_row *leg = call_leg(call);
    struct tender_row *tender = trade_tender(effect_trade(call), leg->attempt_no, leg->tender);
    if (tender_is_card(tender))
        return "card";
    return tender_is_gateway(tender) ? "payment" : NULL;
}

void refund_leg_pay_out(struct saga_call *call) {
    struct refund_leg_row *leg = call_leg(call);
    struct tender_row *tender = trade_tender(effect_trade(call), leg->attempt_no, leg->tender);
    if (tender_is_card(tender))
        pay_out_card(call, leg, tender);
    else if (tender_is_gateway(tender))
        pay_out_gateway(call, leg, tender);
    else
        saga_call_ok(call, STR_NONE); // cash: given back at the counter
}

#define TO(name) (1u << REFUND_LEG_STATE(name))
static const uint32_t next_states[] = {
    [REFUND_LEG_STATE(PENDING)] = TO(ACCEPTED) | TO(DONE) | TO(FAILED),
    [REFUND_LEG_STATE(ACCEPTED)] = TO(DONE) | TO(FAILED) | TO(PENDING) /* the gateway does not know it any more */,
    [REFUND_LEG_STATE(FAILED)] = TO(PENDING) /* an operator said: again */ | TO(DONE) /* told late */,
    [REFUND_LEG_STATE(DONE)] = 0,
};

// That the channel refuses it is over, in whatever way.
static void no_longer_refused(struct saga_turn *turn, const struct refund_leg_row *leg, const char *why) {
    char what[MATTER_WHAT_MAX + 1];
    matter_of_leg(leg, what);
    matter_over(turn, MATTER_KIND(PAYOUT), what, why);
}

static void set_leg(struct saga_turn *turn, struct refund_leg_row *leg, Txcenter__Trade__V1__RefundLegState state) {
    trade_change(trade_of(saga_turn_subject(turn)), leg);
    assert(leg->state == (int32_t)state ||
           trade_may_become(next_states, STORE_COUNT(next_states), leg->state, (int32_t)state));
    if (leg->state == REFUND_LEG_STATE(FAILED) && state != REFUND_LEG_STATE(FAILED))
        no_longer_refused(turn, leg, state == REFUND_LEG_STATE(DONE) ? "it has gone back" : "it is tried again");
    leg->state = (int32_t)state;
}

static void note_amounts(struct trade *trade, struct refund_leg_row *leg,
                         const Participant__Payment__V1__PaymentRefund *refund) {
    trade_change(trade, leg);
    leg->payer_amount = tender_minor(refund->payer_amount);
    leg->gateway_discount = tender_minor(refund->gateway_discount);
    leg->merchant_discount = tender_minor(refund->merchant_discount);
    leg->settlement_amount = tender_minor(refund->settlement_amount);
}

// `generation`: the try that it is said of.
static void learn_leg(struct saga_turn *turn, struct refund_leg_row *leg, int32_t generation,
                      const Participant__Payment__V1__PaymentRefund *refund) {
    // A definite word stands; but what was said to have failed may have been paid out after all.
    bool failed = leg->state == REFUND_LEG_STATE(FAILED) && refund->state != GATEWAY_REFUND(DONE);
    if (leg->state == REFUND_LEG_STATE(DONE) || failed)
        return;
    note_amounts(trade_of(saga_turn_subject(turn)), leg, refund);
    switch (refund->state) {
    case GATEWAY_REFUND(DONE):
        set_leg(turn, leg, REFUND_LEG_STATE(DONE));
        leg->paid_by = generation;
        break;
    case GATEWAY_REFUND(ACCEPTED): set_leg(turn, leg, REFUND_LEG_STATE(ACCEPTED)); break;
    case GATEWAY_REFUND(FAILED):
        set_leg(turn, leg, REFUND_LEG_STATE(FAILED));
        str_fit(str_c(refund->code), leg->detail, sizeof leg->detail);
        break;
    case GATEWAY_REFUND(NOT_FOUND): set_leg(turn, leg, REFUND_LEG_STATE(PENDING)); break; // again, under its number
    default: break; // is_answered() lets none of those through
    }
}

// Takes in what the gateway has of a tender that was reversed.
static void learn_reversed(struct saga_turn *turn, struct refund_leg_row *leg, struct tender_row *tender,
                           struct str answer) {
    struct arena arena;
    arena_init(&arena, 1 << 20);
    const Participant__Payment__V1__Payment *payment = tender_payment_in(answer, &arena);
    if (payment && payment->state == PARTICIPANT__PAYMENT__V1__PAYMENT_STATE__PAYMENT_STATE_PAID) {
        trade_change(trade_of(saga_turn_subject(turn)), tender);
        tender->undo = UNDO_NONE; // it came after all that, and is there: it can be refunded
    } else if (payment) {
        set_leg(turn, leg, REFUND_LEG_STATE(DONE));
        leg->paid_by = REFUND_LEG_OTHERWISE;
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
        set_leg(turn, leg, REFUND_LEG_STATE(FAILED));
        str_fit(str_c(text), leg->detail, sizeof leg->detail);
        return;
    }
    if (!tender_is_gateway(tender)) {
        set_leg(turn, leg, REFUND_LEG_STATE(DONE));
        return;
    }
    if (tender->undo == UNDO_REVERSED) {
        learn_reversed(turn, leg, tender, asked->answer);
        return;
    }
    struct arena arena;
    arena_init(&arena, 1 << 20);
    const Participant__Payment__V1__PaymentRefund *refund = refund_in(asked->answer, &arena);
    if (refund)
        learn_leg(turn, leg, leg->generation, refund);
    arena_release(&arena);
}

static struct saga_verdict wait_for_gateway(struct saga_turn *turn, struct refund_leg_row *leg, bool asked) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    int64_t now_ms = saga_turn_now(turn);
    if (asked || leg->next_query_ms == 0) {
        trade_change(trade, leg);
        leg->next_query_ms = tender_next_query_ms(trade, &leg->queries, now_ms);
    } else if (now_ms >= leg->next_query_ms) {
        return saga_ask_to_know();
    }
    return saga_wait(leg->next_query_ms);
}

// Durable before it is sent: whatever the gateway says later is told apart by the number it was asked under.
static struct saga_verdict ask_to_pay_out(struct saga_turn *turn, struct refund_leg_row *leg) {
    trade_change(trade_of(saga_turn_subject(turn)), leg);
    if (leg->generation == 0)
        leg->generation = 1;
    leg->asked_as = (int32_t)saga_turn_generation(turn);
    return saga_ask();
}

void refund_leg_handed_over(struct trade *trade, struct refund_leg_row *leg) {
    trade_change(trade, leg);
    leg->asked_as = 1; // as its saga begins: what was refused is tried again when an operator says so
}

bool refund_leg_is_open(const struct refund_leg_row *leg) {
    return leg->state == REFUND_LEG_STATE(ACCEPTED) || (leg->state == REFUND_LEG_STATE(PENDING) && leg->generation > 0);
}

// Of a refund that was terminated: what may be on its way is followed to its end, and nothing else is begun.
static bool is_given_up(const struct refund_row *refund, const struct refund_leg_row *leg) {
    return refund_end_is_given_up(refund) && leg->state != REFUND_LEG_STATE(DONE) && !refund_leg_is_open(leg);
}

void refund_leg_hold(struct saga_turn *turn, const struct refund_leg_row *leg, const char *reason, const char *gid) {
    char what[MATTER_WHAT_MAX + 1];
    matter_of_leg(leg, what);
    const struct matter matter = {.kind = MATTER_KIND(PAYOUT),
                                  .what = what,
                                  .reason = reason,
                                  .text = leg->detail,
                                  .amount = leg->amount,
                                  .gid = gid};
    matter_hold(turn, &matter);
}

// An operator has another way, or the channel is tried again.
static void hold(struct saga_turn *turn, const struct refund_leg_row *leg) {
    refund_leg_hold(turn, leg, "PAYOUT_REFUSED", saga_turn_saga(turn)->gid);
}

// Parks.
static struct saga_verdict refused(struct saga_turn *turn, const struct refund_leg_row *leg) {
    hold(turn, leg);
    return saga_reject(ERR_PARTICIPANT_REJECTED, leg->detail);
}

// It is asked for as long as that takes. A definite no does not mend by itself, so that is told at once.
static void tell_unlearnt(struct saga_turn *turn, const struct saga_asked *asked) {
    const struct trade *trade = trade_of(saga_turn_subject(turn));
    bool at_once = asked->outcome == OUTCOME_REJECTED && saga_turn_attempts(turn) == 1;
    if (at_once || saga_turn_just_exhausted(turn))
        trades_alert(trade->trades, "how a refund stands can't be learnt", trade, asked->text);
}

struct saga_verdict refund_leg_paid_out(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    const struct refund_row *refund = refund_of_turn(turn);
    struct refund_leg_row *leg = trade_refund_leg(trade, refund->refund_no, saga_turn_leg(turn));
    const struct saga_asked *asked = saga_turn_asked(turn);
    bool definite = asked && (asked->outcome == OUTCOME_OK || asked->outcome == OUTCOME_REJECTED);
    if (definite)
        learn_answer(turn, leg, asked);
    if (is_given_up(refund, leg))
        return saga_done();
    switch (leg->state) {
    case REFUND_LEG_STATE(DONE): return saga_done();
    case REFUND_LEG_STATE(ACCEPTED):
        if (asked && asked->outcome != OUTCOME_OK)
            tell_unlearnt(turn, asked);
        return wait_for_gateway(turn, leg, asked != NULL);
    case REFUND_LEG_STATE(FAILED):
        if (leg->asked_as == (int32_t)saga_turn_generation(turn))
            return refused(turn, leg);
        set_leg(turn, leg, REFUND_LEG_STATE(PENDING)); // an operator said: try again
        leg->generation++;
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

// Refused, or not answered for too long: the gateway may speak of it by itself, or an operator know what it spoke of.
bool refund_leg_came_right(const struct saga_turn *turn) {
    return trade_refund_leg(trade_of(saga_turn_subject(turn)), refund_of_turn(turn)->refund_no, saga_turn_leg(turn))
               ->state == REFUND_LEG_STATE(DONE);
}

// The leg, and its try, that a number names; NULL.
static struct refund_leg_row *leg_named(const struct trade *trade, const char *number, int32_t *ret_generation) {
    struct refund_leg_row *leg;
    for (size_t i = 0; (leg = trade_at(trade, PART_REFUND_LEG, i)); i++)
        if ((*ret_generation = generation_named(leg, number)) > 0)
            return leg;
    return NULL;
}

// Of a leg that an older release has seen paid out: its newest try was.
static int32_t paid_by(const struct refund_leg_row *leg) {
    return leg->paid_by ? leg->paid_by : leg->generation;
}

enum refund_learnt refund_leg_learn(struct saga_turn *turn, const Participant__Payment__V1__PaymentRefund *notice) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    int32_t generation = 0;
    struct refund_leg_row *leg = leg_named(trade, notice->refund_no, &generation);
    if (!leg || !tender_is_gateway(trade_tender(trade, leg->attempt_no, leg->tender)))
        return REFUND_UNKNOWN;
    const struct refund_row *refund = trade_refund(trade, str_c(leg->refund_no));
    if (refund_end_is_over(refund) && leg->state != REFUND_LEG_STATE(DONE))
        return notice->state == GATEWAY_REFUND(DONE) ? REFUND_PAID_OUT_BEFORE : REFUND_LEARNT;
    const struct asked_refund asked = asked_of(trade, leg, generation);
    if (!is_answered(&asked, notice))
        return REFUND_MISMATCHED;
    if (leg->state == REFUND_LEG_STATE(DONE))
        return notice->state == GATEWAY_REFUND(DONE) && generation != paid_by(leg) ? REFUND_PAID_OUT_TOO
                                                                                   : REFUND_LEARNT;
    bool older = generation < leg->generation;
    if (older && notice->state != GATEWAY_REFUND(DONE))
        return REFUND_LEARNT; // the no to it was heard, and something else sent instead: of that it says nothing
    if (older && leg->state != REFUND_LEG_STATE(FAILED))
        return REFUND_PAID_OUT_BEFORE; // and what was sent instead may be, too
    // Where what was sent instead has definitely failed, the older one is what was paid out.
    char gid[TRADE_GID_MAX];
    if (notice->state == GATEWAY_REFUND(DONE) || leg->state == REFUND_LEG_STATE(ACCEPTED))
        learn_leg(turn, leg, generation, notice);
    refund_end_look(turn, trade_refund(trade, str_c(leg->refund_no)));
    trade_refund_gid(trade, leg->refund_no, gid);
    saga_turn_poke(turn, str_c(gid));
    return REFUND_LEARNT;
}

// ---- Operators ----------------------------------------------------------------------------------------------------

bool refund_leg_may_be(struct saga_turn *turn, const struct saga_ruling *ruling, struct error *error) {
    const struct refund_leg_row *leg =
        trade_refund_leg(trade_of(saga_turn_subject(turn)), refund_of_turn(turn)->refund_no, saga_turn_leg(turn));
    if (ruling->outcome == OUTCOME_REJECTED && leg->state == REFUND_LEG_STATE(DONE))
        return error_set(error, ERR_SAGA_STATE, "the gateway has said that the money went back");
    return true;
}

// OK: the money is back, in this way or another: which of them is not said, so what the gateway says of it later is for
// whoever knows. REJECTED: it is not, and will not be by the newest try.
void refund_leg_ruled(struct saga_turn *turn, const struct saga_ruling *ruling) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_leg_row *leg = trade_refund_leg(trade, refund_of_turn(turn)->refund_no, saga_turn_leg(turn));
    bool paid = ruling->outcome == OUTCOME_OK;
    set_leg(turn, leg, paid ? REFUND_LEG_STATE(DONE) : REFUND_LEG_STATE(FAILED));
    str_fit(str_c(ruling->text), leg->detail, sizeof leg->detail);
    if (paid)
        leg->paid_by = REFUND_LEG_OTHERWISE;
    else
        hold(turn, leg);
}

void refund_leg_paid_otherwise(struct saga_turn *turn, struct refund_leg_row *leg, const char *reference) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    set_leg(turn, leg, REFUND_LEG_STATE(DONE));
    leg->paid_by = REFUND_LEG_OTHERWISE;
    str_print(leg->detail, sizeof leg->detail, "given back otherwise: %s", reference);
    books_suspense(trade, LEDGER_OTHERWISE, trade_tender(trade, leg->attempt_no, leg->tender), leg->amount,
                   saga_turn_now(turn));
}

void refund_leg_stop(struct saga_turn *turn, struct refund_leg_row *leg) {
    if (leg->state != REFUND_LEG_STATE(FAILED))
        set_leg(turn, leg, REFUND_LEG_STATE(FAILED));
    else
        no_longer_refused(turn, leg, "an operator has ended the refund");
    trade_change(trade_of(saga_turn_subject(turn)), leg);
    str_fit(STR("not given back: an operator has ended the refund"), leg->detail, sizeof leg->detail);
}
