#include "base/map.h"

#include <assert.h>
#include <stdlib.h>

void map_release(struct map *map) {
    free(map->buckets);
    *map = (struct map){0};
}

uint64_t map_hash(struct str key) {
    const uint64_t odd = 0x9E3779B97F4A7C15u;
    uint64_t hash = key.len * odd, eight;
    size_t at = 0;
    for (; at + sizeof eight <= key.len; at += sizeof eight) {
        memcpy(&eight, key.ptr + at, sizeof eight);
        hash = (hash ^ eight) * odd;
        hash ^= hash >> 32;
    }
    eight = 0;
    if (at < key.len)
        memcpy(&eight, key.ptr + at, key.len - at);
    hash = (hash ^ eight) * odd;
    return hash ^ hash >> 32;
}

static struct map_node **bucket(const struct map *map, uint64_t hash) {
    return &map->buckets[hash & (map->n_buckets - 1)];
}

static struct map_node *find(const struct map *map, uint64_t hash, struct str key) {
    if (map->n_buckets == 0)
        return NULL;
    struct map_node *node = *bucket(map, hash);
    while (node && !(node->hash == hash && str_eq(node->key, key)))
        node = node->next;
    return node;
}

struct map_node *map_find(const struct map *map, struct str key) {
    return find(map, map_hash(key), key);
}

static void rehash(struct map *map, size_t n_buckets) {
    struct map larger = {calloc(n_buckets, sizeof *larger.buckets), n_buckets, map->count};
    if (!larger.buckets)
        abort();
    for (size_t i = 0; i < map->n_buckets; i++)
        for (struct map_node *node = map->buckets[i], *next; node; node = next) {
            next = node->next;
            struct map_node **slot = bucket(&larger, node->hash);
            node->next = *slot;
            *slot = node;
        }
    free(map->buckets);
    *map = larger;
}

void map_insert(struct map *map, struct map_node *node, struct str key) {
    node->key = key;
    node->hash = map_hash(key);
    assert(!find(map, node->hash, key));
    if (map->count >= map->n_buckets)
        rehash(map, map->n_buckets ? map->n_buckets * 2 : 64);
    struct map_node **slot = bucket(map, node->hash);
    node->next = *slot;
    *slot = node;
    map->count++;
}

void map_remove(struct map *map, struct map_node *node) {
    assert(map->count > 0);
    struct map_node **slot = bucket(map, node->hash);
    while (*slot && *slot != node)
        slot = &(*slot)->next;
    assert(*slot);
    *slot = node->next;
    map->count--;
}

void map_each(struct map *map, void (*visit)(void *ctx, struct map_node *node), void *ctx) {
    for (size_t i = 0; i < map->n_buckets; i++)
        for (struct map_node *node = map->buckets[i], *next; node; node = next) {
            next = node->next;
            visit(ctx, node);
        }
}
