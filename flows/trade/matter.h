// Matters: what an operator must settle about a trade. Each is a row of it, raised in the transaction of what it is
// about, told as an event, listed by whether it is open, and settled once (matter_settle.c). A trade with one that is
// open is not deleted.
#ifndef TXC_FLOWS_TRADE_MATTER_H
#define TXC_FLOWS_TRADE_MATTER_H

#include "flows/trade/trade.h"

struct matter {
    Txcenter__Trade__V1__MatterKind kind;
    const char *what; // of the kind: as in shortfall.h; a tender's number; matter_of_leg()
    const char *reason, *text;
    int64_t amount, points; // what it is worth
    const char *gid;        // the saga that waits for it; NULL: none
    int32_t generation;     // of the key that was refused (deduction.h); 0: none
};

// One more. Of what is kept of a deleted trade there are none.
void matter_raise(struct saga_turn *turn, const struct matter *matter);
// The same, where there is at most one of this kind about this: one that was settled is open again, and of one that is
// open only the saga that waits for it is another.
void matter_hold(struct saga_turn *turn, const struct matter *matter);

// One that is open (if there is one) is over, without an operator's settling it.
void matter_over(struct saga_turn *turn, Txcenter__Trade__V1__MatterKind kind, const char *what, const char *why);

// The matter of this kind about this; NULL.
struct matter_row *matter_about(const struct trade *trade, Txcenter__Trade__V1__MatterKind kind, const char *what);
// That of this number; NULL.
struct matter_row *matter_numbered(const struct trade *trade, int32_t number);
bool matter_is_open(const struct matter_row *row);
bool matter_any_open(const struct trade *trade);

// What a leg that the channel can't make is called.
void matter_of_leg(const struct refund_leg_row *leg, char out[MATTER_WHAT_MAX + 1]);

// As it is settled: told as an event, but for one that is settled already (in the same turn, and less exactly).
struct matter_settlement {
    Txcenter__Trade__V1__MatterOutcome outcome;
    const char *by, *note, *reference;
};
void matter_settle(struct saga_turn *turn, struct matter_row *row, const struct matter_settlement *settlement);
// Its next try begins, as somebody wants: it stays open until that has come to something.
void matter_begin(struct saga_turn *turn, struct matter_row *row, const struct matter_settlement *settlement);
// That came to nothing: it stays open, for this reason.
void matter_stays(struct saga_turn *turn, struct matter_row *row, const char *reason, const char *text);

Txcenter__Trade__V1__Matter *matter_view(const struct matter_row *row, struct arena *arena);

#endif
