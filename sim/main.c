// txsim: the simulators as a program.
#include "base/log.h"
#include "sim/ask.h"
#include "sim/settings.h"
#include "sim/sim.h"
#include "store/backend.h"
#include "txc_descriptors.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>

struct program {
    struct sim_settings settings;
    struct rpc_loop *loop;
    struct rpc_waker waker;
    struct store *store;
    struct rpc_channel *callback;
    struct sim *sim;
    struct rpc_server *server;
    bool seeded, failed;
};

static bool complain(const struct error *error) {
    LOG(LOG_ERROR, "txsim ends", LOG_C("reason", err_info(error->code)->name), LOG_C("text", error->text));
    return false;
}

// ---- Parts -----------------------------------------------------------------------------------------------------

static bool make_folders(const char *path, struct error *error) {
    char part[512];
    if (!str_copy(str_c(path), part, sizeof part))
        return error_set(error, ERR_CONFIG_INVALID, "--data is too long");
    for (char *at = part + 1; *at; at++)
        if (*at == '/') {
            *at = '\0';
            mkdir(part, 0755);
            *at = '/';
        }
    char why[128];
    if (mkdir(part, 0755) != 0 && errno != EEXIST)
        return error_set(error, ERR_CONFIG_INVALID, "%s can't be made: %s", path, strerror_r(errno, why, sizeof why));
    return true;
}

static void poll_store(void *ctx) {
    struct program *program = ctx;
    if (program->store)
        store_poll(program->store);
}

static bool open_store(struct program *program, struct error *error) {
    char path[560];
    if (!make_folders(program->settings.data, error))
        return false;
    snprintf(path, sizeof path, "%s/txsim.db", program->settings.data);
    program->waker = (struct rpc_waker){.poll = poll_store, .ctx = program};
    rpc_loop_add_waker(program->loop, &program->waker);
    struct store_options options = {
        .tables = sim_tables(),
        .clock = rpc_loop_clock(program->loop),
        .instance = "txsim",
        .address = program->settings.listen[0],
        .threaded = true,
        .wake = rpc_loop_wake,
        .wake_ctx = program->loop,
    };
    return store_open(store_sqlite(path), &options, &program->store, error);
}

static void store_failed(void *ctx, const struct error *error) {
    struct program *program = ctx;
    complain(error);
    program->failed = true;
    rpc_loop_stop(program->loop);
}

static bool open_sim(struct program *program, struct error *error) {
    const struct sim_settings *settings = &program->settings;
    if (settings->center && !(program->callback = rpc_channel_open(program->loop, settings->center, NULL, error)))
        return false;
    struct sim_options options = {
        .timers = rpc_loop_timers(program->loop),
        .store = program->store,
        .callback = program->callback,
        .callback_key_id = settings->callback_key_id,
        .callback_secret = settings->callback_secret,
        .callback_caller = settings->callback_caller,
        .fault_seed = (uint64_t)settings->fault_seed,
        .refund_ms = (uint32_t)settings->refund_ms,
        .failed = store_failed,
        .failed_ctx = program,
    };
    program->sim = sim_new(&options);
    while (!sim_ready(program->sim) && !program->failed)
        rpc_loop_once(program->loop, 1000);
    if (settings->auto_pay_ms >= 0)
        sim_auto_pay(program->sim, settings->auto_pay_ms);
    return !program->failed || error_set(error, ERR_STORE_CORRUPT, "the data can't be loaded");
}

static void seeded(void *ctx, bool durable) {
    struct program *program = ctx;
    program->seeded = true;
    program->failed |= !durable;
}

static bool seed(struct program *program, struct error *error) {
    if (!sim_seed(program->sim, (uint32_t)program->settings.users, seeded, program)) {
        LOG(LOG_INFO, "there is a world already");
        return true;
    }
    while (!program->seeded)
        rpc_loop_once(program->loop, 1000);
    return !program->failed || error_set(error, ERR_STORE_UNAVAILABLE, "the world could not be written");
}

// ---- Serving ---------------------------------------------------------------------------------------------------

static bool serves(const struct sim_settings *settings, const char *system) {
    struct str rest = str_c(settings->systems);
    bool named = rest.len == 0 || strcmp(system, "sim") == 0; // the control service is always there
    while (rest.len > 0)
        named |= str_eq_c(str_cut(&rest, ','), system);
    return named;
}

static bool open_server(struct program *program, struct error *error) {
    struct rpc_server_options options = {
        .listen = program->settings.listen,
        .in_flight_max = 8192,
        .descriptor_set = str_n(txc_descriptors, (size_t)(txc_descriptors_end - txc_descriptors)),
    };
    program->server = rpc_server_new(program->loop, &options);
    for (const char *const *name = sim_system_names(); *name; name++) {
        size_t n;
        void *service;
        const struct rpc_route *routes = sim_routes(program->sim, *name, &n, &service);
        if (serves(&program->settings, *name))
            rpc_server_add(program->server, routes, n, service);
    }
    return rpc_server_start(program->server, error);
}

static void drained(void *ctx) {
    struct program *program = ctx;
    rpc_loop_stop(program->loop);
}

static void stop(void *ctx, int signal_number) {
    struct program *program = ctx;
    LOG(LOG_INFO, "stopping", LOG_INT("signal", signal_number));
    if (!program->server)
        return;
    sim_stop(program->sim);
    rpc_server_drain(program->server, drained, program);
}

static bool serve(struct program *program, struct error *error) {
    if ((program->settings.seed_world && !seed(program, error)) || !open_server(program, error))
        return false;
    LOG(LOG_INFO, "txsim serves", LOG_C("listen", program->settings.listen[0]),
        LOG_INT("port", rpc_server_port(program->server, 0)));
    // One line for whoever started it.
    printf("ready %d\n", rpc_server_port(program->server, 0));
    fflush(stdout);
    rpc_loop_run(program->loop);
    return !program->failed || error_set(error, ERR_STORE_UNAVAILABLE, "the store failed");
}

static void log_core_line(enum log_level level, const char *text) {
    LOG(level, "gRPC says", LOG_C("text", text));
}

static bool run(struct program *program, struct error *error) {
    static const int signals[] = {SIGTERM, SIGINT};
    if (program->settings.with_parent)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    rpc_set_core_log(log_core_line);
    program->loop = rpc_loop_new();
    if (!rpc_loop_on_signal(program->loop, signals, 2, stop, program, error) || !open_store(program, error) ||
        !open_sim(program, error))
        return false;
    return program->settings.command == SIM_COMMAND_SEED ? seed(program, error) : serve(program, error);
}

static void close_all(struct program *program) {
    if (program->sim)
        sim_stop(program->sim);
    rpc_channel_close(program->callback);
    store_close(program->store);
    program->store = NULL;
    sim_free(program->sim);
    if (program->server)
        rpc_server_free(program->server);
    if (!program->loop)
        return;
    if (program->waker.poll)
        rpc_loop_remove_waker(program->loop, &program->waker);
    rpc_loop_free(program->loop);
}

int main(int argc, char **argv) {
    struct program program = {0};
    struct error error = {0};
    log_setup(LOG_INFO, LOG_AUTO);
    if (!sim_settings_parse(argc, argv, &program.settings, &error)) {
        fprintf(stderr, "txsim: %s\n", error.text);
        return 2;
    }
    switch (program.settings.command) {
    case SIM_COMMAND_HELP:
        sim_settings_help();
        sim_ask_help();
        return 0;
    case SIM_COMMAND_VERSION: printf("txsim %s\n", TXC_VERSION); return 0;
    case SIM_COMMAND_FAULT:
    case SIM_COMMAND_CLEAR:
    case SIM_COMMAND_PAY:
        if (sim_ask(&program.settings, &error))
            return 0;
        fprintf(stderr, "txsim: %s\n", error.text);
        return error.code == ERR_CONFIG_INVALID ? 2 : 1;
    case SIM_COMMAND_SERVE:
    case SIM_COMMAND_SEED: break;
    }
    bool done = run(&program, &error);
    if (!done)
        complain(&error);
    close_all(&program);
    return done ? 0 : 1;
}
