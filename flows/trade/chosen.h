// The combination that was ordered: which of its quote's it is, its coupons, and the quota that it takes.
#ifndef TXC_FLOWS_TRADE_CHOSEN_H
#define TXC_FLOWS_TRADE_CHOSEN_H

#include "flows/trade/trade.h"
#include "participant/discount/v1/discount.pb-c.h"
#include "participant/user/v1/user.pb-c.h"

// Enough for one kept quote, decoded.
enum { CHOSEN_ARENA_MAX = 4 * 1024 * 1024 };

// Decoded into the arena, or taken from `quote` (NULL is fine), the trade's newest, where that is the one that was
// ordered. NULL before there is an order.
const Txcenter__Trade__V1__Combination *
chosen_combination(const struct trade *trade, const Txcenter__Trade__V1__Quote *quote, struct arena *arena);

// Its coupons' ids, in the arena; returns how many (as trade_row.coupons says without decoding anything).
size_t chosen_coupons(const struct trade *trade, struct arena *arena, char ***ret_ids);

// What it takes of the discount engine's quotas, in the arena; returns how many.
size_t chosen_quota(const struct trade *trade, struct arena *arena, Participant__Discount__V1__QuotaLine ***ret_lines);
// What the activities with a quota took off.
int64_t chosen_quota_worth(const struct trade *trade);
// Whose quota it is, as it was known when it was quoted; in the arena. NULL when that can't be read.
const Participant__User__V1__User *chosen_buyer(const struct trade *trade, struct arena *arena);

#endif
