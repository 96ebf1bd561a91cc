#include "orchestrator/document.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

struct frame {
    struct document_node *node;
    struct str key; // MAP: the key whose value comes next
    unsigned key_line;
    bool has_key;
};

struct builder {
    struct arena *arena;
    struct document_fault *fault;
    struct document_node *root;
    struct frame stack[DOCUMENT_DEPTH_MAX];
    unsigned depth, nodes, documents;
};

static bool fail(struct builder *b, unsigned line, const char *format, ...) __attribute__((format(printf, 3, 4)));
static bool fail(struct builder *b, unsigned line, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(b->fault->what, sizeof b->fault->what, format, args);
    va_end(args);
    b->fault->line = line;
    return false;
}

// Without the control characters of ASCII and of Unicode's second block (U+0080..U+009F), which an escape can bring in.
static bool one_line(struct str text) {
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        unsigned char next = i + 1 < text.len ? (unsigned char)text.ptr[i + 1] : 0;
        if (c < 0x20 || c == 0x7f || (c == 0xC2 && next < 0xA0))
            return false;
    }
    return str_is_utf8(text);
}

static void attach(struct builder *b, struct document_node *node) {
    if (b->depth == 0) {
        b->root = node;
        return;
    }
    struct frame *top = &b->stack[b->depth - 1];
    if (top->node->kind == DOCUMENT_MAP) {
        node->key = top->key;
        node->line = top->key_line;
        top->has_key = false;
    }
    if (top->node->last)
        top->node->last->next = node;
    else
        top->node->first = node;
    top->node->last = node;
}

static struct document_node *node_new(struct builder *b, enum document_kind kind, unsigned line) {
    if (++b->nodes > DOCUMENT_NODES_MAX) {
        fail(b, line, "the document has more than %d values", DOCUMENT_NODES_MAX);
        return NULL;
    }
    struct document_node *node = arena_calloc(b->arena, 1, sizeof *node);
    if (!node) {
        fail(b, line, "no memory for the document");
        return NULL;
    }
    node->kind = kind;
    node->line = line;
    return node;
}

static bool expects_key(const struct builder *b) {
    return b->depth > 0 && b->stack[b->depth - 1].node->kind == DOCUMENT_MAP && !b->stack[b->depth - 1].has_key;
}

static bool take_key(struct builder *b, struct str key, unsigned line) {
    struct frame *top = &b->stack[b->depth - 1];
    for (const struct document_node *n = top->node->first; n; n = n->next)
        if (str_eq(n->key, key))
            return fail(b, line, "the key '%.*s' stood on line %u already", STR_FMT(key), n->line);
    top->key = key;
    top->key_line = line;
    top->has_key = true;
    return true;
}

// YAML's ways of writing nothing.
static bool is_null(const yaml_event_t *event) {
    static const char *const words[] = {"~", "null", "Null", "NULL"};
    struct str text = str_n(event->data.scalar.value, event->data.scalar.length);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && str_eq_c(text, words[i]))
            return true;
    return false;
}

static bool on_scalar(struct builder *b, const yaml_event_t *event, unsigned line) {
    struct str raw = str_n(event->data.scalar.value, event->data.scalar.length);
    if (!one_line(raw))
        return fail(b, line, "text must be on one line, without control characters");
    struct str text = arena_str(b->arena, raw);
    if (!text.ptr)
        return fail(b, line, "no memory for the document");
    if (expects_key(b))
        return take_key(b, text, line);
    struct document_node *node = node_new(b, DOCUMENT_TEXT, line);
    if (!node)
        return false;
    node->text = is_null(event) ? STR("") : text;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    attach(b, node);
    return true;
}

static bool on_start(struct builder *b, enum document_kind kind, unsigned line) {
    if (expects_key(b))
        return fail(b, line, "a key must be plain text");
    if (b->depth == DOCUMENT_DEPTH_MAX)
        return fail(b, line, "nested deeper than %d levels", DOCUMENT_DEPTH_MAX);
    struct document_node *node = node_new(b, kind, line);
    if (!node)
        return false;
    attach(b, node);
    b->stack[b->depth++] = (struct frame){.node = node};
    return true;
}

static bool is_decorated(const yaml_event_t *event) {
    switch (event->type) {
    case YAML_ALIAS_EVENT: return true;
    case YAML_SCALAR_EVENT: return event->data.scalar.anchor || event->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT: return event->data.sequence_start.anchor || event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT: return event->data.mapping_start.anchor || event->data.mapping_start.tag;
    default: return false;
    }
}

static bool on_event(struct builder *b, const yaml_event_t *event) {
    unsigned line = (unsigned)event->start_mark.line + 1;
    if (is_decorated(event))
        return fail(b, line, "anchors, aliases and tags are not used here");
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return ++b->documents == 1 || fail(b, line, "there is a second document; expected one");
    case YAML_SCALAR_EVENT: return on_scalar(b, event, line);
    case YAML_SEQUENCE_START_EVENT: return on_start(b, DOCUMENT_LIST, line);
    case YAML_MAPPING_START_EVENT: return on_start(b, DOCUMENT_MAP, line);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: b->depth--; return true;
    default: return true;
    }
}

static unsigned line_at(struct str bytes, size_t offset) {
    unsigned line = 1;
    for (size_t i = 0; i < offset && i < bytes.len; i++)
        line += bytes.ptr[i] == '\n';
    return line;
}

static bool syntax_fault(struct builder *b, const yaml_parser_t *parser, struct str bytes) {
    const char *problem = parser->problem ? parser->problem : "it can't be read";
    if (parser->error == YAML_MEMORY_ERROR)
        return fail(b, 0, "no memory for the document");
    if (parser->error == YAML_READER_ERROR)
        return fail(b, line_at(bytes, parser->problem_offset), "not YAML: %s", problem);
    return fail(b, (unsigned)parser->problem_mark.line + 1, "not YAML: %s%s%s", problem, parser->context ? " " : "",
                parser->context ? parser->context : "");
}

static bool build(struct builder *b, yaml_parser_t *parser, struct str bytes) {
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event))
            return syntax_fault(b, parser, bytes);
        bool done = event.type == YAML_STREAM_END_EVENT;
        bool fine = on_event(b, &event);
        yaml_event_delete(&event);
        if (!fine || done)
            return fine;
    }
}

bool document_parse(struct str bytes, struct arena *arena, const struct document_node **ret_root,
                    struct document_fault *ret_fault) {
    struct builder b = {.arena = arena, .fault = ret_fault};
    if (bytes.len > DOCUMENT_BYTES_MAX)
        return fail(&b, 0, "it has %zu bytes; expected at most %d", bytes.len, DOCUMENT_BYTES_MAX);
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return fail(&b, 0, "no memory for the document");
    yaml_parser_set_input_string(&parser, (const unsigned char *)(bytes.ptr ? bytes.ptr : ""), bytes.len);
    bool fine = build(&b, &parser, bytes);
    yaml_parser_delete(&parser);
    if (fine)
        *ret_root = b.root;
    return fine;
}

const struct document_node *document_child(const struct document_node *map, struct str key) {
    if (!map || map->kind != DOCUMENT_MAP)
        return NULL;
    for (const struct document_node *n = map->first; n; n = n->next)
        if (str_eq(n->key, key))
            return n;
    return NULL;
}
