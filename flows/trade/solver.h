// The search for the best combination of benefits: what a purchase costs with each legal set of benefits and with
// points, and the cheapest of those sets. Pure: no I/O, no clock, no state; the same input gives the same answer on
// every machine, in whatever order its lines and benefits are listed.
//
// How a set of benefits is priced
// - Prices go through layers: member level, activities, coupons, points, and what depends on the tender that pays. Each
//   takes what those before it have left of each line. A benefit belongs to the layer of its source, or to the last one
//   when its rule names tender kinds.
// - Within a layer benefits apply one after the other in one fixed order: by kind (UNIT_PRICE, PERCENT_OFF, UNIT_OFF,
//   COMPUTED, AMOUNT_OFF: a percentage of the larger base never serves the payer worse), then those with fewer lines in
//   their benefit scope (one that can go elsewhere leaves the narrow one its line), then the earlier expiry, then the
//   smaller id, then the source. The order belongs to the benefits and the lines, not to the search, so a kept set has
//   the same price whenever it is priced again.
// - A benefit fits when its condition scope holds a line at all and that scope's amount reaches the minimum: on list
//   prices (ORIGINAL), or on what the benefits and points before it have left (DISCOUNTED).
// - Its discount is at most its cap, and at most what is left in its benefit scope. One that would save nothing does
//   not fit: it would be spent for nothing.
// - Points: the greatest number of whole steps within the balance, the rule's maximum, and the rule's share of what the
//   benefits before them leave (rounded down).
// - Tender-specific benefits presume that all of what is payable is paid by tenders of kinds that each of them names;
//   benefits without a kind in common can't be used together. Paying otherwise is another combination.
// - Discounts are split over the lines by largest remainder in proportion to what is left of them (money_allocate);
//   equal remainders go to the line that is smaller by (kind, code, amount, quantity, unit price).
// - Used together are never: two of one exclusive group; one that names the other (its id, its group) as a conflict;
//   two activities, unless both stack; two level benefits that make the same line cheaper.
//
// Which combination is better: lower payable, then fewer points, then fewer coupons, then the one that has the first
// benefit by (expiry, id, source) that the other lacks.
#ifndef TXC_FLOWS_TRADE_SOLVER_H
#define TXC_FLOWS_TRADE_SOLVER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/money.h"
#include "base/str.h"

enum {
    SOLVER_LINES_MAX = 64,        // of a purchase
    SOLVER_BENEFITS_MAX = 768,    // listed for it
    SOLVER_NAMES_MAX = 64,        // in one scope or list of conflicts
    SOLVER_TENDER_KINDS_MAX = 32, // that may pay
    SOLVER_BEARERS_MAX = 16,      // of one benefit
    SOLVER_LIMITS_MAX = 64,       // on what may be bought
    SOLVER_CANDIDATES_MAX = 64,   // usable benefits that are searched; of more, those that save most alone
    SOLVER_EXACT_MAX = 20,        // usable benefits up to which the search is exact
    SOLVER_COMBINATIONS_MAX = 10, // answered, besides the one without benefits
    SOLVER_NODE_BUDGET = 5000,    // a good budget: some milliseconds at most
    SOLVER_ARENA_BYTES = 1 << 20, // enough for one call at these bounds
    SOLVER_WHOLE_BP = 10000,      // basis points: shares and percentages are counted in them
    SOLVER_UNIT = 100,            // quantities are in 0.01 unit
};

// The layers that take something off, in the order in which they do: NAME, name, since. The name is also that of its
// ledger account (discount:<name>), of the columns and of the message fields (<name>_discount) that hold what it took
// off; `since` is the schema version that brought those columns (0: with their tables).
#define SOLVER_LAYER_TABLE(X)                                                                                          \
    X(LEVEL, level, 5)                                                                                                 \
    X(ACTIVITY, activity, 5)                                                                                           \
    X(COUPON, coupon, 0)                                                                                               \
    X(POINTS, points, 0)                                                                                               \
    X(TENDER, tender, 5)                                                                                               \
    X(ROUNDING, rounding, 5) /* not searched: let off when it is paid in cash (pay.h) */
#define X(NAME, name, since) SOLVER_LAYER_##NAME,
enum solver_layer { SOLVER_LAYER_TABLE(X) SOLVER_LAYERS };
#undef X

struct solver_line {
    struct str kind, code; // "fuel", "95"
    int64_t amount;        // list price in minor units, 0..MONEY_MAX
    int64_t quantity;      // in 0.01 unit (litre, piece); 0: not known, and nothing is off by the unit
    int64_t unit_price;    // list price of a unit
};

// Kinds or codes of lines (a scope; none: every line), ids or groups (conflicts), ids, or tender kinds.
struct solver_names {
    const struct str *names;
    size_t n;
};

// Where a benefit comes from: whose ids it has, and what it is called when it is used.
enum solver_source { SOLVER_COUPON, SOLVER_ACTIVITY, SOLVER_LEVEL, SOLVER_SOURCES };

enum solver_kind {
    SOLVER_AMOUNT_OFF,  // amount_off
    SOLVER_PERCENT_OFF, // percent_off_bp of what is left in the benefit scope, rounded half up once
    SOLVER_UNIT_OFF,    // per_unit off each unit, rounded half up once for each line
    SOLVER_UNIT_PRICE,  // a unit costs per_unit where it costs more; rounded half up once for each line
    SOLVER_COMPUTED,    // `computed`; has neither cap, minimum nor scopes
    SOLVER_KIND_UNKNOWN,
};

enum solver_minimum_base { SOLVER_BASE_ORIGINAL, SOLVER_BASE_DISCOUNTED, SOLVER_BASE_UNKNOWN };

// What a quota counts: orders; minor units (of the discount; for a limit, of what is to be paid in its scope); 0.01
// unit of fuel (in the benefit scope, or in the condition scope where that has none).
enum solver_quota_unit {
    SOLVER_QUOTA_NONE,
    SOLVER_QUOTA_TIMES,
    SOLVER_QUOTA_AMOUNT,
    SOLVER_QUOTA_VOLUME,
    SOLVER_QUOTA_UNKNOWN,
};

struct solver_bearer {
    struct str bearer, bearer_id; // "group"; which, or empty
    int32_t share_bp;
};

// A benefit with its rule, as the system that it comes from tells it. One whose rule makes no sense is never used; it
// does not fail the search.
struct solver_benefit {
    enum solver_source source;
    struct str id; // unique in its source: an id that is listed twice is ambiguous, and neither is used
    enum solver_kind kind;
    int64_t amount_off;      // > 0
    int32_t percent_off_bp;  // 1..10000, in 0.01 percent
    int64_t per_unit;        // > 0
    const int64_t *computed; // off each line of the input, in its order; >= 0
    int64_t cap;             // 0: none
    int64_t minimum_spend;   // 0: none
    enum solver_minimum_base minimum_base;
    int32_t max_per_order; // AMOUNT_OFF: once for each whole minimum_spend, at most so often; 0: once
    struct solver_names condition_scope, benefit_scope;
    struct str exclusive_group;          // empty: none
    struct solver_names conflicts_with;  // either side's mention is enough
    struct solver_names tender_kinds;    // none: whatever is paid by
    bool stacks;                         // ACTIVITY: may be used with others that stack
    enum solver_quota_unit quota_unit;   // ACTIVITY: what a choice of it locks; one with too little left does not fit
    int64_t quota_left;                  // AMOUNT: the discount is at most this
    const struct solver_bearer *bearers; // their shares add up to 10000; none: the station
    size_t n_bearers;
    int64_t expires_at_ms; // usable before this instant, no longer at it; 0: never expires
};

// Makes nothing cheaper, but who buys what is in its scope locks its quota.
struct solver_limit {
    struct str activity_id;
    struct solver_names scope;
    enum solver_quota_unit unit;
};

// `step_points` are worth `step_value`. A rule that makes no sense (no steps, no value) means: no points.
struct solver_points {
    int64_t available;
    int64_t step_points;
    int64_t step_value;
    int32_t max_share_bp; // 0..10000, of what the benefits before them leave
    int64_t max_points;   // 0: no limit
};

// Borrowed until the call returns; results refer to benefits by index.
struct solver_input {
    const struct solver_line *lines; // at least one
    size_t n_lines;
    const struct solver_benefit *benefits;
    size_t n_benefits;
    struct solver_points points;
    struct solver_names tender_kinds;  // with which this purchase may be paid, each once
    const struct solver_limit *limits; // on what is bought
    size_t n_limits;
    struct solver_names required[SOLVER_SOURCES]; // only sets that hold all of these ids
    struct solver_names excluded[SOLVER_SOURCES];
    bool exclude_points;
    size_t max_combinations; // 1..SOLVER_COMBINATIONS_MAX: the best and the next ones
    int64_t now_ms;          // decides what has expired; keep it with the quote, so that the quote can be replayed
    uint64_t node_budget;    // benefits tried before the exact search gives up
};

// What one line bears: amount = Σ discounts + payable, none below zero.
struct solver_share {
    int64_t discount[SOLVER_LAYERS];
    int64_t payable;
};

// One benefit of a set.
struct solver_applied {
    size_t benefit; // index in the input's benefits
    enum solver_layer layer;
    int64_t discount;      // > 0
    const int64_t *shares; // per line, in the input's order; zero outside the benefit scope; they add up to `discount`
};

// Quota that goes with a choice: > 0, in the activity's unit.
struct solver_quota {
    struct str activity_id;
    int64_t quantity;
};

struct solver_combination {
    const struct solver_applied *applied; // in the order in which they apply
    size_t n_applied;
    int64_t points;
    int64_t discount[SOLVER_LAYERS];
    int64_t payable;
    const struct solver_share *shares; // per line, in the input's order
    uint32_t tender_kinds; // bit i: the input's tender_kinds[i] may pay; 0: it has no tender-specific benefit
    const struct solver_quota *quotas; // of its activities, then of the limits
    size_t n_quotas;
};

struct solver_result {
    int64_t list_price;
    // Best first, all with different sets of benefits; the last one is always the one without any benefit.
    const struct solver_combination *combinations;
    size_t n_combinations; // 1..max_combinations + 1
    bool exact;            // false: the search was cut short, a better combination may exist
    uint64_t nodes;        // benefits tried by the exact search
};

// Finds the best combinations. The result is in `arena`. Fails with INVALID_REQUEST (naming the fields),
// AMOUNT_OVERFLOW (the lines add up to too much), BENEFIT_UNAVAILABLE (a required benefit, or all of them together,
// can't be used; the text says why) or OVERLOADED (the arena is too small).
bool solver_solve(const struct solver_input *input, struct arena *arena, struct solver_result *ret_result,
                  struct error *error);

// Why a benefit or the points of a choice can't be used.
enum solver_refusal {
    SOLVER_FITS,
    SOLVER_UNKNOWN, // not listed: nobody's, or somebody else's
    SOLVER_LISTED_TWICE,
    SOLVER_MALFORMED,
    SOLVER_EXCLUDED,
    SOLVER_EXPIRED,
    SOLVER_TENDER_ABSENT,    // nothing that may pay is of its tender kinds
    SOLVER_QUOTA_USED_UP,    // too little is left of its quota
    SOLVER_CONDITION_ABSENT, // nothing of what must be bought
    SOLVER_BELOW_MINIMUM,
    SOLVER_SAVES_NOTHING,
    SOLVER_CONFLICTING,    // with another benefit of the choice
    SOLVER_POINTS_REFUSED, // not whole steps, or more than balance, maximum or share allow
};

// "it has expired", …
const char *solver_refusal_text(enum solver_refusal refusal);

// One set of benefits, as a combination names it. Borrowed.
struct solver_choice {
    struct solver_names ids[SOLVER_SOURCES]; // in any order; a repeated id counts once
    int64_t points;
};

struct solver_replayed {
    enum solver_refusal refusal;           // of the whole choice; the rest is set accordingly
    struct str refused_id;                 // the benefit; empty for points
    struct solver_combination combination; // with SOLVER_FITS
};

// Prices one given set, whatever its rank (what is required, max_combinations and the budget play no part). A refusal
// is an answer, not an error. Fails as solver_solve does, but never with BENEFIT_UNAVAILABLE.
bool solver_replay(const struct solver_input *input, const struct solver_choice *choice, struct arena *arena,
                   struct solver_replayed *ret_replayed, struct error *error);

// Who bears a benefit: its rule's bearers, or the station alone. At least one.
const struct solver_bearer *solver_bearers(const struct solver_benefit *benefit, size_t *ret_n);

// What each of them bears of `amount` (a line's share of the discount, or what is given back of it), by largest
// remainder; equal remainders go to the one that is named first. They add up to it.
void solver_borne(const struct solver_benefit *benefit, int64_t amount, int64_t ret_parts[SOLVER_BEARERS_MAX]);

#endif
