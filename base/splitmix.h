// SplitMix64 (Steele, Lea, Flood 2014): small, quick randomness that comes again from the same seed. For jitter, faults
// and tests, never for anything that an attacker must not predict.
#ifndef TXC_BASE_SPLITMIX_H
#define TXC_BASE_SPLITMIX_H

#include <stdint.h>

// The next number; `state` is the seed at first.
static inline uint64_t splitmix_next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

#endif
