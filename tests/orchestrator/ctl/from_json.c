#include "tests/orchestrator/ctl/from_json.h"

#include "google/protobuf/timestamp.pb-c.h"
#include "orchestrator/ctl/moment.h"
#include "orchestrator/ctl/protojson.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void *need(void *pointer) {
    assert_non_null(pointer);
    return pointer;
}

static char *text_of(const json_t *json, struct arena *arena) {
    assert_true(json_is_string(json));
    struct str text = arena_str(arena, str_n(json_string_value(json), json_string_length(json)));
    return need((char *)(uintptr_t)text.ptr);
}

static int64_t integer_of(const json_t *json) {
    int64_t value = json_integer_value(json);
    if (json_is_string(json))
        assert_true(str_to_i64(str_c(json_string_value(json)), &value));
    return value;
}

static int enum_of(const ProtobufCEnumDescriptor *type, const json_t *json) {
    if (json_is_integer(json))
        return (int)json_integer_value(json);
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(type, json_string_value(json));
    if (!value)
        fail_msg("%s has no value %s", type->name, json_string_value(json));
    return value->value;
}

static ProtobufCMessage *time_of(const json_t *json, struct arena *arena) {
    int64_t ms;
    assert_true(moment_parse(str_c(json_string_value(json)), 0, &ms));
    Google__Protobuf__Timestamp *stamp = need(arena_calloc(arena, 1, sizeof *stamp));
    google__protobuf__timestamp__init(stamp);
    stamp->seconds = ms / 1000;
    stamp->nanos = (int32_t)(ms % 1000 * 1000000);
    return &stamp->base;
}

// The bytes of hex digits: enough for samples.
static ProtobufCBinaryData bytes_of(const json_t *json, struct arena *arena) {
    char *text = text_of(json, arena);
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)text};
}

static size_t put(const ProtobufCFieldDescriptor *field, const json_t *json, struct arena *arena, void *at) {
    union {
        int32_t i32;
        int64_t i64;
        protobuf_c_boolean boolean;
        void *pointer;
        ProtobufCBinaryData bytes;
    } value = {0};
    size_t size = sizeof value.i32;
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32: value.i32 = (int32_t)integer_of(json); break;
    case PROTOBUF_C_TYPE_ENUM: value.i32 = enum_of(field->descriptor, json); break;
    case PROTOBUF_C_TYPE_BOOL: value.boolean = json_is_true(json); break;
    case PROTOBUF_C_TYPE_INT64:
        value.i64 = integer_of(json);
        size = sizeof value.i64;
        break;
    case PROTOBUF_C_TYPE_STRING:
        value.pointer = text_of(json, arena);
        size = sizeof value.pointer;
        break;
    case PROTOBUF_C_TYPE_BYTES:
        value.bytes = bytes_of(json, arena);
        size = sizeof value.bytes;
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        value.pointer = from_json(field->descriptor, json, arena);
        size = sizeof value.pointer;
        break;
    default: fail_msg("%s: no sample has this type", field->name);
    }
    memcpy(at, &value, size);
    return size;
}

static void put_list(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, const json_t *json,
                     struct arena *arena) {
    size_t n = json_array_size(json);
    char *list = need(arena_calloc(arena, n + 1, sizeof(ProtobufCBinaryData))), *at = list;
    for (size_t i = 0; i < n; i++)
        at += put(field, json_array_get(json, i), arena, at);
    memcpy((char *)message + field->offset, &list, sizeof list);
    memcpy((char *)message + field->quantifier_offset, &n, sizeof n);
}

static const ProtobufCFieldDescriptor *field_named(const ProtobufCMessageDescriptor *type, const char *name) {
    for (unsigned i = 0; i < type->n_fields; i++) {
        char camel[PROTOJSON_NAME_MAX];
        protojson_name(type->fields[i].name, camel);
        if (strcmp(camel, name) == 0)
            return &type->fields[i];
    }
    fail_msg("%s has no field %s", type->name, name);
    return NULL;
}

ProtobufCMessage *from_json(const ProtobufCMessageDescriptor *type, const json_t *json, struct arena *arena) {
    if (type == &google__protobuf__timestamp__descriptor)
        return time_of(json, arena);
    assert_true(json_is_object(json));
    ProtobufCMessage *message = need(arena_calloc(arena, 1, type->sizeof_message));
    protobuf_c_message_init(type, message);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)json, name, value) {
        const ProtobufCFieldDescriptor *field = field_named(type, name);
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            put_list(message, field, value, arena);
        else
            put(field, value, arena, (char *)message + field->offset);
        if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
            memcpy((char *)message + field->quantifier_offset, &field->id, sizeof field->id);
    }
    return message;
}

ProtobufCMessage *from_sample(const ProtobufCMessageDescriptor *type, const char *name, struct arena *arena) {
    char path[256];
    snprintf(path, sizeof path, "tests/orchestrator/ctl/samples/%s", name);
    json_error_t error;
    json_t *json = json_load_file(path, 0, &error);
    if (!json)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    ProtobufCMessage *message = from_json(type, json, arena);
    json_decref(json);
    return message;
}

struct str read_text(const char *path, struct arena *arena) {
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s can't be read", path);
    struct buf text;
    buf_init(&text, 1 << 20);
    char chunk[4096];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, file)) > 0;)
        buf_append(&text, str_n(chunk, n));
    fclose(file);
    struct str kept = arena_str(arena, buf_str(&text));
    buf_release(&text);
    return kept;
}

void assert_golden(const char *name, struct str text) {
    char path[256];
    snprintf(path, sizeof path, "tests/orchestrator/ctl/golden/%s", name);
    const char *mode = getenv("TXC_GOLDEN"); // NOLINT(concurrency-mt-unsafe): there is one thread
    if (mode && strcmp(mode, "write") == 0) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fwrite(text.ptr, 1, text.len, file);
        fclose(file);
        return;
    }
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct str golden = read_text(path, &arena);
    if (!str_eq(golden, text))
        fail_msg("%s differs; TXC_GOLDEN=write writes it anew. Got:\n%.*s", path, STR_FMT(text));
    arena_release(&arena);
}
