// The machine row by row: an event, the effects that it must have, and how the saga stands afterwards.
#ifndef TXC_TESTS_SAGA_HAND_ROWS_H
#define TXC_TESTS_SAGA_HAND_ROWS_H

#include "tests/saga/hand.h"

struct hand_row {
    const char *event;   // see do_event() in hand_rows.c
    const char *effects; // NULL: whatever they are
    const char *picture; // NULL: whatever it is
};

enum { HAND_ROWS_MAX = 20 };
struct hand_case {
    const char *what;
    const struct saga_flow *flow;
    struct hand_row rows[HAND_ROWS_MAX];
};

// Each case is a test of this group. For main().
int hand_run_cases(const char *group, const struct hand_case *cases, size_t n);

#endif
