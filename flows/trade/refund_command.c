// The command Refund: whole, by amount, by lines; reserved in one step, so that concurrent ones never take the same
// money.
#include "flows/trade/refund_command.h"

#include "adapters/card/card.h"
#include "flows/trade/adjust.h"
#include "flows/trade/allocation.h"
#include "flows/trade/holding.h"
#include "flows/trade/purchase.h"
#include "flows/trade/quote_line.h"
#include "flows/trade/refund_end.h"
#include "flows/trade/refund_plan.h"
#include "flows/trade/tender.h"
#include "flows/trade/view.h"
#include "saga/participant.h"

#include <stdio.h>

typedef Txcenter__Trade__V1__RefundRequest refund_request;

static void check_extent(const struct trades *trades, const refund_request *request, struct error *error) {
    switch (request->extent_case) {
    case TXCENTER__TRADE__V1__REFUND_REQUEST__EXTENT_WHOLE:
        if (!request->whole)
            error_field(error, "whole", "must be true when it is given");
        break;
    case TXCENTER__TRADE__V1__REFUND_REQUEST__EXTENT_AMOUNT:
        check_money(trades, error, "amount", request->amount, 1, true);
        break;
    case TXCENTER__TRADE__V1__REFUND_REQUEST__EXTENT_LINES:
        if (request->lines->n_indexes == 0 || request->lines->n_indexes > TRADE_LINES_MAX)
            error_field(error, "lines.indexes", "must have 1..%d", TRADE_LINES_MAX);
        for (size_t i = 0; i < request->lines->n_indexes && i < TRADE_LINES_MAX; i++)
            check_range(error, "lines.indexes", request->lines->indexes[i], 0, TRADE_LINES_MAX - 1);
        break;
    default: error_field(error, "extent", "one of whole, amount, lines is required"); break;
    }
}

// Part of a gid and of the gateway's refund number: letters, digits, '_' and '-', and none of our own numbers.
static bool is_refund_no(const char *refund_no) {
    if (str_starts(str_c(refund_no), STR("late-")) || strcmp(refund_no, REFUND_CANCELLED_NO) == 0 ||
        strcmp(refund_no, REFUND_SHORTFALL_NO) == 0 || strcmp(refund_no, ADJUST_REFUND_NO) == 0)
        return false;
    for (const char *c = refund_no; *c; c++)
        if (!((*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') || *c == '_' ||
              *c == '-'))
            return false;
    return true;
}

static void check(const struct trades *trades, const ProtobufCMessage *message, struct error *error) {
    const refund_request *request = (const void *)message;
    check_trade_no(error, "trade_no", request->trade_no, !request->order_no[0]);
    check_text(error, "order_no", request->order_no, 0, TRADE_ID_MAX);
    check_text(error, "refund_no", request->refund_no, 0, 32);
    if (request->refund_no[0] && !is_refund_no(request->refund_no))
        error_field(error, "refund_no",
                    "has letters, digits, '_', '-'; not late-…, " REFUND_CANCELLED_NO ", " REFUND_SHORTFALL_NO
                    ", " ADJUST_REFUND_NO);
    check_text(error, "reason", request->reason, 0, 200);
    check_extent(trades, request, error);
    if (request->n_split > TRADE_TENDERS_MAX)
        error_field(error, "split", "must have at most %d", TRADE_TENDERS_MAX);
    for (size_t i = 0; i < request->n_split && i < TRADE_TENDERS_MAX; i++) {
        check_text(error, "split.tender_no", request->split[i]->tender_no, 1, TENDER_NO_MAX);
        check_money(trades, error, "split.amount", request->split[i]->amount, 1, true);
    }
}

// Of a trade that cost nothing nothing is ever left: it can be refunded until it is.
bool refund_command_is_taken(const struct trade *trade) {
    const struct refund_row *refund;
    if (trade->row.refunded + trade->row.refund_pending < trade->row.paid)
        return false;
    for (size_t i = 0; (refund = trade_at(trade, PART_REFUND, i)); i++)
        if (refund->kind == REFUND_OF_TRADE && !refund_end_came_to_nothing(refund))
            return true;
    return false;
}

// Of a fill-up. What cost nothing has been taken from its shelf all the same; what a terminated purchase still holds is
// let go of by its refund.
static bool is_nothing(const struct trade *trade) {
    return trade->row.list_price == 0 && !holding_any_missed(trade) &&
           trade_lines_of(trade, LINE_GOODS) + trade_lines_of(trade, LINE_ITEM) == 0;
}

// Of a fill-up that was cancelled to nothing: the refund by which it ends was terminated before it began. Another one
// ends it.
static bool cancel_was_ended(const struct trade *trade) {
    const struct refund_row *cancel = trade_refund(trade, STR(REFUND_CANCELLED_NO));
    return cancel && refund_end_came_to_nothing(cancel);
}

bool refund_command_allowed(const struct trade *trade, int64_t now_ms, struct error *error) {
    if (!trade_is_paid(trade))
        return error_set(error, ERR_NOT_REFUNDABLE, "the trade is not paid");
    if (now_ms > trade->row.paid_ms + trade->trades->options.refund_window_ms)
        return error_set(error, ERR_NOT_REFUNDABLE, "the refund window is over");
    if (is_nothing(trade) && !cancel_was_ended(trade))
        return error_set(error, ERR_NOT_REFUNDABLE, "nothing was bought");
    if (trade->row.refund_count >= TRADE_REFUNDS_MAX)
        return error_set(error, ERR_NOT_REFUNDABLE, "a trade has at most %d refunds", TRADE_REFUNDS_MAX);
    if (refund_command_is_taken(trade))
        return error_set(error, ERR_REFUND_EXCEEDS_REST, NULL);
    return true;
}

struct paid_view {
    struct allocation_tender tenders[TRADE_TENDERS_MAX];
    struct allocation_line lines[TRADE_LINES_MAX];
    struct allocation_split split[TRADE_TENDERS_MAX];
    size_t indexes[TRADE_LINES_MAX];
    struct allocation_paid paid;
};

static bool gives_first(const struct trade *trade, const struct tender_row *tender) {
    switch (trade->trades->options.refund_first) {
    case TRADE_REFUND_CASH: return tender_kind_is_cash(tender->kind);
    case TRADE_REFUND_CARD: return tender_is_card(tender);
    case TRADE_REFUND_GATEWAY: return tender_is_gateway(tender);
    case TRADE_REFUND_ALIKE: break;
    }
    return false;
}

static void view_paid(const struct trade *trade, struct paid_view *view) {
    const struct tender_row *tender;
    const struct line_row *line;
    view->paid =
        (struct allocation_paid){.tenders = view->tenders, .lines = view->lines, .currency = trade->row.currency};
    for (int32_t i = 0; (tender = trade_paid_tender(trade, i)); i++)
        view->tenders[view->paid.n_tenders++] =
            (struct allocation_tender){str_c(tender->tender_no), tender->amount,
                                       tender->refunded + tender->refund_pending, gives_first(trade, tender)};
    for (unsigned i = 0; (line = trade_line_of(trade, NULL, i)) && i < TRADE_LINES_MAX; i++)
        view->lines[view->paid.n_lines++] = (struct allocation_line){line->payable, line->refund_taken};
}

static struct allocation_request wish_of(const refund_request *request, struct paid_view *view) {
    struct allocation_request wish = {.split = view->split, .n_split = request->n_split, .indexes = view->indexes};
    if (request->extent_case == TXCENTER__TRADE__V1__REFUND_REQUEST__EXTENT_WHOLE) {
        wish.extent = ALLOCATION_WHOLE;
    } else if (request->extent_case == TXCENTER__TRADE__V1__REFUND_REQUEST__EXTENT_AMOUNT) {
        wish.extent = ALLOCATION_AMOUNT;
        wish.amount = request->amount->minor_units;
    } else {
        wish.extent = ALLOCATION_LINES;
        for (; wish.n_indexes < request->lines->n_indexes; wish.n_indexes++)
            view->indexes[wish.n_indexes] = (size_t)request->lines->indexes[wish.n_indexes];
    }
    for (size_t i = 0; i < request->n_split; i++)
        view->split[i] =
            (struct allocation_split){str_c(request->split[i]->tender_no), request->split[i]->amount->minor_units};
    return wish;
}

static bool make_plan(struct command *command, struct refund_plan *plan, struct error *error) {
    const refund_request *request = (const void *)command->request;
    struct paid_view view;
    struct allocation allocation;
    view_paid(command->trade, &view);
    struct allocation_request wish = wish_of(request, &view);
    if (!allocation_make(&view.paid, &wish, &command->arena, &allocation, error))
        return false;
    plan->amount = allocation.amount;
    plan->final = allocation.final;
    plan->n_tenders = view.paid.n_tenders;
    plan->n_lines = view.paid.n_lines;
    if (plan->n_tenders)
        memcpy(plan->tender_parts, allocation.tenders, plan->n_tenders * sizeof plan->tender_parts[0]);
    if (plan->n_lines)
        memcpy(plan->line_parts, allocation.lines, plan->n_lines * sizeof plan->line_parts[0]);
    return true;
}

// What is known of the recharge that is to be refunded: how much of it is left; -1: nothing is known.
static void start(struct command *command, int64_t reversible) {
    const refund_request *request = (const void *)command->request;
    struct trade *trade = command->trade;
    struct error error = {0};
    char number[33];
    // One that we make must not be one that a caller has made before.
    int32_t next = trade->row.refund_count;
    do
        snprintf(number, sizeof number, "R%d", ++next);
    while (trade_refund(trade, str_c(number)));
    if (request->refund_no[0])
        snprintf(number, sizeof number, "%s", request->refund_no);
    struct refund_plan plan = {.refund_no = number, .reason = request->reason};
    if (trade_is_paid(trade) && trade->row.adjust == ADJUST_AWAITED) {
        command_refuse_as(command, ERR_NOT_REFUNDABLE, "what was dispensed is not known yet: adjust it, or cancel it");
    } else if (!refund_command_allowed(trade, trades_now(command->trades), &error)) {
        command_refuse(command, &error);
    } else if (trade_refund(trade, str_c(number))) {
        // The number names one refund for ever; its own request id is how to ask for it again.
        command_refuse_as(command, ERR_IDEMPOTENCY_KEY_REUSED, "refund_no %s of this trade exists", number);
    } else if (!make_plan(command, &plan, &error)) {
        command_refuse(command, &error);
    } else if (reversible >= 0 && plan.amount > reversible) {
        char left[MONEY_TEXT_MAX];
        command_refuse_as(command, ERR_REFUND_EXCEEDS_REST, "of the recharge %s are left on the card",
                          money_text(reversible, str_c(trade->row.currency), left));
    } else {
        struct saga_turn *turn = command_turn(command);
        if (refund_plan_start(turn, &plan, &error))
            command_made(command, turn, number);
        else
            command_give_up(command, turn, &error);
    }
}

static void recharge_known(void *ctx, const struct adapter_answer *answer) {
    struct command *command = ctx;
    const Participant__Card__V1__GetRechargeResponse *response =
        answer->outcome == OUTCOME_OK ? (const void *)answer->message : NULL;
    int64_t reversible = response ? response->reversible->minor_units : -1; // else it is said when it is asked for
    saga_pass_end(command->trades->engine, command->state, answer->outcome, answer->code, answer->text);
    if (command_is_current(command))
        start(command, reversible);
}

// Of a recharge only what is not spent is refunded. The card system has the last word, in the refund's saga.
static void execute(struct command *command) {
    const struct trade *trade = command->trade;
    struct adapter *card = &command->trades->options.adapters->card;
    struct saga_pass *pass = command->state = arena_calloc(&command->arena, 1, sizeof *pass);
    struct error held = {0};
    bool asks = trade_is_paid(trade) && trade_lines_of(trade, LINE_RECHARGE) > 0 &&
                !(trade->row.missed & MISSED_RECHARGE); // else there is none to take
    if (!asks || !pass || !saga_pass_begin(command->trades->engine, card->system, pass, &held)) {
        start(command, -1);
        return;
    }
    struct adapter_effect effect = {.step = "refund",
                                    .trade_no = trade->row.trade_no,
                                    .order_no = trade->row.order_no,
                                    .request_id = command->call->request_id,
                                    .traceparent = command->call->traceparent,
                                    .deadline_ms = EFFECT_SOON_MS};
    Participant__Card__V1__GetRechargeRequest request = PARTICIPANT__CARD__V1__GET_RECHARGE_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    purchase_recharge_key(trade, key);
    request.recharge_key = key;
    card_get_recharge(card, &effect, &request, recharge_known, command);
}

static bool outcome(const struct command *command, const struct trade *trade, bool settled, struct arena *arena,
                    ProtobufCMessage **ret_response, struct error *ret_error) {
    struct str number = arena_str(arena, command->ref);
    const struct refund_row *refund = number.ptr ? trade_refund(trade, number) : NULL;
    (void)ret_error;
    if (settled && refund && !refund_end_is_over(refund))
        return false;
    Txcenter__Trade__V1__RefundResponse *response =
        VIEW_NEW(arena, txcenter__trade__v1__refund_response, Txcenter__Trade__V1__RefundResponse);
    if (!response || !refund || !(response->trade = view_trade(trade, arena)) ||
        !(response->refund = view_refund(trade, refund->refund_no, arena)))
        return true;
    response->processing = !settled;
    *ret_response = &response->base;
    return true;
}

const struct command_kind refund_kind = {.check = check, .execute = execute, .outcome = outcome};
