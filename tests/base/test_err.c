#include "base/err.h"
#include "tests/base/seeded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void test_every_row_is_whole_and_no_name_or_number_is_used_twice(void **state) {
    (void)state;
    size_t n;
    const struct err_info *table = err_table(&n);
    assert_true(n > 50);
    for (size_t i = 0; i < n; i++) {
        assert_true(table[i].grpc_status >= 0 && table[i].grpc_status <= 16);
        assert_true(table[i].outcome >= OUTCOME_OK && table[i].outcome <= OUTCOME_UNKNOWN);
        assert_int_equal(table[i].outcome == OUTCOME_OK, table[i].code == ERR_OK);
        assert_int_equal(table[i].grpc_status == 0, table[i].code == ERR_OK);
        assert_true(strlen(table[i].text) > 0 && strlen(table[i].text) < ERR_TEXT_MAX);
        assert_int_equal(strspn(table[i].name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), strlen(table[i].name));
        assert_ptr_equal(err_info(table[i].code), &table[i]);
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(table[k].code, table[i].code);
            assert_string_not_equal(table[k].name, table[i].name);
        }
    }
}

// Numbers are stored and logged: this list only ever grows.
static void test_numbers_that_were_given_out_stay(void **state) {
    (void)state;
    static const struct {
        int number;
        const char *name;
    } given[] = {
        {0, "OK"},
        {1, "INVALID_REQUEST"},
        {2, "IDEMPOTENCY_KEY_REUSED"},
        {7, "OVERLOADED"},
        {10, "INTERNAL"},
        {20, "STORE_UNAVAILABLE"},
        {25, "STORE_FENCED"},
        {40, "SAGA_NOT_FOUND"},
        {60, "PARTICIPANT_REJECTED"},
        {62, "PARTICIPANT_SILENT"},
        {82, "QUOTE_EXPIRED"},
        {93, "REFUND_EXCEEDS_REST"},
        {120, "SIGNATURE_INVALID"},
        {140, "CONFIG_INVALID"},
    };
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
        assert_string_equal(err_info((enum err)given[i].number)->name, given[i].name);
}

static void test_an_unknown_number_reads_as_internal(void **state) {
    (void)state;
    assert_int_equal(err_info((enum err)9999)->code, ERR_INTERNAL);
    assert_int_equal(err_info((enum err) - 1)->code, ERR_INTERNAL);
}

static void test_setting_an_error_replaces_all_of_it_and_returns_false(void **state) {
    (void)state;
    struct error error = {0};
    assert_false(error_is(&error));
    error_field(&error, "a", "wrong");
    error.retry_after_ms = 7;
    assert_false(error_set(&error, ERR_STORE_FULL, "disk %d", 3));
    assert_true(error_is(&error));
    assert_int_equal(error.code, ERR_STORE_FULL);
    assert_string_equal(error.text, "disk 3");
    assert_int_equal(error.n_fields, 0);
    assert_int_equal(error.retry_after_ms, 0);
    error_set(&error, ERR_STORE_FULL, NULL);
    assert_string_equal(error.text, err_info(ERR_STORE_FULL)->text);
}

static void test_an_error_may_be_made_from_itself(void **state) {
    (void)state;
    struct error error = {0};
    error_set(&error, ERR_STORE_FULL, "disk full");
    error_set(&error, ERR_INTERNAL, "again: %s", error.text);
    assert_string_equal(error.text, "again: disk full");
    error_within(&error, "after \"%s\"", error.text);
    assert_string_equal(error.text, "after \"again: disk full\": again: disk full");
}

static void test_the_chain_reads_outermost_first(void **state) {
    (void)state;
    struct error error = {0};
    error_set(&error, ERR_STORE_FULL, "disk is full");
    error_within(&error, "store");
    error_within(&error, "starting saga %s", "X");
    assert_string_equal(error.text, "starting saga X: store: disk is full");
    assert_int_equal(error.code, ERR_STORE_FULL);
}

static void test_a_chain_that_is_too_long_keeps_its_beginning(void **state) {
    (void)state;
    struct error error = {0};
    error_set(&error, ERR_INTERNAL, "inner");
    for (int i = 0; i < 100; i++)
        error_within(&error, "level %d", i);
    assert_true(str_starts(str_c(error.text), STR("level 99: level 98: ")));
    assert_int_equal(strlen(error.text), ERR_TEXT_MAX - 1);
    char wide[1000];
    memset(wide, 'w', sizeof wide);
    error_within(&error, "%.*s", (int)sizeof wide, wide);
    assert_int_equal(strlen(error.text), ERR_TEXT_MAX - 1);
    assert_int_equal(strspn(error.text, "w"), ERR_TEXT_MAX - 1);
}

static void test_texts_are_utf8_whatever_they_were_made_from(void **state) {
    (void)state;
    struct seeded seeded = {91};
    for (int round = 0; round < 5000; round++) {
        struct error error = {0};
        char bytes[300];
        int len = (int)seeded_below(&seeded, sizeof bytes);
        seeded_bytes(&seeded, bytes, (uint64_t)len);
        for (int i = 0; i < len; i++)
            bytes[i] = bytes[i] ? bytes[i] : 'x';
        char path[301];
        snprintf(path, sizeof path, "%.*s", len, bytes);
        error_field(&error, path, "%.*s", len, bytes);
        error_set(&error, ERR_INTERNAL, "%.*s", len, bytes);
        assert_true(str_is_utf8(str_c(error.text)));
        error_within(&error, "%.*s", len / 3, bytes);
        assert_true(str_is_utf8(str_c(error.text)));
        error_field(&error, path, "%.*s", len, bytes);
        assert_true(str_is_utf8(str_c(error.fields[0].path)));
        assert_true(str_is_utf8(str_c(error.fields[0].what)));
    }
}

// `character` again and again, behind `lead` bytes, far beyond what an error holds.
static void assert_cut_between(const char *character, size_t lead) {
    struct error error = {0};
    char text[ERR_TEXT_MAX + 40] = "xxxx";
    size_t len = strlen(character);
    for (size_t at = lead; at + len < sizeof text; at += len)
        memcpy(text + at, character, len + 1);
    error_set(&error, ERR_INTERNAL, "%s", text);
    size_t kept = strlen(error.text);
    assert_int_equal((kept - lead) % len, 0);
    assert_true(kept > ERR_TEXT_MAX - 1 - len);
    assert_null(strchr(error.text, '?'));
}

static void test_a_text_is_cut_between_characters(void **state) {
    (void)state;
    for (size_t lead = 0; lead < 4; lead++) {
        assert_cut_between("é", lead);
        assert_cut_between("油", lead);
        assert_cut_between("⛽", lead);
        assert_cut_between("😀", lead);
    }
}

static void test_stray_bytes_become_question_marks(void **state) {
    (void)state;
    struct error error = {0};
    error_set(&error, ERR_INTERNAL, "%s",
              "a\xff"
              "b\xe6\xb2");
    assert_string_equal(error.text, "a?b??");
}

static void test_fields_are_collected_up_to_a_bound_and_counted_beyond(void **state) {
    (void)state;
    struct error error = {0};
    for (int i = 0; i < ERR_FIELDS_MAX + 5; i++) {
        char path[32];
        snprintf(path, sizeof path, "lines[%d].quantity", i);
        error_field(&error, path, "must be at least %d", i);
    }
    assert_int_equal(error.code, ERR_INVALID_REQUEST);
    assert_int_equal(error.n_fields, ERR_FIELDS_MAX + 5);
    assert_string_equal(error.fields[0].path, "lines[0].quantity");
    assert_string_equal(error.fields[ERR_FIELDS_MAX - 1].what, "must be at least 7");
    assert_string_equal(error.text, err_info(ERR_INVALID_REQUEST)->text);
}

static void test_a_field_replaces_an_error_of_another_kind(void **state) {
    (void)state;
    struct error error = {0};
    error_set(&error, ERR_INTERNAL, "other");
    error_field(&error, "gid", "is missing");
    assert_int_equal(error.code, ERR_INVALID_REQUEST);
    assert_int_equal(error.n_fields, 1);
}

static void test_every_outcome_has_its_name(void **state) {
    (void)state;
    assert_string_equal(outcome_name(OUTCOME_OK), "OK");
    assert_string_equal(outcome_name(OUTCOME_REJECTED), "REJECTED");
    assert_string_equal(outcome_name(OUTCOME_RETRY), "RETRY");
    assert_string_equal(outcome_name(OUTCOME_UNKNOWN), "UNKNOWN");
    assert_string_equal(outcome_name((enum outcome)9), "?");
}

static void test_every_grpc_status_has_its_name(void **state) {
    (void)state;
    assert_string_equal(err_status_name(0), "OK");
    assert_string_equal(err_status_name(4), "DEADLINE_EXCEEDED");
    assert_string_equal(err_status_name(9), "FAILED_PRECONDITION");
    assert_string_equal(err_status_name(16), "UNAUTHENTICATED");
    assert_string_equal(err_status_name(17), "?");
    assert_string_equal(err_status_name(-1), "?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_grpc_status_has_its_name),
        cmocka_unit_test(test_every_row_is_whole_and_no_name_or_number_is_used_twice),
        cmocka_unit_test(test_numbers_that_were_given_out_stay),
        cmocka_unit_test(test_an_unknown_number_reads_as_internal),
        cmocka_unit_test(test_setting_an_error_replaces_all_of_it_and_returns_false),
        cmocka_unit_test(test_an_error_may_be_made_from_itself),
        cmocka_unit_test(test_the_chain_reads_outermost_first),
        cmocka_unit_test(test_a_chain_that_is_too_long_keeps_its_beginning),
        cmocka_unit_test(test_texts_are_utf8_whatever_they_were_made_from),
        cmocka_unit_test(test_a_text_is_cut_between_characters),
        cmocka_unit_test(test_stray_bytes_become_question_marks),
        cmocka_unit_test(test_fields_are_collected_up_to_a_bound_and_counted_beyond),
        cmocka_unit_test(test_a_field_replaces_an_error_of_another_kind),
        cmocka_unit_test(test_every_outcome_has_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
