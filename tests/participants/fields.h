// Messages as text, so that a test can be a table: "tender_no=t1 amount=CNY1000 lines[0].kind=fuel".
//
// A path names a field, "." goes into a message, "[i]" is an item of a list, in order. A value goes up to the next
// space;
// "~" in it is a space. Texts, numbers, true/false, enum values by number, and a Money as its currency and minor units.
// What is wrong fails the running test.
#ifndef TXC_TESTS_PARTICIPANTS_FIELDS_H
#define TXC_TESTS_PARTICIPANTS_FIELDS_H

#include "base/arena.h"

#include <protobuf-c/protobuf-c.h>

ProtobufCMessage *fields_make(const ProtobufCMessageDescriptor *type, const char *text, struct arena *arena);
void fields_set(ProtobufCMessage *message, const char *path, const char *value, struct arena *arena);

// The value at the path: numbers, enums and booleans; 0 when a message on the way is absent.
int64_t fields_number(const ProtobufCMessage *message, const char *path);
// A text; "" when a message on the way is absent.
const char *fields_text(const ProtobufCMessage *message, const char *path);
// How many items a list has.
size_t fields_count(const ProtobufCMessage *message, const char *path);

#endif
