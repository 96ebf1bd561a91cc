#include "tests/participants/fields.h"

#include "rpc/message.h"
#include "tests/cmocka.h"
#include "txcenter/type/v1/money.pb-c.h"

#include <stdio.h>

enum { ITEMS_MAX = 128 };

// A step of a path: the field's name and, for a list, which item.
struct part {
    char name[64];
    bool indexed;
    size_t index;
};

static struct part next_part(struct str *path) {
    struct part part = {0};
    struct str text = str_cut(path, '.');
    struct str rest = text;
    struct str name = str_cut(&rest, '[');
    int64_t index = 0;
    if (rest.len > 0) {
        rest.len--; // the bracket
        part.indexed = true;
        assert_true(str_to_i64(rest, &index));
        part.index = (size_t)index;
    }
    assert_true(str_copy(name, part.name, sizeof part.name));
    return part;
}

static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessage *message, const struct part *part) {
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, part->name);
    if (!field)
        fail_msg("%s has no field %s", message->descriptor->name, part->name);
    return field;
}

static size_t item_size(const ProtobufCFieldDescriptor *field) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING: return sizeof(char *);
    case PROTOBUF_C_TYPE_MESSAGE: return sizeof(ProtobufCMessage *);
    case PROTOBUF_C_TYPE_INT64: return sizeof(int64_t);
    default: return sizeof(int32_t);
    }
}

// ---- Writing ---------------------------------------------------------------------------------------------------

// Where the value lives; a list grows by one item for its next index.
static void *place_of(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, const struct part *part,
                      struct arena *arena) {
    char *place = (char *)message + field->offset;
    if (!part->indexed)
        return place;
    assert_int_equal(field->label, PROTOBUF_C_LABEL_REPEATED);
    size_t *n = (size_t *)(void *)((char *)message + field->quantifier_offset);
    char **items = (char **)(void *)place;
    if (*n == 0) {
        *items = arena_calloc(arena, ITEMS_MAX, item_size(field));
        assert_non_null(*items);
    }
    assert_true(part->index <= *n && part->index < ITEMS_MAX);
    if (part->index == *n)
        (*n)++;
    return *items + part->index * item_size(field);
}

static void set_money(ProtobufCMessage *message, struct str value, struct arena *arena) {
    Txcenter__Type__V1__Money *money = (void *)message;
    assert_true(value.len > 3);
    money->currency = rpc_text(arena_str(arena, str_n(value.ptr, 3)).ptr);
    assert_true(str_to_i64(str_n(value.ptr + 3, value.len - 3), &money->minor_units));
}

static void set_scalar(const ProtobufCFieldDescriptor *field, void *place, const char *value, struct arena *arena) {
    int64_t number = 0;
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        struct str copy = arena_str(arena, str_c(value));
        char *text = rpc_text(copy.ptr);
        for (size_t i = 0; i < copy.len; i++)
            if (text[i] == '~')
                text[i] = ' ';
        *(char **)place = text;
        return;
    }
    if (strcmp(value, "true") == 0)
        number = 1;
    else if (strcmp(value, "false") != 0 && !str_to_i64(str_c(value), &number))
        fail_msg("%s=%s is no number", field->name, value);
    if (field->type == PROTOBUF_C_TYPE_INT64)
        *(int64_t *)place = number;
    else
        *(int32_t *)place = (int32_t)number; // int32, bool and enum
}

// Of a oneof, which of its fields is there.
static void choose(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field) {
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        *(uint32_t *)(void *)((char *)message + field->quantifier_offset) = field->id;
}

void fields_set(ProtobufCMessage *message, const char *path, const char *value, struct arena *arena) {
    struct str rest = str_c(path);
    while (true) {
        struct part part = next_part(&rest);
        const ProtobufCFieldDescriptor *field = field_of(message, &part);
        void *place = place_of(message, field, &part, arena);
        choose(message, field);
        if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
            set_scalar(field, place, value, arena);
            return;
        }
        ProtobufCMessage **sub = place;
        if (!*sub)
            *sub = rpc_message_new(field->descriptor, arena);
        message = *sub;
        assert_non_null(message);
        if (rest.len > 0)
            continue;
        assert_ptr_equal(message->descriptor, &txcenter__type__v1__money__descriptor);
        set_money(message, str_c(value), arena);
        return;
    }
}

ProtobufCMessage *fields_make(const ProtobufCMessageDescriptor *type, const char *text, struct arena *arena) {
    ProtobufCMessage *message = rpc_message_new(type, arena);
    assert_non_null(message);
    struct str rest = str_c(text);
    while (rest.len > 0) {
        struct str value = str_cut(&rest, ' ');
        if (value.len == 0)
            continue;
        struct str path = str_cut(&value, '=');
        fields_set(message, arena_str(arena, path).ptr, arena_str(arena, value).ptr, arena);
    }
    return message;
}

// ---- Reading ---------------------------------------------------------------------------------------------------

// NULL when a message on the way is absent, or the list is shorter.
static const void *find(const ProtobufCMessage *message, const char *path, const ProtobufCFieldDescriptor **ret_field) {
    struct str rest = str_c(path);
    while (true) {
        struct part part = next_part(&rest);
        const ProtobufCFieldDescriptor *field = field_of(message, &part);
        const char *place = (const char *)message + field->offset;
        if (part.indexed) {
            if (part.index >= *(const size_t *)(const void *)((const char *)message + field->quantifier_offset))
                return NULL;
            place = *(const char *const *)(const void *)place + part.index * item_size(field);
        }
        *ret_field = field;
        if (rest.len == 0)
            return place;
        assert_int_equal(field->type, PROTOBUF_C_TYPE_MESSAGE);
        message = *(const ProtobufCMessage *const *)(const void *)place;
        if (!message)
            return NULL;
    }
}

int64_t fields_number(const ProtobufCMessage *message, const char *path) {
    const ProtobufCFieldDescriptor *field = NULL;
    const void *place = find(message, path, &field);
    if (!place)
        return 0;
    assert_int_not_equal(field->type, PROTOBUF_C_TYPE_STRING);
    assert_int_not_equal(field->type, PROTOBUF_C_TYPE_MESSAGE);
    return field->type == PROTOBUF_C_TYPE_INT64 ? *(const int64_t *)place : *(const int32_t *)place;
}

const char *fields_text(const ProtobufCMessage *message, const char *path) {
    const ProtobufCFieldDescriptor *field = NULL;
    const void *place = find(message, path, &field);
    if (!place)
        return "";
    assert_int_equal(field->type, PROTOBUF_C_TYPE_STRING);
    return *(const char *const *)place;
}

size_t fields_count(const ProtobufCMessage *message, const char *path) {
    const ProtobufCFieldDescriptor *field = NULL;
    const void *place = find(message, path, &field);
    if (!place)
        return 0;
    assert_int_equal(field->label, PROTOBUF_C_LABEL_REPEATED);
    const char *owner = (const char *)place - field->offset;
    return *(const size_t *)(const void *)(owner + field->quantifier_offset);
}
