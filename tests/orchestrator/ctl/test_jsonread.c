// JSON into messages: everything that a definition has, and every fault with its place.
#include "orchestrator/ctl/jsonread.h"

#include "orchestrator/ctl/protojson.h"
#include "tests/orchestrator/ctl/from_json.h"
#include "txcenter/saga/v1/saga.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const ProtobufCMessageDescriptor *const type = &txcenter__saga__v1__saga_definition__descriptor;

static void test_a_definition_is_read_whole(void **state) {
    (void)state;
    static const uint8_t payload[] = {0xfb, 0xff, 0, 1};
    struct arena arena;
    arena_init(&arena, 1 << 20);
    const Txcenter__Saga__V1__SagaDefinition *made = (const void *)from_sample(type, "definition.json", &arena);
    assert_string_equal(made->flow, "shop.order");
    assert_int_equal(made->time_limit_ms, 60000); // by the proto's own name
    assert_int_equal(made->n_steps, 2);
    const Txcenter__Saga__V1__StepDefinition *step = made->steps[0];
    assert_int_equal(step->kind, TXCENTER__SAGA__V1__STEP_KIND__STEP_KIND_COMPENSATABLE);
    assert_int_equal(step->action->payload.len, sizeof payload);
    assert_memory_equal(step->action->payload.data, payload, sizeof payload);
    assert_int_equal(step->compensation->payload.len, sizeof payload); // URL-safe, without its padding
    assert_memory_equal(step->compensation->payload.data, payload, sizeof payload);
    assert_string_equal(step->action->headers[0]->value, "t1");
    assert_int_equal(step->retry->first_ms, 10);
    assert_null(step->compensation_retry);
    assert_int_equal(made->steps[1]->signal->timeout_ms, 3600000);
    arena_release(&arena);
}

static const struct {
    const char *text, *fault;
} faults[] = {
    {"", "f.json:1: "},
    {"{\n\"flow\": }", "f.json:2: "},
    {"{\"flow\": \"a\", \"flow\": \"b\"}", "f.json:1: duplicate"},
    {"[]", "f.json: expected an object"},
    {"7", "f.json:"},
    {"{\"flow\": 7}", "f.json: flow: expected text"},
    {"{\"flow\": \"a\\u0000b\"}", "f.json"},
    {"{\"flwo\": \"a\"}", "f.json: flwo: there is no such field; did you mean 'flow'?"},
    {"{\"nonsense_of_my_own\": 1}", "f.json: nonsense_of_my_own: there is no such field"},
    {"{\"steps\": {}}", "f.json: steps: expected a list"},
    {"{\"steps\": [7]}", "f.json: steps[0]: expected an object"},
    {"{\"steps\": [{}, {\"stage\": 1.5}]}", "f.json: steps[1].stage: expected a whole number of 32 bits"},
    {"{\"steps\": [{\"stage\": 3000000000}]}", "f.json: steps[0].stage: expected a whole number of 32 bits"},
    {"{\"timeLimitMs\": \"ten\"}", "f.json: timeLimitMs: expected a whole number"},
    {"{\"steps\": [{\"kind\": \"PIVOT\"}]}", "f.json: steps[0].kind: expected a name such as STEP_KIND_"},
    {"{\"steps\": [{\"nonCore\": 1}]}", "f.json: steps[0].nonCore: expected true or false"},
    {"{\"steps\": [{\"action\": {\"payload\": \"a\"}}]}", "f.json: steps[0].action.payload: expected bytes in base64"},
    {"{\"steps\": [{\"action\": {\"payload\": \"a*aa\"}}]}", "f.json: steps[0].action.payload: expected bytes"},
    {"{\"steps\": [{\"action\": {\"payload\": 7}}]}", "f.json: steps[0].action.payload: expected bytes in base64"},
};

static void test_each_fault_is_told_where_it_is(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct arena arena;
        struct error error = {0};
        arena_init(&arena, 1 << 20);
        assert_null(jsonread_text(type, "f.json", str_c(faults[i].text), &arena, &error));
        assert_int_equal(error.code, ERR_INVALID_REQUEST);
        if (strncmp(error.text, faults[i].fault, strlen(faults[i].fault)) != 0)
            fail_msg("%s: expected \"%s…\", got \"%s\"", faults[i].text, faults[i].fault, error.text);
        arena_release(&arena);
    }
}

// Every length of base64's last group.
static void test_bytes_come_back(void **state) {
    (void)state;
    uint8_t bytes[40];
    for (size_t n = 0; n <= sizeof bytes; n++) {
        struct arena arena;
        struct error error;
        Txcenter__Saga__V1__StepCall call = TXCENTER__SAGA__V1__STEP_CALL__INIT;
        arena_init(&arena, 1 << 16);
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)(i * 37 + n);
        call.payload = (ProtobufCBinaryData){.data = bytes, .len = n};
        json_t *json = protojson_of(&call.base);
        const Txcenter__Saga__V1__StepCall *again = (const void *)jsonread(call.base.descriptor, json, &arena, &error);
        assert_non_null(again);
        assert_int_equal(again->payload.len, n);
        if (n > 0)
            assert_memory_equal(again->payload.data, bytes, n);
        json_decref(json);
        arena_release(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_definition_is_read_whole),
        cmocka_unit_test(test_each_fault_is_told_where_it_is),
        cmocka_unit_test(test_bytes_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
