// A YAML document as a small tree in which every node knows its line, so that whoever reads a configuration can say
// exactly where it is wrong. Only what a configuration needs: mappings, lists and one-line text. Anchors, aliases,
// tags, merge keys and further documents are refused, and everything is bounded.
#ifndef TXC_ORCHESTRATOR_DOCUMENT_H
#define TXC_ORCHESTRATOR_DOCUMENT_H

#include "base/arena.h"

enum { DOCUMENT_BYTES_MAX = 256 * 1024, DOCUMENT_DEPTH_MAX = 8, DOCUMENT_NODES_MAX = 8192 };

enum document_kind { DOCUMENT_TEXT, DOCUMENT_LIST, DOCUMENT_MAP };

struct document_node {
    enum document_kind kind;
    unsigned line;                      // of its key, where it has one; from 1
    struct str key;                     // in a mapping
    struct str text;                    // TEXT: valid UTF-8 without control characters
    bool quoted;                        // TEXT: stood in quotes, so an empty one was meant
    struct document_node *first, *last; // children of LIST and MAP, in the order of the file
    struct document_node *next;
};

struct document_fault {
    unsigned line; // 0: of the document as a whole
    char what[160];
};

// The root, or NULL for a document without content. Nodes live in the arena, whose maximum bounds them too. False with
// the first fault when the bytes are not such a document.
bool document_parse(struct str bytes, struct arena *arena, const struct document_node **ret_root,
                    struct document_fault *ret_fault);

// The child of a mapping by its key; NULL when there is none, or `map` is NULL or no mapping.
const struct document_node *document_child(const struct document_node *map, struct str key);

#endif
