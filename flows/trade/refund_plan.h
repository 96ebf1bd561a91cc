// Between refund.c and refund_plan.c: shares of a refund.
#ifndef TXC_FLOWS_TRADE_REFUND_PLAN_H
#define TXC_FLOWS_TRADE_REFUND_PLAN_H

#include "flows/trade/refund.h"

// The part of `total` (a discount, an award) that this refund reverses: in proportion to what is refunded with it and
// with all before it, so that the parts of all refunds of a trade add up to the total exactly.
int64_t refund_share(int64_t total, const struct refund_row *refund, int64_t paid);

#endif
