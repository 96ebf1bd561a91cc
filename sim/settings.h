// What txsim is asked to do on its command line.
#ifndef TXC_SIM_SETTINGS_H
#define TXC_SIM_SETTINGS_H

#include "base/err.h"

enum { SIM_LISTEN_MAX = 4, SIM_OPERANDS_MAX = 3 };

enum sim_command {
    SIM_COMMAND_SERVE,
    SIM_COMMAND_SEED,
    SIM_COMMAND_FAULT, // this and the next two ask a txsim that serves
    SIM_COMMAND_CLEAR,
    SIM_COMMAND_PAY,
    SIM_COMMAND_HELP,
    SIM_COMMAND_VERSION
};

// Texts are borrowed from argv.
struct sim_settings {
    enum sim_command command;
    const char *listen[SIM_LISTEN_MAX + 1]; // NULL-terminated
    const char *data;
    const char *systems; // separated by commas; NULL: all
    const char *center;  // NULL: no callbacks
    char callback_key_id[65];
    const char *callback_secret; // NULL with center NULL
    const char *callback_caller; // NULL: none
    bool seed_world;
    bool with_parent; // ends when its parent does
    int64_t users;
    int64_t auto_pay_ms; // < 0: off
    int64_t refund_ms;
    int64_t fault_seed;
    const char *operands[SIM_OPERANDS_MAX]; // NULL: not given
    const char *sim;                        // whom to ask
    const char *code, *key;                 // NULL: none
    int64_t count, delay_ms;
};

bool sim_settings_parse(int argc, char **argv, struct sim_settings *ret_settings, struct error *error);

// Every command and option, one a line, for --help.
void sim_settings_help(void);

#endif
