// Serving txcenter.callback.v1: rows of trade_methods.
#ifndef TXC_FLOWS_TRADE_CALLBACK_H
#define TXC_FLOWS_TRADE_CALLBACK_H

#include "flows/trade/trades.h"

void callback_payment(struct trades *trades, struct trade_call *call, const ProtobufCMessage *request);
void callback_refund(struct trades *trades, struct trade_call *call, const ProtobufCMessage *request);

#endif
