#include "adapters/adapter.h"

#include <assert.h>
#include <stdlib.h>

typedef Participant__Type__V1__Effect effect_message;
typedef Participant__Type__V1__Outcome outcome_message;

// The place of a message-typed field in a message of this type.
static void **field_of(const ProtobufCMessage *message, const char *name) {
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    return field ? (void **)(void *)((char *)(uintptr_t)message + field->offset) : NULL;
}

// One call, until it is answered.
struct adapter_pending {
    const struct adapter_method *method; // whose answer it is
    bool inquiry;
    adapter_done_fn *done;
    void *ctx;
};

static char *text_of(const char *text) {
    return text ? (char *)(uintptr_t)text : (char *)(uintptr_t) ""; // protobuf-c's strings have no const
}

static const char *op_name(Participant__Type__V1__Operation op) {
    switch (op) {
    case PARTICIPANT__TYPE__V1__OPERATION__OPERATION_COMPENSATE: return "compensate";
    case PARTICIPANT__TYPE__V1__OPERATION__OPERATION_INQUIRE: return "inquire";
    case PARTICIPANT__TYPE__V1__OPERATION__OPERATION_READ: return "read";
    default: return "action";
    }
}

// ---- Answers ------------------------------------------------------------------------------------------------------

static void broken(struct adapter_answer *answer, const char *text) {
    *answer = (struct adapter_answer){
        .outcome = OUTCOME_UNKNOWN, .code = ERR_PARTICIPANT_BROKEN, .reason = "PARTICIPANT_BROKEN", .text = text};
}

bool adapter_is_known(const ProtobufCEnumDescriptor *type, int value) {
    return value != 0 && protobuf_c_enum_descriptor_get_value(type, value);
}

// Whether the field at a dotted path has a value.
static bool has(const ProtobufCMessage *message, const char *path) {
    struct str rest = str_c(path);
    while (message && !str_empty(rest)) {
        char name[64];
        str_copy(str_cut(&rest, '.'), name, sizeof name);
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
        assert(field); // rows name fields that exist
        const void *place = (const char *)message + field->offset;
        switch (field->type) {
        case PROTOBUF_C_TYPE_MESSAGE: message = *(const ProtobufCMessage *const *)place; break;
        case PROTOBUF_C_TYPE_STRING: return (*(const char *const *)place)[0] != '\0';
        case PROTOBUF_C_TYPE_INT64: return *(const int64_t *)place != 0;
        case PROTOBUF_C_TYPE_ENUM: return adapter_is_known(field->descriptor, *(const int *)place);
        default: return *(const int32_t *)place != 0;
        }
    }
    return message != NULL;
}

static bool complete(const struct adapter_method *method, const ProtobufCMessage *response) {
    for (size_t i = 0; i < ADAPTER_REQUIRED_MAX && method->required[i]; i++)
        if (!has(response, method->required[i]))
            return false;
    return true;
}

static void judge(struct adapter_answer *answer, const struct adapter_method *method, const outcome_message *outcome) {
    switch (outcome ? outcome->verdict : PARTICIPANT__TYPE__V1__VERDICT__VERDICT_UNSPECIFIED) {
    case PARTICIPANT__TYPE__V1__VERDICT__VERDICT_APPLIED:
        answer->outcome = OUTCOME_OK;
        answer->code = ERR_OK;
        answer->reason = answer->text = "";
        if (!complete(method, answer->message))
            broken(answer, "the answer lacks what it must bring");
        break;
    case PARTICIPANT__TYPE__V1__VERDICT__VERDICT_REJECTED:
        answer->outcome = OUTCOME_REJECTED;
        answer->code = ERR_PARTICIPANT_REJECTED;
        answer->reason = outcome->code[0] ? outcome->code : "REJECTED";
        answer->text = outcome->text;
        break;
    default: broken(answer, "the answer has no verdict"); break;
    }
}

static void answer_inquiry(const struct adapter_pending *pending, const struct rpc_result *result,
                           struct adapter_answer *answer) {
    const ProtobufCMessage *response = result->message;
    outcome_message **outcome = (outcome_message **)(void *)field_of(response, "outcome");
    const ProtobufCBinaryData *kept = (const ProtobufCBinaryData *)(const void *)field_of(response, "answer");
    assert(outcome && kept); // every Inquire row has them
    if (*outcome && (*outcome)->verdict == PARTICIPANT__TYPE__V1__VERDICT__VERDICT_NEVER_SEEN) {
        *answer = (struct adapter_answer){.outcome = OUTCOME_OK, .never_seen = true, .reason = "", .text = ""};
        pending->done(pending->ctx, answer);
        return;
    }
    if (!*outcome || (*outcome)->verdict != PARTICIPANT__TYPE__V1__VERDICT__VERDICT_APPLIED) {
        judge(answer, pending->method, *outcome);
        answer->message = NULL; // it would be the inquiry's, not the action's
        answer->bytes = STR_NONE;
        pending->done(pending->ctx, answer);
        return;
    }
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct error error = {0};
    answer->bytes = str_n(kept->data, kept->len);
    answer->message = rpc_decode(rpc_method_response(&pending->method->method), answer->bytes, &arena, &error);
    if (answer->message)
        judge(answer, pending->method, *(outcome_message **)(void *)field_of(answer->message, "outcome"));
    else
        broken(answer, "the kept answer can't be read");
    pending->done(pending->ctx, answer);
    arena_release(&arena);
}

static void answered(void *ctx, const struct rpc_result *result) {
    struct adapter_pending *pending = ctx;
    struct adapter_answer answer = {
        .outcome = result->outcome,
        .code = result->error.code,
        .reason = result->outcome == OUTCOME_REJECTED && result->reason && result->reason[0]
                      ? result->reason
                      : err_info(result->error.code)->name,
        .text = result->error.text,
        .message = result->message,
        .bytes = result->bytes,
    };
    if (result->outcome == OUTCOME_OK && pending->inquiry) {
        answer_inquiry(pending, result, &answer);
    } else {
        if (result->outcome == OUTCOME_OK)
            judge(&answer, pending->method, *(outcome_message **)(void *)field_of(result->message, "outcome"));
        pending->done(pending->ctx, &answer);
    }
    free(pending);
}

// ---- Calls --------------------------------------------------------------------------------------------------------

static void send(struct adapter *adapter, const struct adapter_method *method, const struct adapter_effect *effect,
                 ProtobufCMessage *request, struct adapter_pending *pending) {
    effect_message message = PARTICIPANT__TYPE__V1__EFFECT__INIT;
    message.key = text_of(effect->key);
    message.gid = text_of(effect->gid);
    message.step = text_of(effect->step);
    message.op = method->op;
    message.trade_no = text_of(effect->trade_no);
    message.order_no = text_of(effect->order_no);
    effect_message **field = (effect_message **)(void *)field_of(request, "effect");
    assert(field); // every request has it
    *field = &message;
    struct rpc_header headers[7];
    size_t n = 0;
    const struct rpc_header all[] = {
        {"tx-key", str_c(effect->key)},
        {"tx-gid", str_c(effect->gid)},
        {"tx-step", str_c(effect->step)},
        {"tx-op", str_c(op_name(method->op))},
        {"x-request-id", str_c(effect->request_id)},
        {"traceparent", str_c(effect->traceparent)},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (!str_empty(all[i].value))
            headers[n++] = all[i];
    headers[n] = (struct rpc_header){.name = NULL};
    struct rpc_call_options options = {.deadline_ms = effect->deadline_ms ? effect->deadline_ms : adapter->deadline_ms,
                                       .headers = headers};
    rpc_call(adapter->channel, &method->method, request, &options, answered, pending);
    *field = NULL;
}

static struct adapter_pending *pending_new(const struct adapter_method *method, bool inquiry, adapter_done_fn *done,
                                           void *ctx) {
    struct adapter_pending *pending = malloc(sizeof *pending);
    if (!pending)
        abort();
    *pending = (struct adapter_pending){.method = method, .inquiry = inquiry, .done = done, .ctx = ctx};
    return pending;
}

void adapter_call(struct adapter *adapter, const struct adapter_method *method, const struct adapter_effect *effect,
                  ProtobufCMessage *request, adapter_done_fn *done, void *ctx) {
    assert(request->descriptor == rpc_method_request(&method->method));
    send(adapter, method, effect, request, pending_new(method, false, done, ctx));
}

void adapter_inquire(struct adapter *adapter, const struct adapter_method *inquire, const struct adapter_method *method,
                     const struct adapter_effect *effect, adapter_done_fn *done, void *ctx) {
    const ProtobufCMessageDescriptor *type = rpc_method_request(&inquire->method);
    // Every system has an InquireRequest of its own, all of one shape: made from its descriptor.
    union {
        ProtobufCMessage base;
        max_align_t aligned;
        char room[128];
    } request;
    assert(type->sizeof_message <= sizeof request);
    type->message_init(&request.base);
    send(adapter, inquire, effect, &request.base, pending_new(method, true, done, ctx));
}

const void *adapter_decode(struct str bytes, const ProtobufCMessageDescriptor *type, struct arena *arena) {
    struct error ignored = {0};
    return rpc_decode(type, bytes, arena, &ignored);
}

const void *adapter_decode_answer(struct str bytes, const struct adapter_method *method, struct arena *arena) {
    const ProtobufCMessage *message = adapter_decode(bytes, rpc_method_response(&method->method), arena);
    return message && complete(method, message) ? message : NULL;
}

// ---- Questions ----------------------------------------------------------------------------------------------------

struct str adapter_question(ProtobufCMessage *request, struct arena *arena) {
    void **effect = field_of(request, "effect"), **at = field_of(request, "at");
    void *moment = at ? *at : NULL;
    assert(effect && !*effect); // it is set when the request is sent
    if (at)
        *at = NULL;
    struct str question = rpc_encode(request, arena);
    if (at)
        *at = moment;
    return question;
}

ProtobufCMessage *adapter_request_copy(const ProtobufCMessage *request, struct arena *arena) {
    struct str bytes = rpc_encode(request, arena);
    return bytes.ptr ? (ProtobufCMessage *)(uintptr_t)adapter_decode(bytes, request->descriptor, arena) : NULL;
}
