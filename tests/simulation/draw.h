// What is drawn by chance. Every purpose has a stream of its own, made from the seed, the purpose and a number, so that
// leaving out one thing changes what is drawn for no other.
#ifndef TXC_TESTS_SIMULATION_DRAW_H
#define TXC_TESTS_SIMULATION_DRAW_H

#include "base/str.h"
#include "tests/base/seeded.h"

static inline struct seeded draw_stream(uint64_t seed, const char *purpose, uint64_t number) {
    struct seeded stream = {seed * 0x9e3779b97f4a7c15u ^ str_hash(str_c(purpose))};
    stream.state = seeded_next(&stream) ^ number;
    stream.state = seeded_next(&stream);
    return stream;
}

// From least to most.
static inline uint32_t draw_between(struct seeded *stream, uint32_t least, uint32_t most) {
    return least + (uint32_t)seeded_below(stream, most - least + 1);
}

static inline bool draw_chance(struct seeded *stream, uint32_t percent) {
    return seeded_below(stream, 100) < percent;
}

static inline bool draw_permille(struct seeded *stream, uint32_t permille) {
    return seeded_below(stream, 1000) < permille;
}

#endif
