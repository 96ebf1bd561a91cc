#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHUNK_LEAST = 4096 - 64, ALIGNMENT = 16 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t size, used;
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

void arena_init(struct arena *arena, size_t max) {
    *arena = (struct arena){.max = max};
}

void arena_release(struct arena *arena) {
    while (arena->head) {
        struct arena_chunk *next = arena->head->next;
        free(arena->head);
        arena->head = next;
    }
    arena->used = 0;
}

void arena_reset(struct arena *arena) {
    while (arena->head && arena->head->next) {
        struct arena_chunk *next = arena->head->next;
        free(arena->head);
        arena->head = next;
    }
    if (arena->head)
        arena->head->used = 0;
    arena->used = 0;
}

static struct arena_chunk *chunk_new(size_t least) {
    size_t size = least > CHUNK_LEAST ? least : CHUNK_LEAST;
    struct arena_chunk *chunk = malloc(sizeof *chunk + size);
    if (chunk)
        *chunk = (struct arena_chunk){.size = size};
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size) {
    if (size > SIZE_MAX - ALIGNMENT)
        return NULL;
    size_t rounded = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (rounded == 0)
        rounded = ALIGNMENT;
    if (arena->used > arena->max || rounded > arena->max - arena->used)
        return NULL;
    struct arena_chunk *chunk = arena->head;
    if (!chunk || chunk->size - chunk->used < rounded) {
        chunk = chunk_new(rounded);
        if (!chunk)
            return NULL;
        chunk->next = arena->head;
        arena->head = chunk;
    }
    void *ptr = chunk->bytes + chunk->used;
    chunk->used += rounded;
    arena->used += rounded;
    return ptr;
}

void *arena_calloc(struct arena *arena, size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *ptr = arena_alloc(arena, total);
    return ptr ? memset(ptr, 0, total) : NULL;
}

struct str arena_str(struct arena *arena, struct str s) {
    char *copy = s.len < SIZE_MAX ? arena_alloc(arena, s.len + 1) : NULL;
    if (!copy)
        return STR_NONE;
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return str_n(copy, s.len);
}

struct str arena_printf(struct arena *arena, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1);
    if (!text)
        return STR_NONE;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return str_n(text, (size_t)length);
}
