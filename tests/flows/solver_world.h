// Small worlds for the solver: purchases with benefits and points, made from a stream of numbers. The stream is either
// pseudo-random, by a seed, or the bytes of a fuzzer.
#ifndef TXC_TESTS_FLOWS_SOLVER_WORLD_H
#define TXC_TESTS_FLOWS_SOLVER_WORLD_H

#include "flows/trade/solver.h"
#include "tests/base/seeded.h"

struct entropy {
    struct seeded seeded; // without bytes
    const uint8_t *bytes; // borrowed
    size_t n_bytes;
};

// A number from 0 to n - 1; n > 0.
uint64_t entropy_below(struct entropy *entropy, uint64_t n);

enum {
    WORLD_LINES_MAX = 12,
    WORLD_BENEFITS_MAX = 48,
    WORLD_NAMES_MAX = 4,
    WORLD_LIMITS_MAX = 2,
    WORLD_NOW_MS = 1000000
};

// The input points into the world itself: it must not be moved, and lives as long as the world.
struct world {
    struct solver_input input;
    struct solver_line lines[WORLD_LINES_MAX];
    struct solver_benefit benefits[WORLD_BENEFITS_MAX];
    struct str conditions[WORLD_BENEFITS_MAX][WORLD_NAMES_MAX];
    struct str scopes[WORLD_BENEFITS_MAX][WORLD_NAMES_MAX];
    struct str conflicts[WORLD_BENEFITS_MAX][WORLD_NAMES_MAX];
    struct str kinds[WORLD_BENEFITS_MAX][WORLD_NAMES_MAX];
    int64_t computed[WORLD_BENEFITS_MAX][WORLD_LINES_MAX];
    struct solver_bearer bearers[WORLD_BENEFITS_MAX][WORLD_NAMES_MAX];
    struct solver_limit limits[WORLD_LIMITS_MAX];
    struct str limit_scopes[WORLD_LIMITS_MAX][WORLD_NAMES_MAX];
    struct str required[1], excluded[1];
};

// A world of small numbers and of every kind of rule, in which thresholds, caps, ties, expiries and clipped discounts
// meet often. At most so many lines and benefits.
void world_small(struct world *world, struct entropy *entropy, size_t max_lines, size_t max_benefits);

// A believable one: prices in the hundreds of yuan, coupons of a few kinds, some of them exclusive, one rule of points.
// Exactly so many lines and coupons.
void world_believable(struct world *world, struct entropy *entropy, size_t n_lines, size_t n_benefits);

// One whose coupons can all be used together and do not use up the price, so that only bounds cut the search.
void world_stackable(struct world *world, struct entropy *entropy, size_t n_lines, size_t n_benefits);

// One whose coupons are worth far more than the purchase and half of them alike, so that very many sets cost the same.
void world_abundant(struct world *world, struct entropy *entropy, size_t n_lines, size_t n_benefits);

// A believable one with benefits of every source and kind, as a day at a petrol station may offer them at most.
void world_mixed(struct world *world, struct entropy *entropy, size_t n_lines, size_t n_benefits);

// The same world in another order of lines, benefits and names, in `ret_shuffled`.
void world_shuffle(const struct world *world, struct entropy *entropy, struct world *ret_shuffled);

#endif
