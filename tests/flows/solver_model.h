// The solver's rules a second time, as plainly as they can be written: every set is priced from scratch and all of them
// are sorted. Shares no code with the solver. For small worlds only.
#ifndef TXC_TESTS_FLOWS_SOLVER_MODEL_H
#define TXC_TESTS_FLOWS_SOLVER_MODEL_H

#include "flows/trade/solver.h"

enum { MODEL_LINES_MAX = 12, MODEL_BENEFITS_MAX = 12, MODEL_SETS_MAX = 1 << MODEL_BENEFITS_MAX };

struct model_price {
    bool legal;
    unsigned set; // benefits of the input, as bits
    int count, coupons;
    uint32_t tender_kinds;
    int64_t points;
    int64_t discount[SOLVER_LAYERS];
    int64_t payable;
    int64_t shares[SOLVER_LAYERS][MODEL_LINES_MAX]; // by the input's lines
    int64_t left[MODEL_LINES_MAX];
};

// Prices one set of the input's benefits.
void model_price(const struct solver_input *input, unsigned set, struct model_price *ret_price);

// The sets that a solver must answer, best first, without the last one of no benefits: `ret_sets` has room for
// MODEL_SETS_MAX. Returns how many there are in all, however many were asked for.
size_t model_rank(const struct solver_input *input, struct model_price *ret_sets);

#endif
