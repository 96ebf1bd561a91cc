// What each layer took off, between rows and messages: the one place that knows the messages' fields.
#ifndef TXC_FLOWS_TRADE_DISCOUNT_H
#define TXC_FLOWS_TRADE_DISCOUNT_H

#include "flows/trade/solver.h"
#include "txcenter/trade/v1/trade.pb-c.h"

// A layer that a kept quote does not know (it is older) took off nothing.
void discount_of_combination(const Txcenter__Trade__V1__Combination *combination, int64_t ret_discount[SOLVER_LAYERS]);
void discount_of_share(const Txcenter__Trade__V1__LineShare *share, int64_t ret_discount[SOLVER_LAYERS]);

// In the arena; `currency` is borrowed. False when the arena is full.
bool discount_to_combination(const int64_t discount[SOLVER_LAYERS], const char *currency, struct arena *arena,
                             Txcenter__Trade__V1__Combination *combination);
bool discount_to_share(const int64_t discount[SOLVER_LAYERS], const char *currency, struct arena *arena,
                       Txcenter__Trade__V1__LineShare *share);

int64_t discount_sum(const int64_t discount[SOLVER_LAYERS]);

#endif
