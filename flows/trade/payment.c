// One attempt to pay: freeze what is synchronous, create what is asynchronous, collect the outcomes, confirm, and the
// watershed: the attempt's end and the trade's PAID are one transaction.
#include "flows/trade/payment.h"

#include "adapters/card/card.h"
#include "adapters/payment/payment.h"
#include "flows/trade/adjust.h"
#include "flows/trade/after.h"
#include "flows/trade/books.h"
#include "flows/trade/capture.h"
#include "flows/trade/holding.h"
#include "flows/trade/load.h"
#include "flows/trade/moved.h"
#include "flows/trade/pay.h"
#include "flows/trade/purchase_end.h"
#include "flows/trade/recall.h"
#include "flows/trade/refund_plan.h"
#include "flows/trade/retire.h"
#include "flows/trade/ruling.h"
#include "flows/trade/tender.h"
#include "flows/trade/view.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static_assert((int)TRADE_PARAMETERS_MAX >= (int)SAGA_ANSWER_MAX, "what a kept answer holds can be kept of it");

enum { START_AGAIN_MS = 1000 }; // what the engine can't start at present
enum { STEP_FREEZE_POINTS = 5, STEP_FREEZE_CARD = 10, STEP_CREATE = 20, STEP_COLLECT = 40, STEP_CONFIRM = 50 };

// ---- Legs are tenders ---------------------------------------------------------------------------------------------

static int32_t attempt_of(struct str input) {
    int64_t attempt_no = 0;
    str_to_i64(input, &attempt_no);
    return (int32_t)attempt_no;
}

static struct tender_row *nth(const struct trade *trade, struct str input, uint8_t leg,
                              bool (*of_kind)(const struct tender_row *tender)) {
    struct tender_row *tender;
    for (int32_t i = 0; (tender = trade_tender(trade, attempt_of(input), i)); i++)
        if (of_kind(tender) && leg-- == 0)
            return tender;
    return NULL;
}

static unsigned count(const struct saga_subject *subject, struct str input,
                      bool (*of_kind)(const struct tender_row *tender)) {
    unsigned n = 0;
    while (n < TRADE_TENDERS_MAX && nth(trade_of_const(subject), input, (uint8_t)n, of_kind))
        n++;
    return n;
}

unsigned payment_cards(const struct saga_subject *subject, struct str input) {
    return count(subject, input, tender_is_card);
}

// A card is taken only once it is known how much of it was used, where that is still to be adjusted.
static unsigned confirmed_cards(const struct saga_subject *subject, struct str input) {
    return trade_of_const(subject)->row.adjust == ADJUST_NONE ? payment_cards(subject, input) : 0;
}

struct tender_row *payment_card(const struct trade *trade, struct str input, uint8_t leg) {
    return nth(trade, input, leg, tender_is_card);
}

void payment_freeze_key(const struct trade *trade, int32_t attempt_no, uint8_t leg, char out[SAGA_KEY_MAX]) {
    char gid[TRADE_GID_MAX];
    trade_payment_gid(trade, attempt_no, gid);
    saga_key(gid, STEP_FREEZE_CARD, leg, 1, out); // the first: what can be undone is never tried under another key
}

unsigned payment_gateways(const struct saga_subject *subject, struct str input) {
    return count(subject, input, tender_is_gateway);
}

static struct tender_row *call_card(const struct saga_call *call) {
    return nth(effect_trade(call), saga_call_input(call), saga_call_leg(call), tender_is_card);
}

static struct tender_row *call_gateway(const struct saga_call *call) {
    return nth(effect_trade(call), saga_call_input(call), saga_call_leg(call), tender_is_gateway);
}

static struct tender_row *turn_tender(const struct saga_turn *turn, bool (*of_kind)(const struct tender_row *tender)) {
    return nth(trade_of(saga_turn_subject(turn)), saga_turn_input(turn), saga_turn_leg(turn), of_kind);
}

static struct pay_attempt_row *turn_attempt(struct saga_turn *turn) {
    return trade_attempt(trade_of(saga_turn_subject(turn)), attempt_of(saga_turn_input(turn)));
}

static void set_tender(struct saga_turn *turn, struct tender_row *tender, Txcenter__Trade__V1__TenderState state) {
    tender_set_state(trade_of(saga_turn_subject(turn)), tender, state);
}

// ---- What is undone -----------------------------------------------------------------------------------------------

// Of the attempt's own step, also when another saga does it.
static struct adapter_effect undo_effect(const struct saga_call *call, int32_t attempt_no, uint16_t step_id,
                                         struct effect_whose *whose) {
    struct trade *trade = effect_trade(call);
    trade_payment_gid(trade, attempt_no, whose->gid);
    struct adapter_effect effect = effect_of_step(call, &payment_flow, step_id, 1, whose);
    effect.order_no = trade_attempt(trade, attempt_no)->order_no; // the trade may have a newer one
    return effect;
}

// ---- 1: points ----------------------------------------------------------------------------------------------------

unsigned payment_freezes_points(const struct saga_subject *subject, struct str input) {
    return !trade_locks_first(trade_of_const(subject)) && holding_has_points(subject, input);
}

void payment_points_key(const struct trade *trade, char out[SAGA_KEY_MAX]) {
    char gid[TRADE_GID_MAX];
    int64_t payable = trade->row.adjust == ADJUST_NONE ? trade->row.payable : trade->row.authorised;
    out[0] = '\0';
    if (payable == 0)
        return;
    trade_payment_gid(trade, trade->row.attempt_no, gid);
    saga_key(gid, STEP_FREEZE_POINTS, 0, 1, out);
}

static void freeze_points(struct saga_call *call) {
    struct adapter_effect effect = effect_of(call);
    holding_points.hold(call, &effect);
}

static void inquire_points(struct saga_call *call) {
    struct adapter_effect effect = effect_of(call);
    holding_points.inquire(call, &effect);
}

static void unfreeze(struct saga_call *call, int32_t attempt_no) {
    struct effect_whose whose;
    struct adapter_effect effect = undo_effect(call, attempt_no, STEP_FREEZE_POINTS, &whose);
    holding_points.let_go(call, &effect);
}

void payment_unfreeze_paid(struct saga_call *call) {
    const struct trade *trade = effect_trade(call);
    char key[SAGA_KEY_MAX];
    payment_points_key(trade, key);
    if (key[0])
        unfreeze(call, trade->row.attempt_no);
    else
        saga_call_ok(call, STR_NONE);
}

void payment_unfreeze_points(struct saga_call *call) {
    unfreeze(call, attempt_of(saga_call_input(call)));
}

// ---- 1: freeze ----------------------------------------------------------------------------------------------------

// A card that says it froze something else is not understood: the attempt turns round and releases whatever it was.
static void *freezing(struct saga_call *call) {
    return effect_expecting(call, &(struct effect_expected){moved_all, call_card(call)->amount,
                                                            "the card froze another amount than it was asked to",
                                                            effect_done});
}

static void freeze(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct tender_row *tender = call_card(call);
    Participant__Card__V1__FreezeCardRequest request = PARTICIPANT__CARD__V1__FREEZE_CARD_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = effect_money(trade, tender->amount);
    struct adapter_effect effect = effect_of(call);
    request.tender_no = tender->tender_no;
    request.card_no = tender->account;
    request.user_id = view_text(trade->row.user_id);
    request.amount = &amount;
    card_freeze(&effect_adapters(call)->card, &effect, &request, effect_done_as_expected, freezing(call));
}

static void inquire_freeze(struct saga_call *call) {
    struct adapter_effect effect = effect_of(call);
    adapter_inquire(&effect_adapters(call)->card, &card_inquire_method, &card_freeze_method, &effect,
                    effect_done_as_expected, freezing(call));
}

void payment_release(struct saga_call *call) {
    Participant__Card__V1__ReleaseCardRequest request = PARTICIPANT__CARD__V1__RELEASE_CARD_REQUEST__INIT;
    struct effect_whose whose;
    struct adapter_effect effect = undo_effect(call, attempt_of(saga_call_input(call)), STEP_FREEZE_CARD, &whose);
    request.tender_no = call_card(call)->tender_no;
    card_release(&effect_adapters(call)->card, &effect, &request, effect_done_bare, call);
}

void payment_released(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    struct tender_row *tender = turn_tender(turn, tender_is_card);
    (void)op, (void)answer;
    if (outcome == OUTCOME_OK && tender->state != TENDER_STATE(FAILED))
        set_tender(turn, tender, TENDER_STATE(CLOSED));
}

static void frozen(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    struct tender_row *tender = turn_tender(turn, tender_is_card);
    if (op == SAGA_COMPENSATE) {
        payment_released(turn, op, outcome, answer);
        return;
    }
    if (outcome == OUTCOME_REJECTED) {
        set_tender(turn, tender, TENDER_STATE(FAILED));
        str_fit(str_c(saga_turn_asked(turn)->reason), tender->detail, sizeof tender->detail);
        return;
    }
    struct arena arena;
    arena_init(&arena, 65536);
    const Participant__Card__V1__FreezeCardResponse *response =
        effect_answer(answer, &participant__card__v1__freeze_card_response__descriptor, &arena);
    set_tender(turn, tender, TENDER_STATE(PENDING));
    if (response) {
        tender->principal = response->frozen->principal ? response->frozen->principal->minor_units : 0;
        tender->bonus = response->frozen->bonus ? response->frozen->bonus->minor_units : 0;
    }
    arena_release(&arena);
}

// ---- 2: create ----------------------------------------------------------------------------------------------------

static void create(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct tender_row *tender = call_gateway(call);
    struct pay_attempt_row *attempt = trade_attempt(trade, tender->attempt_no);
    Participant__Payment__V1__CreatePaymentRequest request = PARTICIPANT__PAYMENT__V1__CREATE_PAYMENT_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = effect_money(trade, tender->amount);
    Google__Protobuf__Timestamp expires = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    struct adapter_effect effect = effect_of(call);
    expires.seconds = attempt->deadline_ms / 1000;
    request.tender_no = tender->tender_no;
    request.merchant_id = view_text(tender_merchant(trade, tender));
    request.method = tender_method(tender);
    request.amount = &amount;
    request.payer = tender->account;
    request.expires_at = &expires;
    payment_create(&effect_adapters(call)->payment, &effect, &request, tender_answered,
                   tender_asking(call, tender, false));
}

static void inquire_create(struct saga_call *call) {
    struct adapter_effect effect = effect_of(call);
    adapter_inquire(&effect_adapters(call)->payment, &payment_inquire_method, &payment_create_method, &effect,
                    tender_answered, tender_asking(call, call_gateway(call), false));
}

// Makes the tender definite, as tender->undo says: closed, or paid already. Under the key of its creation, so that the
// gateway refuses a create that arrives after it; to say it again is answered alike.
void payment_undo_create(struct saga_call *call) {
    struct tender_row *tender = call_gateway(call);
    struct adapter *gateway = &effect_adapters(call)->payment;
    struct effect_whose whose;
    struct adapter_effect effect = undo_effect(call, attempt_of(saga_call_input(call)), STEP_CREATE, &whose);
    if (tender->undo == UNDO_NONE || tender->undo == UNDO_REVERSED) {
        saga_call_ok(call, STR_NONE); // it is definite
        return;
    }
    if (tender->undo == UNDO_REVERSING) {
        Participant__Payment__V1__ReversePaymentRequest request =
            PARTICIPANT__PAYMENT__V1__REVERSE_PAYMENT_REQUEST__INIT;
        request.tender_no = tender->tender_no;
        payment_reverse(gateway, &effect, &request, tender_answered, tender_asking(call, tender, true));
    } else {
        Participant__Payment__V1__ClosePaymentRequest request = PARTICIPANT__PAYMENT__V1__CLOSE_PAYMENT_REQUEST__INIT;
        request.tender_no = tender->tender_no;
        payment_close(gateway, &effect, &request, tender_answered, tender_asking(call, tender, true));
    }
}

void payment_closed(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    struct tender_row *tender = turn_tender(turn, tender_is_gateway);
    struct arena arena;
    (void)op;
    if (outcome != OUTCOME_OK)
        return;
    arena_init(&arena, 1 << 20);
    const Participant__Payment__V1__Payment *payment = tender_payment_in(answer, &arena);
    if (payment)
        tender_undone(turn, tender, payment);
    arena_release(&arena);
}

static void created(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct tender_row *tender = turn_tender(turn, tender_is_gateway);
    struct arena arena;
    if (op == SAGA_COMPENSATE) {
        payment_closed(turn, op, outcome, answer);
        return;
    }
    arena_init(&arena, 1 << 20);
    if (outcome == OUTCOME_REJECTED) {
        if (tender->state == TENDER_STATE(CREATED)) {
            set_tender(turn, tender, TENDER_STATE(FAILED));
            str_fit(str_c(saga_turn_asked(turn)->reason), tender->detail, sizeof tender->detail);
        }
    } else {
        const Participant__Payment__V1__CreatePaymentResponse *response =
            effect_answer(answer, &participant__payment__v1__create_payment_response__descriptor, &arena);
        if (response) {
            trade_change(trade, tender);
            assert(strlen(response->prepay_parameters) <= TRADE_PARAMETERS_MAX); // more is no answer: effect_done()
            tender->prepay_parameters = trade_keep(trade, str_c(response->prepay_parameters));
            str_copy(str_c(response->payment->gateway_no), tender->gateway_no, sizeof tender->gateway_no);
            tender_learn(turn, tender, response->payment);
        }
    }
    arena_release(&arena);
}

// ---- 3: offered ---------------------------------------------------------------------------------------------------

static struct saga_verdict offered(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct pay_attempt_row *attempt = trade_change(trade, turn_attempt(turn));
    attempt->offered = 1;
    return saga_done();
}

// ---- 4: collect ---------------------------------------------------------------------------------------------------

static bool must_close(const struct trade *trade, const struct pay_attempt_row *attempt, int64_t now_ms) {
    return trade->row.closing != CLOSING_NO || now_ms >= attempt->deadline_ms;
}

// How the tender stands, or, once it is given up, that it be closed; when the attempt turns round later, that is said
// once more.
static void ask_gateway(struct saga_call *call) {
    struct tender_row *tender = call_gateway(call);
    if (tender->undo != UNDO_NONE) {
        payment_undo_create(call);
        return;
    }
    Participant__Payment__V1__QueryPaymentRequest request = PARTICIPANT__PAYMENT__V1__QUERY_PAYMENT_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    request.tender_no = tender->tender_no;
    payment_query(&effect_adapters(call)->payment, &effect, &request, tender_answered,
                  tender_asking(call, tender, false));
}

// A definite no is the operator's. A gateway that does not answer is asked for as long as that takes: until then nobody
// knows whether the payer has paid.
static struct saga_verdict not_closed(struct saga_turn *turn, const struct tender_row *tender) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    const struct saga_asked *asked = saga_turn_asked(turn);
    if (asked->outcome == OUTCOME_REJECTED)
        return saga_park(ERR_PARTICIPANT_REJECTED, asked->text[0] ? asked->text : asked->reason);
    if (saga_turn_just_exhausted(turn))
        trades_alert(trade->trades, "a payment can't be closed", trade, tender->tender_no);
    return saga_wait(saga_turn_again_ms(turn));
}

static struct saga_verdict pending(struct saga_turn *turn, struct tender_row *tender) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct pay_attempt_row *attempt = turn_attempt(turn);
    int64_t now_ms = saga_turn_now(turn);
    bool asked = saga_turn_asked(turn) != NULL;
    if (tender->undo != UNDO_NONE && asked)
        return not_closed(turn, tender);
    if (tender->undo != UNDO_NONE || must_close(trade, attempt, now_ms)) {
        tender_give_up(turn, tender);
        return saga_ask();
    }
    if (asked || tender->next_query_ms == 0) {
        trade_change(trade, tender);
        tender->next_query_ms = tender_next_query_ms(trade, &tender->queries, now_ms);
    } else if (now_ms >= tender->next_query_ms) {
        return saga_ask_to_know();
    }
    return saga_wait(tender->next_query_ms < attempt->deadline_ms ? tender->next_query_ms : attempt->deadline_ms);
}

static struct saga_verdict collect(struct saga_turn *turn) {
    struct tender_row *tender = turn_tender(turn, tender_is_gateway);
    const struct saga_asked *asked = saga_turn_asked(turn);
    if (asked && asked->outcome == OUTCOME_OK) {
        struct arena arena;
        arena_init(&arena, 1 << 20);
        const Participant__Payment__V1__Payment *payment = tender_payment_in(asked->answer, &arena);
        if (payment)
            tender_learn(turn, tender, payment); // a given up one stays so: its compensation says the same once more
        arena_release(&arena);
    }
    switch (tender->state) {
    case TENDER_STATE(PAID): return saga_done();
    case TENDER_STATE(CREATED):
    case TENDER_STATE(PENDING): return pending(turn, tender);
    case TENDER_STATE(CONFLICTED): return saga_reject(ERR_PAYMENT_FAILED, "the payment does not match");
    default: return saga_reject(ERR_PAYMENT_FAILED, tender->detail[0] ? tender->detail : "closed before it was paid");
    }
}

// Its close was refused; the gateway may say how it stands by itself.
static bool collect_came_right(const struct saga_turn *turn) {
    const struct tender_row *tender = turn_tender(turn, tender_is_gateway);
    return tender->state != TENDER_STATE(CREATED) && tender->state != TENDER_STATE(PENDING);
}

// ---- 5: confirm ---------------------------------------------------------------------------------------------------

// Nor does one pay that says it took something else.
static void *confirming(struct saga_call *call) {
    return effect_expecting(call, &(struct effect_expected){moved_all, call_card(call)->amount,
                                                            "the card took another amount than it was asked to",
                                                            effect_done_bare});
}

static void confirm(struct saga_call *call) {
    Participant__Card__V1__ConfirmCardRequest request = PARTICIPANT__CARD__V1__CONFIRM_CARD_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    char freeze_key[SAGA_KEY_MAX];
    saga_call_key_of(call, STEP_FREEZE_CARD, saga_call_leg(call), freeze_key);
    request.tender_no = call_card(call)->tender_no;
    request.freeze_key = freeze_key;
    card_confirm(&effect_adapters(call)->card, &effect, &request, effect_done_as_expected, confirming(call));
}

static void inquire_confirm(struct saga_call *call) {
    struct adapter_effect effect = effect_of(call);
    adapter_inquire(&effect_adapters(call)->card, &card_inquire_method, &card_confirm_method, &effect,
                    effect_done_as_expected, confirming(call));
}

void payment_undo_confirm(struct saga_call *call) {
    Participant__Card__V1__CancelConfirmRequest request = PARTICIPANT__CARD__V1__CANCEL_CONFIRM_REQUEST__INIT;
    struct effect_whose whose;
    struct adapter_effect effect = undo_effect(call, attempt_of(saga_call_input(call)), STEP_CONFIRM, &whose);
    request.tender_no = call_card(call)->tender_no;
    card_cancel_confirm(&effect_adapters(call)->card, &effect, &request, effect_done_bare, call);
}

// ---- 6: settle, the watershed -------------------------------------------------------------------------------------

static void go_back(struct saga_turn *turn) {
    struct error error = {0};
    bool adjusts = trade_of(saga_turn_subject(turn))->row.adjust != ADJUST_NONE;
    bool whole = !adjusts || adjust_to_nothing(turn, &error);
    assert(whole); // it can be: can_go_back()
    refund_plan_cancelled(turn);
}

void payment_settle(struct saga_turn *turn, struct pay_attempt_row *attempt) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    int64_t now_ms = saga_turn_now(turn);
    struct trade_row *row = trade_edit(trade);
    struct tender_row *tender;
    for (int32_t i = 0; attempt && (tender = trade_tender(trade, attempt->attempt_no, i)); i++) {
        tender_set_state(trade, tender, TENDER_STATE(PAID));
        tender->paid_ms = tender->paid_ms ? tender->paid_ms : now_ms;
    }
    if (attempt) {
        trade_change(trade, attempt);
        attempt->state = ATTEMPT_PAID;
        attempt->ended_ms = now_ms;
    }
    if (attempt && attempt->rounding_off > 0)
        pay_round_off(trade, attempt->rounding_off);
    row->paid = row->payable;
    row->paid_ms = now_ms;
    if (!row->business_date[0])
        clock_date(now_ms, row->business_date);
    if (row->adjust == ADJUST_NONE)
        after_paid(trade);
    else
        row->authorised = row->paid;
    row->reason[0] = row->text[0] = '\0';
    books_paid(trade, now_ms);
    trade_set_state(trade, TRADE_STATE(PAID), now_ms);
    bool cancelled = row->closing == CLOSING_CANCEL;
    row->closing = CLOSING_NO;
    if (cancelled)
        go_back(turn); // the cancel came too late
    purchase_end_poke(turn);
}

// What a cancel that came too late needs, so that everything goes back.
static bool can_go_back(struct saga_turn *turn, struct error *error) {
    const struct trade_row *row = &trade_of(saga_turn_subject(turn))->row;
    return row->closing != CLOSING_CANCEL || (refund_plan_can_start(turn, REFUND_CANCELLED_NO, error) &&
                                              (row->adjust == ADJUST_NONE || adjust_can_be_nothing(turn, error)));
}

static struct saga_verdict settle(struct saga_turn *turn) {
    struct error error = {0};
    if (trade_of(saga_turn_subject(turn))->row.stopped != STOPPED_NO)
        return saga_reject(ERR_TRADE_ENDED, "the order was terminated by an operator");
    if (!can_go_back(turn, &error))
        return saga_wait(saga_turn_now(turn) + START_AGAIN_MS);
    payment_settle(turn, turn_attempt(turn));
    return saga_done();
}

// ---- The end ------------------------------------------------------------------------------------------------------

static void note_reason(struct saga_turn *turn, struct pay_attempt_row *attempt) {
    const struct saga_instance *saga = saga_turn_saga(turn);
    trade_change(trade_of(saga_turn_subject(turn)), attempt);
    str_fit(str_c(saga->reason), attempt->reason, sizeof attempt->reason);
    str_fit(str_c(saga->text), attempt->text, sizeof attempt->text);
}

static struct saga_verdict reversed(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct pay_attempt_row *attempt = turn_attempt(turn);
    note_reason(turn, attempt);
    struct tender_row *tender;
    for (int32_t i = 0; (tender = trade_tender(trade, attempt->attempt_no, i)); i++)
        if (tender_is_gateway(tender))
            tender_give_up(turn, tender); // durable with the turn, before any compensation is sent
    return saga_done();
}

static bool has_conflict(const struct trade *trade, int32_t attempt_no) {
    const struct tender_row *tender;
    for (int32_t i = 0; (tender = trade_tender(trade, attempt_no, i)); i++)
        if (tender->state == TENDER_STATE(CONFLICTED))
            return true;
    return false;
}

static void abandon_tenders(struct saga_turn *turn, const struct pay_attempt_row *attempt) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct tender_row *tender;
    for (int32_t i = 0; (tender = trade_tender(trade, attempt->attempt_no, i)); i++)
        tender_abandon(turn, tender);
}

// An operator has terminated it: another saga makes its tenders definite, while the trade goes on without it.
static void stop(struct saga_turn *turn, struct pay_attempt_row *attempt) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct error error = {0};
    struct tender_row *tender;
    note_reason(turn, attempt);
    for (int32_t i = 0; (tender = trade_tender(trade, attempt->attempt_no, i)); i++)
        if (tender_is_gateway(tender) && tender_is_unsettled(tender))
            tender_give_up(turn, tender);
    attempt->recalled = recall_payment(turn, attempt, &error);
    if (!attempt->recalled) {
        trades_alert(trade->trades, "a terminated payment can't be undone", trade, error.text);
        abandon_tenders(turn, attempt);
    }
}

static struct saga_verdict ended(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct pay_attempt_row *attempt = turn_attempt(turn);
    if (saga_turn_saga(turn)->status == SAGA_SUCCEEDED)
        return saga_done();
    trade_change(trade, attempt);
    attempt->state = ATTEMPT_FAILED;
    attempt->ended_ms = saga_turn_now(turn);
    if (saga_turn_saga(turn)->status == SAGA_TERMINATED)
        stop(turn, attempt);
    else
        abandon_tenders(turn, attempt);
    if (has_conflict(trade, attempt->attempt_no))
        trade_edit(trade)->closing = CLOSING_CONFLICT;
    else if (trade->row.closing == CLOSING_NO && attempt->on_failure == ON_FAILURE(FAIL_TRADE))
        trade_edit(trade)->closing = CLOSING_FAILURE;
    if (trade->row.closing != CLOSING_NO)
        trade_set_state(trade, TRADE_STATE(CLOSING), saga_turn_now(turn));
    else
        trade_set_state(trade, TRADE_STATE(ORDERED), saga_turn_now(turn));
    purchase_end_poke(turn);
    return saga_done();
}

// ---- Operators ----------------------------------------------------------------------------------------------------

// What became of the tender, as an operator knows it from the gateway: paid, or closed without.
static void collect_ruled(struct saga_turn *turn, const struct saga_ruling *ruling) {
    struct tender_row *tender = turn_tender(turn, tender_is_gateway);
    if (ruling->act == SAGA_ACT_RESOLVE)
        tender_stated(turn, tender, ruling->outcome == OUTCOME_OK, ruling->text);
}

// Whether an operator may say that it was paid.
static bool may_be_paid(const struct tender_row *tender, struct error *error) {
    if (tender->undo == UNDO_REVERSING)
        return error_set(error, ERR_SAGA_STATE,
                         "the tender is being reversed: only the answer to that says how it stands");
    if (!tender_is_unsettled(tender) || tender->state == TENDER_STATE(CONFLICTED))
        return error_set(error, ERR_SAGA_STATE, "the gateway has said that the tender was not paid, or not as asked");
    return true;
}

static bool create_fits(struct saga_turn *turn, const ProtobufCMessage *answer) {
    return tender_is_meant(turn_tender(turn, tender_is_gateway)->tender_no, payment_in_answer(answer));
}

bool payment_close_fits(struct saga_turn *turn, const ProtobufCMessage *answer) {
    return create_fits(turn, answer) && tender_is_definite(payment_in_answer(answer));
}

static bool freeze_fits(struct saga_turn *turn, const ProtobufCMessage *answer) {
    return moved_all(answer, turn_tender(turn, tender_is_card)->amount,
                     trade_of(saga_turn_subject(turn))->row.currency);
}

static bool allows(struct saga_turn *turn, const struct saga_ruling *ruling, struct error *error) {
    static const struct ruling_rule rules[] = {
        {.step_id = STEP_FREEZE_CARD,
         .no_skip = "what isn't frozen can't be taken: " RULING_RESOLVE_OR_COMPENSATE,
         .answers = &card_freeze_method,
         .optional = true,
         .fits = freeze_fits},
        {.step_id = STEP_FREEZE_POINTS,
         .no_skip = "points that aren't frozen can be spent twice: " RULING_RESOLVE_OR_COMPENSATE},
        {.step_id = STEP_FREEZE_POINTS, SAGA_COMPENSATE, "the points would stay frozen: " RULING_RESOLVE_THERE},
        {.step_id = STEP_FREEZE_CARD,
         .op = SAGA_COMPENSATE,
         .no_skip = "the card would stay frozen: " RULING_RESOLVE_THERE},
        {.step_id = STEP_CREATE,
         .no_skip = "what isn't created can't be paid: " RULING_RESOLVE_OR_COMPENSATE,
         .answers = &payment_create_method,
         .fits = create_fits},
        {.step_id = STEP_CREATE,
         .op = SAGA_COMPENSATE,
         .answers = &payment_close_method,
         .optional = true,
         .fits = payment_close_fits}, // skipped: what is paid after that is late
        {.step_id = STEP_COLLECT, .no_skip = "whether it was paid must be known: " RULING_RESOLVE_OR_COMPENSATE},
        {.step_id = STEP_CONFIRM, .no_skip = "the card's part would not be paid: " RULING_RESOLVE_OR_COMPENSATE},
        {.step_id = STEP_CONFIRM,
         .op = SAGA_COMPENSATE,
         .no_skip = "what was taken of the card would stay taken: " RULING_RESOLVE_THERE},
        {.step_id = 0},
    };
    if (saga_turn_step(turn)->id == STEP_COLLECT && ruling->outcome == OUTCOME_OK && ruling->act == SAGA_ACT_RESOLVE &&
        !may_be_paid(turn_tender(turn, tender_is_gateway), error))
        return false;
    return ruling_allowed(rules, turn, ruling, error);
}

// ---- The table ----------------------------------------------------------------------------------------------------

static const struct saga_step steps[] = {
    {.id = STEP_FREEZE_POINTS,
     .stage = 1,
     .kind = SAGA_COMPENSATABLE,
     .name = "freeze_points",
     .participant = "points",
     .text = "Freezes the points of an order that has locked nothing",
     .legs = payment_freezes_points,
     .when = "points are used; in deduct-later mode",
     .run = freeze_points,
     .inquire = inquire_points,
     .undo = payment_unfreeze_points,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_QUICK,
     .undo_retry = SAGA_STUBBORN},
    {.id = STEP_FREEZE_CARD,
     .stage = 1,
     .kind = SAGA_COMPENSATABLE,
     .name = "freeze",
     .participant = "card",
     .text = "Freezes each card's part",
     .legs = payment_cards,
     .when = "each card",
     .run = freeze,
     .inquire = inquire_freeze,
     .undo = payment_release,
     .answered = frozen,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_QUICK,
     .undo_retry = SAGA_STUBBORN},
    {.id = STEP_CREATE,
     .stage = 2,
     .kind = SAGA_COMPENSATABLE,
     .name = "create",
     .participant = "payment",
     .text = "Creates each asynchronous tender",
     .legs = payment_gateways,
     .when = "each asynchronous tender",
     .run = create,
     .inquire = inquire_create,
     .undo = payment_undo_create,
     .answered = created,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_QUICK,
     .undo_retry = SAGA_STUBBORN},
    {.id = 30,
     .stage = 3,
     .kind = SAGA_COMPENSATABLE,
     .name = "offered",
     .text = "The payer can pay",
     .decide = offered},
    {.id = STEP_COLLECT,
     .stage = 4,
     .kind = SAGA_COMPENSATABLE,
     .name = "collect",
     .participant = "payment",
     .text = "Awaits each callback, queries, closes at the end",
     .legs = payment_gateways,
     .when = "each asynchronous tender",
     .decide = collect,
     .came_right = collect_came_right,
     .ask = ask_gateway,
     .ruled = collect_ruled,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN}, // its pauses while the gateway does not answer; it is asked for as long as that takes
    {.id = STEP_CONFIRM,
     .stage = 5,
     .kind = SAGA_COMPENSATABLE,
     .name = "confirm",
     .participant = "card",
     .text = "Takes what was frozen",
     .legs = confirmed_cards,
     .when = "each card; not a fill-up",
     .run = confirm,
     .inquire = inquire_confirm,
     .undo = payment_undo_confirm,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN,
     .undo_retry = SAGA_STUBBORN},
    {.id = 60, .stage = 6, .kind = SAGA_PIVOT, .name = "settle", .text = "The trade is paid", .decide = settle},
};

const struct saga_flow payment_flow = {
    .name = "trade.payment",
    .version = 1,
    .text = "One attempt to pay an order",
    .steps = steps,
    .n_steps = STORE_COUNT(steps),
    .on_reversed = reversed,
    .on_end = ended,
    .allows = allows,
    .attach = load_attach,
    .estate = &retire_estate,
};

void payment_start(struct saga_turn *turn, struct pay_attempt_row *attempt) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    char gid[TRADE_GID_MAX], input[16];
    struct error error = {0};
    trade_payment_gid(trade, attempt->attempt_no, gid);
    snprintf(input, sizeof input, "%d", attempt->attempt_no);
    trade_change(trade, attempt);
    attempt->state = ATTEMPT_OPEN;
    memcpy(attempt->order_no, trade->row.order_no, sizeof attempt->order_no);
    int64_t deadline_ms = saga_turn_now(turn) + trade->trades->options.attempt_ttl_ms;
    attempt->deadline_ms = deadline_ms < trade->row.order_expires_ms ? deadline_ms : trade->row.order_expires_ms;
    trade_set_state(trade, TRADE_STATE(PAYING), saga_turn_now(turn));
    struct saga_start start = {.flow = payment_flow.name, .gid = str_c(gid), .input = str_c(input)};
    if (!saga_turn_start(turn, &start, &error)) {
        // Can't be, unless a gid is used twice: the attempt fails at once, the order stays payable.
        attempt->state = ATTEMPT_FAILED;
        str_fit(str_c(err_info(error.code)->name), attempt->reason, sizeof attempt->reason);
        str_fit(str_c(error.text), attempt->text, sizeof attempt->text);
        trade_set_state(trade, TRADE_STATE(ORDERED), saga_turn_now(turn));
    }
}

void payment_poke(struct saga_turn *turn, int32_t attempt_no) {
    char gid[TRADE_GID_MAX];
    trade_payment_gid(trade_of(saga_turn_subject(turn)), attempt_no, gid);
    saga_turn_poke(turn, str_c(gid));
}
