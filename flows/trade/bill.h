// One set of benefits, priced in full: what each takes off each line, and the quota that goes with it. Internal to the
// solver.
#ifndef TXC_FLOWS_TRADE_BILL_H
#define TXC_FLOWS_TRADE_BILL_H

#include "flows/trade/pricing.h"

struct bill_verdict {
    enum solver_refusal refusal;
    struct str refused_id;                 // the benefit; empty for points
    struct solver_combination combination; // with SOLVER_FITS
};

// Prices the candidates in `members` with exactly so many points. False when the arena is too small.
bool bill_price(const struct pricing *pricing, uint64_t members, int64_t points, struct arena *arena,
                struct bill_verdict *ret_verdict);

#endif
