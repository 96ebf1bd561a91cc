#include "tests/simulation/trace.h"

#include "base/str.h"

#include <stdarg.h>

void trace_line(struct trace *trace, int64_t at_ms, const char *who, const char *format, ...) {
    char *line = trace->kept[trace->lines++ % TRACE_KEPT];
    int head =
        snprintf(line, TRACE_LINE_MAX, "%7lld.%03lld %-6s ", (long long)(at_ms / 1000), (long long)(at_ms % 1000), who);
    va_list args;
    va_start(args, format);
    vsnprintf(line + head, TRACE_LINE_MAX - (size_t)head, format, args);
    va_end(args);
    trace->digest = (trace->digest ^ str_hash(str_c(line))) * 0x100000001b3u;
    if (trace->out)
        fprintf(trace->out, "%s\n", line);
}

void trace_tail(const struct trace *trace, char *out, size_t size) {
    uint64_t from = trace->lines > TRACE_KEPT ? trace->lines - TRACE_KEPT : 0;
    size_t at = 0;
    out[0] = '\0';
    for (uint64_t i = from; i < trace->lines; i++) {
        int more = snprintf(out + at, size - at, "%s\n", trace->kept[i % TRACE_KEPT]);
        if (more < 0 || (size_t)more >= size - at)
            return;
        at += (size_t)more;
    }
}
