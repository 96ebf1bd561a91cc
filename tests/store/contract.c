#include "tests/store/contract.h"

#include "tests/cmocka.h"
#include "tests/store/items.h"

#include <stdio.h>
#include <stdlib.h>

struct run {
    const struct bed_variant *variant;
    const struct contract_case *contract_case;
    struct bed bed;
};

static int set_up(void **state) {
    struct run *run = *state;
    bed_create(&run->bed, run->variant);
    bed_open(&run->bed, item_tables);
    return 0;
}

static int tear_down(void **state) {
    struct run *run = *state;
    bed_destroy(&run->bed);
    return 0;
}

static void run_case(void **state) {
    struct run *run = *state;
    run->contract_case->run(&run->bed);
}

static bool fits(const struct contract_case *contract_case, const struct bed_variant *variant) {
    return (!contract_case->needs_faults || variant->faulty) && (!contract_case->alone || !variant->threaded) &&
           (!contract_case->needs_sharing || variant->kind->shared);
}

int contract_run(const char *group, const struct bed_variant *variants, size_t n_variants) {
    static const struct contract_case *const lists[] = {contract_writes, contract_batches, contract_faults,
                                                        contract_reads,  contract_schema,  contract_instances,
                                                        contract_beside};
    enum { TESTS_MAX = 640, NAME_MAX = 160 };
    struct CMUnitTest *tests = calloc(TESTS_MAX, sizeof *tests);
    struct run *runs = calloc(TESTS_MAX, sizeof *runs);
    char(*names)[NAME_MAX] = calloc(TESTS_MAX, sizeof *names);
    size_t n = 0;
    for (size_t v = 0; tests && runs && names && v < n_variants; v++)
        for (size_t l = 0; l < sizeof lists / sizeof lists[0]; l++)
            for (const struct contract_case *c = lists[l]; c->name; c++) {
                if (!fits(c, &variants[v]) || n == TESTS_MAX)
                    continue;
                snprintf(names[n], NAME_MAX, "%s, %s%s%s: %s", variants[v].kind->name,
                         variants[v].threaded ? "threaded" : "inline", variants[v].faulty ? ", faulty" : "",
                         variants[v].plain ? ", plain" : "", c->name);
                runs[n] = (struct run){.variant = &variants[v], .contract_case = c};
                tests[n] = (struct CMUnitTest){names[n], run_case, set_up, tear_down, &runs[n]};
                n++;
            }
    int failed = n > 0 && n < TESTS_MAX ? _cmocka_run_group_tests(group, tests, n, NULL, NULL) : 1;
    free(names);
    free(runs);
    free(tests);
    return failed;
}
