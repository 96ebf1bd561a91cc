#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int64_t wall_at_start_ms, running_at_start_ns;

static int64_t read_ns(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void start(void) {
    wall_at_start_ms = read_ns(CLOCK_REALTIME) / 1000000;
    running_at_start_ns = read_ns(CLOCK_BOOTTIME);
}

// CLOCK_MONOTONIC stands still while the machine is suspended: a lease that ended meanwhile would look as if it hadn't.
static int64_t system_now_ms(void *ctx) {
    (void)ctx;
    pthread_once(&once, start);
    return wall_at_start_ms + (read_ns(CLOCK_BOOTTIME) - running_at_start_ns) / 1000000;
}

const struct clock *clock_system(void) {
    static const struct clock system = {.now_ms = system_now_ms};
    return &system;
}

int64_t clock_drift_ms(void) {
    return read_ns(CLOCK_REALTIME) / 1000000 - system_now_ms(NULL);
}

int64_t clock_monotonic_ns(void) {
    return read_ns(CLOCK_MONOTONIC);
}

// The whole second that a time lies in; also before 1970.
static time_t second_of(int64_t unix_ms) {
    return (time_t)(unix_ms / 1000 - (unix_ms % 1000 < 0));
}

void clock_format(int64_t unix_ms, char out[25]) {
    time_t t = second_of(unix_ms);
    int64_t ms = (unix_ms % 1000 + 1000) % 1000;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || tm.tm_year < -1900 || tm.tm_year > 8099) {
        snprintf(out, 25, "-");
        return;
    }
    char text[64];
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec, (int)ms);
    snprintf(out, 25, "%.24s", text);
}

void clock_date(int64_t unix_ms, char out[11]) {
    time_t t = second_of(unix_ms);
    struct tm tm;
    char text[64];
    tzset(); // localtime_r() need not read TZ
    if (!localtime_r(&t, &tm) || strftime(text, sizeof text, "%F", &tm) != 10)
        snprintf(text, sizeof text, "-");
    snprintf(out, 11, "%.10s", text);
}

// The years 1 to 9999.
static const int64_t first_second = -62135596800, last_second = 253402300799;

bool clock_is_moment(int64_t seconds, int32_t nanos) {
    return seconds >= first_second && seconds <= last_second && nanos >= 0 && nanos <= 999999999;
}

int64_t clock_moment_ms(int64_t seconds, int32_t nanos) {
    if (seconds < first_second || seconds > last_second)
        return (seconds < 0 ? first_second : last_second) * 1000;
    return seconds * 1000 + nanos / 1000000;
}
