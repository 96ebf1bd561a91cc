// Bounds on what comes in, so that no system has to think of them: every text fits its column, every list is short,
// every amount is a sane one. Found through the messages' descriptors, for all methods alike.
#include "sim/core.h"

#include <stdio.h>

enum { ITEMS_MAX = 64, DEPTH_MAX = 8 };

// Texts that may be longer than a number of ours.
static const struct {
    const char *name;
    size_t max;
} long_texts[] = {
    {"key", SIM_KEY_MAX},      {"gid", SIM_KEY_MAX},   {"key_prefix", SIM_KEY_MAX},
    {"payer", SIM_NAME_MAX},   {"name", SIM_NAME_MAX}, {"title", SIM_NAME_MAX},
    {"user_id", SIM_NAME_MAX}, {"text", 255},          {"page_token", 255},
};

// Prefix of a nested field's path.
struct path {
    char text[64];
};

static bool check_message(const ProtobufCMessage *message, const struct path *at, int depth, struct error *error);

static struct path below(const struct path *at, const char *name, size_t index, bool indexed) {
    struct path path;
    const char *dot = at->text[0] ? "." : "";
    if (indexed)
        snprintf(path.text, sizeof path.text, "%s%s%s[%zu]", at->text, dot, name, index);
    else
        snprintf(path.text, sizeof path.text, "%s%s%s", at->text, dot, name);
    return path;
}

static size_t text_max(const char *name) {
    for (size_t i = 0; i < sizeof long_texts / sizeof long_texts[0]; i++)
        if (strcmp(long_texts[i].name, name) == 0)
            return long_texts[i].max;
    size_t len = strlen(name);
    bool names_a_key = len > 4 && strcmp(name + len - 4, "_key") == 0; // of another call: "freeze_key"
    return names_a_key ? SIM_KEY_MAX : SIM_ID_MAX;
}

static void check_money(const Txcenter__Type__V1__Money *money, const struct path *at, struct error *error) {
    if (money_decimals(str_c(money->currency)) < 0)
        error_field(error, at->text, "must have a currency of ISO 4217");
    if (money->minor_units > MONEY_MAX || money->minor_units < -MONEY_MAX)
        error_field(error, at->text, "is out of range");
}

static void check_one(const ProtobufCFieldDescriptor *field, const void *value, const struct path *at, int depth,
                      struct error *error) {
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(const char *const *)value;
        if (text && strlen(text) > text_max(field->name))
            error_field(error, at->text, "must not be longer than %zu bytes", text_max(field->name));
    } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessage *sub = *(const ProtobufCMessage *const *)value;
        if (!sub)
            return;
        if (sub->descriptor == &txcenter__type__v1__money__descriptor)
            check_money((const Txcenter__Type__V1__Money *)(const void *)sub, at, error);
        else if (depth < DEPTH_MAX)
            check_message(sub, at, depth + 1, error);
        else
            error_field(error, at->text, "is nested too deeply");
    }
}

static bool check_message(const ProtobufCMessage *message, const struct path *at, int depth, struct error *error) {
    const ProtobufCMessageDescriptor *type = message->descriptor;
    const char *base = (const char *)message;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        if (field->label != PROTOBUF_C_LABEL_REPEATED) {
            struct path path = below(at, field->name, 0, false);
            check_one(field, base + field->offset, &path, depth, error);
            continue;
        }
        size_t n = *(const size_t *)(const void *)(base + field->quantifier_offset);
        const void *const *items = *(const void *const *const *)(const void *)(base + field->offset);
        if (n > ITEMS_MAX)
            error_field(error, field->name, "must not have more than %d items", ITEMS_MAX);
        for (size_t k = 0; k < n && k < ITEMS_MAX; k++) {
            struct path path = below(at, field->name, k, true);
            check_one(field, &items[k], &path, depth, error);
        }
    }
    return !error_is(error);
}

bool sim_check_request(const ProtobufCMessage *request, struct error *error) {
    *error = (struct error){0};
    return check_message(request, &(struct path){""}, 0, error);
}
