#include "rpc/message.h"

#include <assert.h>

ProtobufCMessage *rpc_message_new(const ProtobufCMessageDescriptor *type, struct arena *arena) {
    ProtobufCMessage *message = arena_alloc(arena, type->sizeof_message);
    if (message)
        protobuf_c_message_init(type, message);
    return message;
}

static unsigned offset_of(const ProtobufCMessage *message, unsigned tag, ProtobufCType type) {
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(message->descriptor, tag);
    assert(field && field->type == type && field->label != PROTOBUF_C_LABEL_REPEATED);
    return field->offset;
}

ProtobufCMessage **rpc_message_at(ProtobufCMessage *message, unsigned tag) {
    return (ProtobufCMessage **)(void *)((char *)message + offset_of(message, tag, PROTOBUF_C_TYPE_MESSAGE));
}

ProtobufCBinaryData *rpc_bytes_at(ProtobufCMessage *message, unsigned tag) {
    return (ProtobufCBinaryData *)(void *)((char *)message + offset_of(message, tag, PROTOBUF_C_TYPE_BYTES));
}

const ProtobufCMessage *rpc_message_in(const ProtobufCMessage *message, unsigned tag) {
    unsigned offset = offset_of(message, tag, PROTOBUF_C_TYPE_MESSAGE);
    return *(const ProtobufCMessage *const *)(const void *)((const char *)message + offset);
}

const char *rpc_string_named(const ProtobufCMessage *message, const char *name) {
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    if (!field || field->type != PROTOBUF_C_TYPE_STRING || field->label == PROTOBUF_C_LABEL_REPEATED)
        return NULL;
    return *(const char *const *)(const void *)((const char *)message + field->offset);
}
