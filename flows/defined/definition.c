// From data to a flow.
#include "flows/defined/definition.h"

#include "base/buf.h"
#include "flows/defined/internal.h"

#include <stdlib.h>

typedef Txcenter__Saga__V1__SagaDefinition definition_message;
typedef Txcenter__Saga__V1__StepDefinition step_message;

enum { ARENA_MAX = 1024 * 1024, TEXT_MAX = 256 }; // of the texts that stand before the definition

// ---- What is stored -------------------------------------------------------------------------------------------------

static char *append(char *at, struct str part) {
    if (part.len)
        memcpy(at, part.ptr, part.len);
    return at + part.len;
}

struct str defined_input(struct str definition, const char *request_id, const char *traceparent, struct arena *arena) {
    const struct str parts[] = {str_c(request_id), STR(" "), str_c(traceparent), STR("\n"), definition};
    size_t size = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        size += parts[i].len;
    char *bytes = arena_alloc(arena, size), *at = bytes;
    for (size_t i = 0; bytes && i < sizeof parts / sizeof parts[0]; i++)
        at = append(at, parts[i]);
    return bytes ? str_n(bytes, size) : STR_NONE;
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

// Whom the step calls, each once, "a, b": what `whom` says of one call is among them. NULL: nobody.
static const char *targets_of(const Txcenter__Saga__V1__StepCall *const *calls, size_t n, struct arena *arena) {
    const char *first = NULL;
    struct buf list;
    buf_init(&list, (SAGA_PARTICIPANT_MAX + 2) * n);
    for (size_t i = 0; i < n; i++) {
        bool is_new = calls[i] != NULL;
        for (size_t k = 0; k < i; k++)
            is_new = is_new && !(calls[k] && strcmp(calls[k]->target, calls[i]->target) == 0);
        if (!is_new)
            continue;
        if (!first)
            first = calls[i]->target;
        else
            buf_printf(&list, "%s, %s", list.len > 0 ? "" : first, calls[i]->target);
    }
    const char *made = list.len > 0 ? arena_str(arena, buf_str(&list)).ptr : first;
    buf_release(&list);
    return made;
}

static void add_step(struct saga_step *made, const step_message *step, struct arena *arena) {
    const Txcenter__Saga__V1__StepCall *calls[] = {step->action, step->compensation, step->inquiry};
    const char *targets = targets_of(calls, sizeof calls / sizeof calls[0], arena);
    enum saga_kind kind = kind_of(step);
    *made = (struct saga_step){
        .id = (uint16_t)step->step_id,
        .stage = (uint8_t)step->stage,
        .kind = kind,
        .tier = step->non_core ? SAGA_NON_CORE : SAGA_CORE,
        .name = step->name,
        .participant = targets,
        .whom = targets ? defined_whom : NULL,
        .run = step->action ? defined_send : NULL,
        .undo = step->compensation ? defined_send : NULL,
        .inquire = step->inquiry ? defined_send : NULL,
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

static bool keep_texts(struct definition *made, struct str request_id, struct str traceparent) {
    made->request_id = arena_str(&made->arena, request_id).ptr;
    made->traceparent = arena_str(&made->arena, traceparent).ptr;
    return made->request_id && made->traceparent;
}

static const definition_message *decode(struct str bytes, struct arena *arena) {
    return adapter_decode(bytes, &txcenter__saga__v1__saga_definition__descriptor, arena);
}

static bool read_input(struct definition *made, struct str input) {
    struct str definition = input, texts = str_cut(&definition, '\n'), request_id = str_cut(&texts, ' ');
    if (!definition.ptr || request_id.len > TEXT_MAX || texts.len > TEXT_MAX)
        return false;
    made->message = decode(definition, &made->arena);
    return keep_texts(made, request_id, texts) && made->message;
}

static struct definition *definition_new(const struct defined *defined) {
    struct definition *made = calloc(1, sizeof *made);
    if (!made)
        abort();
    made->defined = defined;
    return made;
}

static void release(const struct saga_flow *flow) {
    struct definition *made = (struct definition *)(uintptr_t)definition_of_flow(flow);
    arena_release(&made->arena);
    free(made);
}

// Of the message and the texts, which are there; what is wrong with the message is added below `path`.
static bool make_flow(struct definition *made, const char *path, struct error *error) {
    const struct saga_step *steps = definition_check(made->message, path, &made->arena, error);
    if (!steps || error_is(error))
        return false;
    made->flow = (struct saga_flow){
        .name = made->message->flow,
        .maker = &made->defined->maker,
        .steps = steps,
        .n_steps = (uint8_t)made->message->n_steps,
        .limit_ms = (uint32_t)made->message->time_limit_ms,
    };
    return true;
}

static const struct saga_flow *make(void *ctx, struct str input, struct error *error) {
    struct definition *made = definition_new(ctx);
    struct error fault = {0};
    arena_init(&made->arena, ARENA_MAX);
    if (!read_input(made, input))
        error_set(&fault, ERR_STORE_CORRUPT, "the saga's definition can't be read");
    else if (make_flow(made, "", &fault))
        return &made->flow;
    else if (fault.code == ERR_INVALID_REQUEST)
        fault.code = ERR_STORE_CORRUPT;
    *error = fault;
    release(&made->flow);
    return NULL;
}

const struct saga_flow *defined_flow(const struct defined *defined, const definition_message *message,
                                     const char *request_id, const char *traceparent, const char *path,
                                     struct arena *arena, struct error *error) {
    struct definition *made = definition_new(defined);
    made->message = message;
    made->arena = *arena;
    bool kept = keep_texts(made, str_c(request_id), str_c(traceparent));
    if (kept && make_flow(made, path, error)) {
        arena_init(arena, arena->max);
        return &made->flow;
    }
    if (!kept)
        error_set(error, ERR_OVERLOADED, "no memory");
    *arena = made->arena;
    free(made);
    return NULL;
}

// ---- What says the same ---------------------------------------------------------------------------------------------

static struct str canonical(struct str bytes, struct arena *arena) {
    const definition_message *message = decode(bytes, arena);
    uint8_t *room = message ? arena_alloc(arena, protobuf_c_message_get_packed_size(&message->base)) : NULL;
    return room ? str_n(room, protobuf_c_message_pack(&message->base, room)) : STR_NONE;
}

bool defined_same(struct str one, struct str other) {
    if (str_eq(one, other))
        return true;
    struct arena arena;
    arena_init(&arena, 2 * ARENA_MAX);
    struct str first = canonical(one, &arena), second = canonical(other, &arena);
    bool same = first.ptr && second.ptr && str_eq(first, second);
    arena_release(&arena);
    return same;
}

void defined_init(struct defined *defined, struct raw *raw) {
    *defined = (struct defined){.maker = {.make = make, .release = release, .ctx = defined}, .raw = raw};
}
