// The validator of flows refuses each fault, and says which.
#include "saga/flow.h"
#include "tests/cmocka.h"

#include <stdio.h>

static void effect(struct saga_call *call) {
    (void)call;
}

static struct saga_verdict decide(struct saga_turn *turn) {
    (void)turn;
    return (struct saga_verdict){0};
}

static bool child(struct saga_turn *turn, struct arena *arena, struct saga_child *ret_child) {
    (void)turn;
    (void)arena;
    (void)ret_child;
    return false;
}

static bool came_right(const struct saga_turn *turn) {
    (void)turn;
    return false;
}

static void answered(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)turn;
    (void)op;
    (void)outcome;
    (void)answer;
}

static unsigned legs(const struct saga_subject *subject, struct str input) {
    (void)subject;
    (void)input;
    return 1;
}

#define LONG_NAME "a_name_that_has_more_than_forty_bytes_in_it"

// Steps to make flows of. Each is right by itself; a case names what it has otherwise.
#pragma GCC diagnostic ignored "-Woverride-init"
#define CALL(number, at)                                                                                               \
    .id = (number), .stage = (at), .name = "call" #number, .run = effect, .undo = effect, .deadline_ms = 1000
#define LOCAL(number, at) .id = (number), .stage = (at), .name = "local" #number, .decide = decide
#define AWAIT(number, at) .id = (number), .stage = (at), .name = "await" #number, .signal = "paid", .timeout_ms = 1000
#define PIVOT(number, at)                                                                                              \
    .id = (number), .stage = (at), .name = "pivot" #number, .kind = SAGA_PIVOT, .run = effect, .deadline_ms = 1000
#define AFTER(number, at)                                                                                              \
    .id = (number), .stage = (at), .name = "after" #number, .kind = SAGA_RETRIABLE, .run = effect, .deadline_ms = 1000

#define FLOW(...)                                                                                                      \
    .steps = (const struct saga_step[]){__VA_ARGS__},                                                                  \
    .n_steps = sizeof(struct saga_step[]){__VA_ARGS__} / sizeof(struct saga_step)

static const char *whom(const struct saga_call *call) {
    (void)call;
    return "somebody";
}

static const struct saga_retry no_pause = {.max_ms = 10}, upside_down = {.first_ms = 20, .max_ms = 10},
                               wild = {.first_ms = 1, .max_ms = 10, .jitter_percent = 101};

static const struct {
    const char *fault; // a line of the error; NULL: the flow is valid
    struct saga_flow flow;
} cases[] = {
    // What is allowed.
    {NULL, {FLOW({CALL(1, 1)})}},
    {NULL, {FLOW({CALL(1, 1)}, {CALL(2, 1)}, {LOCAL(3, 2)}, {PIVOT(4, 3)}, {AFTER(5, 4)}, {AFTER(6, 255)})}},
    {NULL, {FLOW({AFTER(1, 1)}, {AFTER(2, 2), .tier = SAGA_NON_CORE})}},
    {NULL, {FLOW({AWAIT(1, 1)}, {LOCAL(2, 1), .ask = effect, .deadline_ms = 5}, {CALL(3, 2), .inquire = effect})}},
    {NULL, {FLOW({.id = 1, .stage = 1, .name = "child", .child = child, .undo = effect, .deadline_ms = 1})}},
    {NULL, {FLOW({CALL(1, 1), .legs = legs, .answered = answered})}},
    // Names, versions, sizes.
    {"step - (0): needs a name of at most 40 bytes", {.name = LONG_NAME, FLOW({CALL(1, 1)})}},
    {"step - (0): needs a name of at most 40 bytes", {.name = "", FLOW({CALL(1, 1)})}},
    {"step - (0): needs 1..72 steps", {.n_steps = 0}},
    {"step - (0): needs 1..72 steps", {.n_steps = 73}},
    {"step - (1): needs a name of at most 40 bytes without '/'", {FLOW({CALL(1, 1), .name = NULL})}},
    {"step a/b (1): needs a name of at most 40 bytes without '/'", {FLOW({CALL(1, 1), .name = "a/b"})}},
    {"step " LONG_NAME " (1): needs a name of at most 40 bytes", {FLOW({CALL(1, 1), .name = LONG_NAME})}},
    // One shape each.
    {"step none (1): must have exactly one of an action, a decision, a signal, a child",
     {FLOW({.id = 1, .stage = 1, .name = "none"})}},
    {"step call1 (1): must have exactly one of an", {FLOW({CALL(1, 1), .decide = decide})}},
    {"step call1 (1): must have exactly one of an", {FLOW({CALL(1, 1), .signal = "paid", .timeout_ms = 1})}},
    {"step local1 (1): must have exactly one of an", {FLOW({LOCAL(1, 1), .child = child, .undo = effect})}},
    {"step call1 (1): ask without decide", {FLOW({CALL(1, 1), .ask = effect})}},
    {"step call1 (1): came_right without decide", {FLOW({CALL(1, 1), .came_right = came_right})}},
    {"step local1 (1): an inquiry without an action", {FLOW({LOCAL(1, 1), .inquire = effect})}},
    {"step local1 (1): answered without a call", {FLOW({LOCAL(1, 1), .answered = answered})}},
    {"step call1 (1): says whom it calls, but names no participant", {FLOW({CALL(1, 1), .whom = whom})}},
    {"step call1 (1): a participant's name has 1..", {FLOW({CALL(1, 1), .participant = "a,,b", .whom = whom})}},
    // Time.
    {"step call1 (1): an effect without a deadline", {FLOW({CALL(1, 1), .deadline_ms = 0})}},
    {"step local1 (1): an effect without a deadline", {FLOW({LOCAL(1, 1), .ask = effect})}},
    {"step local1 (1): an effect without a deadline", {FLOW({LOCAL(1, 1), .undo = effect})}},
    {"step await1 (1): an await needs a name that fits and a timeout", {FLOW({AWAIT(1, 1), .timeout_ms = 0})}},
    {"step await1 (1): an await needs a name that fits and a timeout", {FLOW({AWAIT(1, 1), .signal = LONG_NAME})}},
    {"step call1 (1): unknown retry policy", {FLOW({CALL(1, 1), .retry = SAGA_PATIENCES})}},
    {"step call1 (1): unknown retry policy", {FLOW({CALL(1, 1), .undo_retry = SAGA_PATIENCES})}},
    {"step call1 (1): a policy needs first_ms", {FLOW({CALL(1, 1), .policy = &no_pause})}},
    {"step call1 (1): a policy needs first_ms", {FLOW({CALL(1, 1), .policy = &upside_down})}},
    {"step call1 (1): a policy needs first_ms", {FLOW({CALL(1, 1), .policy = &wild})}},
    // Kinds.
    {"step call1 (1): compensatable and acts, but has no compensation", {FLOW({CALL(1, 1), .undo = NULL})}},
    {"step child (1): compensatable and acts, but has no compensation",
     {FLOW({.id = 1, .stage = 1, .name = "child", .child = child})}},
    {"step pivot1 (1): a compensation of a step that is never undone", {FLOW({PIVOT(1, 1), .undo = effect})}},
    {"step after1 (1): a compensation of a step that is never undone", {FLOW({AFTER(1, 1), .undo = effect})}},
    {"step call1 (1): only retriable steps can be non-core", {FLOW({CALL(1, 1), .tier = SAGA_NON_CORE})}},
    {"step pivot1 (1): only retriable steps can be non-core", {FLOW({PIVOT(1, 1), .tier = SAGA_NON_CORE})}},
    {"step pivot1 (1): a pivot has one leg", {FLOW({PIVOT(1, 1), .legs = legs})}},
    {"step call1 (1): unknown kind or tier", {FLOW({CALL(1, 1), .kind = (enum saga_kind)3})}},
    {"step call1 (1): unknown kind or tier", {FLOW({CALL(1, 1), .tier = (enum saga_tier)2})}},
    // The pivot divides.
    {"step pivot2 (2): a second pivot", {FLOW({PIVOT(1, 1)}, {PIVOT(2, 2)})}},
    {"step call2 (2): the pivot must be alone in its stage", {FLOW({PIVOT(1, 1)}, {CALL(2, 1)})}},
    {"step call1 (1): the pivot must be alone in its stage", {FLOW({CALL(1, 1)}, {PIVOT(2, 1)})}},
    {"step after2 (2): the pivot must be alone in its stage", {FLOW({PIVOT(1, 1)}, {AFTER(2, 1)})}},
    {"step call2 (2): compensatable behind the pivot", {FLOW({PIVOT(1, 1)}, {CALL(2, 2)})}},
    {"step local2 (2): compensatable behind the pivot", {FLOW({PIVOT(1, 1)}, {LOCAL(2, 2)})}},
    {"step after1 (1): retriable, but not behind a pivot", {FLOW({AFTER(1, 1)}, {PIVOT(2, 2)})}},
    {"step after1 (1): retriable, but not behind a pivot", {FLOW({AFTER(1, 1)}, {CALL(2, 2)})}},
    {"step after2 (2): retriable, but not behind a pivot", {FLOW({CALL(1, 1)}, {AFTER(2, 2)})}},
    // Order.
    {"step zero (0): ids count from 1", {FLOW({CALL(0, 1), .name = "zero"})}},
    {"step call1 (1): stages count from 1", {FLOW({CALL(1, 0)})}},
    {"step call2 (2): stages must not go down", {FLOW({CALL(1, 2)}, {CALL(2, 1)})}},
    {"step other (1): duplicate id", {FLOW({CALL(1, 1)}, {CALL(1, 1), .name = "other"})}},
    {"step call1 (2): duplicate name", {FLOW({CALL(1, 1)}, {CALL(2, 1), .name = "call1"})}},
};

static struct saga_flow flow_of(size_t i) {
    struct saga_flow flow = cases[i].flow;
    flow.name = flow.name ? flow.name : "test.flow";
    flow.version = 1;
    return flow;
}

static void test_refuses_every_fault_with_its_line(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct saga_flow flow = flow_of(i);
        struct error error = {0};
        bool valid = saga_flow_valid(&flow, &error);
        if (valid != !cases[i].fault)
            fail_msg("case %zu (%s): %s", i, cases[i].fault ? cases[i].fault : "valid", error.text);
        if (cases[i].fault && (error.code != ERR_CONFIG_INVALID || !strstr(error.text, cases[i].fault)))
            fail_msg("case %zu: expected \"%s\", got \"%s\"", i, cases[i].fault, error.text);
    }
}

static void test_names_the_flow_and_each_fault_once_on_a_line(void **state) {
    (void)state;
    struct saga_flow flow = {.name = "test.bad", FLOW({CALL(1, 0), .deadline_ms = 0}, {CALL(1, 1), .name = "b"})};
    struct error error = {0};
    assert_false(saga_flow_valid(&flow, &error));
    assert_string_equal(error.text, "flow test.bad:"
                                    "\n  step - (0): versions count from 1; a made flow has none"
                                    "\n  step call1 (1): an effect without a deadline"
                                    "\n  step call1 (1): stages count from 1"
                                    "\n  step b (1): duplicate id");
}

static void test_many_faults_fill_the_error_and_no_more(void **state) {
    (void)state;
    struct saga_step steps[SAGA_LEGS_MAX];
    for (size_t i = 0; i < SAGA_LEGS_MAX; i++)
        steps[i] = (struct saga_step){.id = 1};
    struct saga_flow flow = {.name = "test.worst", .version = 1, .steps = steps, .n_steps = SAGA_LEGS_MAX};
    struct error error = {0};
    assert_false(saga_flow_valid(&flow, &error));
    assert_int_equal(strlen(error.text), ERR_TEXT_MAX - 1);
}

static void test_shapes_and_names_are_told(void **state) {
    (void)state;
    struct saga_step call = {CALL(1, 1)}, local = {LOCAL(1, 1)}, await = {AWAIT(1, 1)}, nested = {.child = child};
    assert_string_equal(saga_step_shape(&call), "call");
    assert_string_equal(saga_step_shape(&local), "local");
    assert_string_equal(saga_step_shape(&await), "await");
    assert_string_equal(saga_step_shape(&nested), "child");
    assert_string_equal(saga_kind_name(SAGA_PIVOT), "pivot");
    assert_string_equal(saga_op_name(SAGA_INQUIRE), "inquire");
    assert_string_equal(saga_patience_name(SAGA_LEISURELY), "leisurely");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_every_fault_with_its_line),
        cmocka_unit_test(test_names_the_flow_and_each_fault_once_on_a_line),
        cmocka_unit_test(test_many_faults_fill_the_error_and_no_more),
        cmocka_unit_test(test_shapes_and_names_are_told),
    };
    return cmocka_run_group_tests_name("saga/flow", tests, NULL, NULL);
}
