#include "base/err.h"

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

bool error_set(struct error *error, enum err code, const char *format, ...) {
    *error = (struct error){.code = code};
    if (format) {
        va_list args;
        va_start(args, format);
        vsnprintf(error->text, sizeof error->text, format, args);
        va_end(args);
    } else {
        snprintf(error->text, sizeof error->text, "%s", err_info(code)->text);
    }
    return false;
}

void error_within(struct error *error, const char *format, ...) {
    char inner[ERR_TEXT_MAX];
    memcpy(inner, error->text, sizeof inner);
    va_list args;
    va_start(args, format);
    int length = vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    size_t at = length < 0 ? 0 : (size_t)length;
    if (at < sizeof error->text)
        snprintf(error->text + at, sizeof error->text - at, ": %s", inner);
}

void error_field(struct error *error, const char *path, const char *format, ...) {
    if (error->code != ERR_INVALID_REQUEST)
        error_set(error, ERR_INVALID_REQUEST, NULL);
    if (error->n_fields < ERR_FIELDS_MAX) {
        snprintf(error->fields[error->n_fields].path, sizeof error->fields[0].path, "%s", path);
        va_list args;
        va_start(args, format);
        vsnprintf(error->fields[error->n_fields].what, sizeof error->fields[0].what, format, args);
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
