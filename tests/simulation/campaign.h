// Plays many seeds, in processes of their own, so that a rule that is broken, an assertion and a hang are all only a
// failure of their seed.
#ifndef TXC_TESTS_SIMULATION_CAMPAIGN_H
#define TXC_TESTS_SIMULATION_CAMPAIGN_H

#include "tests/simulation/coverage.h"
#include "tests/simulation/world.h"

enum { CAMPAIGN_FAILURES_MAX = 32, CAMPAIGN_JOBS_MAX = 64 };

struct campaign {
    uint64_t from, to;
    unsigned jobs;
    enum plant plant;
    bool keep_going; // after the first failure
    bool quiet;      // no progress
    // What it came to.
    struct tally tally;
    struct coverage coverage;
    uint64_t digest; // of all traces; does not depend on who played which seed
    unsigned n_failures;
    struct report failures[CAMPAIGN_FAILURES_MAX];
    double seconds;
};

void campaign_run(struct campaign *campaign);

// Plays one plan in a process of its own; true when nothing was broken. `out` NULL: no trace.
bool campaign_try(const struct plan *plan, enum plant plant, FILE *out, struct report *ret_report);

#endif
