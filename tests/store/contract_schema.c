// Opening over what an older or newer program left.
#include "tests/cmocka.h"
#include "tests/store/contract.h"
#include "tests/store/items.h"

#include <stdio.h>

// A table as it was, and as it became: an integer, a text and a blob more, an index more, and another table beside it.
// Newer than the store's own tables.
struct thing_1 {
    char id[17];
    int64_t a;
};
static const struct store_column columns_1[] = {STORE_COL_TEXT(thing_1, id), STORE_COL_I64(thing_1, a)};
static const struct store_table thing_1 = {.name = "thing",
                                           .row_size = sizeof(struct thing_1),
                                           .columns = columns_1,
                                           .n_columns = 2,
                                           .n_key = 1,
                                           .since = 100};

struct thing_2 {
    char id[17];
    int64_t a;
    int32_t b;
    char c[33];
    struct str d;
};
static const struct store_column columns_2[] = {
    STORE_COL_TEXT(thing_2, id),
    STORE_COL_I64(thing_2, a),
    STORE_COL_I32(thing_2, b, .since = 101),
    STORE_COL_TEXT(thing_2, c, .since = 101),
    STORE_COL_BLOB(thing_2, d, 100000, .since = 102),
};
static const struct store_index indexes_2[] = {{.name = "thing_by_b", .columns = {"b", "a"}, .since = 102}};
static const struct store_table thing_2 = {.name = "thing",
                                           .row_size = sizeof(struct thing_2),
                                           .columns = columns_2,
                                           .n_columns = 5,
                                           .n_key = 1,
                                           .indexes = indexes_2,
                                           .n_indexes = 1,
                                           .since = 100};
struct thing_note {
    char id[17];
    int64_t at_ms;
};
static const struct store_column note_columns[] = {STORE_COL_TEXT(thing_note, id), STORE_COL_I64(thing_note, at_ms)};
static const struct store_table note_table = {.name = "thing_note",
                                              .row_size = sizeof(struct thing_note),
                                              .columns = note_columns,
                                              .n_columns = 2,
                                              .n_key = 1,
                                              .since = 102};
static const struct store_table *const tables_1[] = {&thing_1, NULL};
static const struct store_table *const tables_2[] = {&thing_2, &note_table, NULL};

static void put_old_rows(struct bed *bed) {
    bed_close(bed);
    bed->variant->kind->destroy(bed);
    bed->variant->kind->create(bed);
    bed_open(bed, tables_1);
    for (int i = 0; i < 5; i++) {
        struct thing_1 row = {.a = i};
        snprintf(row.id, sizeof row.id, "old%d", i);
        bed_put(bed, &thing_1, &row);
    }
    bed_close(bed);
}

static void test_migration(struct bed *bed) {
    put_old_rows(bed);
    bed_open(bed, tables_2);
    struct thing_2 row = {.id = "new", .a = 9, .b = -1, .c = "text", .d = STR("blob")};
    bed_put(bed, &thing_2, &row);
    bed_put(bed, &note_table, &(struct thing_note){"new", 1});
    bed_reopen(bed); // nothing left to migrate
    struct answer answer = bed_read(bed, &(struct store_query){.table = &thing_2, .order = &indexes_2[0], .limit = 10});
    assert_int_equal(answer.code, ERR_OK);
    assert_int_equal(answer.n, 6);
    const struct thing_2 *rows = answer.rows;
    assert_string_equal(rows[0].id, "new");
    assert_string_equal(rows[0].c, "text");
    assert_true(str_eq_c(rows[0].d, "blob"));
    for (int i = 0; i < 5; i++) {
        assert_int_equal(rows[1 + i].a, i);
        assert_int_equal(rows[1 + i].b, 0);
        assert_string_equal(rows[1 + i].c, "");
        assert_int_equal(rows[1 + i].d.len, 0);
    }
}

static void test_newer_is_refused(struct bed *bed) {
    put_old_rows(bed);
    bed_open(bed, tables_2);
    bed_close(bed);
    struct error error = {0};
    assert_false(bed_try_open(bed, tables_1, &error));
    assert_int_equal(error.code, ERR_CONFIG_INVALID);
    assert_non_null(strstr(error.text, "version 102"));
    assert_non_null(strstr(error.text, "knows 100"));
    bed_open(bed, tables_2); // nothing was changed
}

// A column that was forgotten to be given a version is not quietly added.
static void test_undeclared_column(struct bed *bed) {
    put_old_rows(bed);
    struct store_column columns[5];
    memcpy(columns, columns_2, sizeof columns);
    columns[2].since = 0;
    struct store_table table = thing_2;
    table.columns = columns;
    const struct store_table *const tables[] = {&table, NULL};
    struct error error = {0};
    assert_false(bed_try_open(bed, tables, &error));
    assert_int_equal(error.code, ERR_CONFIG_INVALID);
    assert_non_null(strstr(error.text, "thing"));
}

static void test_bad_descriptions(struct bed *bed) {
    bed_close(bed);
    struct store_table table = thing_1;
    table.name = "slot"; // the store's own
    const struct store_table *const tables[] = {&table, NULL};
    struct error error = {0};
    assert_false(bed_try_open(bed, tables, &error));
    assert_int_equal(error.code, ERR_CONFIG_INVALID);
}

static void test_bad_names(struct bed *bed) {
    bed_close(bed);
    char name[STORE_INSTANCE_MAX + 2];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const char *const names[] = {"", name, "\xff"};
    for (size_t i = 0; i < 3; i++) {
        struct error error = {0};
        bed->options.instance = names[i];
        assert_false(bed_try_open(bed, item_tables, &error));
        assert_int_equal(error.code, ERR_CONFIG_INVALID);
    }
    bed->options.instance = "test-1";
    bed->options.address = NULL; // an instance that nobody can reach
    bed_open(bed, item_tables);
}

const struct contract_case contract_schema[] = {
    {.name = "a migration adds columns, indexes and tables, and keeps the rows", .run = test_migration},
    {.name = "a newer schema is refused and left alone", .run = test_newer_is_refused},
    {.name = "a column that came without a version is refused", .run = test_undeclared_column},
    {.name = "descriptions that make no sense are refused", .run = test_bad_descriptions},
    {.name = "an instance's name must fit", .run = test_bad_names},
    {0},
};
