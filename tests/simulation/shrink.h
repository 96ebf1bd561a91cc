// Makes a failure small: leaves out as many items of its plan as it can without it.
#ifndef TXC_TESTS_SIMULATION_SHRINK_H
#define TXC_TESTS_SIMULATION_SHRINK_H

#include "tests/simulation/world.h"

// Changes plan->left_out; `report` becomes that of the small one. Returns how many runs it took.
unsigned shrink(struct plan *plan, enum plant plant, struct report *report);

#endif
