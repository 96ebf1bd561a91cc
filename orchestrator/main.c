// txcenterd: the transaction center's server.
#include "orchestrator/compose.h"
#include "orchestrator/config_main.h"

#include <signal.h>
#include <stdlib.h>

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
            LOG_C("version", TXC_VERSION), LOG_C("instance", center->config->instance));
    }
    printf("\n");
    fflush(stdout);
}

static void say_warnings(const struct center *center) {
    const char *warning;
    for (size_t i = 0; (warning = config_warning(center->config, i)); i++)
        LOG(LOG_WARN, warning);
    if (store_durability_warning(center->store))
        LOG(LOG_WARN, store_durability_warning(center->store));
}

static void log_core_line(enum log_level level, const char *text) {
    LOG(level, "gRPC says", LOG_C("text", text));
}

static int run(struct config *config, int64_t started_ns) {
    struct center center;
    struct error error = {0};
    bool done = center_open(&center, config, &error);
    if (done) {
        say_warnings(&center);
        say_ready(&center, started_ns);
        done = center_run(&center);
    } else if (center.stopping) {
        done = true; // told to stop before it was ready
    } else {
        LOG(LOG_ERROR, "can't start", LOG_C("reason", err_info(error.code)->name), LOG_C("text", error.text));
    }
    center_close(&center);
    LOG(LOG_INFO, "stopped");
    return done ? 0 : 1;
}

int main(int argc, char **argv) {
    int64_t started_ns = clock_monotonic_ns();
    struct config config;
    int code;
    if (!config_main(argc, argv, TXC_VERSION, stdout, stderr, &config, &code))
        return code;
    setenv("TZ", config.trade.timezone, 1); // NOLINT(concurrency-mt-unsafe): there is one thread yet
    signal(SIGPIPE, SIG_IGN);               // who reads our output may leave
    log_setup(config.log.level, config.log.format);
    rpc_set_core_log(log_core_line);
    code = run(&config, started_ns);
    config_release(&config);
    return code;
}
