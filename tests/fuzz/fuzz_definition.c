// Any bytes as what is stored of a caller's saga: refused, or a flow that the engine's own check finds good, with an
// instance of it and every call that it names sendable.
#include "flows/defined/definition.h"
#include "saga/machine.h"
#include "tests/fuzz/fuzz.h"

static void no_stop(void *ctx, struct rpc_timer *timer) {
    (void)ctx, (void)timer;
}
static const struct rpc_timers no_timers = {.stop = no_stop}; // nothing is called, so nothing is set

static void check_call(const Txcenter__Saga__V1__StepCall *call) {
    if (!call)
        return;
    assert(!raw_method_fault(str_c(call->method)) && strlen(call->target) <= RAW_TARGET_MAX);
    assert(call->n_headers <= RAW_HEADERS_MAX && call->n_parts <= DEFINED_PARTS_MAX);
    for (size_t i = 0; i < call->n_headers; i++)
        assert(!raw_header_fault(str_c(call->headers[i]->name), str_c(call->headers[i]->value)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const targets[] = {"t:*", "dns:///*-a-*.b:1", NULL};
    struct str input = str_n(data, size), definition = defined_definition(input);
    struct raw *raw = raw_new(&(struct raw_options){.timers = &no_timers, .targets = targets});
    struct defined defined;
    struct error error = {0}, faults = {0}, ignored = {0};
    struct arena arena;
    arena_init(&arena, 1 << 20);
    defined_init(&defined, raw);
    raw_allows(raw, input);
    const struct saga_flow *flow = defined.maker.make(&defined, input, &error);
    const Txcenter__Saga__V1__SagaDefinition *message =
        adapter_decode(definition, &txcenter__saga__v1__saga_definition__descriptor, &arena);
    if (message) {
        defined_check(message, "saga", &faults);
        defined_check_targets(&defined, message, "saga", &ignored);
    }
    assert(flow || error_is(&error));
    assert(!flow || (message && !error_is(&faults)));
    if (flow) {
        struct saga_instance saga;
        bool valid = saga_flow_valid(flow, &error) && saga_instance_init(&saga, flow, STR("gid"), NULL, input, &error);
        assert(valid && saga.n_legs == flow->n_steps);
        for (size_t i = 0; i < message->n_steps; i++) {
            check_call(message->steps[i]->action);
            check_call(message->steps[i]->compensation);
            check_call(message->steps[i]->inquiry);
        }
        saga_instance_release(&saga); // and the flow
    }
    arena_release(&arena);
    raw_free(raw);
    return 0;
}
