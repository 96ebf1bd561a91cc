// So that a flood of what is alike does not become a flood of lines: so many of them in a second are written, and of
// the others it is told afterwards how many there were.
#ifndef TXC_BASE_LOG_LIMIT_H
#define TXC_BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

enum { LOG_LIMIT_LINES = 20 }; // a second

// Begins as zeroes. Not thread-safe.
struct log_limit {
    int64_t second;
    uint32_t written;
    uint64_t held_back;
};

// Whether a line may be written now.
bool log_limit_take(struct log_limit *limit, int64_t now_ms);

// How many were held back since this was last asked.
uint64_t log_limit_held_back(struct log_limit *limit);

#endif
