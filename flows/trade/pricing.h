// What one set of benefits costs: the rules of solver.h, prepared for many sets of one purchase. Internal to the
// solver.
//
// Lines are renumbered by (kind, code, amount) and coupons by (expiry, id), so that nothing depends on the order in
// which they were listed; sets of either are bit masks.
#ifndef TXC_FLOWS_TRADE_PRICING_H
#define TXC_FLOWS_TRADE_PRICING_H

#include "flows/trade/solver.h"

// A coupon that could be used alone.
struct pricing_candidate {
    const struct solver_coupon *coupon;
    uint64_t condition, benefit; // lines
    uint64_t conflicts;          // candidates
    int64_t alone;               // its discount when it is the only one
    size_t condition_scope;      // the two masks as indexes of `scopes`
    size_t benefit_scope;
    size_t group; // index of its exclusive group; PRICING_NO_GROUP
    bool required;
};

enum { PRICING_NO_GROUP = SOLVER_CANDIDATES_MAX };

struct pricing {
    const struct solver_input *input;
    size_t n_lines;
    size_t line_at[SOLVER_LINES_MAX]; // the input's index of each line
    int64_t list[SOLVER_LINES_MAX];
    int64_t list_total;
    size_t n;
    struct pricing_candidate candidates[SOLVER_CANDIDATES_MAX];
    size_t sequence[SOLVER_CANDIDATES_MAX]; // candidates in the order in which they apply
    uint64_t scopes[2 * SOLVER_CANDIDATES_MAX];
    size_t n_scopes;
    size_t n_groups;
    uint64_t required;                // candidates
    bool cut;                         // more coupons were usable than there is room for
    int64_t steps_max;                // of points, whatever is payable; 0: none
    enum solver_refusal *refusals;    // per coupon of the input, looked at alone
    const struct solver_coupon **ids; // the input's coupons by id
};

// Checks the input, screens each coupon alone and makes candidates of those that fit and whose bit is not false in
// `wanted` (per coupon of the input; NULL: all). `*ret_pricing` is in `arena` and borrows `input`. Errors as
// solver_solve's, but a required coupon that doesn't fit is the caller's to find.
bool pricing_prepare(const struct solver_input *input, const bool *wanted, struct arena *arena,
                     struct pricing **ret_pricing, struct error *error);

// The input's coupon with this id; NULL when there is none.
const struct solver_coupon *pricing_find(const struct pricing *pricing, struct str id);

// Why a coupon of the input can't be used even alone.
enum solver_refusal pricing_refusal(const struct pricing *pricing, const struct solver_coupon *coupon);

// What a candidate takes off where `scope_left` is left in its benefit scope.
int64_t pricing_discount(const struct solver_coupon *coupon, int64_t scope_left);

int64_t pricing_sum(const int64_t *amounts, uint64_t lines);

// Applies one candidate to what is left of each line: `after` (may be `before`) gets what is left then. On a refusal
// nothing is written.
enum solver_refusal pricing_apply(const struct pricing *pricing, const struct pricing_candidate *candidate,
                                  const int64_t *before, int64_t *after, int64_t *ret_discount);

struct pricing_points {
    int64_t points, value;
};

// The greatest number of points that may be spent where `left` is to be paid, and what they are worth.
struct pricing_points pricing_points(const struct pricing *pricing, int64_t left);

// The least payable, after points, of any amount from `least` to `greatest` that coupons may leave. Not simply that of
// `least`: one unit more can be what allows another step of points.
int64_t pricing_least_payable(const struct pricing *pricing, int64_t least, int64_t greatest);

// The least number of points with which `left` or more comes down to `payable`.
int64_t pricing_least_points(const struct pricing *pricing, int64_t left, int64_t payable);

#endif
