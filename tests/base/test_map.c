#include "base/map.h"
#include "tests/base/seeded.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct item {
    int number;
    bool inside, visited;
    char key[24];
    struct map_node node;
};

enum { ITEMS = 500 };

static struct item *items_new(void) {
    struct item *items = calloc(ITEMS, sizeof *items);
    assert_non_null(items);
    for (int i = 0; i < ITEMS; i++) {
        items[i].number = i;
        snprintf(items[i].key, sizeof items[i].key, "key-%d", i);
    }
    return items;
}

static void test_it_finds_exactly_what_is_inside_through_any_changes(void **state) {
    (void)state;
    struct seeded seeded = {51};
    struct map map = {0};
    struct item *items = items_new();
    size_t inside = 0;
    for (int round = 0; round < 20000; round++) {
        struct item *item = &items[seeded_below(&seeded, ITEMS)];
        struct map_node *found = map_find(&map, str_c(item->key));
        if (!item->inside) {
            assert_null(found);
            map_insert(&map, &item->node, str_c(item->key));
        } else {
            assert_ptr_equal(CONTAINER_OF(found, struct item, node), item);
            map_remove(&map, found);
        }
        item->inside = !item->inside;
        inside = item->inside ? inside + 1 : inside - 1;
        assert_int_equal(map.count, inside);
    }
    for (int i = 0; i < ITEMS; i++)
        assert_ptr_equal(map_find(&map, str_c(items[i].key)), items[i].inside ? &items[i].node : NULL);
    map_release(&map);
    free(items);
}

static void test_keys_are_bytes_of_any_kind(void **state) {
    (void)state;
    struct map map = {0};
    struct map_node nodes[4];
    static const struct str keys[] = {STR(""), STR("\0"), STR("\0\0"), STR("a\0b")};
    for (size_t i = 0; i < 4; i++)
        map_insert(&map, &nodes[i], keys[i]);
    for (size_t i = 0; i < 4; i++)
        assert_ptr_equal(map_find(&map, keys[i]), &nodes[i]);
    assert_ptr_equal(map_find(&map, STR_NONE), &nodes[0]);
    assert_null(map_find(&map, STR("a\0c")));
    map_release(&map);
}

// What map_hash() has come to behind the first eight of sixteen bytes.
static uint64_t halfway(const char *key) {
    uint64_t eight, odd = 0x9E3779B97F4A7C15u;
    memcpy(&eight, key, sizeof eight);
    uint64_t hash = ((16 * odd) ^ eight) * odd;
    return hash ^ hash >> 32;
}

static void test_keys_of_one_hash_are_told_apart(void **state) {
    (void)state;
    struct map map = {0};
    struct map_node a, b;
    char bytes_a[] = "0123456789abcdef", bytes_b[] = "76543210........";
    uint64_t end;
    memcpy(&end, bytes_a + 8, sizeof end);
    end ^= halfway(bytes_a) ^ halfway(bytes_b);
    memcpy(bytes_b + 8, &end, sizeof end);
    const struct str key_a = str_n(bytes_a, 16), key_b = str_n(bytes_b, 16);
    assert_true(map_hash(key_a) == map_hash(key_b));
    map_insert(&map, &a, key_a);
    assert_null(map_find(&map, key_b));
    map_insert(&map, &b, key_b);
    assert_ptr_equal(map_find(&map, key_a), &a);
    assert_ptr_equal(map_find(&map, key_b), &b);
    map_remove(&map, &a);
    assert_null(map_find(&map, key_a));
    assert_ptr_equal(map_find(&map, key_b), &b);
    map_release(&map);
}

static void test_an_empty_map_finds_nothing(void **state) {
    (void)state;
    struct map map = {0};
    assert_null(map_find(&map, STR("x")));
    map_release(&map);
    assert_null(map_find(&map, STR("x")));
}

static void visit_and_remove_odd(void *ctx, struct map_node *node) {
    struct item *item = CONTAINER_OF(node, struct item, node);
    assert_false(item->visited);
    item->visited = true;
    if (item->number % 2)
        map_remove(ctx, node);
}

static void test_each_visits_all_once_while_the_visited_are_removed(void **state) {
    (void)state;
    struct map map = {0};
    struct item *items = items_new();
    for (int i = 0; i < ITEMS; i++)
        map_insert(&map, &items[i].node, str_c(items[i].key));
    map_each(&map, visit_and_remove_odd, &map);
    assert_int_equal(map.count, ITEMS / 2);
    for (int i = 0; i < ITEMS; i++) {
        assert_true(items[i].visited);
        assert_int_equal(map_find(&map, str_c(items[i].key)) != NULL, i % 2 == 0);
    }
    map_release(&map);
    free(items);
}

static void insert_twice(struct map *map, struct map_node *node) {
    struct map_node other;
    map_insert(map, node, STR("same"));
    map_insert(map, &other, STR("same"));
}

static void remove_twice(struct map *map, struct map_node *node) {
    map_insert(map, node, STR("a"));
    map_remove(map, node);
    map_remove(map, node);
}

static void remove_stranger(struct map *map, struct map_node *node) {
    struct map_node other;
    map_insert(map, &other, STR("other"));
    node->hash = map_hash(STR("stranger"));
    map_remove(map, node);
}

// Whether `misuse` ends its process with SIGABRT.
static bool aborts(void (*misuse)(struct map *map, struct map_node *node)) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct map map = {0};
        struct map_node node = {0};
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        signal(SIGABRT, SIG_DFL); // cmocka's handler would take it for a failure
        if (!freopen("/dev/null", "w", stderr))
            _exit(2);
        misuse(&map, &node);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void test_misuse_is_an_assertion_not_a_broken_map(void **state) {
    (void)state;
    assert_true(aborts(insert_twice));
    assert_true(aborts(remove_twice));
    assert_true(aborts(remove_stranger));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_finds_exactly_what_is_inside_through_any_changes),
        cmocka_unit_test(test_keys_are_bytes_of_any_kind),
        cmocka_unit_test(test_keys_of_one_hash_are_told_apart),
        cmocka_unit_test(test_an_empty_map_finds_nothing),
        cmocka_unit_test(test_each_visits_all_once_while_the_visited_are_removed),
        cmocka_unit_test(test_misuse_is_an_assertion_not_a_broken_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
