// From data to a flow.
#include "flows/defined/definition.h"

#include "flows/defined/internal.h"

#include <stdlib.h>

typedef Txcenter__Saga__V1__SagaDefinition definition_message;
typedef Txcenter__Saga__V1__StepDefinition step_message;

enum { ARENA_MAX = 1024 * 1024, TEXT_MAX = 256 }; // of the texts that stand before the definition

// ---- What is stored -------------------------------------------------------------------------------------------------

struct str defined_input(struct str definition, const char *request_id, const char *traceparent, struct arena *arena) {
    int head = (int)(strlen(request_id) + strlen(traceparent) + 2);
    char *bytes = arena_alloc(arena, (size_t)head + 1 + definition.len);
    if (!bytes)
        return STR_NONE;
    str_print(bytes, (size_t)head + 1, "%s %s\n", request_id, traceparent);
    if (definition.len)
        memcpy(bytes + head, definition.ptr, definition.len);
    return str_n(bytes, (size_t)head + definition.len);
}

struct str defined_definition(struct str input) {
    str_cut(&input, '\n');
    return input;
}

// ---- Steps ----------------------------------------------------------------------------------------------------------

int definition_find(const definition_message *message, const char *name) {
    for (size_t i = 0; i < message->n_steps; i++)
        if (strcmp(message->steps[i]->name, name) == 0)
            return (int)i;
    return -1;
}

static const struct saga_retry *policy_of(const Txcenter__Saga__V1__RetryPolicy *message, struct arena *arena) {
    struct saga_retry *policy = message ? arena_alloc(arena, sizeof *policy) : NULL;
    if (policy)
        *policy = (struct saga_retry){
            .first_ms = (uint32_t)message->first_ms,
            .max_ms = (uint32_t)message->max_ms,
            .attempts = (uint32_t)message->attempts,
            .jitter_percent = (uint32_t)message->jitter_percent,
        };
    return policy;
}

static uint32_t deadline_of(const Txcenter__Saga__V1__StepCall *call) {
    return call->deadline_ms ? (uint32_t)call->deadline_ms : DEFINED_DEADLINE_MS;
}

static enum saga_kind kind_of(const step_message *step) {
    switch (step->kind) {
    case TXCENTER__SAGA__V1__STEP_KIND__STEP_KIND_PIVOT: return SAGA_PIVOT;
    case TXCENTER__SAGA__V1__STEP_KIND__STEP_KIND_RETRIABLE: return SAGA_RETRIABLE;
    default: return SAGA_COMPENSATABLE;
    }
}

static void add_step(struct saga_step *made, const step_message *step, struct arena *arena) {
    const Txcenter__Saga__V1__StepCall *calls[] = {step->action, step->compensation, step->inquiry};
    enum saga_kind kind = kind_of(step);
    *made = (struct saga_step){
        .id = (uint16_t)step->step_id,
        .stage = (uint8_t)step->stage,
        .kind = kind,
        .tier = step->non_core ? SAGA_NON_CORE : SAGA_CORE,
        .name = step->name,
        .participant = step->action ? step->action->target : NULL,
        .run = step->action ? defined_run : NULL,
        .undo = step->compensation ? defined_undo : NULL,
        .inquire = step->inquiry ? defined_inquire : NULL,
        .signal = step->signal ? step->signal->name : NULL,
        .timeout_ms = step->signal ? (uint32_t)step->signal->timeout_ms : 0,
        .retry = kind != SAGA_RETRIABLE ? SAGA_QUICK
                 : step->non_core       ? SAGA_LEISURELY
                                        : SAGA_STUBBORN,
        .undo_retry = SAGA_STUBBORN,
        .policy = policy_of(step->retry, arena),
        .undo_policy = policy_of(step->compensation_retry, arena),
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (calls[i] && deadline_of(calls[i]) > made->deadline_ms)
            made->deadline_ms = deadline_of(calls[i]);
}

struct saga_step *definition_steps(const definition_message *message, struct arena *arena) {
    struct saga_step *steps = arena_calloc(arena, message->n_steps + 1, sizeof *steps);
    int last_stage = 0;
    for (size_t i = 0; steps && i < message->n_steps; i++) {
        add_step(&steps[i], message->steps[i], arena);
        if (message->steps[i]->step_id == 0)
            steps[i].id = (uint16_t)(i + 1);
        if (message->steps[i]->stage == 0)
            steps[i].stage = (uint8_t)(last_stage + 1);
        last_stage = steps[i].stage;
    }
    return steps;
}

// ---- Flows ----------------------------------------------------------------------------------------------------------

static bool read_input(struct definition *made, struct str input) {
    struct str definition = input, texts = str_cut(&definition, '\n'), request_id = str_cut(&texts, ' ');
    if (!definition.ptr || request_id.len > TEXT_MAX || texts.len > TEXT_MAX)
        return false;
    made->request_id = arena_str(&made->arena, request_id).ptr;
    made->traceparent = arena_str(&made->arena, texts).ptr;
    made->message = adapter_decode(definition, &txcenter__saga__v1__saga_definition__descriptor, &made->arena);
    return made->request_id && made->traceparent && made->message;
}

static void release(const struct saga_flow *flow) {
    struct definition *made = (struct definition *)(uintptr_t)definition_of_flow(flow);
    arena_release(&made->arena);
    free(made);
}

static const struct saga_flow *make(void *ctx, struct str input, struct error *error) {
    const struct defined *defined = ctx;
    struct definition *made = calloc(1, sizeof *made);
    if (!made)
        abort();
    made->defined = defined;
    arena_init(&made->arena, ARENA_MAX);
    struct error fault = {0};
    if (!read_input(made, input)) {
        error_set(&fault, ERR_STORE_CORRUPT, "the saga's definition can't be read");
    } else {
        defined_check(made->message, "", &fault);
        if (error_is(&fault))
            fault.code = ERR_STORE_CORRUPT;
    }
    if (!error_is(&fault)) {
        made->flow = (struct saga_flow){
            .name = made->message->flow,
            .maker = &defined->maker,
            .steps = definition_steps(made->message, &made->arena),
            .n_steps = (uint8_t)made->message->n_steps,
            .limit_ms = (uint32_t)made->message->time_limit_ms,
        };
        if (made->flow.steps)
            return &made->flow;
        error_set(&fault, ERR_OVERLOADED, "no memory");
    }
    *error = fault;
    release(&made->flow);
    return NULL;
}

void defined_init(struct defined *defined, struct raw *raw) {
    *defined = (struct defined){.maker = {.make = make, .release = release, .ctx = defined}, .raw = raw};
}
