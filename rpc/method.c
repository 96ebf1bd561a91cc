#include "rpc/method.h"

#include "rpc/scan.h"

#include <assert.h>
#include <stdio.h>

static const ProtobufCMethodDescriptor *find(const struct rpc_method *method) {
    const ProtobufCMethodDescriptor *found =
        protobuf_c_service_descriptor_get_method_by_name(method->service, method->name);
    assert(found);
    return found;
}

bool rpc_method_path(const struct rpc_method *method, char out[RPC_PATH_MAX]) {
    int length = snprintf(out, RPC_PATH_MAX, "/%s/%s", method->service->name, method->name);
    return length > 0 && length < RPC_PATH_MAX;
}

const ProtobufCMessageDescriptor *rpc_method_request(const struct rpc_method *method) {
    return find(method)->input;
}

const ProtobufCMessageDescriptor *rpc_method_response(const struct rpc_method *method) {
    return find(method)->output;
}

static void *take(void *arena, size_t size) {
    return arena_alloc(arena, size);
}

static void keep(void *arena, void *ptr) {
    (void)arena;
    (void)ptr; // the arena is freed as a whole
}

ProtobufCMessage *rpc_decode(const ProtobufCMessageDescriptor *type, struct str bytes, struct arena *arena,
                             struct error *error) {
    if (!rpc_scan(type, bytes, error))
        return NULL;
    ProtobufCAllocator allocator = {take, keep, arena};
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, bytes.len, (const uint8_t *)bytes.ptr);
    if (!message)
        error_set(error, ERR_INVALID_REQUEST, "decoding the message takes more memory than the %zu bytes allowed",
                  arena->max);
    return message;
}

struct str rpc_field(struct str bytes, uint32_t number) {
    uint32_t found;
    struct str content;
    while (rpc_scan_field(&bytes, &found, &content))
        if (found == number && content.ptr)
            return content;
    return STR_NONE;
}

struct str rpc_encode(const ProtobufCMessage *message, struct arena *arena) {
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = arena_alloc(arena, size);
    if (!bytes)
        return STR_NONE;
    protobuf_c_message_pack(message, bytes);
    return str_n(bytes, size);
}
