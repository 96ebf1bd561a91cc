// The command Cancel: an unpaid trade is closed; one that is found paid is refunded whole.
#include "flows/trade/order.h"
#include "flows/trade/refund.h"
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

static void close_trade(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    char gid[TRADE_GID_MAX];
    if (trade->row.closing == CLOSING_NO) {
        trade_edit(trade)->closing = CLOSING_CANCEL;
        trade_set_state(trade, TRADE_STATE(CLOSING), saga_turn_now(turn));
    }
    trade_purchase_gid(trade, gid);
    saga_turn_poke(turn, str_c(gid));
}

static void execute(struct command *command) {
    const Txcenter__Trade__V1__CancelRequest *request = (const void *)command->request;
    struct trade *trade = command->trade;
    struct error error = {0};
    if (trade->row.state == TRADE_STATE(CANCELLED) ||
        (trade_is_paid(trade) && trade->row.refunded + trade->row.refund_pending == trade->row.paid &&
         trade->row.refund_count > 0)) {
        // Nothing is left to do: cancelled, or everything is on its way back already.
        command_made(command, command_turn(command), "cancel");
        return;
    }
    if (trade->row.state == TRADE_STATE(EXPIRED) || trade->row.state == TRADE_STATE(FAILED)) {
        command_refuse_as(command, ERR_TRADE_ENDED, NULL);
        return;
    }
    if (trade->row.state == TRADE_STATE(CONFLICTED)) {
        command_refuse_as(command, ERR_NOT_CANCELLABLE, "its payment does not match: an operator decides");
        return;
    }
    struct refund_plan plan = {.refund_no = REFUND_CANCELLED_NO, .reason = request->reason};
    if (trade_is_paid(trade) && trade_refund(trade, STR(REFUND_CANCELLED_NO))) {
        command_refuse_as(command, ERR_ALREADY_PAID, "refund what is left");
        return;
    }
    struct saga_turn *turn = command_turn(command);
    if (trade_is_paid(trade)) {
        refund_plan_rest(trade, &plan);
        if (!refund_start(turn, &plan, &error))
            trades_alert(command->trades, "a refund can't start", trade, error.text);
    } else if (closable(trade)) {
        close_trade(turn);
    } else {
        trade_set_state(trade, TRADE_STATE(CANCELLED), saga_turn_now(turn));
    }
    str_copy(str_c(request->reason), trade_edit(trade)->text, sizeof trade->row.text);
    command_made(command, turn, "cancel");
}

static bool outcome(const struct command *command, const struct trade *trade, bool settled, struct arena *arena,
                    ProtobufCMessage **ret_response, struct error *ret_error) {
    (void)command;
    const struct refund_row *refund = trade_refund(trade, STR(REFUND_CANCELLED_NO));
    if (settled && trade_is_paid(trade) && refund && refund->state != REFUND_STATE(DONE))
        return false;
    if (settled && closable(trade))
        return false;
    Txcenter__Trade__V1__CancelResponse *response =
        VIEW_NEW(arena, txcenter__trade__v1__cancel_response, Txcenter__Trade__V1__CancelResponse);
    if (!response) {
        error_set(ret_error, ERR_INTERNAL, "the answer is too large");
        return true;
    }
    response->trade = view_trade(trade, arena);
    response->refund = refund ? view_refund(trade, refund->refund_no, arena) : NULL;
    response->processing = !settled;
    *ret_response = &response->base;
    return true;
}

const struct command_kind cancel_kind = {.check = check, .execute = execute, .outcome = outcome};
