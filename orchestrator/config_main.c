#include "orchestrator/config_main.h"

#include "orchestrator/workers.h"

enum { OUTPUT_MAX = 1 << 20 };

enum action { RUN, CHECK, PRINT, DOC, HELP, VERSION };

struct request {
    enum action action;
    const char *path;
    unsigned workers;
};

static const struct {
    const char *name;
    enum action action;
    const char *text;
} actions[] = {
    {"--check-config", CHECK, "say everything that is wrong with the configuration (for these workers), and end"},
    {"--print-config", PRINT, "print the effective configuration as YAML, without secrets, and end"},
    {"--config-doc", DOC, "print the page that lists every key, and end"},
    {"--version", VERSION, "print the version, and end"},
    {"--help", HELP, "print this, and end"},
};

static void print_help(FILE *out) {
    fprintf(out, "txcenterd: the transaction center's server.\n\n"
                 "usage: txcenterd [--config FILE] [ACTION]\n\n"
                 "  -c, --config FILE  the configuration; without it everything has its default\n"
                 "  -w, --workers N    N processes that share the ports and divide the work, each an instance of its\n"
                 "                     own; for more cores than one, on MariaDB (at most 64)\n");
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        fprintf(out, "  %-18s %s\n", actions[i].name, actions[i].text);
    fprintf(
        out,
        "\n"
        "When it serves, it prints \"ready\" and the port of each address it listens on. SIGTERM stops it in order.\n\n"
        "examples:\n"
        "  txcenterd                                             everything at its default, data in ./data\n"
        "  txcenterd --config /etc/txcenter/txcenter.yaml        with a configuration\n"
        "  txcenterd --config txcenter.yaml --workers 4          on four cores\n"
        "  txcenterd --config txcenter.yaml --check-config       is it valid?\n"
        "  txcenterd --print-config > txcenter.yaml              a configuration to begin with\n"
        "\nexit codes: 0 done, 1 the configuration is not valid or the start failed, 2 the command line is not "
        "valid\n");
}

// False when the argument is none of ours.
static bool take_action(const char *argument, struct request *request) {
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(argument, actions[i].name) == 0 || (strcmp(argument, "-h") == 0 && actions[i].action == HELP)) {
            request->action = actions[i].action;
            return true;
        }
    }
    return false;
}

static bool take_workers(const char *text, struct request *request, FILE *err) {
    int64_t n = 0;
    if (!text || !str_to_i64(str_c(text), &n) || n < 1 || n > WORKERS_MAX) {
        fprintf(err, "txcenterd: --workers needs a number from 1 to %d\n", WORKERS_MAX);
        return false;
    }
    request->workers = (unsigned)n;
    return true;
}

static bool parse(int argc, char *const *argv, FILE *err, struct request *ret_request) {
    struct request request = {.action = RUN};
    for (int i = 1; i < argc; i++) {
        struct str argument = str_c(argv[i]);
        if (str_eq_c(argument, "--config") || str_eq_c(argument, "-c")) {
            if (++i == argc) {
                fprintf(err, "txcenterd: %s needs a file\n", argv[i - 1]);
                return false;
            }
            request.path = argv[i];
        } else if (str_eq_c(argument, "--workers") || str_eq_c(argument, "-w")) {
            if (!take_workers(++i < argc ? argv[i] : NULL, &request, err))
                return false;
        } else if (str_starts(argument, STR("--workers="))) {
            if (!take_workers(argv[i] + strlen("--workers="), &request, err))
                return false;
        } else if (str_starts(argument, STR("--config="))) {
            request.path = argv[i] + strlen("--config=");
        } else if (!take_action(argv[i], &request)) {
            fprintf(err, "txcenterd: unknown argument '%s'; --help lists them\n", argv[i]);
            return false;
        }
    }
    *ret_request = request;
    return true;
}

static void put(struct buf *text, FILE *out) {
    struct str all = buf_str(text);
    fwrite(all.ptr, 1, all.len, out);
    buf_release(text);
}

// What needs no configuration. True: that was all.
static bool answered(enum action action, const char *version, FILE *out) {
    struct buf page;
    buf_init(&page, OUTPUT_MAX);
    if (action == HELP)
        print_help(out);
    else if (action == VERSION)
        fprintf(out, "txcenterd %s\n", version);
    else if (action == DOC)
        config_doc(&page);
    put(&page, out);
    return action == HELP || action == VERSION || action == DOC;
}

// With a configuration at hand. True: that was all.
static bool shown(const struct request *request, const struct config *config, FILE *out) {
    struct buf text;
    buf_init(&text, OUTPUT_MAX);
    if (request->action == PRINT)
        config_print(config, &text);
    if (request->action == CHECK) {
        const char *warning;
        for (size_t i = 0; (warning = config_warning(config, i)); i++)
            buf_printf(&text, "warning: %s\n", warning);
        buf_printf(&text, "%s: valid\n", request->path ? request->path : "(defaults)");
    }
    put(&text, out);
    return request->action != RUN;
}

// Whether it fits the command line, too.
static bool fits(const struct request *request, const struct config *config, FILE *err) {
    struct error error = {0};
    if (request->workers == 0 || workers_check(config, request->workers, &error))
        return true;
    fprintf(err, "%s: %s\n", request->path ? request->path : "(defaults)", error.text);
    return false;
}

bool config_main(int argc, char *const *argv, const char *version, FILE *out, FILE *err, struct config *ret_config,
                 unsigned *ret_workers, int *ret_exit) {
    struct request request;
    if (!parse(argc, argv, err, &request)) {
        *ret_exit = CONFIG_EXIT_USAGE;
        return false;
    }
    if (answered(request.action, version, out)) {
        *ret_exit = CONFIG_EXIT_OK;
        return false;
    }
    struct config config;
    struct buf report;
    buf_init(&report, OUTPUT_MAX);
    bool valid = config_load(request.path, &config, &report);
    put(&report, err);
    if (!valid) {
        *ret_exit = CONFIG_EXIT_INVALID;
        return false;
    }
    if (!fits(&request, &config, err)) {
        config_release(&config);
        *ret_exit = CONFIG_EXIT_INVALID;
        return false;
    }
    if (shown(&request, &config, out)) {
        config_release(&config);
        *ret_exit = CONFIG_EXIT_OK;
        return false;
    }
    *ret_config = config;
    *ret_workers = request.workers;
    return true;
}
