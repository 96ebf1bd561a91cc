#include "sim/bend.h"

#include "rpc/message.h"
#include "rpc/method.h"

#include <string.h>

static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessage *message, struct str name) {
    char text[64];
    const ProtobufCFieldDescriptor *field =
        str_copy(name, text, sizeof text) ? protobuf_c_message_descriptor_get_field_by_name(message->descriptor, text)
                                          : NULL;
    return field && field->label != PROTOBUF_C_LABEL_REPEATED ? field : NULL;
}

static void *place_of(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field) {
    return (char *)message + field->offset;
}

static bool set(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, struct str value,
                struct arena *arena) {
    int64_t number = 0;
    str_to_i64(value, &number);
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING: *(const char **)place_of(message, field) = arena_str(arena, value).ptr; return true;
    case PROTOBUF_C_TYPE_INT64: *(int64_t *)place_of(message, field) = number; return true;
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32: *(int32_t *)place_of(message, field) = (int32_t)number; return true;
    default: return false;
    }
}

struct str sim_bend(struct str bytes, const ProtobufCMessageDescriptor *type, const char *how, struct arena *arena) {
    struct error error = {0};
    struct str value = str_c(how), path = str_cut(&value, '=');
    ProtobufCMessage *whole = rpc_decode(type, bytes, arena, &error), *message = whole;
    while (message) {
        struct str name = str_cut(&path, '.');
        const ProtobufCFieldDescriptor *field = field_of(message, name);
        if (!field)
            break;
        if (str_empty(path))
            return set(message, field, value, arena) ? rpc_encode(whole, arena) : bytes;
        if (field->type != PROTOBUF_C_TYPE_MESSAGE)
            break;
        ProtobufCMessage **part = place_of(message, field);
        message = *part = *part ? *part : rpc_message_new(field->descriptor, arena);
    }
    return bytes;
}
