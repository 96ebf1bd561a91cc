// The flow trade.purchase: an order of a trade, from its locks to its completion. Gid: "<trade_no>/<purchase_no>".
#ifndef TXC_FLOWS_TRADE_PURCHASE_H
#define TXC_FLOWS_TRADE_PURCHASE_H

#include "flows/trade/trade.h"

// Steps that others refer to, but for those that are made of rows (holding_table.h,
// after_table.h); ids are stored.
enum {
    STEP_CLAIM_SOURCES = 5,
    STEP_CREATE_ORDER = 30,
    STEP_RECHARGE = 84,
    STEP_DELIVER_ITEMS = 86,
    STEP_RECORD_SETTLEMENT = 120,
};

extern const struct saga_flow purchase_flow;

// ---- For recall.c: what undoes an order, in whatever saga it is done ----------------------------------------------

saga_call_fn purchase_close_order;

// ---- For refund_goods.c: what was delivered, under which key -------------------------------------------------------

void purchase_recharge_key(const struct trade *trade, char out[SAGA_KEY_MAX]);
// Of what never came, so that it can't any more.
saga_call_fn purchase_cancel_recharge;
// Of the item's line, of its kind; what has been used already is a shortfall.
void purchase_withdraw_item(struct saga_call *call, unsigned item);

#endif
