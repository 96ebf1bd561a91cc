// The effects of a defined step: the payload as it is, with the answers that it takes from earlier steps behind it.
#include "flows/defined/internal.h"

#include <stdlib.h>

enum { SCRATCH_MAX = SAGA_INPUT_MAX + DEFINED_PARTS_MAX * (SAGA_ANSWER_MAX + 16) + 4096 };

// One call on its way.
struct pending {
    struct saga_call *call;
    bool keeps_whole; // a later request is made from its answer
};

static const struct definition *definition_of(const struct saga_call *call) {
    return definition_of_flow(saga_call_flow(call));
}

static const Txcenter__Saga__V1__StepDefinition *step_of(const struct saga_call *call) {
    const struct definition *made = definition_of(call);
    return made->message->steps[saga_call_step(call) - made->flow.steps];
}

// ---- The request ----------------------------------------------------------------------------------------------------

static size_t put_varint(char *out, uint64_t value) {
    size_t n = 0;
    for (; value > 0x7f; value >>= 7)
        out[n++] = (char)((value & 0x7f) | 0x80);
    out[n++] = (char)value;
    return n;
}

// A length-delimited field of protobuf's wire format.
enum { WIRE_LENGTH_DELIMITED = 2, FIELD_HEAD_MAX = 10 };

static size_t put_field(char *out, int32_t number, struct str bytes) {
    size_t n = put_varint(out, (uint64_t)(uint32_t)number << 3 | WIRE_LENGTH_DELIMITED);
    n += put_varint(out + n, bytes.len);
    if (bytes.len)
        memcpy(out + n, bytes.ptr, bytes.len);
    return n + bytes.len;
}

static struct str payload_of(const struct saga_call *call, const Txcenter__Saga__V1__StepCall *spec,
                             struct arena *arena) {
    const struct definition *made = definition_of(call);
    struct str payload = str_n(spec->payload.data, spec->payload.len);
    if (spec->n_parts == 0)
        return payload;
    size_t size = payload.len;
    for (size_t i = 0; i < spec->n_parts; i++)
        size += FIELD_HEAD_MAX + SAGA_ANSWER_MAX;
    char *bytes = arena_alloc(arena, size);
    if (!bytes)
        abort(); // SCRATCH_MAX holds the largest: there is no memory, and no other payload is this request's (E11)
    size_t n = payload.len;
    if (n)
        memcpy(bytes, payload.ptr, n);
    for (size_t i = 0; i < spec->n_parts; i++) {
        const struct saga_step *from = &made->flow.steps[definition_find(made->message, spec->parts[i]->from_step)];
        struct str answer = saga_call_answer_of(call, from->id, 0);
        if (from != saga_call_step(call) || !str_empty(answer)) // its own, in a compensation: there need be none
            n += put_field(bytes + n, spec->parts[i]->field_number, answer);
    }
    return str_n(bytes, n);
}

// ---- The answer -----------------------------------------------------------------------------------------------------

static bool takes_from(const Txcenter__Saga__V1__StepCall *spec, const char *name) {
    for (size_t i = 0; spec && i < spec->n_parts; i++)
        if (strcmp(spec->parts[i]->from_step, name) == 0)
            return true;
    return false;
}

static bool is_used(const struct definition *made, const char *name) {
    for (size_t i = 0; i < made->message->n_steps; i++) {
        const Txcenter__Saga__V1__StepDefinition *step = made->message->steps[i];
        if (takes_from(step->action, name) || takes_from(step->compensation, name) || takes_from(step->inquiry, name))
            return true;
    }
    return false;
}

static void answered(void *ctx, const struct adapter_answer *answer) {
    struct pending *pending = ctx;
    struct saga_call *call = pending->call;
    // A large answer that nothing is made from need not be kept.
    bool kept = answer->outcome == OUTCOME_OK && saga_call_op(call) != SAGA_COMPENSATE &&
                (pending->keeps_whole || answer->bytes.len <= SAGA_ANSWER_MAX);
    if (answer->never_seen)
        saga_call_never_seen(call);
    else
        saga_call_done(call, answer->outcome, answer->code, answer->reason, answer->text,
                       kept ? answer->bytes : STR_NONE);
    free(pending);
}

// ---- Sending --------------------------------------------------------------------------------------------------------

static void send(struct saga_call *call, const Txcenter__Saga__V1__StepCall *spec) {
    const struct definition *made = definition_of(call);
    struct rpc_header headers[RAW_HEADERS_MAX + 1];
    size_t n = 0;
    for (; n < spec->n_headers; n++)
        headers[n] = (struct rpc_header){spec->headers[n]->name, str_c(spec->headers[n]->value)};
    headers[n] = (struct rpc_header){.name = NULL};
    struct arena arena;
    arena_init(&arena, SCRATCH_MAX);
    struct raw_call raw = {
        .target = spec->target,
        .method = spec->method,
        .payload = payload_of(call, spec, &arena),
        .headers = headers,
        .key = saga_call_key(call),
        .gid = saga_call_gid(call),
        .step = saga_call_step(call)->name,
        .op = saga_op_name(saga_call_op(call)),
        .request_id = made->request_id,
        .traceparent = made->traceparent,
        .deadline_ms = spec->deadline_ms ? (uint32_t)spec->deadline_ms : DEFINED_DEADLINE_MS,
        .inquiry = saga_call_op(call) == SAGA_INQUIRE,
    };
    struct pending *pending = malloc(sizeof *pending);
    if (!pending)
        abort();
    *pending = (struct pending){.call = call, .keeps_whole = is_used(made, step_of(call)->name)};
    raw_send(made->defined->raw, &raw, answered, pending);
    arena_release(&arena);
}

static const Txcenter__Saga__V1__StepCall *call_of(const struct saga_call *call) {
    const Txcenter__Saga__V1__StepDefinition *step = step_of(call);
    switch (saga_call_op(call)) {
    case SAGA_COMPENSATE: return step->compensation;
    case SAGA_INQUIRE: return step->inquiry;
    default: return step->action;
    }
}

const char *defined_whom(const struct saga_call *call) {
    return call_of(call)->target;
}

void defined_send(struct saga_call *call) {
    send(call, call_of(call));
}
