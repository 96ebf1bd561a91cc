// What one set of benefits costs: the rules of solver.h, prepared for many sets of one purchase. Internal to the
// solver.
//
// Lines are renumbered as solver.h orders them and benefits by (expiry, id, source), so that nothing depends on the
// order in which they were listed; sets of either are bit masks.
#ifndef TXC_FLOWS_TRADE_PRICING_H
#define TXC_FLOWS_TRADE_PRICING_H

#include "flows/trade/solver.h"

// A benefit that could be used alone.
struct pricing_candidate {
    const struct solver_benefit *benefit;
    enum solver_layer layer;
    uint64_t condition, scope; // lines: what must be bought, what gets cheaper
    uint64_t conflicts;        // candidates
    uint32_t kinds;            // of tenders, as bits of the input's; all bits: whatever is paid by
    int64_t listed;            // list price of the condition scope
    int64_t cap;
    int64_t alone; // its discount when it is the only one
    // Per line where the rule counts by the line: what is off it, or (UNIT_PRICE) what it costs at most.
    const int64_t *amounts;
    size_t condition_scope, benefit_scope; // the two masks as indexes of `scopes`
    size_t clique;
    bool required;
};

// Candidates of which at most one is used, for the bounds: each is in exactly one clique, often alone.
struct pricing_clique {
    uint64_t members;
    uint64_t lines; // that any of them makes cheaper
    size_t scope;   // the same as an index of `scopes`
};

struct pricing {
    const struct solver_input *input;
    size_t n_lines;
    size_t line_at[SOLVER_LINES_MAX]; // the input's index of each line
    int64_t list[SOLVER_LINES_MAX];
    int64_t list_total;
    size_t n;
    struct pricing_candidate candidates[SOLVER_CANDIDATES_MAX];
    int64_t amounts[SOLVER_CANDIDATES_MAX][SOLVER_LINES_MAX]; // the candidates'
    size_t sequence[SOLVER_CANDIDATES_MAX];                   // candidates in the order in which they apply
    size_t tenders; // place in the sequence of the first tender-specific one; n: there is none
    uint32_t kinds; // of tenders, that any of these is for
    uint64_t scopes[3 * SOLVER_CANDIDATES_MAX];
    size_t n_scopes;
    struct pricing_clique cliques[SOLVER_CANDIDATES_MAX];
    size_t n_cliques;
    uint64_t coupons;                  // candidates that are coupons
    uint64_t required;                 // candidates
    bool cut;                          // more benefits were usable than there is room for
    int64_t steps_max;                 // of points, whatever is payable; 0: none
    enum solver_refusal *refusals;     // per benefit of the input, looked at alone
    const struct solver_benefit **ids; // the input's benefits by (source, id)
};

// Checks the input, screens each benefit alone and makes candidates of those that fit and whose bit is not false in
// `wanted` (per benefit of the input; NULL: all). `*ret_pricing` is in `arena` and borrows `input`. Errors as
// solver_solve's, but a required benefit that doesn't fit is the caller's to find.
bool pricing_prepare(const struct solver_input *input, const bool *wanted, struct arena *arena,
                     struct pricing **ret_pricing, struct error *error);

// The input's benefit with this id; NULL when there is none.
const struct solver_benefit *pricing_find(const struct pricing *pricing, enum solver_source source, struct str id);

// Why a benefit of the input can't be used even alone.
enum solver_refusal pricing_refusal(const struct pricing *pricing, const struct solver_benefit *benefit);

// The lines of a scope.
uint64_t pricing_scope(const struct pricing *pricing, const struct solver_names *scope);

// What a choice needs of a quota: with `amount` off (or spent), and what it is counted on.
int64_t pricing_quota(const struct pricing *pricing, enum solver_quota_unit unit, uint64_t condition, uint64_t scope,
                      int64_t amount);

int64_t pricing_sum(const int64_t *amounts, uint64_t lines);

// What a candidate takes off where `lines` are left, which add up to `benefit_left` and `condition_left` in its scopes;
// 0 when it does not fit. The less is left of each line, the less it takes off.
int64_t pricing_gain(const struct pricing_candidate *candidate, const int64_t *lines, int64_t benefit_left,
                     int64_t condition_left);

// Applies one candidate to what is left of each line: `after` (may be `before`) gets what is left then. On a refusal
// nothing is written.
enum solver_refusal pricing_apply(const struct pricing *pricing, const struct pricing_candidate *candidate,
                                  const int64_t *before, int64_t *after, int64_t *ret_discount);

struct pricing_points {
    int64_t points, value;
};

// The greatest number of points that may be spent where `left` is to be paid, and what they are worth.
struct pricing_points pricing_points(const struct pricing *pricing, int64_t left);

// Takes what points are worth, as pricing_points() allows it, from what is left of each line; `after` may be `before`.
void pricing_settle(const struct pricing *pricing, int64_t value, const int64_t *before, int64_t *after);

// The least payable, after points, of any amount from `least` to `greatest` that the benefits before them may leave.
// Not simply that of `least`: one unit more can be what allows another step of points.
int64_t pricing_least_payable(const struct pricing *pricing, int64_t least, int64_t greatest);

// The least number of points with which `left` or more comes down to `payable`.
int64_t pricing_least_points(const struct pricing *pricing, int64_t left, int64_t payable);

#endif
