#include "rpc/scan.h"

#include <assert.h>
#include <stdio.h>

enum {
    WIRE_VARINT = 0,
    WIRE_64BIT = 1,
    WIRE_LENGTH = 2,
    WIRE_32BIT = 5,

    FIELDS_MAX = 256, // of one message type
    VARINT_MAX = 10,  // bytes
    TAG_MAX = 5,      // protobuf-c takes no longer ones
};

// One message that is being looked at, within those around it.
struct frame {
    const struct frame *parent;
    const ProtobufCMessageDescriptor *type;
    struct str bytes;
    const char *at;                        // where the present field begins
    const ProtobufCFieldDescriptor *field; // the present field; NULL: none yet, or one that we don't know
    uint64_t seen[FIELDS_MAX / 64];        // singular sub-messages
};

// ---- Reading ------------------------------------------------------------------------------------------------------

static struct str after(struct str s, size_t n) {
    return str_n(s.ptr + n, s.len - n);
}

static bool take_varint(struct str *rest, size_t max, uint64_t *ret_value) {
    uint64_t value = 0;
    for (size_t i = 0; i < max && i < rest->len; i++) {
        uint8_t byte = (uint8_t)rest->ptr[i];
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *rest = after(*rest, i + 1);
            *ret_value = value;
            return true;
        }
    }
    return false;
}

// One field, tag and content. `content` is all of a fixed-length value, and of a varint the bytes as they are.
static bool take_field(struct str *rest, uint32_t *ret_number, unsigned *ret_wire, struct str *ret_content) {
    struct str left = *rest;
    uint64_t tag, value;
    if (!take_varint(&left, TAG_MAX, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
        return false;
    unsigned wire = tag & 7;
    size_t len;
    struct str content = left;
    switch (wire) {
    case WIRE_VARINT:
        if (!take_varint(&left, VARINT_MAX, &value))
            return false;
        len = content.len - left.len;
        left = content;
        break;
    case WIRE_64BIT: len = 8; break;
    case WIRE_32BIT: len = 4; break;
    case WIRE_LENGTH:
        if (!take_varint(&left, TAG_MAX, &value) || value > left.len)
            return false;
        len = (size_t)value;
        break;
    default: return false; // groups, and what was never defined
    }
    if (len > left.len)
        return false;
    *ret_number = (uint32_t)(tag >> 3);
    *ret_wire = wire;
    *ret_content = str_n(left.ptr, len);
    *rest = after(left, len);
    return true;
}

bool rpc_scan_field(struct str *rest, uint32_t *ret_number, struct str *ret_content) {
    unsigned wire;
    struct str content;
    if (rest->len == 0 || !take_field(rest, ret_number, &wire, &content))
        return false;
    *ret_content = wire == WIRE_LENGTH ? content : STR_NONE;
    return true;
}

// ---- Saying where -------------------------------------------------------------------------------------------------

struct text {
    char chars[256];
    size_t len;
};

static void append(struct text *out, const char *more) {
    size_t room = sizeof out->chars - 1 - out->len, len = strlen(more);
    if (len > room)
        len = room;
    memcpy(out->chars + out->len, more, len);
    out->len += len;
}

// How many of the same field came before the present one.
static size_t place(const struct frame *frame) {
    struct str rest = frame->bytes, content;
    uint32_t number;
    size_t count = 0;
    while (rest.ptr < frame->at && rpc_scan_field(&rest, &number, &content))
        count += number == frame->field->id;
    return count;
}

// What doesn't fit is cut.
static void write_path(const struct frame *frame, struct text *out) {
    if (frame->parent) {
        write_path(frame->parent, out);
        append(out, ".");
    }
    append(out, frame->field->name);
    if (frame->field->label == PROTOBUF_C_LABEL_REPEATED && frame->field->type == PROTOBUF_C_TYPE_MESSAGE) {
        char index[24];
        snprintf(index, sizeof index, "[%zu]", place(frame));
        append(out, index);
    }
}

static bool refuse(const struct frame *frame, const char *what, struct error *error) {
    const struct frame *named = frame->field ? frame : frame->parent;
    if (!named)
        return error_set(error, ERR_INVALID_REQUEST, "the message %s", what);
    struct text path = {.len = 0};
    write_path(named, &path);
    error_field(error, path.chars, "%s", what);
    return false;
}

// ---- Checking -----------------------------------------------------------------------------------------------------

static unsigned wire_of(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT: return WIRE_32BIT;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE: return WIRE_64BIT;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE: return WIRE_LENGTH;
    default: return WIRE_VARINT;
    }
}

static bool packed_is_whole(ProtobufCType type, struct str content) {
    uint64_t value;
    switch (wire_of(type)) {
    case WIRE_32BIT: return content.len % 4 == 0;
    case WIRE_64BIT: return content.len % 8 == 0;
    case WIRE_VARINT:
        while (content.len)
            if (!take_varint(&content, VARINT_MAX, &value) || (type == PROTOBUF_C_TYPE_BOOL && value > 1))
                return false;
        return true;
    default: return false;
    }
}

static bool scan_message(struct frame *frame, unsigned depth, struct error *error);

static bool scan_submessage(struct frame *frame, struct str content, unsigned depth, struct error *error) {
    if (frame->field->label != PROTOBUF_C_LABEL_REPEATED) {
        size_t index = (size_t)(frame->field - frame->type->fields);
        uint64_t bit = UINT64_C(1) << (index % 64);
        if (frame->seen[index / 64] & bit)
            return refuse(frame, "is given twice", error);
        frame->seen[index / 64] |= bit;
    }
    if (depth == RPC_DEPTH_MAX)
        return refuse(frame, "nests too deep", error);
    struct frame inner = {.parent = frame, .type = frame->field->descriptor, .bytes = content};
    return scan_message(&inner, depth + 1, error);
}

static bool scan_field(struct frame *frame, unsigned wire, struct str content, unsigned depth, struct error *error) {
    const ProtobufCFieldDescriptor *field = frame->field;
    if (wire != wire_of(field->type)) {
        if (field->label != PROTOBUF_C_LABEL_REPEATED || wire != WIRE_LENGTH)
            return refuse(frame, "has another type", error);
        return packed_is_whole(field->type, content) || refuse(frame, "is malformed", error);
    }
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        if (!str_is_utf8(content))
            return refuse(frame, "is not UTF-8", error);
        if (content.len && memchr(content.ptr, '\0', content.len))
            return refuse(frame, "holds a NUL", error);
        return true;
    case PROTOBUF_C_TYPE_MESSAGE: return scan_submessage(frame, content, depth, error);
    default: return true;
    }
}

static bool scan_message(struct frame *frame, unsigned depth, struct error *error) {
    assert(frame->type->n_fields <= FIELDS_MAX);
    struct str rest = frame->bytes;
    while (rest.len) {
        uint32_t number;
        unsigned wire;
        struct str content;
        frame->at = rest.ptr;
        frame->field = NULL;
        if (!take_field(&rest, &number, &wire, &content))
            return refuse(frame, "is malformed", error);
        frame->field = protobuf_c_message_descriptor_get_field(frame->type, number);
        if (frame->field && !scan_field(frame, wire, content, depth, error))
            return false;
    }
    return true;
}

bool rpc_scan(const ProtobufCMessageDescriptor *type, struct str bytes, struct error *error) {
    struct frame frame = {.type = type, .bytes = bytes};
    return scan_message(&frame, 1, error);
}
