// The invoices of a trade: what is on each, by line and by tender, and what each refund takes off it. Fuel has an
// invoice of its own. What a card is recharged with is invoiced when it is spent, never when it is recharged: so the
// same money is not invoiced twice. Each invoice bears its part of each tender; the parts of all add up to the tender.
#ifndef TXC_FLOWS_TRADE_INVOICING_H
#define TXC_FLOWS_TRADE_INVOICING_H

#include "flows/trade/effect.h"

// The two are followers (after.h): follower_fuel_invoice, follower_goods_invoice.

// The refund's money is back: settles how much of each tender each invoice loses by it. Before the lines are booked.
void invoicing_refunded(struct trade *trade, struct refund_row *refund);

#endif
