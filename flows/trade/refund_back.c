// What a refund does when its money is back: the order system is told, and what followed the payment goes back. (What
// the order has used comes back in holding.c.)
#include "flows/trade/refund_step.h"

#include "adapters/order/order.h"
#include "adapters/settlement/settlement.h"
#include "flows/trade/adjust.h"
#include "flows/trade/after.h"
#include "flows/trade/bearers.h"
#include "flows/trade/books.h"
#include "flows/trade/chosen.h"
#include "flows/trade/purchase.h"
#include "flows/trade/refund.h"
#include "flows/trade/refund_end.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/tell.h"
#include "flows/trade/view.h"

// ---- Which steps apply ---------------------------------------------------------------------------------------------

static const struct refund_row *subject_refund(const struct saga_subject *subject, struct str input) {
    return trade_refund(trade_of_const(subject), input);
}

unsigned refund_of_trade(const struct saga_subject *subject, struct str input) {
    return subject_refund(subject, input)->kind == REFUND_OF_TRADE;
}

unsigned refund_of_user(const struct saga_subject *subject, struct str input) {
    return refund_of_trade(subject, input) && trade_has_user(trade_of_const(subject));
}

unsigned refund_tells_os(const struct saga_subject *subject, struct str input) {
    return refund_of_trade(subject, input) && tell_os_applies(trade_of_const(subject));
}

// ---- The order system ----------------------------------------------------------------------------------------------

void refund_mark(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct refund_row *refund = refund_of_call(call);
    Participant__Order__V1__MarkRefundedRequest request = PARTICIPANT__ORDER__V1__MARK_REFUNDED_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = effect_money(trade, refund->amount);
    struct adapter_effect effect = effect_of(call);
    if (trade->row.paid == 0 && trade->row.authorised > 0) {
        saga_call_ok(call, STR_NONE); // with what was not used it was told that nothing is left (adjust_mark())
        return;
    }
    request.refund_no = refund->refund_no;
    request.amount = &amount;
    request.full = refund->final;
    order_mark_refunded(&effect_adapters(call)->order, &effect, &request, effect_done_bare, call);
}

bool refund_asked_in_vain(struct saga_turn *turn, struct saga_verdict *ret_verdict) {
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

struct saga_verdict refund_marked(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = refund_of_turn(turn);
    struct saga_verdict failed;
    if (refund_asked_in_vain(turn, &failed))
        return failed;
    if (saga_turn_asked(turn)) {
        trade_change(trade, refund);
        refund->marked = 1;
        refund_poke_all(turn);
    }
    if (refund->marked)
        return saga_done();
    if (refund->final && others_unmarked(trade, refund))
        return saga_wait(saga_turn_now(turn) + EFFECT_LOOK_MS); // poked when they are
    return saga_ask();
}

void refund_mark_ruled(struct saga_turn *turn, const struct saga_ruling *ruling) {
    struct refund_row *refund = refund_of_turn(turn);
    if (ruling->act == SAGA_ACT_RESOLVE && ruling->outcome != OUTCOME_OK)
        return;
    trade_change(trade_of(saga_turn_subject(turn)), refund);
    refund->marked = 1;
    refund_poke_all(turn);
}

// ---- What followed the payment, in parts ---------------------------------------------------------------------------

static enum after_benefit of_call(const struct saga_call *call) {
    return after_of_take_step(saga_call_step(call)->id);
}

static enum after_benefit of_turn(const struct saga_turn *turn) {
    return after_of_take_step(saga_turn_step(turn)->id);
}

static unsigned returns(enum after_benefit benefit, const struct saga_subject *subject, struct str input) {
    const struct follower *follower = follower_rows[benefit].is;
    return refund_of_trade(subject, input) && (!follower->returns || follower->returns(trade_of_const(subject)));
}

#define X(NAME, name, ...)                                                                                             \
    unsigned refund_returns_##name(const struct saga_subject *subject, struct str input) {                             \
        return returns(AFTER_##NAME, subject, input);                                                                  \
    }
AFTER_TABLE(X)
#undef X

void refund_take_back(struct saga_call *call) {
    enum after_benefit benefit = of_call(call);
    const struct follower *follower = follower_rows[benefit].is;
    bool came = effect_trade(call)->row.after[benefit].state == AFTER_APPLIED;
    (came ? follower->take : follower->cancel)(call, benefit);
}

static void await(struct trade *trade, struct refund_row *refund, enum after_benefit benefit, bool awaits) {
    int32_t bit = 1 << benefit, awaited = awaits ? refund->awaits | bit : refund->awaits & ~bit;
    if (awaited == refund->awaits)
        return;
    trade_change(trade, refund);
    refund->awaits = awaited;
}

static bool may_take(const struct follower *follower, const struct trade *trade, const struct refund_row *refund) {
    return !refund_end_came_to_nothing(refund) && (follower->unknown || follower->takes(trade, refund));
}

#define UNSURE                                                                                                         \
    "whether it came is not known, as the purchase was terminated: see to this refund's part of it there, and resolve" \
    " the step; if nothing has come, skip it"

struct saga_verdict refund_taken_back(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = refund_of_turn(turn);
    enum after_benefit benefit = of_turn(turn);
    const struct follower *follower = follower_rows[benefit].is;
    const struct saga_asked *asked = saga_turn_asked(turn);
    struct saga_verdict failed;
    if (refund_asked_in_vain(turn, &failed))
        return failed;
    int32_t state = trade->row.after[benefit].state;
    bool waits = !asked && state == AFTER_PENDING && may_take(follower, trade, refund);
    await(trade, refund, benefit, waits);
    if (waits)
        return saga_wait(saga_turn_now(turn) + EFFECT_LOOK_MS); // and poked when it has come
    if (asked && follower->taken)
        follower->taken(turn, asked->answer);
    if (asked || refund_end_came_to_nothing(refund))
        return saga_done();
    if (state == AFTER_UNSURE && !refund->final && may_take(follower, trade, refund))
        return saga_park(ERR_PARTICIPANT_SILENT, UNSURE);
    bool may_have_come = state == AFTER_CANCELLED || state == AFTER_UNSURE; // a cancel is right, whether or not
    bool ask = may_have_come ? refund->final : state == AFTER_APPLIED && follower->takes(trade, refund);
    return ask ? saga_ask() : saga_done();
}

// What was to be taken back was, by somebody else, or, when the step is skipped, is not.
void refund_take_back_ruled(struct saga_turn *turn, const struct saga_ruling *ruling) {
    enum after_benefit benefit = of_turn(turn);
    const struct follower *follower = follower_rows[benefit].is;
    bool skipped = ruling->act == SAGA_ACT_SKIP;
    if (!skipped && ruling->outcome != OUTCOME_OK)
        return;
    await(trade_of(saga_turn_subject(turn)), refund_of_turn(turn), benefit, false);
    if (follower->ruled)
        follower->ruled(turn, skipped);
}

const struct saga_step *refund_awaits(const struct trade *trade, uint16_t step_id) {
    enum after_benefit benefit = after_of_take_step(step_id);
    if (benefit == AFTERS || !follower_rows[benefit].is->take || trade->row.after[benefit].state != AFTER_PENDING)
        return NULL;
    for (uint8_t i = 0; i < purchase_flow.n_steps; i++)
        if (purchase_flow.steps[i].id == follower_rows[benefit].give_step)
            return &purchase_flow.steps[i];
    return NULL;
}

// ---- What followed the payment, as a whole -------------------------------------------------------------------------

// Only the refund does it after which nothing is left, which is known when its money is back.
void refund_withdraw(struct saga_call *call) {
    enum after_benefit benefit = of_call(call);
    if (refund_of_call(call)->final)
        follower_rows[benefit].is->cancel(call, benefit);
    else
        saga_call_ok(call, STR_NONE);
}

void refund_withdrawn(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    const struct follower *follower = follower_rows[of_turn(turn)].is;
    (void)op;
    if (outcome == OUTCOME_OK && follower->taken)
        follower->taken(turn, answer);
}

// ---- The record ----------------------------------------------------------------------------------------------------

void refund_reverse_settlement(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct refund_row *refund = refund_of_call(call);
    struct arena arena;
    if (refund_end_came_to_nothing(refund) || trade->row.missed & MISSED_SETTLEMENT) {
        saga_call_ok(call, STR_NONE); // there is nothing to reverse
        return;
    }
    arena_init(&arena, 2 * CHOSEN_ARENA_MAX);
    Participant__Settlement__V1__ReverseTradeRequest request = PARTICIPANT__SETTLEMENT__V1__REVERSE_TRADE_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    books_postings(trade, refund->entry, &arena, &request.postings, &request.n_postings);
    bearers_of(trade, refund, &arena, &request.borne, &request.n_borne);
    if (request.n_postings == 0) {
        saga_call_ok(call, STR_NONE); // it came to nothing, and so did the sale
        arena_release(&arena);
        return;
    }
    request.refund_no = refund->refund_no;
    request.tenant_id = view_text(trade->row.tenant_id);
    request.station_id = view_text(trade->row.station_id);
    request.shift_id = view_text(trade->row.shift_id);
    request.business_date = view_text(trade->row.business_date);
    settlement_reverse(&effect_adapters(call)->settlement, &effect, &request, effect_done, call);
    arena_release(&arena);
}

void refund_settlement_reversed(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    struct refund_row *refund = trade_change(trade_of(saga_turn_subject(turn)), refund_of_turn(turn));
    struct arena arena;
    (void)op;
    arena_init(&arena, 65536);
    const Participant__Settlement__V1__ReverseTradeResponse *response =
        effect_answer(answer, &participant__settlement__v1__reverse_trade_response__descriptor, &arena);
    if (outcome == OUTCOME_OK && response) {
        str_fit(str_c(response->shift_id), refund->posted_shift, sizeof refund->posted_shift);
        str_fit(str_c(response->business_date), refund->posted_date, sizeof refund->posted_date);
    }
    arena_release(&arena);
}
