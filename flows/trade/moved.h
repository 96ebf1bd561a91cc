// What card and points systems say that they have moved: whether it is what they were asked for. For
// effect_expected.is, and for what an operator says that was answered.
#ifndef TXC_FLOWS_TRADE_MOVED_H
#define TXC_FLOWS_TRADE_MOVED_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

// A card's answers name principal and bonus in one field. That both make up this amount; that the principal is it,
// whatever bonus goes with that.
bool moved_all(const ProtobufCMessage *answer, int64_t amount, const char *currency);
bool moved_principal(const ProtobufCMessage *answer, int64_t amount, const char *currency);

// Points that were awarded, or that an award which is cancelled had come to: any that can be. Points that were taken
// back: with those that could not be, as many as were asked for.
bool moved_award(const ProtobufCMessage *answer, int64_t points, const char *currency);
bool moved_cancelled(const ProtobufCMessage *answer, int64_t points, const char *currency);
bool moved_back(const ProtobufCMessage *answer, int64_t points, const char *currency);

#endif
