// Bump allocation: one arena per request or per turn of a saga, everything freed at once. An arena has a
// maximum; past it allocation fails with NULL, so hostile input can't take the process's memory.
#ifndef TXC_BASE_ARENA_H
#define TXC_BASE_ARENA_H

#include "base/str.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *head; // newest first
    size_t used;              // bytes handed out since the last reset
    size_t max;
};

// Nothing is allocated until the first use. `max` bounds the sum of what is handed out.
void arena_init(struct arena *arena, size_t max);

// Frees everything. The arena can be used again.
void arena_release(struct arena *arena);

// Forgets everything but keeps the first chunk for reuse.
void arena_reset(struct arena *arena);

// 16-byte aligned, not cleared. NULL past the maximum or when the system has no memory.
void *arena_alloc(struct arena *arena, size_t size);

// Cleared; NULL also when count * size overflows.
void *arena_calloc(struct arena *arena, size_t count, size_t size);

// A copy with a NUL behind it. On failure ptr is NULL and len 0; a copy of the empty slice has a non-NULL ptr.
struct str arena_str(struct arena *arena, struct str s);

// printf into the arena, with a NUL behind it; ptr NULL on failure.
struct str arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
