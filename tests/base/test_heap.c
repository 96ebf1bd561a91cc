#include "base/heap.h"
#include "tests/base/seeded.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { NODES = 300 };

// The heap property at every node, and that each node knows its place.
static void assert_sound(const struct heap *heap) {
    for (size_t i = 1; i <= heap->count; i++) {
        assert_int_equal(heap->nodes[i]->place, i);
        if (i > 1)
            assert_true(heap->nodes[i / 2]->key <= heap->nodes[i]->key);
    }
}

static void assert_least_of(const struct heap *heap, const struct heap_node *nodes) {
    size_t count = 0;
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < NODES; i++)
        if (nodes[i].place) {
            count++;
            least = nodes[i].key < least ? nodes[i].key : least;
        }
    assert_int_equal(heap->count, count);
    if (count)
        assert_int_equal(heap_least(heap)->key, least);
    else
        assert_null(heap_least(heap));
}

static void test_the_least_is_right_through_any_sets_moves_and_removals(void **state) {
    (void)state;
    struct seeded seeded = {41};
    struct heap heap = {0};
    static struct heap_node nodes[NODES];
    for (int round = 0; round < 4000; round++) {
        struct heap_node *node = &nodes[seeded_below(&seeded, NODES)];
        if (seeded_below(&seeded, 3) == 0)
            heap_remove(&heap, node); // also when it isn't in
        else
            heap_set(&heap, node, (int64_t)seeded_below(&seeded, 50) - 25); // many equal keys
        if (round % 8 == 0)
            assert_sound(&heap);
        assert_least_of(&heap, nodes);
    }
    heap_release(&heap);
    for (size_t i = 0; i < NODES; i++)
        assert_int_equal(nodes[i].place, 0);
}

static void test_taking_the_least_again_and_again_sorts(void **state) {
    (void)state;
    struct seeded seeded = {42};
    struct heap heap = {0};
    struct heap_node nodes[NODES] = {0};
    for (size_t i = 0; i < NODES; i++)
        heap_set(&heap, &nodes[i], seeded_i64(&seeded));
    int64_t before = INT64_MIN;
    for (size_t i = 0; i < NODES; i++) {
        struct heap_node *least = heap_least(&heap);
        assert_true(least->key >= before);
        before = least->key;
        heap_remove(&heap, least);
        assert_int_equal(least->place, 0);
    }
    assert_null(heap_least(&heap));
    heap_release(&heap);
}

static void test_an_empty_heap_can_be_released_and_used(void **state) {
    (void)state;
    struct heap heap = {0};
    struct heap_node node = {0};
    heap_release(&heap);
    assert_null(heap_least(&heap));
    heap_remove(&heap, &node);
    heap_set(&heap, &node, INT64_MIN);
    assert_ptr_equal(heap_least(&heap), &node);
    heap_release(&heap);
    heap_set(&heap, &node, 1);
    assert_int_equal(heap.count, 1);
    heap_release(&heap);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_least_is_right_through_any_sets_moves_and_removals),
        cmocka_unit_test(test_taking_the_least_again_and_again_sorts),
        cmocka_unit_test(test_an_empty_heap_can_be_released_and_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
