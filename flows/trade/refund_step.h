// The steps of trade.refund, for its table: those of stage 5, when the money is back (refund_back.c).
#ifndef TXC_FLOWS_TRADE_REFUND_STEP_H
#define TXC_FLOWS_TRADE_REFUND_STEP_H

#include "flows/trade/effect.h"

// Ids of steps; they are stored.
enum {
    STEP_REVERSE_RECHARGE = 15,
    STEP_TAKE_BACK_POINTS = 70,
    STEP_REVERSE_GROWTH = 110,
    STEP_REVERSE_MARKETING = 120,
    STEP_REVERSE_FUEL_INVOICE = 140,
    STEP_REVERSE_GOODS_INVOICE = 150,
};

// Which steps apply: to the refund of a trade; to that after which nothing is left; where coupons, points, quota were
// used; where the stations' system is told.
saga_legs_fn refund_of_user, refund_final_of_user; // where it is known who bought
saga_legs_fn refund_of_trade, refund_final, refund_final_with_coupons, refund_final_with_points;
saga_legs_fn refund_final_with_quota, refund_tells_os;

// What a failed question means for a step that must be done: false when it did not fail (or none was asked).
bool refund_asked_in_vain(struct saga_turn *turn, struct saga_verdict *ret_verdict);

// What was sold comes back: refund_goods.c. A leg for each recharge, item; one for all goods.
saga_legs_fn refund_of_recharge, refund_of_goods, refund_of_items;
saga_decide_fn refund_recharge_reversed;
saga_call_fn refund_reverse_recharge, refund_return_stock, refund_withdraw_item;
saga_answered_fn refund_item_withdrawn;

// The order system is told.
saga_decide_fn refund_marked;
saga_call_fn refund_mark;
saga_ruled_fn refund_mark_ruled;

// What the order has used comes back.
saga_call_fn refund_give_back_coupons, refund_give_back_points, refund_give_back_quota;
saga_answered_fn refund_points_given_back;

// What followed the payment goes back in parts, each once it is known whether it came: points, growth, records,
// invoices.
saga_decide_fn refund_taken_back;
saga_call_fn refund_take_back;
saga_ruled_fn refund_take_back_ruled;
// The step of the purchase that it waits for; NULL: it waits for none, or is no such step.
const struct saga_step *refund_awaits(const struct trade *trade, uint16_t step_id);

// What followed the payment and goes back only as a whole.
saga_call_fn refund_withdraw_coupons, refund_withdraw_gifts;
saga_answered_fn refund_coupons_withdrawn, refund_gifts_withdrawn;

saga_call_fn refund_reverse_settlement;
saga_answered_fn refund_settlement_reversed;

#endif
