#include "orchestrator/ctl/jsonread.h"

#include "base/nearest.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "orchestrator/ctl/moment.h"
#include "orchestrator/ctl/protojson.h"

#include <stdio.h>

enum { PATH_BYTES = 160, DEPTH_MAX = 16 };

// Where in the document we are.
struct place {
    const struct place *within; // NULL: the whole
    const char *name;
    size_t index; // of an element of a list; SIZE_MAX: none
    unsigned depth;
};

struct reader {
    struct arena *arena;
    struct error *error;
};

static void put_path(const struct place *place, struct buf *out) {
    if (!place)
        return;
    put_path(place->within, out);
    if (place->name)
        buf_printf(out, "%s%s", out->len ? "." : "", place->name);
    if (place->index != SIZE_MAX)
        buf_printf(out, "[%zu]", place->index);
}

// Keeps the first fault.
__attribute__((format(printf, 3, 4))) static bool fault(struct reader *reader, const struct place *place,
                                                        const char *format, ...) {
    char what[160];
    struct buf path;
    va_list args;
    va_start(args, format);
    str_vprint(what, sizeof what, format, args);
    va_end(args);
    buf_init(&path, PATH_BYTES);
    put_path(place, &path);
    if (!error_is(reader->error))
        error_set(reader->error, ERR_INVALID_REQUEST, "%.*s%s%s", STR_FMT(buf_str(&path)), path.len ? ": " : "", what);
    buf_release(&path);
    return false;
}

// ---- Scalars --------------------------------------------------------------------------------------------------------

union value {
    int32_t i32;
    int64_t i64;
    protobuf_c_boolean boolean;
    void *pointer;
    ProtobufCBinaryData bytes;
};

static bool read_integer(struct reader *reader, const struct place *place, const json_t *json, int64_t least,
                         int64_t most, int64_t *ret_value) {
    int64_t value = json_integer_value(json);
    bool whole = json_is_integer(json) ||
                 (json_is_string(json) && str_to_i64(str_n(json_string_value(json), json_string_length(json)), &value));
    if (!whole || value < least || value > most)
        return fault(reader, place, "expected a whole number%s", most == INT32_MAX ? " of 32 bits" : "");
    *ret_value = value;
    return true;
}

static bool read_enum(struct reader *reader, const struct place *place, const json_t *json,
                      const ProtobufCEnumDescriptor *type, int32_t *ret_value) {
    int64_t number;
    if (json_is_integer(json)) {
        if (!read_integer(reader, place, json, INT32_MIN, INT32_MAX, &number))
            return false;
        *ret_value = (int32_t)number;
        return true;
    }
    const char *name = json_is_string(json) ? json_string_value(json) : "";
    const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value_by_name(type, name);
    if (!found)
        return fault(reader, place, "expected a name such as %s", type->values[type->n_values - 1].name);
    *ret_value = found->value;
    return true;
}

static bool read_text(struct reader *reader, const struct place *place, const json_t *json, void **ret_text) {
    struct str text = str_n(json_string_value(json), json_string_length(json));
    if (!json_is_string(json) || memchr(text.ptr, '\0', text.len))
        return fault(reader, place, "expected text");
    struct str kept = arena_str(reader->arena, text);
    *ret_text = (void *)(uintptr_t)kept.ptr;
    return kept.ptr || fault(reader, place, "the document is too large");
}

static int digit_of(char c) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (c == '-' || c == '_') // the URL-safe alphabet
        c = c == '-' ? '+' : '/';
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static bool decode(struct str text, uint8_t *out, size_t *ret_len) {
    size_t n = 0;
    uint32_t bits = 0;
    while (text.len > 0 && text.ptr[text.len - 1] == '=')
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        int digit = digit_of(text.ptr[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 > 0)
            out[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    *ret_len = n;
    return text.len % 4 != 1;
}

static bool read_bytes(struct reader *reader, const struct place *place, const json_t *json,
                       ProtobufCBinaryData *ret_bytes) {
    struct str text = str_n(json_string_value(json), json_string_length(json));
    uint8_t *bytes = arena_alloc(reader->arena, text.len + 1);
    if (!bytes)
        return fault(reader, place, "the document is too large");
    if (!json_is_string(json) || !decode(text, bytes, &ret_bytes->len))
        return fault(reader, place, "expected bytes in base64");
    ret_bytes->data = bytes;
    return true;
}

static bool read_time(struct reader *reader, const struct place *place, const json_t *json, void **ret_stamp) {
    int64_t ms;
    if (!json_is_string(json) || !moment_parse(str_c(json_string_value(json)), 0, &ms))
        return fault(reader, place, "expected a time such as 2026-01-31T12:00:00Z");
    Google__Protobuf__Timestamp *stamp = arena_alloc(reader->arena, sizeof *stamp);
    if (!stamp)
        return fault(reader, place, "the document is too large");
    google__protobuf__timestamp__init(stamp);
    stamp->seconds = ms / 1000;
    stamp->nanos = (int32_t)(ms % 1000 * 1000000);
    *ret_stamp = stamp;
    return true;
}

// ---- Fields ---------------------------------------------------------------------------------------------------------

static bool read_message(struct reader *reader, const struct place *place, const json_t *json,
                         const ProtobufCMessageDescriptor *type, void **ret_message);

static bool read_value(struct reader *reader, const struct place *place, const json_t *json,
                       const ProtobufCFieldDescriptor *field, union value *value, size_t *ret_size) {
    int64_t number = 0;
    *ret_size = sizeof value->pointer;
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
        *ret_size = sizeof value->i32;
        if (!read_integer(reader, place, json, INT32_MIN, INT32_MAX, &number))
            return false;
        value->i32 = (int32_t)number;
        return true;
    case PROTOBUF_C_TYPE_INT64:
        *ret_size = sizeof value->i64;
        return read_integer(reader, place, json, INT64_MIN, INT64_MAX, &value->i64);
    case PROTOBUF_C_TYPE_BOOL:
        *ret_size = sizeof value->boolean;
        value->boolean = json_is_true(json);
        return json_is_boolean(json) || fault(reader, place, "expected true or false");
    case PROTOBUF_C_TYPE_ENUM:
        *ret_size = sizeof value->i32;
        return read_enum(reader, place, json, field->descriptor, &value->i32);
    case PROTOBUF_C_TYPE_STRING: return read_text(reader, place, json, &value->pointer);
    case PROTOBUF_C_TYPE_BYTES: *ret_size = sizeof value->bytes; return read_bytes(reader, place, json, &value->bytes);
    case PROTOBUF_C_TYPE_MESSAGE: return read_message(reader, place, json, field->descriptor, &value->pointer);
    default: return fault(reader, place, "can't be read from JSON here");
    }
}

static bool read_list(struct reader *reader, const struct place *place, const json_t *json,
                      const ProtobufCFieldDescriptor *field, ProtobufCMessage *message) {
    if (!json_is_array(json))
        return fault(reader, place, "expected a list");
    size_t n = json_array_size(json);
    char *list = arena_calloc(reader->arena, n + 1, sizeof(union value)), *at = list;
    if (!list)
        return fault(reader, place, "the document is too large");
    for (size_t i = 0; i < n; i++) {
        struct place element = {.within = place, .index = i, .depth = place->depth};
        union value value = {0};
        size_t size;
        if (!read_value(reader, &element, json_array_get(json, i), field, &value, &size))
            return false;
        memcpy(at, &value, size);
        at += size;
    }
    memcpy((char *)message + field->offset, &list, sizeof list);
    memcpy((char *)message + field->quantifier_offset, &n, sizeof n);
    return true;
}

static const ProtobufCFieldDescriptor *field_named(struct reader *reader, const struct place *place,
                                                   const ProtobufCMessageDescriptor *type, const char *name) {
    struct nearest nearest;
    char camel[PROTOJSON_NAME_MAX], best[PROTOJSON_NAME_MAX] = "";
    nearest_init(&nearest, str_c(name));
    for (unsigned i = 0; i < type->n_fields; i++) {
        protojson_name(type->fields[i].name, camel);
        if (strcmp(camel, name) == 0 || strcmp(type->fields[i].name, name) == 0)
            return &type->fields[i];
        nearest_consider(&nearest, str_c(camel));
        if (nearest.best.ptr == camel) { // borrowed: kept before it is overwritten
            memcpy(best, camel, sizeof best);
            nearest.best.ptr = best;
        }
    }
    fault(reader, place, "there is no such field%s%s%s", *best ? "; did you mean '" : "", best, *best ? "'?" : "");
    return NULL;
}

static bool read_field(struct reader *reader, const struct place *place, const json_t *json, const char *name,
                       ProtobufCMessage *message) {
    const ProtobufCFieldDescriptor *field = field_named(reader, place, message->descriptor, name);
    union value value = {0};
    size_t size;
    if (!field)
        return false;
    if (json_is_null(json))
        return true; // as if it were not there
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return read_list(reader, place, json, field, message);
    if (!read_value(reader, place, json, field, &value, &size))
        return false;
    memcpy((char *)message + field->offset, &value, size);
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        memcpy((char *)message + field->quantifier_offset, &field->id, sizeof field->id);
    return true;
}

static bool read_message(struct reader *reader, const struct place *place, const json_t *json,
                         const ProtobufCMessageDescriptor *type, void **ret_message) {
    if (type == &google__protobuf__timestamp__descriptor)
        return read_time(reader, place, json, ret_message);
    if (!json_is_object(json) || place->depth == DEPTH_MAX)
        return fault(reader, place, "expected an object");
    ProtobufCMessage *message = arena_alloc(reader->arena, type->sizeof_message);
    if (!message)
        return fault(reader, place, "the document is too large");
    protobuf_c_message_init(type, message);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)json, name, value) {
        struct place field = {.within = place, .name = name, .index = SIZE_MAX, .depth = place->depth + 1};
        if (!read_field(reader, &field, value, name, message))
            return false;
    }
    *ret_message = message;
    return true;
}

// ---- The whole ------------------------------------------------------------------------------------------------------

ProtobufCMessage *jsonread(const ProtobufCMessageDescriptor *type, const json_t *json, struct arena *arena,
                           struct error *error) {
    struct reader reader = {.arena = arena, .error = error};
    struct place whole = {.index = SIZE_MAX};
    void *message = NULL;
    *error = (struct error){0};
    return read_message(&reader, &whole, json, type, &message) ? message : NULL;
}

ProtobufCMessage *jsonread_text(const ProtobufCMessageDescriptor *type, const char *name, struct str text,
                                struct arena *arena, struct error *error) {
    json_error_t where;
    json_t *json = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, &where);
    if (!json) {
        error_set(error, ERR_INVALID_REQUEST, "%s:%d: %s", name, where.line, where.text);
        return NULL;
    }
    ProtobufCMessage *message = jsonread(type, json, arena, error);
    if (!message)
        error_within(error, "%s", name);
    json_decref(json);
    return message;
}
