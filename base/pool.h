// Objects of one size that come and go very often: what is given back is kept, up to a number, and given out again.
// Under a sanitizer nothing is kept, so that it still sees every use of what was given back.
#ifndef TXC_BASE_POOL_H
#define TXC_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool {
    size_t size;
    uint32_t most, n; // kept
    void *spare;
};

// At least the size of a pointer; at most so many are kept.
#define POOL(type, most_kept)                                                                                          \
    (struct pool) {                                                                                                    \
        .size = sizeof(type), .most = (most_kept)                                                                      \
    }

// Cleared. Aborts without memory.
void *pool_take(struct pool *pool);

// NULL is fine.
void pool_give(struct pool *pool, void *object);

// Frees what is kept. What is out may still be given back, and is then freed.
void pool_release(struct pool *pool);

#endif
