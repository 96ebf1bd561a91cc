#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static atomic_int least_level = LOG_INFO;
static atomic_bool as_json = false;
static const char *instance; // NULL: there is one

enum { LINE_MAX_BYTES = 65536 };

static const struct {
    const char *word, *colour;
} levels[] = {{"debug", "\033[2m"}, {"info", "\033[36m"}, {"warn", "\033[33m"}, {"error", "\033[31m"}};

void log_setup(enum log_level least, enum log_format format) {
    atomic_store(&least_level, (int)least);
    atomic_store(&as_json, format == LOG_JSON || (format == LOG_AUTO && !isatty(STDERR_FILENO)));
}

void log_setup_instance(const char *name) {
    instance = name;
}

bool log_enabled(enum log_level level) {
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

static void json_value(struct buf *line, struct str text) {
    if (text.len <= LOG_VALUE_MAX) {
        buf_json(line, text);
        return;
    }
    char cut[LOG_VALUE_MAX + sizeof "…"];
    size_t len = LOG_VALUE_MAX;
    while (len > LOG_VALUE_MAX - 4 && ((unsigned char)text.ptr[len] & 0xC0) == 0x80)
        len--; // not within a character
    memcpy(cut, text.ptr, len);
    memcpy(cut + len, "…", sizeof "…");
    buf_json(line, str_n(cut, len + sizeof "…" - 1));
}

static void json_line(struct buf *line, const char *time, enum log_level level, const char *message,
                      const struct log_field *fields) {
    buf_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":", time, levels[level].word);
    json_value(line, str_c(message));
    if (instance) {
        buf_append(line, STR(",\"instance\":"));
        json_value(line, str_c(instance));
    }
    for (; fields->name; fields++) {
        buf_byte(line, ',');
        buf_json(line, str_c(fields->name));
        buf_byte(line, ':');
        if (fields->is_integer)
            buf_printf(line, "%lld", (long long)fields->integer);
        else
            json_value(line, fields->text);
    }
    buf_append(line, STR("}\n"));
}

static void text_line(struct buf *line, const char *time, enum log_level level, const char *message,
                      const struct log_field *fields) {
    buf_printf(line, "%.12s %s%-5s\033[0m ", time + 11, levels[level].colour, levels[level].word);
    for (const char *c = message; *c && c < message + LOG_VALUE_MAX; c++)
        buf_byte(line, (unsigned char)*c < 0x20 ? ' ' : *c); // a line stays one line
    if (instance)
        buf_printf(line, " \033[2minstance=\033[0m%s", instance);
    for (; fields->name; fields++) {
        if (fields->is_integer) {
            buf_printf(line, " \033[2m%s=\033[0m%lld", fields->name, (long long)fields->integer);
        } else if (!str_empty(fields->text)) {
            buf_printf(line, " \033[2m%s=\033[0m", fields->name);
            json_value(line, fields->text);
        }
    }
    buf_byte(line, '\n');
}

static void render(struct buf *line, enum log_level level, const char *message, const struct log_field *fields) {
    char time[25] = "";
    clock_format(clock_now_ms(clock_system()), time);
    if (atomic_load_explicit(&as_json, memory_order_relaxed))
        json_line(line, time, level, message, fields);
    else
        text_line(line, time, level, message, fields);
}

void log_fields(enum log_level level, const char *message, const struct log_field *fields) {
    if (!log_enabled(level))
        return;
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    render(&line, level, message, fields);
    if (line.failed) {
        // Still one whole line: a log that loses a line because it was long helps nobody.
        buf_clear(&line);
        render(&line, level, message, (const struct log_field[]){LOG_C("fields", "too long"), {.name = NULL}});
    }
    ssize_t written = write(STDERR_FILENO, line.ptr, line.len);
    (void)written; // there is nowhere left to report it
    buf_release(&line);
}
