// The flow trade.purchase: an order of a trade, from its locks to its completion. Gid: "<trade_no>/<purchase_no>".
#ifndef TXC_FLOWS_TRADE_PURCHASE_H
#define TXC_FLOWS_TRADE_PURCHASE_H

#include "flows/trade/trade.h"

// Steps that others refer to, but for those of holdings (holding_table.h); ids are stored.
enum {
    STEP_CLAIM_SOURCES = 5,
    STEP_CREATE_ORDER = 30,
    STEP_RECHARGE = 84,
    STEP_DELIVER_ITEMS = 86,
    STEP_AWARD_POINTS = 100,
    STEP_ISSUE_COUPONS = 110,
    STEP_RECORD_SETTLEMENT = 120,
    STEP_REPORT_GROWTH = 140,
    STEP_RECORD_MARKETING = 150,
    STEP_EVALUATE_ACTIVITIES = 160,
    STEP_ISSUE_FUEL_INVOICE = 170,
    STEP_ISSUE_GOODS_INVOICE = 180,
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
