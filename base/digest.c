#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

void digest_sha256(struct str data, uint8_t out[DIGEST_LEN]) {
    if (EVP_Digest(data.ptr ? data.ptr : "", data.len, out, NULL, EVP_sha256(), NULL) != 1)
        abort();
}

void digest_hmac(struct str key, struct str data, uint8_t out[DIGEST_LEN]) {
    const unsigned char *bytes = (const unsigned char *)(data.ptr ? data.ptr : "");
    if (key.len > INT32_MAX || !HMAC(EVP_sha256(), key.ptr ? key.ptr : "", (int)key.len, bytes, data.len, out, NULL))
        abort();
}

bool digest_equal(struct str a, struct str b) {
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}

void digest_hex(const uint8_t digest[DIGEST_LEN], char out[2 * DIGEST_LEN + 1]) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < DIGEST_LEN; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[2 * DIGEST_LEN] = '\0';
}
