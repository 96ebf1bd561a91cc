#include "orchestrator/ctl/view.h"

#include <stdio.h>
#include <time.h>

enum { TEXT_MAX = 16 << 20 };

void view_init(struct view *view, bool colour, unsigned width, int64_t now_ms) {
    *view = (struct view){.colour = colour, .width = width, .now_ms = now_ms};
    buf_init(&view->text, TEXT_MAX);
}

void view_release(struct view *view) {
    buf_release(&view->text);
}

void view_printf(struct view *view, const char *format, ...) {
    va_list args;
    va_start(args, format);
    buf_vprintf(&view->text, format, args);
    va_end(args);
}

void view_pad(struct view *view, size_t columns) {
    for (size_t i = 0; i < columns; i++)
        buf_byte(&view->text, ' ');
}

// ---- Characters ---------------------------------------------------------------------------------------------------

struct range {
    uint32_t first, last;
};

static bool within(uint32_t point, const struct range *ranges, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (point >= ranges[i].first && point <= ranges[i].last)
            return true;
    return false;
}

static const struct range controls[] = {{0x00, 0x1f},     {0x7f, 0x9f},     {0x200e, 0x200f},
                                        {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff}};
static const struct range combining[] = {{0x300, 0x36f}, {0x200b, 0x200d}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}};
// East Asian wide and fullwidth, by blocks.
static const struct range wide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},  {0xac00, 0xd7a3},
                                    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},  {0xffe0, 0xffe6},
                                    {0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
#define WITHIN(point, ranges) within((point), (ranges), sizeof(ranges) / sizeof((ranges)[0]))

// The code point of a sequence that str_utf8_len() has accepted.
static uint32_t point_of(struct str sequence) {
    unsigned char lead = (unsigned char)sequence.ptr[0];
    uint32_t point = sequence.len == 1 ? lead : lead & (0x7fu >> sequence.len);
    for (size_t i = 1; i < sequence.len; i++)
        point = point << 6 | ((unsigned char)sequence.ptr[i] & 0x3fu);
    return point;
}

static void escape_point(struct buf *out, uint32_t point) {
    if (point == '\n')
        buf_append(out, STR("\\n"));
    else if (point == '\t')
        buf_append(out, STR("\\t"));
    else
        buf_printf(out, "\\u%04x", point);
}

void view_escape(struct buf *out, struct str text) {
    while (text.len > 0) {
        size_t n = str_utf8_len(text);
        if (n == 0) {
            buf_append(out, STR("\xEF\xBF\xBD"));
            n = 1;
        } else if (WITHIN(point_of(str_n(text.ptr, n)), controls)) {
            escape_point(out, point_of(str_n(text.ptr, n)));
        } else {
            buf_append(out, str_n(text.ptr, n));
        }
        text = str_n(text.ptr + n, text.len - n);
    }
}

size_t view_columns(struct str text) {
    size_t columns = 0;
    while (text.len > 0) {
        size_t n = str_utf8_len(text);
        uint32_t point = n ? point_of(str_n(text.ptr, n)) : 0xfffd;
        columns += WITHIN(point, wide) ? 2 : WITHIN(point, combining) ? 0 : 1;
        n = n ? n : 1;
        text = str_n(text.ptr + n, text.len - n);
    }
    return columns;
}

static const char *const codes[] = {
    [PAINT_PLAIN] = "",       [PAINT_BOLD] = "\033[1m",  [PAINT_DIM] = "\033[2m",  [PAINT_GOOD] = "\033[32m",
    [PAINT_BAD] = "\033[31m", [PAINT_WARN] = "\033[33m", [PAINT_LIVE] = "\033[36m"};

void view_text(struct view *view, enum paint paint, struct str text) {
    bool painted = view->colour && paint != PAINT_PLAIN;
    if (painted)
        buf_append(&view->text, str_c(codes[paint]));
    view_escape(&view->text, text);
    if (painted)
        buf_append(&view->text, STR("\033[0m"));
}

// ---- Times --------------------------------------------------------------------------------------------------------

void view_time(int64_t unix_ms, char out[VIEW_TIME_MAX]) {
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm;
    char date[24], zone[8];
    if (unix_ms <= 0 || !localtime_r(&seconds, &tm) || strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &tm) == 0 ||
        strftime(zone, sizeof zone, "%z", &tm) != 5) {
        snprintf(out, VIEW_TIME_MAX, "-");
        return;
    }
    snprintf(out, VIEW_TIME_MAX, "%s.%03d%.3s:%s", date, (int)(unix_ms % 1000), zone, zone + 3);
}

void view_span(int64_t ms, char out[VIEW_SPAN_MAX]) {
    const char *sign = ms < 0 ? "-" : "";
    uint64_t n = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    unsigned long long s = n / 1000;
    if (n < 1000)
        snprintf(out, VIEW_SPAN_MAX, "%s%llu ms", sign, (unsigned long long)n);
    else if (s < 60)
        snprintf(out, VIEW_SPAN_MAX, "%s%llu.%03u s", sign, s, (unsigned)(n % 1000));
    else if (s < 3600)
        snprintf(out, VIEW_SPAN_MAX, "%s%llu min %02llu s", sign, s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, VIEW_SPAN_MAX, "%s%llu h %02llu min", sign, s / 3600, s / 60 % 60);
    else
        snprintf(out, VIEW_SPAN_MAX, "%s%llu d %02llu h", sign, s / 86400, s / 3600 % 24);
}
