// What a refund does when its money is back: the order system is told, and what followed the payment goes back. (What
// the order has used comes back in holding.c.)
#include "flows/trade/refund_step.h"

#include "adapters/activity/activity.h"
#include "adapters/coupon/coupon.h"
#include "adapters/level/level.h"
#include "adapters/marketing/marketing.h"
#include "adapters/order/order.h"
#include "adapters/points/points.h"
#include "adapters/settlement/settlement.h"
#include "flows/trade/adjust.h"
#include "flows/trade/after.h"
#include "flows/trade/bearers.h"
#include "flows/trade/books.h"
#include "flows/trade/chosen.h"
#include "flows/trade/invoicing.h"
#include "flows/trade/moved.h"
#include "flows/trade/purchase.h"
#include "flows/trade/refund.h"
#include "flows/trade/refund_end.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/refund_plan.h"
#include "flows/trade/shortfall.h"
#include "flows/trade/tell.h"
#include "flows/trade/view.h"

// Whoever is waited for pokes us; should that be lost with the process, this is how late it is noticed.
enum { POKE_LOST_MS = 60000 };

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

// For a call that only the refund makes after which nothing is left, which is known when its money is back. True, and
// the call is answered, when there is something left.
static bool is_not_final(struct saga_call *call) {
    if (refund_of_call(call)->final)
        return false;
    saga_call_ok(call, STR_NONE);
    return true;
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
        return saga_wait(saga_turn_now(turn) + POKE_LOST_MS); // poked when they are
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

// How one benefit goes back.
struct back {
    uint16_t step_id;
    enum after_benefit benefit;
    // Whether the refund takes anything of it once it has come.
    bool (*takes)(const struct trade *trade, const struct refund_row *refund);
    void (*cancel)(struct saga_call *call, enum after_benefit benefit); // it has not come, and never will
    void (*take)(struct saga_call *call, enum after_benefit benefit);   // the refund's part of it
    void (*taken)(struct saga_turn *turn, struct str answer);           // NULL: nothing to note
};

static int64_t points_share(const struct trade *trade, const struct refund_row *refund) {
    return refund_plan_share(trade->row.points_awarded, refund, trade->row.paid);
}

static bool takes_points(const struct trade *trade, const struct refund_row *refund) {
    return points_share(trade, refund) > 0;
}

static void cancel_award(struct saga_call *call, enum after_benefit benefit) {
    Participant__Points__V1__CancelAwardRequest request = PARTICIPANT__POINTS__V1__CANCEL_AWARD_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    struct adapter_effect effect = after_undo_effect(call, benefit, key);
    request.user_id = view_text(effect_trade(call)->row.user_id);
    const struct effect_expected expected = {moved_cancelled, 0, "the points system took back what can't be points",
                                             effect_done};
    points_cancel_award(&effect_adapters(call)->points, &effect, &request, effect_done_as_expected,
                        effect_expecting(call, &expected));
}

static void claw_back(struct saga_call *call, enum after_benefit benefit) {
    struct trade *trade = effect_trade(call);
    struct refund_row *refund = refund_of_call(call);
    struct adapter_effect effect = effect_of(call);
    char key[SAGA_KEY_MAX];
    after_key(trade, benefit, key);
    Participant__Points__V1__ClawBackPointsRequest request = PARTICIPANT__POINTS__V1__CLAW_BACK_POINTS_REQUEST__INIT;
    request.refund_no = refund->refund_no;
    request.user_id = view_text(trade->row.user_id);
    request.award_key = key;
    request.points = points_share(trade, refund);
    const struct effect_expected expected = {
        moved_back, request.points, "the points system took back another number than it was asked to", effect_done};
    points_claw_back(&effect_adapters(call)->points, &effect, &request, effect_done_as_expected,
                     effect_expecting(call, &expected));
}

// What is spent already stays with who has it: on record, and an operator's to settle.
static void note_spent(struct saga_turn *turn, const char *what, const char *text, int64_t points) {
    shortfall_add(turn, &(struct shortfall){.what = what, .reason = "ALREADY_SPENT", .text = text, .points = points});
}

static void note_clawed_back(struct saga_turn *turn, struct str answer) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = refund_of_turn(turn);
    struct arena arena;
    arena_init(&arena, 65536);
    const Participant__Points__V1__ClawBackPointsResponse *response =
        effect_answer(answer, &participant__points__v1__claw_back_points_response__descriptor, &arena);
    trade_change(trade, refund);
    if (response) {
        refund->points_clawed_back = response->points;
        refund->points_shortfall = response->shortfall;
        trade_edit(trade)->points_clawed_back += response->points;
        if (response->shortfall > 0)
            note_spent(turn, SHORTFALL_POINTS_SPENT, refund->refund_no, response->shortfall);
    }
    arena_release(&arena);
}

static bool takes_money(const struct trade *trade, const struct refund_row *refund) {
    (void)trade;
    return refund->amount > 0;
}

static void cancel_growth(struct saga_call *call, enum after_benefit benefit) {
    Participant__Level__V1__CancelGrowthRequest request = PARTICIPANT__LEVEL__V1__CANCEL_GROWTH_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    struct adapter_effect effect = after_undo_effect(call, benefit, key);
    level_cancel_report(&effect_adapters(call)->level, &effect, &request, effect_done_bare, call);
}

static void reverse_growth(struct saga_call *call, enum after_benefit benefit) {
    struct trade *trade = effect_trade(call);
    struct refund_row *refund = refund_of_call(call);
    Participant__Level__V1__ReverseGrowthRequest request = PARTICIPANT__LEVEL__V1__REVERSE_GROWTH_REQUEST__INIT;
    Txcenter__Type__V1__Money refunded = effect_money(trade, refund->amount);
    struct adapter_effect effect = effect_of(call);
    char key[SAGA_KEY_MAX];
    after_key(trade, benefit, key);
    request.refund_no = refund->refund_no;
    request.report_key = key;
    request.refunded = &refunded;
    level_reverse(&effect_adapters(call)->level, &effect, &request, effect_done_bare, call);
}

static void cancel_marketing(struct saga_call *call, enum after_benefit benefit) {
    Participant__Marketing__V1__CancelRecordRequest request = PARTICIPANT__MARKETING__V1__CANCEL_RECORD_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    struct adapter_effect effect = after_undo_effect(call, benefit, key);
    marketing_cancel_record(&effect_adapters(call)->marketing, &effect, &request, effect_done_bare, call);
}

static void reverse_marketing(struct saga_call *call, enum after_benefit benefit) {
    struct trade *trade = effect_trade(call);
    struct refund_row *refund = refund_of_call(call);
    Participant__Marketing__V1__ReverseTradeRequest request = PARTICIPANT__MARKETING__V1__REVERSE_TRADE_REQUEST__INIT;
    Txcenter__Type__V1__Money refunded = effect_money(trade, refund->amount);
    struct adapter_effect effect = effect_of(call);
    char key[SAGA_KEY_MAX];
    after_key(trade, benefit, key);
    request.refund_no = refund->refund_no;
    request.record_key = key;
    request.refunded = &refunded;
    marketing_reverse(&effect_adapters(call)->marketing, &effect, &request, effect_done_bare, call);
}

static bool takes_fuel(const struct trade *trade, const struct refund_row *refund) {
    (void)trade;
    return invoicing_is_touched(refund, AFTER_FUEL_INVOICE);
}

static bool takes_goods(const struct trade *trade, const struct refund_row *refund) {
    (void)trade;
    return invoicing_is_touched(refund, AFTER_GOODS_INVOICE);
}

static const struct back backs[] = {
    {STEP_TAKE_BACK_POINTS, AFTER_AWARD, takes_points, cancel_award, claw_back, note_clawed_back},
    {STEP_REVERSE_GROWTH, AFTER_GROWTH, takes_money, cancel_growth, reverse_growth, NULL},
    {STEP_REVERSE_MARKETING, AFTER_MARKETING, takes_money, cancel_marketing, reverse_marketing, NULL},
    {STEP_REVERSE_FUEL_INVOICE, AFTER_FUEL_INVOICE, takes_fuel, invoicing_take_back, invoicing_take_back, NULL},
    {STEP_REVERSE_GOODS_INVOICE, AFTER_GOODS_INVOICE, takes_goods, invoicing_take_back, invoicing_take_back, NULL},
};

static const struct back *back_of(uint16_t step_id) {
    for (size_t i = 0; i < sizeof backs / sizeof backs[0]; i++)
        if (backs[i].step_id == step_id)
            return &backs[i];
    return NULL;
}

void refund_take_back(struct saga_call *call) {
    const struct back *back = back_of(saga_call_step(call)->id);
    bool came = effect_trade(call)->row.after[back->benefit].state == AFTER_APPLIED;
    (came ? back->take : back->cancel)(call, back->benefit);
}

static void await(struct trade *trade, struct refund_row *refund, enum after_benefit benefit, bool awaits) {
    int32_t bit = 1 << benefit, awaited = awaits ? refund->awaits | bit : refund->awaits & ~bit;
    if (awaited == refund->awaits)
        return;
    trade_change(trade, refund);
    refund->awaits = awaited;
}

// Of points it is not known before they have come.
static bool may_take(const struct back *back, const struct trade *trade, const struct refund_row *refund) {
    return !refund_end_came_to_nothing(refund) && (back->benefit == AFTER_AWARD || back->takes(trade, refund));
}

struct saga_verdict refund_taken_back(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = refund_of_turn(turn);
    const struct back *back = back_of(saga_turn_step(turn)->id);
    const struct saga_asked *asked = saga_turn_asked(turn);
    struct saga_verdict failed;
    if (refund_asked_in_vain(turn, &failed))
        return failed;
    int32_t state = trade->row.after[back->benefit].state;
    bool waits = !asked && state == AFTER_PENDING && may_take(back, trade, refund);
    await(trade, refund, back->benefit, waits);
    if (waits)
        return saga_wait(saga_turn_now(turn) + POKE_LOST_MS); // and poked when it has come
    if (asked && back->taken)
        back->taken(turn, asked->answer);
    if (asked || refund_end_came_to_nothing(refund))
        return saga_done();
    bool ask = state == AFTER_CANCELLED ? refund->final : state == AFTER_APPLIED && back->takes(trade, refund);
    return ask ? saga_ask() : saga_done();
}

// What was to be taken back was, by somebody else, or, when the step is skipped, is not.
void refund_take_back_ruled(struct saga_turn *turn, const struct saga_ruling *ruling) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = refund_of_turn(turn);
    enum after_benefit benefit = back_of(saga_turn_step(turn)->id)->benefit;
    bool skipped = ruling->act == SAGA_ACT_SKIP;
    if (!skipped && ruling->outcome != OUTCOME_OK)
        return;
    await(trade, refund, benefit, false);
    if (benefit != AFTER_AWARD)
        return;
    int64_t points = trade->row.after[AFTER_AWARD].state == AFTER_APPLIED ? points_share(trade, refund) : 0;
    trade_change(trade, refund);
    *(skipped ? &refund->points_shortfall : &refund->points_clawed_back) = points;
    trade_edit(trade)->points_clawed_back += skipped ? 0 : points;
}

const struct saga_step *refund_awaits(const struct trade *trade, uint16_t step_id) {
    const struct back *back = back_of(step_id);
    if (!back || trade->row.after[back->benefit].state != AFTER_PENDING)
        return NULL;
    for (uint8_t i = 0; i < purchase_flow.n_steps; i++)
        if (after_of_step(purchase_flow.steps[i].id) == back->benefit)
            return &purchase_flow.steps[i];
    return NULL;
}

// ---- What followed the payment, as a whole -------------------------------------------------------------------------

void refund_withdraw_coupons(struct saga_call *call) {
    if (is_not_final(call))
        return;
    Participant__Coupon__V1__WithdrawCouponsRequest request = PARTICIPANT__COUPON__V1__WITHDRAW_COUPONS_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    struct adapter_effect effect = after_undo_effect(call, AFTER_ISSUE, key);
    coupon_withdraw(&effect_adapters(call)->coupon, &effect, &request, effect_done, call);
}

void refund_withdraw_gifts(struct saga_call *call) {
    if (is_not_final(call))
        return;
    Participant__Activity__V1__CancelEvaluationRequest request =
        PARTICIPANT__ACTIVITY__V1__CANCEL_EVALUATION_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    struct adapter_effect effect = after_undo_effect(call, AFTER_GIFT, key);
    activity_cancel_evaluation(&effect_adapters(call)->activity, &effect, &request, effect_done, call);
}

// Each is a matter of its own, up to a bound: an answer may name any number.
enum { NAMED_MAX = 20 };
static int32_t count_spent(struct saga_turn *turn, const char *what, char *const *ids, size_t n) {
    char rest[SAGA_TEXT_MAX];
    trade_change(trade_of(saga_turn_subject(turn)), refund_of_turn(turn));
    for (size_t i = 0; i < n && i < NAMED_MAX; i++)
        note_spent(turn, what, ids[i], 0);
    if (n > NAMED_MAX) {
        str_print(rest, sizeof rest, "%zu more", n - NAMED_MAX);
        note_spent(turn, what, rest, 0);
    }
    return (int32_t)n;
}

void refund_coupons_withdrawn(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    const Participant__Coupon__V1__WithdrawCouponsResponse *response =
        effect_answer(answer, &participant__coupon__v1__withdraw_coupons_response__descriptor, &arena);
    if (outcome == OUTCOME_OK && response)
        refund_of_turn(turn)->coupons_spent =
            count_spent(turn, SHORTFALL_COUPONS_SPENT, response->spent_ids, response->n_spent_ids);
    arena_release(&arena);
}

void refund_gifts_withdrawn(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    const Participant__Activity__V1__CancelEvaluationResponse *response =
        effect_answer(answer, &participant__activity__v1__cancel_evaluation_response__descriptor, &arena);
    if (outcome == OUTCOME_OK && response)
        refund_of_turn(turn)->gifts_spent =
            count_spent(turn, SHORTFALL_GIFTS_SPENT, response->used_ids, response->n_used_ids);
    arena_release(&arena);
}

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
