// Ordering from a kept quote, alone or with the first payment (the combined calls).
#ifndef TXC_FLOWS_TRADE_ORDER_H
#define TXC_FLOWS_TRADE_ORDER_H

#include "flows/trade/pay.h"

// What an order needs; all three calls come down to it.
struct order_wish {
    int32_t quote_version;
    const char *combination_id;
    const Txcenter__Type__V1__Money *expected_payable;
    int32_t mode, expires_in_seconds;
    bool accept_degraded;
};

void order_check(const struct trades *trades, const struct order_wish *wish, struct error *error);

// Whether the trade can be ordered so, and then the combination that was chosen.
bool order_allowed(const struct trade *trade, const struct order_wish *wish, int64_t now_ms, struct arena *arena,
                   const Txcenter__Trade__V1__Combination **ret_combination, struct error *error);
// The combination of the quote with this id ("": the best); NULL when there is none.
const Txcenter__Trade__V1__Combination *order_choice(const Txcenter__Trade__V1__Quote *quote, const char *id);
// Puts the order into the turn: lines, amounts, state, and the start of its saga; with `pay`, the planned attempt too,
// which begins when the order number is known (purchase.c: ordered()). The trade must have been looked at by
// order_allowed(), the tenders by pay_amounts(). False, and nothing is changed, when the saga can't be started.
bool order_start(struct saga_turn *turn, const struct order_wish *wish,
                 const Txcenter__Trade__V1__Combination *combination, const struct pay_wish *pay, struct error *error);

extern const struct command_kind order_kind, order_pay_kind, quote_order_pay_kind;

#endif
