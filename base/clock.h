// Time comes in through this table, so that tests and the simulator can own it.
#ifndef TXC_BASE_CLOCK_H
#define TXC_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock {
    void *ctx;
    // Milliseconds since the Unix epoch. Never goes back within one process: the wall clock at start plus the time
    // since then, also the time for which the machine was suspended.
    int64_t (*now_ms)(void *ctx);
};

static inline int64_t clock_now_ms(const struct clock *clock) {
    return clock->now_ms(clock->ctx);
}

// The machine's own clock; one per process, fixed to the wall clock at the first call. Thread-safe.
const struct clock *clock_system(void);

// How far the wall clock has moved against clock_system() since the start (milliseconds): a jump that an operator
// should hear of. It expires nothing.
int64_t clock_drift_ms(void);

// Monotonic nanoseconds, for measuring.
int64_t clock_monotonic_ns(void);

// "2026-01-31T23:59:59.123Z" into out[25].
void clock_format(int64_t unix_ms, char out[25]);

// The calendar day "2026-01-31" into out[11], in the process's time zone (TZ).
void clock_date(int64_t unix_ms, char out[11]);

// Whether a pair as in google.protobuf.Timestamp is a time: within the years 1 to 9999, as its page says.
bool clock_is_moment(int64_t seconds, int32_t nanos);

// Its milliseconds; one that is none counts as the nearest that is.
int64_t clock_moment_ms(int64_t seconds, int32_t nanos);

#endif
