// The combination that was ordered: which of its quote's it is, and its coupons.
#ifndef TXC_FLOWS_TRADE_CHOSEN_H
#define TXC_FLOWS_TRADE_CHOSEN_H

#include "flows/trade/trade.h"

// Enough for one kept quote, decoded.
enum { CHOSEN_ARENA_MAX = 4 * 1024 * 1024 };

// Decoded into the arena, or taken from `quote` (NULL is fine), the trade's newest, where that is the one that was
// ordered. NULL before there is an order.
const Txcenter__Trade__V1__Combination *
chosen_combination(const struct trade *trade, const Txcenter__Trade__V1__Quote *quote, struct arena *arena);

// Its coupons' ids, in the arena; returns how many (as trade_row.coupons says without decoding anything).
size_t chosen_coupons(const struct trade *trade, struct arena *arena, char ***ret_ids);

#endif
