#include "flows/trade/adjust.h"

#include "adapters/order/order.h"
#include "flows/trade/actual.h"
#include "flows/trade/after.h"
#include "flows/trade/books.h"
#include "flows/trade/capture.h"
#include "flows/trade/discount.h"
#include "flows/trade/effect.h"
#include "flows/trade/refund_plan.h"
#include "flows/trade/tender.h"
#include "flows/trade/view.h"

#include <assert.h>
#include <stdio.h>

typedef Txcenter__Trade__V1__AdjustRequest adjust_request;

enum { NOTHING_ARENA_MAX = 8 << 20 }; // for one kept quote, read and packed again

// ---- Which --------------------------------------------------------------------------------------------------------

unsigned adjust_applies(const struct saga_subject *subject, struct str input) {
    (void)input;
    return trade_of_const(subject)->row.adjust != ADJUST_NONE;
}

unsigned adjust_does_not(const struct saga_subject *subject, struct str input) {
    return !adjust_applies(subject, input);
}

bool adjust_left_nothing(const struct trade *trade) {
    return trade->row.adjust == ADJUST_DONE && trade->row.list_price == 0;
}

// ---- The money ----------------------------------------------------------------------------------------------------

// What each tender has too much, when so much less is to pay.
static void split_unused(const struct trade *trade, int64_t unused, int64_t parts[TRADE_TENDERS_MAX]) {
    int64_t amounts[TRADE_TENDERS_MAX];
    const struct tender_row *tender;
    size_t n = 0;
    memset(parts, 0, TRADE_TENDERS_MAX * sizeof parts[0]);
    while (unused > 0 && n < TRADE_TENDERS_MAX && (tender = trade_paid_tender(trade, (int32_t)n)))
        amounts[n++] = tender->amount;
    bool split = unused == 0 || money_allocate(unused, amounts, n, parts);
    assert(split); // no more than they add up to
}

static void take_less(struct trade *trade, const int64_t parts[TRADE_TENDERS_MAX]) {
    for (int32_t i = 0; i < TRADE_TENDERS_MAX; i++)
        if (parts[i] > 0) {
            struct tender_row *tender = trade_change(trade, trade_paid_tender(trade, i));
            tender->amount -= parts[i];
        }
}

// From here on nothing of it changes any more, and what follows the payment goes on.
static void conclude(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    char gid[TRADE_GID_MAX];
    trade_edit(trade)->adjust = ADJUST_DONE;
    trade->row.adjusted_ms = saga_turn_now(turn);
    after_paid(trade);
    if (adjust_left_nothing(trade))
        after_refunded(trade); // nothing follows
    capture_start(turn);
    trade_purchase_gid(trade, gid);
    saga_turn_poke(turn, str_c(gid));
}

void adjust_as_authorised(struct saga_turn *turn) {
    conclude(turn);
}

// ---- What was bought ----------------------------------------------------------------------------------------------

static void take_lines(struct trade *trade, const struct actual *actual) {
    struct line_row *row;
    for (unsigned i = 0; i < actual->n && (row = trade_line_of(trade, NULL, i)); i++) {
        const Txcenter__Trade__V1__LineShare *share = actual->combination->line_shares[i];
        trade_change(trade, row);
        row->volume_centi = actual->lines[i].volume_centi;
        row->quantity = actual->lines[i].quantity;
        row->list_price = actual->lines[i].list_price;
        row->payable = share->payable->minor_units;
        discount_of_share(share, row->discount);
    }
}

// Of a card it was never taken.
static bool goes_back(const struct trade *trade, const int64_t parts[TRADE_TENDERS_MAX]) {
    bool back = false;
    for (int32_t i = 0; i < TRADE_TENDERS_MAX; i++)
        back = back || (parts[i] > 0 && !tender_is_card(trade_paid_tender(trade, i)));
    return back;
}

// False, and nothing is changed, when one of the sagas that the money needs can't be started.
static bool apply(struct saga_turn *turn, const struct actual *actual, struct error *error) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    const struct trade_row before = trade->row;
    int64_t parts[TRADE_TENDERS_MAX];
    split_unused(trade, before.paid - actual->combination->payable->minor_units, parts);
    if (!capture_can_start(turn, error) ||
        (goes_back(trade, parts) && !refund_plan_can_start(turn, ADJUST_REFUND_NO, error)))
        return false;
    struct trade_row *row = trade_edit(trade);
    actual_keep(trade, actual);
    take_lines(trade, actual);
    row->points = actual->combination->points;
    row->coupons = (int32_t)actual->combination->n_coupon_ids;
    row->quotas = (int32_t)actual->combination->n_quotas;
    row->list_price = actual->list_price;
    row->payable = row->paid = actual->combination->payable->minor_units;
    discount_of_combination(actual->combination, row->discount);
    books_adjusted(trade, &before, parts, saga_turn_now(turn));
    bool started = refund_plan_unused(turn, parts, error);
    assert(started); // it can be: that was looked at first
    take_less(trade, parts);
    conclude(turn);
    return true;
}

bool adjust_can_be_nothing(struct saga_turn *turn, struct error *error) {
    struct arena arena;
    struct actual actual;
    arena_init(&arena, NOTHING_ARENA_MAX);
    bool can = actual_nothing(trade_of(saga_turn_subject(turn)), &arena, &actual, error);
    arena_release(&arena);
    return can && capture_can_start(turn, error) && refund_plan_can_start(turn, ADJUST_REFUND_NO, error);
}

bool adjust_to_nothing(struct saga_turn *turn, struct error *error) {
    struct arena arena;
    struct actual actual;
    arena_init(&arena, NOTHING_ARENA_MAX);
    bool done =
        actual_nothing(trade_of(saga_turn_subject(turn)), &arena, &actual, error) && apply(turn, &actual, error);
    arena_release(&arena);
    return done;
}

// ---- The purchase's steps -----------------------------------------------------------------------------------------

struct saga_verdict adjust_adjusted(struct saga_turn *turn) {
    const struct trade_row *row = &trade_of(saga_turn_subject(turn))->row;
    if (row->adjust == ADJUST_DONE && !row->capturing)
        return saga_done();
    return saga_wait(saga_turn_now(turn) + EFFECT_LOOK_MS); // whoever adjusts pokes us
}

void adjust_mark(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    Participant__Order__V1__MarkRefundedRequest request = PARTICIPANT__ORDER__V1__MARK_REFUNDED_REQUEST__INIT;
    int64_t unused = trade->row.authorised - trade->row.paid;
    Txcenter__Type__V1__Money amount = effect_money(trade, unused);
    struct adapter_effect effect = effect_of(call);
    if (unused == 0) {
        saga_call_ok(call, STR_NONE);
        return;
    }
    request.refund_no = view_text(ADJUST_REFUND_NO);
    request.amount = &amount;
    request.full = trade->row.paid == 0;
    order_mark_refunded(&effect_adapters(call)->order, &effect, &request, effect_done_bare, call);
}

// ---- The command --------------------------------------------------------------------------------------------------

static void check(const struct trades *trades, const ProtobufCMessage *message, struct error *error) {
    const adjust_request *request = (const void *)message;
    check_trade_no(error, "trade_no", request->trade_no, !request->order_no[0]);
    check_text(error, "order_no", request->order_no, 0, TRADE_ID_MAX);
    if (request->n_lines == 0 || request->n_lines > TRADE_LINES_MAX)
        error_field(error, "lines", "must have 1..%d", TRADE_LINES_MAX);
    for (size_t i = 0; i < request->n_lines && i < TRADE_LINES_MAX; i++) {
        const Txcenter__Trade__V1__ActualLine *line = request->lines[i];
        check_range(error, "lines.index", line->index, 0, TRADE_LINES_MAX - 1);
        check_range(error, "lines.volume_centi", line->volume_centi, 0, ACTUAL_VOLUME_MAX);
        check_money(trades, error, "lines.amount", line->amount, 0, false);
        check_money(trades, error, "lines.pump_price", line->pump_price, 1, false);
    }
}

static void execute(struct command *command) {
    const adjust_request *request = (const void *)command->request;
    struct trade *trade = command->trade;
    struct actual actual;
    struct error error = {0};
    if (!trade_is_paid(trade) || trade->row.adjust != ADJUST_AWAITED) {
        command_refuse_as(command, ERR_ADJUST_REFUSED, NULL);
    } else if (!actual_of(trade, request->lines, request->n_lines, &command->arena, &actual, &error)) {
        command_refuse(command, &error);
    } else {
        struct saga_turn *turn = command_turn(command);
        if (apply(turn, &actual, &error))
            command_made(command, turn, "adjusted");
        else
            command_give_up(command, turn, &error);
    }
}

static bool outcome(const struct command *command, const struct trade *trade, bool settled, struct arena *arena,
                    ProtobufCMessage **ret_response, struct error *ret_error) {
    (void)command, (void)settled, (void)ret_error;
    Txcenter__Trade__V1__AdjustResponse *response =
        VIEW_NEW(arena, txcenter__trade__v1__adjust_response, Txcenter__Trade__V1__AdjustResponse);
    if (response && (response->trade = view_trade(trade, arena)))
        *ret_response = &response->base;
    return true;
}

const struct command_kind adjust_kind = {.check = check, .execute = execute, .outcome = outcome};
