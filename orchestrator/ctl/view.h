// What goes to the terminal: text with colours where they are wanted, and whatever a server sent made harmless, so that
// it can't move the cursor or rewrite what was printed.
#ifndef TXC_ORCHESTRATOR_CTL_VIEW_H
#define TXC_ORCHESTRATOR_CTL_VIEW_H

#include "base/arena.h"
#include "base/buf.h"

enum paint { PAINT_PLAIN, PAINT_BOLD, PAINT_DIM, PAINT_GOOD, PAINT_BAD, PAINT_WARN, PAINT_LIVE };

struct view {
    struct buf text;
    bool colour;
    unsigned width; // columns of the terminal
    int64_t now_ms; // for ages
};

// At most 16 MiB of text; the rest is dropped and `text.failed` says so.
void view_init(struct view *view, bool colour, unsigned width, int64_t now_ms);
void view_release(struct view *view);

// Text of our own.
void view_printf(struct view *view, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Anybody's text: control characters (C0, C1, line and paragraph separators, bidirectional overrides) become \n, \t or
// \u001b, bytes that are not UTF-8 become U+FFFD.
void view_text(struct view *view, enum paint paint, struct str text);

// The same into a buffer, without colour.
void view_escape(struct buf *out, struct str text);

// Columns that text takes on a terminal: wide characters two, combining ones none. Escaped text only.
size_t view_columns(struct str text);

// Appends spaces.
void view_pad(struct view *view, size_t columns);

// "2026-01-31 20:00:00.123+08:00" in the local time zone; "-" for 0 or less.
enum { VIEW_TIME_MAX = 48 };
void view_time(int64_t unix_ms, char out[VIEW_TIME_MAX]);

// "12 ms", "1.234 s", "2 min 03 s", "3 h 04 min", "5 d 02 h".
enum { VIEW_SPAN_MAX = 32 };
void view_span(int64_t ms, char out[VIEW_SPAN_MAX]);

#endif
