// What an order that locks nothing was to deduct once it was paid, and found gone, is a shortfall (shortfall.h). An
// operator may have the deduction made again (SettleMatter with DEDUCTED): this flow does, once each time. What it
// deducts is used as if the purchase had used it, so a refund gives it back; refused again, the shortfall stays open.
//
// Gid: "<trade_no>/deduct/<matter>/<try>". The key is that of the purchase's step, under the next generation after the
// one that was refused last: participants repeat their answers, so a definite no is only asked again under another key
// (E12). A try that an operator ends before it is answered has no answer: the next one has the same key, and whatever
// became of it is told then.
#ifndef TXC_FLOWS_TRADE_DEDUCTION_H
#define TXC_FLOWS_TRADE_DEDUCTION_H

#include "flows/trade/trade.h"

extern const struct saga_flow deduction_flow;

// Starts the matter's next try in this turn. False, and nothing is changed, with MATTER_STATE when there is nothing to
// deduct (any more), or when its saga can't be started.
bool deduction_start(struct saga_turn *turn, const struct matter_row *matter, struct error *error);

// Of the matter's newest try.
void deduction_gid(const struct trade *trade, const struct matter_row *matter, char out[TRADE_GID_MAX]);

// Whether one is under way: of this shortfall; of any of the trade. Refunds wait for it.
bool deduction_is_open(const struct matter_row *matter);
bool deduction_any_open(const struct trade *trade);

#endif
