#include "tests/bench/latency.h"

enum { PARTS_BITS = 6 };
_Static_assert(1 << PARTS_BITS == LATENCY_PARTS, "a part is a bit pattern");

// Up to LATENCY_PARTS each value has a bucket; above, each power of two has LATENCY_PARTS / 2.
static unsigned bucket_of(uint64_t value) {
    unsigned shift = 0;
    while (value >> shift >= LATENCY_PARTS)
        shift++;
    unsigned bucket = shift * (LATENCY_PARTS / 2) + (unsigned)(value >> shift);
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

// The largest value of a bucket.
static uint64_t most_of(unsigned bucket) {
    unsigned half = LATENCY_PARTS / 2, shift = bucket < LATENCY_PARTS ? 0 : bucket / half - 1;
    return ((uint64_t)(bucket - shift * half + 1) << shift) - 1;
}

void latency_add(struct latency *latency, int64_t ns) {
    latency->counts[bucket_of(ns > 0 ? (uint64_t)ns : 0)]++;
    latency->n++;
    latency->most_ns = ns > latency->most_ns ? ns : latency->most_ns;
}

double latency_ms(const struct latency *latency, double q) {
    uint64_t wanted = (uint64_t)(q * (double)latency->n), seen = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        seen += latency->counts[i];
        if (seen > wanted || (seen > 0 && seen == latency->n)) {
            double most = (double)most_of(i);
            return (most < (double)latency->most_ns ? most : (double)latency->most_ns) / 1e6;
        }
    }
    return 0;
}
