// Inside rpc/ only: what is declared in which file of a descriptor set.
#ifndef TXC_RPC_CATALOG_H
#define TXC_RPC_CATALOG_H

#include "base/str.h"

enum { RPC_CATALOG_FILES_MAX = 128 }; // what a set has beyond that is left out

struct rpc_catalog;
struct rpc_catalog_file;

// `descriptor_set`: an encoded google.protobuf.FileDescriptorSet, borrowed for the catalog's life. A file in it that
// can't be read is left out.
struct rpc_catalog *rpc_catalog_new(struct str descriptor_set);
void rpc_catalog_free(struct rpc_catalog *catalog);

// A file by its name, or the one that declares a service, method, message or enum by its full name; NULL for none.
const struct rpc_catalog_file *rpc_catalog_file(const struct rpc_catalog *catalog, struct str name);
const struct rpc_catalog_file *rpc_catalog_symbol(const struct rpc_catalog *catalog, struct str name);

// The encoded file, then those that it imports, however indirectly. Returns how many.
size_t rpc_catalog_closure(const struct rpc_catalog *catalog, const struct rpc_catalog_file *file,
                           struct str out[RPC_CATALOG_FILES_MAX]);

#endif
