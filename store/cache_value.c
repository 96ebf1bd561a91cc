#include "store/cache_value.h"

#include "base/digest.h"

#include <endian.h>

// Big-endian: a digest of what follows (16 bytes), "TXC" and the version (4), the value's length (4), the generation
// (8), and until when it is good (8).
enum { DIGEST_AT = 0, DIGEST_BYTES = 16, FORMAT_AT = 16, LENGTH_AT = 20, GENERATION_AT = 24, UNTIL_AT = 32 };

static const char format[4] = {'T', 'X', 'C', 1};

static uint64_t read_u64(const char *at) {
    uint64_t number;
    memcpy(&number, at, sizeof number);
    return be64toh(number);
}

static void write_u64(uint8_t *at, uint64_t number) {
    number = htobe64(number);
    memcpy(at, &number, sizeof number);
}

// Over the name, the head without the digest, and the value.
static void digest_of(struct str name, const void *head, struct str value, uint8_t out[DIGEST_LEN]) {
    uint8_t parts[2 * DIGEST_LEN];
    digest_hmac(name, str_n((const char *)head + FORMAT_AT, CACHE_VALUE_HEAD - FORMAT_AT), parts);
    digest_sha256(value, parts + DIGEST_LEN);
    digest_sha256(str_n(parts, sizeof parts), out);
}

void cache_value_head(const struct cache_value *of, struct str value, uint8_t out[CACHE_VALUE_HEAD]) {
    uint8_t digest[DIGEST_LEN];
    uint32_t length = htobe32((uint32_t)value.len);
    memcpy(out + FORMAT_AT, format, sizeof format);
    memcpy(out + LENGTH_AT, &length, sizeof length);
    write_u64(out + GENERATION_AT, of->generation);
    write_u64(out + UNTIL_AT, (uint64_t)of->until_ms);
    digest_of(of->name, out, value, digest);
    memcpy(out + DIGEST_AT, digest, DIGEST_BYTES);
}

bool cache_value_read(const struct cache_value *of, struct str bytes, struct str *ret_value) {
    uint8_t digest[DIGEST_LEN];
    uint32_t length;
    if (bytes.len < CACHE_VALUE_HEAD || memcmp(bytes.ptr + FORMAT_AT, format, sizeof format) != 0)
        return false;
    memcpy(&length, bytes.ptr + LENGTH_AT, sizeof length);
    struct str value = str_n(bytes.ptr + CACHE_VALUE_HEAD, bytes.len - CACHE_VALUE_HEAD);
    if (be32toh(length) != value.len || read_u64(bytes.ptr + GENERATION_AT) != of->generation ||
        (int64_t)read_u64(bytes.ptr + UNTIL_AT) <= of->until_ms)
        return false;
    digest_of(of->name, bytes.ptr, value, digest);
    if (memcmp(bytes.ptr + DIGEST_AT, digest, DIGEST_BYTES) != 0)
        return false;
    *ret_value = value;
    return true;
}
