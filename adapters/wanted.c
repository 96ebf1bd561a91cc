#include "adapters/wanted.h"

#include "base/str.h"

#include <assert.h>

static const ProtobufCFieldDescriptor *field_named(const ProtobufCMessage *message, struct str name) {
    char text[64];
    bool fits = str_copy(name, text, sizeof text);
    assert(fits);
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, text);
    assert(field);
    return field;
}

bool adapter_has(const ProtobufCMessage *message, const char *path) {
    struct str rest = str_c(path);
    while (rest.len > 0) {
        const ProtobufCFieldDescriptor *field = field_named(message, str_cut(&rest, '.'));
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            return true;
        const void *place = (const char *)message + field->offset;
        if (field->type == PROTOBUF_C_TYPE_STRING)
            return **(const char *const *)place != '\0';
        if (field->type == PROTOBUF_C_TYPE_ENUM)
            return *(const int *)place != 0;
        if (field->type != PROTOBUF_C_TYPE_MESSAGE)
            return true;
        message = *(const ProtobufCMessage *const *)place;
        if (!message)
            return false;
    }
    return true;
}
