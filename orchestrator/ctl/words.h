// Enum values as people write them: without their type's prefix. States stay in capitals, choices are written
// "fail-trade".
#ifndef TXC_ORCHESTRATOR_CTL_WORDS_H
#define TXC_ORCHESTRATOR_CTL_WORDS_H

#include "orchestrator/ctl/view.h"

#include <protobuf-c/protobuf-c.h>

enum { WORDS_MAX = 64 };

// "PARTIALLY_REFUNDED"; the number for a value that this program does not know; "-" for UNSPECIFIED.
void words_state(const ProtobufCEnumDescriptor *type, int value, char out[WORDS_MAX]);

// "partially-refunded".
void words_choice(const ProtobufCEnumDescriptor *type, int value, char out[WORDS_MAX]);

// The value of a choice; '-' and '_' and upper and lower case are the same. UNSPECIFIED is none.
bool words_value(const ProtobufCEnumDescriptor *type, struct str choice, int *ret_value);

// "card, wechat, alipay".
void words_list(const ProtobufCEnumDescriptor *type, struct buf *out);

// The colour of a state, an outcome or a health, by its word.
enum paint words_paint(const char *word);

#endif
