// What a participant has of a trade, and the trade has nothing of: what was done under the key of none of its sagas,
// and what is about a tender, an account or a coupon that is none of its.
#ifndef TXC_TESTS_CHECK_STRANGERS_H
#define TXC_TESTS_CHECK_STRANGERS_H

#include "tests/check/said.h"

// Tells each of them. `trade` is as GetTrade shows it, and has ended.
void strangers_of(const Txcenter__Trade__V1__Trade *trade, const struct said_run *run, said_tell_fn *tell, void *ctx);

#endif
