// How an order ends: paid and complete, closed unpaid, turned round, terminated by an operator; and what operators may
// say of it.
#ifndef TXC_FLOWS_TRADE_PURCHASE_END_H
#define TXC_FLOWS_TRADE_PURCHASE_END_H

#include "flows/trade/trade.h"

// For purchase_flow: on_reversed, on_end, allows.
saga_decide_fn purchase_end_reversed, purchase_end_ended;
bool purchase_end_allows(struct saga_turn *turn, const struct saga_ruling *ruling, struct error *error);

// Everything that had to follow payment is done.
void purchase_end_complete(struct saga_turn *turn);

// Notes of a step of the present saga that it is known not to have taken place, if it is: what was never done is not
// taken back either.
void purchase_end_missed(struct saga_turn *turn, uint16_t step_id, enum trade_missed missed);

// The order has ended without being paid, and nothing of it is left: so has the trade.
void purchase_end_over(struct saga_turn *turn);

// Nobody undoes the terminated order any more: the trade ends with its last payment attempt, or now.
void purchase_end_abandon(struct saga_turn *turn);

// A payment attempt has ended or the trade is paid: the order's saga, or what sees to its end since it was terminated,
// looks again.
void purchase_end_poke(struct saga_turn *turn);

#endif
