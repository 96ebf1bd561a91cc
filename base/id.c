#include "base/id.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

enum { TIME_CHARS = 10, SLOT_CHARS = 2, RANDOM_CHARS = 14 };

static void encode(uint64_t value, char *out, int chars) {
    for (int i = chars - 1; i >= 0; i--, value >>= 5)
        out[i] = alphabet[value & 31];
}

void id_make(int64_t unix_ms, unsigned slot, uint64_t (*random)(void *ctx), void *ctx, char out[ID_LEN + 1]) {
    encode((uint64_t)unix_ms, out, TIME_CHARS);
    encode(slot % SLOT_COUNT, out + TIME_CHARS, SLOT_CHARS);
    encode(random(ctx), out + TIME_CHARS + SLOT_CHARS, RANDOM_CHARS / 2);
    encode(random(ctx), out + TIME_CHARS + SLOT_CHARS + RANDOM_CHARS / 2, RANDOM_CHARS / 2);
    out[ID_LEN] = '\0';
}

static int digit(char c) {
    const char *at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

bool id_valid(struct str id) {
    if (id.len != ID_LEN)
        return false;
    for (size_t i = 0; i < ID_LEN; i++)
        if (digit(id.ptr[i]) < 0)
            return false;
    return digit(id.ptr[TIME_CHARS]) * 32 + digit(id.ptr[TIME_CHARS + 1]) < SLOT_COUNT;
}

unsigned id_slot(struct str id) {
    struct str rest = id, head = str_cut(&rest, '/');
    if (id_valid(head))
        return (unsigned)(digit(head.ptr[TIME_CHARS]) * 32 + digit(head.ptr[TIME_CHARS + 1]));
    return (unsigned)(str_hash(id) % SLOT_COUNT);
}

uint64_t id_random(void *unused) {
    (void)unused;
    uint64_t bits;
    ssize_t got;
    do // only before the kernel's generator is seeded can a signal interrupt so short a read
        got = getrandom(&bits, sizeof bits, 0);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof bits)
        abort();
    return bits;
}
