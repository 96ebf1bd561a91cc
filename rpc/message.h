// Messages through their descriptors, for code that treats many types alike: every request to a participant begins with
// the same field, every answer too.
#ifndef TXC_RPC_MESSAGE_H
#define TXC_RPC_MESSAGE_H

#include "base/arena.h"

#include <protobuf-c/protobuf-c.h>

// Generated structs have `char *` where they only read. The text is borrowed, never written through.
static inline char *rpc_text(const char *text) {
    return (char *)(uintptr_t)text;
}

// A message with every field at its default; NULL when the arena is full.
ProtobufCMessage *rpc_message_new(const ProtobufCMessageDescriptor *type, struct arena *arena);

// Where the field lives. Asserts that the message has the field and that it is a single (not repeated) message, bytes
// or string respectively: only for fields that our own protos are known to have.
ProtobufCMessage **rpc_message_at(ProtobufCMessage *message, unsigned tag);
ProtobufCBinaryData *rpc_bytes_at(ProtobufCMessage *message, unsigned tag);

// The single message in the field; NULL when it is absent.
const ProtobufCMessage *rpc_message_in(const ProtobufCMessage *message, unsigned tag);

// The text of the single string field of this name; NULL when the type has none.
const char *rpc_string_named(const ProtobufCMessage *message, const char *name);

#endif
