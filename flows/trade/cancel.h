// The command Cancel.
#ifndef TXC_FLOWS_TRADE_CANCEL_H
#define TXC_FLOWS_TRADE_CANCEL_H

#include "flows/trade/command.h"

extern const struct command_kind cancel_kind;

#endif
