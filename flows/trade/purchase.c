// What buying is: one table, from the locks to the screens. The watershed is `paid`.
#include "flows/trade/purchase.h"

#include "adapters/coupon/coupon.h"
#include "adapters/order/order.h"
#include "adapters/points/points.h"
#include "adapters/push/push.h"
#include "adapters/settlement/settlement.h"
#include "flows/trade/after.h"
#include "flows/trade/books.h"
#include "flows/trade/chosen.h"
#include "flows/trade/discount.h"
#include "flows/trade/effect.h"
#include "flows/trade/load.h"
#include "flows/trade/payment.h"
#include "flows/trade/purchase_end.h"
#include "flows/trade/refund.h"
#include "flows/trade/retire.h"
#include "flows/trade/view.h"

#include <stdio.h>
#include <stdlib.h>

// ---- Which steps apply --------------------------------------------------------------------------------------------

unsigned purchase_has_coupons(const struct saga_subject *subject, struct str input) {
    (void)input;
    return chosen_has_coupons(trade_of_const(subject));
}

unsigned purchase_has_points(const struct saga_subject *subject, struct str input) {
    (void)input;
    return trade_of_const(subject)->row.points > 0;
}

// ---- What is undone -----------------------------------------------------------------------------------------------

// Under the key of the step's action, also when another saga does it. That is the first generation: what can be undone
// is never tried under another one.
static struct adapter_effect undo_effect(const struct saga_call *call, uint16_t step_id, char key[SAGA_KEY_MAX]) {
    struct adapter_effect effect = effect_of(call);
    char gid[TRADE_GID_MAX];
    trade_purchase_gid(effect_trade(call), gid);
    saga_key(gid, step_id, 0, 1, key);
    effect.key = key;
    return effect;
}

// ---- 1: the locks -------------------------------------------------------------------------------------------------

static void lock_coupons(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct arena arena;
    arena_init(&arena, CHOSEN_ARENA_MAX);
    Participant__Coupon__V1__LockCouponsRequest request = PARTICIPANT__COUPON__V1__LOCK_COUPONS_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    request.user_id = view_text(trade->row.user_id);
    request.n_coupon_ids = chosen_coupons(trade, &arena, &request.coupon_ids);
    coupon_lock(&effect_adapters(call)->coupon, &effect, &request, effect_done_bare, call);
    arena_release(&arena);
}

static void inquire_lock(struct saga_call *call) {
    struct adapter_effect effect = effect_of(call);
    adapter_inquire(&effect_adapters(call)->coupon, &coupon_inquire_method, &coupon_lock_method, &effect,
                    effect_done_bare, call);
}

void purchase_unlock_coupons(struct saga_call *call) {
    Participant__Coupon__V1__UnlockCouponsRequest request = PARTICIPANT__COUPON__V1__UNLOCK_COUPONS_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    struct adapter_effect effect = undo_effect(call, STEP_LOCK_COUPONS, key);
    coupon_unlock(&effect_adapters(call)->coupon, &effect, &request, effect_done_bare, call);
}

static void freeze_points(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    Participant__Points__V1__FreezePointsRequest request = PARTICIPANT__POINTS__V1__FREEZE_POINTS_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    request.user_id = view_text(trade->row.user_id);
    request.points = trade->row.points;
    points_freeze(&effect_adapters(call)->points, &effect, &request, effect_done_bare, call);
}

static void inquire_freeze(struct saga_call *call) {
    struct adapter_effect effect = effect_of(call);
    adapter_inquire(&effect_adapters(call)->points, &points_inquire_method, &points_freeze_method, &effect,
                    effect_done_bare, call);
}

void purchase_unfreeze_points(struct saga_call *call) {
    Participant__Points__V1__UnfreezePointsRequest request = PARTICIPANT__POINTS__V1__UNFREEZE_POINTS_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    struct adapter_effect effect = undo_effect(call, STEP_FREEZE_POINTS, key);
    points_unfreeze(&effect_adapters(call)->points, &effect, &request, effect_done_bare, call);
}

// ---- 2: the order -------------------------------------------------------------------------------------------------

// An order being created: its answer, until it is known whose its number is.
struct ordering {
    struct saga_call *call;
    struct trades *trades;
    char trade_no[TRADE_NO_MAX + 1];
    struct str answer; // owned
};

static struct ordering *ordering_of(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct ordering *ordering = calloc(1, sizeof *ordering);
    if (!ordering)
        abort();
    *ordering = (struct ordering){.call = call, .trades = trade->trades};
    memcpy(ordering->trade_no, trade->row.trade_no, sizeof ordering->trade_no);
    return ordering;
}

// A number names one trade for ever: one that is another's is no answer, and the order is closed again.
static void number_looked_up(void *ctx, const char *trade_no, const struct error *error) {
    struct ordering *ordering = ctx;
    bool ours = trade_no && strcmp(trade_no, ordering->trade_no) == 0;
    if (ours || (error && error->code == ERR_TRADE_NOT_FOUND))
        saga_call_ok(ordering->call, ordering->answer);
    else
        saga_call_done(ordering->call, OUTCOME_UNKNOWN, error ? error->code : ERR_PARTICIPANT_BROKEN, NULL,
                       error ? error->text : "the order system gave a number that another trade has", STR_NONE);
    free((void *)(uintptr_t)ordering->answer.ptr);
    free(ordering);
}

static void order_answered(void *ctx, const struct adapter_answer *answer) {
    struct ordering *ordering = ctx;
    const Participant__Order__V1__CreateOrderResponse *response = (const void *)answer->message;
    if (answer->outcome == OUTCOME_OK && !answer->never_seen && answer->bytes.len <= SAGA_ANSWER_MAX &&
        strlen(response->order_no) <= TRADE_ID_MAX) {
        ordering->answer = saga_copy_bytes(answer->bytes);
        load_trade_no(ordering->trades, str_c(response->order_no), number_looked_up, ordering);
        return;
    }
    effect_done(ordering->call, answer);
    free(ordering);
}

static void create_order(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    Participant__Order__V1__CreateOrderRequest request = PARTICIPANT__ORDER__V1__CREATE_ORDER_REQUEST__INIT;
    Participant__Order__V1__OrderLine lines[TRADE_LINES_MAX], *pointers[TRADE_LINES_MAX];
    Txcenter__Type__V1__Money prices[TRADE_LINES_MAX], discounts[TRADE_LINES_MAX];
    Txcenter__Type__V1__Money payable = effect_money(trade, trade->row.payable);
    Txcenter__Type__V1__Money list_price = effect_money(trade, trade->row.list_price);
    struct adapter_effect effect = effect_of(call);
    const struct line_row *row;
    for (size_t i = 0; (row = trade_at(trade, PART_LINE, i)); i++) {
        if (row->purchase_no != trade->row.purchase_no || request.n_lines == TRADE_LINES_MAX)
            continue;
        size_t n = request.n_lines++;
        participant__order__v1__order_line__init(&lines[n]);
        prices[n] = effect_money(trade, row->list_price);
        discounts[n] = effect_money(trade, discount_sum(row->discount));
        lines[n].kind = view_text(row->kind);
        lines[n].code = view_text(row->code);
        lines[n].quantity = row->volume_centi;
        lines[n].list_price = &prices[n];
        lines[n].discount = &discounts[n];
        pointers[n] = &lines[n];
    }
    request.lines = pointers;
    request.tenant_id = view_text(trade->row.tenant_id);
    request.user_id = view_text(trade->row.user_id);
    request.station_id = view_text(trade->row.station_id);
    request.payable = &payable;
    request.list_price = &list_price;
    order_create(&effect_adapters(call)->order, &effect, &request, order_answered, ordering_of(call));
}

static void inquire_order(struct saga_call *call) {
    struct adapter_effect effect = effect_of(call);
    adapter_inquire(&effect_adapters(call)->order, &order_inquire_method, &order_create_method, &effect, order_answered,
                    ordering_of(call));
}

void purchase_close_order(struct saga_call *call) {
    Participant__Order__V1__CloseOrderRequest request = PARTICIPANT__ORDER__V1__CLOSE_ORDER_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    struct adapter_effect effect = undo_effect(call, STEP_CREATE_ORDER, key);
    order_close(&effect_adapters(call)->order, &effect, &request, effect_done_bare, call);
}

// ---- 3: ordered ---------------------------------------------------------------------------------------------------

// Takes over the number that the order system gave; false when it is none that can be used.
static bool take_order_no(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct order_row row = {.purchase_no = trade->row.purchase_no};
    struct arena arena;
    arena_init(&arena, 65536);
    const Participant__Order__V1__CreateOrderResponse *answer =
        effect_answer(saga_turn_answer_of(turn, STEP_CREATE_ORDER, 0),
                      &participant__order__v1__create_order_response__descriptor, &arena);
    bool good = answer && str_copy(str_c(answer->order_no), row.order_no, sizeof row.order_no);
    arena_release(&arena);
    if (!good)
        return false;
    memcpy(row.trade_no, trade->row.trade_no, sizeof row.trade_no);
    memcpy(trade_edit(trade)->order_no, row.order_no, sizeof trade->row.order_no);
    // Another trade can't have it (it was looked up), or gets it in this very moment: then this write fails. That it is
    // this trade's own already can only be in a later order.
    saga_turn_row(turn, &order_table, row.purchase_no > 1 ? STORE_PUT : STORE_INSERT, &row);
    return true;
}

static struct saga_verdict ordered(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    int64_t now_ms = saga_turn_now(turn);
    if (!take_order_no(turn))
        return saga_reject(ERR_PARTICIPANT_BROKEN, "the order system's answer holds no number that can be used");
    if (trade->row.closing == CLOSING_NO) {
        trade_set_state(trade, TRADE_STATE(ORDERED), now_ms);
        struct pay_attempt_row *planned = trade_open_attempt(trade);
        if (planned && now_ms < trade->row.order_expires_ms)
            payment_start(turn, planned); // ordered and paid in one call
    }
    return saga_done();
}

// ---- 4: paid, the watershed ---------------------------------------------------------------------------------------

// Whoever ends tells us; should that be lost with the process, this is how late it is noticed.
enum { CLOSING_LOOK_MS = 30000 };

static struct saga_verdict close_unpaid(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct pay_attempt_row *open = trade_open_attempt(trade);
    if (open && open->state == ATTEMPT_OPEN) {
        // The attempt closes its tenders first, until it is definite what became of each. Paid beats what closes.
        payment_poke(turn, open->attempt_no);
        return saga_wait(saga_turn_now(turn) + CLOSING_LOOK_MS);
    }
    static const enum err codes[] = {
        [CLOSING_CANCEL] = ERR_TRADE_ENDED,
        [CLOSING_EXPIRY] = ERR_TIMED_OUT,
        [CLOSING_FAILURE] = ERR_PAYMENT_FAILED,
        [CLOSING_CONFLICT] = ERR_PAYMENT_FAILED,
    };
    static const char *const texts[] = {
        [CLOSING_CANCEL] = "cancelled before it was paid",
        [CLOSING_EXPIRY] = "not paid in time",
        [CLOSING_FAILURE] = "the payment failed, and the caller wanted the trade to fail with it",
        [CLOSING_CONFLICT] = "the payment does not match what was asked for",
    };
    return saga_reject(codes[trade->row.closing], texts[trade->row.closing]);
}

static struct saga_verdict paid(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    int64_t now_ms = saga_turn_now(turn);
    if (trade_is_paid(trade))
        return saga_done();
    if (trade->row.closing == CLOSING_NO && trade->row.payable == 0) {
        payment_settle(turn, NULL);
        return saga_done();
    }
    if (trade->row.closing == CLOSING_NO && now_ms >= trade->row.order_expires_ms) {
        trade_edit(trade)->closing = CLOSING_EXPIRY;
        trade_set_state(trade, TRADE_STATE(CLOSING), now_ms);
    }
    if (trade->row.closing != CLOSING_NO)
        return close_unpaid(turn);
    return saga_wait(trade->row.order_expires_ms);
}

// ---- 5: what must follow payment ----------------------------------------------------------------------------------

static void mark_paid(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    Participant__Order__V1__MarkPaidRequest request = PARTICIPANT__ORDER__V1__MARK_PAID_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = effect_money(trade, trade->row.paid);
    struct adapter_effect effect = effect_of(call);
    request.paid = &amount;
    order_mark_paid(&effect_adapters(call)->order, &effect, &request, effect_done_bare, call);
}

static void use_coupons(struct saga_call *call) {
    struct arena arena;
    arena_init(&arena, CHOSEN_ARENA_MAX);
    Participant__Coupon__V1__UseCouponsRequest request = PARTICIPANT__COUPON__V1__USE_COUPONS_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    char lock_key[SAGA_KEY_MAX];
    saga_call_key_of(call, STEP_LOCK_COUPONS, 0, lock_key);
    request.lock_key = lock_key;
    request.n_coupon_ids = chosen_coupons(effect_trade(call), &arena, &request.coupon_ids);
    coupon_use(&effect_adapters(call)->coupon, &effect, &request, effect_done_bare, call);
    arena_release(&arena);
}

static void deduct_points(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    Participant__Points__V1__DeductPointsRequest request = PARTICIPANT__POINTS__V1__DEDUCT_POINTS_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    char freeze_key[SAGA_KEY_MAX];
    saga_call_key_of(call, STEP_FREEZE_POINTS, 0, freeze_key);
    request.freeze_key = freeze_key;
    request.user_id = view_text(trade->row.user_id);
    request.points = trade->row.points;
    points_deduct(&effect_adapters(call)->points, &effect, &request, effect_done_bare, call);
}

// ---- 6: completed -------------------------------------------------------------------------------------------------

static struct saga_verdict completed(struct saga_turn *turn) {
    purchase_end_complete(turn);
    return saga_done();
}

// ---- 7: what may follow later -------------------------------------------------------------------------------------

static void award_points(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    Participant__Points__V1__AwardPointsRequest request = PARTICIPANT__POINTS__V1__AWARD_POINTS_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = effect_money(trade, trade->row.paid);
    struct adapter_effect effect = effect_of(call);
    if (after_never(call, AFTER_AWARD))
        return;
    request.user_id = view_text(trade->row.user_id);
    request.station_id = view_text(trade->row.station_id);
    request.paid = &amount;
    points_award(&effect_adapters(call)->points, &effect, &request, effect_done_unless_cancelled, call);
}

static void points_awarded(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op;
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct arena arena;
    arena_init(&arena, 65536);
    const Participant__Points__V1__AwardPointsResponse *response =
        effect_answer(answer, &participant__points__v1__award_points_response__descriptor, &arena);
    if (response && trade->row.after[AFTER_AWARD].state == AFTER_PENDING)
        trade_edit(trade)->points_awarded = response->points;
    after_answered(turn, AFTER_AWARD, outcome, response != NULL);
    arena_release(&arena);
}

static void award_ruled(struct saga_turn *turn, const struct saga_ruling *ruling) {
    if (ruling->act == SAGA_ACT_SKIP)
        after_given_up(turn, AFTER_AWARD);
}

static void issue_coupons(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    Participant__Coupon__V1__IssueCouponsRequest request = PARTICIPANT__COUPON__V1__ISSUE_COUPONS_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = effect_money(trade, trade->row.paid);
    struct adapter_effect effect = effect_of(call);
    if (after_never(call, AFTER_ISSUE))
        return;
    request.user_id = view_text(trade->row.user_id);
    request.station_id = view_text(trade->row.station_id);
    request.paid = &amount;
    coupon_issue(&effect_adapters(call)->coupon, &effect, &request, effect_done_unless_cancelled, call);
}

static void coupons_issued(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op;
    after_answered(turn, AFTER_ISSUE, outcome, !str_empty(answer));
}

static void issue_ruled(struct saga_turn *turn, const struct saga_ruling *ruling) {
    if (ruling->act == SAGA_ACT_SKIP)
        after_given_up(turn, AFTER_ISSUE);
}

static void record_settlement(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct arena arena;
    arena_init(&arena, 1 << 20);
    Participant__Settlement__V1__RecordTradeRequest request = PARTICIPANT__SETTLEMENT__V1__RECORD_TRADE_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    books_postings(trade, trade->row.paid_entry, &arena, &request.postings, &request.n_postings);
    request.tenant_id = view_text(trade->row.tenant_id);
    request.station_id = view_text(trade->row.station_id);
    request.shift_id = view_text(trade->row.shift_id);
    request.business_date = view_text(trade->row.business_date);
    request.paid_at = view_time(trade->row.paid_ms, &arena);
    settlement_record(&effect_adapters(call)->settlement, &effect, &request, effect_done_bare, call);
    arena_release(&arena);
}

static void record_ruled(struct saga_turn *turn, const struct saga_ruling *ruling) {
    if (ruling->act == SAGA_ACT_SKIP)
        purchase_end_missed(turn, STEP_RECORD_SETTLEMENT, MISSED_SETTLEMENT);
}

static void push_paid(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    Participant__Push__V1__PushRequest request = PARTICIPANT__PUSH__V1__PUSH_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    char amount[MONEY_TEXT_MAX], text[TRADE_ID_MAX + MONEY_TEXT_MAX + 32];
    struct money sum = {.minor = trade->row.paid};
    memcpy(sum.currency, trade->row.currency, sizeof sum.currency);
    money_format(sum, amount);
    snprintf(text, sizeof text, "Order %s paid: %s", trade->row.order_no, amount);
    request.station_id = view_text(trade->row.station_id);
    request.event = view_text("PAID");
    request.text = text;
    push_send(&effect_adapters(call)->push, &effect, &request, effect_done_bare, call);
}

// ---- The table ----------------------------------------------------------------------------------------------------

static const struct saga_step steps[] = {
    {.id = STEP_LOCK_COUPONS,
     .stage = 1,
     .kind = SAGA_COMPENSATABLE,
     .name = "lock_coupons",
     .participant = "coupon",
     .text = "Locks the chosen coupons",
     .legs = purchase_has_coupons,
     .run = lock_coupons,
     .inquire = inquire_lock,
     .undo = purchase_unlock_coupons,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_QUICK,
     .undo_retry = SAGA_STUBBORN},
    {.id = STEP_FREEZE_POINTS,
     .stage = 1,
     .kind = SAGA_COMPENSATABLE,
     .name = "freeze_points",
     .participant = "points",
     .text = "Freezes the chosen points",
     .legs = purchase_has_points,
     .run = freeze_points,
     .inquire = inquire_freeze,
     .undo = purchase_unfreeze_points,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_QUICK,
     .undo_retry = SAGA_STUBBORN},
    {.id = STEP_CREATE_ORDER,
     .stage = 2,
     .kind = SAGA_COMPENSATABLE,
     .name = "create_order",
     .participant = "order",
     .text = "Creates the order",
     .run = create_order,
     .inquire = inquire_order,
     .undo = purchase_close_order,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_QUICK,
     .undo_retry = SAGA_STUBBORN},
    {.id = 40,
     .stage = 3,
     .kind = SAGA_COMPENSATABLE,
     .name = "ordered",
     .text = "The order number is known",
     .decide = ordered},
    {.id = 50,
     .stage = 4,
     .kind = SAGA_PIVOT,
     .name = "paid",
     .text = "Waits for payment, cancel or expiry",
     .decide = paid},
    {.id = 60,
     .stage = 5,
     .kind = SAGA_RETRIABLE,
     .name = "mark_paid",
     .participant = "order",
     .text = "Marks the order paid",
     .run = mark_paid,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN},
    {.id = STEP_USE_COUPONS,
     .stage = 5,
     .kind = SAGA_RETRIABLE,
     .name = "use_coupons",
     .participant = "coupon",
     .text = "Uses the locked coupons",
     .legs = purchase_has_coupons,
     .run = use_coupons,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN},
    {.id = STEP_DEDUCT_POINTS,
     .stage = 5,
     .kind = SAGA_RETRIABLE,
     .name = "deduct_points",
     .participant = "points",
     .text = "Deducts the frozen points",
     .legs = purchase_has_points,
     .run = deduct_points,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN},
    {.id = 90,
     .stage = 6,
     .kind = SAGA_RETRIABLE,
     .name = "completed",
     .text = "Everything that had to follow is done",
     .decide = completed},
    {.id = STEP_AWARD_POINTS,
     .stage = 7,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "award_points",
     .participant = "points",
     .text = "Awards points",
     .run = award_points,
     .answered = points_awarded,
     .ruled = award_ruled,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_LEISURELY},
    {.id = STEP_ISSUE_COUPONS,
     .stage = 7,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "issue_coupons",
     .participant = "coupon",
     .text = "Issues coupons",
     .run = issue_coupons,
     .answered = coupons_issued,
     .ruled = issue_ruled,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_LEISURELY},
    {.id = STEP_RECORD_SETTLEMENT,
     .stage = 7,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "record_settlement",
     .participant = "settlement",
     .text = "Records the trade for settlement",
     .run = record_settlement,
     .ruled = record_ruled,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_LEISURELY},
    {.id = 130,
     .stage = 7,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "push_paid",
     .participant = "push",
     .text = "Tells the screens",
     .run = push_paid,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_LEISURELY},
};

const struct saga_flow purchase_flow = {
    .name = "trade.purchase",
    .version = 1,
    .text = "An order from its locks to its completion",
    .steps = steps,
    .n_steps = STORE_COUNT(steps),
    .on_reversed = purchase_end_reversed,
    .on_end = purchase_end_ended,
    .allows = purchase_end_allows,
    .attach = load_attach,
    .estate = &retire_estate,
};
