// What is kept of a trade that is deleted: a row a tender. Money that comes for one after all goes back from there, by
// the flow trade.late: read from its rows, such a trade is one with nothing but its tenders, and what it changes goes
// back into them (E15).
#ifndef TXC_FLOWS_TRADE_ARCHIVE_H
#define TXC_FLOWS_TRADE_ARCHIVE_H

#include "flows/trade/trade.h"

// What is kept of each tender of the trade, into the turn that deletes it.
void archive_keep(const struct trade *trade, struct saga_turn *turn);

// Fills in a blank trade from its rows, in the order of their keys.
void archive_fill(struct trade *trade, const struct archived_row *rows, size_t n);

// saga_subject_ops.flush of such a trade.
void archive_flush(struct trade *trade, struct store_write *write);

// The number of a late return: "<tender_no>/late", which is its refund's at the gateway, too.
enum { ARCHIVE_RETURN_NO_MAX = 41 };
void archive_return_no(const struct tender_row *tender, char out[ARCHIVE_RETURN_NO_MAX]);
bool archive_is_return_no(const char *refund_no);

// The query of a trade's archived rows; `prefix` is used by it.
struct store_query archive_query(const char *trade_no, char prefix[TRADE_NO_MAX + 2]);

#endif
