// Strays: notifications of the payment gateway that nothing of ours could take in (callback.c keeps them whole). An
// operator settles each once: it is matched to what it is about, or set aside.
#ifndef TXC_FLOWS_TRADE_STRAY_H
#define TXC_FLOWS_TRADE_STRAY_H

#include "flows/trade/rows.h"
#include "flows/trade/trades.h"
#include "txcenter/trade/v1/operator.pb-c.h"

// TradeOperatorService.SettleStray: a row of trade_methods.
void stray_settle(struct trades *trades, struct trade_call *call, const ProtobufCMessage *request);

// As operators see it; NULL when the arena is full.
Txcenter__Trade__V1__Stray *stray_view(const struct stray_row *row, struct arena *arena);

#endif
