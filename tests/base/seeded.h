// Reproducible randomness for property tests: the same seed gives the same run everywhere.
#ifndef TXC_TESTS_BASE_SEEDED_H
#define TXC_TESTS_BASE_SEEDED_H

#include "base/splitmix.h"

struct seeded {
    uint64_t state;
};

static inline uint64_t seeded_next(struct seeded *seeded) {
    return splitmix_next(&seeded->state);
}

// From 0 to bound - 1; bound > 0.
static inline uint64_t seeded_below(struct seeded *seeded, uint64_t bound) {
    return seeded_next(seeded) % bound;
}

// Of any magnitude, with zero, the extremes and their neighbours far more often than by chance.
static inline int64_t seeded_i64(struct seeded *seeded) {
    static const int64_t edges[] = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1};
    if (seeded_below(seeded, 8) == 0)
        return edges[seeded_below(seeded, sizeof edges / sizeof edges[0])];
    int64_t value = (int64_t)(seeded_next(seeded) >> (1 + seeded_below(seeded, 63)));
    return seeded_below(seeded, 2) ? value : -value;
}

// Bytes in which every kind of trouble is common: NUL, controls, quotes, high bytes, halves of UTF-8 sequences.
static inline void seeded_bytes(struct seeded *seeded, char *out, uint64_t len) {
    static const char troubled[] =
        "\0\n\r\t\"\\/\x1f\x7f\x80\xbf\xc2\xe4\xb8\xad\xed\xa0\xf0\x9f\x98\x80\xff{}[],:0aZ ";
    for (uint64_t i = 0; i < len; i++)
        out[i] = seeded_below(seeded, 3) == 0 ? (char)seeded_next(seeded)
                                              : troubled[seeded_below(seeded, sizeof troubled - 1)];
}

#endif
