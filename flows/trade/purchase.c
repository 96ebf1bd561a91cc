// What buying is: one table, from the locks to the screens. The watershed is `paid`.
#include "flows/trade/purchase.h"

#include "adapters/order/order.h"
#include "flows/trade/adjust.h"
#include "flows/trade/after.h"
#include "flows/trade/discount.h"
#include "flows/trade/fuelling.h"
#include "flows/trade/holding.h"
#include "flows/trade/load.h"
#include "flows/trade/payment.h"
#include "flows/trade/purchase_end.h"
#include "flows/trade/purchase_step.h"
#include "flows/trade/refund.h"
#include "flows/trade/retire.h"
#include "flows/trade/shortfall.h"
#include "flows/trade/tell.h"
#include "flows/trade/view.h"

#include <stdlib.h>

// ---- What is undone -----------------------------------------------------------------------------------------------

// Of the step's action, also when another saga does it.
struct adapter_effect purchase_undo_effect(const struct saga_call *call, uint16_t step_id, struct effect_whose *whose) {
    trade_purchase_gid(effect_trade(call), whose->gid);
    return effect_of_step(call, &purchase_flow, step_id, 1, whose);
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
static void number_looked_up(void *ctx, const struct order_row *order, const struct error *error) {
    struct ordering *ordering = ctx;
    bool ours = order && strcmp(order->trade_no, ordering->trade_no) == 0;
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
        load_order(ordering->trades, str_c(response->order_no), number_looked_up, ordering);
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
    for (unsigned i = 0; (row = trade_line_of(trade, NULL, i)) && request.n_lines < TRADE_LINES_MAX; i++) {
        size_t n = request.n_lines++;
        participant__order__v1__order_line__init(&lines[n]);
        prices[n] = effect_money(trade, row->list_price);
        discounts[n] = effect_money(trade, discount_sum(row->discount));
        lines[n].kind = view_text(row->kind);
        lines[n].code = view_text(row->code);
        lines[n].quantity = row->volume_centi ? row->volume_centi : row->quantity;
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
    struct effect_whose whose;
    struct adapter_effect effect = purchase_undo_effect(call, STEP_CREATE_ORDER, &whose);
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

static struct saga_verdict close_unpaid(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct pay_attempt_row *open = trade_open_attempt(trade);
    if (open && open->state == ATTEMPT_OPEN) {
        // The attempt closes its tenders first, until it is definite what became of each. Paid beats what closes.
        payment_poke(turn, open->attempt_no);
        return saga_wait(saga_turn_now(turn) + EFFECT_CLOSING_LOOK_MS);
    }
    static const enum err codes[] = {
        [CLOSING_CANCEL] = ERR_TRADE_ENDED,     [CLOSING_EXPIRY] = ERR_TIMED_OUT,
        [CLOSING_FAILURE] = ERR_PAYMENT_FAILED, [CLOSING_CONFLICT] = ERR_PAYMENT_FAILED,
        [CLOSING_REORDER] = ERR_TRADE_ENDED,    [CLOSING_TAKEN] = ERR_SOURCE_TAKEN,
    };
    static const char *const texts[] = {
        [CLOSING_CANCEL] = "cancelled before it was paid",
        [CLOSING_EXPIRY] = "not paid in time",
        [CLOSING_FAILURE] = "the payment failed, and the caller wanted the trade to fail with it",
        [CLOSING_CONFLICT] = "the payment does not match what was asked for",
        [CLOSING_REORDER] = "edited, and ordered again",
        [CLOSING_TAKEN] = "another trade has taken over the fuelling that it was for",
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

// ---- 5, 6: what must follow payment --------------------------------------------------------------------------------

static void mark_paid(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    Participant__Order__V1__MarkPaidRequest request = PARTICIPANT__ORDER__V1__MARK_PAID_REQUEST__INIT;
    // As it was paid, whatever it is adjusted to.
    int64_t paid = trade->row.adjust == ADJUST_NONE ? trade->row.paid : trade->row.authorised;
    Txcenter__Type__V1__Money amount = effect_money(trade, paid);
    struct adapter_effect effect = effect_of(call);
    const struct pay_attempt_row *attempt = trade_paid_attempt(trade);
    Txcenter__Type__V1__Money off = effect_money(trade, attempt ? attempt->rounding_off : 0);
    request.paid = &amount;
    request.rounding_off = off.minor_units > 0 ? &off : NULL;
    order_mark_paid(&effect_adapters(call)->order, &effect, &request, effect_done_bare, call);
}

// ---- 7: completed -------------------------------------------------------------------------------------------------

static struct saga_verdict completed(struct saga_turn *turn) {
    purchase_end_complete(turn);
    shortfall_refund(turn);
    return saga_done();
}

// ---- The table ----------------------------------------------------------------------------------------------------

#define HOLD(NAME, name_, missed, participant_, hold, use, let_go, give_back, when_used, ...)                          \
    {ROW_STEP hold,                                                                                                    \
     .stage = 1,                                                                                                       \
     .kind = SAGA_COMPENSATABLE,                                                                                       \
     .participant = participant_,                                                                                      \
     .legs = holding_locks_##name_,                                                                                    \
     .when = when_used "; not in deduct-later mode",                                                                   \
     .run = holding_hold,                                                                                              \
     .inquire = holding_inquire,                                                                                       \
     .undo = holding_undo,                                                                                             \
     .deadline_ms = EFFECT_SOON_MS,                                                                                    \
     .retry = SAGA_QUICK,                                                                                              \
     .undo_retry = SAGA_STUBBORN},
#define USE(NAME, name_, missed, participant_, hold, use, let_go, give_back, when_used, ...)                           \
    {ROW_STEP use,                                                                                                     \
     .stage = 6,                                                                                                       \
     .kind = SAGA_RETRIABLE,                                                                                           \
     .participant = participant_,                                                                                      \
     .legs = holding_has_##name_,                                                                                      \
     .when = when_used,                                                                                                \
     .run = holding_use,                                                                                               \
     .answered = holding_used,                                                                                         \
     .deadline_ms = EFFECT_SOON_MS,                                                                                    \
     .retry = SAGA_STUBBORN},

#define GIVE(NAME, name_, since, participant_, give, when_, ...)                                                       \
    {ROW_STEP give,                                                                                                    \
     .stage = 8,                                                                                                       \
     .kind = SAGA_RETRIABLE,                                                                                           \
     .tier = SAGA_NON_CORE,                                                                                            \
     .participant = participant_,                                                                                      \
     .legs = after_applies_##name_,                                                                                    \
     .when = when_,                                                                                                    \
     .run = after_give,                                                                                                \
     .answered = after_answered,                                                                                       \
     .ruled = after_ruled,                                                                                             \
     .deadline_ms = EFFECT_LATER_MS,                                                                                   \
     .retry = SAGA_LEISURELY},

static const struct saga_step steps[] = {
    {.id = STEP_CLAIM_SOURCES,
     .stage = 1,
     .kind = SAGA_COMPENSATABLE,
     .name = "claim_sources",
     .text = "Claims what a pump has dispensed",
     .legs = fuelling_lines,
     .when = "each line that a pump has dispensed",
     .run = fuelling_claim,
     .undo = fuelling_unclaim,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN,
     .undo_retry = SAGA_STUBBORN},
    TRADE_HOLDINGS(HOLD) // a row each
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
    {.id = 55,
     .stage = 5,
     .kind = SAGA_RETRIABLE,
     .name = "mark_authorised",
     .participant = "order",
     .text = "Marks the order paid, with what was authorised",
     .legs = adjust_applies,
     .when = "a fill-up",
     .run = mark_paid,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN},
    {.id = 57,
     .stage = 5,
     .kind = SAGA_RETRIABLE,
     .name = "adjusted",
     .text = "Waits until it is known what was dispensed",
     .legs = adjust_applies,
     .when = "a fill-up",
     .decide = adjust_adjusted},
    {.id = 58,
     .stage = 6,
     .kind = SAGA_RETRIABLE,
     .name = "mark_adjusted",
     .participant = "order",
     .text = "Tells the order system what was not used",
     .legs = adjust_applies,
     .when = "a fill-up",
     .run = adjust_mark,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN},
    {.id = 60,
     .stage = 6,
     .kind = SAGA_RETRIABLE,
     .name = "mark_paid",
     .participant = "order",
     .text = "Marks the order paid",
     .legs = adjust_does_not,
     .when = "not a fill-up",
     .run = mark_paid,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN},
    TRADE_HOLDINGS(USE) // a row each
    {.id = STEP_RECHARGE,
     .stage = 6,
     .kind = SAGA_RETRIABLE,
     .name = "recharge",
     .participant = "card",
     .text = "Credits the card that is recharged",
     .legs = purchase_recharges,
     .when = "a recharge",
     .run = purchase_recharge,
     .answered = purchase_recharged,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN},
    {.id = STEP_DELIVER_ITEMS,
     .stage = 6,
     .kind = SAGA_RETRIABLE,
     .name = "deliver_items",
     .participant = "activity",
     .text = "Delivers the paid items",
     .legs = purchase_items,
     .when = "each paid item",
     .run = purchase_deliver_item,
     .answered = purchase_item_delivered,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN},
    {.id = 90,
     .stage = 7,
     .kind = SAGA_RETRIABLE,
     .name = "completed",
     .text = "Everything that had to follow is done",
     .decide = completed},
    AFTER_TABLE(GIVE) // a row each
    {.id = STEP_RECORD_SETTLEMENT,
     .stage = 8,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "record_settlement",
     .participant = "settlement",
     .text = "Records the trade for settlement",
     .run = purchase_record_settlement,
     .answered = purchase_recorded,
     .ruled = purchase_record_ruled,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_LEISURELY},
    {.id = 130,
     .stage = 8,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "push_paid",
     .participant = "push",
     .text = "Tells the screens",
     .run = tell_screens,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_LEISURELY},
    {.id = 190,
     .stage = 8,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "notify_paid",
     .participant = "notify",
     .text = "Tells the user",
     .legs = purchase_has_user,
     .when = "the buyer is known",
     .run = tell_user,
     .deadline_ms = EFFECT_LATER_MS,
     .retry = SAGA_LEISURELY},
    {.id = 200,
     .stage = 8,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE,
     .name = "sync_paid",
     .participant = "os",
     .text = "Tells the stations' own system",
     .legs = purchase_tells_os,
     .when = "that system is told, and has not ordered it itself",
     .run = tell_os,
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
