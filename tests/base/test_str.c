#include "base/str.h"
#include "tests/base/seeded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_comparison_is_bytewise_with_a_prefix_first(void **state) {
    (void)state;
    assert_true(str_cmp(STR("a"), STR("b")) < 0);
    assert_true(str_cmp(STR("b"), STR("a")) > 0);
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
    assert_true(str_cmp(STR("ab"), STR("a")) > 0);
    assert_true(str_cmp(STR("a\0b"), STR("a\0c")) < 0);
    assert_true(str_cmp(STR("\x7f"), STR("\x80")) < 0); // unsigned
    assert_int_equal(str_cmp(STR("same"), STR("same")), 0);
    assert_int_equal(str_cmp(STR_NONE, STR("")), 0);
    assert_true(str_cmp(STR_NONE, STR("a")) < 0);
}

static void test_equality_counts_length_and_nul_bytes(void **state) {
    (void)state;
    assert_true(str_eq(STR_NONE, STR("")));
    assert_true(str_eq(STR("a\0b"), STR("a\0b")));
    assert_false(str_eq(STR("a\0b"), STR("a\0c")));
    assert_false(str_eq(STR("ab"), STR("abc")));
    assert_true(str_eq_c(STR("abc"), "abc"));
    assert_false(str_eq_c(STR("abc\0"), "abc"));
    assert_true(str_eq_c(STR(""), NULL));
    assert_true(str_empty(str_c(NULL)));
}

static void test_starts_needs_the_whole_prefix(void **state) {
    (void)state;
    assert_true(str_starts(STR("saga/1"), STR("saga/")));
    assert_true(str_starts(STR("saga"), STR("saga")));
    assert_true(str_starts(STR("saga"), STR_NONE));
    assert_true(str_starts(STR_NONE, STR_NONE));
    assert_false(str_starts(STR("sag"), STR("saga")));
    assert_false(str_starts(STR("sage"), STR("saga")));
}

static void test_trim_takes_white_space_from_both_ends_only(void **state) {
    (void)state;
    assert_true(str_eq_c(str_trim(STR(" \t\r\n a b \n")), "a b"));
    assert_true(str_eq_c(str_trim(STR("a")), "a"));
    assert_true(str_empty(str_trim(STR(" \n\t "))));
    assert_true(str_empty(str_trim(STR_NONE)));
    assert_true(str_eq(str_trim(STR("\0 a \0")), STR("\0 a \0")));
}

static void test_cut_takes_a_text_apart_and_tells_an_empty_rest_from_none(void **state) {
    (void)state;
    struct str rest = STR("a,,b,");
    assert_true(str_eq_c(str_cut(&rest, ','), "a"));
    assert_true(str_empty(str_cut(&rest, ',')));
    assert_true(str_eq_c(str_cut(&rest, ','), "b"));
    assert_true(str_empty(rest));
    assert_non_null(rest.ptr); // there was a separator: an empty field follows
    assert_true(str_empty(str_cut(&rest, ',')));
    assert_null(rest.ptr);
    assert_true(str_empty(str_cut(&rest, ',')));
    assert_null(rest.ptr);
}

static void test_cut_parts_join_to_the_original(void **state) {
    (void)state;
    struct seeded seeded = {11};
    for (int round = 0; round < 2000; round++) {
        char text[40], joined[40];
        size_t len = seeded_below(&seeded, sizeof text), at = 0;
        for (size_t i = 0; i < len; i++)
            text[i] = "ab/\0"[seeded_below(&seeded, 4)];
        struct str rest = str_n(text, len);
        do {
            struct str part = str_cut(&rest, '/');
            if (part.len)
                memcpy(joined + at, part.ptr, part.len);
            at += part.len;
            if (rest.ptr)
                joined[at++] = '/';
        } while (rest.ptr);
        assert_true(str_eq(str_n(joined, at), str_n(text, len)));
    }
}

static void test_every_int64_survives_being_written_and_read(void **state) {
    (void)state;
    struct seeded seeded = {12};
    for (int round = 0; round < 20000; round++) {
        int64_t value = seeded_i64(&seeded), back = ~value;
        char text[32];
        snprintf(text, sizeof text, "%lld", (long long)value);
        assert_true(str_to_i64(str_c(text), &back));
        assert_int_equal(back, value);
    }
}

static void test_a_text_that_is_no_int64_is_refused_and_changes_nothing(void **state) {
    (void)state;
    static const struct str wrong[] = {
        STR(""),
        STR("-"),
        STR("+1"),
        STR(" 1"),
        STR("1 "),
        STR("1\0"),
        STR("--1"),
        STR("0x1"),
        STR("1e"),
        STR("1.0"),
        STR("1-"),
        STR("９"),
        STR("/"),
        STR(":"),
        STR("9223372036854775808"),
        STR("-9223372036854775809"),
        STR("99999999999999999999"),
        STR("18446744073709551616"),
        STR("-"
            "100000000000000000000000000000000000000000000000000"),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int64_t value = 42;
        assert_false(str_to_i64(wrong[i], &value));
        assert_int_equal(value, 42);
    }
    int64_t value = 42;
    assert_false(str_to_i64(STR_NONE, &value));
    assert_true(str_to_i64(STR("0000000000000000000000000007"), &value));
    assert_int_equal(value, 7);
    assert_true(str_to_i64(STR("-0"), &value));
    assert_int_equal(value, 0);
}

static void test_copy_fits_with_its_nul_or_leaves_an_empty_string(void **state) {
    (void)state;
    char out[4] = "xyz";
    assert_true(str_copy(STR("abc"), out, sizeof out));
    assert_string_equal(out, "abc");
    assert_false(str_copy(STR("abcd"), out, sizeof out));
    assert_string_equal(out, "");
    assert_false(str_copy(STR("a\0b"), out, sizeof out));
    assert_string_equal(out, "");
    assert_true(str_copy(STR_NONE, out, sizeof out));
    assert_string_equal(out, "");
    assert_false(str_copy(STR("a"), out, 1));
}

static size_t encode(uint32_t point, char *out) {
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint32_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = len - 1; i > 0; i--, point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3F));
    out[0] = (char)(lead[len] | point);
    return len;
}

static void test_fit_cuts_between_characters_and_leaves_nothing_that_is_none(void **state) {
    (void)state;
    static const struct {
        struct str from;
        const char *to;
    } rows[] = {
        {STR(""), ""},           {STR("short"), "short"},   {STR("油号券"), "油号"},
        {STR("ab油号"), "ab油"}, {STR("a\0b\xff"), "a?b?"}, {STR("12345678"), "1234567"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[8];
        str_fit(rows[i].from, out, sizeof out);
        assert_string_equal(out, rows[i].to);
    }
}

static void test_every_code_point_but_surrogates_is_utf8(void **state) {
    (void)state;
    for (uint32_t point = 0; point < 0x110000; point++) {
        char bytes[4];
        size_t len = encode(point, bytes);
        bool surrogate = point >= 0xD800 && point <= 0xDFFF;
        if (str_utf8_len(str_n(bytes, len)) != (surrogate ? 0 : len) || str_is_utf8(str_n(bytes, len)) == surrogate)
            fail_msg("U+%04X", (unsigned)point);
        if (len > 1 && str_utf8_len(str_n(bytes, len - 1)) != 0)
            fail_msg("a cut U+%04X was taken", (unsigned)point);
    }
}

// How many sequences of exactly `len` bytes that begin with `lead` are accepted, over all values of the next two bytes
// and, for four bytes, the last bytes that could matter.
static unsigned accepted(unsigned lead, size_t len) {
    static const unsigned char last[] = {0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF};
    unsigned count = 0;
    for (unsigned tail = 0; tail < 0x10000; tail++) {
        char bytes[4] = {(char)lead, (char)(tail >> 8), (char)tail, 0};
        for (size_t i = 0; i < (len == 4 ? sizeof last : 1); i++) {
            bytes[3] = (char)last[i];
            count += str_utf8_len(str_n(bytes, len)) == len;
        }
    }
    return count;
}

static void test_no_other_sequence_is_utf8(void **state) {
    (void)state;
    unsigned two = 0, three = 0, four = 0;
    for (unsigned lead = 0x80; lead < 0x100; lead++) {
        for (unsigned tail = 0; tail < 0x100; tail++)
            two += str_utf8_len(str_n((char[]){(char)lead, (char)tail}, 2)) == 2;
        if (lead >= 0xE0 && lead < 0xF0)
            three += accepted(lead, 3);
        if (lead >= 0xF0)
            four += accepted(lead, 4);
    }
    assert_int_equal(two, 0x800 - 0x80);
    assert_int_equal(three, 0x10000 - 0x800 - 0x800);
    assert_int_equal(four, (0x110000 - 0x10000) / 64 * 2); // of 64 last bytes two were tried that are right
    for (unsigned lead = 0x80; lead < 0xE0; lead++)
        assert_int_equal(accepted(lead, 3), 0);
}

static void test_utf8_is_judged_to_the_end(void **state) {
    (void)state;
    assert_true(str_is_utf8(STR_NONE));
    assert_true(str_is_utf8(STR("fuel 92# 油号 ⛽ \0 end")));
    assert_false(str_is_utf8(STR("good until the end \xE6\xB2")));
    assert_false(str_is_utf8(STR("\xFFgood after")));
    assert_int_equal(str_utf8_len(STR_NONE), 0);
}

static void test_hash_is_fnv_1a(void **state) {
    (void)state;
    assert_true(str_hash(STR_NONE) == 0xcbf29ce484222325u);
    assert_true(str_hash(STR("a")) == 0xaf63dc4c8601ec8cu);
    assert_true(str_hash(STR("foobar")) == 0x85944171f73967e8u);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparison_is_bytewise_with_a_prefix_first),
        cmocka_unit_test(test_equality_counts_length_and_nul_bytes),
        cmocka_unit_test(test_starts_needs_the_whole_prefix),
        cmocka_unit_test(test_trim_takes_white_space_from_both_ends_only),
        cmocka_unit_test(test_cut_takes_a_text_apart_and_tells_an_empty_rest_from_none),
        cmocka_unit_test(test_cut_parts_join_to_the_original),
        cmocka_unit_test(test_every_int64_survives_being_written_and_read),
        cmocka_unit_test(test_a_text_that_is_no_int64_is_refused_and_changes_nothing),
        cmocka_unit_test(test_copy_fits_with_its_nul_or_leaves_an_empty_string),
        cmocka_unit_test(test_fit_cuts_between_characters_and_leaves_nothing_that_is_none),
        cmocka_unit_test(test_every_code_point_but_surrogates_is_utf8),
        cmocka_unit_test(test_no_other_sequence_is_utf8),
        cmocka_unit_test(test_utf8_is_judged_to_the_end),
        cmocka_unit_test(test_hash_is_fnv_1a),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
