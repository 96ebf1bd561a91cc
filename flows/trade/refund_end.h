// How a refund ends: its money is back, all of it or, when an operator has ended it before, what had gone back by then;
// the rest is free again.
#ifndef TXC_FLOWS_TRADE_REFUND_END_H
#define TXC_FLOWS_TRADE_REFUND_END_H

#include "flows/trade/trade.h"

// No money of it goes back any more.
static inline bool refund_end_is_over(const struct refund_row *refund) {
    return refund->state == REFUND_STATE(DONE) || refund->state == REFUND_STATE(STOPPED);
}

// It was terminated before any money was on its way: there is nobody to tell, and nothing to take back.
static inline bool refund_end_came_to_nothing(const struct refund_row *refund) {
    return refund->state == REFUND_STATE(STOPPED) && refund->amount == 0;
}

// Any money of the trade goes, or went, back with it; or all that was bought of one that cost nothing.
static inline bool refund_end_gave_back(const struct trade *trade, const struct refund_row *refund) {
    return refund->amount > 0 || (refund->final && trade->row.paid == 0);
}

// Nothing more of it is to be begun: it was terminated, or what it is about is spent. Where balance was, or may have
// been, taken for it, its money is owed all the same.
static inline bool refund_end_is_given_up(const struct refund_row *refund) {
    return refund->recharge == RECHARGE_SPENT || (refund->stopped && refund->recharge == RECHARGE_NOT_ASKED);
}

// The goods and items that come back with this refund, whose money is back now (refund_goods.c).
void refund_goods_note(struct trade *trade, const struct refund_row *refund);

// The money is back, as far as it will be: books it, frees what was reserved.
void refund_end_paid_out(struct saga_turn *turn, struct refund_row *refund);

// A leg of a refund that no saga drives any more was given back in another way after all, which the reference names.
void refund_end_otherwise(struct saga_turn *turn, struct refund_leg_row *leg, const char *reference);

// Of a refund that no saga drives any more: ends it, should it be known by now what became of each leg.
void refund_end_look(struct saga_turn *turn, struct refund_row *refund);

// For on_end of the flows of refunds. One that was terminated before its money was back goes on in a saga of its own
// ("<trade_no>/refund/<refund_no>/2", then 3, …), which begins nothing: it follows what may be on its way to its end,
// pays out what is owed, frees the rest, and tells the others of what has gone back.
saga_decide_fn refund_end_ended;

#endif
