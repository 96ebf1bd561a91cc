// The arena of a group of tests: as large as one call of the solver may need.
//   cmocka_run_group_tests_name("flows.rule", tests, arena_setup, arena_teardown)
#ifndef TXC_TESTS_FLOWS_ARENA_H
#define TXC_TESTS_FLOWS_ARENA_H

#include "base/arena.h"

extern struct arena arena;

int arena_setup(void **state);
int arena_teardown(void **state);

#endif
