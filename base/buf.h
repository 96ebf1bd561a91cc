// A growing buffer with a maximum. Appending past it sets `failed` and changes nothing else, so a writer can
// append a whole document and check once at the end.
#ifndef TXC_BASE_BUF_H
#define TXC_BASE_BUF_H

#include "base/str.h"

#include <stdarg.h>

struct buf {
    char *ptr; // NUL-terminated once anything was appended; NULL before
    size_t len, cap, max;
    bool failed;
};

void buf_init(struct buf *buf, size_t max);
void buf_release(struct buf *buf);

// Empties it, clears `failed`, keeps the memory.
void buf_clear(struct buf *buf);

bool buf_append(struct buf *buf, struct str s);
bool buf_byte(struct buf *buf, char c);
bool buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buf_vprintf(struct buf *buf, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

// Appends `s` as a JSON string with its quotes (RFC 8259); bytes that are not UTF-8 become U+FFFD.
bool buf_json(struct buf *buf, struct str s);

// Borrowed until the next change of the buffer.
static inline struct str buf_str(const struct buf *buf) {
    return str_n(buf->ptr ? buf->ptr : "", buf->len);
}

#endif
