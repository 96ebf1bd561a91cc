#include "base/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#ifdef __has_feature
#define POOL_FEATURE(name) __has_feature(name)
#else
#define POOL_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || POOL_FEATURE(address_sanitizer) ||                \
    POOL_FEATURE(thread_sanitizer)
enum { KEEPS = 0 };
#else
enum { KEEPS = 1 };
#endif

void *pool_take(struct pool *pool) {
    void *object = pool->spare;
    assert(pool->size >= sizeof(void *));
    if (object) {
        memcpy(&pool->spare, object, sizeof pool->spare); // each begins with the next one
        pool->n--;
        return memset(object, 0, pool->size);
    }
    if (!(object = calloc(1, pool->size)))
        abort();
    return object;
}

void pool_give(struct pool *pool, void *object) {
    if (!object)
        return;
    if (!KEEPS || pool->n >= pool->most) {
        free(object);
        return;
    }
    memcpy(object, &pool->spare, sizeof pool->spare);
    pool->spare = object;
    pool->n++;
}

void pool_release(struct pool *pool) {
    pool->most = 0;
    while (pool->spare) {
        void *object = pool->spare;
        memcpy(&pool->spare, object, sizeof pool->spare);
        free(object);
    }
    pool->n = 0;
}
