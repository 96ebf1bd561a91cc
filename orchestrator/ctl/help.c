#include "orchestrator/ctl/help.h"

#include "orchestrator/ctl/words.h"

#include <stdio.h>

enum { LABEL_MAX = 96, INDENT = 2, TEXT_AT = 34 };

// "  label      text"; a label that is too long stands on a line of its own.
static void entry(struct view *view, const char *label, const char *text) {
    view_pad(view, INDENT);
    view_text(view, PAINT_BOLD, str_c(label));
    size_t at = INDENT + view_columns(str_c(label));
    if (at + 2 > TEXT_AT) {
        view_printf(view, "\n");
        at = 0;
    }
    view_pad(view, TEXT_AT - at);
    view_printf(view, "%s", text);
}

static bool in_group(const struct command *command, const char *group) {
    struct str rest = str_c(command->words), first = str_cut(&rest, ' ');
    return !group || (rest.ptr && str_eq_c(first, group));
}

static bool show_list(struct view *view, const char *group) {
    size_t n, shown = 0;
    const struct command *table = command_table(&n);
    for (size_t i = 0; i < n; i++) {
        if (!in_group(&table[i], group))
            continue;
        char label[LABEL_MAX];
        snprintf(label, sizeof label, "%s%s%s", table[i].words, table[i].operand ? " " : "",
                 table[i].operand ? table[i].operand : "");
        if (shown++ == 0)
            view_printf(view, "usage: txctl COMMAND [OPTION…]\n\n");
        entry(view, label, table[i].text);
        view_printf(view, "\n");
    }
    return shown > 0;
}

// "; needed" when the command can't do without it, "; this or --other is needed" when another one would do.
static void show_need(struct view *view, const struct command *command, const struct option *option) {
    if (option->required)
        view_printf(view, "; needed");
    for (size_t i = 0; command && i < COMMAND_NEEDS_MAX && command->needs[i]; i++) {
        struct str rest = str_c(command->needs[i]), others = STR_NONE;
        bool named = false;
        while (rest.ptr) {
            struct str name = str_cut(&rest, '|');
            bool ours = name.ptr[0] == '-' && str_eq_c(str_n(name.ptr + 2, name.len - 2), option->name);
            named |= ours;
            if (!ours && !others.ptr)
                others = name;
        }
        if (named && !others.ptr)
            view_printf(view, "; needed");
        else if (named)
            view_printf(view, "; needed: one of %s", command->needs[i]);
    }
}

// What one may choose from; of NULL nothing.
static void show_words(struct view *view, const ProtobufCEnumDescriptor *choices) {
    if (!choices)
        return;
    struct buf words;
    buf_init(&words, 4096);
    words_list(choices, &words);
    view_printf(view, ": %.*s", STR_FMT(buf_str(&words)));
    buf_release(&words);
}

static void show_option(struct view *view, const struct command *command, const struct option *option) {
    char label[LABEL_MAX];
    snprintf(label, sizeof label, "%s%c%s--%s%s%s", option->letter ? "-" : "", option->letter ? option->letter : ' ',
             option->letter ? ", " : "   ", option->name, option->value ? " " : "", option->value ? option->value : "");
    entry(view, label, option->text);
    show_words(view, option->words);
    if (option->fallback)
        view_printf(view, " (default %s)", option->fallback);
    if (option->many)
        view_printf(view, "; may stand there several times");
    show_need(view, command, option);
    view_printf(view, "\n");
}

static void show_global_options(struct view *view) {
    const struct option_set *global = command_global_options();
    view_printf(view, "\noptions of every command:\n");
    for (size_t i = 0; i < global->n; i++)
        show_option(view, NULL, &global->options[i]);
}

void help_command(struct view *view, const struct command *command) {
    size_t own = 0;
    for (size_t k = 0; k < COMMAND_SETS_MAX && command->sets[k]; k++)
        own += command->sets[k]->n;
    view_printf(view, "txctl %s: %s.\n\nusage: txctl %s%s%s [OPTION…]\n", command->words, command->text, command->words,
                command->operand ? " " : "", command->operand ? command->operand : "");
    if (command_operand_words(command)) {
        view_printf(view, "\n%s", command->operand);
        show_words(view, command_operand_words(command));
        view_printf(view, "\n");
    }
    if (command->details)
        view_printf(view, "\n%s\n", command->details);
    if (own > 0)
        view_printf(view, "\noptions:\n");
    for (size_t i = 0; i < own; i++)
        show_option(view, command, command_option(command, i));
    show_global_options(view);
}

bool help_show(struct view *view, const char *first, const char *second) {
    if (!first) {
        show_list(view, NULL);
        show_global_options(view);
        view_printf(view,
                    "\nexit codes: 0 done, 1 refused by the server, 2 the command line is not valid, 3 no answer from "
                    "the server,\n4 accepted and still processing, 5 the output could not be written\n");
        return true;
    }
    char words[LABEL_MAX];
    snprintf(words, sizeof words, "%s%s%s", first, second ? " " : "", second ? second : "");
    const struct command *command = command_find(str_c(words));
    if (command)
        help_command(view, command);
    return command || (!second && show_list(view, first));
}
