#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *buf, size_t max) {
    // Half the address space, so that doubling a capacity can't overflow.
    *buf = (struct buf){.max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2 - 1};
}

void buf_release(struct buf *buf) {
    free(buf->ptr);
    *buf = (struct buf){.max = buf->max};
}

void buf_clear(struct buf *buf) {
    buf->len = 0;
    buf->failed = false;
    if (buf->ptr)
        buf->ptr[0] = '\0';
}

static bool reserve(struct buf *buf, size_t more) {
    if (buf->failed || more > buf->max || buf->len > buf->max - more) {
        buf->failed = true;
        return false;
    }
    size_t need = buf->len + more + 1;
    if (need <= buf->cap)
        return true;
    size_t cap = buf->cap ? buf->cap : 256;
    while (cap < need)
        cap *= 2;
    char *ptr = realloc(buf->ptr, cap);
    if (!ptr) {
        buf->failed = true;
        return false;
    }
    buf->ptr = ptr;
    buf->cap = cap;
    return true;
}

bool buf_append(struct buf *buf, struct str s) {
    if (!reserve(buf, s.len))
        return false;
    if (s.len)
        memcpy(buf->ptr + buf->len, s.ptr, s.len);
    buf->len += s.len;
    buf->ptr[buf->len] = '\0';
    return true;
}

bool buf_byte(struct buf *buf, char c) {
    return buf_append(buf, str_n(&c, 1));
}

bool buf_vprintf(struct buf *buf, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    bool fits = length >= 0 && reserve(buf, (size_t)length);
    if (fits) {
        vsnprintf(buf->ptr + buf->len, (size_t)length + 1, format, again);
        buf->len += (size_t)length;
    } else {
        buf->failed = true;
    }
    va_end(again);
    return fits;
}

bool buf_printf(struct buf *buf, const char *format, ...) {
    va_list args;
    va_start(args, format);
    bool fits = buf_vprintf(buf, format, args);
    va_end(args);
    return fits;
}

static bool json_char(struct buf *buf, unsigned char c) {
    switch (c) {
    case '"': return buf_append(buf, STR("\\\""));
    case '\\': return buf_append(buf, STR("\\\\"));
    case '\n': return buf_append(buf, STR("\\n"));
    case '\r': return buf_append(buf, STR("\\r"));
    case '\t': return buf_append(buf, STR("\\t"));
    default: return c < 0x20 || c == 0x7f ? buf_printf(buf, "\\u%04x", c) : buf_byte(buf, (char)c);
    }
}

bool buf_json(struct buf *buf, struct str s) {
    buf_byte(buf, '"');
    while (s.len > 0 && !buf->failed) {
        size_t n = str_utf8_len(s);
        if (n == 0)
            buf_append(buf, STR("\xEF\xBF\xBD"));
        else if (n == 1)
            json_char(buf, (unsigned char)s.ptr[0]);
        else
            buf_append(buf, str_n(s.ptr, n));
        size_t step = n ? n : 1;
        s = str_n(s.ptr + step, s.len - step);
    }
    return buf_byte(buf, '"');
}
