// Between trade.c, load.c and the host: making trades of rows, and dropping them.
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
// Whether nothing but memory (and `holds` more) holds it, and everything about it is in the store.
bool trade_is_idle(const struct trade *trade, uint32_t holds);
// Out of memory; whoever holds it still has it.
void trade_leave_memory(struct trade *trade);
// Drops what nobody uses beyond the bound.
void trade_evict(struct trades *trades);
void trade_drop_all(struct trades *trades);

#endif
