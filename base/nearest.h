// "Did you mean …?": the candidate that is nearest to what somebody wrote, when it is near enough to be what was meant.
#ifndef TXC_BASE_NEAREST_H
#define TXC_BASE_NEAREST_H

#include "base/str.h"

struct nearest {
    struct str wanted;
    struct str best;   // borrowed from the candidate; ptr NULL: none is near enough
    unsigned distance; // of `best`; a candidate must be nearer
};

// `wanted` is borrowed. Near enough is at most one change (a byte put in, taken out or replaced) for three bytes, and
// one more.
void nearest_init(struct nearest *nearest, struct str wanted);

// The first of several that are equally near stays.
void nearest_consider(struct nearest *nearest, struct str candidate);

#endif
