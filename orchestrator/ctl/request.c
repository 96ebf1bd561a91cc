#include "orchestrator/ctl/request.h"

#include "base/money.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "orchestrator/ctl/moment.h"
#include "orchestrator/ctl/words.h"
#include "txcenter/type/v1/money.pb-c.h"

#include <assert.h>

enum { FIELD_NAME_MAX = 64 };

// ---- Making things in the arena -----------------------------------------------------------------------------------

void *request_new(struct request *request, const ProtobufCMessageDescriptor *type) {
    void *message = arena_calloc(request->arena, 1, type->sizeof_message);
    if (message)
        protobuf_c_message_init(type, message);
    else
        error_set(request->error, ERR_INVALID_REQUEST, "the request is too large");
    return message;
}

char *request_text(struct request *request, struct str text) {
    char *copy = arena_alloc(request->arena, text.len + 1);
    if (!copy) {
        error_set(request->error, ERR_INVALID_REQUEST, "the request is too large");
        return NULL;
    }
    memcpy(copy, text.ptr ? text.ptr : "", text.len);
    copy[text.len] = '\0';
    return copy;
}

void *request_refuse(struct request *request, const char *option, const char *expected, struct str text) {
    error_set(request->error, ERR_INVALID_REQUEST, "--%s: expected %s, got '%.*s'", option, expected, STR_FMT(text));
    return NULL;
}

ProtobufCMessage *request_money(struct request *request, struct str text) {
    struct money money;
    if (!money_parse(text, str_c(request->currency), &money) || money.minor < 0)
        return NULL;
    Txcenter__Type__V1__Money *message = request_new(request, &txcenter__type__v1__money__descriptor);
    if (!message)
        return NULL;
    message->currency = request_text(request, str_c(money.currency));
    message->minor_units = money.minor;
    return message->currency ? &message->base : NULL;
}

static ProtobufCMessage *make_time(struct request *request, const char *option, struct str text) {
    int64_t ms;
    if (!moment_parse(text, request->now_ms, &ms))
        return request_refuse(request, option, "a time such as 2026-01-31T12:00:00+08:00, 2026-01-31 or 2h (ago)",
                              text);
    Google__Protobuf__Timestamp *stamp = request_new(request, &google__protobuf__timestamp__descriptor);
    if (!stamp)
        return NULL;
    stamp->seconds = ms / 1000;
    stamp->nanos = (int32_t)(ms % 1000 * 1000000);
    return &stamp->base;
}

static ProtobufCMessage *make_money(struct request *request, const char *option, struct str text) {
    ProtobufCMessage *money = request_money(request, text);
    if (!money && !error_is(request->error))
        return request_refuse(request, option, "an amount such as 12.34 in the currency's decimals", text);
    return money;
}

// ---- Setting fields -----------------------------------------------------------------------------------------------

union value {
    int32_t i32; // also enums and booleans
    int64_t i64;
    void *pointer; // text and messages
    ProtobufCBinaryData bytes;
};

static bool number_value(struct request *request, const struct option *option, struct str text,
                         const ProtobufCFieldDescriptor *field, union value *ret_value) {
    int64_t number = 0;
    bool fine = str_to_i64(text, &number); // args_parse() has checked it
    assert(fine);
    number *= option->scale ? option->scale : 1;
    if (field->type == PROTOBUF_C_TYPE_INT64) {
        ret_value->i64 = number;
        return true;
    }
    if (number > INT32_MAX || number < INT32_MIN)
        return request_refuse(request, option->name, "a smaller number", text) != NULL;
    ret_value->i32 = (int32_t)number;
    return true;
}

static bool make_value(struct request *request, const struct option *option, struct str text,
                       const ProtobufCFieldDescriptor *field, union value *ret_value) {
    union value value = {0};
    switch (option->kind) {
    case OPTION_FLAG: value.i32 = 1; break;
    case OPTION_NUMBER: return number_value(request, option, text, field, ret_value);
    case OPTION_WORD: {
        int word = 0;
        bool known = words_value(option->words, text, &word);
        assert(known);
        value.i32 = word;
        break;
    }
    case OPTION_TEXT:
        value.pointer = request_text(request, text);
        if (field->type == PROTOBUF_C_TYPE_BYTES)
            value.bytes = (ProtobufCBinaryData){.len = text.len, .data = value.pointer};
        break;
    case OPTION_MONEY: value.pointer = make_money(request, option->name, text); break;
    case OPTION_TIME: value.pointer = make_time(request, option->name, text); break;
    case OPTION_SPEC: value.pointer = option->spec(request, option->name, text); break;
    }
    *ret_value = value;
    return !error_is(request->error);
}

static size_t size_of(const ProtobufCFieldDescriptor *field) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64: return sizeof(int64_t);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    default: return sizeof(int32_t); // int32, enum and bool: all that our requests have besides
    }
}

static const void *bytes_of(const ProtobufCFieldDescriptor *field, const union value *value) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64: return &value->i64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE: return &value->pointer;
    case PROTOBUF_C_TYPE_BYTES: return &value->bytes;
    default: return &value->i32;
    }
}

static bool append(struct request *request, ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                   const union value *value) {
    size_t n, size = size_of(field);
    char *count = (char *)message + field->quantifier_offset, *place = (char *)message + field->offset, *old;
    memcpy(&n, count, sizeof n);
    memcpy(&old, place, sizeof old);
    char *list = arena_calloc(request->arena, n + 1, size);
    if (!list)
        return error_set(request->error, ERR_INVALID_REQUEST, "the request is too large");
    if (n > 0)
        memcpy(list, old, n * size);
    memcpy(list + n * size, bytes_of(field, value), size);
    n++;
    memcpy(place, &list, sizeof list);
    memcpy(count, &n, sizeof n);
    return true;
}

// A member of a oneof excludes the others.
static bool claim(struct request *request, ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                  const struct option *option) {
    if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
        return true;
    uint32_t present;
    memcpy(&present, (char *)message + field->quantifier_offset, sizeof present);
    if (present != 0 && present != field->id)
        return error_set(request->error, ERR_INVALID_REQUEST, "--%s: it stands beside another option that excludes it",
                         option->name);
    memcpy((char *)message + field->quantifier_offset, &field->id, sizeof field->id);
    return true;
}

static ProtobufCMessage *descend(struct request *request, ProtobufCMessage *message,
                                 const ProtobufCFieldDescriptor *field) {
    ProtobufCMessage *inner;
    memcpy(&inner, (char *)message + field->offset, sizeof inner);
    if (!inner) {
        inner = request_new(request, field->descriptor);
        memcpy((char *)message + field->offset, &inner, sizeof inner);
    }
    return inner;
}

// The table and the protos belong together: a path that leads nowhere is a fault of ours, found by a test.
static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessage *message, struct str name) {
    char text[FIELD_NAME_MAX];
    bool fits = str_copy(name, text, sizeof text);
    const ProtobufCFieldDescriptor *field =
        fits ? protobuf_c_message_descriptor_get_field_by_name(message->descriptor, text) : NULL;
    assert(field);
    return field;
}

static bool set(struct request *request, ProtobufCMessage *message, const struct option *option, struct str text) {
    struct str path = str_c(option->field);
    for (;;) {
        const ProtobufCFieldDescriptor *field = field_of(message, str_cut(&path, '.'));
        if (!claim(request, message, field, option))
            return false;
        if (!path.ptr) {
            union value value;
            if (!make_value(request, option, text, field, &value))
                return false;
            if (field->label == PROTOBUF_C_LABEL_REPEATED)
                return append(request, message, field, &value);
            memcpy((char *)message + field->offset, bytes_of(field, &value), size_of(field));
            return true;
        }
        message = descend(request, message, field);
        if (!message)
            return false;
    }
}

// ---- The whole ----------------------------------------------------------------------------------------------------

static bool set_given(struct request *request, ProtobufCMessage *message) {
    const struct args *args = request->args;
    for (size_t i = 0; i < args->n; i++)
        if (args->given[i].option->field && !set(request, message, args->given[i].option, str_c(args->given[i].value)))
            return false;
    return true;
}

static bool set_fallbacks(struct request *request, ProtobufCMessage *message) {
    const struct option *option;
    for (size_t i = 0; (option = command_option(request->args->command, i)); i++) {
        if (!option->field || !option->fallback)
            continue;
        const char *text = args_text(request->args, option->name);
        if (text == option->fallback && !set(request, message, option, str_c(text)))
            return false;
    }
    return true;
}

static bool set_text(struct request *request, ProtobufCMessage *message, const char *field, const char *text) {
    const struct option option = {.name = field, .kind = OPTION_TEXT, .field = field};
    return !field || !text || set(request, message, &option, str_c(text));
}

ProtobufCMessage *request_make(const struct args *args, const char *request_id, int64_t now_ms, struct arena *arena,
                               struct error *error) {
    struct request request = {
        .args = args, .arena = arena, .error = error, .currency = args_text(args, "currency"), .now_ms = now_ms};
    if (money_decimals(str_c(request.currency)) < 0)
        return request_refuse(&request, "currency", "an ISO 4217 currency such as CNY", str_c(request.currency));
    const ProtobufCMessageDescriptor *type = rpc_method_request(&args->command->method);
    ProtobufCMessage *message = request_new(&request, type);
    if (!message || !set_text(&request, message, args->command->operand_field, args->operand) ||
        !set_given(&request, message) || !set_fallbacks(&request, message))
        return NULL;
    bool keyed = protobuf_c_message_descriptor_get_field_by_name(type, "request_id") != NULL;
    return !keyed || set_text(&request, message, "request_id", request_id) ? message : NULL;
}
