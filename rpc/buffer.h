// Inside rpc/ only: messages and text to and from gRPC's slices and byte buffers.
#ifndef TXC_RPC_BUFFER_H
#define TXC_RPC_BUFFER_H

#include "base/str.h"

#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <protobuf-c/protobuf-c.h>

// The caller owns the buffer. Its length goes to *ret_size where that isn't NULL.
grpc_byte_buffer *rpc_buffer_of_message(const ProtobufCMessage *message, size_t *ret_size);
grpc_byte_buffer *rpc_buffer_of_bytes(struct str bytes, size_t *ret_size);

// Everything in the buffer as one slice, which the caller unrefs; without copying where it is one already. False when
// it is compressed: nobody here asks for that, and what a small one unpacks to has no bound.
bool rpc_buffer_slice(grpc_byte_buffer *buffer, grpc_slice *ret_slice);

// Borrowed from *slice, which must stay where it is: short ones hold their bytes inside.
struct str rpc_slice_str(const grpc_slice *slice);

grpc_slice rpc_slice_of(struct str bytes);

// The value of the first header of this name; the empty slice when there is none. Borrowed from the array.
struct str rpc_header_find(const grpc_metadata_array *headers, const char *name);

#endif
