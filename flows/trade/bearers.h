// Who bears the discounts of a trade: of each line's part of each benefit, each bearer's share. What a refund reverses
// of a share is in proportion to what is refunded of the line, cumulatively rounded down: never beyond it, and all of
// it when all of the line is back.
#ifndef TXC_FLOWS_TRADE_BEARERS_H
#define TXC_FLOWS_TRADE_BEARERS_H

#include "flows/trade/trade.h"
#include "participant/settlement/v1/settlement.pb-c.h"

// Of the purchase, or (with `refund`) of what the refund, whose money is back, reverses. In the arena, texts also in
// the trade; nothing is left out that is not zero.
void bearers_of(const struct trade *trade, const struct refund_row *refund, struct arena *arena,
                Participant__Settlement__V1__Borne ***ret_borne, size_t *ret_n);

#endif
