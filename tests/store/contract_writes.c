// Single writes: verbs, values, limits.
#include "tests/cmocka.h"
#include "tests/store/contract.h"
#include "tests/store/items.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static void test_durable_when_called_back(struct bed *bed) {
    struct item row = item("a", "ann", 5, 1);
    row.body = STR("the body");
    bed_put(bed, &item_table, &row);
    assert_item(bed, &row);
    bed_reopen(bed);
    assert_item(bed, &row);
}

static void test_put_replaces(struct bed *bed) {
    struct item row = item("a", "ann", 5, 1);
    row.body = STR("first");
    snprintf(row.note, sizeof row.note, "a note");
    bed_put(bed, &item_table, &row);
    row = item("a", "bob", -6, 2);
    bed_put(bed, &item_table, &row);
    assert_item(bed, &row);
}

static void assert_badge(struct bed *bed, const struct badge *expected) {
    struct store_query query = {.table = &badge_table,
                                .conds = {{.column = "maker", .cmp = STORE_EQ, .text = str_c(expected->maker)}},
                                .order = badge_by_maker,
                                .limit = 2};
    struct answer answer = bed_read(bed, &query);
    assert_int_equal(answer.n, 1);
    const struct badge *row = answer.rows;
    assert_true(row->made_ms == expected->made_ms && row->worn == expected->worn);
    assert_true(str_eq(row->origin, expected->origin));
}

// Also when the row that is replaced was written by the same transaction, and not when it was deleted in between.
static void test_put_keeps_fixed(struct bed *bed) {
    struct badge first = {.name = "a", .made_ms = 5, .worn = 1, .origin = STR("first"), .maker = "ann"};
    struct badge second = {.name = "a", .made_ms = 6, .worn = 2, .origin = STR("second"), .maker = "bob"};
    bed_put(bed, &badge_table, &first);
    bed_put(bed, &badge_table, &second);
    first.worn = 2;
    assert_badge(bed, &first);
    struct store_write *write = store_write_new(bed->store);
    struct fate fate = {0};
    second.worn = 3;
    store_row(write, &badge_table, STORE_DELETE, &first);
    store_row(write, &badge_table, STORE_INSERT, &second);
    first.worn = second.worn = 4;
    store_row(write, &badge_table, STORE_PUT, &first);
    bed_submit(bed, write, NULL, &fate);
    bed_drain(bed);
    assert_int_equal(fate.code, ERR_OK);
    assert_badge(bed, &second);
}

static void test_insert_conflicts(struct bed *bed) {
    struct item row = item("a", "ann", 5, 1), other = item("a", "bob", 6, 2);
    struct fate first = {0}, second = {0};
    bed_write(bed, &item_table, STORE_INSERT, &row, NULL, &first);
    bed_write(bed, &item_table, STORE_INSERT, &other, NULL, &second);
    bed_drain(bed);
    assert_int_equal(first.code, ERR_OK);
    assert_int_equal(second.code, ERR_STORE_CONFLICT);
    assert_item(bed, &row);
}

static void test_delete(struct bed *bed) {
    struct item row = item("a", "ann", 5, 1), other = item("b", "ann", 5, 1);
    bed_put(bed, &item_table, &row);
    bed_put(bed, &item_table, &other);
    for (int i = 0; i < 2; i++) {
        struct fate fate = {0};
        bed_write(bed, &item_table, STORE_DELETE, &row, NULL, &fate);
        bed_drain(bed);
        assert_int_equal(fate.code, ERR_OK);
        assert_no_item(bed, "a");
    }
    assert_item(bed, &other);
}

static void test_composite_keys(struct bed *bed) {
    for (int64_t n = 0; n < 3; n++) {
        bed_put(bed, &pair_table, &(struct pair){"x", n, (int32_t)n});
        bed_put(bed, &pair_table, &(struct pair){"y", n, (int32_t)(10 + n)});
    }
    struct fate fate = {0};
    bed_write(bed, &pair_table, STORE_DELETE, &(struct pair){.name = "x", .n = 1}, NULL, &fate);
    bed_put(bed, &pair_table, &(struct pair){"y", 1, 99});
    struct answer all = bed_read(bed, &(struct store_query){.table = &pair_table, .limit = 10});
    const struct pair *rows = all.rows;
    assert_int_equal(all.n, 5);
    assert_true(rows[1].n == 2 && rows[1].value == 2);
    assert_true(rows[3].n == 1 && rows[3].value == 99);
}

static void test_all_key(struct bed *bed) {
    for (int i = 0; i < 2; i++)
        bed_put(bed, &mark_table, &(struct mark){"x", 7});
    struct answer all = bed_read(bed, &(struct store_query){.table = &mark_table, .limit = 10});
    assert_int_equal(all.n, 1);
    assert_int_equal(((const struct mark *)all.rows)->n, 7);
}

static void test_whole_or_not_at_all(struct bed *bed) {
    struct item old = item("old", "ann", 1, 1), fresh = item("new", "bob", 2, 2), gone = item("gone", "cid", 3, 3);
    bed_put(bed, &item_table, &old);
    bed_put(bed, &item_table, &gone);
    struct store_write *write = store_write_new(bed->store);
    struct item changed = old;
    changed.amount = 100;
    store_row(write, &item_table, STORE_PUT, &changed);
    store_row(write, &item_table, STORE_INSERT, &fresh);
    store_row(write, &item_table, STORE_DELETE, &gone);
    store_row(write, &item_table, STORE_INSERT, &old); // is there already
    assert_int_equal(store_write_rows(write), 4);
    struct fate fate = {0};
    bed_submit(bed, write, NULL, &fate);
    bed_drain(bed);
    assert_int_equal(fate.code, ERR_STORE_CONFLICT);
    assert_item(bed, &old);
    assert_item(bed, &gone);
    assert_no_item(bed, "new");
}

// Every verb on one key in one write; what is grouped into bulk statements must not change places.
static void test_order_within_write(struct bed *bed) {
    struct item row = item("a", "ann", 0, 1), other = item("b", "bob", 0, 2);
    struct store_write *write = store_write_new(bed->store);
    store_row(write, &item_table, STORE_INSERT, &row);
    for (row.amount = 1; row.amount < 5; row.amount++)
        store_row(write, &item_table, STORE_PUT, &row);
    store_row(write, &item_table, STORE_DELETE, &row);
    store_row(write, &item_table, STORE_INSERT, &row);
    store_row(write, &item_table, STORE_PUT, &other);
    store_row(write, &pair_table, STORE_PUT, &(struct pair){"x", 1, 1});
    row.amount = 6;
    store_row(write, &item_table, STORE_PUT, &row);
    row.amount = 7;
    store_row(write, &item_table, STORE_PUT, &row);
    store_row(write, &item_table, STORE_DELETE, &other);
    struct fate fate = {0};
    bed_submit(bed, write, NULL, &fate);
    bed_drain(bed);
    assert_int_equal(fate.code, ERR_OK);
    assert_item(bed, &row);
    assert_no_item(bed, "b");
}

// Each time another statement where several rows go by one; many more than are sent at once.
static void test_many_changes_of_a_row(struct bed *bed) {
    struct item row = item("a", "ann", 0, 1), there = item("b", "bob", 0, 2);
    struct fate fine = {0}, refused = {0};
    struct store_write *write = store_write_new(bed->store), *conflict = store_write_new(bed->store);
    bed_put(bed, &item_table, &there);
    for (row.amount = 1; row.amount <= 40; row.amount++) {
        store_row(write, &item_table, STORE_INSERT, &row);
        if (row.amount < 40)
            store_row(write, &item_table, STORE_DELETE, &row);
    }
    bed_submit(bed, write, NULL, &fine);
    bed_drain(bed);
    assert_int_equal(fine.code, ERR_OK);
    row.amount = 40;
    assert_item(bed, &row);
    for (row.amount = 50; row.amount < 90; row.amount++) {
        store_row(conflict, &item_table, STORE_DELETE, &row);
        store_row(conflict, &item_table, STORE_INSERT, row.amount == 52 ? &there : &row);
    }
    bed_submit(bed, conflict, NULL, &refused);
    bed_drain(bed);
    assert_int_equal(refused.code, ERR_STORE_CONFLICT);
    row.amount = 40;
    assert_item(bed, &row);
    assert_item(bed, &there);
}

static void test_text_limits(struct bed *bed) {
    struct item row = item("", "", 0, 0);
    memset(row.id, 'k', 32);
    memset(row.note, 'n', 64);
    bed_put(bed, &item_table, &row);
    assert_item(bed, &row);
    struct fate too_long = {0}, not_utf8 = {0}, key_too_long = {0};
    struct item bad = item("b", "ann", 0, 0);
    memset(bad.note, 'n', sizeof bad.note);
    bed_write(bed, &item_table, STORE_PUT, &bad, NULL, &too_long);
    bad = item("b", "ann\xff", 0, 0);
    bed_write(bed, &item_table, STORE_PUT, &bad, NULL, &not_utf8);
    memset(bad.id, 'k', sizeof bad.id);
    bed_write(bed, &item_table, STORE_DELETE, &bad, NULL, &key_too_long);
    assert_false(too_long.called || not_utf8.called || key_too_long.called);
    bed_drain(bed);
    assert_int_equal(too_long.code, ERR_STORE_REFUSED);
    assert_int_equal(not_utf8.code, ERR_STORE_REFUSED);
    assert_int_equal(key_too_long.code, ERR_STORE_REFUSED);
    assert_no_item(bed, "b");
    assert_item(bed, &row);
}

static void test_text_is_kept(struct bed *bed) {
    static const char *const texts[] = {
        "",         " ", "a", "a ", "A", "ä", "a\xCC\x88", "%", "交易号", "\xF0\x9F\x92\xB0", "quote ' \" ` \\",
        "\n\t\x01", "ÿ", "ss"};
    enum { N = sizeof texts / sizeof texts[0] };
    for (size_t i = 0; i < N; i++) {
        struct item row = item(texts[i], texts[i], (int64_t)i, 0);
        snprintf(row.note, sizeof row.note, "%s", texts[i]);
        struct fate fate = {0};
        bed_write(bed, &item_table, STORE_INSERT, &row, NULL, &fate); // none equals another
        bed_drain(bed);
        assert_int_equal(fate.code, ERR_OK);
    }
    for (size_t i = 0; i < N; i++) {
        struct item row = item(texts[i], texts[i], (int64_t)i, 0);
        snprintf(row.note, sizeof row.note, "%s", texts[i]);
        assert_item(bed, &row);
    }
}

static void test_blobs(struct bed *bed) {
    char bytes[ITEM_BODY_MAX + 1];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    const size_t sizes[] = {0, 1, 256, ITEM_BODY_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char id[8];
        snprintf(id, sizeof id, "b%zu", i);
        struct item row = item(id, "", 0, 0);
        row.body = sizes[i] ? str_n(bytes, sizes[i]) : STR_NONE;
        bed_put(bed, &item_table, &row);
        assert_item(bed, &row);
    }
    struct item row = item("b9", "", 0, 0);
    row.body = str_n(bytes, sizeof bytes);
    struct fate fate = {0};
    bed_write(bed, &item_table, STORE_PUT, &row, NULL, &fate);
    bed_drain(bed);
    assert_int_equal(fate.code, ERR_STORE_REFUSED);
}

static void test_integer_extremes(struct bed *bed) {
    const int64_t longs[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
    const int32_t ints[] = {INT32_MIN, -1, 0, 1, INT32_MAX};
    for (size_t i = 0; i < 5; i++) {
        char id[8];
        snprintf(id, sizeof id, "i%zu", i);
        struct item row = item(id, "x", longs[i], ints[i]);
        bed_put(bed, &item_table, &row);
        assert_item(bed, &row);
    }
    struct answer page =
        bed_read(bed, &(struct store_query){.table = &item_table, .order = item_by_owner_amount, .limit = 10});
    assert_int_equal(page.n, 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(((const struct item *)page.rows)[i].amount == longs[i]);
}

static void test_row_is_copied(struct bed *bed) {
    char bytes[] = "as it was";
    struct item row = item("a", "ann", 1, 1);
    row.body = str_c(bytes);
    struct store_write *write = store_write_new(bed->store);
    store_row(write, &item_table, STORE_PUT, &row);
    bytes[0] = 'X';
    row.amount = 2;
    struct fate fate = {0};
    bed_submit(bed, write, NULL, &fate);
    bed_drain(bed);
    struct item expected = item("a", "ann", 1, 1);
    expected.body = STR("as it was");
    assert_item(bed, &expected);
}

static void test_too_many_rows(struct bed *bed) {
    struct store_write *write = store_write_new(bed->store);
    for (int32_t i = 0; i <= STORE_WRITE_ROWS_MAX; i++)
        store_row(write, &mark_table, STORE_PUT, &(struct mark){"x", i});
    struct fate fate = {0};
    bed_submit(bed, write, NULL, &fate);
    bed_drain(bed);
    assert_int_equal(fate.code, ERR_STORE_REFUSED);
    assert_int_equal(bed_read(bed, &(struct store_query){.table = &mark_table, .count = true}).n, 0);
}

static void test_write_not_submitted(struct bed *bed) {
    struct item row = item("a", "ann", 1, 1);
    struct store_write *write = store_write_new(bed->store);
    store_row(write, &item_table, STORE_PUT, &row);
    store_write_free(write);
    store_write_free(NULL);
    write = store_write_new(bed->store);
    assert_int_equal(store_write_rows(write), 0);
    store_write_free(write);
    assert_no_item(bed, "a");
}

const struct contract_case contract_writes[] = {
    {.name = "a write is durable when its callback runs", .run = test_durable_when_called_back},
    {.name = "PUT replaces every column", .run = test_put_replaces},
    {.name = "PUT keeps the fixed columns of the row that it replaces", .run = test_put_keeps_fixed},
    {.name = "INSERT of an existing key fails with CONFLICT", .run = test_insert_conflicts},
    {.name = "DELETE goes by key, and missing is fine", .run = test_delete},
    {.name = "a key may have several columns", .run = test_composite_keys},
    {.name = "a table may be nothing but its key", .run = test_all_key},
    {.name = "[E13] a write commits whole or not at all", .run = test_whole_or_not_at_all},
    {.name = "rows of one write take effect in order", .run = test_order_within_write},
    {.name = "a row changes many times in one write", .run = test_many_changes_of_a_row},
    {.name = "a text that is too long or not UTF-8 is refused, never cut", .run = test_text_limits},
    {.name = "texts are kept and told apart byte by byte", .run = test_text_is_kept},
    {.name = "blobs keep NULs and emptiness", .run = test_blobs},
    {.name = "integers keep their extremes", .run = test_integer_extremes},
    {.name = "rows and blobs are copied when added", .run = test_row_is_copied},
    {.name = "a write with too many rows is refused whole", .run = test_too_many_rows},
    {.name = "a write that is not submitted has no effect", .run = test_write_not_submitted},
    {0},
};
