#include "orchestrator/page_token.h"

#include "base/digest.h"

#include <assert.h>

// The bytes behind the hexadecimal digits: a check over list, filter and cursor, the key (big-endian), the id.
enum { CHECK_LEN = 8, KEY_LEN = 8, HEAD_LEN = CHECK_LEN + KEY_LEN, TOKEN_BYTES = HEAD_LEN + PAGE_ID_MAX };

static void check_of(const struct page_of *of, struct str rest, uint8_t out[CHECK_LEN]) {
    uint8_t all[2 * DIGEST_LEN + KEY_LEN + PAGE_ID_MAX], digest[DIGEST_LEN];
    digest_sha256(of->list, all);
    digest_sha256(of->filter, all + DIGEST_LEN);
    memcpy(all + 2 * DIGEST_LEN, rest.ptr, rest.len);
    digest_sha256(str_n(all, 2 * DIGEST_LEN + rest.len), digest);
    memcpy(out, digest, CHECK_LEN);
}

void page_token_make(const struct page_of *of, const struct page_cursor *cursor, char out[PAGE_TOKEN_MAX + 1]) {
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[TOKEN_BYTES];
    size_t n = HEAD_LEN + strlen(cursor->id);
    assert(n <= TOKEN_BYTES);
    for (size_t i = 0; i < KEY_LEN; i++)
        bytes[CHECK_LEN + i] = (uint8_t)((uint64_t)cursor->key >> (8 * (KEY_LEN - 1 - i)));
    memcpy(bytes + HEAD_LEN, cursor->id, n - HEAD_LEN);
    check_of(of, str_n(bytes + CHECK_LEN, n - CHECK_LEN), bytes);
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}

static int digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool page_token_read(struct str token, const struct page_of *of, struct page_cursor *ret_cursor) {
    uint8_t bytes[TOKEN_BYTES], check[CHECK_LEN];
    size_t n = token.len / 2;
    if (token.len % 2 != 0 || n < HEAD_LEN || n > TOKEN_BYTES)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = digit(token.ptr[2 * i]), low = digit(token.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    check_of(of, str_n(bytes + CHECK_LEN, n - CHECK_LEN), check);
    struct page_cursor cursor = {0};
    uint64_t key = 0;
    for (size_t i = 0; i < KEY_LEN; i++)
        key = key << 8 | bytes[CHECK_LEN + i];
    cursor.key = (int64_t)key;
    if (memcmp(check, bytes, CHECK_LEN) != 0 ||
        !str_copy(str_n(bytes + HEAD_LEN, n - HEAD_LEN), cursor.id, sizeof cursor.id))
        return false;
    *ret_cursor = cursor;
    return true;
}
