// The search for the best combination of benefits: what a purchase costs with each legal set of coupons and with
// points, and the cheapest of those sets. Pure: no I/O, no clock, no state; the same input gives the same answer on
// every machine, in whatever order its lines and coupons are listed.
//
// How a set of coupons is priced
// - Prices go through layers: list price, coupons, points. Each layer takes what the one before it left of each line.
// - The coupons of a set apply one after the other in one fixed order: PERCENT_OFF before AMOUNT_OFF (a percentage of
//   the larger base never serves the payer worse), then those with fewer lines in their benefit scope (a coupon that
//   can go elsewhere leaves the narrow one its line), then the earlier expiry, then the smaller id. The order belongs
//   to the coupons and the lines, not to the search, so a kept set has the same price whenever it is priced again.
// - A coupon fits when its condition scope holds a line at all and that scope's amount reaches the minimum: on list
//   prices (ORIGINAL), or on what the coupons before it have left (DISCOUNTED).
// - Its discount: the amount, or the percentage of what is left in the benefit scope, rounded half up once for the
//   coupon; then at most the cap; then at most what is left in the benefit scope. A coupon that would save nothing does
//   not fit: it would be spent for nothing.
// - Points come last: the greatest number of whole steps within the balance, the rule's maximum, and the rule's share
//   of what is left (rounded down).
// - Discounts are split over the lines by largest remainder in proportion to what is left of them (money_allocate);
//   equal remainders go to the line that is smaller by (kind, code, amount).
//
// Which combination is better: lower payable, then fewer points, then fewer coupons, then the one that has the first
// coupon by (expiry, id) that the other lacks.
#ifndef TXC_FLOWS_TRADE_SOLVER_H
#define TXC_FLOWS_TRADE_SOLVER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/money.h"
#include "base/str.h"

enum {
    SOLVER_LINES_MAX = 64,        // of a purchase
    SOLVER_COUPONS_MAX = 512,     // listed for it
    SOLVER_NAMES_MAX = 64,        // in one scope or list of conflicts
    SOLVER_CANDIDATES_MAX = 64,   // usable coupons that are searched; of more, those that save most alone
    SOLVER_EXACT_MAX = 20,        // usable coupons up to which the search is exact
    SOLVER_COMBINATIONS_MAX = 10, // answered, besides the one without benefits
    SOLVER_NODE_BUDGET = 5000,    // a good budget: some milliseconds at most
    SOLVER_ARENA_BYTES = 1 << 20, // enough for one call at these bounds
};

// The layers that take something off, in the order in which they do: NAME, name, since. The name is also that of its
// ledger account (discount:<name>), of the columns and of the message fields (<name>_discount) that hold what it took
// off; `since` is the schema version that brought those columns (0: with their tables).
#define SOLVER_LAYER_TABLE(X)                                                                                          \
    X(COUPON, coupon, 0)                                                                                               \
    X(POINTS, points, 0)
#define X(NAME, name, since) SOLVER_LAYER_##NAME,
enum solver_layer { SOLVER_LAYER_TABLE(X) SOLVER_LAYERS };
#undef X

struct solver_line {
    struct str kind, code; // "fuel", "95"
    int64_t amount;        // list price in minor units, 0..MONEY_MAX
};

enum solver_coupon_kind { SOLVER_AMOUNT_OFF, SOLVER_PERCENT_OFF };
enum solver_minimum_base { SOLVER_BASE_ORIGINAL, SOLVER_BASE_DISCOUNTED };

// Kinds or codes of lines (a scope; none: every line), or coupon ids or groups (conflicts).
struct solver_names {
    const struct str *names;
    size_t n;
};

// A coupon with its rule, as the coupon system tells it. One whose rule makes no sense is never used; it does not fail
// the search.
struct solver_coupon {
    struct str id; // unique: an id that is listed twice is ambiguous, and neither is used
    enum solver_coupon_kind kind;
    int64_t amount_off;     // AMOUNT_OFF: > 0
    int32_t percent_off_bp; // PERCENT_OFF: 1..10000, in 0.01 percent
    int64_t cap;            // 0: none
    int64_t minimum_spend;  // 0: none
    enum solver_minimum_base minimum_base;
    struct solver_names condition_scope, benefit_scope;
    struct str exclusive_group;         // empty: none
    struct solver_names conflicts_with; // either side's mention is enough
    int64_t expires_at_ms;              // usable before this instant, no longer at it; 0: never expires
};

// `step_points` are worth `step_value`. A rule that makes no sense (no steps, no value) means: no points.
struct solver_points {
    int64_t available;
    int64_t step_points;
    int64_t step_value;
    int32_t max_share_bp; // 0..10000, of what the coupons leave
    int64_t max_points;   // 0: no limit
};

// Borrowed until the call returns; results refer to coupons by index.
struct solver_input {
    const struct solver_line *lines; // at least one
    size_t n_lines;
    const struct solver_coupon *coupons;
    size_t n_coupons;
    struct solver_points points;
    struct solver_names required_ids; // only sets that hold all of these
    struct solver_names excluded_ids;
    bool exclude_points;
    size_t max_combinations; // 1..SOLVER_COMBINATIONS_MAX: the best and the next ones
    int64_t now_ms;          // decides what has expired; keep it with the quote, so that the quote can be replayed
    uint64_t node_budget;    // coupons tried before the exact search gives up
};

// What one line bears: amount = Σ discounts + payable, none below zero.
struct solver_share {
    int64_t discount[SOLVER_LAYERS];
    int64_t payable;
};

// One coupon of a set.
struct solver_applied {
    size_t coupon;         // index in the input's coupons
    int64_t discount;      // > 0
    const int64_t *shares; // per line, in the input's order; zero outside the benefit scope; they add up to `discount`
};

struct solver_combination {
    const struct solver_applied *applied; // in the order in which they apply
    size_t n_applied;
    int64_t points;
    int64_t discount[SOLVER_LAYERS];
    int64_t payable;
    const struct solver_share *shares; // per line, in the input's order
};

struct solver_result {
    int64_t list_price;
    // Best first, all with different sets of coupons; the last one is always the one without any benefit.
    const struct solver_combination *combinations;
    size_t n_combinations; // 1..max_combinations + 1
    bool exact;            // false: the search was cut short, a better combination may exist
    uint64_t nodes;        // coupons tried by the exact search
};

// Finds the best combinations. The result is in `arena`. Fails with INVALID_REQUEST (naming the fields),
// AMOUNT_OVERFLOW (the lines add up to too much), BENEFIT_UNAVAILABLE (a required coupon, or all of them together,
// can't be used; the text says why) or OVERLOADED (the arena is too small).
bool solver_solve(const struct solver_input *input, struct arena *arena, struct solver_result *ret_result,
                  struct error *error);

// Why a coupon or the points of a choice can't be used.
enum solver_refusal {
    SOLVER_FITS,
    SOLVER_UNKNOWN, // not listed: nobody's, or somebody else's
    SOLVER_LISTED_TWICE,
    SOLVER_MALFORMED,
    SOLVER_EXCLUDED,
    SOLVER_EXPIRED,
    SOLVER_CONDITION_ABSENT, // nothing of what must be bought
    SOLVER_BELOW_MINIMUM,
    SOLVER_SAVES_NOTHING,
    SOLVER_CONFLICTING,    // with another coupon of the choice
    SOLVER_POINTS_REFUSED, // not whole steps, or more than balance, maximum or share allow
};

// "it has expired", …
const char *solver_refusal_text(enum solver_refusal refusal);

// One set of benefits, as a combination names it. Borrowed.
struct solver_choice {
    struct solver_names coupon_ids; // in any order; a repeated id counts once
    int64_t points;
};

struct solver_replayed {
    enum solver_refusal refusal;           // of the whole choice; the rest is set accordingly
    struct str refused_id;                 // the coupon; empty for points
    struct solver_combination combination; // with SOLVER_FITS
};

// Prices one given set, whatever its rank (required_ids, max_combinations and the budget play no part). A refusal is an
// answer, not an error. Fails as solver_solve does, but never with BENEFIT_UNAVAILABLE.
bool solver_replay(const struct solver_input *input, const struct solver_choice *choice, struct arena *arena,
                   struct solver_replayed *ret_replayed, struct error *error);

#endif
