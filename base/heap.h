// An intrusive binary heap ordered by an int64 key (a due time). The node lives inside what it orders, so nothing
// is allocated but the array of pointers, and removal by node is O(log n).
#ifndef TXC_BASE_HEAP_H
#define TXC_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key;
    size_t place; // 1-based index in the heap; 0: not in a heap
};

struct heap {
    struct heap_node **nodes; // nodes[0] is unused
    size_t count, cap;
};

void heap_release(struct heap *heap);

// Inserts, or moves a node that is already in. Aborts when there is no memory for one more pointer.
void heap_set(struct heap *heap, struct heap_node *node, int64_t key);

// Removes the node; does nothing when it is not in a heap.
void heap_remove(struct heap *heap, struct heap_node *node);

// The node with the least key, or NULL.
struct heap_node *heap_least(const struct heap *heap);

#endif
