#include "base/heap.h"

#include <stdlib.h>

void heap_release(struct heap *heap) {
    for (size_t i = 1; i <= heap->count; i++)
        heap->nodes[i]->place = 0;
    free(heap->nodes);
    *heap = (struct heap){0};
}

static void put(struct heap *heap, size_t place, struct heap_node *node) {
    heap->nodes[place] = node;
    node->place = place;
}

static void sift_up(struct heap *heap, struct heap_node *node) {
    size_t place = node->place;
    while (place > 1 && heap->nodes[place / 2]->key > node->key) {
        put(heap, place, heap->nodes[place / 2]);
        place /= 2;
    }
    put(heap, place, node);
}

static void sift_down(struct heap *heap, struct heap_node *node) {
    size_t place = node->place;
    for (;;) {
        size_t child = place * 2;
        if (child > heap->count)
            break;
        if (child < heap->count && heap->nodes[child + 1]->key < heap->nodes[child]->key)
            child++;
        if (heap->nodes[child]->key >= node->key)
            break;
        put(heap, place, heap->nodes[child]);
        place = child;
    }
    put(heap, place, node);
}

static void grow(struct heap *heap) {
    size_t cap = heap->cap ? heap->cap * 2 : 64;
    struct heap_node **nodes = realloc(heap->nodes, cap * sizeof *nodes);
    if (!nodes)
        abort();
    heap->nodes = nodes;
    heap->cap = cap;
}

void heap_set(struct heap *heap, struct heap_node *node, int64_t key) {
    node->key = key;
    if (node->place == 0) {
        if (heap->count + 2 > heap->cap)
            grow(heap);
        put(heap, ++heap->count, node);
    }
    sift_up(heap, node);
    sift_down(heap, node);
}

void heap_remove(struct heap *heap, struct heap_node *node) {
    if (node->place == 0)
        return;
    struct heap_node *last = heap->nodes[heap->count--];
    if (last != node) {
        put(heap, node->place, last);
        sift_up(heap, last);
        sift_down(heap, last);
    }
    node->place = 0;
}

struct heap_node *heap_least(const struct heap *heap) {
    return heap->count ? heap->nodes[1] : NULL;
}
