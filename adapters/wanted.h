// Whether an answer has what the caller can't do without.
#ifndef TXC_ADAPTERS_WANTED_H
#define TXC_ADAPTERS_WANTED_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

// Walks the path of field names ("payment.amount.currency"): each message must be there, a text must not be empty, an
// enum not 0. A field of another type, or a list, is there by itself. Asserts that the type has such fields.
bool adapter_has(const ProtobufCMessage *message, const char *path);

#endif
