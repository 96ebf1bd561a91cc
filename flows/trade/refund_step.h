// The steps of trade.refund, for its table: those of stage 5, when the money is back (refund_back.c; those of what the
// order has held are in holding.h), and the balance of a recharge before it (refund_goods.c).
#ifndef TXC_FLOWS_TRADE_REFUND_STEP_H
#define TXC_FLOWS_TRADE_REFUND_STEP_H

#include "flows/trade/effect.h"

// Id of a step; it is stored.
enum { STEP_REVERSE_RECHARGE = 15 };

// Which steps apply: to the refund of a trade; where it is known who bought; where the stations' system is told. Which
// refund is the last is not known before its money is back, so what only that one gives back is a step of each.
saga_legs_fn refund_of_trade, refund_of_user, refund_tells_os;

// What a failed question means for a step that must be done: false when it did not fail (or none was asked).
bool refund_asked_in_vain(struct saga_turn *turn, struct saga_verdict *ret_verdict);

// What was sold comes back: refund_goods.c. A leg for each recharge, item.
saga_legs_fn refund_of_recharge, refund_of_items;
saga_decide_fn refund_recharge_reversed;
saga_ruled_fn refund_recharge_ruled;
saga_call_fn refund_reverse_recharge, refund_withdraw_item;
saga_answered_fn refund_item_withdrawn;
// Whether this line comes back with this refund, whose money is back.
bool refund_brings_back(const struct refund_row *refund, const struct line_row *line);

// The order system is told.
saga_decide_fn refund_marked;
saga_call_fn refund_mark;
saga_ruled_fn refund_mark_ruled;

// What followed the payment (AFTER_TABLE): whether its step applies.
#define X(NAME, name, ...) saga_legs_fn refund_returns_##name;
AFTER_TABLE(X)
#undef X
// It goes back in parts, once it is known whether it came.
saga_decide_fn refund_taken_back;
saga_call_fn refund_take_back;
saga_ruled_fn refund_take_back_ruled;
// The step of the purchase that it waits for; NULL: it waits for none, or is no such step.
const struct saga_step *refund_awaits(const struct trade *trade, uint16_t step_id);

// It goes back only as a whole.
saga_call_fn refund_withdraw;
saga_answered_fn refund_withdrawn;

saga_call_fn refund_reverse_settlement;
saga_answered_fn refund_settlement_reversed;

#endif
