#include "base/arena.h"
#include "tests/base/seeded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

// Linked with --wrap=malloc: the arena's own allocations come here.
static size_t mallocs_left = SIZE_MAX;
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size) {
    if (mallocs_left == 0)
        return NULL;
    mallocs_left--;
    return __real_malloc(size);
}

static void test_memory_is_aligned_and_never_handed_out_twice(void **state) {
    (void)state;
    struct seeded seeded = {21};
    struct arena arena;
    arena_init(&arena, 4 << 20);
    for (int round = 0; round < 20; round++) {
        struct {
            unsigned char *ptr;
            size_t len;
        } given[200];
        for (size_t i = 0; i < 200; i++) {
            given[i].len = seeded_below(&seeded, seeded_below(&seeded, 20) == 0 ? 10000 : 100);
            given[i].ptr = arena_alloc(&arena, given[i].len);
            assert_non_null(given[i].ptr);
            assert_int_equal((uintptr_t)given[i].ptr % 16, 0);
            memset(given[i].ptr, (int)i, given[i].len);
        }
        for (size_t i = 0; i < 200; i++)
            for (size_t k = 0; k < given[i].len; k++)
                if (given[i].ptr[k] != i)
                    fail_msg("allocation %zu was overwritten", i);
        arena_reset(&arena);
        assert_int_equal(arena.used, 0);
    }
    arena_release(&arena);
}

static void test_the_maximum_is_exact_and_survives_a_refusal(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 64);
    assert_null(arena_alloc(&arena, 65));
    assert_non_null(arena_alloc(&arena, 33)); // counts as 48
    assert_null(arena_alloc(&arena, 17));
    assert_non_null(arena_alloc(&arena, 16));
    assert_null(arena_alloc(&arena, 0));
    assert_int_equal(arena.used, 64);
    arena_release(&arena);
    assert_int_equal(arena.used, 0);
    assert_non_null(arena_alloc(&arena, 64)); // usable again
    arena_release(&arena);
}

static void test_sizes_that_overflow_are_refused(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 15));
    assert_null(arena_calloc(&arena, SIZE_MAX / 8 + 1, 8));
    assert_null(arena_calloc(&arena, SIZE_MAX / 2, 3));
    assert_null(arena_str(&arena, str_n("x", SIZE_MAX)).ptr);
    assert_int_equal(arena.used, 0);
    arena_release(&arena);
}

static void test_calloc_clears_what_was_used_before(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 4096);
    memset(arena_alloc(&arena, 512), 0xff, 512);
    arena_reset(&arena);
    const unsigned char *bytes = arena_calloc(&arena, 64, 8);
    for (size_t i = 0; i < 512; i++)
        assert_int_equal(bytes[i], 0);
    arena_release(&arena);
}

static void test_reset_reuses_the_first_chunk(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    void *first = arena_alloc(&arena, 100);
    for (int i = 0; i < 50; i++)
        assert_non_null(arena_alloc(&arena, 1000));
    arena_reset(&arena);
    mallocs_left = 0;
    void *again = arena_alloc(&arena, 100);
    mallocs_left = SIZE_MAX;
    assert_ptr_equal(again, first);
    arena_release(&arena);
}

static void test_strings_are_copied_with_a_nul_behind(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 4096);
    char text[] = "a\0b";
    struct str copy = arena_str(&arena, str_n(text, 3));
    text[0] = 'x';
    assert_true(str_eq(copy, STR("a\0b")));
    assert_int_equal(copy.ptr[3], '\0');
    struct str empty = arena_str(&arena, STR_NONE);
    assert_non_null(empty.ptr);
    assert_int_equal(empty.len, 0);
    assert_int_equal(empty.ptr[0], '\0');
    struct str printed = arena_printf(&arena, "%s/%d", "gid", 7);
    assert_true(str_eq_c(printed, "gid/7"));
    assert_string_equal(printed.ptr, "gid/7");
    arena_release(&arena);
}

static void test_a_full_arena_gives_no_strings(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 16);
    struct str refused = arena_printf(&arena, "%s", "sixteen bytes ..");
    assert_null(refused.ptr);
    assert_int_equal(refused.len, 0);
    assert_true(str_eq_c(arena_printf(&arena, "%s", "fifteen bytes ."), "fifteen bytes ."));
    refused = arena_str(&arena, STR("x"));
    assert_null(refused.ptr);
    assert_int_equal(refused.len, 0);
    arena_release(&arena);
}

static void test_a_system_without_memory_is_a_refusal_that_harms_nothing(void **state) {
    (void)state;
    for (size_t allowed = 0; allowed < 3; allowed++) {
        struct arena arena;
        arena_init(&arena, 1 << 20);
        size_t got = 0;
        mallocs_left = allowed;
        for (int i = 0; i < 3; i++)
            got += arena_calloc(&arena, 1, 4000) != NULL;
        mallocs_left = SIZE_MAX;
        assert_int_equal(got, allowed);
        assert_int_equal(arena.used, allowed * 4000);
        assert_non_null(arena_alloc(&arena, 4000));
        arena_release(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_aligned_and_never_handed_out_twice),
        cmocka_unit_test(test_the_maximum_is_exact_and_survives_a_refusal),
        cmocka_unit_test(test_sizes_that_overflow_are_refused),
        cmocka_unit_test(test_calloc_clears_what_was_used_before),
        cmocka_unit_test(test_reset_reuses_the_first_chunk),
        cmocka_unit_test(test_strings_are_copied_with_a_nul_behind),
        cmocka_unit_test(test_a_full_arena_gives_no_strings),
        cmocka_unit_test(test_a_system_without_memory_is_a_refusal_that_harms_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
