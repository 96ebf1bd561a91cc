// Whether what was read of a trade can be gone on from: what no release of ours has written is not acted on.
#ifndef TXC_FLOWS_TRADE_SOUND_H
#define TXC_FLOWS_TRADE_SOUND_H

#include "flows/trade/trade.h"

// STORE_CORRUPT, saying what is wrong, for a state or kind that there is not, or packed amounts that are none, or too
// many.
bool sound_check(const struct trade *trade, struct error *error);

#endif
