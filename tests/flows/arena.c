#include "tests/flows/arena.h"

#include "flows/trade/solver.h"

struct arena arena;

int arena_setup(void **state) {
    (void)state;
    arena_init(&arena, SOLVER_ARENA_BYTES);
    return 0;
}

int arena_teardown(void **state) {
    (void)state;
    arena_release(&arena);
    return 0;
}
