// SHA-256 and HMAC-SHA256 (FIPS 180-4, RFC 2104), from OpenSSL.
#ifndef TXC_BASE_DIGEST_H
#define TXC_BASE_DIGEST_H

#include "base/str.h"

enum { DIGEST_LEN = 32 };

void digest_sha256(struct str data, uint8_t out[DIGEST_LEN]);

void digest_hmac(struct str key, struct str data, uint8_t out[DIGEST_LEN]);

// In constant time; false when the lengths differ.
bool digest_equal(struct str a, struct str b);

// Lower-case hexadecimal with a NUL.
void digest_hex(const uint8_t digest[DIGEST_LEN], char out[2 * DIGEST_LEN + 1]);

#endif
