#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static atomic_int least_level = LOG_INFO;
static atomic_bool as_json = false;

enum { LINE_MAX_BYTES = 16384 };

static const struct {
    const char *word, *colour;
} levels[] = {{"debug", "\033[2m"}, {"info", "\033[36m"}, {"warn", "\033[33m"}, {"error", "\033[31m"}};

void log_setup(enum log_level least, enum log_format format) {
    atomic_store(&least_level, (int)least);
    atomic_store(&as_json, format == LOG_JSON || (format == LOG_AUTO && !isatty(STDERR_FILENO)));
}

bool log_enabled(enum log_level level) {
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

static void json_line(struct buf *line, const char *time, const char *level, const char *message,
                      const struct log_field *fields) {
    buf_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":", time, level);
    buf_json(line, str_c(message));
    for (; fields->name; fields++) {
        buf_byte(line, ',');
        buf_json(line, str_c(fields->name));
        buf_byte(line, ':');
        if (fields->is_integer)
            buf_printf(line, "%lld", (long long)fields->integer);
        else
            buf_json(line, fields->text);
    }
    buf_append(line, STR("}\n"));
}

static void text_line(struct buf *line, const char *time, enum log_level level, const char *message,
                      const struct log_field *fields) {
    buf_printf(line, "%.12s %s%-5s\033[0m %s", time + 11, levels[level].colour, levels[level].word, message);
    for (; fields->name; fields++) {
        if (fields->is_integer) {
            buf_printf(line, " \033[2m%s=\033[0m%lld", fields->name, (long long)fields->integer);
        } else if (!str_empty(fields->text)) {
            buf_printf(line, " \033[2m%s=\033[0m", fields->name);
            buf_json(line, fields->text);
        }
    }
    buf_byte(line, '\n');
}

void log_fields(enum log_level level, const char *message, const struct log_field *fields) {
    if (!log_enabled(level))
        return;
    char time[25];
    clock_format(clock_now_ms(clock_system()), time);
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    if (atomic_load_explicit(&as_json, memory_order_relaxed))
        json_line(&line, time, levels[level].word, message, fields);
    else
        text_line(&line, time, level, message, fields);
    if (line.failed) {
        // Still one whole line: a log that loses a line because it was long helps nobody.
        buf_clear(&line);
        buf_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":\"(line too long)\"}\n", time, levels[level].word);
    }
    ssize_t written = write(STDERR_FILENO, line.ptr, line.len);
    (void)written; // there is nowhere left to report it
    buf_release(&line);
}
