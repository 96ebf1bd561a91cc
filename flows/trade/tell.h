// Who is told that a trade was paid, or that money of it went back: the screens, the user, the stations' own system.
// The same steps follow a payment and a refund; nothing of it is ever taken back.
#ifndef TXC_FLOWS_TRADE_TELL_H
#define TXC_FLOWS_TRADE_TELL_H

#include "flows/trade/effect.h"

saga_call_fn tell_screens, tell_user, tell_os;

// Whether the stations' system is told of this trade: where it is connected, and not the caller itself.
bool tell_os_applies(const struct trade *trade);

#endif
