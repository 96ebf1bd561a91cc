#include "orchestrator/config.h"

#include "base/nearest.h"
#include "orchestrator/config_rows.h"
#include "orchestrator/document.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEMORY_MAX = 8 << 20, FAULTS_MAX = 64, PATH_BYTES = 192, SHOWN_MAX = 60 };

// ---- Faults -------------------------------------------------------------------------------------------------------

static unsigned line_of(const struct config_reader *reader, const char *path) {
    const struct document_node *node = reader->root;
    unsigned line = 0;
    for (struct str rest = str_c(path); node && rest.ptr && rest.len > 0;) {
        struct str part = str_cut(&rest, '.'), name = part;
        struct str index = STR_NONE;
        for (size_t i = 0; i < part.len; i++) {
            if (part.ptr[i] == '[') {
                name = str_n(part.ptr, i);
                index = str_n(part.ptr + i + 1, part.len - i - 2);
                break;
            }
        }
        node = document_child(node, name);
        line = node ? node->line : line;
        int64_t at;
        if (node && index.ptr && str_to_i64(index, &at)) {
            node = node->first;
            while (node && at-- > 0)
                node = node->next;
            line = node ? node->line : line;
        }
    }
    return line;
}

static void fault_at(struct config_reader *reader, unsigned line, const char *path, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));
static void fault_at(struct config_reader *reader, unsigned line, const char *path, const char *format, va_list args) {
    if (reader->n_faults++ >= FAULTS_MAX)
        return; // counted, and said by finish()
    buf_printf(reader->report, "%s:", reader->name);
    if (line > 0)
        buf_printf(reader->report, "%u:", line);
    if (*path)
        buf_printf(reader->report, " %s:", path);
    buf_byte(reader->report, ' ');
    buf_vprintf(reader->report, format, args);
    buf_byte(reader->report, '\n');
}

static void fault(struct config_reader *reader, unsigned line, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void fault(struct config_reader *reader, unsigned line, const char *path, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fault_at(reader, line, path, format, args);
    va_end(args);
}

void config_fault(struct config_reader *reader, const char *path, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fault_at(reader, line_of(reader, path), path, format, args);
    va_end(args);
}

// What stands there instead of what was expected, cut and made safe to print; never a secret.
static void describe(const struct config_row *row, const struct document_node *node, char *out, size_t size) {
    if (node->kind != DOCUMENT_TEXT) {
        snprintf(out, size, "%s", node->kind == DOCUMENT_LIST ? "a list" : "a mapping");
    } else if (row && row->type == CONFIG_SECRET) {
        snprintf(out, size, "%zu bytes", node->text.len);
    } else if (str_empty(node->text)) {
        snprintf(out, size, "nothing");
    } else {
        bool cut = node->text.len > SHOWN_MAX;
        size_t n = cut ? SHOWN_MAX : node->text.len;
        while (n > 0 && !str_is_utf8(str_n(node->text.ptr, n)))
            n--;
        snprintf(out, size, "\"%.*s\"%s", (int)n, node->text.ptr, cut ? "…" : "");
    }
}

static void unexpected(struct config_reader *reader, const struct config_row *row, const char *path,
                       const struct document_node *node) {
    char expects[CONFIG_EXPECTS_MAX], got[SHOWN_MAX + 16];
    config_expects(row, expects);
    describe(row, node, got, sizeof got);
    fault(reader, node->line, path, "expected %s, got %s", expects, got);
}

// ---- Values -------------------------------------------------------------------------------------------------------

static const char *keep(struct config_reader *reader, struct str text) {
    struct str copy = arena_str(&reader->config->arena, text);
    if (!copy.ptr)
        config_fault(reader, "", "no memory for the configuration");
    return copy.ptr;
}

static const struct config_word *word_of(const struct config_row *row, struct str text) {
    for (const struct config_word *w = row->words; w->name; w++)
        if (str_eq_c(text, w->name))
            return w;
    return NULL;
}

static bool text_fits(const struct config_row *row, struct str text, uint32_t min, uint32_t max) {
    return text.len >= min && text.len <= max && (!row->form || row->form->fits(text));
}

// One text into the field at `at`. False when it isn't what the row expects.
static bool set_text(struct config_reader *reader, const struct config_row *row, struct str text, void *at) {
    switch (row->type) {
    case CONFIG_COUNT: {
        int64_t value;
        if (!str_to_i64(text, &value) || value < row->min || value > row->max)
            return false;
        memcpy(at, &(uint32_t){(uint32_t)value}, sizeof(uint32_t));
        return true;
    }
    case CONFIG_WORD: {
        const struct config_word *word = word_of(row, text);
        if (word)
            memcpy(at, &word->value, sizeof word->value);
        return word != NULL;
    }
    case CONFIG_TEXT:
    case CONFIG_FILE: {
        if (!text_fits(row, text, row->min, row->max))
            return false;
        const char *copy = keep(reader, text);
        memcpy(at, &copy, sizeof copy);
        return true;
    }
    case CONFIG_SECRET: {
        if (text.len < row->min || text.len > row->max)
            return false;
        struct str copy = {keep(reader, text), text.len};
        memcpy(at, &copy, sizeof copy);
        return true;
    }
    case CONFIG_WORDS:
    case CONFIG_LIST: break;
    }
    return false;
}

static const char **list_new(struct config_reader *reader, size_t n, void *at) {
    const char **list = arena_calloc(&reader->config->arena, n + 1, sizeof *list);
    if (list)
        memcpy(at, &list, sizeof list);
    else
        config_fault(reader, "", "no memory for the configuration");
    return list;
}

static void read_list(struct config_reader *reader, const struct config_row *row, const char *path,
                      const struct document_node *node, void *at) {
    uint32_t n = 0, set = 0;
    bool fine = node->kind == DOCUMENT_LIST && node->first;
    for (const struct document_node *e = node->first; fine && e; e = e->next)
        fine = ++n <= row->max;
    if (!fine) {
        unexpected(reader, row, path, node);
        return;
    }
    const char **list = row->type == CONFIG_LIST ? list_new(reader, n, at) : NULL;
    uint32_t i = 0;
    for (const struct document_node *e = node->first; e; e = e->next, i++) {
        char entry[PATH_BYTES];
        snprintf(entry, sizeof entry, "%s[%u]", path, i);
        bool is_text = e->kind == DOCUMENT_TEXT;
        const struct config_word *word = is_text && row->words ? word_of(row, e->text) : NULL;
        if (row->type == CONFIG_WORDS ? !word : !is_text || !text_fits(row, e->text, 1, 1024))
            unexpected(reader, row, entry, e);
        else if (word)
            set |= word->value;
        else if (list)
            list[i] = keep(reader, e->text);
    }
    if (row->type == CONFIG_WORDS)
        memcpy(at, &set, sizeof set);
}

static void read_value(struct config_reader *reader, const struct config_row *row, const char *path,
                       const struct document_node *node, char *base) {
    void *at = base + row->offset;
    if (row->type == CONFIG_LIST || row->type == CONFIG_WORDS)
        read_list(reader, row, path, node, at);
    else if (node->kind != DOCUMENT_TEXT || !set_text(reader, row, node->text, at))
        unexpected(reader, row, path, node);
    else if (row->type == CONFIG_FILE && reader->files && access(*(const char **)at, R_OK) != 0)
        fault(reader, node->line, path, "%s can't be read: %s", *(const char **)at, strerrordesc_np(errno));
}

static void set_defaults(struct config_reader *reader, const struct config_section *section, char *base) {
    for (uint32_t i = 0; i < section->n_rows; i++) {
        const struct config_row *row = &section->rows[i];
        if (!row->fallback)
            continue;
        if (row->type == CONFIG_LIST) {
            const char **list = list_new(reader, 1, base + row->offset);
            if (list)
                list[0] = row->fallback;
        } else {
            bool fits = set_text(reader, row, str_c(row->fallback), base + row->offset);
            (void)fits; // a test checks that every default fits its own row
        }
    }
}

// ---- Unknown keys -------------------------------------------------------------------------------------------------

// The part of a section's path behind `prefix` when it is directly within it, else empty.
static struct str directly_within(const struct config_section *section, const char *prefix) {
    struct str path = str_c(section->path), within = str_c(prefix);
    if (str_empty(path) || str_eq(path, within) || !str_starts(path, within))
        return STR_NONE;
    struct str rest = str_n(path.ptr + within.len, path.len - within.len);
    if (within.len > 0 && rest.ptr[0] != '.')
        return STR_NONE;
    if (within.len > 0)
        rest = str_n(rest.ptr + 1, rest.len - 1);
    return memchr(rest.ptr, '.', rest.len) ? STR_NONE : rest;
}

// A section elsewhere that has a row of this name.
static const struct config_section *elsewhere(struct str name) {
    size_t n;
    const struct config_section *all = config_sections(&n);
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < all[i].n_rows; k++)
            if (all[i].shape == CONFIG_ONE && str_eq_c(name, all[i].rows[k].name))
                return &all[i];
    return NULL;
}

// `names` are the keys of a section that is EACH of several, else NULL.
static void unknown_key(struct config_reader *reader, const struct config_section *section, bool names,
                        const char *path, const struct document_node *node) {
    struct nearest nearest;
    nearest_init(&nearest, node->key);
    for (uint32_t i = 0; !names && i < section->n_rows; i++)
        nearest_consider(&nearest, str_c(section->rows[i].name));
    for (size_t i = 0; names && section->names[i]; i++)
        nearest_consider(&nearest, str_c(section->names[i]));
    size_t n;
    const struct config_section *all = config_sections(&n);
    for (size_t i = 0; i < n; i++) {
        struct str within = directly_within(&all[i], section->path);
        if (!str_empty(within) && !names)
            nearest_consider(&nearest, within);
    }
    const struct config_section *other = elsewhere(node->key);
    if (!str_empty(nearest.best))
        fault(reader, node->line, path, "unknown key; did you mean '%.*s'?", STR_FMT(nearest.best));
    else if (other)
        fault(reader, node->line, path, "unknown key here; did you mean '%s%s%.*s'?", other->path,
              *other->path ? "." : "", STR_FMT(node->key));
    else
        fault(reader, node->line, path, "unknown key; --config-doc lists them all");
}

// ---- Sections -----------------------------------------------------------------------------------------------------

static void read_rows(struct config_reader *reader, const struct config_section *section, const char *path,
                      const struct document_node *map, char *base);

static void key_path(char out[PATH_BYTES], const char *path, struct str key) {
    snprintf(out, PATH_BYTES, "%s%s%.*s", path, *path ? "." : "", STR_FMT(key));
}

static bool is_nothing(const struct document_node *node) {
    return node->kind == DOCUMENT_TEXT && !node->quoted && str_empty(node->text);
}

static void read_each(struct config_reader *reader, const struct config_section *section, const char *path,
                      const struct document_node *map) {
    for (const struct document_node *node = map->first; node; node = node->next) {
        char inner[PATH_BYTES];
        key_path(inner, path, node->key);
        size_t i = 0;
        while (section->names[i] && !str_eq_c(node->key, section->names[i]))
            i++;
        if (!section->names[i])
            unknown_key(reader, section, true, inner, node);
        else
            read_rows(reader, section, inner, node, config_section_at(section, reader->config, i));
    }
}

static void require_rows(struct config_reader *reader, const struct config_section *section, const char *path,
                         const struct document_node *map) {
    for (uint32_t i = 0; i < section->n_rows; i++) {
        const struct config_row *row = &section->rows[i];
        bool given = map->kind == DOCUMENT_MAP ? document_child(map, str_c(row->name)) != NULL : !is_nothing(map);
        if (!row->required || given)
            continue;
        char expects[CONFIG_EXPECTS_MAX];
        config_expects(row, expects);
        fault(reader, map->line, path, "'%s' is missing: expected %s", row->name, expects);
    }
}

static void read_entries(struct config_reader *reader, const struct config_section *section, const char *path,
                         const struct document_node *list) {
    size_t n = 0;
    for (const struct document_node *node = list->first; node; node = node->next)
        n++;
    if (list->kind != DOCUMENT_LIST || n > section->entries_max) {
        fault(reader, list->line, path, "expected a list of at most %u mappings", section->entries_max);
        return;
    }
    if (n == 0)
        return;
    char *entries = arena_calloc(&reader->config->arena, n, section->size);
    if (!entries) {
        config_fault(reader, path, "no memory for the configuration");
        return;
    }
    memcpy((char *)reader->config + section->offset, &entries, sizeof entries);
    memcpy((char *)reader->config + section->count_offset, &n, sizeof n);
    size_t i = 0;
    for (const struct document_node *node = list->first; node; node = node->next, i++) {
        char inner[PATH_BYTES];
        snprintf(inner, sizeof inner, "%s[%zu]", path, i);
        set_defaults(reader, section, entries + i * section->size);
        read_rows(reader, section, inner, node, entries + i * section->size);
        require_rows(reader, section, inner, node);
    }
}

static void read_section(struct config_reader *reader, const struct config_section *section,
                         const struct document_node *node) {
    if (is_nothing(node))
        return; // a heading whose keys are all commented out
    if (section->shape == CONFIG_ENTRIES)
        read_entries(reader, section, section->path, node);
    else if (section->shape == CONFIG_ONE)
        read_rows(reader, section, section->path, node, config_section_at(section, reader->config, 0));
    else if (node->kind == DOCUMENT_MAP)
        read_each(reader, section, section->path, node);
    else
        fault(reader, node->line, section->path, "expected a mapping");
}

static void read_rows(struct config_reader *reader, const struct config_section *section, const char *path,
                      const struct document_node *map, char *base) {
    if (map->kind != DOCUMENT_MAP) {
        if (!is_nothing(map))
            fault(reader, map->line, path, "expected a mapping");
        return;
    }
    for (const struct document_node *node = map->first; node; node = node->next) {
        char inner[PATH_BYTES];
        key_path(inner, path, node->key);
        const struct config_row *row = NULL;
        for (uint32_t i = 0; i < section->n_rows; i++)
            if (str_eq_c(node->key, section->rows[i].name))
                row = &section->rows[i];
        const struct config_section *nested = section->shape == CONFIG_ONE ? config_section_find(str_c(inner)) : NULL;
        if (row)
            read_value(reader, row, inner, node, base);
        else if (nested && nested != section)
            read_section(reader, nested, node);
        else
            unknown_key(reader, section, false, inner, node);
    }
}

// ---- The whole ----------------------------------------------------------------------------------------------------

static void every_default(struct config_reader *reader) {
    size_t n;
    const struct config_section *all = config_sections(&n);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < config_section_count(&all[i], reader->config); k++)
            set_defaults(reader, &all[i], config_section_at(&all[i], reader->config, k));
}

static void read_document(struct config_reader *reader, struct str yaml, struct arena *tree) {
    struct document_fault bad;
    if (!document_parse(yaml, tree, &reader->root, &bad)) {
        fault(reader, bad.line, "", "%s", bad.what);
        return;
    }
    if (reader->root)
        read_rows(reader, config_section_find(STR("")), "", reader->root, (char *)reader->config);
    // Rules over values that are themselves wrong would only repeat what was said.
    if (reader->n_faults == 0)
        config_rules(reader);
}

bool config_parse(const char *name, struct str yaml, bool files, struct config *ret_config, struct buf *report) {
    struct config config = {0};
    arena_init(&config.arena, MEMORY_MAX);
    struct arena tree;
    arena_init(&tree, MEMORY_MAX);
    struct config_reader reader = {.name = name, .config = &config, .report = report, .files = files};
    every_default(&reader);
    read_document(&reader, yaml, &tree);
    arena_release(&tree);
    if (reader.n_faults > FAULTS_MAX)
        buf_printf(report, "%s: and %u more\n", name, reader.n_faults - FAULTS_MAX);
    if (reader.n_faults > 0)
        arena_release(&config.arena);
    else
        *ret_config = config;
    return reader.n_faults == 0;
}

static bool read_fd(int fd, const char *path, struct buf *bytes, struct buf *report) {
    struct stat info;
    if (fstat(fd, &info) == 0 && !S_ISREG(info.st_mode)) {
        buf_printf(report, "%s: not a file\n", path);
        return false;
    }
    char chunk[16384];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        if (!buf_append(bytes, str_n(chunk, (size_t)n)))
            break;
    if (n == 0)
        return true;
    if (n < 0)
        buf_printf(report, "%s: can't be read: %s\n", path, strerrordesc_np(errno));
    else
        buf_printf(report, "%s: larger than %d bytes\n", path, DOCUMENT_BYTES_MAX);
    return false;
}

bool config_load(const char *path, struct config *ret_config, struct buf *report) {
    if (!path)
        return config_parse("(defaults)", STR(""), true, ret_config, report);
    // Not to hang on a pipe that somebody named by mistake.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        buf_printf(report, "%s: can't be read: %s\n", path, strerrordesc_np(errno));
        return false;
    }
    struct buf bytes;
    buf_init(&bytes, DOCUMENT_BYTES_MAX);
    bool fine = read_fd(fd, path, &bytes, report);
    close(fd);
    fine = fine && config_parse(path, buf_str(&bytes), true, ret_config, report);
    buf_release(&bytes);
    return fine;
}

void config_release(struct config *config) {
    arena_release(&config->arena);
    *config = (struct config){0};
}
