#include "flows/trade/tender.h"

#include "adapters/payment/payment.h"
#include "flows/trade/books.h"
#include "flows/trade/effect.h"
#include "flows/trade/matter.h"
#include "flows/trade/refund_plan.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define PAYMENT_STATE(name) PARTICIPANT__PAYMENT__V1__PAYMENT_STATE__PAYMENT_STATE_##name

#define METHOD(name) PARTICIPANT__PAYMENT__V1__PAYMENT_METHOD__PAYMENT_METHOD_##name

// Who takes the money of a tender, and for the gateway how. A new kind is a value of TenderKind and a row here.
static const struct {
    enum { BY_NOBODY, BY_CARD_SYSTEM, BY_GATEWAY, BY_HAND } taken;
    Participant__Payment__V1__PaymentMethod method;
    bool direct; // the gateway's first answer may say that it is paid: what is unclear is reversed, not closed
} kinds[] = {
    [TENDER_KIND(CARD)] = {.taken = BY_CARD_SYSTEM},
    [TENDER_KIND(WECHAT)] = {.taken = BY_GATEWAY, .method = METHOD(WECHAT)},
    [TENDER_KIND(ALIPAY)] = {.taken = BY_GATEWAY, .method = METHOD(ALIPAY)},
    [TENDER_KIND(BANK_CARD)] = {.taken = BY_GATEWAY, .method = METHOD(BANK_CARD)},
    [TENDER_KIND(SCANNED)] = {.taken = BY_GATEWAY, .method = METHOD(SCANNED), .direct = true},
    [TENDER_KIND(CASH)] = {.taken = BY_HAND},
};

bool tender_kind_is_known(int64_t kind) {
    return kind > 0 && kind < (int64_t)STORE_COUNT(kinds) && kinds[kind].taken != BY_NOBODY;
}

bool tender_kind_is_cash(int32_t kind) {
    return tender_kind_is_known(kind) && kinds[kind].taken == BY_HAND;
}

bool tender_kind_is_card(int32_t kind) {
    return tender_kind_is_known(kind) && kinds[kind].taken == BY_CARD_SYSTEM;
}

bool tender_is_card(const struct tender_row *tender) {
    return tender_kind_is_card(tender->kind);
}

bool tender_is_gateway(const struct tender_row *tender) {
    return tender_kind_is_known(tender->kind) && kinds[tender->kind].taken == BY_GATEWAY;
}

Participant__Payment__V1__PaymentMethod tender_method(const struct tender_row *tender) {
    return tender_is_gateway(tender) ? kinds[tender->kind].method : METHOD(UNSPECIFIED);
}

#define TO(name) (1u << TENDER_STATE(name))
enum { ENDED = TO(FAILED) | TO(CLOSED) | TO(CONFLICTED) };
static const uint32_t next_states[] = {
    [TENDER_STATE(CREATED)] = TO(PENDING) | TO(PAID) | ENDED,
    [TENDER_STATE(PENDING)] = TO(PAID) | ENDED,
    // It is the trade's only with the watershed; until then, or when that was for another attempt, it goes back.
    [TENDER_STATE(PAID)] = TO(RETURNING) | TO(RETURNED) /* by a reversal */ | TO(CONFLICTED) /* no way back */,
    [TENDER_STATE(FAILED)] = TO(RETURNING) | TO(CONFLICTED), // paid late
    [TENDER_STATE(CLOSED)] = TO(RETURNING) | TO(CONFLICTED), // paid late
    [TENDER_STATE(RETURNING)] = TO(RETURNED) | TO(CONFLICTED) /* an operator has ended its return */,
    [TENDER_STATE(RETURNED)] = 0,
    [TENDER_STATE(CONFLICTED)] = TO(RETURNING) | TO(RETURNED), // as an operator decides
};

void tender_set_state(struct trade *trade, struct tender_row *tender, Txcenter__Trade__V1__TenderState state) {
    trade_change(trade, tender);
    assert(tender->state == (int32_t)state ||
           trade_may_become(next_states, STORE_COUNT(next_states), tender->state, (int32_t)state));
    tender->state = (int32_t)state;
}

int64_t tender_next_query_ms(const struct trade *trade, int32_t *queries, int64_t now_ms) {
    const struct trades_options *options = &trade->trades->options;
    int64_t pause = options->query_first_ms;
    for (int32_t i = 0; i < *queries && pause < options->query_max_ms; i++)
        pause *= 2;
    ++*queries;
    return now_ms + (pause < options->query_max_ms ? pause : options->query_max_ms);
}

int64_t tender_minor(const Txcenter__Type__V1__Money *money) {
    return money && money->minor_units > 0 && money->minor_units <= MONEY_MAX ? money->minor_units : 0;
}

const char *tender_merchant(const struct trade *trade, const struct tender_row *tender) {
    return tender->merchant_id[0] ? tender->merchant_id : trade->trades->options.merchant_id;
}

// What of it does not match; NULL when all does.
static const char *mismatch(const struct trade *trade, const struct tender_row *tender,
                            const Participant__Payment__V1__Payment *payment) {
    if (!payment->amount || payment->amount->minor_units != tender->amount)
        return "the amount differs";
    if (strcmp(payment->amount->currency, trade->row.currency) != 0)
        return "the currency differs";
    if (strcmp(payment->merchant_id, tender_merchant(trade, tender)) != 0)
        return "the merchant differs";
    return NULL;
}

static bool is_open(const struct tender_row *tender) {
    return tender->state == TENDER_STATE(CREATED) || tender->state == TENDER_STATE(PENDING);
}

static bool is_given_up(const struct tender_row *tender) {
    return tender->state == TENDER_STATE(FAILED) || tender->state == TENDER_STATE(CLOSED);
}

void tender_conflicts(struct saga_turn *turn, struct tender_row *tender, int64_t came, const char *reason) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    tender_set_state(trade, tender, TENDER_STATE(CONFLICTED));
    const struct matter matter = {.kind = MATTER_KIND(CONFLICT),
                                  .what = tender->tender_no,
                                  .reason = reason,
                                  .text = tender->detail,
                                  .amount = came};
    matter_hold(turn, &matter);
}

bool tender_give_back(struct saga_turn *turn, struct tender_row *tender, int64_t came, struct error *error) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    if (!refund_plan_return(turn, tender, came, error))
        return false;
    tender_set_state(trade, tender, TENDER_STATE(RETURNING));
    trade->trades->stats.returned++;
    return true;
}

static void dispute(struct saga_turn *turn, struct tender_row *tender, int64_t came, const char *reason) {
    tender_conflicts(turn, tender, came, reason);
    if (came > 0)
        books_suspense(trade_of(saga_turn_subject(turn)), LEDGER_CONFLICTED, tender, came, saga_turn_now(turn));
}

// The tender's money is not wanted: starts its way back in this turn.
static void return_unwanted(struct saga_turn *turn, struct tender_row *tender) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct error error = {0};
    if (!tender_give_back(turn, tender, tender->amount, &error)) {
        str_fit(str_c(error.text), tender->detail, sizeof tender->detail);
        dispute(turn, tender, tender->amount, "RETURN_BLOCKED");
        trades_alert(trade->trades, "return of money can't start", trade, error.text);
        return;
    }
    books_suspense(trade, LEDGER_UNWANTED, tender, tender->amount, saga_turn_now(turn));
    trades_alert(trade->trades, "money returned", trade, tender->tender_no);
}

static void note_payment(struct trade *trade, struct tender_row *tender,
                         const Participant__Payment__V1__Payment *payment, int64_t now_ms) {
    trade_change(trade, tender);
    str_copy(str_c(payment->gateway_no), tender->gateway_no, sizeof tender->gateway_no);
    tender->payer_amount = tender_minor(payment->payer_amount);
    tender->gateway_discount = tender_minor(payment->gateway_discount);
    tender->merchant_discount = tender_minor(payment->merchant_discount);
    tender->settlement_amount = tender_minor(payment->settlement_amount);
    const Google__Protobuf__Timestamp *paid_at = payment->paid_at;
    tender->paid_ms = paid_at && paid_at->seconds > 0 ? clock_moment_ms(paid_at->seconds, 0) : now_ms;
}

// What the gateway says by itself of a tender that it was told to reverse.
static bool decides_nothing(const struct tender_row *tender, bool notice) {
    return notice && tender->undo == UNDO_REVERSING;
}

static void learn_paid(struct saga_turn *turn, struct tender_row *tender,
                       const Participant__Payment__V1__Payment *payment, bool notice) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    int64_t now_ms = saga_turn_now(turn);
    if (!is_open(tender) && !is_given_up(tender))
        return; // known already
    const char *what = mismatch(trade, tender, payment);
    note_payment(trade, tender, payment, now_ms);
    if (what) {
        str_print(tender->detail, sizeof tender->detail, "%s: the gateway says %lld %.3s for merchant %.64s", what,
                  payment->amount ? (long long)payment->amount->minor_units : 0,
                  payment->amount ? payment->amount->currency : "", payment->merchant_id);
        // What the books can't name (no amount, another currency) is not in them; an operator finds out what there is.
        bool ours = payment->amount && strcmp(payment->amount->currency, trade->row.currency) == 0;
        int64_t came = ours ? tender_minor(payment->amount) : 0;
        dispute(turn, tender, came, "PAYMENT_MISMATCH");
        trade->trades->stats.conflicts++;
        trades_alert(trade->trades, "payment does not match", trade, tender->detail);
    } else if (decides_nothing(tender, notice)) {
        return; // noted, until the reversal is answered
    } else if (is_open(tender)) {
        tender_set_state(trade, tender, TENDER_STATE(PAID));
    } else if (tender->undo != UNDO_REVERSING) {
        return_unwanted(turn, tender); // a success after the decision the other way (E9)
    }
}

static void learn(struct saga_turn *turn, struct tender_row *tender, const Participant__Payment__V1__Payment *payment,
                  bool notice) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    switch (payment->state) {
    case PAYMENT_STATE(PAID): learn_paid(turn, tender, payment, notice); break;
    case PAYMENT_STATE(PENDING):
        if (tender->state == TENDER_STATE(CREATED))
            tender_set_state(trade, tender, TENDER_STATE(PENDING));
        break;
    case PAYMENT_STATE(FAILED):
    case PAYMENT_STATE(CLOSED):
        if (!is_open(tender) || decides_nothing(tender, notice))
            break; // a failure after a success changes nothing
        tender_set_state(trade, tender,
                         payment->state == PAYMENT_STATE(FAILED) ? TENDER_STATE(FAILED) : TENDER_STATE(CLOSED));
        str_fit(str_c(payment->code), tender->detail, sizeof tender->detail);
        break;
    default: break; // NOT_FOUND: the create has not arrived (yet)
    }
}

void tender_learn(struct saga_turn *turn, struct tender_row *tender, const Participant__Payment__V1__Payment *payment) {
    learn(turn, tender, payment, false);
}

void tender_noticed(struct saga_turn *turn, struct tender_row *tender,
                    const Participant__Payment__V1__Payment *payment) {
    learn(turn, tender, payment, true);
}

// Money that does not match is the operator's: a tender that is known to have such is only closed.
void tender_give_up(struct saga_turn *turn, struct tender_row *tender) {
    if (tender->undo != UNDO_NONE)
        return;
    bool reverse = tender_is_gateway(tender) && kinds[tender->kind].direct && tender->state != TENDER_STATE(CONFLICTED);
    trade_change(trade_of(saga_turn_subject(turn)), tender);
    tender->undo = reverse ? UNDO_REVERSING : UNDO_CLOSING;
}

void tender_undone(struct saga_turn *turn, struct tender_row *tender,
                   const Participant__Payment__V1__Payment *payment) {
    bool reversed = tender->undo == UNDO_REVERSING && payment->state != PAYMENT_STATE(PAID);
    struct trade *trade = trade_of(saga_turn_subject(turn));
    trade_change(trade, tender);
    if (tender->undo == UNDO_REVERSING)
        tender->undo = reversed ? UNDO_REVERSED : UNDO_NONE;
    if (reversed && tender->state == TENDER_STATE(PAID))
        tender_set_state(trade, tender, TENDER_STATE(RETURNED)); // it was paid before the reversal was sent
    else
        tender_learn(turn, tender, payment);
    if (tender->state == TENDER_STATE(PAID) || (reversed && tender->paid_ms > 0 && is_given_up(tender)))
        return_unwanted(turn, tender);
}

void tender_stated(struct saga_turn *turn, struct tender_row *tender, bool paid, const char *why) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    if (!is_open(tender))
        return;
    tender_set_state(trade, tender, paid ? TENDER_STATE(PAID) : TENDER_STATE(CLOSED));
    str_fit(str_c(why), tender->detail, sizeof tender->detail);
    if (paid)
        tender->paid_ms = saga_turn_now(turn);
}

bool tender_is_unsettled(const struct tender_row *tender) {
    return is_open(tender) || tender->state == TENDER_STATE(PAID) || tender->state == TENDER_STATE(CONFLICTED);
}

void tender_abandon(struct saga_turn *turn, struct tender_row *tender) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    bool reversing = tender->undo == UNDO_REVERSING;
    if (is_open(tender))
        tender_set_state(trade, tender, TENDER_STATE(CLOSED));
    if (reversing) {
        trade_change(trade, tender);
        tender->undo = UNDO_REVERSED;
    }
    if (tender->state == TENDER_STATE(PAID) || (reversing && tender->paid_ms > 0 && is_given_up(tender)))
        return_unwanted(turn, tender);
}

const Participant__Payment__V1__Payment *tender_payment_in(struct str answer, struct arena *arena) {
    const Participant__Payment__V1__QueryPaymentResponse *response =
        effect_answer(answer, &participant__payment__v1__query_payment_response__descriptor, arena);
    return response ? response->payment : NULL;
}

bool tender_is_definite(const Participant__Payment__V1__Payment *payment) {
    return payment->state == PAYMENT_STATE(PAID) || payment->state == PAYMENT_STATE(FAILED) ||
           payment->state == PAYMENT_STATE(CLOSED);
}

bool tender_is_meant(const char *tender_no, const Participant__Payment__V1__Payment *payment) {
    if (!payment->tender_no[0])
        return payment->state != PAYMENT_STATE(PAID);
    return strcmp(payment->tender_no, tender_no) == 0;
}

// Until the answer is there: the trade may be gone by then.
struct asking {
    struct saga_call *call;
    char tender_no[TENDER_NO_MAX + 1];
    bool definite;
};

void *tender_asking(struct saga_call *call, const struct tender_row *tender, bool definite) {
    struct asking *asking = malloc(sizeof *asking);
    if (!asking)
        abort();
    *asking = (struct asking){.call = call, .definite = definite};
    memcpy(asking->tender_no, tender->tender_no, sizeof asking->tender_no);
    return asking;
}

// What is wrong with it; NULL: nothing.
static const char *misfit(const struct asking *asking, const struct adapter_answer *answer) {
    if (answer->outcome != OUTCOME_OK || answer->never_seen)
        return NULL;
    const Participant__Payment__V1__Payment *payment = payment_in_answer(answer->message);
    if (!tender_is_meant(asking->tender_no, payment))
        return "the answer names another tender";
    return asking->definite && !tender_is_definite(payment) ? "the tender is neither paid nor closed" : NULL;
}

void tender_answered(void *ctx, const struct adapter_answer *answer) {
    struct asking asking = *(struct asking *)ctx;
    const char *wrong = misfit(&asking, answer);
    free(ctx);
    if (wrong)
        saga_call_done(asking.call, OUTCOME_UNKNOWN, ERR_PARTICIPANT_BROKEN, NULL, wrong, STR_NONE);
    else
        effect_done(asking.call, answer);
}
