// Definitions: every fault is told with its place, and a good one becomes the flow that it says.
#include "flows/defined/definition.h"

#include "rpc/method.h"
#include "tests/cmocka.h"
#include "tests/participants/fields.h"

#include <stdio.h>

typedef Txcenter__Saga__V1__SagaDefinition definition_message;

enum { ARENA_MAX = 4 * 1024 * 1024 };

// Two compensatable steps side by side, an await, the pivot, and one behind it that is not core.
#define CALL(step, part, name)                                                                                         \
    " steps[" #step "]." part ".target=t:1 steps[" #step "]." part ".method=/shop.v1.Orders/" name
#define GOOD "flow=shop.order time_limit_ms=60000" STEP_A STEP_B AWAIT PIVOT TELL
#define STEP_A                                                                                                         \
    " steps[0].name=a steps[0].stage=1" CALL(0, "action", "A") CALL(0, "compensation", "U")                            \
        CALL(0, "inquiry", "Q") " steps[0].inquiry.deadline_ms=5000"
#define STEP_B                                                                                                         \
    " steps[1].name=b steps[1].stage=1 steps[1].step_id=7" CALL(1, "action", "A")                                      \
        CALL(1, "compensation", "U") " steps[1].retry.first_ms=10 steps[1].retry.max_ms=20 steps[1].retry.attempts=3"  \
                                     " steps[1].compensation_retry.first_ms=30 steps[1].compensation_retry.max_ms=30"
#define AWAIT " steps[2].name=paid steps[2].signal.name=paid steps[2].signal.timeout_ms=5000"
#define PIVOT                                                                                                          \
    " steps[3].name=pivot steps[3].kind=2" CALL(                                                                       \
        3, "action", "P") " steps[3].action.parts[0].from_step=a steps[3].action.parts[0].field_number=1"
#define TELL " steps[4].name=tell steps[4].kind=3 steps[4].non_core=true" CALL(4, "action", "T")

static struct arena arena;

static int set_up(void **state) {
    (void)state;
    arena_init(&arena, ARENA_MAX);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    arena_release(&arena);
    return 0;
}

static definition_message *definition(const char *fields) {
    return (void *)fields_make(&txcenter__saga__v1__saga_definition__descriptor, fields, &arena);
}

static bool is_told(const struct error *error, const char *path, const char *what) {
    for (uint32_t i = 0; i < error->n_fields && i < ERR_FIELDS_MAX; i++)
        if (strcmp(error->fields[i].path, path) == 0 && strstr(error->fields[i].what, what))
            return true;
    return false;
}

#define LONG_NAME "a1234567890123456789012345678901234567890"

static const struct {
    const char *more, *path, *what;
} faults[] = {
    {"flow=", "saga.flow", "must have 1..40"},
    {"flow=" LONG_NAME, "saga.flow", "must have 1..40"},
    {"flow=a/b", "saga.flow", "must have 1..40"},
    {"time_limit_ms=-1", "saga.time_limit_ms", "must be from 0 to 2505600000"},
    {"time_limit_ms=2505600001", "saga.time_limit_ms", "must be from 0 to 2505600000"},
    // Steps.
    {"steps[0].name=", "saga.steps[0].name", "must have 1..40"},
    {"steps[0].name=a/b", "saga.steps[0].name", "must have 1..40"},
    {"steps[0].name=" LONG_NAME, "saga.steps[0].name", "must have 1..40"},
    {"steps[1].name=a", "saga.steps[1]", "duplicate name"},
    {"steps[0].step_id=-1", "saga.steps[0].step_id", "must be from 0 to 65535"},
    {"steps[0].step_id=65536", "saga.steps[0].step_id", "must be from 0 to 65535"},
    {"steps[0].step_id=7", "saga.steps[1]", "duplicate id"},
    {"steps[0].stage=-1", "saga.steps[0].stage", "must be from 0 to 255"},
    {"steps[0].stage=256", "saga.steps[0].stage", "must be from 0 to 255"},
    {"steps[0].stage=2", "saga.steps[1]", "stages must not go down"},
    {"steps[1].stage=255", "saga.steps[2].stage", "there is none behind 255"},
    {"steps[0].kind=4", "saga.steps[0].kind", "is no kind"},
    {"steps[0].kind=2", "saga.steps[0]", "a compensation of a step that is never undone"},
    {"steps[0].kind=3", "saga.steps[0]", "retriable, but not behind a pivot"},
    {"steps[4].kind=1 steps[4].non_core=false", "saga.steps[4]", "compensatable behind the pivot"},
    {"steps[4].kind=2 steps[4].non_core=false", "saga.steps[4]", "a second pivot"},
    {"steps[3].stage=1", "saga.steps[0]", "the pivot must be alone in its stage"},
    {"steps[0].non_core=true", "saga.steps[0]", "only retriable steps can be non-core"},
    {"steps[0].signal.name=x steps[0].signal.timeout_ms=1", "saga.steps[0]", "must have exactly one of"},
    {"steps[5].name=empty steps[5].kind=3", "saga.steps[5]", "must have exactly one of"},
    {"steps[5].name=new steps[5].kind=3 " CALL(5, "inquiry", "Q"), "saga.steps[5]", "an inquiry without an action"},
    // Awaits.
    {"steps[2].signal.name=", "saga.steps[2]", "an await needs a name that fits and a timeout"},
    {"steps[2].signal.name=" LONG_NAME, "saga.steps[2]", "an await needs a name that fits and a timeout"},
    {"steps[2].signal.timeout_ms=0", "saga.steps[2].signal.timeout_ms", "must be from 1 to 2505600000"},
    {"steps[2].signal.timeout_ms=2505600001", "saga.steps[2].signal.timeout_ms", "must be from 1 to 2505600000"},
    // Calls.
    {"steps[0].action.target=", "saga.steps[0].action.target", "must have 1..255 bytes"},
    {"steps[0].action.method=", "saga.steps[0].action.method", "must be a full method"},
    {"steps[0].action.method=shop.v1.Orders/A", "saga.steps[0].action.method", "must be a full method"},
    {"steps[0].action.method=/shop.v1.Orders", "saga.steps[0].action.method", "must be a full method"},
    {"steps[0].action.method=/shop/v1/Orders", "saga.steps[0].action.method", "must be a full method"},
    {"steps[0].action.method=//A", "saga.steps[0].action.method", "must be a full method"},
    {"steps[0].action.method=/shop~v1/A", "saga.steps[0].action.method", "must be a full method"},
    {"steps[0].action.deadline_ms=-1", "saga.steps[0].action.deadline_ms", "must be from 0 to 60000"},
    {"steps[0].compensation.deadline_ms=60001", "saga.steps[0].compensation.deadline_ms", "must be from 0 to 60000"},
    {"steps[0].inquiry.method=x", "saga.steps[0].inquiry.method", "must be a full method"},
    // Metadata.
    {"steps[0].action.headers[0].name=X", "saga.steps[0].action.headers[0]", "lower-case"},
    {"steps[0].action.headers[0].name=", "saga.steps[0].action.headers[0]", "lower-case"},
    {"steps[0].action.headers[0].name=:path", "saga.steps[0].action.headers[0]", "lower-case"},
    {"steps[0].action.headers[0].name=x-bin", "saga.steps[0].action.headers[0]", "binary"},
    {"steps[0].action.headers[0].name=grpc-timeout", "saga.steps[0].action.headers[0]", "reserved"},
    {"steps[0].action.headers[0].name=tx-key", "saga.steps[0].action.headers[0]", "reserved"},
    {"steps[0].action.headers[0].name=content-type", "saga.steps[0].action.headers[0]", "reserved"},
    {"steps[0].action.headers[0].name=traceparent", "saga.steps[0].action.headers[0]", "reserved"},
    {"steps[0].action.headers[0].name=x steps[0].action.headers[0].value=\n", "saga.steps[0].action.headers[0]",
     "printable"},
    // Parts.
    {"steps[3].action.parts[0].from_step=nobody", "saga.steps[3].action.parts[0].from_step", "no step has this name"},
    {"steps[3].action.parts[0].from_step=pivot", "saga.steps[3].action.parts[0].from_step", "not of an earlier stage"},
    {"steps[3].action.parts[0].from_step=tell", "saga.steps[3].action.parts[0].from_step", "not of an earlier stage"},
    {"steps[3].action.parts[0].field_number=0", "saga.steps[3].action.parts[0].field_number", "must be from 1 to"},
    {"steps[3].action.parts[0].field_number=536870912", "saga.steps[3].action.parts[0].field_number", "must be from 1"},
    {"steps[0].compensation.parts[0].from_step=b steps[0].compensation.parts[0].field_number=1",
     "saga.steps[0].compensation.parts[0].from_step", "not of an earlier stage"},
    {"steps[0].action.parts[0].from_step=a steps[0].action.parts[0].field_number=1",
     "saga.steps[0].action.parts[0].from_step", "not of an earlier stage"},
    {"steps[5].name=last steps[5].kind=3 " CALL(5, "action", "L") " steps[5].action.parts[0].from_step=tell "
                                                                  "steps[5].action.parts[0].field_number=1",
     "saga.steps[5].action.parts[0].from_step", "is not core"},
    // Policies.
    {"steps[0].retry.max_ms=1", "saga.steps[0].retry.first_ms", "must be from 1 to 3600000"},
    {"steps[1].retry.first_ms=3600001", "saga.steps[1].retry.first_ms", "must be from 1 to 3600000"},
    {"steps[1].retry.max_ms=9", "saga.steps[1]", "a policy needs first_ms <= max_ms"},
    {"steps[1].retry.attempts=-1", "saga.steps[1].retry.attempts", "must be from 0 to"},
    {"steps[1].retry.jitter_percent=101", "saga.steps[1].retry.jitter_percent", "must be from 0 to 100"},
    {"steps[1].compensation_retry.max_ms=29", "saga.steps[1]", "a policy needs first_ms <= max_ms"},
};

static void test_every_fault_is_told_where_it_is(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        char fields[4096];
        struct error error = {0};
        snprintf(fields, sizeof fields, "%s %s", GOOD, faults[i].more);
        defined_check(definition(fields), "saga", &error);
        if (error.code != ERR_INVALID_REQUEST || !is_told(&error, faults[i].path, faults[i].what))
            fail_msg("%s: at %s expected \"%s\"; first: %s: %s", faults[i].more, faults[i].path, faults[i].what,
                     error.fields[0].path, error.fields[0].what);
    }
}

// Bounds that are lists' lengths.
static void test_lists_have_their_bounds(void **state) {
    (void)state;
    struct error error = {0};
    definition_message *made = definition(GOOD);
    made->n_steps = 0;
    defined_check(made, "saga", &error);
    assert_true(is_told(&error, "saga.steps", "must be 1..64"));
    made->n_steps = SAGA_LEGS_MAX + 1;
    error = (struct error){0};
    defined_check(made, "saga", &error);
    assert_true(is_told(&error, "saga.steps", "must be 1..64"));
    made = definition(GOOD);
    Txcenter__Saga__V1__CallHeader header = TXCENTER__SAGA__V1__CALL_HEADER__INIT, *headers[RAW_HEADERS_MAX + 1];
    Txcenter__Saga__V1__PayloadPart part = TXCENTER__SAGA__V1__PAYLOAD_PART__INIT, *parts[DEFINED_PARTS_MAX + 1];
    char name[] = "x", from[] = "a";
    header.name = name;
    part.from_step = from;
    part.field_number = 1;
    for (size_t i = 0; i <= RAW_HEADERS_MAX; i++)
        headers[i] = &header;
    for (size_t i = 0; i <= DEFINED_PARTS_MAX; i++)
        parts[i] = &part;
    made->steps[3]->action->headers = headers;
    made->steps[3]->action->parts = parts;
    made->steps[3]->action->n_headers = RAW_HEADERS_MAX;
    made->steps[3]->action->n_parts = DEFINED_PARTS_MAX;
    error = (struct error){0};
    defined_check(made, "saga", &error);
    assert_int_equal(error.code, ERR_OK);
    made->steps[3]->action->n_headers++;
    made->steps[3]->action->n_parts++;
    defined_check(made, "saga", &error);
    assert_true(is_told(&error, "saga.steps[3].action.headers", "has more than 8"));
    assert_true(is_told(&error, "saga.steps[3].action.parts", "has more than 16"));
}

// ---- Flows ----------------------------------------------------------------------------------------------------------

static struct str input_of(const char *fields) {
    struct str bytes = rpc_encode(&definition(fields)->base, &arena);
    struct str input = defined_input(bytes, "req-1", "00-aa", &arena);
    assert_non_null(input.ptr);
    assert_true(str_eq(defined_definition(input), bytes));
    return input;
}

static void test_a_good_one_becomes_its_flow(void **state) {
    (void)state;
    struct defined defined;
    struct error error = {0};
    defined_init(&defined, NULL);
    struct str input = input_of(GOOD);
    const struct saga_flow *flow = defined.maker.make(&defined, input, &error);
    assert_non_null(flow);
    memset((char *)(uintptr_t)input.ptr, 'x', input.len); // it keeps what it needs
    assert_true(saga_flow_valid(flow, &error));
    assert_string_equal(flow->name, "shop.order");
    assert_int_equal(flow->version, 0);
    assert_int_equal(flow->limit_ms, 60000);
    assert_int_equal(flow->n_steps, 5);
    static const struct {
        const char *name;
        uint16_t id;
        uint8_t stage;
        enum saga_kind kind;
        const char *shape;
        uint32_t deadline_ms;
        enum saga_patience retry;
    } steps[] = {{"a", 1, 1, SAGA_COMPENSATABLE, "call", 5000, SAGA_QUICK},
                 {"b", 7, 1, SAGA_COMPENSATABLE, "call", DEFINED_DEADLINE_MS, SAGA_QUICK},
                 {"paid", 3, 2, SAGA_COMPENSATABLE, "await", 0, SAGA_QUICK},
                 {"pivot", 4, 3, SAGA_PIVOT, "call", DEFINED_DEADLINE_MS, SAGA_QUICK},
                 {"tell", 5, 4, SAGA_RETRIABLE, "call", DEFINED_DEADLINE_MS, SAGA_LEISURELY}};
    for (size_t i = 0; i < 5; i++) {
        const struct saga_step *step = &flow->steps[i];
        assert_string_equal(step->name, steps[i].name);
        assert_int_equal(step->id, steps[i].id);
        assert_int_equal(step->stage, steps[i].stage);
        assert_int_equal(step->kind, steps[i].kind);
        assert_string_equal(saga_step_shape(step), steps[i].shape);
        assert_int_equal(step->deadline_ms, steps[i].deadline_ms);
        assert_int_equal(step->retry, steps[i].retry);
        assert_int_equal(step->undo != NULL, i < 2);
        assert_int_equal(step->inquire != NULL, i == 0);
        assert_int_equal(step->tier, i == 4 ? SAGA_NON_CORE : SAGA_CORE);
    }
    assert_string_equal(flow->steps[0].participant, "t:1");
    assert_int_equal(flow->steps[1].policy->attempts, 3);
    assert_int_equal(flow->steps[1].undo_policy->first_ms, 30);
    assert_null(flow->steps[0].policy);
    assert_int_equal(flow->steps[2].timeout_ms, 5000);
    saga_flow_release(flow);
}

static void test_what_is_stored_and_is_none_makes_none(void **state) {
    (void)state;
    struct defined defined;
    defined_init(&defined, NULL);
    const struct str inputs[] = {STR_NONE,       STR("no line"),         STR("a b\n\xff\xff\xff"),
                                 STR("a b\n"),   input_of("flow=empty"), input_of(GOOD " steps[0].kind=2"),
                                 STR("\n\n\n\n")};
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        struct error error = {0};
        assert_null(defined.maker.make(&defined, inputs[i], &error));
        assert_int_equal(error.code, ERR_STORE_CORRUPT);
    }
}

// docs/API.md tells callers how much a definition may hold.
static void test_the_page_tells_the_bounds(void **state) {
    (void)state;
    enum { PAGE_MAX = 1 << 16 };
    char *page = arena_calloc(&arena, 1, PAGE_MAX), bounds[400];
    FILE *file = fopen("docs/API.md", "rb");
    assert_non_null(file);
    size_t n = fread(page, 1, PAGE_MAX - 1, file);
    fclose(file);
    assert_in_range(n, 1, PAGE_MAX - 2);
    snprintf(
        bounds, sizeof bounds,
        "- **Bounds**: %d steps, %d headers and %d parts a call, %d bytes for the whole definition, deadlines up to "
        "%d s, awaits and\n  `timeLimitMs` up to %d days.\n",
        DEFINED_STEPS_MAX, RAW_HEADERS_MAX, DEFINED_PARTS_MAX, SAGA_INPUT_MAX, DEFINED_DEADLINE_MAX_MS / 1000,
        (int)(DEFINED_TIME_MAX_MS / 86400000));
    assert_non_null(strstr(page, bounds));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_fault_is_told_where_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lists_have_their_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_good_one_becomes_its_flow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_stored_and_is_none_makes_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_page_tells_the_bounds, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("flows/defined", tests, NULL, NULL);
}
