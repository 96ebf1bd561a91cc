// An intrusive hash table keyed by text. The node lives inside what is mapped and borrows its key from there, so
// an insertion allocates nothing but, now and then, a larger array of buckets.
#ifndef TXC_BASE_MAP_H
#define TXC_BASE_MAP_H

#include "base/str.h"

struct map_node {
    struct map_node *next;
    uint64_t hash;
    struct str key; // borrowed until the node is removed
};

struct map {
    struct map_node **buckets;
    size_t n_buckets, count;
};

#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

// What a table goes by: eight bytes at a time. It is stored nowhere, and may differ from one build to the next.
uint64_t map_hash(struct str key);

// Frees the buckets, not the nodes.
void map_release(struct map *map);

struct map_node *map_find(const struct map *map, struct str key);

// The key must not be in the map yet (asserted). Aborts when there is no memory for buckets.
void map_insert(struct map *map, struct map_node *node, struct str key);

// The node must be in the map (asserted).
void map_remove(struct map *map, struct map_node *node);

// Every node in no particular order; the visited node may be removed by the visitor, others may not.
void map_each(struct map *map, void (*visit)(void *ctx, struct map_node *node), void *ctx);

#endif
