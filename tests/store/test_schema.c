// Descriptions: what is accepted, and what each mistake is told.
#include "store/schema.h"
#include "tests/cmocka.h"
#include "tests/store/items.h"

#include <stdio.h>
#include <stdlib.h>

struct row {
    char id[9];
    int64_t a;
    int32_t b;
    struct str c;
    char d[4001];
};

// A good description, to be spoilt.
struct description {
    struct store_column columns[5];
    struct store_index indexes[2];
    struct store_table table;
    const struct store_table *tables[2];
};

static struct description good(void) {
    return (struct description){
        .columns = {STORE_COL_TEXT(row, id), STORE_COL_I64(row, a), STORE_COL_I32(row, b), STORE_COL_BLOB(row, c, 100),
                    STORE_COL_TEXT(row, d)},
        .indexes = {{.name = "by_a", .columns = {"a"}}, {.name = "by_b_a", .columns = {"b", "a"}}},
        .table =
            {.name = "thing", .row_size = sizeof(struct row), .n_columns = 5, .n_key = 1, .n_indexes = 2, .since = 1},
    };
}

static bool check(struct description *description, struct error *error) {
    description->table.columns = description->columns;
    description->table.indexes = description->indexes;
    description->tables[0] = &description->table;
    return store_check_tables(description->tables, error);
}

static void assert_bad(struct description description, const char *said) {
    struct error error = {0};
    assert_false(check(&description, &error));
    assert_int_equal(error.code, ERR_CONFIG_INVALID);
    if (!strstr(error.text, said))
        fail_msg("\"%s\" is not in \"%s\"", said, error.text);
}

static void test_good(void **state) {
    (void)state;
    struct description description = good();
    struct error error = {0};
    assert_true(check(&description, &error));
    assert_true(store_check_tables(item_tables, &error));
}

#define ASSERT_BAD(said, ...)                                                                                          \
    do {                                                                                                               \
        struct description bad = good();                                                                               \
        __VA_ARGS__;                                                                                                   \
        assert_bad(bad, said);                                                                                         \
    } while (0)

static void test_names(void **state) {
    (void)state;
    char longest[STORE_NAME_MAX + 2];
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    ASSERT_BAD("no good name for a table", bad.table.name = "Thing");
    ASSERT_BAD("no good name for a table", bad.table.name = "");
    ASSERT_BAD("no good name for a table", bad.table.name = NULL);
    ASSERT_BAD("no good name for a table", bad.table.name = "1thing");
    ASSERT_BAD("no good name for a table", bad.table.name = longest);
    ASSERT_BAD("no good name for a column", bad.columns[1].name = "a\"b");
    ASSERT_BAD("no good name for a column", bad.columns[1].name = "a`b");
    ASSERT_BAD("two columns of this name", bad.columns[2].name = "a");
    ASSERT_BAD("no good name for an index", bad.indexes[0].name = "by-a");
    ASSERT_BAD("two indexes are named", bad.indexes[0].name = "by_b_a");
}

static void test_columns(void **state) {
    (void)state;
    ASSERT_BAD("unknown type", bad.columns[1].type = (enum store_type)9);
    ASSERT_BAD("needs a maximum", bad.columns[0].max = 0);
    ASSERT_BAD("a blob's maximum", bad.columns[3].max = 0);
    ASSERT_BAD("a blob's maximum", bad.columns[3].max = STORE_BLOB_BYTES_MAX + 1);
    ASSERT_BAD("does not lie within", bad.columns[1].offset = sizeof(struct row));
    ASSERT_BAD("does not lie within", bad.columns[4].max += 64);
    ASSERT_BAD("does not lie within", bad.columns[1].offset += 4);
    ASSERT_BAD("overlaps", bad.columns[1].offset = offsetof(struct row, c));
    ASSERT_BAD("overlaps", bad.columns[0].max = 16);
    ASSERT_BAD("bytes a row", bad.table.row_size = STORE_ROW_BYTES_MAX + 1);
    ASSERT_BAD("columns or", bad.table.n_columns = STORE_COLUMNS_MAX + 1);
}

static void test_keys(void **state) {
    (void)state;
    ASSERT_BAD("the key has 1 to", bad.table.n_key = 0);
    ASSERT_BAD("the key has 1 to", bad.table.n_key = STORE_KEY_COLUMNS_MAX + 1);
    ASSERT_BAD("a blob can't be in the key", bad.table.n_key = 4);
    ASSERT_BAD("a key can't get columns later", bad.columns[0].since = 2);
    ASSERT_BAD("the key is longer", struct store_column swapped = bad.columns[0]; bad.columns[0] = bad.columns[4];
               bad.columns[4] = swapped);
}

static void test_indexes(void **state) {
    (void)state;
    ASSERT_BAD("does not exist or is a blob", bad.indexes[0].columns[0] = "z");
    ASSERT_BAD("does not exist or is a blob", bad.indexes[0].columns[0] = "c");
    ASSERT_BAD("twice", bad.indexes[1].columns[1] = "b");
    ASSERT_BAD("has no columns", bad.indexes[0].columns[0] = NULL);
    ASSERT_BAD("is longer than", bad.indexes[0].columns[0] = "d");
    ASSERT_BAD("bytes with the key", bad.indexes[0].columns[0] = "d"; bad.columns[4].max = STORE_INDEX_BYTES_MAX - 1);
    ASSERT_BAD("older than its column", bad.columns[1].since = 3);
    ASSERT_BAD("only an integer has bounds", bad.indexes[0].columns[0] = "id"; bad.indexes[0].most = 1);
}

static void test_tables(void **state) {
    (void)state;
    ASSERT_BAD("counts from 1", bad.table.since = 0);
    const struct store_table *const twice[] = {&item_table, &pair_table, &item_table, NULL};
    struct error error = {0};
    assert_false(store_check_tables(twice, &error));
    assert_non_null(strstr(error.text, "two tables are named item"));
    const struct store_table *many[STORE_TABLES_MAX + 2] = {0};
    struct store_table copies[STORE_TABLES_MAX + 1];
    char names[STORE_TABLES_MAX + 1][8];
    for (int i = 0; i <= STORE_TABLES_MAX; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i);
        copies[i] = mark_table;
        copies[i].name = names[i];
        many[i] = &copies[i];
    }
    assert_false(store_check_tables(many, &error));
    assert_non_null(strstr(error.text, "more than"));
    many[STORE_TABLES_MAX] = NULL;
    assert_true(store_check_tables(many, &error));
}

static void test_own_tables_come_on_top(void **state) {
    (void)state;
    const struct store_table *const *all = NULL;
    struct error error = {0};
    assert_true(schema_with_own(item_tables, &all, &error));
    assert_ptr_equal(all[1], &store_instance_table);
    assert_ptr_equal(all[2], &store_slot_table);
    assert_ptr_equal(all[3], &item_table);
    assert_ptr_equal(all[6], &badge_table);
    assert_null(all[7]);
    assert_int_equal(schema_version(all), 4); // the newest column of the own tables
    free((void *)(uintptr_t)all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_indexes),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_own_tables_come_on_top),
    };
    return cmocka_run_group_tests_name("store schema", tests, NULL, NULL);
}
