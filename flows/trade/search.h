// Which sets of candidates are the best: branch and bound, and a beam where that is too much. Internal to the solver.
#ifndef TXC_FLOWS_TRADE_SEARCH_H
#define TXC_FLOWS_TRADE_SEARCH_H

#include "flows/trade/pricing.h"

// A legal set of candidates with what it comes to.
struct search_set {
    uint64_t members;
    int coupons;
    int64_t saved; // by its benefits, points apart
    int64_t points;
    int64_t payable;
};

struct search_result {
    struct search_set best[SOLVER_COMBINATIONS_MAX]; // best first; only sets that save something
    size_t n;
    bool exact;
    uint64_t nodes;
};

// Fills in the best max_combinations sets that hold every required candidate. False when the arena is too small.
bool search_run(const struct pricing *pricing, struct arena *arena, struct search_result *ret_result);

#endif
