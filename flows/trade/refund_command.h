// The command Refund.
#ifndef TXC_FLOWS_TRADE_REFUND_COMMAND_H
#define TXC_FLOWS_TRADE_REFUND_COMMAND_H

#include "flows/trade/command.h"

// All of the trade has gone back, or is on its way: there is nothing left to refund.
bool refund_command_is_taken(const struct trade *trade);

// May (more of) the trade be refunded?
bool refund_command_allowed(const struct trade *trade, int64_t now_ms, struct error *error);

extern const struct command_kind refund_kind;

#endif
