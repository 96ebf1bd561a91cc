// Refund arithmetic: how much of a refund goes to which tender and which line, and what of an amount that went with the
// payment (an award, say) is due back by then. Everything is taken from what is left, so sums are exact over any
// sequence of refunds and the last one takes the rest. Pure.
#ifndef TXC_FLOWS_TRADE_ALLOCATION_H
#define TXC_FLOWS_TRADE_ALLOCATION_H

#include "base/arena.h"
#include "base/err.h"
#include "base/money.h"

enum { ALLOCATION_PARTS_MAX = 64 }; // tenders, and lines

// A tender that was paid. `taken` is what refunds have given back or have reserved: a pending refund counts, a failed
// one does not.
struct allocation_tender {
    struct str tender_no;
    int64_t amount;
    int64_t taken;
    bool first; // gives back before those that are not
};

// A line's share of what was paid, after all discounts.
struct allocation_line {
    int64_t net;
    int64_t taken;
};

// A paid trade. The tenders' amounts add up to what the lines' nets do, and what is taken of the tenders to what is
// taken of the lines. Borrowed.
struct allocation_paid {
    const struct allocation_tender *tenders;
    size_t n_tenders;
    const struct allocation_line *lines;
    size_t n_lines;
    const char *currency; // for the texts of errors; NULL: they speak of minor units
};

enum allocation_extent {
    ALLOCATION_WHOLE,  // what is left
    ALLOCATION_AMOUNT, // so much
    ALLOCATION_LINES,  // what is left of these lines
};

struct allocation_split {
    struct str tender_no;
    int64_t amount; // > 0
};

// Borrowed.
struct allocation_request {
    enum allocation_extent extent;
    int64_t amount;        // AMOUNT: > 0
    const size_t *indexes; // LINES: each once
    size_t n_indexes;
    const struct allocation_split *split; // which tender gives back how much; none: in proportion to what is left
    size_t n_split;
};

struct allocation {
    int64_t amount;         // > 0, unless the trade cost nothing
    const int64_t *tenders; // per tender of the trade; they add up to `amount`
    const int64_t *lines;   // per line; so do they
    bool final;             // nothing is left then
};

// Allocates one refund. The caller adds the allocation to what is taken in the same step. The result is in `arena`.
//
// Tenders give in proportion to what is left of each, by largest remainder, those that are `first` before the others,
// or as the split says; lines in proportion to what is left of each, or, with LINES, what is left of those. Fails with
// INVALID_REQUEST (naming the fields), REFUND_EXCEEDS_REST (of the trade, of a tender in the split, of lines that are
// refunded already), STORE_CORRUPT (tenders and lines do not add up) or OVERLOADED (the arena is too small).
bool allocation_make(const struct allocation_paid *paid, const struct allocation_request *request, struct arena *arena,
                     struct allocation *ret_allocation, struct error *error);

// What is left to refund of `paid`: nothing reserved, nothing given back. False when the tenders make no sense.
bool allocation_rest(const struct allocation_paid *paid, int64_t *ret_rest);

// How much more of `total` is due when `refunded` of `paid` have been refunded in all and `done` of it have been dealt
// with: total * refunded / paid rounded down, less `done`, never below zero. When all is refunded (also of a trade that
// cost nothing), all of it. False when an amount is below zero, too large, or refunded > paid.
bool allocation_due(int64_t total, int64_t refunded, int64_t paid, int64_t done, int64_t *ret_due);

#endif
