// Which events met which states of the machine, and how often: every application of saga_machine_apply() by the driver
// is counted. A pair that the seeds 1..4000 never show fails a run, unless it stands in the list of what can't be, with
// the reason; and one that stands there and is seen fails it, too.
#ifndef TXC_TESTS_SIMULATION_COVERAGE_H
#define TXC_TESTS_SIMULATION_COVERAGE_H

#include "saga/machine.h"

#include <stdio.h>

// The saga's status, as far as the machine tells them apart.
enum coverage_status { ON_RUNNING, ON_FORWARD, ON_COMPENSATING, ON_PAUSED, ON_STATUSES };

// Events, told apart as the machine does.
enum coverage_event {
    AT_STARTED,
    AT_RESUMED,
    AT_TIMER,
    AT_POKED,
    AT_SUSPECTED,
    AT_HELD,
    AT_OK,
    AT_REJECTED,
    AT_FAILED,
    AT_UNKNOWN,
    AT_NEVER_SEEN,
    AT_DONE,
    AT_REJECT,
    AT_WAIT,
    AT_ASK,
    AT_PARK,
    AT_RETRY,
    AT_SKIP,
    AT_COMPENSATE,
    AT_RESOLVE_OK,
    AT_RESOLVE_NO,
    AT_PAUSE,
    AT_RESUME,
    AT_TERMINATE,
    AT_EVENTS
};

struct coverage {
    uint64_t seen[ON_STATUSES][LEG_STATES][AT_EVENTS];
    uint64_t after_end; // events that came when the saga had ended
};

enum { COVERAGE_SEEDS = 4000 }; // from 1; enough of them for what is rare

// Where the machine's applications are counted from now on.
void coverage_begin(struct coverage *coverage);

// Adds `more` to `sum`.
void coverage_add(struct coverage *sum, const struct coverage *more);

// The table of what was seen.
void coverage_print(const struct coverage *coverage, FILE *out);

// What was seen though it can't be, and, when `complete`, what was not seen though it can be. How many lines that was.
unsigned coverage_faults(const struct coverage *coverage, bool complete, FILE *out);

const char *coverage_status_name(enum coverage_status status);
const char *coverage_event_name(enum coverage_event event);

#endif
