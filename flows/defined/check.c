// What a definition must look like. What makes a good flow of it is for the engine's own check; here is what a C table
// can't get wrong: texts, numbers that fit, methods and metadata that can be sent.
#include "flows/defined/internal.h"

#include <stdio.h>

typedef Txcenter__Saga__V1__SagaDefinition definition_message;
typedef Txcenter__Saga__V1__StepDefinition step_message;
typedef Txcenter__Saga__V1__StepCall call_message;

enum { PATH_MAX_LEN = 96, FIELD_NUMBER_MAX = 536870911, ARENA_MAX = 64 * 1024 };

struct checked {
    const definition_message *message;
    const char *path; // of the definition
    struct error *error;
};

// A field of step i, or of the whole.
struct place {
    const struct checked *of;
    size_t step;
    const char *part; // "action."; "" for the step itself
};

__attribute__((format(printf, 3, 4))) static void fault(const struct place *place, const char *field,
                                                        const char *format, ...) {
    char path[PATH_MAX_LEN], what[sizeof place->of->error->fields[0].what];
    va_list args;
    va_start(args, format);
    str_vprint(what, sizeof what, format, args);
    va_end(args);
    const char *before = place->of->path;
    snprintf(path, sizeof path, "%s%ssteps[%zu].%s%s", before, *before ? "." : "", place->step, place->part, field);
    size_t len = strlen(path);
    if (path[len - 1] == '.') // the step or the call itself
        path[len - 1] = '\0';
    error_field(place->of->error, path, "%s", what);
}

static void check_range(const struct place *place, const char *field, int64_t value, int64_t least, int64_t most) {
    if (value < least || value > most)
        fault(place, field, "must be from %lld to %lld", (long long)least, (long long)most);
}

static bool is_name_sign(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
}

static bool is_name(const char *text) {
    size_t len = 0;
    while (is_name_sign(text[len]))
        len++;
    return text[len] == '\0' && len > 0 && len <= SAGA_NAME_MAX;
}

// ---- Calls ----------------------------------------------------------------------------------------------------------

static void check_headers(const struct place *place, const call_message *call) {
    if (call->n_headers > RAW_HEADERS_MAX)
        fault(place, "headers", "has more than %d", RAW_HEADERS_MAX);
    for (size_t i = 0; i < call->n_headers && i < RAW_HEADERS_MAX; i++) {
        const char *why = raw_header_fault(str_c(call->headers[i]->name), str_c(call->headers[i]->value));
        char field[32];
        snprintf(field, sizeof field, "headers[%zu]", i);
        if (why)
            fault(place, field, "%s", why);
    }
}

// `own`: the step's own answer may be used, too.
static void check_part(const struct place *place, size_t i, const Txcenter__Saga__V1__PayloadPart *part,
                       const struct saga_step *steps, bool own) {
    char field[40];
    snprintf(field, sizeof field, "parts[%zu].field_number", i);
    check_range(place, field, part->field_number, 1, FIELD_NUMBER_MAX);
    snprintf(field, sizeof field, "parts[%zu].from_step", i);
    int from = definition_find(place->of->message, part->from_step);
    if (from < 0)
        fault(place, field, "no step has this name");
    else if (own && (size_t)from == place->step)
        return;
    else if (steps[from].stage >= steps[place->step].stage)
        fault(place, field, "is not of an earlier stage");
    else if (steps[from].tier != SAGA_CORE)
        fault(place, field, "is not core, so it need not have an answer yet");
}

static void check_call(const struct place *place, const call_message *call, const struct saga_step *steps, bool own) {
    const char *why = raw_method_fault(str_c(call->method));
    size_t target = strlen(call->target);
    if (target == 0 || target > RAW_TARGET_MAX)
        fault(place, "target", "must have 1..%d bytes", RAW_TARGET_MAX);
    if (why)
        fault(place, "method", "%s", why);
    check_range(place, "deadline_ms", call->deadline_ms, 0, DEFINED_DEADLINE_MAX_MS);
    check_headers(place, call);
    if (call->n_parts > DEFINED_PARTS_MAX)
        fault(place, "parts", "has more than %d", DEFINED_PARTS_MAX);
    for (size_t i = 0; i < call->n_parts && i < DEFINED_PARTS_MAX; i++)
        check_part(place, i, call->parts[i], steps, own);
}

// ---- Steps ----------------------------------------------------------------------------------------------------------

static void check_policy(const struct place *place, const Txcenter__Saga__V1__RetryPolicy *policy) {
    check_range(place, "first_ms", policy->first_ms, 1, DEFINED_PAUSE_MAX_MS);
    check_range(place, "max_ms", policy->max_ms, 1, DEFINED_PAUSE_MAX_MS);
    check_range(place, "attempts", policy->attempts, 0, INT32_MAX);
    check_range(place, "jitter_percent", policy->jitter_percent, 0, 100);
}

static void check_step(const struct checked *checked, size_t i, const struct saga_step *steps) {
    const step_message *step = checked->message->steps[i];
    struct place place = {.of = checked, .step = i, .part = ""};
    if (!is_name(step->name))
        fault(&place, "name", "must have 1..%d letters, digits, '.', '_' and '-'", SAGA_NAME_MAX);
    check_range(&place, "step_id", step->step_id, 0, UINT16_MAX);
    check_range(&place, "stage", step->stage, 0, SAGA_STAGES_MAX);
    if (step->stage == 0 && i > 0 && steps[i - 1].stage == SAGA_STAGES_MAX)
        fault(&place, "stage", "there is none behind %d", SAGA_STAGES_MAX);
    if (!protobuf_c_enum_descriptor_get_value(&txcenter__saga__v1__step_kind__descriptor, (int)step->kind))
        fault(&place, "kind", "is no kind");
    const struct {
        const char *part;
        const call_message *call;
    } calls[] = {{"action.", step->action}, {"compensation.", step->compensation}, {"inquiry.", step->inquiry}};
    for (size_t k = 0; k < sizeof calls / sizeof calls[0]; k++) {
        place.part = calls[k].part;
        if (calls[k].call)
            check_call(&place, calls[k].call, steps, calls[k].call == step->compensation);
    }
    place.part = "signal.";
    if (step->signal)
        check_range(&place, "timeout_ms", step->signal->timeout_ms, 1, DEFINED_TIME_MAX_MS);
    place.part = "retry.";
    if (step->retry)
        check_policy(&place, step->retry);
    place.part = "compensation_retry.";
    if (step->compensation_retry)
        check_policy(&place, step->compensation_retry);
}

// ---- The whole ------------------------------------------------------------------------------------------------------

static void flow_fault(void *ctx, int step, const char *what) {
    const struct checked *checked = ctx;
    struct place place = {.of = checked, .step = step >= 0 ? (size_t)step : 0, .part = ""};
    if (step >= 0)
        fault(&place, "", "%s", what);
    else
        error_field(checked->error, *checked->path ? checked->path : "saga", "%s", what);
}

static void whole_fault(const struct checked *checked, const char *field, const char *what) {
    char path[PATH_MAX_LEN];
    snprintf(path, sizeof path, "%s%s%s", checked->path, *checked->path ? "." : "", field);
    error_field(checked->error, path, "%s", what);
}

struct saga_step *definition_check(const definition_message *message, const char *path, struct arena *arena,
                                   struct error *error) {
    static const struct saga_flow_maker some;
    struct checked checked = {.message = message, .path = path, .error = error};
    if (!is_name(message->flow))
        whole_fault(&checked, "flow", "must have 1..40 letters, digits, '.', '_' and '-'");
    if (message->time_limit_ms < 0 || message->time_limit_ms > DEFINED_TIME_MAX_MS)
        whole_fault(&checked, "time_limit_ms", "must be from 0 to 2505600000");
    if (message->n_steps == 0 || message->n_steps > DEFINED_STEPS_MAX) {
        whole_fault(&checked, "steps", "must be 1..64");
        return NULL;
    }
    struct saga_step *steps = definition_steps(message, arena);
    if (!steps) {
        error_set(error, ERR_OVERLOADED, "no memory");
        return NULL;
    }
    struct saga_flow flow = {.name = "saga", .maker = &some, .steps = steps, .n_steps = (uint8_t)message->n_steps};
    for (size_t i = 0; i < message->n_steps; i++)
        check_step(&checked, i, steps);
    saga_flow_check(&flow, flow_fault, &checked);
    return steps;
}

void defined_check(const definition_message *message, const char *path, struct error *error) {
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    definition_check(message, path, &arena, error);
    arena_release(&arena);
}

void defined_check_targets(const struct defined *defined, const definition_message *message, const char *path,
                           struct error *error) {
    struct checked checked = {.message = message, .path = path, .error = error};
    for (size_t i = 0; i < message->n_steps; i++) {
        const step_message *step = message->steps[i];
        const call_message *calls[] = {step->action, step->compensation, step->inquiry};
        static const char *const parts[] = {"action.", "compensation.", "inquiry."};
        for (size_t k = 0; k < sizeof calls / sizeof calls[0]; k++) {
            struct place place = {.of = &checked, .step = i, .part = parts[k]};
            if (calls[k] && !raw_allows(defined->raw, str_c(calls[k]->target)))
                fault(&place, "target", "is not among submit.targets of the configuration");
        }
    }
}
