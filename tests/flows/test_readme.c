// README.md prints a purchase's timeline, without the steps that it did not need: the others are the flow's own, in its
// order.
#include "flows/trade/purchase.h"
#include "tests/cmocka.h"

#include <stdio.h>

enum { LINE_BYTES = 400, STEPS_LEAST = 10 };

// A row of the timeline: its step's stage and name. False: the line is none.
static bool row_of(const char *line, int64_t *ret_stage, char name[LINE_BYTES]) {
    struct str rest = str_trim(str_c(line)), stage = str_cut(&rest, ' ');
    rest = str_trim(rest);
    return str_starts(str_c(line), STR("    ")) && str_to_i64(stage, ret_stage) &&
           str_copy(str_cut(&rest, ' '), name, LINE_BYTES);
}

static const struct saga_step *step_behind(const struct saga_step *last, const char *name) {
    const struct saga_step *end = purchase_flow.steps + purchase_flow.n_steps;
    for (const struct saga_step *step = last ? last + 1 : purchase_flow.steps; step < end; step++)
        if (strcmp(step->name, name) == 0)
            return step;
    return NULL;
}

static void test_the_timeline_is_of_todays_flow(void **state) {
    (void)state;
    char line[LINE_BYTES], name[LINE_BYTES];
    const struct saga_step *step = NULL;
    int64_t stage;
    unsigned rows = 0;
    FILE *file = fopen("README.md", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (!row_of(line, &stage, name))
            continue;
        const struct saga_step *last = step;
        if (!(step = step_behind(last, name)))
            fail_msg("README.md: %s has no step %s behind %s", purchase_flow.name, name,
                     last ? last->name : "its begin");
        assert_int_equal(stage, step->stage);
        rows++;
    }
    fclose(file);
    assert_true(rows >= STEPS_LEAST);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_timeline_is_of_todays_flow)};
    return cmocka_run_group_tests_name("flows.readme", tests, NULL, NULL);
}
