#include "base/clock.h"
#include "rpc/loop.h"

#include <grpc/support/log.h>
#include <pthread.h>
#include <stdio.h>

#define SECOND_NS INT64_C(1000000000)

// gRPC's logging has no context to carry it in.
static struct {
    pthread_mutex_t lock;
    void (*line)(enum log_level level, const char *text);
    int64_t since_ns; // the second that is being counted
    unsigned lines, left_out;
} core = {.lock = PTHREAD_MUTEX_INITIALIZER};

// An error of a connection is none of the program's: gRPC calls a peer's nonsense one, too.
static enum log_level level_of(gpr_log_severity severity) {
    switch (severity) {
    case GPR_LOG_SEVERITY_DEBUG: return LOG_DEBUG;
    case GPR_LOG_SEVERITY_INFO: return LOG_INFO;
    case GPR_LOG_SEVERITY_ERROR: break;
    }
    return LOG_WARN;
}

static void begin_second(int64_t now_ns) {
    char text[64];
    snprintf(text, sizeof text, "%u lines before this one were left out", core.left_out);
    if (core.left_out)
        core.line(LOG_WARN, text);
    core.since_ns = now_ns;
    core.lines = core.left_out ? 1 : 0;
    core.left_out = 0;
}

static void take(gpr_log_func_args *args) {
    pthread_mutex_lock(&core.lock);
    int64_t now_ns = clock_monotonic_ns();
    if (now_ns - core.since_ns >= SECOND_NS)
        begin_second(now_ns);
    if (core.lines < RPC_CORE_LINES_MAX) {
        core.lines++;
        core.line(level_of(args->severity), args->message);
    } else {
        core.left_out++;
    }
    pthread_mutex_unlock(&core.lock);
}

void rpc_set_core_log(void (*line)(enum log_level level, const char *text)) {
    pthread_mutex_lock(&core.lock);
    core.line = line;
    pthread_mutex_unlock(&core.lock);
    gpr_set_log_function(take);
}
