// A histogram of latencies of any number of samples. A bucket is at most a thirty-second of its values wide.
#ifndef TXC_TESTS_BENCH_LATENCY_H
#define TXC_TESTS_BENCH_LATENCY_H

#include <stdint.h>

enum {
    LATENCY_PARTS = 64, // the first buckets; each further power of two has half as many
    LATENCY_BUCKETS = LATENCY_PARTS * 40,
};

struct latency {
    uint64_t counts[LATENCY_BUCKETS];
    uint64_t n;
    int64_t most_ns;
};

void latency_add(struct latency *latency, int64_t ns);

// The latency that the share q (0..1) of all samples did not exceed, in milliseconds; 0 without samples.
double latency_ms(const struct latency *latency, double q);

#endif
