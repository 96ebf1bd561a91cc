// What becomes of what has ended: subjects that go with all of their sagas, what is kept of them, and whether the
// patrol's sums are right. What a late payment needs to know stays (E15).
#ifndef TXC_TESTS_SIMULATION_ESTATE_H
#define TXC_TESTS_SIMULATION_ESTATE_H

#include "saga/estate.h"
#include "tests/simulation/subject.h"

extern const struct saga_estate sim_estate;

// Whether everything about it has ended, as far as its rows say.
bool estate_is_closed(const struct sim_subject *subject);

#endif
