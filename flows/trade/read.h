// Serving what only reads: rows of trade_methods.
#ifndef TXC_FLOWS_TRADE_READ_H
#define TXC_FLOWS_TRADE_READ_H

#include "flows/trade/trades.h"

void read_get(struct trades *trades, struct trade_call *call, const ProtobufCMessage *request);
void read_list(struct trades *trades, struct trade_call *call, const ProtobufCMessage *request);
void read_watch(struct trades *trades, struct trade_call *call, const ProtobufCMessage *request);
// The stream's caller has left.
void read_gone(struct trades *trades, struct trade_call *call);
// The trades are being freed: every stream ends.
void read_end(struct trades *trades);

#endif
