// How long the solver takes: per kind of world, p50 and p99 in microseconds and the share of exact answers.
//   bench_solver [worlds [coupons [lines]]]     (default 2000 20 10)
#include "base/clock.h"
#include "tests/flows/solver_world.h"

#include <stdio.h>
#include <stdlib.h>

typedef void make_world_fn(struct world *world, struct entropy *entropy, size_t n_lines, size_t n_coupons);

static const struct {
    const char *name;
    make_world_fn *make;
} kinds[] = {{"believable", world_believable}, {"stackable", world_stackable}, {"abundant", world_abundant}};

struct samples {
    int64_t *ns;
    uint64_t *nodes;
    size_t n, exact;
};

static int by_value(const void *a, const void *b) {
    int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

static bool measure(make_world_fn *make, size_t n_lines, size_t n_coupons, struct samples *samples) {
    static struct world world;
    struct arena arena;
    arena_init(&arena, SOLVER_ARENA_BYTES);
    samples->exact = 0;
    for (size_t i = 0; i < samples->n; i++) {
        struct entropy entropy = {.seeded = {i}};
        struct solver_result result;
        struct error error = {0};
        make(&world, &entropy, n_lines, n_coupons);
        world.input.node_budget = SOLVER_NODE_BUDGET;
        arena_reset(&arena);
        int64_t begin = clock_monotonic_ns();
        if (!solver_solve(&world.input, &arena, &result, &error)) {
            fprintf(stderr, "world %zu: %s\n", i, error.text);
            arena_release(&arena);
            return false;
        }
        samples->ns[i] = clock_monotonic_ns() - begin;
        samples->nodes[i] = result.nodes;
        samples->exact += result.exact;
    }
    arena_release(&arena);
    return true;
}

static size_t argument(int argc, char **argv, int at, size_t otherwise, size_t most) {
    size_t value = argc > at ? (size_t)strtoull(argv[at], NULL, 10) : otherwise;
    return value < 1 ? 1 : value > most ? most : value;
}

int main(int argc, char **argv) {
    struct samples samples = {.n = argument(argc, argv, 1, 2000, 10000000)};
    size_t n_coupons = argument(argc, argv, 2, 20, WORLD_COUPONS_MAX);
    size_t n_lines = argument(argc, argv, 3, 10, WORLD_LINES_MAX);
    samples.ns = calloc(samples.n, sizeof *samples.ns);
    samples.nodes = calloc(samples.n, sizeof *samples.nodes);
    if (!samples.ns || !samples.nodes)
        return 1;
    printf("%zu worlds each, %zu coupons, %zu lines, budget %d nodes\n", samples.n, n_coupons, n_lines,
           SOLVER_NODE_BUDGET);
    printf("%-12s %10s %10s %10s %10s %10s\n", "world", "p50 us", "p99 us", "max us", "p99 nodes", "exact %");
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        if (!measure(kinds[k].make, n_lines, n_coupons, &samples))
            return 1;
        qsort(samples.ns, samples.n, sizeof *samples.ns, by_value);
        qsort(samples.nodes, samples.n, sizeof *samples.nodes, by_value);
        printf("%-12s %10.1f %10.1f %10.1f %10llu %10.3f\n", kinds[k].name, (double)samples.ns[samples.n / 2] / 1e3,
               (double)samples.ns[samples.n * 99 / 100] / 1e3, (double)samples.ns[samples.n - 1] / 1e3,
               (unsigned long long)samples.nodes[samples.n * 99 / 100],
               100 * (double)samples.exact / (double)samples.n);
    }
    free(samples.ns);
    free(samples.nodes);
    return 0;
}
