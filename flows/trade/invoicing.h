// The invoices of a trade: what is on each, by line and by tender, and what each refund takes off it. Fuel has an
// invoice of its own. What a card is recharged with is invoiced when it is spent, never when it is recharged: so the
// same money is not invoiced twice. Each invoice bears its part of each tender; the parts of all add up to the tender.
#ifndef TXC_FLOWS_TRADE_INVOICING_H
#define TXC_FLOWS_TRADE_INVOICING_H

#include "flows/trade/effect.h"

// Whether what was ordered has such an invoice.
bool invoicing_has_fuel(const struct trade *trade);
bool invoicing_has_goods(const struct trade *trade);

// The same, for the steps of an order; and of a refund.
saga_legs_fn invoicing_of_fuel, invoicing_of_goods;
saga_legs_fn invoicing_of_refunded_fuel, invoicing_of_refunded_goods;

// The refund's money is back: settles how much of each tender each invoice loses by it. Before the lines are booked.
void invoicing_refunded(struct trade *trade, struct refund_row *refund);

// The steps of the purchase that issue them.
saga_call_fn invoicing_issue;

// Whether the refund takes anything off the invoice that the benefit stands for.
bool invoicing_is_touched(const struct refund_row *refund, enum after_benefit benefit);
// Takes it off: the last refund voids the invoice, a part of it has a red-letter invoice.
void invoicing_take_back(struct saga_call *call, enum after_benefit benefit);

#endif
