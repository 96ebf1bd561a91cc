#include "base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static const struct err_info table[] = {
#define X(name, number, status, outcome, text) {ERR_##name, #name, status, OUTCOME_##outcome, text},
    ERR_TABLE(X)
#undef X
};

const struct err_info *err_table(size_t *ret_count) {
    *ret_count = sizeof table / sizeof table[0];
    return table;
}

const struct err_info *err_info(enum err code) {
    const struct err_info *internal = NULL;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].code == code)
            return &table[i];
        if (table[i].code == ERR_INTERNAL)
            internal = &table[i];
    }
    return internal;
}

const char *err_status_name(int grpc_status) {
    static const char *const names[] = {
        "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
        "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
        "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
        "DATA_LOSS", "UNAUTHENTICATED"};
    bool known = grpc_status >= 0 && grpc_status < (int)(sizeof names / sizeof names[0]);
    return known ? names[grpc_status] : "?";
}

// Texts carry what callers and participants wrote, and end in protobuf strings: so a sequence that was cut off at the
// end goes, and any other byte that is not UTF-8 becomes '?'.
static void make_utf8(char *text, bool cut) {
    struct str rest = str_c(text);
    while (rest.len > 0) {
        size_t len = str_utf8_len(rest);
        if (len == 0) {
            char *at = text + (rest.ptr - text);
            if (cut && rest.len < 4 && (unsigned char)*at >= 0xC2) {
                *at = '\0';
                return;
            }
            *at = '?';
            len = 1;
        }
        rest = str_n(rest.ptr + len, rest.len - len);
    }
}

// printf into `out`, by way of a buffer of its own: the arguments may lie in the very error that is written.
__attribute__((format(printf, 3, 0))) static void write_text(char *out, size_t size, const char *format, va_list args) {
    char text[ERR_TEXT_MAX] = "";
    assert(size <= sizeof text);
    int length = vsnprintf(text, size, format, args);
    make_utf8(text, length < 0 || (size_t)length >= size);
    memcpy(out, text, size);
}

bool error_set(struct error *error, enum err code, const char *format, ...) {
    char text[ERR_TEXT_MAX] = "";
    if (format) {
        va_list args;
        va_start(args, format);
        write_text(text, sizeof text, format, args);
        va_end(args);
    } else {
        snprintf(text, sizeof text, "%s", err_info(code)->text);
    }
    *error = (struct error){.code = code};
    memcpy(error->text, text, sizeof text);
    return false;
}

void error_within(struct error *error, const char *format, ...) {
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    write_text(text, sizeof text, format, args);
    va_end(args);
    size_t at = strlen(text);
    int length = snprintf(text + at, sizeof text - at, ": %s", error->text);
    make_utf8(text, (size_t)length >= sizeof text - at);
    memcpy(error->text, text, sizeof text);
}

void error_field(struct error *error, const char *path, const char *format, ...) {
    if (error->code != ERR_INVALID_REQUEST)
        error_set(error, ERR_INVALID_REQUEST, NULL);
    if (error->n_fields < ERR_FIELDS_MAX) {
        int length = snprintf(error->fields[error->n_fields].path, sizeof error->fields[0].path, "%s", path);
        make_utf8(error->fields[error->n_fields].path, (size_t)length >= sizeof error->fields[0].path);
        va_list args;
        va_start(args, format);
        write_text(error->fields[error->n_fields].what, sizeof error->fields[0].what, format, args);
        va_end(args);
    }
    error->n_fields++;
}

const char *outcome_name(enum outcome outcome) {
    switch (outcome) {
    case OUTCOME_OK: return "OK";
    case OUTCOME_REJECTED: return "REJECTED";
    case OUTCOME_RETRY: return "RETRY";
    case OUTCOME_UNKNOWN: return "UNKNOWN";
    }
    return "?";
}
