// A flow that gets a step: what docs/HACKING.md says of its versions.
#include "tests/cmocka.h"
#include "tests/saga/bed.h"

#define CALL(number, text)                                                                                             \
    {                                                                                                                  \
        .id = (number), .stage = (number), .name = (text), .participant = "model", .run = bed_send,                    \
        .inquire = bed_send, .undo = bed_send, .deadline_ms = 1000, .undo_retry = SAGA_STUBBORN                        \
    }

static const struct saga_step steps_v1[] = {CALL(1, "a"), CALL(2, "b")};
static const struct saga_step steps_v2[] = {CALL(1, "a"), CALL(2, "b"), CALL(3, "c")};
static const struct saga_flow v1 = {.name = "test.grows", .version = 1, .steps = steps_v1, .n_steps = 2};
static const struct saga_flow v2 = {.name = "test.grows", .version = 2, .steps = steps_v2, .n_steps = 3};
static const struct saga_flow v1_with_a_step = {.name = "test.grows", .version = 1, .steps = steps_v2, .n_steps = 3};

static const struct saga_flow *const only_v1[] = {&v1, NULL}, *const both[] = {&v1, &v2, NULL},
                                     *const only_v2[] = {&v2, NULL}, *const in_place[] = {&v1_with_a_step, NULL};

// One saga of version 1 has ended, another one is under way.
static int setup(void **state) {
    static struct saga_bed bed;
    bed_init(&bed);
    bed.options.flow_sets[0].flows = only_v1;
    bed_open(&bed);
    bed_start(&bed, &v1, "ended", "", NULL);
    bed_settle(&bed);
    model_plan(&bed.model, "a", SAGA_ACTION, MODEL_HANGS, 1, 0);
    bed_start(&bed, &v1, "running", "", NULL);
    bed_kill(&bed);
    *state = &bed;
    return 0;
}

static void open_with(struct saga_bed *bed, const struct saga_flow *const *flows) {
    bed->options.flow_sets[0].flows = flows;
    bed_open(bed);
}

// Of a saga on the disk: how many legs it has, 0 when it can't be read.
static unsigned legs_of(struct saga_bed *bed, const char *gid, enum err *ret_code) {
    struct saga_instance saga = {0};
    struct error error = {0};
    saga_row_instance(bed->engine, bed_row(bed, gid), &saga, &error);
    unsigned legs = saga.n_legs;
    saga_instance_release(&saga);
    *ret_code = error.code;
    return legs;
}

static void test_each_saga_ends_under_the_version_that_it_began_with(void **state) {
    struct saga_bed *bed = *state;
    enum err code;
    open_with(bed, both);
    bed_start(bed, &v2, "new", "", NULL); // by the flow's name
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "running"), SAGA_SUCCEEDED);
    assert_int_equal(bed_row(bed, "running")->flow_version, 1);
    assert_null(model_key(&bed->model, "running/3/1"));
    assert_int_equal(bed_status(bed, "new"), SAGA_SUCCEEDED);
    assert_int_equal(bed_row(bed, "new")->flow_version, 2);
    assert_int_equal(model_requests(&bed->model, "new/3/1", SAGA_ACTION), 1);
    assert_int_equal(legs_of(bed, "ended", &code), 2);
    assert_int_equal(legs_of(bed, "new", &code), 3);
    bed_check_books(bed);
}

static void assert_untouched(struct saga_bed *bed) {
    unsigned sent = bed->model.sent;
    bed_run(bed, 10000);
    assert_true(saga_engine_recovered(bed->engine));
    assert_int_equal(bed->model.sent, sent);
    assert_int_equal(bed_status(bed, "running"), SAGA_RUNNING);
    bed_kill(bed);
    open_with(bed, both);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "running"), SAGA_SUCCEEDED);
    bed_check_books(bed);
}

static void test_without_the_old_version_its_sagas_wait_for_it(void **state) {
    struct saga_bed *bed = *state;
    enum err code;
    open_with(bed, only_v2);
    assert_int_equal(legs_of(bed, "ended", &code), 0);
    assert_int_equal(code, ERR_FLOW_UNKNOWN);
    bed_run(bed, 1000);
    assert_int_equal(bed_stats(bed).unknown_flows, 1);
    assert_untouched(bed);
}

static void test_a_step_that_is_added_in_place_leaves_sagas_untouched(void **state) {
    struct saga_bed *bed = *state;
    enum err code;
    open_with(bed, in_place);
    assert_int_equal(legs_of(bed, "ended", &code), 0);
    assert_int_equal(code, ERR_STORE_CORRUPT);
    bed_run(bed, 1000);
    assert_int_equal(bed_stats(bed).corrupt, 1);
    assert_int_equal(bed->notices[SAGA_NOTICE_CORRUPT], 1);
    assert_untouched(bed);
}

// A copy whose version was forgotten is told at the start, not when sagas are found to fit the other one.
static void test_two_flows_of_one_version_are_refused(void **state) {
    struct saga_bed *bed = *state;
    static const struct saga_flow *const twice[] = {&v2, &v1, &v1_with_a_step, NULL};
    struct saga_engine *engine;
    struct error error = {0};
    open_with(bed, both);
    struct saga_options options = bed->options;
    options.flow_sets[0].flows = twice;
    assert_false(saga_engine_new(&options, &engine, &error));
    assert_int_equal(error.code, ERR_CONFIG_INVALID);
    assert_non_null(strstr(error.text, "test.grows"));
}

static void test_what_is_not_there_may_be_freed(void **state) {
    (void)state;
    saga_engine_free(NULL);
    requests_free(NULL);
}

static void test_a_flow_or_a_policy_with_a_fault_is_refused(void **state) {
    struct saga_bed *bed = *state;
    static const struct saga_flow empty = {.name = "empty", .version = 1};
    static const struct saga_flow *const faulty[] = {&v1, &empty, NULL};
    struct saga_engine *engine;
    struct error error = {0};
    open_with(bed, both);
    struct saga_options options = bed->options;
    options.flow_sets[0].flows = faulty;
    assert_false(saga_engine_new(&options, &engine, &error));
    assert_non_null(strstr(error.text, "needs 1..72 steps"));
    options = bed->options;
    options.machine.patience[SAGA_QUICK].first_ms = 1 + options.machine.patience[SAGA_QUICK].max_ms;
    error = (struct error){0};
    assert_false(saga_engine_new(&options, &engine, &error));
    assert_int_equal(error.code, ERR_CONFIG_INVALID);
    assert_non_null(strstr(error.text, "first_ms <= max_ms"));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, bed_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_each_saga_ends_under_the_version_that_it_began_with),
        TEST(test_without_the_old_version_its_sagas_wait_for_it),
        TEST(test_a_step_that_is_added_in_place_leaves_sagas_untouched),
        TEST(test_two_flows_of_one_version_are_refused),
        TEST(test_a_flow_or_a_policy_with_a_fault_is_refused),
        cmocka_unit_test(test_what_is_not_there_may_be_freed),
    };
    return cmocka_run_group_tests_name("saga/engine: versions", tests, NULL, NULL);
}
