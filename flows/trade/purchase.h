// The flow trade.purchase: an order of a trade, from its locks to its completion. Gid: "<trade_no>/<purchase_no>".
#ifndef TXC_FLOWS_TRADE_PURCHASE_H
#define TXC_FLOWS_TRADE_PURCHASE_H

#include "flows/trade/trade.h"

// Steps that others refer to; ids are stored.
enum {
    STEP_CLAIM_SOURCES = 5,
    STEP_LOCK_COUPONS = 10,
    STEP_FREEZE_POINTS = 20,
    STEP_RESERVE_STOCK = 25,
    STEP_LOCK_QUOTA = 27,
    STEP_CREATE_ORDER = 30,
    STEP_USE_COUPONS = 70,
    STEP_DEDUCT_POINTS = 80,
    STEP_DEDUCT_STOCK = 82,
    STEP_RECHARGE = 84,
    STEP_DELIVER_ITEMS = 86,
    STEP_USE_QUOTA = 88,
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

// Whether the order is to use any; and locks it first.
saga_legs_fn purchase_has_coupons, purchase_has_points, purchase_has_stock, purchase_has_quota;
saga_legs_fn purchase_locks_coupons, purchase_locks_points, purchase_locks_stock, purchase_locks_quota;
saga_call_fn purchase_unlock_coupons, purchase_unfreeze_points, purchase_release_stock, purchase_unlock_quota;
saga_call_fn purchase_close_order;

// ---- For refund_goods.c: what was delivered, under which key -------------------------------------------------------

void purchase_recharge_key(const struct trade *trade, char out[SAGA_KEY_MAX]);
// Of what never came, so that it can't any more.
saga_call_fn purchase_cancel_recharge;
// Of the item's line, of its kind; what has been used already is a shortfall.
void purchase_withdraw_item(struct saga_call *call, unsigned item);

// ---- For purchase_end.c and deduction.c: what an order holds until it is paid --------------------------------------

// Asks its system to use it, with what was locked where the order locks first.
typedef void purchase_use_fn(struct saga_call *call, const struct adapter_effect *effect, adapter_done_fn *done);

struct purchase_holding {
    uint16_t hold_step, use_step;
    enum trade_missed missed;       // when it was held, and never used
    enum err refused;               // what whoever ordered is told when it can't be held
    const char *what, *participant; // as a shortfall calls it; who uses it
    purchase_use_fn *use;
};
enum { PURCHASE_HOLDINGS = 4 };
extern const struct purchase_holding purchase_holdings[PURCHASE_HOLDINGS];

#endif
