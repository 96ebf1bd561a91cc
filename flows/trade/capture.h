// The flow trade.capture: what was frozen of each card for an order that is adjusted is taken as far as it was used;
// the rest is free again. Gid: "<trade_no>/capture/<attempt_no>".
#ifndef TXC_FLOWS_TRADE_CAPTURE_H
#define TXC_FLOWS_TRADE_CAPTURE_H

#include "flows/trade/trade.h"

extern const struct saga_flow capture_flow;

void capture_gid(const struct trade *trade, char out[TRADE_GID_MAX]);

// Whether it can be started in this turn; also where no card pays.
bool capture_can_start(struct saga_turn *turn, struct error *error);

// In the turn in which the order is adjusted: its tenders are what is to be taken. Nothing is started where no card
// pays. Where it can't be started (and an operator's terminate takes place all the same), what is not taken is a
// shortfall.
void capture_start(struct saga_turn *turn);

#endif
