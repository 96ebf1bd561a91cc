// The command Cancel: an unpaid trade is closed; one that is found paid is refunded whole; a fill-up of which nothing
// is known to have been dispensed is adjusted to nothing first, so that nothing is taken that would have to go back.
#include "flows/trade/cancel.h"

#include "flows/trade/adjust.h"
#include "flows/trade/purchase_end.h"
#include "flows/trade/refund_command.h"
#include "flows/trade/refund_end.h"
#include "flows/trade/refund_plan.h"
#include "flows/trade/view.h"

static void check(const struct trades *trades, const ProtobufCMessage *message, struct error *error) {
    const Txcenter__Trade__V1__CancelRequest *request = (const void *)message;
    (void)trades;
    check_trade_no(error, "trade_no", request->trade_no, !request->order_no[0]);
    check_text(error, "order_no", request->order_no, 0, TRADE_ID_MAX);
    check_text(error, "reason", request->reason, 0, SAGA_TEXT_MAX - 1);
}

static bool closable(const struct trade *trade) {
    return trade->row.state == TRADE_STATE(ORDERING) || trade->row.state == TRADE_STATE(ORDERED) ||
           trade->row.state == TRADE_STATE(PAYING) || trade->row.state == TRADE_STATE(CLOSING);
}

static void set_reason(struct trade *trade, const char *text) {
    struct trade_row *row = trade_edit(trade);
    str_fit(STR(TRADE_REASON_CANCELLED), row->reason, sizeof row->reason);
    str_fit(str_c(text), row->text, sizeof row->text);
}

static void close_trade(struct saga_turn *turn, const char *reason) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    // What has not turned the order round yet may still find it paid, and what is to be ordered again would be: neither
    // is what the caller wants.
    int32_t closing = trade->row.closing;
    bool may_be_paid = trade->row.failure == ERR_OK && (closing == CLOSING_EXPIRY || closing == CLOSING_TAKEN);
    if (closing == CLOSING_NO || closing == CLOSING_REORDER || may_be_paid) {
        trade_edit(trade)->closing = CLOSING_CANCEL;
        set_reason(trade, reason);
        trade_set_state(trade, TRADE_STATE(CLOSING), saga_turn_now(turn));
    }
    purchase_end_poke(turn);
}

// Cancelled, or everything is on its way back already.
static bool nothing_to_do(const struct trade *trade) {
    return trade->row.state == TRADE_STATE(CANCELLED) || (trade_is_paid(trade) && refund_command_is_taken(trade));
}

static bool cancellable(const struct trade *trade, int64_t now_ms, struct error *error) {
    if (nothing_to_do(trade))
        return true;
    if (trade->row.state == TRADE_STATE(EXPIRED) || trade->row.state == TRADE_STATE(FAILED))
        return error_set(error, ERR_TRADE_ENDED, NULL);
    if (trade->row.state == TRADE_STATE(CONFLICTED))
        return error_set(error, ERR_NOT_CANCELLABLE, "its payment does not match: an operator decides");
    if (trade_is_paid(trade) && trade_refund(trade, STR(REFUND_CANCELLED_NO)))
        return error_set(error, ERR_ALREADY_PAID, "refund what is left");
    bool refunds = trade_is_paid(trade) && trade->row.adjust != ADJUST_AWAITED;
    return !refunds || refund_command_allowed(trade, now_ms, error);
}

static bool give_back(struct saga_turn *turn, const char *reason, struct error *error) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_plan plan = {.refund_no = REFUND_CANCELLED_NO, .reason = reason};
    bool adjusts = trade->row.adjust == ADJUST_AWAITED;
    if (adjusts && !(refund_plan_can_start(turn, plan.refund_no, error) && adjust_to_nothing(turn, error)))
        return false;
    refund_plan_rest(trade, &plan);
    return refund_plan_start(turn, &plan, error);
}

static void execute(struct command *command) {
    const Txcenter__Trade__V1__CancelRequest *request = (const void *)command->request;
    struct trade *trade = command->trade;
    struct error error = {0};
    if (!cancellable(trade, trades_now(command->trades), &error)) {
        command_refuse(command, &error);
        return;
    }
    struct saga_turn *turn = command_turn(command);
    if (nothing_to_do(trade)) {
        // The answer says how it is.
    } else if (trade_is_paid(trade)) {
        if (!give_back(turn, request->reason, &error)) {
            command_give_up(command, turn, &error);
            return;
        }
    } else if (closable(trade)) {
        close_trade(turn, request->reason);
    } else {
        set_reason(trade, request->reason);
        trade_set_state(trade, TRADE_STATE(CANCELLED), saga_turn_now(turn));
    }
    command_made(command, turn, arena_printf(&command->arena, "%d", trade->row.purchase_no).ptr);
}

// Still on its way to what was asked for; a trade that was ordered again since is no longer what it was about.
static bool under_way(const struct command *command, const struct trade *trade, const struct refund_row *refund) {
    int64_t purchase_no = trade->row.purchase_no;
    str_to_i64(command->ref, &purchase_no);
    if (purchase_no != trade->row.purchase_no)
        return false;
    const struct refund_row *unused = trade_refund(trade, STR(ADJUST_REFUND_NO)); // what was taken of a fill-up
    bool goes_back = (refund && !refund_end_is_over(refund)) || (unused && !refund_end_is_over(unused));
    return closable(trade) || (trade_is_paid(trade) && goes_back);
}

static bool outcome(const struct command *command, const struct trade *trade, bool settled, struct arena *arena,
                    ProtobufCMessage **ret_response, struct error *ret_error) {
    const struct refund_row *refund = trade_refund(trade, STR(REFUND_CANCELLED_NO));
    (void)ret_error;
    if (settled && under_way(command, trade, refund))
        return false;
    Txcenter__Trade__V1__CancelResponse *response =
        VIEW_NEW(arena, txcenter__trade__v1__cancel_response, Txcenter__Trade__V1__CancelResponse);
    if (!response || !(response->trade = view_trade(trade, arena)) ||
        (refund && !(response->refund = view_refund(trade, refund->refund_no, arena))))
        return true;
    response->processing = !settled;
    *ret_response = &response->base;
    return true;
}

const struct command_kind cancel_kind = {.check = check, .execute = execute, .outcome = outcome, .any_currency = true};
