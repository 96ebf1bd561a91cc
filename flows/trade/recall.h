// What an operator's terminate leaves at other systems is taken back by a saga of its own, so that nothing stays
// frozen, locked or paid for nobody. It sends the compensations that the terminated saga had, under the same keys: they
// are right whether the action had come, comes late, or never does (E4).
//
// Gids: "<trade_no>/recall/<purchase_no>", "<trade_no>/recall/pay/<attempt_no>".
#ifndef TXC_FLOWS_TRADE_RECALL_H
#define TXC_FLOWS_TRADE_RECALL_H

#include "flows/trade/trade.h"

// Of an order that was not paid: when its open payment attempt is definite the order is closed and its locks are
// undone, and then the trade ends.
extern const struct saga_flow recall_order_flow;
// Of a payment attempt: cards get back what was taken of them and are released, the others are closed or reversed.
extern const struct saga_flow recall_payment_flow;

// Starts it in this turn. False, and nothing is changed, when it can't be started.
bool recall_order(struct saga_turn *turn, struct error *error);
bool recall_payment(struct saga_turn *turn, const struct pay_attempt_row *attempt, struct error *error);

void recall_order_gid(const struct trade *trade, char out[TRADE_GID_MAX]);
void recall_payment_gid(const struct trade *trade, int32_t attempt_no, char out[TRADE_GID_MAX]);

#endif
