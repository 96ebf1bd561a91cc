// What waits for operators: lists of matters and strays, and how many of each are open.
#ifndef TXC_FLOWS_TRADE_MATTER_LIST_H
#define TXC_FLOWS_TRADE_MATTER_LIST_H

#include "flows/trade/trades.h"

// Rows of trade_methods.
void matter_list(struct trades *trades, struct trade_call *call, const ProtobufCMessage *request);
void stray_list(struct trades *trades, struct trade_call *call, const ProtobufCMessage *request);

// One more, or one fewer, is open: it is counted again soon.
void matter_count_soon(struct trades *trades);
// Counts what is open in the store, of all instances, then and from time to time; returns when to be called again.
int64_t matter_count_tick(struct trades *trades, int64_t now_ms);

#endif
