// Between trade.c and load.c: making trades of rows.
#ifndef TXC_FLOWS_TRADE_PARTS_H
#define TXC_FLOWS_TRADE_PARTS_H

#include "flows/trade/trade.h"

extern const struct store_table *const trade_part_tables[TRADE_PARTS];

// A trade outside memory, held once.
struct trade *trade_blank(struct trades *trades, const char *trade_no);
void trade_enter_memory(struct trade *trade);
void trade_touch(struct trade *trade);
// A new row at the end, zeroed.
struct trade_item *trade_append(struct trade *trade, enum trade_part part);
void trades_drop_all(struct trades *trades);

#endif
