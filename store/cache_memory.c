// The cache in this process: a map, and a list in the order of use.
#include "base/map.h"
#include "store/cache_kind.h"

#include <assert.h>
#include <stdlib.h>

struct entry {
    struct map_node node; // by space, NUL, key
    struct entry *newer, *older;
    int64_t until_ms;
    size_t space_len, value_len;
    char *value; // behind the key, which is behind the entry
};

struct memory {
    struct cache base;
    struct cache_memory_options limits;
    struct map map;
    struct entry *newest, *oldest;
    size_t bytes;
    uint64_t ticket; // goes up when something is cleared
    struct cache_jobs done;
};

enum { NAME_MAX_LEN = CACHE_SPACE_MAX + 1 + CACHE_KEY_MAX };

static struct memory *memory_of(struct cache *cache) {
    return (struct memory *)cache; // its first member
}

// ---- Entries ------------------------------------------------------------------------------------------------------

static struct str name_of(struct str space, struct str key, char out[NAME_MAX_LEN]) {
    memcpy(out, space.ptr, space.len);
    out[space.len] = '\0';
    memcpy(out + space.len + 1, key.ptr, key.len);
    return str_n(out, space.len + 1 + key.len);
}

static size_t cost_of(const struct entry *entry) {
    return sizeof *entry + entry->node.key.len + entry->value_len;
}

static void unlink_entry(struct memory *memory, struct entry *entry) {
    *(entry->newer ? &entry->newer->older : &memory->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &memory->oldest) = entry->newer;
    entry->newer = entry->older = NULL;
}

static void link_newest(struct memory *memory, struct entry *entry) {
    entry->older = memory->newest;
    *(memory->newest ? &memory->newest->newer : &memory->oldest) = entry;
    memory->newest = entry;
}

static void drop(struct memory *memory, struct entry *entry) {
    unlink_entry(memory, entry);
    map_remove(&memory->map, &entry->node);
    memory->bytes -= cost_of(entry);
    free(entry);
}

static struct entry *find(struct memory *memory, struct str name) {
    struct map_node *node = map_find(&memory->map, name);
    struct entry *entry = node ? CONTAINER_OF(node, struct entry, node) : NULL;
    if (!entry || entry->until_ms > clock_now_ms(memory->base.options.clock))
        return entry;
    drop(memory, entry);
    return NULL;
}

// ---- The contract -------------------------------------------------------------------------------------------------

static void finish(struct memory *memory, struct cache_job *job) {
    cache_jobs_add(&memory->done, job);
    if (memory->done.n == 1 && memory->base.options.wake)
        memory->base.options.wake(memory->base.options.wake_ctx);
}

static bool get(struct cache *cache, struct str space, struct str key, cache_answer_fn *answered, void *ctx) {
    struct memory *memory = memory_of(cache);
    char name[NAME_MAX_LEN];
    if (memory->done.n >= cache->options.waiting_max) {
        cache->stats.refused++;
        return false;
    }
    struct cache_job *job = cache_job_new(CACHE_GET, STR_NONE, STR_NONE);
    struct entry *entry = find(memory, name_of(space, key, name));
    job->answered = answered;
    job->ctx = ctx;
    job->answer = (struct cache_answer){.verdict = entry ? CACHE_HIT : CACHE_MISS, .ticket = memory->ticket};
    if (entry) {
        cache_job_take(job, str_n(entry->value, entry->value_len)); // it may give way before the answer is delivered
        unlink_entry(memory, entry);
        link_newest(memory, entry);
    }
    finish(memory, job);
    return true;
}

static void put(struct cache *cache, struct str space, struct str key, struct str value, int64_t ttl_ms,
                uint64_t ticket) {
    struct memory *memory = memory_of(cache);
    char bytes[NAME_MAX_LEN];
    struct str name = name_of(space, key, bytes);
    struct entry *before = find(memory, name);
    if (ticket != memory->ticket)
        return; // cleared since it was asked for
    if (before)
        drop(memory, before);
    if (sizeof *before + name.len + value.len > memory->limits.bytes_max)
        return;
    struct entry *entry = calloc(1, sizeof *entry + name.len + value.len);
    if (!entry)
        return; // it is only a cache
    char *text = (char *)(entry + 1);
    memcpy(text, name.ptr, name.len);
    entry->value = text + name.len;
    if (value.len > 0)
        memcpy(entry->value, value.ptr, value.len);
    entry->value_len = value.len;
    entry->space_len = space.len;
    entry->until_ms = clock_now_ms(cache->options.clock) + ttl_ms;
    map_insert(&memory->map, &entry->node, str_n(text, name.len));
    link_newest(memory, entry);
    memory->bytes += cost_of(entry);
    while (memory->map.count > memory->limits.entries_max || memory->bytes > memory->limits.bytes_max) {
        drop(memory, memory->oldest);
        cache->stats.evictions++;
    }
}

static void drop_key(struct cache *cache, struct str space, struct str key) {
    struct memory *memory = memory_of(cache);
    char name[NAME_MAX_LEN];
    struct entry *entry = find(memory, name_of(space, key, name));
    if (entry)
        drop(memory, entry);
}

static void clear(struct cache *cache, struct str space, cache_cleared_fn *cleared, void *ctx) {
    struct memory *memory = memory_of(cache);
    memory->ticket++;
    for (struct entry *entry = memory->newest, *older; entry; entry = older) {
        older = entry->older;
        if (str_eq(str_n(entry->node.key.ptr, entry->space_len), space))
            drop(memory, entry);
    }
    struct cache_job *job = cache_job_new(CACHE_CLEAR, space, STR_NONE);
    job->cleared = cleared;
    job->ctx = ctx;
    finish(memory, job);
}

static void poll_done(struct cache *cache) {
    struct memory *memory = memory_of(cache);
    struct cache_jobs done = memory->done;
    struct cache_job *job;
    memory->done = (struct cache_jobs){0}; // what is asked meanwhile is answered later
    while ((job = cache_jobs_take(&done)))
        cache_deliver(cache, job);
}

static void stats(struct cache *cache, struct cache_stats *ret_stats) {
    const struct memory *memory = memory_of(cache);
    ret_stats->entries = (int64_t)memory->map.count;
    ret_stats->bytes = (int64_t)memory->bytes;
}

static void stop(struct cache *cache) {
    struct memory *memory = memory_of(cache);
    for (struct cache_job *job = memory->done.first; job; job = job->next)
        job->failed = true;
    poll_done(cache);
}

static void free_memory(struct cache *cache) {
    struct memory *memory = memory_of(cache);
    assert(memory->done.n == 0);
    while (memory->newest)
        drop(memory, memory->newest);
    map_release(&memory->map);
    free(memory);
}

static const struct cache_ops ops = {get, put, drop_key, clear, poll_done, stats, stop, free_memory};

struct cache *cache_memory(const struct cache_options *options, const struct cache_memory_options *memory) {
    struct memory *made = calloc(1, sizeof *made);
    if (!made)
        abort();
    *made = (struct memory){.base = {.ops = &ops, .options = *options}, .limits = *memory, .ticket = 1};
    return &made->base;
}
