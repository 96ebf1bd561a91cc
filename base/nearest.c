#include "base/nearest.h"

enum { LENGTH_MAX = 40 }; // longer names have no neighbours

// Levenshtein's distance, one row at a time.
static unsigned distance(struct str a, struct str b) {
    unsigned row[LENGTH_MAX + 1];
    for (unsigned j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 0; i < a.len; i++) {
        unsigned before = row[0]++;
        for (size_t j = 0; j < b.len; j++) {
            unsigned changed = before + (a.ptr[i] != b.ptr[j]);
            before = row[j + 1];
            unsigned least = row[j] < before ? row[j] + 1 : before + 1;
            row[j + 1] = least < changed ? least : changed;
        }
    }
    return row[b.len];
}

void nearest_init(struct nearest *nearest, struct str wanted) {
    *nearest = (struct nearest){.wanted = wanted, .distance = (unsigned)(wanted.len / 3 + 2)};
}

void nearest_consider(struct nearest *nearest, struct str candidate) {
    if (nearest->wanted.len > LENGTH_MAX || candidate.len > LENGTH_MAX)
        return;
    unsigned d = distance(nearest->wanted, candidate);
    if (d < nearest->distance) {
        nearest->distance = d;
        nearest->best = candidate;
    }
}
