#include "tests/store/cache_bed.h"

#include "tests/cmocka.h"

#include <time.h>

enum { PATIENCE_MS = 30000, MOMENT_NS = 1000000 };

static void wake(void *ctx) {
    struct cache_bed *bed = ctx;
    pthread_mutex_lock(&bed->mutex);
    bed->woken = true;
    pthread_cond_signal(&bed->wakes);
    pthread_mutex_unlock(&bed->mutex);
}

void cache_bed_init(struct cache_bed *bed, struct redis_server *server) {
    *bed = (struct cache_bed){
        .server = server,
        .options = {.clock = clock_system(), .wake = wake, .wake_ctx = bed, .waiting_max = 1000},
        .memory = {.entries_max = 1000, .bytes_max = 1 << 20},
        .redis = {.socket = server ? redis_socket(server) : NULL,
                  .prefix = "test",
                  .timeout_ms = 1000, // a busy machine; tests of slowness take less
                  .retry_first_ms = 5,
                  .retry_max_ms = 50},
    };
    pthread_mutex_init(&bed->mutex, NULL);
    pthread_cond_init(&bed->wakes, NULL);
}

void cache_bed_open(struct cache_bed *bed, enum cache_kind kind) {
    bed->cache =
        kind == CACHE_IN_MEMORY ? cache_memory(&bed->options, &bed->memory) : cache_redis(&bed->options, &bed->redis);
    struct cache_found found;
    if (kind == CACHE_IN_REDIS && bed->server)
        cache_bed_get(bed, "space", "first", &found);
}

void cache_bed_close(struct cache_bed *bed) {
    cache_free(bed->cache);
    assert_int_equal(bed->asked, bed->answered);
    pthread_cond_destroy(&bed->wakes);
    pthread_mutex_destroy(&bed->mutex);
}

// ---- Asking ---------------------------------------------------------------------------------------------------------

static void answered(void *ctx, const struct cache_answer *answer) {
    struct cache_found *found = ctx;
    assert_false(found->done);
    found->bed->answered++;
    found->done = true;
    found->verdict = answer->verdict;
    found->ticket = answer->ticket;
    found->len = answer->value.len;
    assert_true(found->len <= CACHE_VALUE_MAX);
    if (found->len > 0)
        memcpy(found->value, answer->value.ptr, found->len);
    found->value[found->len] = '\0';
}

bool cache_bed_ask(struct cache_bed *bed, const char *space, const char *key, struct cache_found *found) {
    found->bed = bed;
    found->done = false;
    bool asked = cache_get(bed->cache, str_c(space), str_c(key), answered, found);
    assert_false(found->done);
    bed->asked += asked;
    return asked;
}

void cache_bed_turn(struct cache_bed *bed) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += MOMENT_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&bed->mutex);
    if (!bed->woken)
        pthread_cond_timedwait(&bed->wakes, &bed->mutex, &until);
    bed->woken = false;
    pthread_mutex_unlock(&bed->mutex);
    cache_poll(bed->cache);
}

void cache_bed_drain(struct cache_bed *bed) {
    int64_t until_ms = clock_now_ms(clock_system()) + PATIENCE_MS;
    while (bed->answered < bed->asked) {
        assert_true(clock_now_ms(clock_system()) < until_ms);
        cache_bed_turn(bed);
    }
}

void cache_bed_get(struct cache_bed *bed, const char *space, const char *key, struct cache_found *found) {
    int64_t until_ms = clock_now_ms(clock_system()) + PATIENCE_MS;
    while (!cache_bed_ask(bed, space, key, found)) {
        assert_true(clock_now_ms(clock_system()) < until_ms);
        cache_bed_turn(bed);
    }
    cache_bed_drain(bed);
}

void cache_bed_keep(struct cache_bed *bed, const char *space, const char *key, const char *value, int64_t ttl_ms) {
    int64_t until_ms = clock_now_ms(clock_system()) + PATIENCE_MS;
    struct cache_found found;
    for (cache_bed_get(bed, space, key, &found); found.verdict != CACHE_HIT || strcmp(found.value, value) != 0;
         cache_bed_get(bed, space, key, &found)) {
        assert_true(clock_now_ms(clock_system()) < until_ms);
        cache_put(bed->cache, str_c(space), str_c(key), str_c(value), ttl_ms, found.ticket);
    }
}

// ---- Clearing -------------------------------------------------------------------------------------------------------

struct clearing {
    bool done;
    enum err code;
};

static void cleared(void *ctx, const struct error *error) {
    struct clearing *clearing = ctx;
    clearing->done = true;
    clearing->code = error ? error->code : ERR_OK;
}

enum err cache_bed_clear(struct cache_bed *bed, const char *space) {
    struct clearing clearing = {.code = ERR_OK};
    int64_t until_ms = clock_now_ms(clock_system()) + PATIENCE_MS;
    cache_clear(bed->cache, str_c(space), cleared, &clearing);
    assert_false(clearing.done);
    while (!clearing.done) {
        assert_true(clock_now_ms(clock_system()) < until_ms);
        cache_bed_turn(bed);
    }
    return clearing.code;
}

struct cache_stats cache_bed_stats(struct cache_bed *bed) {
    struct cache_stats stats;
    cache_stats(bed->cache, &stats);
    return stats;
}
