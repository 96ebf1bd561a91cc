// Trades that have ended and need not be kept any longer: the whole of one goes in one transaction, and a row of each
// of its tenders stays (archive.h).
#ifndef TXC_FLOWS_TRADE_RETIRE_H
#define TXC_FLOWS_TRADE_RETIRE_H

#include "flows/trade/trade.h"
#include "saga/estate.h"

// For trade_flows[].estate; ctx: the trades.
extern const struct saga_estate retire_estate;

// Says in the row as what the trade is closed now, and since when. Before it is written.
void retire_note(struct trade_row *row);

// The trades are being freed: whatever is on its way.
void retire_end(struct trades *trades);

#endif
