// Messages from JSON, so that samples can be read by people: the reverse of protojson, by the same descriptors.
#ifndef TXC_TESTS_ORCHESTRATOR_CTL_FROM_JSON_H
#define TXC_TESTS_ORCHESTRATOR_CTL_FROM_JSON_H

#include "base/arena.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

// The message lives in the arena. Fails the test when the text does not fit the type.
ProtobufCMessage *from_json(const ProtobufCMessageDescriptor *type, const json_t *json, struct arena *arena);

// The same of a file below tests/orchestrator/ctl/samples.
ProtobufCMessage *from_sample(const ProtobufCMessageDescriptor *type, const char *name, struct arena *arena);

// A whole file, in the arena, with a NUL.
struct str read_text(const char *path, struct arena *arena);

// Compares with tests/orchestrator/ctl/golden/<name>; with TXC_GOLDEN=write in the environment it writes the file
// instead.
void assert_golden(const char *name, struct str text);

#endif
