// What is made from the table for people: the effective configuration, and the page that lists every key.
#include "orchestrator/config_rows.h"

static void indent(struct buf *out, unsigned depth) {
    for (unsigned i = 0; i < depth; i++)
        buf_append(out, STR("  "));
}

static unsigned depth_of(const char *path) {
    unsigned depth = 0;
    for (; *path; path++)
        depth += *path == '.';
    return depth;
}

static const char *last_part(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

// ---- YAML ---------------------------------------------------------------------------------------------------------

static bool is_set(const struct config_row *row, const char *base) {
    const void *pointer;
    struct str secret;
    switch (row->type) {
    case CONFIG_TEXT:
    case CONFIG_FILE:
    case CONFIG_LIST: memcpy(&pointer, base + row->offset, sizeof pointer); return pointer != NULL;
    case CONFIG_SECRET: memcpy(&secret, base + row->offset, sizeof secret); return secret.ptr != NULL;
    case CONFIG_COUNT:
    case CONFIG_WORD:
    case CONFIG_WORDS: break;
    }
    return true;
}

static void print_words(const struct config_row *row, uint32_t set, struct buf *out) {
    bool first = true;
    if (row->type == CONFIG_WORDS)
        buf_byte(out, '[');
    for (const struct config_word *w = row->words; w->name; w++) {
        bool shown = row->type == CONFIG_WORDS ? (set & w->value) != 0 : set == w->value;
        if (shown)
            buf_printf(out, "%s%s", first ? "" : ", ", w->name);
        first = first && !shown;
    }
    if (row->type == CONFIG_WORDS)
        buf_byte(out, ']');
}

// Quoted as JSON, which is YAML too, so that no text is ever read back as something else.
static void print_value(const struct config_row *row, const char *base, struct buf *out) {
    const char *at = base + row->offset, *text;
    const char *const *list;
    uint32_t number;
    switch (row->type) {
    case CONFIG_COUNT:
        memcpy(&number, at, sizeof number);
        buf_printf(out, "%u", number);
        break;
    case CONFIG_WORD:
    case CONFIG_WORDS:
        memcpy(&number, at, sizeof number);
        print_words(row, number, out);
        break;
    case CONFIG_TEXT:
    case CONFIG_FILE:
        memcpy(&text, at, sizeof text);
        buf_json(out, str_c(text));
        break;
    case CONFIG_LIST:
        memcpy(&list, at, sizeof list);
        for (size_t i = 0; list[i]; i++) {
            buf_append(out, i ? STR(", ") : STR("["));
            buf_json(out, str_c(list[i]));
        }
        buf_byte(out, ']');
        break;
    case CONFIG_SECRET: break;
    }
}

static void print_row(const struct config_row *row, const char *base, struct buf *out) {
    if (!is_set(row, base)) {
        buf_printf(out, "# %s: not set\n", row->name);
    } else if (row->type == CONFIG_SECRET) {
        buf_printf(out, "# %s: set, not shown\n", row->name);
    } else {
        buf_printf(out, "%s: ", row->name);
        print_value(row, base, out);
        if (*row->unit)
            buf_printf(out, " # %s", row->unit);
        buf_byte(out, '\n');
    }
}

static void print_section(const struct config_section *section, struct config *config, struct buf *out) {
    unsigned depth = depth_of(section->path) + (*section->path ? 1 : 0);
    size_t n = config_section_count(section, config);
    if (*section->path) {
        indent(out, depth - 1);
        buf_printf(out, "%s:%s\n", last_part(section->path), n == 0 ? " []" : "");
    }
    for (size_t i = 0; i < n; i++) {
        const char *base = config_section_at(section, config, i);
        if (section->shape == CONFIG_EACH) {
            indent(out, depth);
            buf_printf(out, "%s:\n", section->names[i]);
        }
        for (uint32_t k = 0; k < section->n_rows; k++) {
            bool opens = section->shape == CONFIG_ENTRIES && k == 0; // its first row is always set: it is the name
            indent(out, depth + (section->shape == CONFIG_EACH || (section->shape == CONFIG_ENTRIES && !opens)));
            if (opens)
                buf_append(out, STR("- "));
            print_row(&section->rows[k], base, out);
        }
    }
}

void config_print(const struct config *config, struct buf *out) {
    struct config copy = *config; // config_section_at() serves reading too and so takes it writable
    size_t n;
    const struct config_section *all = config_sections(&n);
    for (size_t i = 0; i < n; i++)
        print_section(&all[i], &copy, out);
}

// ---- The page -----------------------------------------------------------------------------------------------------

static void doc_heading(const struct config_section *section, struct buf *out) {
    if (!*section->path)
        buf_append(out, STR("\n## Top level\n\n"));
    else if (section->shape == CONFIG_EACH)
        buf_printf(out, "\n## %s.*\n\n", section->path);
    else if (section->shape == CONFIG_ENTRIES)
        buf_printf(out, "\n## %s[]\n\n", section->path);
    else
        buf_printf(out, "\n## %s\n\n", section->path);
    buf_printf(out, "%s\n", section->text);
    if (section->shape == CONFIG_EACH) {
        buf_append(out, STR("\nThere is one for each of"));
        for (size_t i = 0; section->names[i]; i++)
            buf_printf(out, "%s `%s`", i ? "," : "", section->names[i]);
        buf_append(out, STR(".\n"));
    } else if (section->shape == CONFIG_ENTRIES) {
        buf_printf(out, "\nAt most %u.\n", section->entries_max);
    }
}

static void doc_row(const struct config_row *row, struct buf *out) {
    char expects[CONFIG_EXPECTS_MAX];
    config_expects(row, expects);
    buf_printf(out, "| `%s` | %s | ", row->name, expects);
    if (row->required)
        buf_append(out, STR("required"));
    else if (row->fallback)
        buf_printf(out, row->type == CONFIG_LIST ? "`[%s]`" : "`%s`", row->fallback);
    else
        buf_append(out, STR("–"));
    buf_printf(out, " | %s", row->text);
    for (const struct config_word *w = row->words; w && w->name; w++)
        if (w->text)
            buf_printf(out, " `%s`: %s.", w->name, w->text);
    buf_append(out, STR(" |\n"));
}

void config_doc(struct buf *out) {
    buf_append(out,
               STR("# Configuration of txcenterd\n"
                   "\n"
                   "Made by `txcenterd --config-doc`; a test compares it with the program.\n"
                   "\n"
                   "`txcenterd --config FILE` reads one YAML file at start. Every key has a default, and without a "
                   "file all of them hold.\n"
                   "`--check-config` says everything that is wrong with a file, `--print-config` what holds in "
                   "effect. Nothing is taken from\n"
                   "the environment. Paths are relative to the working folder. Anchors, aliases and tags are "
                   "refused; so is any key\n"
                   "that is not listed here.\n"));
    size_t n;
    const struct config_section *all = config_sections(&n);
    for (size_t i = 0; i < n; i++) {
        doc_heading(&all[i], out);
        if (all[i].n_rows > 0)
            buf_append(out, STR("\n| key | value | default | meaning |\n|---|---|---|---|\n"));
        for (uint32_t k = 0; k < all[i].n_rows; k++)
            doc_row(&all[i].rows[k], out);
    }
}
