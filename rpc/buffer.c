#include "rpc/buffer.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>

static grpc_byte_buffer *wrap(grpc_slice slice, size_t *ret_size) {
    if (ret_size)
        *ret_size = GRPC_SLICE_LENGTH(slice);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

grpc_byte_buffer *rpc_buffer_of_message(const ProtobufCMessage *message, size_t *ret_size) {
    grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));
    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    return wrap(slice, ret_size);
}

grpc_byte_buffer *rpc_buffer_of_bytes(struct str bytes, size_t *ret_size) {
    return wrap(rpc_slice_of(bytes), ret_size);
}

bool rpc_buffer_slice(grpc_byte_buffer *buffer, grpc_slice *ret_slice) {
    if (buffer->type != GRPC_BB_RAW || buffer->data.raw.compression != GRPC_COMPRESS_NONE)
        return false;
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, buffer))
        return false;
    grpc_slice *first;
    if (grpc_byte_buffer_reader_peek(&reader, &first)) {
        if (GRPC_SLICE_LENGTH(*first) == grpc_byte_buffer_length(buffer)) {
            *ret_slice = grpc_slice_ref(*first);
        } else {
            grpc_byte_buffer_reader_destroy(&reader);
            grpc_byte_buffer_reader_init(&reader, buffer);
            *ret_slice = grpc_byte_buffer_reader_readall(&reader);
        }
    } else {
        *ret_slice = grpc_empty_slice();
    }
    grpc_byte_buffer_reader_destroy(&reader);
    return true;
}

struct str rpc_slice_str(const grpc_slice *slice) {
    if (!slice->refcount)
        return str_n(slice->data.inlined.bytes, slice->data.inlined.length);
    return str_n(slice->data.refcounted.bytes, slice->data.refcounted.length);
}

grpc_slice rpc_slice_of(struct str bytes) {
    return bytes.len ? grpc_slice_from_copied_buffer(bytes.ptr, bytes.len) : grpc_empty_slice();
}

struct str rpc_header_find(const grpc_metadata_array *headers, const char *name) {
    struct str wanted = str_c(name);
    for (size_t i = 0; i < headers->count; i++)
        if (str_eq(rpc_slice_str(&headers->metadata[i].key), wanted))
            return rpc_slice_str(&headers->metadata[i].value);
    return STR_NONE;
}
