// How a coupon's rule is kept, for whoever brings coupons into the world.
#ifndef TXC_SIM_COUPON_H
#define TXC_SIM_COUPON_H

#include "participant/coupon/v1/coupon.pb-c.h"
#include "sim/world.h"

// Fills the rule of `coupon` into the row (not its template_id). False: *error names the fields that don't fit.
bool sim_template_from(const Participant__Coupon__V1__Coupon *coupon, struct sim_template_row *row,
                       struct error *error);

#endif
