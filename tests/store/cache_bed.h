// Where a cache is tested: one of some kind, with what it needs, and the means to wait for what it answers. Functions
// fail the running test when something does not go as it must.
#ifndef TXC_TESTS_STORE_CACHE_BED_H
#define TXC_TESTS_STORE_CACHE_BED_H

#include "store/cache.h"
#include "tests/servers/redis.h"

#include <pthread.h>

enum cache_kind { CACHE_IN_MEMORY, CACHE_IN_REDIS };

struct cache_bed {
    struct cache *cache;
    struct redis_server *server; // the test program's; NULL: none
    struct cache_options options;
    struct cache_memory_options memory;
    struct cache_redis_options redis;
    unsigned asked, answered;
    pthread_mutex_t mutex;
    pthread_cond_t wakes;
    bool woken;
};

// What came of a question; `value` is NUL-terminated.
struct cache_found {
    struct cache_bed *bed;
    bool done;
    enum cache_verdict verdict;
    uint64_t ticket;
    size_t len;
    char value[CACHE_VALUE_MAX + 1];
};

// The options as usual, for a test to change; then the cache. Of Redis it is waited for until it can be asked.
void cache_bed_init(struct cache_bed *bed, struct redis_server *server);
void cache_bed_open(struct cache_bed *bed, enum cache_kind kind);
void cache_bed_close(struct cache_bed *bed);

// Asks; false as cache_get(). `found` lives until it is done.
bool cache_bed_ask(struct cache_bed *bed, const char *space, const char *key, struct cache_found *found);

// Runs the cache until everything that was asked is answered.
void cache_bed_drain(struct cache_bed *bed);
// A moment of it.
void cache_bed_turn(struct cache_bed *bed);

// Asks until it can be asked, and waits: a Redis that has just come is not known yet.
void cache_bed_get(struct cache_bed *bed, const char *space, const char *key, struct cache_found *found);

// As a caller does: asks, and puts this where nothing is found. Until it is found; fails when it never is.
void cache_bed_keep(struct cache_bed *bed, const char *space, const char *key, const char *value, int64_t ttl_ms);

// Whether it is cleared (or the error it ends with).
enum err cache_bed_clear(struct cache_bed *bed, const char *space);

struct cache_stats cache_bed_stats(struct cache_bed *bed);

#endif
