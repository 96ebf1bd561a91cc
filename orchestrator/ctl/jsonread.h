// JSON as any protobuf-c message by proto3's mapping, from its descriptor: the reverse of protojson. Names are
// lowerCamelCase or as in the proto, 64-bit integers numbers or strings, enums names or numbers, bytes base64.
#ifndef TXC_ORCHESTRATOR_CTL_JSONREAD_H
#define TXC_ORCHESTRATOR_CTL_JSONREAD_H

#include "base/arena.h"
#include "base/err.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

// The message lives in the arena. NULL and INVALID_REQUEST with the path and what was expected there:
// "steps[1].action.deadlineMs: expected a whole number". Types that none of our requests has (floating point, unsigned,
// maps, Duration) are refused.
ProtobufCMessage *jsonread(const ProtobufCMessageDescriptor *type, const json_t *json, struct arena *arena,
                           struct error *error);

// The same from text; `name` stands before a fault of the text itself: "order.json:3: …".
ProtobufCMessage *jsonread_text(const ProtobufCMessageDescriptor *type, const char *name, struct str text,
                                struct arena *arena, struct error *error);

#endif
