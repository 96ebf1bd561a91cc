// The table behind config.h: for config*.c alone.
#ifndef TXC_ORCHESTRATOR_CONFIG_ROWS_H
#define TXC_ORCHESTRATOR_CONFIG_ROWS_H

#include "orchestrator/config.h"

enum config_type {
    CONFIG_COUNT,  // uint32_t: a whole number from min to max
    CONFIG_WORD,   // an enum: one of `words`
    CONFIG_WORDS,  // uint32_t: a list of `words`, their values or-ed
    CONFIG_TEXT,   // const char *: min to max bytes, of a form
    CONFIG_FILE,   // const char *: the path of a file that can be read
    CONFIG_SECRET, // struct str: text that is never printed, min to max bytes
    CONFIG_LIST,   // const char *const *: min to max texts of a form, ended by NULL
};

struct config_word {
    const char *name; // NULL ends the list
    uint32_t value;
    const char *text;
};

// What a text must look like.
struct config_form {
    const char *expects; // "an address such as 127.0.0.1:7600"
    bool (*fits)(struct str text);
};

struct config_row {
    const char *name;
    enum config_type type;
    uint32_t offset; // in its section's struct
    uint32_t min, max;
    const char *unit;     // "ms"; "" where there is none
    const char *fallback; // the default as it would stand in the file (of a LIST: its one entry); NULL: absent
    const struct config_form *form;
    const struct config_word *words;
    bool required; // in sections that repeat
    const char *text;
};

enum config_shape {
    CONFIG_ONE,     // a mapping
    CONFIG_EACH,    // a mapping of `names`, each a mapping; the structs are an array
    CONFIG_ENTRIES, // a list of mappings; the struct's owner has a pointer and a count
};

struct config_section {
    const char *path; // "store", "callback.keys"; "" is the top
    enum config_shape shape;
    uint32_t offset;                    // in struct config: of the struct, the array, or the pointer to the entries
    uint32_t size;                      // of one struct
    uint32_t count_offset, entries_max; // ENTRIES
    const char *const *names;           // EACH, ended by NULL
    const struct config_row *rows;
    uint32_t n_rows;
    const char *text;
};

// In the order of the page; a section stands behind the one that it is nested in.
const struct config_section *config_sections(size_t *ret_count);
const struct config_section *config_section_find(struct str path);

// How many structs of a section there are, and the i-th.
size_t config_section_count(const struct config_section *section, const struct config *config);
void *config_section_at(const struct config_section *section, struct config *config, size_t i);

// "expected " + this: "a whole number from 1 to 4096 (writes)". Static or in `out`.
enum { CONFIG_EXPECTS_MAX = 256 };
void config_expects(const struct config_row *row, char out[CONFIG_EXPECTS_MAX]);

// ---- Reading, as seen by the rules (config_rules.c) ---------------------------------------------------------------

struct document_node;
struct config_reader {
    const char *name;                 // of the file
    const struct document_node *root; // NULL: no file, or an empty one
    struct config *config;
    struct buf *report;
    unsigned n_faults;
    bool files;
};

// Adds "name:line: path: …". The line is that of the deepest part of `path` that stands in the file.
void config_fault(struct config_reader *reader, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// What must hold between keys, and what the files that are named hold.
void config_rules(struct config_reader *reader);

#endif
