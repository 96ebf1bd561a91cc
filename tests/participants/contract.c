#include "tests/participants/contract.h"

#include "sim/core.h"
#include "tests/cmocka.h"

#include <stdio.h>
#include <stdlib.h>

enum { TESTS_MAX = 1024, NAME_SIZE = 192 };

// One bed serves the whole suite: each test has a trade of its own.
struct suite {
    struct bed bed;
    unsigned number;
};

struct test {
    struct suite *suite;
    const struct contract_row *row;
    const struct contract_case *test_case;
};

static void prepare(struct contract_run *run) {
    for (size_t i = 0; i < CONTRACT_BEFORE_MAX && run->row->before[i].system; i++) {
        struct bed_call call = {
            .system = run->row->before[i].system,
            .method = run->row->before[i].method,
            .key = bed_text(run->bed, "%s/b%zu", run->trade_no, i + 1),
            .trade_no = run->trade_no,
            .order_no = run->order_no,
            .fields = contract_expand(run, run->row->before[i].fields),
        };
        if (strcmp(call.system, "sim") == 0) {
            bed_control(run->bed, call.method, call.fields);
            continue;
        }
        struct bed_answer answer = bed_must(run->bed, &call);
        if (strcmp(call.method, "CreateOrder") == 0)
            run->order_no = fields_text(answer.message, "order_no");
        if (strcmp(call.method, "EvaluateTrade") == 0)
            run->gift_id = fields_text(answer.message, "gifts[0].gift_id");
    }
}

static void run_one(void **state) {
    const struct test *test = *state;
    struct bed *bed = &test->suite->bed;
    bed_clear(bed);
    struct contract_run run = {
        .bed = bed, .row = test->row, .number = ++test->suite->number, .order_no = "", .gift_id = ""};
    run.trade_no = bed_text(bed, "T%u", run.number);
    run.key = bed_text(bed, "T%u/a", run.number);
    prepare(&run);
    test->test_case->run(&run);
    assert_int_equal(bed_stat(bed, test->row->system, "took_effect_twice"), 0);
}

static bool only_reads(const struct sim_system_def *def) {
    for (size_t i = 0; i < def->n_methods; i++)
        if (def->methods[i].op != SIM_READ)
            return false;
    return true;
}

// Every action and every compensation of every system has a row; of a system that has none, every read.
static void covers_every_method(void **state) {
    (void)state;
    for (size_t i = 0; i < SIM_SYSTEMS; i++)
        for (size_t k = 0; k < sim_system_defs[i]->n_methods; k++) {
            const struct sim_method *method = &sim_system_defs[i]->methods[k];
            bool covered = method->op == SIM_INQUIRE || (method->op == SIM_READ && !only_reads(sim_system_defs[i]));
            for (const struct contract_row *row = contract_rows; row->system; row++)
                covered |=
                    strcmp(row->system, sim_system_defs[i]->name) == 0 &&
                    (strcmp(row->method, method->name) == 0 || (row->undo && strcmp(row->undo, method->name) == 0));
            if (!covered)
                fail_msg("no row has %s of %s", method->name, sim_system_defs[i]->name);
        }
}

static void add_tests(struct suite *suite, struct CMUnitTest *tests, struct test *runs, char (*names)[NAME_SIZE],
                      size_t *n) {
    tests[(*n)++] = (struct CMUnitTest){"every method has a row", covers_every_method, NULL, NULL, NULL};
    for (const struct contract_row *row = contract_rows; row->system; row++)
        for (const struct contract_case *it = contract_cases; it->name; it++) {
            if ((it->needs_undo && !row->undo) || it->reads != !row->kind)
                continue;
            assert_true(*n < TESTS_MAX);
            snprintf(names[*n], NAME_SIZE, "%s %s%s%s: %s", row->system, row->method, row->undo ? "/" : "",
                     row->undo ? row->undo : "", it->name);
            runs[*n] = (struct test){suite, row, it};
            tests[*n] = (struct CMUnitTest){names[*n], run_one, NULL, NULL, &runs[*n]};
            (*n)++;
        }
}

int contract_run(const char *group, enum bed_kind kind) {
    struct CMUnitTest *tests = calloc(TESTS_MAX, sizeof *tests);
    struct test *runs = calloc(TESTS_MAX, sizeof *runs);
    char(*names)[NAME_SIZE] = calloc(TESTS_MAX, sizeof *names);
    struct suite *suite = calloc(1, sizeof *suite);
    int failed = 1;
    size_t n = 0;
    if (tests && runs && names && suite) {
        bed_open(&suite->bed, kind);
        bed_control(&suite->bed, "SetCard", "card_no=C0001 user_id=U0001 principal=CNY7000000 bonus=CNY3000000");
        bed_control(&suite->bed, "SetPoints", "user_id=U0001 available=10000000");
        add_tests(suite, tests, runs, names, &n);
        failed = _cmocka_run_group_tests(group, tests, n, NULL, NULL);
        bed_clear(&suite->bed);
        bed_close(&suite->bed);
    }
    free(suite);
    free(names);
    free(runs);
    free(tests);
    return failed;
}
