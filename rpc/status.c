#include "rpc/status.h"

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "rpc/method.h"

#include <stdio.h>

enum { METADATA_MAX = 16, DETAILS_MAX = 3 };

#define TYPE_URL(name) "type.googleapis.com/google.rpc." name

static void clean(char *chars) {
    size_t len = strlen(chars);
    if (str_is_utf8(str_n(chars, len)))
        return;
    for (size_t at = 0; at < len;) {
        size_t size = 1;
        while (size <= 4 && at + size <= len && !str_is_utf8(str_n(chars + at, size)))
            size++;
        bool whole = size <= 4 && at + size <= len;
        if (!whole)
            chars[at] = '?';
        at += whole ? size : 1;
    }
}

void rpc_status_clean(struct error *error) {
    clean(error->text);
    for (size_t i = 0; i < error->n_fields && i < ERR_FIELDS_MAX; i++) {
        clean(error->fields[i].path);
        clean(error->fields[i].what);
    }
}

// ---- Writing ------------------------------------------------------------------------------------------------------

struct details {
    struct arena *arena;
    Google__Protobuf__Any *list[DETAILS_MAX];
    size_t n;
    bool full; // the arena is
};

// protobuf-c's messages have no const text.
static char *text(const char *chars) {
    return (char *)(uintptr_t)chars;
}

static void add(struct details *details, const char *url, const ProtobufCMessage *message) {
    Google__Protobuf__Any *any = arena_alloc(details->arena, sizeof *any);
    struct str value = rpc_encode(message, details->arena);
    if (!any || !value.ptr) {
        details->full = true;
        return;
    }
    google__protobuf__any__init(any);
    any->type_url = text(url);
    any->value = (ProtobufCBinaryData){value.len, (uint8_t *)(uintptr_t)value.ptr};
    details->list[details->n++] = any;
}

static void add_reason(struct details *details, const struct error *error, const char *const *metadata) {
    Google__Rpc__ErrorInfo__MetadataEntry entries[METADATA_MAX], *list[METADATA_MAX];
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    info.reason = text(err_info(error->code)->name);
    info.domain = text(RPC_STATUS_DOMAIN);
    info.metadata = list;
    for (size_t i = 0; metadata && metadata[2 * i] && i < METADATA_MAX; i++) {
        google__rpc__error_info__metadata_entry__init(&entries[i]);
        entries[i].key = text(metadata[2 * i]);
        entries[i].value = text(metadata[2 * i + 1]);
        list[info.n_metadata++] = &entries[i];
    }
    add(details, TYPE_URL("ErrorInfo"), &info.base);
}

static void add_violations(struct details *details, const struct error *error) {
    Google__Rpc__BadRequest__FieldViolation violations[ERR_FIELDS_MAX], *list[ERR_FIELDS_MAX];
    Google__Rpc__BadRequest bad = GOOGLE__RPC__BAD_REQUEST__INIT;
    bad.field_violations = list;
    for (size_t i = 0; i < error->n_fields && i < ERR_FIELDS_MAX; i++) {
        google__rpc__bad_request__field_violation__init(&violations[i]);
        violations[i].field = text(error->fields[i].path);
        violations[i].description = text(error->fields[i].what);
        list[bad.n_field_violations++] = &violations[i];
    }
    add(details, TYPE_URL("BadRequest"), &bad.base);
}

static void add_delay(struct details *details, uint32_t delay_ms) {
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
    delay.seconds = delay_ms / 1000;
    delay.nanos = (int32_t)(delay_ms % 1000) * 1000000;
    Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
    retry.retry_delay = &delay;
    add(details, TYPE_URL("RetryInfo"), &retry.base);
}

struct str rpc_status_encode(const struct error *error, const char *const *metadata, struct arena *arena) {
    struct details details = {.arena = arena};
    add_reason(&details, error, metadata);
    if (error->n_fields)
        add_violations(&details, error);
    if (error->retry_after_ms)
        add_delay(&details, error->retry_after_ms);
    if (details.full)
        return STR_NONE;
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    status.code = err_info(error->code)->grpc_status;
    status.message = text(error->text);
    status.n_details = details.n;
    status.details = details.list;
    return rpc_encode(&status.base, arena);
}

// ---- Reading ------------------------------------------------------------------------------------------------------

struct reading {
    struct rpc_status *status;
    struct error *error;
};

static void read_reason(const ProtobufCMessage *message, struct reading *reading) {
    const Google__Rpc__ErrorInfo *info = (const void *)message;
    reading->status->reason = info->reason;
    reading->status->domain = info->domain;
}

static void read_violations(const ProtobufCMessage *message, struct reading *reading) {
    const Google__Rpc__BadRequest *bad = (const void *)message;
    struct error *error = reading->error;
    for (size_t i = 0; i < bad->n_field_violations; i++) {
        const Google__Rpc__BadRequest__FieldViolation *violation = bad->field_violations[i];
        if (error->n_fields < ERR_FIELDS_MAX) {
            snprintf(error->fields[error->n_fields].path, sizeof error->fields[0].path, "%s", violation->field);
            snprintf(error->fields[error->n_fields].what, sizeof error->fields[0].what, "%s", violation->description);
        }
        error->n_fields++;
    }
}

static void read_delay(const ProtobufCMessage *message, struct reading *reading) {
    const Google__Rpc__RetryInfo *retry = (const void *)message;
    const Google__Protobuf__Duration *delay = retry->retry_delay;
    const int64_t day = 24 * 60 * 60;
    if (!delay || delay->seconds < 0 || delay->nanos < 0 || delay->nanos >= 1000000000)
        return;
    int64_t seconds = delay->seconds < day ? delay->seconds : day;
    reading->error->retry_after_ms = (uint32_t)(seconds * 1000 + delay->nanos / 1000000);
}

static const struct {
    const ProtobufCMessageDescriptor *type;
    void (*read)(const ProtobufCMessage *message, struct reading *reading);
} detail_types[] = {
    {&google__rpc__error_info__descriptor, read_reason},
    {&google__rpc__bad_request__descriptor, read_violations},
    {&google__rpc__retry_info__descriptor, read_delay},
};

static void read_detail(const Google__Protobuf__Any *any, struct arena *arena, struct reading *reading) {
    const char *slash = strrchr(any->type_url, '/');
    for (size_t i = 0; slash && i < sizeof detail_types / sizeof detail_types[0]; i++) {
        if (strcmp(slash + 1, detail_types[i].type->name) != 0)
            continue;
        struct error ignored;
        const ProtobufCMessage *message =
            rpc_decode(detail_types[i].type, str_n(any->value.data, any->value.len), arena, &ignored);
        if (message)
            detail_types[i].read(message, reading);
    }
}

void rpc_status_decode(struct str bytes, struct arena *arena, struct rpc_status *status, struct error *error) {
    struct error ignored;
    const Google__Rpc__Status *decoded =
        (const void *)rpc_decode(&google__rpc__status__descriptor, bytes, arena, &ignored);
    *status = (struct rpc_status){.reason = "", .domain = ""};
    if (!decoded)
        return;
    status->code = decoded->code;
    for (size_t i = 0; i < decoded->n_details; i++)
        read_detail(decoded->details[i], arena, &(struct reading){status, error});
}
