// How long the solver takes: per kind of world, p50 and p99 in microseconds of CPU time (it does nothing but compute,
// so a busy machine does not count) and the share of exact answers. Every benefit is a candidate: it could be used
// alone.
//   bench_solver [worlds [benefits [lines]]]     (default 2000 20 10)
#include "tests/flows/solver_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef void make_world_fn(struct world *world, struct entropy *entropy, size_t n_lines, size_t n_benefits);

static const struct {
    const char *name;
    make_world_fn *make;
} kinds[] = {{"mixed", world_mixed},
             {"believable", world_believable},
             {"stackable", world_stackable},
             {"abundant", world_abundant}};

enum { WORLDS_MAX = 100000 };

struct samples {
    int64_t *ns;
    int64_t *nodes;
    size_t n, exact, candidates;
};

static int by_value(const void *a, const void *b) {
    int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

static int64_t cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool fits_alone(const struct solver_input *input, const struct solver_benefit *benefit, struct arena *arena) {
    struct solver_choice choice = {.points = 0};
    struct solver_replayed replayed;
    struct error error = {0};
    choice.ids[benefit->source] = (struct solver_names){&benefit->id, 1};
    arena_reset(arena);
    return solver_replay(input, &choice, arena, &replayed, &error) && replayed.refusal == SOLVER_FITS;
}

// Keeps `n` of the listed benefits, all of which could be used alone: so many candidates there are.
static void keep_usable(struct world *world, size_t n, struct arena *arena) {
    size_t kept = 0;
    for (size_t i = 0; i < world->input.n_benefits && kept < n; i++)
        if (fits_alone(&world->input, &world->benefits[i], arena)) {
            struct solver_benefit swap = world->benefits[kept];
            world->benefits[kept++] = world->benefits[i];
            world->benefits[i] = swap;
        }
    world->input.n_benefits = kept;
}

static bool measure(make_world_fn *make, size_t n_lines, size_t n_benefits, struct samples *samples) {
    static struct world world;
    struct arena arena;
    arena_init(&arena, SOLVER_ARENA_BYTES);
    samples->exact = samples->candidates = 0;
    for (size_t i = 0; i < samples->n; i++) {
        struct entropy entropy = {.seeded = {i}};
        struct solver_result result;
        struct error error = {0};
        make(&world, &entropy, n_lines,
             n_benefits * 8 / 5 < WORLD_BENEFITS_MAX ? n_benefits * 8 / 5 : WORLD_BENEFITS_MAX);
        keep_usable(&world, n_benefits, &arena);
        samples->candidates += world.input.n_benefits;
        world.input.node_budget = SOLVER_NODE_BUDGET;
        arena_reset(&arena);
        int64_t begin = cpu_ns();
        if (!solver_solve(&world.input, &arena, &result, &error)) {
            fprintf(stderr, "world %zu: %s\n", i, error.text);
            arena_release(&arena);
            return false;
        }
        samples->ns[i] = cpu_ns() - begin;
        samples->nodes[i] = (int64_t)result.nodes;
        samples->exact += result.exact;
    }
    arena_release(&arena);
    return true;
}

static size_t argument(int argc, char **argv, int at, size_t otherwise, size_t most) {
    size_t value = argc > at ? (size_t)strtoull(argv[at], NULL, 10) : otherwise;
    return value < 1 ? 1 : value > most ? most : value;
}

static double microseconds(const struct samples *samples, size_t percent) {
    size_t at = samples->n * percent / 100;
    return (double)samples->ns[at < samples->n ? at : samples->n - 1] / 1e3;
}

static void report(const char *name, struct samples *samples) {
    qsort(samples->ns, samples->n, sizeof *samples->ns, by_value);
    qsort(samples->nodes, samples->n, sizeof *samples->nodes, by_value);
    size_t at = samples->n * 99 / 100;
    printf("%-12s %10.1f %10.1f %10.1f %10.1f %10lld %10.3f\n", name, (double)samples->candidates / (double)samples->n,
           microseconds(samples, 50), microseconds(samples, 99), microseconds(samples, 100),
           (long long)samples->nodes[at], 100 * (double)samples->exact / (double)samples->n);
}

int main(int argc, char **argv) {
    static int64_t ns[WORLDS_MAX], nodes[WORLDS_MAX];
    struct samples samples = {.ns = ns, .nodes = nodes, .n = argument(argc, argv, 1, 2000, WORLDS_MAX)};
    size_t n_benefits = argument(argc, argv, 2, 20, WORLD_BENEFITS_MAX);
    size_t n_lines = argument(argc, argv, 3, 10, WORLD_LINES_MAX);
    printf("%zu worlds each, %zu benefits, %zu lines, budget %d nodes\n", samples.n, n_benefits, n_lines,
           SOLVER_NODE_BUDGET);
    printf("%-12s %10s %10s %10s %10s %10s %10s\n", "world", "candidates", "p50 us", "p99 us", "max us", "p99 nodes",
           "exact %");
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        if (!measure(kinds[k].make, n_lines, n_benefits, &samples))
            return 1;
        report(kinds[k].name, &samples);
    }
    return 0;
}
