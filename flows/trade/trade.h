// One trade in memory: its rows, what has changed of them, and the few rules that every flow and command of it shares.
// Commands and decisions change it; saga_subject_ops.flush puts what changed into the turn's transaction.
#ifndef TXC_FLOWS_TRADE_TRADE_H
#define TXC_FLOWS_TRADE_TRADE_H

#include "base/map.h"
#include "base/money.h"
#include "flows/trade/rows.h"
#include "flows/trade/trades.h"
#include "saga/call.h"
#include "saga/turn.h"
#include "txcenter/trade/v1/operator.pb-c.h"
#include "txcenter/trade/v1/trade.pb-c.h"

// Short names for the generated enums' values.
#define TRADE_STATE(name) TXCENTER__TRADE__V1__TRADE_STATE__TRADE_STATE_##name
#define TENDER_STATE(name) TXCENTER__TRADE__V1__TENDER_STATE__TENDER_STATE_##name
#define TENDER_KIND(name) TXCENTER__TRADE__V1__TENDER_KIND__TENDER_KIND_##name
#define REFUND_STATE(name) TXCENTER__TRADE__V1__REFUND_STATE__REFUND_STATE_##name
#define REFUND_LEG_STATE(name) TXCENTER__TRADE__V1__REFUND_LEG_STATE__REFUND_LEG_STATE_##name
#define MATTER_KIND(name) TXCENTER__TRADE__V1__MATTER_KIND__MATTER_KIND_##name
#define MATTER_OUTCOME(name) TXCENTER__TRADE__V1__MATTER_OUTCOME__MATTER_OUTCOME_##name
#define ON_FAILURE(name) TXCENTER__TRADE__V1__ON_FAILURE__ON_FAILURE_##name

// The kinds of rows that a trade has many of.
enum trade_part {
    PART_QUOTE,
    PART_LINE,
    PART_ATTEMPT,
    PART_TENDER,
    PART_REFUND,
    PART_REFUND_LEG,
    PART_LEDGER,
    PART_MATTER, // the last one: read only where there are any
    TRADE_PARTS
};

// A row with what must be known of it; `row` is the struct of rows.h.
struct trade_item {
    bool dirty, stored;
    _Alignas(max_align_t) char row[];
};

struct trade_items {
    struct trade_item **list;
    size_t n, cap;
};

struct trade_waiter; // wait.h

struct trade {
    struct saga_subject subject; // key: trade_no. First: a subject is a trade.
    struct trades *trades;
    struct map_node node;
    struct trade_row row;
    bool dirty, stored;
    bool archived; // only what is kept of a trade that is deleted: its tenders (archive.h)
    int64_t archived_ms;
    bool leaving; // its deletion is on its way to the store
    struct trade_items parts[TRADE_PARTS];
    struct arena blobs; // what the rows' blobs point to
    struct trade_waiter *waiters;
    uint32_t n_waiters, n_streams; // calls; watchers
    int64_t flushes, commits;      // turns flushed and turns known to be durable
    int64_t bytes;                 // that it takes of memory, as it was flushed last
    struct trade *older, *newer;   // of those in memory, by last use
};

static inline struct trade *trade_of(struct saga_subject *subject) {
    return (struct trade *)(void *)subject;
}
static inline const struct trade *trade_of_const(const struct saga_subject *subject) {
    return (const struct trade *)(const void *)subject;
}

// ---- Rows ---------------------------------------------------------------------------------------------------------

// The trade's row is about to change.
struct trade_row *trade_edit(struct trade *trade);

// The i-th row of a part, in key order; NULL beyond the last.
void *trade_at(const struct trade *trade, enum trade_part part, size_t i);
// The same row, about to be changed.
void *trade_change(struct trade *trade, void *row);
// A new row, in its place: a copy of `row`, which has the rest of its key set (all but the trade number; nothing of the
// trade has that key yet). It is written with the next commit.
void *trade_add(struct trade *trade, enum trade_part part, const void *row);
// Takes a row back that was added in this turn; it is freed.
void trade_forget(struct trade *trade, enum trade_part part, void *row);
// Bytes that live as long as the trade is in memory.
struct str trade_keep(struct trade *trade, struct str bytes);
// Whether there is room for so many that a caller wants kept: what the trade itself needs for its end is left free.
bool trade_has_room(const struct trade *trade, size_t bytes);

struct quote_row *trade_quote_row(const struct trade *trade, int32_t version);
// The i-th line of the order (of one kind: quote_line.h; NULL: of any); NULL beyond the last.
struct line_row *trade_line_of(const struct trade *trade, const char *kind, unsigned i);
unsigned trade_lines_of(const struct trade *trade, const char *kind); // how many
struct pay_attempt_row *trade_attempt(const struct trade *trade, int32_t attempt_no);
struct pay_attempt_row *trade_open_attempt(const struct trade *trade); // PLANNED or OPEN; NULL
// The one by which the trade was paid; NULL: it is not paid, or nothing was payable, whatever was attempted before.
struct pay_attempt_row *trade_paid_attempt(const struct trade *trade);
struct tender_row *trade_paid_tender(const struct trade *trade, int32_t tender); // of that one, from 0; NULL
struct tender_row *trade_tender(const struct trade *trade, int32_t attempt_no, int32_t tender);
struct tender_row *trade_tender_by_no(const struct trade *trade, struct str tender_no);
struct refund_row *trade_refund(const struct trade *trade, struct str refund_no);
struct refund_leg_row *trade_refund_leg(const struct trade *trade, const char *refund_no, int32_t leg);

// ---- Rules --------------------------------------------------------------------------------------------------------

// What a trade that somebody cancelled says of why it ended (trade_row.reason).
#define TRADE_REASON_CANCELLED "CANCELLED"

// A table of states: for each one, the bits of those that may follow it. The moves are ours alone, so another one is a
// fault of ours (asserted).
static inline bool trade_may_become(const uint32_t *next_states, size_t n, int32_t state, int32_t next) {
    return state >= 0 && (size_t)state < n && (next_states[state] >> next & 1) != 0;
}

// Sets the state and notes the time in the history. Which may follow which: trade.c.
//
// What an unpaid trade is being closed for (trade_row.closing) is only what is intended; the state becomes CLOSING with
// it, and what it ends as is decided when every tender is definite:
//   PAID       beats whatever was intended: money that came is kept, and a CANCEL becomes the refund "cancel"
//   CONFLICT   replaces whatever was intended: the operator's (payment.c)
//   CANCEL     replaces EXPIRY until the order has turned round: the caller wants no purchase, also should it be found
//              paid (cancel.c)
//   EXPIRY     where nothing else is intended (purchase.c)
//   FAILURE    where nothing else is intended: a payment that was to take the trade with it, or an order that failed
//   REORDER    where nothing else is intended: when the order is over, the trade is ordered again instead of ending; a
//              CANCEL replaces it
//   TAKEN      where nothing else is intended: another trade is for the same fuelling; a CANCEL replaces it
void trade_set_state(struct trade *trade, Txcenter__Trade__V1__TradeState state, int64_t now_ms);

// Ended without being paid: may be quoted and ordered again.
bool trade_ended_unpaid(const struct trade *trade);
// PAID or later.
bool trade_is_paid(const struct trade *trade);

// Whether what the order needs was locked before it was made; else it is deducted once it is paid.
bool trade_locks_first(const struct trade *trade);

// Whether it is known who buys.
bool trade_has_user(const struct trade *trade);

// Ordered, unpaid, and nothing is locked for it: it may be quoted and ordered again without a cancel.
bool trade_is_editable(const struct trade *trade);

// Gids of the trade's sagas.
enum { TRADE_GID_MAX = SAGA_GID_MAX + 1 };
void trade_purchase_gid(const struct trade *trade, char out[TRADE_GID_MAX]);
void trade_payment_gid(const struct trade *trade, int32_t attempt_no, char out[TRADE_GID_MAX]);
// Of the refund's present saga, and of its first one (refund_end.h).
void trade_refund_gid(const struct trade *trade, const char *refund_no, char out[TRADE_GID_MAX]);
void trade_refund_first_gid(const struct trade *trade, const char *refund_no, char out[TRADE_GID_MAX]);

// The history's changes, oldest first: of a trade that was re-ordered hundreds of times the first so many.
enum { TRADE_HISTORY_MAX = 455 };
struct trade_change_at {
    int32_t state;
    int64_t at_ms;
};
size_t trade_history(const struct trade *trade, struct trade_change_at *out, size_t max);

// ---- The store of trades in memory ----------------------------------------------------------------------------------

// A new trade that isn't stored yet, held once for the caller.
struct trade *trade_new(struct trades *trades, const char *trade_no);

#endif
