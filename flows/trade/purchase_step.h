// The steps of trade.purchase, for its table: each file's part of them.
#ifndef TXC_FLOWS_TRADE_PURCHASE_STEP_H
#define TXC_FLOWS_TRADE_PURCHASE_STEP_H

#include "flows/trade/effect.h"
#include "flows/trade/purchase.h"

// The effect of the step's action, for its compensation.
struct adapter_effect purchase_undo_effect(const struct saga_call *call, uint16_t step_id, struct effect_whose *whose);

// purchase_benefit.c: stages 1 and 5
saga_call_fn purchase_lock_coupons, purchase_inquire_coupons, purchase_use_coupons;
saga_call_fn purchase_freeze_points, purchase_inquire_points, purchase_deduct_points;
saga_call_fn purchase_reserve_stock, purchase_inquire_stock, purchase_deduct_stock;

// purchase_deliver.c: stage 5
saga_legs_fn purchase_recharges, purchase_items;
saga_call_fn purchase_recharge, purchase_deliver_item;

// purchase_after.c: stage 7
saga_call_fn purchase_award_points, purchase_issue_coupons, purchase_record_settlement, purchase_push_paid;
saga_answered_fn purchase_points_awarded, purchase_coupons_issued;
saga_ruled_fn purchase_award_ruled, purchase_issue_ruled, purchase_record_ruled;

#endif
