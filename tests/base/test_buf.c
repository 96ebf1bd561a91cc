#include "base/buf.h"
#include "tests/base/seeded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

// Linked with --wrap=realloc: the buffer's own allocations come here.
static bool no_memory;
void *__real_realloc(void *ptr, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
void *__wrap_realloc(void *ptr, size_t size) {
    return no_memory ? NULL : __real_realloc(ptr, size);
}

static void test_appending_builds_the_text_with_a_nul_behind(void **state) {
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    assert_true(str_empty(buf_str(&buf)));
    assert_non_null(buf_str(&buf).ptr);
    assert_true(buf_append(&buf, STR("a\0b")));
    assert_true(buf_byte(&buf, '-'));
    assert_true(buf_printf(&buf, "%d", 42));
    assert_true(buf_append(&buf, STR_NONE));
    assert_true(str_eq(buf_str(&buf), STR("a\0b-42")));
    assert_int_equal(buf.ptr[buf.len], '\0');
    buf_release(&buf);
    assert_null(buf.ptr);
    assert_true(buf_append(&buf, STR("usable again")));
    buf_release(&buf);
}

static void test_contents_equal_what_was_appended_at_any_size(void **state) {
    (void)state;
    struct seeded seeded = {31};
    char model[5000];
    for (int round = 0; round < 100; round++) {
        struct buf buf;
        buf_init(&buf, sizeof model);
        size_t len = 0;
        while (len < 4000) {
            char piece[700];
            size_t n = seeded_below(&seeded, sizeof piece);
            seeded_bytes(&seeded, piece, n);
            assert_true(buf_append(&buf, str_n(piece, n)));
            memcpy(model + len, piece, n);
            len += n;
        }
        assert_true(str_eq(buf_str(&buf), str_n(model, len)));
        buf_release(&buf);
    }
}

static void test_the_maximum_is_exact_and_passing_it_changes_nothing_else(void **state) {
    (void)state;
    struct buf buf;
    buf_init(&buf, 5);
    assert_true(buf_append(&buf, STR("1234")));
    assert_false(buf_append(&buf, STR("56")));
    assert_true(buf.failed);
    assert_true(str_eq_c(buf_str(&buf), "1234"));
    assert_false(buf_byte(&buf, '5')); // it would fit, but what is behind a gap is worth nothing
    assert_false(buf_printf(&buf, "%s", ""));
    assert_true(str_eq_c(buf_str(&buf), "1234"));
    buf_clear(&buf);
    assert_false(buf.failed);
    assert_true(str_empty(buf_str(&buf)));
    assert_true(buf_printf(&buf, "%s", "12345"));
    assert_false(buf_printf(&buf, "%d", 6));
    assert_true(str_eq_c(buf_str(&buf), "12345"));
    buf_release(&buf);
}

static void test_a_boundless_maximum_does_not_overflow(void **state) {
    (void)state;
    struct buf buf;
    buf_init(&buf, SIZE_MAX);
    assert_true(buf_append(&buf, STR("a")));
    assert_false(buf_append(&buf, str_n("a", SIZE_MAX)));
    assert_true(str_eq_c(buf_str(&buf), "a"));
    buf_release(&buf);
}

static void test_a_system_without_memory_is_a_failure_that_keeps_the_contents(void **state) {
    (void)state;
    struct buf buf;
    buf_init(&buf, 10000);
    assert_true(buf_append(&buf, STR("kept")));
    char large[2000] = {0};
    no_memory = true;
    bool appended = buf_append(&buf, str_n(large, sizeof large));
    no_memory = false;
    assert_false(appended);
    assert_true(buf.failed);
    assert_true(str_eq_c(buf_str(&buf), "kept"));
    buf_release(&buf);
}

static void assert_json(struct str text, const char *expected) {
    struct buf buf;
    buf_init(&buf, 1000);
    assert_true(buf_json(&buf, text));
    assert_string_equal(buf.ptr, expected);
    buf_release(&buf);
}

static void test_json_strings_are_escaped_as_rfc_8259_asks(void **state) {
    (void)state;
    assert_json(STR_NONE, "\"\"");
    assert_json(STR("plain /"), "\"plain /\"");
    assert_json(STR("\"\\\n\r\t"), "\"\\\"\\\\\\n\\r\\t\"");
    assert_json(STR("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\\u007f\"");
    assert_json(STR("油号 ⛽"), "\"油号 ⛽\"");
    assert_json(STR("a\xff"
                    "b\xe6\xb2"),
                "\"a\xEF\xBF\xBD"
                "b\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void test_json_of_any_bytes_is_read_back_by_another_parser(void **state) {
    (void)state;
    struct seeded seeded = {32};
    size_t exact = 0;
    for (int round = 0; round < 5000; round++) {
        char bytes[64];
        struct str text = str_n(bytes, seeded_below(&seeded, round % 2 ? sizeof bytes : 4));
        seeded_bytes(&seeded, bytes, text.len);
        struct buf buf;
        buf_init(&buf, 1000);
        assert_true(buf_json(&buf, text));
        json_error_t error;
        json_t *json = json_loadb(buf.ptr, buf.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        if (!json)
            fail_msg("round %d: %s: %s", round, error.text, buf.ptr);
        if (str_is_utf8(text)) {
            exact++;
            assert_true(str_eq(str_n(json_string_value(json), json_string_length(json)), text));
        }
        json_decref(json);
        buf_release(&buf);
    }
    assert_true(exact > 500);
}

static void test_json_that_does_not_fit_is_a_failure(void **state) {
    (void)state;
    struct buf buf;
    buf_init(&buf, 4);
    assert_true(buf_json(&buf, STR("ab")));
    buf_clear(&buf);
    assert_false(buf_json(&buf, STR("abc")));
    assert_true(buf.failed);
    buf_release(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appending_builds_the_text_with_a_nul_behind),
        cmocka_unit_test(test_contents_equal_what_was_appended_at_any_size),
        cmocka_unit_test(test_the_maximum_is_exact_and_passing_it_changes_nothing_else),
        cmocka_unit_test(test_a_boundless_maximum_does_not_overflow),
        cmocka_unit_test(test_a_system_without_memory_is_a_failure_that_keeps_the_contents),
        cmocka_unit_test(test_json_strings_are_escaped_as_rfc_8259_asks),
        cmocka_unit_test(test_json_of_any_bytes_is_read_back_by_another_parser),
        cmocka_unit_test(test_json_that_does_not_fit_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
