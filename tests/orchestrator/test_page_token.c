#include "orchestrator/page_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct page_of unfinished = {.list = {"sagas", 5}, .filter = {"\x0a\x02\x38\x01", 4}};
static const struct page_of everything = {.list = {"sagas", 5}, .filter = {"", 0}};
static const struct page_of audit = {.list = {"audit", 5}, .filter = {"\x0a\x02\x38\x01", 4}};

static void test_a_token_comes_back_as_the_cursor_that_it_was_made_from(void **state) {
    (void)state;
    struct page_cursor cursors[] = {
        {.key = 0}, {.key = INT64_MAX - 1, .id = "01M7Y842N66BZC13PN8SRSHJFE/1"}, {.key = INT64_MIN}};
    memset(cursors[2].id, 'x', PAGE_ID_MAX);
    for (size_t i = 0; i < sizeof cursors / sizeof cursors[0]; i++) {
        char token[PAGE_TOKEN_MAX + 1];
        struct page_cursor read;
        page_token_make(&unfinished, &cursors[i], token);
        assert_true(page_token_read(str_c(token), &unfinished, &read));
        assert_int_equal(read.key, cursors[i].key);
        assert_string_equal(read.id, cursors[i].id);
    }
}

static void test_a_token_of_another_filter_or_list_is_refused(void **state) {
    (void)state;
    struct page_cursor cursor = {.key = 7, .id = "gid"};
    char token[PAGE_TOKEN_MAX + 1];
    page_token_make(&unfinished, &cursor, token);
    assert_false(page_token_read(str_c(token), &everything, &cursor));
    assert_false(page_token_read(str_c(token), &audit, &cursor));
}

static void test_a_token_that_was_changed_is_refused_and_gives_nothing(void **state) {
    (void)state;
    struct page_cursor cursor = {.key = 7, .id = "gid"};
    char token[PAGE_TOKEN_MAX + 1];
    page_token_make(&unfinished, &cursor, token);
    size_t n = strlen(token);
    struct page_cursor read = {.key = 42, .id = "untouched"};
    for (size_t i = 0; i < n; i++) {
        char kept = token[i];
        token[i] = kept == '0' ? '1' : '0';
        assert_false(page_token_read(str_c(token), &unfinished, &read));
        token[i] = kept;
        assert_false(page_token_read(str_n(token, i), &unfinished, &read));
    }
    assert_int_equal(read.key, 42);
    assert_string_equal(read.id, "untouched");
}

static void test_anything_else_is_refused(void **state) {
    (void)state;
    static const char *const others[] = {"", "0", "zz", "00000000000000000000000000000000", "é", "ABCDEF0123456789"};
    struct page_cursor read;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(page_token_read(str_c(others[i]), &everything, &read));
    char longest[PAGE_TOKEN_MAX + 2];
    memset(longest, '0', sizeof longest);
    assert_false(page_token_read(str_n(longest, sizeof longest), &everything, &read));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_token_comes_back_as_the_cursor_that_it_was_made_from),
        cmocka_unit_test(test_a_token_of_another_filter_or_list_is_refused),
        cmocka_unit_test(test_a_token_that_was_changed_is_refused_and_gives_nothing),
        cmocka_unit_test(test_anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
