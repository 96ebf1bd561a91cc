// An order that holds nothing is ordered again after an edit, or with another combination of the same kept quote: first
// the order that there is comes to its end, its tenders closed until each is definite; then, in the same turn, the next
// one begins under the same trade number. What is to be ordered is durable from the command on (trade_row.next_*).
// Should the closing find the order paid, it stands, and nothing is ordered.
#ifndef TXC_FLOWS_TRADE_REORDER_H
#define TXC_FLOWS_TRADE_REORDER_H

#include "flows/trade/order.h"

// The trade can be edited (trade_is_editable), and the wish was looked at by order_allowed().
void reorder_ask(struct saga_turn *turn, const struct order_wish *wish,
                 const Txcenter__Trade__V1__Combination *combination);

// The order is over: begins the next one. False when it can't: the trade is as it was, but for why (its quote has
// expired meanwhile, say).
bool reorder_begin(struct saga_turn *turn);

#endif
