// A histogram of latencies with two percent of error at most, of any number of samples.
#ifndef TXC_TESTS_BENCH_LATENCY_H
#define TXC_TESTS_BENCH_LATENCY_H

#include <stdint.h>

enum { LATENCY_PARTS = 64 /* of each power of two */, LATENCY_BUCKETS = LATENCY_PARTS * 40 };

struct latency {
    uint64_t counts[LATENCY_BUCKETS];
    uint64_t n;
    int64_t most_ns;
};

void latency_add(struct latency *latency, int64_t ns);

// The latency that the share q (0..1) of all samples did not exceed, in milliseconds; 0 without samples.
double latency_ms(const struct latency *latency, double q);

#endif
