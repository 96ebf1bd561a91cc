// The steps of trade.purchase, for its table: each file's part of them.
#ifndef TXC_FLOWS_TRADE_PURCHASE_STEP_H
#define TXC_FLOWS_TRADE_PURCHASE_STEP_H

#include "flows/trade/effect.h"
#include "flows/trade/purchase.h"

// The effect of the step's action, for its compensation.
struct adapter_effect purchase_undo_effect(const struct saga_call *call, uint16_t step_id, struct effect_whose *whose);

// purchase_deliver.c: stage 6
saga_legs_fn purchase_recharges, purchase_items;
saga_call_fn purchase_recharge, purchase_deliver_item;
saga_answered_fn purchase_recharged, purchase_item_delivered;

// purchase_after.c: stage 8, with after.c and tell.c
saga_call_fn purchase_record_settlement;
saga_answered_fn purchase_recorded;
saga_ruled_fn purchase_record_ruled;
saga_legs_fn purchase_has_user, purchase_tells_os;

#endif
