#include "orchestrator/ctl/protojson.h"

#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "orchestrator/ctl/view.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void protojson_name(const char *field, char out[PROTOJSON_NAME_MAX]) {
    size_t n = 0;
    bool upper = false;
    for (; *field && n + 1 < PROTOJSON_NAME_MAX; field++) {
        if (*field == '_') {
            upper = true;
            continue;
        }
        out[n++] = upper && *field >= 'a' && *field <= 'z' ? (char)(*field - 'a' + 'A') : *field;
        upper = false;
    }
    out[n] = '\0';
}

// ---- Scalars ------------------------------------------------------------------------------------------------------

static json_t *text_json(struct str text) {
    json_t *json = json_stringn(text.ptr ? text.ptr : "", text.len);
    if (json)
        return json;
    // Not UTF-8, which protobuf forbids: each byte that isn't becomes U+FFFD.
    struct buf clean;
    buf_init(&clean, 3 * text.len);
    while (text.len > 0) {
        size_t n = str_utf8_len(text);
        buf_append(&clean, n ? str_n(text.ptr, n) : STR("\xEF\xBF\xBD"));
        n = n ? n : 1;
        text = str_n(text.ptr + n, text.len - n);
    }
    json = clean.failed ? NULL : json_stringn(buf_str(&clean).ptr, clean.len);
    buf_release(&clean);
    return json;
}

static json_t *bytes_json(const ProtobufCBinaryData *data) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = malloc(data->len / 3 * 4 + 5);
    if (!out)
        return NULL;
    size_t n = 0;
    for (size_t i = 0; i < data->len; i += 3) {
        size_t left = data->len - i;
        uint32_t bits = (uint32_t)data->data[i] << 16 | (left > 1 ? (uint32_t)data->data[i + 1] << 8 : 0) |
                        (left > 2 ? data->data[i + 2] : 0);
        out[n++] = alphabet[bits >> 18];
        out[n++] = alphabet[bits >> 12 & 63];
        out[n++] = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        out[n++] = left > 2 ? alphabet[bits & 63] : '=';
    }
    json_t *json = json_stringn(out, n);
    free(out);
    return json;
}

static json_t *real_json(double value) {
    if (isnan(value))
        return json_string("NaN");
    return isinf(value) ? json_string(value > 0 ? "Infinity" : "-Infinity") : json_real(value);
}

static json_t *enum_json(const ProtobufCEnumDescriptor *type, int number) {
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);
    return value ? json_string(value->name) : json_integer(number);
}

// ---- Well-known types ---------------------------------------------------------------------------------------------

// ".5", ".123456": with 3, 6 or 9 digits, nothing for zero.
static void fraction(int32_t nanos, char out[16]) {
    if (nanos == 0)
        out[0] = '\0';
    else if (nanos % 1000000 == 0)
        snprintf(out, 16, ".%03d", nanos / 1000000);
    else if (nanos % 1000 == 0)
        snprintf(out, 16, ".%06d", nanos / 1000);
    else
        snprintf(out, 16, ".%09d", nanos);
}

static json_t *timestamp_json(const Google__Protobuf__Timestamp *stamp) {
    enum { YEAR_1 = 1, YEAR_9999 = 9999 };
    time_t seconds = (time_t)stamp->seconds;
    struct tm tm;
    if (stamp->nanos < 0 || stamp->nanos > 999999999 || !gmtime_r(&seconds, &tm) || tm.tm_year + 1900 < YEAR_1 ||
        tm.tm_year + 1900 > YEAR_9999)
        return NULL;
    char tail[16], text[96];
    fraction(stamp->nanos, tail);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec, tail);
    return json_string(text);
}

static json_t *duration_json(const Google__Protobuf__Duration *duration) {
    bool negative = duration->seconds < 0 || duration->nanos < 0;
    int64_t most = INT64_C(315576000000);
    if (duration->seconds > most || duration->seconds < -most || duration->nanos > 999999999 ||
        duration->nanos < -999999999)
        return NULL;
    char tail[16], text[64];
    fraction(duration->nanos < 0 ? -duration->nanos : duration->nanos, tail);
    snprintf(text, sizeof text, "%s%" PRId64 "%ss", negative ? "-" : "",
             duration->seconds < 0 ? -duration->seconds : duration->seconds, tail);
    return json_string(text);
}

// NULL also for one that is out of range; it is then shown by its fields.
static json_t *well_known(const ProtobufCMessage *message) {
    if (message->descriptor == &google__protobuf__timestamp__descriptor)
        return timestamp_json((const Google__Protobuf__Timestamp *)message);
    if (message->descriptor == &google__protobuf__duration__descriptor)
        return duration_json((const Google__Protobuf__Duration *)message);
    return NULL;
}

// ---- Fields -------------------------------------------------------------------------------------------------------

#define READ(type, at) (*(const type *)(at))

// One value of a field, at its place in memory.
static json_t *value_json(const ProtobufCFieldDescriptor *field, const void *at) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32: return json_integer(READ(int32_t, at));
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32: return json_integer(READ(uint32_t, at));
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64: return json_sprintf("%" PRId64, READ(int64_t, at));
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64: return json_sprintf("%" PRIu64, READ(uint64_t, at));
    case PROTOBUF_C_TYPE_FLOAT: return real_json((double)READ(float, at));
    case PROTOBUF_C_TYPE_DOUBLE: return real_json(READ(double, at));
    case PROTOBUF_C_TYPE_BOOL: return json_boolean(READ(protobuf_c_boolean, at));
    case PROTOBUF_C_TYPE_ENUM: return enum_json(field->descriptor, READ(int, at));
    case PROTOBUF_C_TYPE_STRING: return text_json(str_c(READ(char *const, at)));
    case PROTOBUF_C_TYPE_BYTES: return bytes_json(at);
    case PROTOBUF_C_TYPE_MESSAGE: return protojson_of(READ(ProtobufCMessage *const, at));
    }
    return json_null();
}

static size_t value_size(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32: return sizeof(int32_t);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64: return sizeof(int64_t);
    case PROTOBUF_C_TYPE_FLOAT: return sizeof(float);
    case PROTOBUF_C_TYPE_DOUBLE: return sizeof(double);
    case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_ENUM: return sizeof(int);
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE: break;
    }
    return sizeof(void *);
}

static bool is_present(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field) {
    const char *base = (const char *)message;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return READ(uint32_t, base + field->quantifier_offset) == field->id;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return READ(void *const, base + field->offset) != NULL;
    return true;
}

static json_t *list_json(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field) {
    json_t *list = json_array();
    size_t n = READ(size_t, (const char *)message + field->quantifier_offset);
    const char *values = READ(char *const, (const char *)message + field->offset);
    for (size_t i = 0; list && i < n; i++) {
        if (json_array_append_new(list, value_json(field, values + i * value_size(field->type))) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *protojson_of(const ProtobufCMessage *message) {
    json_t *special = well_known(message);
    if (special)
        return special;
    json_t *object = json_object();
    for (unsigned i = 0; object && i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
        if (!repeated && !is_present(message, field))
            continue;
        char name[PROTOJSON_NAME_MAX];
        protojson_name(field->name, name);
        json_t *value = repeated ? list_json(message, field) : value_json(field, (const char *)message + field->offset);
        if (json_object_set_new(object, name, value) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

// ---- Text ---------------------------------------------------------------------------------------------------------

// jansson escapes what JSON makes it escape; DEL, C1 and the directional characters it leaves. They stand in strings
// only, where view_escape()'s \u form is JSON's own; its line ends and indentation stay as they are.
static bool print_lines(struct buf *out, struct str text) {
    while (text.ptr) {
        struct str line = str_cut(&text, '\n');
        view_escape(out, line);
        if (text.ptr)
            buf_byte(out, '\n');
    }
    return buf_byte(out, '\n');
}

bool protojson_print(struct buf *out, const json_t *document, bool one_line) {
    char *text = json_dumps(document, one_line ? JSON_COMPACT : JSON_INDENT(2));
    if (!text)
        return false;
    bool fits = print_lines(out, str_c(text));
    free(text);
    return fits;
}
