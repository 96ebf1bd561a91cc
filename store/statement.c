#include "store/statement.h"

#include <stdlib.h>

void *statement_find(struct statement_cache *cache, struct str sql) {
    uint64_t hash = str_hash(sql);
    for (size_t i = 0; i < cache->n; i++) {
        struct statement_entry *entry = &cache->entries[i];
        if (entry->hash == hash && str_eq(sql, str_n(entry->sql, entry->len))) {
            entry->used = ++cache->clock;
            return entry->statement;
        }
    }
    return NULL;
}

static struct statement_entry *room(struct statement_cache *cache) {
    if (cache->n < STATEMENT_CACHE_MAX)
        return &cache->entries[cache->n++];
    struct statement_entry *oldest = &cache->entries[0];
    for (size_t i = 1; i < cache->n; i++)
        if (cache->entries[i].used < oldest->used)
            oldest = &cache->entries[i];
    cache->close(oldest->statement);
    free(oldest->sql);
    return oldest;
}

void statement_add(struct statement_cache *cache, struct str sql, void *statement) {
    char *copy = malloc(sql.len);
    if (!copy)
        abort();
    memcpy(copy, sql.ptr, sql.len);
    struct statement_entry *entry = room(cache);
    *entry = (struct statement_entry){
        .sql = copy, .len = sql.len, .hash = str_hash(sql), .used = ++cache->clock, .statement = statement};
}

void statement_clear(struct statement_cache *cache) {
    for (size_t i = 0; i < cache->n; i++) {
        cache->close(cache->entries[i].statement);
        free(cache->entries[i].sql);
    }
    cache->n = 0;
}
