// Structured log lines for programs (txcenterd, txsim). Libraries never log: they return errors or report events.
//   LOG(LOG_INFO, "saga ended", LOG_STR("gid", gid), LOG_INT("steps", n));
#ifndef TXC_BASE_LOG_H
#define TXC_BASE_LOG_H

#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_AUTO, LOG_TEXT, LOG_JSON }; // AUTO: text on a terminal, JSON otherwise

// Thread-safe after this; lines go to standard error, each in one write(2).
void log_setup(enum log_level least, enum log_format format);

// Each line says from here on which of several processes it is of. Before there are threads; the name is borrowed.
void log_setup_instance(const char *name);

// One field: a name and a value. Use the macros below. Of a text only the first LOG_VALUE_MAX bytes are written, with
// "…" behind them, so that a long one can't push the others out of the line.
enum { LOG_VALUE_MAX = 1024 };
struct log_field {
    const char *name; // NULL ends the list
    struct str text;
    int64_t integer;
    bool is_integer;
};

#define LOG_STR(field_name, value) ((struct log_field){.name = (field_name), .text = (value)})
#define LOG_C(field_name, value) ((struct log_field){.name = (field_name), .text = str_c(value)})
#define LOG_INT(field_name, value) ((struct log_field){.name = (field_name), .integer = (value), .is_integer = true})

// `fields` ends with a field whose name is NULL.
void log_fields(enum log_level level, const char *message, const struct log_field *fields);

#define LOG(level, message, ...)                                                                                       \
    log_fields((level), (message), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.name = NULL}})

bool log_enabled(enum log_level level);

#endif
