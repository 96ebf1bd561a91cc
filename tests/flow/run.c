// Runs the cases of one table on one bed:
//   flow virtual|process TABLE
// On the virtual bed each test has a world of its own; with processes those of the same settings share one.
#include "tests/flow/cases.h"
#include "tests/flow/guard.h"

#include <stdio.h>
#include <stdlib.h>

static const struct flow_cases *const all[] = {
#define X(what) &flow_cases_##what,
    FLOW_CASES(X)
#undef X
};

struct running {
    const struct flow_case *test;
    bool over_processes;
    bool ended;
};

static struct flow_bed *shared; // the world of processes, and how it is configured

static bool fits(const struct flow_bed *bed, const struct flow_settings *settings) {
    const struct flow_settings *has = &bed->settings;
    return has->quote_ttl_s == settings->quote_ttl_s && has->attempt_ttl_s == settings->attempt_ttl_s &&
           has->callers == settings->callers && has->a_day_of_refunds == settings->a_day_of_refunds &&
           has->os_off == settings->os_off && has->os_caller == settings->os_caller &&
           has->facts_ttl_s == settings->facts_ttl_s && has->user_ms == settings->user_ms &&
           has->coupons_ms == settings->coupons_ms && has->cash_first == settings->cash_first &&
           has->shortfall_refunds == settings->shortfall_refunds;
}

static struct flow_bed *bed_for(const struct running *running) {
    if (!running->over_processes)
        return flow_virtual_open(&running->test->settings);
    if (shared && !fits(shared, &running->test->settings)) {
        shared->ops->close(shared);
        shared = NULL;
    }
    if (!shared)
        shared = flow_process_open(&running->test->settings);
    return shared;
}

static void run(void **state) {
    struct running *running = *state;
    struct flow_bed *bed = bed_for(running);
    running->ended = false;
    flow_begin(bed);
    running->test->run(bed);
    flow_end(bed);
    running->ended = true;
    if (!running->over_processes)
        bed->ops->close(bed);
}

// What failed in the middle of something is left as it is, but for its processes: the next test has a world of its own,
// and the folder is there until this process ends.
static int after(void **state) {
    const struct running *running = *state;
    if (running->over_processes && !running->ended && shared) {
        shared->ops->kill_center(shared);
        shared->ops->kill_sim(shared);
        shared = NULL;
    }
    return 0;
}

static const struct flow_cases *cases_named(const char *name) {
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

int main(int argc, char **argv) {
    const struct flow_cases *cases = argc >= 3 ? cases_named(argv[2]) : NULL;
    if (!cases || (strcmp(argv[1], "virtual") != 0 && strcmp(argv[1], "process") != 0)) {
        fprintf(stderr, "usage: flow virtual|process TABLE [FILTER]\n");
        return 2;
    }
    bool over_processes = strcmp(argv[1], "process") == 0;
    struct CMUnitTest *tests = calloc(cases->n, sizeof *tests);
    struct running *running = calloc(cases->n, sizeof *running);
    size_t n = 0;
    if (!tests || !running || (over_processes && !guard_start()))
        return 1;
    for (size_t i = 0; i < cases->n; i++) {
        if (over_processes && cases->list[i].virtual_only)
            continue;
        running[n] = (struct running){.test = &cases->list[i], .over_processes = over_processes};
        tests[n] = (struct CMUnitTest){
            .name = cases->list[i].name, .test_func = run, .teardown_func = after, .initial_state = &running[n]};
        n++;
    }
    if (argc > 3)
        cmocka_set_test_filter(argv[3]);
    int failed = _cmocka_run_group_tests(cases->name, tests, n, NULL, NULL);
    if (shared)
        shared->ops->close(shared);
    free(tests);
    free(running);
    return failed;
}
