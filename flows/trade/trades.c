// The host's side: options, time, methods.
#include "flows/trade/adjust.h"
#include "flows/trade/callback.h"
#include "flows/trade/cancel.h"
#include "flows/trade/capture.h"
#include "flows/trade/deduction.h"
#include "flows/trade/fact.h"
#include "flows/trade/matter_list.h"
#include "flows/trade/matter_settle.h"
#include "flows/trade/order.h"
#include "flows/trade/parts.h"
#include "flows/trade/payment.h"
#include "flows/trade/purchase.h"
#include "flows/trade/quote.h"
#include "flows/trade/read.h"
#include "flows/trade/recall.h"
#include "flows/trade/refund.h"
#include "flows/trade/refund_command.h"
#include "flows/trade/retire.h"
#include "flows/trade/stray.h"
#include "txcenter/callback/v1/callback.pb-c.h"

#include <stdlib.h>

const struct saga_flow *const trade_flows[] = {
    &purchase_flow,       &payment_flow, &refund_flow,    &late_flow, &recall_order_flow,
    &recall_payment_flow, &capture_flow, &deduction_flow, NULL,
};

struct trades *trades_new(const struct trades_options *options) {
    struct trades *trades = calloc(1, sizeof *trades);
    if (!trades)
        abort();
    trades->options = *options;
    trades->alarm_ms = INT64_MAX;
    trades->requests = requests_new(options->store, options->clock);
    trades->facts = facts_new(trades);
    return trades;
}

void trades_start(struct trades *trades, struct saga_engine *engine) {
    trades->engine = engine;
    trades_alarm_at(trades, trades_now(trades));
}

void trades_slot_left(void *trades, unsigned slot) {
    trade_drop_slot(trades, slot);
}

void trades_free(struct trades *trades) {
    if (!trades)
        return;
    commands_end(trades);
    read_end(trades);
    retire_end(trades);
    trade_drop_all(trades);
    facts_free(trades->facts);
    requests_free(trades->requests);
    heap_release(&trades->waits);
    map_release(&trades->resident);
    map_release(&trades->loading);
    free(trades);
}

// ---- Time -----------------------------------------------------------------------------------------------------------

void trades_on_alarm(struct trades *trades, void (*alarm)(void *ctx, int64_t due_ms), void *ctx) {
    trades->alarm = alarm;
    trades->alarm_ctx = ctx;
}

void trades_alarm_at(struct trades *trades, int64_t due_ms) {
    if (due_ms >= trades->alarm_ms)
        return;
    trades->alarm_ms = due_ms;
    if (trades->alarm)
        trades->alarm(trades->alarm_ctx, due_ms);
}

int64_t trades_tick(struct trades *trades) {
    int64_t now_ms = trades_now(trades), waits_ms = commands_tick(trades, now_ms);
    int64_t count_ms = matter_count_tick(trades, now_ms);
    trades->alarm_ms = waits_ms < count_ms ? waits_ms : count_ms;
    trade_evict(trades);
    return trades->alarm_ms;
}

void trades_hurry(struct trades *trades) {
    trades->hurried = true;
    commands_tick(trades, INT64_MAX);
}

// ---- Watching -------------------------------------------------------------------------------------------------------

void trades_on_alert(struct trades *trades, trades_alert_fn *alert, void *ctx) {
    trades->alert = alert;
    trades->alert_ctx = ctx;
}

void trades_alert(struct trades *trades, const char *what, const struct trade *trade, const char *detail) {
    if (trades->alert)
        trades->alert(trades->alert_ctx, what, trade ? trade->row.trade_no : "", detail);
}

void trades_stats(const struct trades *trades, struct trades_stats *ret_stats) {
    *ret_stats = trades->stats;
}

void trades_gone(struct trades *trades, struct trade_call *call) {
    read_gone(trades, call);
}

// ---- Methods --------------------------------------------------------------------------------------------------------

#define COMMAND(name)                                                                                                  \
    static void serve_##name(struct trades *trades, struct trade_call *call, const ProtobufCMessage *request) {        \
        command_serve(trades, call, request, &name##_kind);                                                            \
    }
COMMAND(quote)
COMMAND(order)
COMMAND(pay)
COMMAND(cancel)
COMMAND(refund)
COMMAND(adjust)
COMMAND(quote_order_pay)
COMMAND(order_pay)
COMMAND(settle_matter)

#define TRADE &txcenter__trade__v1__trade_service__descriptor
#define CALLBACK &txcenter__callback__v1__callback_service__descriptor
#define OPERATOR &txcenter__trade__v1__trade_operator_service__descriptor

const struct trade_method trade_methods[] = {
    {TRADE, "Quote", TRADE_CHANGES, TRADE_QUOTE, false, serve_quote},
    {TRADE, "PlaceOrder", TRADE_CHANGES, TRADE_PAY, false, serve_order},
    {TRADE, "Pay", TRADE_CHANGES, TRADE_PAY, false, serve_pay},
    {TRADE, "Cancel", TRADE_CHANGES, TRADE_PAY, false, serve_cancel},
    {TRADE, "Refund", TRADE_CHANGES, TRADE_PAY, false, serve_refund},
    {TRADE, "Adjust", TRADE_CHANGES, TRADE_PAY, false, serve_adjust},
    {TRADE, "QuoteOrderPay", TRADE_CHANGES, TRADE_PAY, false, serve_quote_order_pay},
    {TRADE, "OrderPay", TRADE_CHANGES, TRADE_PAY, false, serve_order_pay},
    {TRADE, "GetTrade", TRADE_READS, TRADE_LIST, false, read_get},
    {TRADE, "ListTrades", TRADE_READS, TRADE_LIST, false, read_list},
    {TRADE, "WatchTrade", TRADE_READS, TRADE_LIST, true, read_watch},
    {CALLBACK, "NotifyPayment", TRADE_CALLS_BACK, TRADE_PAY, false, callback_payment},
    {CALLBACK, "NotifyRefund", TRADE_CALLS_BACK, TRADE_PAY, false, callback_refund},
    {OPERATOR, "ListMatters", TRADE_OVERSEES, TRADE_LIST, false, matter_list},
    {OPERATOR, "SettleMatter", TRADE_OPERATES, TRADE_PAY, false, serve_settle_matter},
    {OPERATOR, "ListStrays", TRADE_OVERSEES, TRADE_LIST, false, stray_list},
    {OPERATOR, "SettleStray", TRADE_OPERATES, TRADE_PAY, false, stray_settle},
    {.name = NULL},
};
