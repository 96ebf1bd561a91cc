// The table of commands: from it come parsing, help, shell completion and, where a command is one call, the request.
#ifndef TXC_ORCHESTRATOR_CTL_COMMAND_H
#define TXC_ORCHESTRATOR_CTL_COMMAND_H

#include "rpc/method.h"

struct session;
struct view;
struct request;

enum option_kind {
    OPTION_FLAG,   // no value
    OPTION_TEXT,   // text, or repeated text
    OPTION_NUMBER, // min..max, times scale
    OPTION_MONEY,  // "12.34" in the currency of --currency
    OPTION_WORD,   // one of an enum's choices
    OPTION_TIME,   // RFC 3339, a date, or how long ago ("2h")
    OPTION_SPEC,   // text of a form of its own: `spec` makes a message of it
    OPTION_FILE,   // the path of a file, "-" for standard input: what it holds
};

// Makes the message that a text stands for, in the request's arena; NULL and request_refuse() when it is malformed.
typedef ProtobufCMessage *spec_fn(struct request *request, const char *option, struct str text);

struct option {
    const char *name; // without the dashes
    char letter;      // 0: none
    enum option_kind kind;
    bool many, required;
    const char *value;    // what the help calls it: "ID"; NULL for a FLAG
    const char *field;    // path in the request, "filter.user_id"; NULL: not part of the request
    const char *fallback; // used when it isn't given; NULL: nothing
    int64_t min, max, scale;
    const ProtobufCEnumDescriptor *words;
    spec_fn *spec;
    const char *text;
};

struct option_set {
    const struct option *options;
    size_t n;
};

// Prints a response for people.
typedef void show_fn(struct view *view, struct arena *arena, const ProtobufCMessage *response);

// A command of its own kind. Returns the exit code.
typedef int command_fn(struct session *session);

enum { COMMAND_SETS_MAX = 6, COMMAND_NEEDS_MAX = 4 };
struct command {
    const char *words;                               // "trade pay"
    const char *operand;                             // "TRADE"; "[TRADE]" may be left out; NULL: none
    const char *operand_field;                       // where it goes in the request; of an enum: one of its choices
    const struct option_set *sets[COMMAND_SETS_MAX]; // NULL-terminated when shorter
    const char *needs[COMMAND_NEEDS_MAX];            // "TRADE|--order": one of them must be there; NULL-terminated
    struct rpc_method method;                        // one call: `show` prints the answer
    show_fn *show;
    command_fn *run;     // else this
    const char *text;    // one line
    const char *details; // more, for `help COMMAND`; NULL: nothing more
};

// Every command, in the order of the help.
const struct command *command_table(size_t *ret_count);

// Options that every command takes.
const struct option_set *command_global_options(void);

// The choices of the operand, where the field that it fills is an enum; NULL: it is any text.
const ProtobufCEnumDescriptor *command_operand_words(const struct command *command);

// The i-th option of a command, its own before the global ones; NULL behind the last.
const struct option *command_option(const struct command *command, size_t i);

// The command whose words are these; NULL when there is none.
const struct command *command_find(struct str words);

#endif
