// What was asked before, kept for a while beside the store: in this process or in Redis, behind one contract. What is
// in a cache may be gone at any moment, and a cache that is lost, slow or full of nonsense costs speed only: nothing
// here is durable, and nothing may rest on it. Values are bytes; they are kept under a key in a space, and a space is
// cleared as a whole.
//
// Everything is called on one thread, the owner's. Answers come from cache_poll(), never from within the call that
// asks.
#ifndef TXC_STORE_CACHE_H
#define TXC_STORE_CACHE_H

#include "base/clock.h"
#include "base/err.h"

struct cache;

enum {
    CACHE_SPACE_MAX = 32,    // bytes: letters, digits, '_' and '-'
    CACHE_KEY_MAX = 200,     // bytes of text without NUL
    CACHE_VALUE_MAX = 65536, // bytes; what is larger is not kept
    CACHE_WHY_MAX = 160,
};

// Borrowed for the life of the cache.
struct cache_options {
    const struct clock *clock;
    void (*wake)(void *ctx); // from any thread: cache_poll() is to be called. May be NULL where that is done anyway
    void *wake_ctx;
    uint32_t waiting_max; // questions that wait for their answer at once; beyond it cache_get() says no
};

// In this process, lost with it. At most so many entries and bytes (keys and what an entry costs included): what was
// not used for the longest time gives way.
struct cache_memory_options {
    uint32_t entries_max;
    size_t bytes_max;
};
struct cache *cache_memory(const struct cache_options *options, const struct cache_memory_options *memory);

// In Redis, shared by all instances that use the same prefix there. A thread of its own talks to it; it connects in the
// background, and again with growing pauses.
struct cache_redis_options {
    const char *host; // NULL: the socket
    uint32_t port;
    const char *socket;
    const char *user, *password; // NULL: none
    uint32_t database;
    const char *prefix;                    // of every key
    uint32_t timeout_ms;                   // a question that is not answered by then is not waited for
    uint32_t retry_first_ms, retry_max_ms; // pauses before it is connected to again
};
struct cache *cache_redis(const struct cache_options *options, const struct cache_redis_options *redis);

enum cache_verdict {
    CACHE_HIT,
    CACHE_MISS,
    CACHE_FAILED, // it could not be found out in time: for the caller as a miss
};

struct cache_answer {
    enum cache_verdict verdict;
    struct str value; // of a hit; borrowed until the callback returns
    // For cache_put() of what is found out instead: what was asked before the space was cleared is not kept after.
    uint64_t ticket;
};
typedef void cache_answer_fn(void *ctx, const struct cache_answer *answer);

// Asks; `answered` runs once, later. False: it can't be asked at present (too many wait, the server is lost or behind,
// the cache was stopped), nothing runs, and it counts as a miss. Space and key are copied.
bool cache_get(struct cache *cache, struct str space, struct str key, cache_answer_fn *answered, void *ctx);

// Keeps a value for so long, if it can; nobody is told. Copied. `ticket` is that of the cache_get() before.
void cache_put(struct cache *cache, struct str space, struct str key, struct str value, int64_t ttl_ms,
               uint64_t ticket);

// Nothing that was put under this key before is found any more, soon; nobody is told.
void cache_drop(struct cache *cache, struct str space, struct str key);

// From the moment that `cleared` runs without an error nothing that was put before is found any more, by anybody who
// shares the cache. With an error (STORE_UNAVAILABLE) that is not certain.
typedef void cache_cleared_fn(void *ctx, const struct error *error);
void cache_clear(struct cache *cache, struct str space, cache_cleared_fn *cleared, void *ctx);

// Runs what has come.
void cache_poll(struct cache *cache);

struct cache_stats {
    int64_t gets, hits, misses;
    int64_t failed;  // not answered in time, or not asked because the server is lost or behind
    int64_t refused; // not asked because too many waited
    int64_t unfit;   // values that were there and can't have been put there by us, or are for another time
    int64_t puts, clears, evictions;
    int64_t get_ns;         // from question to answer, of all that were asked
    int64_t entries, bytes; // now; memory only
    int64_t connects;
    bool down;               // the server is lost, or behind
    char why[CACHE_WHY_MAX]; // the latest reason for it
};
void cache_stats(struct cache *cache, struct cache_stats *ret_stats);

// What still waits is answered as failed before this returns. From then on every question is refused, and nothing is
// kept.
void cache_stop(struct cache *cache);

// After cache_stop(). NULL is fine.
void cache_free(struct cache *cache);

#endif
