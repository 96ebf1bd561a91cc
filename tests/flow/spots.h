// Where a saga of a trade can be when an operator does something to it: each spot is reached from nothing, with faults
// that hold it there.
#ifndef TXC_TESTS_FLOW_SPOTS_H
#define TXC_TESTS_FLOW_SPOTS_H

#include "tests/flow/story.h"

struct flow_spot {
    const char *name;
    const char *flow; // of the saga that is meant: "trade.purchase", …
    // Brings a new trade there. Faults stay; the saga's gid is what it returns.
    const char *(*reach)(struct flow_bed *bed, struct flow_trade *trade);
    bool leaves; // what is terminated there leaves things undone elsewhere
};

extern const struct flow_spot flow_spots[];
extern const size_t n_flow_spots;

// Everything that the next trade wants: coupons, points and money for its user. `n` tells it from the others.
void flow_provide(struct flow_bed *bed, unsigned n);

// The trade goes on, whatever was done to it: faults are gone, what is paused is resumed, payers pay whatever they can
// still pay, parked steps are tried again, and there is time enough for all of it.
void flow_play_out(struct flow_bed *bed, const struct flow_trade *trade);

#endif
