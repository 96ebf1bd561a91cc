// Finding trades: in memory, or in the store.
#ifndef TXC_FLOWS_TRADE_LOAD_H
#define TXC_FLOWS_TRADE_LOAD_H

#include "flows/trade/trade.h"

// Calls back at once when it is in memory, later when it must be read; then held once for the callee. Errors:
// TRADE_NOT_FOUND, STORE_…, RETRY (it is just being deleted).
typedef void load_trade_fn(void *ctx, struct trade *trade, const struct error *error);
void load_trade(struct trades *trades, struct str trade_no, load_trade_fn *done, void *ctx);

// The same, and of one that was deleted what is kept of it (trade->archived).
void load_trade_or_archived(struct trades *trades, struct str trade_no, load_trade_fn *done, void *ctx);

// Which order has this number: of which trade (borrowed until `done` returns), and which of its purchases; NULL with an
// error when there is none. Later.
typedef void load_order_fn(void *ctx, const struct order_row *order, const struct error *error);
void load_order(struct trades *trades, struct str order_no, load_order_fn *done, void *ctx);

// For trade_flows[].attach; the second for those that go on about a trade that was deleted.
void load_attach(void *ctx, struct saga_engine *engine, struct str subject_key, void *token);
void load_attach_archived(void *ctx, struct saga_engine *engine, struct str subject_key, void *token);

// Whether this instance drives the trade of this number, of those that load_trade() finds; false with SLOT_ELSEWHERE.
bool load_is_ours(const struct trades *trades, struct str trade_no, struct error *error);

// Reads what is durable of one trade, or is kept of one that was deleted, without keeping it: for showing. Freed by
// saga_subject_release().
void load_snapshot(struct trades *trades, struct str trade_no, load_trade_fn *done, void *ctx);

#endif
