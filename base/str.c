#include "base/str.h"

#include <stdio.h>

int str_cmp(struct str a, struct str b) {
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool str_starts(struct str s, struct str prefix) {
    return s.len >= prefix.len && str_eq(str_n(s.ptr, prefix.len), prefix);
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct str str_trim(struct str s) {
    while (s.len > 0 && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct str str_cut(struct str *rest, char separator) {
    const char *at = rest->len ? memchr(rest->ptr, separator, rest->len) : NULL;
    if (!at) {
        struct str all = *rest;
        *rest = STR_NONE;
        return all;
    }
    struct str head = str_n(rest->ptr, (size_t)(at - rest->ptr));
    *rest = str_n(at + 1, rest->len - head.len - 1);
    return head;
}

bool str_to_i64(struct str s, int64_t *ret_value) {
    bool negative = s.len > 0 && s.ptr[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i == s.len)
        return false;
    int64_t value = 0;
    for (; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        // Counted downwards: the negative range is the larger one.
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, s.ptr[i] - '0', &value))
            return false;
    }
    if (!negative && __builtin_sub_overflow(0, value, &value))
        return false;
    *ret_value = value;
    return true;
}

bool str_copy(struct str s, char *out, size_t size) {
    out[0] = '\0';
    if (s.len >= size || (s.len && memchr(s.ptr, '\0', s.len)))
        return false;
    if (s.len)
        memcpy(out, s.ptr, s.len);
    out[s.len] = '\0';
    return true;
}

// How many continuation bytes follow `lead`, and the smallest code point that needs so many; -1: no lead byte.
static int utf8_tail(unsigned char lead, uint32_t *ret_bits, uint32_t *ret_least) {
    if (lead < 0x80) {
        *ret_bits = lead, *ret_least = 0;
        return 0;
    }
    if (lead >= 0xC2 && lead < 0xE0) {
        *ret_bits = lead & 0x1Fu, *ret_least = 0x80;
        return 1;
    }
    if ((lead & 0xF0) == 0xE0) {
        *ret_bits = lead & 0x0Fu, *ret_least = 0x800;
        return 2;
    }
    if (lead >= 0xF0 && lead < 0xF5) {
        *ret_bits = lead & 0x07u, *ret_least = 0x10000;
        return 3;
    }
    return -1;
}

size_t str_utf8_len(struct str s) {
    if (s.len == 0)
        return 0;
    uint32_t point, least;
    int tail = utf8_tail((unsigned char)s.ptr[0], &point, &least);
    if (tail < 0 || s.len - 1 < (size_t)tail)
        return 0;
    size_t len = 1 + (size_t)tail;
    for (size_t i = 1; i < len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c & 0xC0) != 0x80)
            return 0;
        point = point << 6 | (c & 0x3Fu);
    }
    if (point < least || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
        return 0;
    return len;
}

void str_fit(struct str s, char *out, size_t size) {
    size_t at = 0;
    while (s.len > 0) {
        size_t len = s.ptr[0] ? str_utf8_len(s) : 0;
        if (at + (len ? len : 1) >= size)
            break;
        if (len)
            memmove(out + at, s.ptr, len);
        else
            out[at] = '?';
        at += len ? len : 1;
        s = str_n(s.ptr + (len ? len : 1), s.len - (len ? len : 1));
    }
    out[at] = '\0';
}

// How many bytes at the beginning are ASCII, by eights.
static size_t ascii_len(struct str s) {
    size_t at = 0;
    for (uint64_t eight; at + sizeof eight <= s.len; at += sizeof eight) {
        memcpy(&eight, s.ptr + at, sizeof eight);
        if (eight & 0x8080808080808080u)
            break;
    }
    return at;
}

bool str_is_utf8(struct str s) {
    for (size_t at = ascii_len(s), len; at < s.len; at += len) {
        bool plain = (unsigned char)s.ptr[at] < 0x80;
        len = plain ? 1 : str_utf8_len(str_n(s.ptr + at, s.len - at));
        if (len == 0)
            return false;
    }
    return true;
}

uint64_t str_hash(struct str s) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.ptr[i]) * 0x100000001b3u;
    return hash;
}

// Without a character at the end that has begun and is cut off.
static size_t whole_len(struct str s) {
    for (size_t back = 1; back < 4 && back <= s.len; back++) {
        unsigned char c = (unsigned char)s.ptr[s.len - back];
        if ((c & 0xC0) == 0x80)
            continue;
        uint32_t point, least;
        return utf8_tail(c, &point, &least) >= (int)back ? s.len - back : s.len;
    }
    return s.len;
}

void str_vprint(char *out, size_t size, const char *format, va_list args) {
    int length = vsnprintf(out, size, format, args);
    struct str printed = str_c(out);
    bool cut = length < 0 || (size_t)length >= size;
    str_fit(str_n(out, cut ? whole_len(printed) : printed.len), out, size);
}

void str_print(char *out, size_t size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    str_vprint(out, size, format, args);
    va_end(args);
}
