#include "orchestrator/ctl/completion.h"

#include "orchestrator/ctl/command.h"
#include "orchestrator/ctl/words.h"

// The script walks over the words before the cursor: options (and the values of those that take one) are left out, what
// remains are the command's words.
static const char head[] = "# Completion of txctl for bash; made by `txctl completion bash`.\n"
                           "_txctl() {\n"
                           "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
                           "    local path='' words=0 word i choices=''\n"
                           "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                           "        word=${COMP_WORDS[i]}\n"
                           "        case $word in\n"
                           "        --*=*) ;;\n"
                           "        -*) case \" $_txctl_flags \" in *\" $word \"*) ;; *) i=$((i + 1)) ;; esac ;;\n"
                           "        *) if ((words < 2)); then path+=${path:+ }$word; fi; words=$((words + 1)) ;;\n"
                           "        esac\n"
                           "    done\n"
                           "    case \"$path\" in\n";
static const char tail[] = "    esac\n"
                           "    case \"$path $previous\" in\n";
static const char end[] = "    esac\n"
                          "    mapfile -t COMPREPLY < <(compgen -W \"$choices\" -- \"$current\")\n"
                          "}\n"
                          "complete -F _txctl txctl\n";

static struct str first_word(const struct command *command) {
    struct str rest = str_c(command->words);
    return str_cut(&rest, ' ');
}

// Behind nothing, and behind `help`.
static void groups(struct buf *out, const char *path, const struct command *table, size_t n) {
    buf_printf(out, "    \"%s\") choices=\"", path);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !str_eq(first_word(&table[i]), first_word(&table[i - 1])))
            buf_printf(out, "%s%.*s", i ? " " : "", STR_FMT(first_word(&table[i])));
    buf_append(out, STR("\" ;;\n"));
}

static void members(struct buf *out, const char *path, const struct command *table, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct str group = first_word(&table[i]);
        bool begins = i == 0 || !str_eq(group, first_word(&table[i - 1]));
        if (group.len == strlen(table[i].words))
            continue;
        if (begins)
            buf_printf(out, "    \"%s%.*s\") choices=\"", path, STR_FMT(group));
        buf_printf(out, "%s%s", begins ? "" : " ", table[i].words + group.len + 1);
        if (i + 1 == n || !str_eq(group, first_word(&table[i + 1])))
            buf_append(out, STR("\" ;;\n"));
    }
}

// The choices of an enum, with spaces between them.
static void apart(const ProtobufCEnumDescriptor *choices, struct buf *out) {
    struct buf words;
    buf_init(&words, 4096);
    words_list(choices, &words);
    for (size_t i = 0; i < words.len; i++)
        if (words.ptr[i] != ',')
            buf_byte(out, words.ptr[i]);
    buf_release(&words);
}

// A command of one word has its options behind whatever comes next; one of two words is the path itself.
static void options(struct buf *out, const struct command *command) {
    bool alone = first_word(command).len == strlen(command->words);
    if (alone)
        buf_printf(out, "    %s*) choices=\"", command->words);
    else
        buf_printf(out, "    \"%s\") choices=\"", command->words);
    const struct option *option;
    for (size_t i = 0; (option = command_option(command, i)); i++)
        buf_printf(out, "%s--%s", i ? " " : "", option->name);
    if (strcmp(command->words, "completion") == 0)
        buf_printf(out, " %s", command->operand);
    if (command_operand_words(command)) {
        buf_byte(out, ' ');
        apart(command_operand_words(command), out);
    }
    if (strcmp(command->words, "flow graph") == 0) // the server knows their names, when there is one
        buf_append(out, STR(" $(\"${COMP_WORDS[0]}\" flow list -o json --timeout 1 2>/dev/null |"
                            " sed -n 's/^ *\"name\": \"\\([^\"]*\\)\".*/\\1/p')"));
    buf_append(out, STR("\" ;;\n"));
}

static void choices(struct buf *out, const struct command *command) {
    const struct option *option;
    for (size_t i = 0; (option = command_option(command, i)); i++) {
        if (!option->words)
            continue;
        buf_printf(out, "    \"%s --%s\") choices=\"", command->words, option->name);
        apart(option->words, out);
        buf_append(out, STR("\" ;;\n"));
    }
}

// Options that take no value, over all commands.
static void flags(struct buf *out, const struct command *table, size_t n) {
    buf_append(out, STR("_txctl_flags=\"-h"));
    for (size_t i = 0; i < n; i++) {
        const struct option *option;
        for (size_t k = 0; (option = command_option(&table[i], k)); k++)
            if (option->kind == OPTION_FLAG)
                buf_printf(out, " --%s", option->name);
    }
    buf_append(out, STR("\"\n"));
}

void completion_bash(struct buf *out) {
    size_t n;
    const struct command *table = command_table(&n);
    flags(out, table, n);
    buf_append(out, str_c(head));
    groups(out, "", table, n);
    groups(out, "help", table, n);
    members(out, "", table, n);
    members(out, "help ", table, n);
    for (size_t i = 0; i < n; i++)
        options(out, &table[i]);
    buf_append(out, str_c(tail));
    for (size_t i = 0; i < n; i++)
        choices(out, &table[i]);
    buf_append(out, STR("    *\" --output\" | *\" -o\") choices=\"human json\" ;;\n"));
    buf_append(out, str_c(end));
}
