#include "rpc/catalog.h"

#include "base/arena.h"
#include "base/map.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "rpc/method.h"
#include "rpc/scan.h"
#include "rpc/tag.h"

#include <assert.h>
#include <stdlib.h>

enum {
    SET_FILE = 1, // field of google.protobuf.FileDescriptorSet
    NAMES_MAX = 4 * 1024 * 1024,
    FILE_MAX = 16 * 1024 * 1024, // memory for reading one file
};

struct rpc_catalog_file {
    struct str name, bytes;
    const struct str *imports;
    size_t n_imports;
};

struct symbol {
    struct map_node node;
    const struct rpc_catalog_file *file;
};

struct rpc_catalog {
    struct rpc_catalog_file files[RPC_CATALOG_FILES_MAX];
    size_t n_files;
    struct map symbols;
    struct arena arena; // names and symbols
};

// ---- Making -------------------------------------------------------------------------------------------------------

static void add_symbol(struct rpc_catalog *catalog, const struct rpc_catalog_file *file, struct str name) {
    struct symbol *symbol = arena_calloc(&catalog->arena, 1, sizeof *symbol);
    if (!symbol || !name.ptr || map_find(&catalog->symbols, name))
        return;
    symbol->file = file;
    map_insert(&catalog->symbols, &symbol->node, name);
}

static struct str join(struct rpc_catalog *catalog, struct str scope, const char *name) {
    if (str_empty(scope))
        return arena_str(&catalog->arena, str_c(name));
    return arena_printf(&catalog->arena, "%.*s.%s", STR_FMT(scope), name);
}

// The depth of messages within messages is bounded by the decoder.
static void add_message(struct rpc_catalog *catalog, const struct rpc_catalog_file *file, struct str scope,
                        const Google__Protobuf__DescriptorProto *message) {
    struct str name = join(catalog, scope, message->name);
    add_symbol(catalog, file, name);
    for (size_t i = 0; i < message->n_enum_type; i++)
        add_symbol(catalog, file, join(catalog, name, message->enum_type[i]->name));
    for (size_t i = 0; i < message->n_nested_type; i++)
        add_message(catalog, file, name, message->nested_type[i]);
}

static void add_service(struct rpc_catalog *catalog, const struct rpc_catalog_file *file, struct str scope,
                        const Google__Protobuf__ServiceDescriptorProto *service) {
    struct str name = join(catalog, scope, service->name);
    add_symbol(catalog, file, name);
    for (size_t i = 0; i < service->n_method; i++)
        add_symbol(catalog, file, join(catalog, name, service->method[i]->name));
}

static void add_imports(struct rpc_catalog *catalog, struct rpc_catalog_file *file, char *const *imports, size_t n) {
    struct str *copies = arena_calloc(&catalog->arena, n, sizeof *copies);
    for (size_t i = 0; copies && i < n; i++)
        copies[i] = arena_str(&catalog->arena, str_c(imports[i]));
    file->imports = copies;
    file->n_imports = copies ? n : 0;
}

static void add_file(struct rpc_catalog *catalog, struct str bytes) {
    struct arena arena;
    arena_init(&arena, FILE_MAX);
    struct error error;
    const Google__Protobuf__FileDescriptorProto *read =
        (const void *)rpc_decode(&google__protobuf__file_descriptor_proto__descriptor, bytes, &arena, &error);
    if (read && read->name && catalog->n_files < RPC_CATALOG_FILES_MAX) {
        struct rpc_catalog_file *file = &catalog->files[catalog->n_files++];
        *file = (struct rpc_catalog_file){.name = arena_str(&catalog->arena, str_c(read->name)), .bytes = bytes};
        add_imports(catalog, file, read->dependency, read->n_dependency);
        struct str package = arena_str(&catalog->arena, str_c(read->package));
        for (size_t i = 0; i < read->n_message_type; i++)
            add_message(catalog, file, package, read->message_type[i]);
        for (size_t i = 0; i < read->n_enum_type; i++)
            add_symbol(catalog, file, join(catalog, package, read->enum_type[i]->name));
        for (size_t i = 0; i < read->n_service; i++)
            add_service(catalog, file, package, read->service[i]);
    }
    arena_release(&arena);
}

struct rpc_catalog *rpc_catalog_new(struct str descriptor_set) {
    struct rpc_catalog *catalog = rpc_alloc(sizeof *catalog);
    arena_init(&catalog->arena, NAMES_MAX);
    uint32_t number;
    struct str content;
    while (rpc_scan_field(&descriptor_set, &number, &content))
        if (number == SET_FILE && content.ptr)
            add_file(catalog, content);
    return catalog;
}

void rpc_catalog_free(struct rpc_catalog *catalog) {
    if (!catalog)
        return;
    map_release(&catalog->symbols);
    arena_release(&catalog->arena);
    free(catalog);
}

// ---- Asking -------------------------------------------------------------------------------------------------------

const struct rpc_catalog_file *rpc_catalog_file(const struct rpc_catalog *catalog, struct str name) {
    for (size_t i = 0; i < catalog->n_files; i++)
        if (str_eq(catalog->files[i].name, name))
            return &catalog->files[i];
    return NULL;
}

const struct rpc_catalog_file *rpc_catalog_symbol(const struct rpc_catalog *catalog, struct str name) {
    struct map_node *node = map_find(&catalog->symbols, name);
    return node ? CONTAINER_OF(node, struct symbol, node)->file : NULL;
}

size_t rpc_catalog_closure(const struct rpc_catalog *catalog, const struct rpc_catalog_file *file,
                           struct str out[RPC_CATALOG_FILES_MAX]) {
    const struct rpc_catalog_file *found[RPC_CATALOG_FILES_MAX] = {file};
    size_t n = 1;
    for (size_t i = 0; i < n; i++) {
        out[i] = found[i]->bytes;
        for (size_t k = 0; k < found[i]->n_imports; k++) {
            const struct rpc_catalog_file *import = rpc_catalog_file(catalog, found[i]->imports[k]);
            bool known = !import;
            for (size_t m = 0; m < n && !known; m++)
                known = found[m] == import;
            if (!known)
                found[n++] = import; // at most all files there are, for each is in once
        }
    }
    return n;
}
