#include "orchestrator/ctl/args.h"

#include "base/nearest.h"
#include "orchestrator/ctl/words.h"

#include <assert.h>
#include <stdio.h>

enum { COMMAND_WORDS_MAX = 64 };

struct parser {
    struct args *args;
    struct error *error;
    struct str group; // the first word, while it alone is no command
    char words[COMMAND_WORDS_MAX];
    bool only_operands; // behind "--"
    unsigned topics;
};

// ---- Words --------------------------------------------------------------------------------------------------------

static bool is_group(struct str word) {
    size_t n;
    const struct command *table = command_table(&n);
    for (size_t i = 0; i < n; i++) {
        struct str rest = str_c(table[i].words);
        if (str_eq(str_cut(&rest, ' '), word) && rest.ptr)
            return true;
    }
    return false;
}

// What may stand at this place: the first words, or the second ones of a group.
static bool unknown_word(struct parser *p, const char *word) {
    struct nearest nearest;
    nearest_init(&nearest, str_c(word));
    size_t n;
    const struct command *table = command_table(&n);
    for (size_t i = 0; i < n; i++) {
        struct str rest = str_c(table[i].words), first = str_cut(&rest, ' ');
        if (str_empty(p->group))
            nearest_consider(&nearest, first);
        else if (str_eq(first, p->group))
            nearest_consider(&nearest, rest);
    }
    const char *space = str_empty(p->group) ? "" : " ";
    if (nearest.best.ptr)
        return error_set(p->error, ERR_INVALID_REQUEST, "unknown command '%.*s%s%s'; did you mean '%.*s%s%.*s'?",
                         STR_FMT(p->group), space, word, STR_FMT(p->group), space, STR_FMT(nearest.best));
    return error_set(p->error, ERR_INVALID_REQUEST, "unknown command '%.*s%s%s'; 'txctl help' lists them",
                     STR_FMT(p->group), space, word);
}

static bool take_word(struct parser *p, const char *word) {
    if (str_empty(p->group)) {
        p->args->command = command_find(str_c(word));
        if (p->args->command)
            return true;
        if (!is_group(str_c(word)))
            return unknown_word(p, word);
        p->group = str_c(word);
        return true;
    }
    snprintf(p->words, sizeof p->words, "%.*s %s", STR_FMT(p->group), word);
    p->args->command = command_find(str_c(p->words));
    return p->args->command || unknown_word(p, word);
}

static bool take_operand(struct parser *p, const char *text) {
    struct args *args = p->args;
    if (!args->command)
        return take_word(p, text);
    if (strcmp(args->command->words, "help") == 0) {
        if (p->topics == 2)
            return error_set(p->error, ERR_INVALID_REQUEST, "'help' takes one command");
        args->topic[p->topics++] = text;
        return true;
    }
    if (!args->command->operand || args->operand)
        return error_set(p->error, ERR_INVALID_REQUEST, "'%s' takes %s, but '%s' stands there too",
                         args->command->words, args->command->operand ? "one operand" : "no operand", text);
    args->operand = text;
    return true;
}

// ---- Options ------------------------------------------------------------------------------------------------------

static const struct option *option_at(const struct parser *p, size_t i) {
    const struct option_set *global = command_global_options();
    if (p->args->command)
        return command_option(p->args->command, i);
    return i < global->n ? &global->options[i] : NULL;
}

static const struct option *find_option(const struct parser *p, struct str name, char letter) {
    const struct option *option;
    for (size_t i = 0; (option = option_at(p, i)); i++)
        if (letter ? option->letter == letter : str_eq_c(name, option->name))
            return option;
    return NULL;
}

static bool unknown_option(struct parser *p, struct str name) {
    const char *words = p->args->command ? p->args->command->words : "txctl";
    struct nearest nearest;
    nearest_init(&nearest, name);
    const struct option *option;
    for (size_t i = 0; (option = option_at(p, i)); i++)
        nearest_consider(&nearest, str_c(option->name));
    if (nearest.best.ptr)
        return error_set(p->error, ERR_INVALID_REQUEST, "'%s' has no option --%.*s; did you mean --%.*s?", words,
                         STR_FMT(name), STR_FMT(nearest.best));
    return error_set(p->error, ERR_INVALID_REQUEST, "'%s' has no option --%.*s; 'txctl help%s%s' lists them", words,
                     STR_FMT(name), p->args->command ? " " : "", p->args->command ? words : "");
}

static bool fits_words(const ProtobufCEnumDescriptor *words, const char *what, const char *value, struct error *error) {
    int word;
    if (words_value(words, str_c(value), &word))
        return true;
    struct buf list;
    buf_init(&list, ERR_TEXT_MAX);
    words_list(words, &list);
    error_set(error, ERR_INVALID_REQUEST, "%s: expected one of %.*s; got '%s'", what, STR_FMT(buf_str(&list)), value);
    buf_release(&list);
    return false;
}

bool args_fit(const struct option *option, const char *value, struct error *error) {
    char what[64];
    int64_t number;
    snprintf(what, sizeof what, "--%s", option->name);
    if (option->kind == OPTION_NUMBER &&
        (!str_to_i64(str_c(value), &number) || number < option->min || number > option->max))
        return error_set(error, ERR_INVALID_REQUEST, "%s: expected a whole number from %lld to %lld, got '%s'", what,
                         (long long)option->min, (long long)option->max, value);
    return option->kind != OPTION_WORD || fits_words(option->words, what, value, error);
}

static bool give(struct parser *p, const struct option *option, const char *value) {
    struct args *args = p->args;
    for (size_t i = 0; !option->many && i < args->n; i++)
        if (args->given[i].option == option)
            return error_set(p->error, ERR_INVALID_REQUEST, "--%s stands there twice", option->name);
    if (args->n == ARGS_MAX)
        return error_set(p->error, ERR_INVALID_REQUEST, "more than %d options", ARGS_MAX);
    if (value && !args_fit(option, value, p->error))
        return false;
    args->given[args->n].option = option;
    args->given[args->n++].value = value;
    return true;
}

// `argument` begins with a dash. *at is its index, moved on when the value stands in the next argument.
static bool take_option(struct parser *p, int argc, char *const *argv, int *at) {
    const char *argument = argv[*at];
    bool is_long = argument[1] == '-';
    struct str name = str_c(argument + (is_long ? 2 : 1)), value = STR_NONE;
    if (is_long) {
        value = name;
        name = str_cut(&value, '=');
    }
    const struct option *option = find_option(p, name, is_long || name.len != 1 ? 0 : name.ptr[0]);
    if (!option)
        return unknown_option(p, name);
    if (option->kind == OPTION_FLAG)
        return value.ptr ? error_set(p->error, ERR_INVALID_REQUEST, "--%s takes no value", option->name)
                         : give(p, option, NULL);
    if (value.ptr)
        return give(p, option, value.ptr); // reaches to the argument's end, where its NUL is
    if (*at + 1 == argc)
        return error_set(p->error, ERR_INVALID_REQUEST, "--%s needs %s", option->name, option->value);
    return give(p, option, argv[++*at]);
}

// ---- The whole ----------------------------------------------------------------------------------------------------

static bool is_given(const struct args *args, const struct option *option) {
    for (size_t i = 0; i < args->n; i++)
        if (args->given[i].option == option)
            return true;
    return false;
}

// `need` is "TRADE|--order": whether one of them is there.
static bool has_one_of(const struct args *args, const char *need) {
    struct str rest = str_c(need);
    while (rest.ptr) {
        struct str name = str_cut(&rest, '|');
        if (name.ptr[0] != '-' && args->operand)
            return true;
        for (size_t i = 0; name.ptr[0] == '-' && i < args->n; i++)
            if (str_eq_c(str_n(name.ptr + 2, name.len - 2), args->given[i].option->name))
                return true;
    }
    return false;
}

static bool lacks(struct parser *p, const char *need) {
    struct buf text;
    buf_init(&text, ERR_TEXT_MAX);
    struct str rest = str_c(need), name = str_cut(&rest, '|');
    buf_append(&text, name);
    while (rest.ptr) {
        name = str_cut(&rest, '|');
        buf_printf(&text, "%s%.*s", rest.ptr ? ", " : " or ", STR_FMT(name));
    }
    error_set(p->error, ERR_INVALID_REQUEST, "'%s' needs %.*s", p->args->command->words, STR_FMT(buf_str(&text)));
    buf_release(&text);
    return false;
}

static bool complete(struct parser *p) {
    const struct args *args = p->args;
    const struct command *command = args->command;
    if (args_flag(args, "help"))
        return true;
    if (command->operand && command->operand[0] != '[' && !args->operand)
        return error_set(p->error, ERR_INVALID_REQUEST, "'%s' needs %s", command->words, command->operand);
    const ProtobufCEnumDescriptor *words = command_operand_words(command);
    if (words && args->operand && !fits_words(words, command->operand, args->operand, p->error))
        return false;
    const struct option *option;
    for (size_t i = 0; (option = command_option(command, i)); i++)
        if (option->required && !is_given(args, option))
            return error_set(p->error, ERR_INVALID_REQUEST, "'%s' needs --%s %s", command->words, option->name,
                             option->value);
    for (size_t i = 0; i < COMMAND_NEEDS_MAX && command->needs[i]; i++)
        if (!has_one_of(args, command->needs[i]))
            return lacks(p, command->needs[i]);
    return true;
}

// A command line without a command: help, with or without a group.
static bool without_command(struct parser *p) {
    struct args *args = p->args;
    args->command = command_find(STR("help"));
    assert(args->command);
    if (str_empty(p->group))
        return true;
    if (!args_flag(args, "help"))
        return error_set(p->error, ERR_INVALID_REQUEST, "'%.*s' needs another word; 'txctl help %.*s' lists them",
                         STR_FMT(p->group), STR_FMT(p->group));
    args->topic[0] = p->group.ptr;
    return true;
}

bool args_parse(int argc, char *const *argv, struct args *ret_args, struct error *error) {
    struct args args = {0};
    struct parser p = {.args = &args, .error = error};
    for (int i = 1; i < argc; i++) {
        bool fine = true;
        if (!p.only_operands && strcmp(argv[i], "--") == 0)
            p.only_operands = true;
        else if (!args.command && str_empty(p.group) && strcmp(argv[i], "--version") == 0)
            fine = take_operand(&p, "version"); // as every program has it
        else if (!p.only_operands && argv[i][0] == '-' && argv[i][1] != '\0')
            fine = take_option(&p, argc, argv, &i);
        else
            fine = take_operand(&p, argv[i]);
        if (!fine)
            return false;
    }
    if (args.command ? !complete(&p) : !without_command(&p))
        return false;
    *ret_args = args;
    return true;
}

// ---- Values -------------------------------------------------------------------------------------------------------

static const struct option *option_named(const struct args *args, const char *name) {
    const struct option *option;
    for (size_t i = 0; (option = command_option(args->command, i)); i++)
        if (strcmp(option->name, name) == 0)
            break;
    assert(option);
    return option;
}

const char *args_text(const struct args *args, const char *name) {
    const struct option *option = option_named(args, name);
    for (size_t i = args->n; i-- > 0;)
        if (args->given[i].option == option)
            return args->given[i].value;
    return option->fallback;
}

bool args_flag(const struct args *args, const char *name) {
    return is_given(args, option_named(args, name));
}

int64_t args_number(const struct args *args, const char *name) {
    const char *text = args_text(args, name);
    int64_t number = 0;
    bool fine = text && str_to_i64(str_c(text), &number);
    assert(fine);
    return number;
}
