// What a kind of cache is: for the files that are one.
#ifndef TXC_STORE_CACHE_KIND_H
#define TXC_STORE_CACHE_KIND_H

#include "store/cache.h"

struct cache_ops {
    bool (*get)(struct cache *cache, struct str space, struct str key, cache_answer_fn *answered, void *ctx);
    void (*put)(struct cache *cache, struct str space, struct str key, struct str value, int64_t ttl_ms,
                uint64_t ticket);
    void (*drop)(struct cache *cache, struct str space, struct str key);
    void (*clear)(struct cache *cache, struct str space, cache_cleared_fn *cleared, void *ctx);
    void (*poll)(struct cache *cache);
    void (*stats)(struct cache *cache, struct cache_stats *ret_stats);
    void (*stop)(struct cache *cache); // once
    void (*free)(struct cache *cache);
};

// The first member of each kind.
struct cache {
    const struct cache_ops *ops;
    struct cache_options options;
    struct cache_stats stats; // the owner's part
    bool stopped;
};

// One question or order on its way, and what came of it.
enum cache_job_kind { CACHE_GET, CACHE_PUT, CACHE_DROP, CACHE_CLEAR };
struct cache_job {
    struct cache_job *next;
    enum cache_job_kind kind;
    int64_t begun_ns;
    int64_t ttl_ms;
    cache_answer_fn *answered;
    cache_cleared_fn *cleared;
    void *ctx;
    struct cache_answer answer;
    bool failed, unfit;
    struct str space, key; // behind the job
    char *value;           // malloc'd; of a hit or a put
    size_t value_len;
};

struct cache_jobs {
    struct cache_job *first, *last;
    size_t n;
};

struct cache_job *cache_job_new(enum cache_job_kind kind, struct str space, struct str key);
void cache_job_free(struct cache_job *job);
// The job's value becomes a copy of this.
void cache_job_take(struct cache_job *job, struct str value);

void cache_jobs_add(struct cache_jobs *jobs, struct cache_job *job);
struct cache_job *cache_jobs_take(struct cache_jobs *jobs); // NULL when empty

// Counts what came of the job, tells its caller, and frees it.
void cache_deliver(struct cache *cache, struct cache_job *job);

#endif
