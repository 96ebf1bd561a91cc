// Fuel that a pump has dispensed already is named by the trade's tenant, station, nozzle and the pump's serial number.
// Of the trades that name one fuelling at most one is paid.
//
// An order claims it before it is made (a step of the purchase): a row of trade_fuelling under (fuelling, term) names
// the order (trade_no, purchase_no). Terms rise by one; the highest holds. A row is only ever inserted, and the key is
// unique, so of two orders that want the same term one gets it, wherever their trades live: trades have slots of their
// own, and no one instance need own the fuelling.
//
// A term is taken only when the order that holds the one before is void: over without having been paid, for ever
// (CANCELLED, EXPIRED, FAILED, or ordered again since), refunded whole, or CONFLICTED and all that came for it gone
// back. That is read from what is durable, and it is never undone. An order is paid only after its own claim. So when
// one is paid, nobody gets the next term; and who has got it, has seen that nobody before can be paid any more. Money
// that comes for a void order is late and goes back.
//
// Where the holder is still open, an order that locks nothing takes over: the holder is closed (CLOSING_TAKEN), with
// its tenders, by the instance that owns it: in this process, or through that slot's inbox. The claim is tried again
// until it is void or was found paid. An order that locks first is refused instead.
//
// A claim need not be undone: with its order it is void. Claims go when they are as old as trades that were sold may
// become.
#ifndef TXC_FLOWS_TRADE_FUELLING_H
#define TXC_FLOWS_TRADE_FUELLING_H

#include "flows/trade/trade.h"

// The lines of the order that name a fuelling: a leg each.
saga_legs_fn fuelling_lines;
saga_call_fn fuelling_claim;
saga_call_fn fuelling_unclaim;

#endif
