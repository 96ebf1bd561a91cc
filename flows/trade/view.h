// A trade as callers see it: rows into messages. Everything made is in the given arena; texts may point into the trade.
#ifndef TXC_FLOWS_TRADE_VIEW_H
#define TXC_FLOWS_TRADE_VIEW_H

#include "flows/trade/trade.h"

// Each of these is whole, or, when the arena is full, NULL. The whole trade.
Txcenter__Trade__V1__Trade *view_trade(const struct trade *trade, struct arena *arena);
// Only what its own row says, for lists.
Txcenter__Trade__V1__Trade *view_trade_row(const struct trade_row *row, struct arena *arena);
// NULL also where there is none.
Txcenter__Trade__V1__PaymentAttempt *view_attempt(const struct trade *trade, int32_t attempt_no, struct arena *arena);
Txcenter__Trade__V1__Refund *view_refund(const struct trade *trade, const char *refund_no, struct arena *arena);

// A kept quote, decoded; NULL when it can't be.
Txcenter__Trade__V1__Quote *view_quote(const struct quote_row *row, struct arena *arena);

Txcenter__Type__V1__Money *view_money(const char *currency, int64_t minor, struct arena *arena);
// The same into a message; false when the arena is full.
bool view_put_money(Txcenter__Type__V1__Money **at, const char *currency, int64_t minor, struct arena *arena);
Google__Protobuf__Timestamp *view_time(int64_t ms, struct arena *arena); // NULL for 0

// Our view of a text that protobuf-c wants without const.
static inline char *view_text(const char *text) {
    return (char *)(uintptr_t)(text ? text : "");
}

// A new message in the arena: VIEW_NEW(arena, txcenter__trade__v1__refund, Txcenter__Trade__V1__Refund).
#define VIEW_NEW(arena, prefix, type) ((type *)view_init(arena_alloc((arena), sizeof(type)), &prefix##__descriptor))
void *view_init(void *memory, const ProtobufCMessageDescriptor *type);

// An array of n pointers in the arena, NULL when n is 0.
void *view_array(struct arena *arena, size_t n);

#endif
