// A command line, taken apart by the table of commands.
#ifndef TXC_ORCHESTRATOR_CTL_ARGS_H
#define TXC_ORCHESTRATOR_CTL_ARGS_H

#include "orchestrator/ctl/command.h"

enum { ARGS_MAX = 128 };

struct args {
    const struct command *command;
    const char *operand;  // NULL: not given
    const char *topic[2]; // of `help`: the words behind it
    size_t n;
    struct {
        const struct option *option;
        const char *value; // NULL for a flag
    } given[ARGS_MAX];
};

// Text borrows from argv. False and INVALID_REQUEST with one sentence: what is wrong and what was expected. An empty
// command line is the command "help"; so is a group of commands with --help behind it.
bool args_parse(int argc, char *const *argv, struct args *ret_args, struct error *error);

// Whether a value fits its option, as far as that can be said without knowing the request. False and INVALID_REQUEST.
bool args_fit(const struct option *option, const char *value, struct error *error);

// The value of an option that isn't `many`: as given (the last one counts), else its fallback, else NULL. The command
// must have the option (asserted).
const char *args_text(const struct args *args, const char *name);
bool args_flag(const struct args *args, const char *name);

// The number of an OPTION_NUMBER, not scaled. It must have been given or have a fallback (asserted).
int64_t args_number(const struct args *args, const char *name);

#endif
