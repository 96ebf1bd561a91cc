// Any protobuf-c message as JSON by proto3's mapping, from its descriptor: lowerCamelCase names, 64-bit integers as
// strings, enums by name, bytes as base64, Timestamp as RFC 3339 and Duration as "1.5s". Fields without presence are
// always there, also at their default (lists empty), so that a script need not guess; absent messages and unset
// members of a oneof are left out.
#ifndef TXC_ORCHESTRATOR_CTL_PROTOJSON_H
#define TXC_ORCHESTRATOR_CTL_PROTOJSON_H

#include "base/buf.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

// A new reference; NULL when there is no memory.
json_t *protojson_of(const ProtobufCMessage *message);

// Appends the document and a line end: indented, or on one line. Characters that would act on a terminal are escaped.
// False when the buffer is full or there is no memory.
bool protojson_print(struct buf *out, const json_t *document, bool one_line);

// "line_shares" as "lineShares".
enum { PROTOJSON_NAME_MAX = 128 };
void protojson_name(const char *field, char out[PROTOJSON_NAME_MAX]);

#endif
