// txcenterd: the transaction center's server.
#include "orchestrator/compose.h"
#include "orchestrator/config_main.h"
#include "orchestrator/workers.h"

#include <signal.h>
#include <stdlib.h>

static int64_t process_started_ns;

enum { RETURNS_MAX = 20, RETURNS_WITHIN_S = 600 };

// For people in the log, and one line on standard output for whoever started it: "ready", then the port of each
// address.
static void say_ready(const struct center *center, int64_t started_ns) {
    const char *const *listen = center->config->listen;
    int64_t took_ms = (clock_monotonic_ns() - started_ns) / 1000000;
    printf("ready");
    for (size_t i = 0; listen[i]; i++) {
        int port = rpc_server_port(center->server, i);
        printf(" %d", port);
        LOG(LOG_INFO, "ready", LOG_C("listen", listen[i]), LOG_INT("port", port), LOG_INT("took_ms", took_ms),
            LOG_C("version", TXC_VERSION), LOG_C("name", center->config->instance));
    }
    printf("\n");
    fflush(stdout);
}

static void say_warnings(struct center *center) {
    const char *warning;
    for (size_t i = 0; (warning = config_warning(center->config, i)); i++)
        LOG(LOG_WARN, warning);
    center_look(center); // what the store has to say
}

static void log_core_line(enum log_level level, const char *text) {
    LOG(level, "gRPC says", LOG_C("text", text));
}

// How one life of the center ended.
enum end { END_DONE, END_FAILED, END_FENCED };

static enum end run(struct config *config, bool returning, int64_t started_ns) {
    struct center center;
    struct error error = {0};
    enum end end = END_DONE;
    if (center_open(&center, config, returning, &error)) {
        say_warnings(&center);
        say_ready(&center, started_ns);
        center_run(&center);
    } else if (error_is(&error) && !center.stopping) {
        LOG(LOG_ERROR, "can't start", LOG_C("reason", err_info(error.code)->name), LOG_C("text", error.text));
        end = END_FAILED;
    }
    if (center.fenced && !center.asked)
        end = END_FENCED;
    center_close(&center);
    LOG(LOG_INFO, "stopped");
    return end;
}

// Whether an instance that was taken over from (it was stopped for longer than its lease, say) starts anew: a few times
// within a while, beyond which something is wrong with it or its machine.
struct returns {
    int64_t at_s[RETURNS_MAX]; // the latest
    unsigned n;
};

static bool may_return(struct returns *returns) {
    int64_t now_s = clock_monotonic_ns() / 1000000000, *oldest = &returns->at_s[returns->n % RETURNS_MAX];
    if (returns->n >= RETURNS_MAX && now_s - *oldest < RETURNS_WITHIN_S) {
        LOG(LOG_ERROR, "ending: taken over from too often", LOG_INT("times", RETURNS_MAX + 1),
            LOG_INT("within_s", now_s - *oldest));
        return false;
    }
    *oldest = now_s;
    returns->n++;
    LOG(LOG_WARN, "starting anew", LOG_INT("times", returns->n));
    return true;
}

// A process that serves, as often as it must start anew.
static int live(struct config *config) {
    struct returns returns = {.n = 0};
    enum end end = run(config, false, process_started_ns);
    while (end == END_FENCED && may_return(&returns))
        end = run(config, true, clock_monotonic_ns());
    return end == END_DONE ? 0 : 1;
}

static int run_workers(struct config *config, unsigned n) {
    struct error error = {0};
    int code = 1;
    if (!workers_run(config, n, live, &code, &error))
        LOG(LOG_ERROR, "can't start", LOG_C("reason", err_info(error.code)->name), LOG_C("text", error.text));
    return code;
}

int main(int argc, char **argv) {
    process_started_ns = clock_monotonic_ns();
    struct config config;
    unsigned workers = 0;
    int code;
    if (!config_main(argc, argv, TXC_VERSION, stdout, stderr, &config, &workers, &code))
        return code;
    setenv("TZ", config.trade.timezone, 1); // NOLINT(concurrency-mt-unsafe): there is one thread yet
    signal(SIGPIPE, SIG_IGN);               // who reads our output may leave
    log_setup(config.log.level, config.log.format);
    rpc_set_core_log(log_core_line);
    code = workers ? run_workers(&config, workers) : live(&config);
    config_release(&config);
    return code;
}
