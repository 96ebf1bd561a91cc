// Whether a trade's amounts add up: what must hold of its durable rows at any time.
#ifndef TXC_FLOWS_TRADE_CHECK_H
#define TXC_FLOWS_TRADE_CHECK_H

#include "flows/trade/trade.h"
#include "saga/estate.h"

// False: the first fault that was found, in words.
bool check_amounts(const struct trade *trade, char ret_fault[SAGA_TEXT_MAX]);

// saga_estate.check.
void check_trade(void *ctx, struct str trade_no, struct saga_checking *checking);

#endif
