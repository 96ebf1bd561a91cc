#include "base/log_limit.h"

enum { SECOND_MS = 1000 };

bool log_limit_take(struct log_limit *limit, int64_t now_ms) {
    if (now_ms / SECOND_MS != limit->second) {
        limit->second = now_ms / SECOND_MS;
        limit->written = 0;
    }
    if (limit->written < LOG_LIMIT_LINES) {
        limit->written++;
        return true;
    }
    limit->held_back++;
    return false;
}

uint64_t log_limit_held_back(struct log_limit *limit) {
    uint64_t n = limit->held_back;
    limit->held_back = 0;
    return n;
}
