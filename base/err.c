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

bool error_set(struct error *error, enum err code, const char *format, ...) {
    char text[ERR_TEXT_MAX] = "";
    if (format) {
        va_list args;
        va_start(args, format);
        str_vprint(text, sizeof text, format, args);
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
    str_vprint(text, sizeof text, format, args);
    va_end(args);
    size_t at = strlen(text);
    str_print(text + at, sizeof text - at, ": %s", error->text);
    memcpy(error->text, text, sizeof text);
}

void error_field(struct error *error, const char *path, const char *format, ...) {
    if (error->code != ERR_INVALID_REQUEST)
        error_set(error, ERR_INVALID_REQUEST, NULL);
    if (error->n_fields < ERR_FIELDS_MAX) {
        char what[sizeof error->fields[0].what]; // the arguments may lie in the error
        va_list args;
        va_start(args, format);
        str_vprint(what, sizeof what, format, args);
        va_end(args);
        str_print(error->fields[error->n_fields].path, sizeof error->fields[0].path, "%s", path);
        memcpy(error->fields[error->n_fields].what, what, sizeof what);
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
