#include "orchestrator/ctl/words.h"

#include <stdio.h>

// Every enum's first value is TYPE_NAME_UNSPECIFIED; what stands before it is the prefix of all.
static const char *without_prefix(const ProtobufCEnumDescriptor *type, const char *name) {
    static const char last[] = "UNSPECIFIED";
    const char *first = type->values[0].name;
    size_t prefix = strlen(first) >= sizeof last - 1 ? strlen(first) - (sizeof last - 1) : 0;
    return strncmp(name, first, prefix) == 0 ? name + prefix : name;
}

void words_state(const ProtobufCEnumDescriptor *type, int value, char out[WORDS_MAX]) {
    const ProtobufCEnumValue *row = protobuf_c_enum_descriptor_get_value(type, value);
    if (!row)
        snprintf(out, WORDS_MAX, "%d", value);
    else
        snprintf(out, WORDS_MAX, "%s", value == 0 ? "-" : without_prefix(type, row->name));
}

static char as_choice(char c) {
    return c == '_' ? '-' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

void words_choice(const ProtobufCEnumDescriptor *type, int value, char out[WORDS_MAX]) {
    words_state(type, value, out);
    for (char *c = out; *c; c++)
        *c = as_choice(*c);
}

bool words_value(const ProtobufCEnumDescriptor *type, struct str choice, int *ret_value) {
    char wanted[WORDS_MAX], word[WORDS_MAX];
    if (!str_copy(choice, wanted, sizeof wanted))
        return false;
    for (char *c = wanted; *c; c++)
        *c = as_choice(*c);
    for (unsigned i = 0; i < type->n_values; i++) {
        words_choice(type, type->values[i].value, word);
        if (type->values[i].value != 0 && strcmp(word, wanted) == 0) {
            *ret_value = type->values[i].value;
            return true;
        }
    }
    return false;
}

void words_list(const ProtobufCEnumDescriptor *type, struct buf *out) {
    bool first = true;
    for (unsigned i = 0; i < type->n_values; i++) {
        if (type->values[i].value == 0)
            continue;
        char word[WORDS_MAX];
        words_choice(type, type->values[i].value, word);
        buf_printf(out, "%s%s", first ? "" : ", ", word);
        first = false;
    }
}

static const struct {
    const char *word;
    enum paint paint;
} paints[] = {
    {"OK", PAINT_GOOD},
    {"PAID", PAINT_GOOD},
    {"COMPLETED", PAINT_GOOD},
    {"SUCCEEDED", PAINT_GOOD},
    {"DONE", PAINT_GOOD},
    {"SERVING", PAINT_GOOD},
    {"FAILED", PAINT_BAD},
    {"REJECTED", PAINT_BAD},
    {"PARKED", PAINT_BAD},
    {"UNDO_PARKED", PAINT_BAD},
    {"CONFLICTED", PAINT_BAD},
    {"TERMINATED", PAINT_BAD},
    {"NOT_SERVING", PAINT_BAD},
    {"COMPENSATING", PAINT_WARN},
    {"UNDOING", PAINT_WARN},
    {"UNDO_RETRYING", PAINT_WARN},
    {"RETRYING", PAINT_WARN},
    {"INQUIRING", PAINT_WARN},
    {"RETRY", PAINT_WARN},
    {"UNKNOWN", PAINT_WARN},
    {"CLOSING", PAINT_WARN},
    {"RETURNING", PAINT_WARN},
    {"PENDING", PAINT_LIVE},
    {"OPEN", PAINT_LIVE},
    {"ACCEPTED", PAINT_LIVE},
    {"RUNNING", PAINT_LIVE},
    {"FORWARD", PAINT_LIVE},
    {"WAITING", PAINT_LIVE},
    {"ORDERING", PAINT_LIVE},
    {"ORDERED", PAINT_LIVE},
    {"PAYING", PAINT_LIVE},
    {"QUOTED", PAINT_LIVE},
    {"PARTIALLY_REFUNDED", PAINT_WARN},
    {"REFUNDED", PAINT_WARN},
    {"UNDONE", PAINT_DIM},
    {"SKIPPED", PAINT_DIM},
    {"IDLE", PAINT_DIM},
    {"CLOSED", PAINT_DIM},
    {"RETURNED", PAINT_DIM},
    {"CANCELLED", PAINT_DIM},
    {"EXPIRED", PAINT_DIM},
};

enum paint words_paint(const char *word) {
    for (size_t i = 0; i < sizeof paints / sizeof paints[0]; i++)
        if (strcmp(word, paints[i].word) == 0)
            return paints[i].paint;
    return PAINT_PLAIN;
}
