// Serving TradeOperatorService.SettleMatter: a row of trade_methods.
#ifndef TXC_FLOWS_TRADE_MATTER_SETTLE_H
#define TXC_FLOWS_TRADE_MATTER_SETTLE_H

#include "flows/trade/command.h"

extern const struct command_kind settle_matter_kind;

#endif
