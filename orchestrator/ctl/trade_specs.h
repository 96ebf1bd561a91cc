// The texts of a form of their own on the command lines of trades.
#ifndef TXC_ORCHESTRATOR_CTL_TRADE_SPECS_H
#define TXC_ORCHESTRATOR_CTL_TRADE_SPECS_H

#include "orchestrator/ctl/request.h"

// "92#:amount=200.00", "92#:volume=30.00,nozzle=3": a Line with fuel.
ProtobufCMessage *trade_fuel_spec(struct request *request, const char *option, struct str text);

// "OIL4L", "OIL4L=2": a Line with so many pieces of goods, or of another item.
ProtobufCMessage *trade_goods_spec(struct request *request, const char *option, struct str text);

// "C0001=100.00": a Line that recharges a card.
ProtobufCMessage *trade_recharge_spec(struct request *request, const char *option, struct str text);

// "card=50.00:C0001", "cash=20", "wechat:openid1" (no amount: it pays the rest): a TenderInput.
ProtobufCMessage *trade_tender_spec(struct request *request, const char *option, struct str text);

// "0:amount=150.00", "0:volume=19.53", "0" (nothing): an ActualLine.
ProtobufCMessage *trade_actual_spec(struct request *request, const char *option, struct str text);

// "TENDER_NO=20.00": a RefundSplit.
ProtobufCMessage *trade_split_spec(struct request *request, const char *option, struct str text);

#endif
