// What the solver found, as the message that a quote keeps and shows.
#ifndef TXC_FLOWS_TRADE_COMBINATION_H
#define TXC_FLOWS_TRADE_COMBINATION_H

#include "flows/trade/solver.h"
#include "txcenter/trade/v1/trade.pb-c.h"

// The combination number `number` (from 1) of an answer to `input`, whose tender_kinds are rule_tender_kinds(). In the
// arena, which must outlive neither `input` nor the currency; NULL when it is too small.
Txcenter__Trade__V1__Combination *combination_view(const struct solver_input *input,
                                                   const struct solver_combination *found, size_t number,
                                                   const char *currency, struct arena *arena);

// Whether this benefit is one of those that it uses.
bool combination_has(const Txcenter__Trade__V1__Combination *combination, const struct solver_benefit *benefit);

#endif
