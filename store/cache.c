#include "store/cache_kind.h"

#include <assert.h>
#include <stdlib.h>

// ---- Jobs ---------------------------------------------------------------------------------------------------------

struct cache_job *cache_job_new(enum cache_job_kind kind, struct str space, struct str key) {
    struct cache_job *job = calloc(1, sizeof *job + space.len + key.len);
    if (!job)
        abort();
    char *text = (char *)(job + 1);
    if (space.len > 0)
        memcpy(text, space.ptr, space.len);
    if (key.len > 0)
        memcpy(text + space.len, key.ptr, key.len);
    job->kind = kind;
    job->begun_ns = clock_monotonic_ns();
    job->space = str_n(text, space.len);
    job->key = str_n(text + space.len, key.len);
    return job;
}

void cache_job_free(struct cache_job *job) {
    free(job->value);
    free(job);
}

void cache_job_take(struct cache_job *job, struct str value) {
    assert(!job->value);
    job->value = malloc(value.len + 1);
    if (!job->value)
        abort();
    if (value.len > 0)
        memcpy(job->value, value.ptr, value.len);
    job->value_len = value.len;
}

void cache_jobs_add(struct cache_jobs *jobs, struct cache_job *job) {
    job->next = NULL;
    if (jobs->last)
        jobs->last->next = job;
    else
        jobs->first = job;
    jobs->last = job;
    jobs->n++;
}

struct cache_job *cache_jobs_take(struct cache_jobs *jobs) {
    struct cache_job *job = jobs->first;
    if (!job)
        return NULL;
    jobs->first = job->next;
    if (!jobs->first)
        jobs->last = NULL;
    jobs->n--;
    return job;
}

static void deliver_get(struct cache *cache, struct cache_job *job) {
    struct cache_stats *stats = &cache->stats;
    if (job->failed)
        job->answer.verdict = CACHE_FAILED;
    else if (job->answer.verdict == CACHE_HIT)
        job->answer.value = str_n(job->value, job->value_len);
    stats->hits += job->answer.verdict == CACHE_HIT;
    stats->misses += job->answer.verdict == CACHE_MISS;
    stats->failed += job->failed;
    stats->unfit += job->unfit;
    stats->get_ns += clock_monotonic_ns() - job->begun_ns;
    job->answered(job->ctx, &job->answer);
}

void cache_deliver(struct cache *cache, struct cache_job *job) {
    struct error error = {0};
    switch (job->kind) {
    case CACHE_GET: deliver_get(cache, job); break;
    case CACHE_CLEAR:
        if (job->failed)
            error_set(&error, ERR_STORE_UNAVAILABLE, "the cache does not answer: what it holds may still be found");
        job->cleared(job->ctx, job->failed ? &error : NULL);
        break;
    case CACHE_PUT:
    case CACHE_DROP: break;
    }
    cache_job_free(job);
}

// ---- The contract -------------------------------------------------------------------------------------------------

static bool fits(struct str space, struct str key) {
    return space.len > 0 && space.len <= CACHE_SPACE_MAX && key.len > 0 && key.len <= CACHE_KEY_MAX;
}

bool cache_get(struct cache *cache, struct str space, struct str key, cache_answer_fn *answered, void *ctx) {
    assert(fits(space, key));
    if (cache->stopped)
        return false;
    cache->stats.gets++;
    return cache->ops->get(cache, space, key, answered, ctx);
}

void cache_put(struct cache *cache, struct str space, struct str key, struct str value, int64_t ttl_ms,
               uint64_t ticket) {
    assert(fits(space, key));
    if (cache->stopped || ttl_ms <= 0 || ticket == 0 || value.len > CACHE_VALUE_MAX)
        return;
    cache->stats.puts++;
    cache->ops->put(cache, space, key, value, ttl_ms, ticket);
}

void cache_drop(struct cache *cache, struct str space, struct str key) {
    assert(fits(space, key));
    if (!cache->stopped)
        cache->ops->drop(cache, space, key);
}

void cache_clear(struct cache *cache, struct str space, cache_cleared_fn *cleared, void *ctx) {
    assert(space.len > 0 && space.len <= CACHE_SPACE_MAX && !cache->stopped);
    cache->stats.clears++;
    cache->ops->clear(cache, space, cleared, ctx);
}

void cache_poll(struct cache *cache) {
    cache->ops->poll(cache);
}

void cache_stats(struct cache *cache, struct cache_stats *ret_stats) {
    *ret_stats = cache->stats;
    cache->ops->stats(cache, ret_stats);
}

void cache_stop(struct cache *cache) {
    if (!cache || cache->stopped)
        return;
    cache->stopped = true;
    cache->ops->stop(cache);
}

void cache_free(struct cache *cache) {
    if (!cache)
        return;
    cache_stop(cache);
    cache->ops->free(cache);
}
