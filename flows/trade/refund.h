// The flow trade.refund: money goes back, then everything that followed the payment. Gid:
// "<trade_no>/refund/<refund_no>", and "/2", … behind it of those that follow one that was terminated. Three kinds
// (enum refund_kind): the refund of a trade, whole or in part; the return of money that a trade did not want (a late
// success); what was authorised and not used. Its states: README.md.
#ifndef TXC_FLOWS_TRADE_REFUND_H
#define TXC_FLOWS_TRADE_REFUND_H

#include "flows/trade/trade.h"

extern const struct saga_flow refund_flow;
// The return of what came for a trade that is deleted: the same steps, about what is kept of it.
extern const struct saga_flow late_flow;

// Unfinished refunds look again (the trade has completed, an award has come).
void refund_poke_all(struct saga_turn *turn);

#endif
