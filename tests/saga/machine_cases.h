// The machine's tests as tables: an event, the effects that it must have, and how the saga stands afterwards. The words
// of events are in machine_cases.c.
#ifndef TXC_TESTS_SAGA_MACHINE_CASES_H
#define TXC_TESTS_SAGA_MACHINE_CASES_H

#include "saga/flow.h"

struct machine_row {
    const char *event;
    const char *effects; // NULL: whatever they are
    const char *picture; // NULL: whatever it is
};

enum { MACHINE_ROWS_MAX = 20 };

struct machine_case {
    const char *what;
    const struct saga_flow *flow;
    struct machine_row rows[MACHINE_ROWS_MAX];
};

// Runs each case as a test of its own; what main() returns.
int machine_cases_run(const char *name, const struct machine_case *cases, size_t n);

#endif
