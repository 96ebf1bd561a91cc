// The trade's ledger as rows: what flows/trade/ledger.h says is posted, at the turning points of a trade.
#ifndef TXC_FLOWS_TRADE_BOOKS_H
#define TXC_FLOWS_TRADE_BOOKS_H

#include "flows/trade/ledger.h"
#include "flows/trade/trade.h"
#include "participant/settlement/v1/settlement.pb-c.h"

// The trade is paid by the tenders of its newest attempt. Sets row.paid_entry.
void books_paid(struct trade *trade, int64_t now_ms);

// Less was bought than was authorised: `before` is the row as it was then, `unused` is what each tender of the newest
// attempt has too much. Sets row.adjust_entry.
void books_adjusted(struct trade *trade, const struct trade_row *before, const int64_t unused[TRADE_TENDERS_MAX],
                    int64_t now_ms);

// The refund's money is back. Sets refund->entry.
void books_refunded(struct trade *trade, struct refund_row *refund, int64_t now_ms);

// Money of a tender that is not the trade's came, or went back.
void books_suspense(struct trade *trade, enum ledger_suspense event, const struct tender_row *tender, int64_t amount,
                    int64_t now_ms);

// What the payment comes to after it was adjusted, by account, as books_postings() tells: what goes back of a tender
// counts as back.
void books_bought(const struct trade *trade, struct arena *arena, Participant__Settlement__V1__Posting ***ret_postings,
                  size_t *ret_n);

// The postings of one entry, as the settlement system is told them: in the arena, their texts in the trade.
void books_postings(const struct trade *trade, int32_t entry, struct arena *arena,
                    Participant__Settlement__V1__Posting ***ret_postings, size_t *ret_n);

#endif
