#include "sim/settings.h"

#include "sim/sim.h"

#include <assert.h>
#include <stdio.h>

enum option_type { OPTION_FLAG, OPTION_TEXT, OPTION_NUMBER, OPTION_LISTEN };

// One option: everything that is known about it.
struct option_row {
    const char *name, *value, *text;
    enum option_type type;
    size_t offset;
    int64_t least, most;
};

#define AT(field) offsetof(struct sim_settings, field)

static const struct option_row option_rows[] = {
    {"--listen", "HOST:PORT", "where to serve, up to 4 times; also unix:PATH (127.0.0.1:7700)", OPTION_LISTEN, 0, 0, 0},
    {"--data", "DIR", "where everything is kept (./data/txsim)", OPTION_TEXT, AT(data), 0, 0},
    {"--systems", "NAME,…", "which systems to serve (all)", OPTION_TEXT, AT(systems), 0, 0},
    {"--center", "HOST:PORT", "whom payment notifies (nobody)", OPTION_TEXT, AT(center), 0, 0},
    {"--callback-key", "ID:SECRET", "what notifications are signed with", OPTION_TEXT, AT(callback_secret), 0, 0},
    {"--callback-caller", "NAME", "who notifies, where the center has no TLS (x-caller)", OPTION_TEXT,
     AT(callback_caller), 0, 0},
    {"--seed-world", NULL, "puts the small world in when there is none", OPTION_FLAG, AT(seed_world), 0, 0},
    {"--with-parent", NULL, "ends at once when whoever started it ends", OPTION_FLAG, AT(with_parent), 0, 0},
    {"--users", "N", "how many users the small world has (20)", OPTION_NUMBER, AT(users), 1, 1000000},
    {"--auto-pay", "MS", "tenders pay themselves after this time (they wait to be told)", OPTION_NUMBER,
     AT(auto_pay_ms), 0, 86400000},
    {"--refund-ms", "MS", "from a refund's acceptance to its end (50)", OPTION_NUMBER, AT(refund_ms), 1, 86400000},
    {"--fault-seed", "N", "of the dice that faults throw (1)", OPTION_NUMBER, AT(fault_seed), 0, INT64_MAX},
    {"--sim", "HOST:PORT", "whom fault, clear and pay ask (127.0.0.1:7700)", OPTION_TEXT, AT(sim), 0, 0},
    {"--code", "CODE", "of a fault: what REJECT answers; of pay: it fails, with this code", OPTION_TEXT, AT(code), 0,
     0},
    {"--key", "PREFIX", "of a fault: only keys that begin so, as a trade's number does", OPTION_TEXT, AT(key), 0, 0},
    {"--count", "N", "of a fault: how often (until cleared)", OPTION_NUMBER, AT(count), 1, INT32_MAX},
    {"--delay-ms", "MS", "of a fault: how long", OPTION_NUMBER, AT(delay_ms), 0, 86400000},
};

static const struct command_row {
    const char *name, *operands, *text;
    enum sim_command command;
    size_t least, most; // operands
} commands[] = {
    {"serve", "", "serves the simulators until SIGTERM", SIM_COMMAND_SERVE, 0, 0},
    {"seed", "", "puts the small world into the data folder, and ends", SIM_COMMAND_SEED, 0, 0},
    {"fault", " KIND SYSTEM [METHOD]", "tells one that serves what to do wrong: REJECT, DOWN, …", SIM_COMMAND_FAULT, 2,
     3},
    {"clear", "", "takes all its faults away", SIM_COMMAND_CLEAR, 0, 0},
    {"pay", " TENDER", "the payer of this tender pays now", SIM_COMMAND_PAY, 1, 1},
    {"--help", "", "this", SIM_COMMAND_HELP, 0, 0},
    {"-h", "", "this", SIM_COMMAND_HELP, 0, 0},
    {"--version", "", "which version this is", SIM_COMMAND_VERSION, 0, 0},
};

void sim_settings_help(void) {
    printf(
        "txsim: every remote system of the transaction center, with state and faults, for development and tests.\n\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        printf("  txsim %s%-*s %s\n", commands[i].name, (int)(28 - strlen(commands[i].name)), commands[i].operands,
               commands[i].text);
    printf("\n");
    for (size_t i = 0; i < sizeof option_rows / sizeof option_rows[0]; i++)
        printf("  %-17s %-10s %s\n", option_rows[i].name, option_rows[i].value ? option_rows[i].value : "",
               option_rows[i].text);
    printf("\nsystems:");
    for (const char *const *name = sim_system_names(); *name; name++)
        printf(" %s", *name);
    printf("\n");
}

static const struct option_row *option_named(const char *name) {
    for (size_t i = 0; i < sizeof option_rows / sizeof option_rows[0]; i++)
        if (strcmp(option_rows[i].name, name) == 0)
            return &option_rows[i];
    return NULL;
}

static bool add_listen(struct sim_settings *settings, const char *value, struct error *error) {
    size_t n = 0;
    while (settings->listen[n])
        n++;
    if (n == SIM_LISTEN_MAX)
        return error_set(error, ERR_CONFIG_INVALID, "--listen is there more than %d times", SIM_LISTEN_MAX);
    settings->listen[n] = value;
    return true;
}

static bool set_option(struct sim_settings *settings, const struct option_row *row, const char *value,
                       struct error *error) {
    void *place = (char *)settings + row->offset;
    int64_t number;
    switch (row->type) {
    case OPTION_FLAG: *(bool *)place = true; return true;
    case OPTION_TEXT: *(const char **)place = value; return true;
    case OPTION_LISTEN: return add_listen(settings, value, error);
    case OPTION_NUMBER:
        if (!str_to_i64(str_c(value), &number) || number < row->least || number > row->most)
            return error_set(error, ERR_CONFIG_INVALID, "%s must be a number from %lld to %lld", row->name,
                             (long long)row->least, (long long)row->most);
        *(int64_t *)place = number;
        return true;
    }
    return false;
}

static bool parse_rest(int argc, char **argv, const struct command_row *command, struct sim_settings *settings,
                       struct error *error) {
    size_t n = 0;
    for (int i = 2; i < argc; i++) {
        if (argv[i][0] != '-' && n < command->most) {
            settings->operands[n++] = argv[i];
            continue;
        }
        const struct option_row *row = option_named(argv[i]);
        if (!row)
            return error_set(error, ERR_CONFIG_INVALID, "%s is no option; --help lists them", argv[i]);
        if (row->value && i + 1 == argc)
            return error_set(error, ERR_CONFIG_INVALID, "%s needs a value: %s", row->name, row->value);
        if (!set_option(settings, row, row->value ? argv[++i] : NULL, error))
            return false;
    }
    return n >= command->least || error_set(error, ERR_CONFIG_INVALID, "%s needs%s", command->name, command->operands);
}

// "ID:SECRET" was put whole into callback_secret.
static bool split_key(struct sim_settings *settings, struct error *error) {
    if (!settings->callback_secret)
        return !settings->center || error_set(error, ERR_CONFIG_INVALID, "--center needs --callback-key");
    struct str rest = str_c(settings->callback_secret);
    struct str id = str_cut(&rest, ':');
    if (rest.len == 0 || id.len == 0 || !str_copy(id, settings->callback_key_id, sizeof settings->callback_key_id))
        return error_set(error, ERR_CONFIG_INVALID, "--callback-key must be ID:SECRET");
    settings->callback_secret = rest.ptr;
    return true;
}

static bool check_systems(const struct sim_settings *settings, struct error *error) {
    struct str rest = str_c(settings->systems);
    while (rest.len > 0) {
        struct str name = str_cut(&rest, ',');
        const char *const *known = sim_system_names();
        while (*known && !str_eq_c(name, *known))
            known++;
        if (!*known)
            return error_set(error, ERR_CONFIG_INVALID, "there is no system %.*s", STR_FMT(name));
    }
    return true;
}

bool sim_settings_parse(int argc, char **argv, struct sim_settings *ret_settings, struct error *error) {
    struct sim_settings settings = {.data = "data/txsim",
                                    .users = 20,
                                    .auto_pay_ms = -1,
                                    .refund_ms = 50,
                                    .fault_seed = 1,
                                    .sim = "127.0.0.1:7700"};
    if (argc < 2)
        return error_set(error, ERR_CONFIG_INVALID, "a command is missing; --help lists them");
    size_t i = 0, n = sizeof commands / sizeof commands[0];
    while (i < n && strcmp(argv[1], commands[i].name) != 0)
        i++;
    if (i == n)
        return error_set(error, ERR_CONFIG_INVALID, "%s is no command; --help lists them", argv[1]);
    settings.command = commands[i].command;
    if (!parse_rest(argc, argv, &commands[i], &settings, error) || !split_key(&settings, error) ||
        !check_systems(&settings, error))
        return false;
    if (!settings.listen[0])
        settings.listen[0] = "127.0.0.1:7700";
    *ret_settings = settings;
    return true;
}
