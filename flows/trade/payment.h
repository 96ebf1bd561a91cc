// The flow trade.payment: one attempt to pay an order with any number of tenders. Gid: "<trade_no>/pay/<attempt_no>".
#ifndef TXC_FLOWS_TRADE_PAYMENT_H
#define TXC_FLOWS_TRADE_PAYMENT_H

#include "flows/trade/trade.h"

extern const struct saga_flow payment_flow;

// Starts the attempt's saga in this turn; its rows (payment, tenders) are there.
void payment_start(struct saga_turn *turn, struct pay_attempt_row *attempt);

// The trade is paid, by this attempt or (NULL) because nothing was payable: state, ledger, what is to follow. In the
// turn that makes it so: the watershed.
void payment_settle(struct saga_turn *turn, struct pay_attempt_row *attempt);

// Its saga looks again at what it waits for (a tender has changed, the trade is closing).
void payment_poke(struct saga_turn *turn, int32_t attempt_no);

#endif
