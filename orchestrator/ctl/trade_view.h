// Trades, quotes, payments and refunds for people.
#ifndef TXC_ORCHESTRATOR_CTL_TRADE_VIEW_H
#define TXC_ORCHESTRATOR_CTL_TRADE_VIEW_H

#include "orchestrator/ctl/view.h"
#include "txcenter/trade/v1/trade.pb-c.h"

// Each is a show_fn for its response.
void trade_show_quote(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void trade_show_order(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void trade_show_pay(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void trade_show_order_pay(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void trade_show_quote_order_pay(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void trade_show_cancel(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void trade_show_adjust(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void trade_show_refund(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void trade_show_get(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void trade_show_list(struct view *view, struct arena *arena, const ProtobufCMessage *response);

// One line for each state that a watcher is told.
void trade_show_watch(struct view *view, struct arena *arena, const ProtobufCMessage *response);

// Nothing more will happen to it by itself.
bool trade_has_ended(const Txcenter__Trade__V1__Trade *trade);

#endif
