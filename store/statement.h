// Prepared statements of one connection, kept by their text. When the cache is full, the one that was not used for the
// longest time is closed. The text is made anew each time, which costs less than a look-up by meaning would to get
// right.
#ifndef TXC_STORE_STATEMENT_H
#define TXC_STORE_STATEMENT_H

#include "base/str.h"

enum { STATEMENT_CACHE_MAX = 96 };

struct statement_cache {
    void (*close)(void *statement);
    uint64_t clock;
    size_t n;
    struct statement_entry {
        char *sql;
        size_t len;
        uint64_t hash, used;
        void *statement;
    } entries[STATEMENT_CACHE_MAX];
};

// NULL when there is none.
void *statement_find(struct statement_cache *cache, struct str sql);

// Takes `statement`.
void statement_add(struct statement_cache *cache, struct str sql, void *statement);

// Closes all.
void statement_clear(struct statement_cache *cache);

#endif
