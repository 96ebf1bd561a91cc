// Slices of text or bytes. A `struct str` borrows: it never owns what it points to. NUL bytes are
// ordinary; a NUL terminator is added only at the edge of a library that wants one.
#ifndef TXC_BASE_STR_H
#define TXC_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *ptr;
    size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_NONE ((struct str){NULL, 0})

// For printf: `printf("%.*s", STR_FMT(s))`. Text longer than INT_MAX is cut.
#define STR_FMT(s) (int)((s).len > 0x7fffffff ? 0x7fffffff : (s).len), ((s).ptr ? (s).ptr : "")

// The slice of a NUL-terminated string; NULL gives the empty slice.
static inline struct str str_c(const char *text) {
    return (struct str){text, text ? strlen(text) : 0};
}

static inline struct str str_n(const void *ptr, size_t len) {
    return (struct str){(const char *)ptr, len};
}

static inline bool str_empty(struct str s) {
    return s.len == 0;
}

static inline bool str_eq(struct str a, struct str b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_eq_c(struct str a, const char *b) {
    return str_eq(a, str_c(b));
}

// Bytewise order, a prefix before what it is a prefix of; <0, 0, >0.
int str_cmp(struct str a, struct str b);

bool str_starts(struct str s, struct str prefix);

// Without leading and trailing ASCII white space.
struct str str_trim(struct str s);

// Cuts `*rest` at the first `separator`: returns what is before it and leaves what is after it. When there is
// none, returns all of it and leaves `*rest` empty with a NULL ptr.
struct str str_cut(struct str *rest, char separator);

// Decimal, optional leading '-', nothing else around it. False (and *ret_value untouched) on anything else,
// overflow included.
bool str_to_i64(struct str s, int64_t *ret_value);

// Copies into `out` with a NUL; false (and `out` an empty string) when it doesn't fit or holds a NUL itself.
bool str_copy(struct str s, char *out, size_t size);

// As much as fits, with a NUL, and well-formed UTF-8 whatever came: cut between characters, '?' for every byte that is
// none of one, and for NUL.
void str_fit(struct str s, char *out, size_t size);

// Bytes of the UTF-8 sequence at the start of `s` (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF); 0
// when there is none.
size_t str_utf8_len(struct str s);

// Well-formed UTF-8 throughout.
bool str_is_utf8(struct str s);

// FNV-1a over the bytes. For hash tables and slots, never for anything an attacker must not predict.
uint64_t str_hash(struct str s);

#endif
