// The SQL that descriptions give: what it says, and that an index serves it.
#include "store/sql.h"
#include "tests/cmocka.h"
#include "tests/store/items.h"
#include "tests/store/query_plan.h"

#include <stdio.h>

static struct buf sql;

static int set_up(void **state) {
    (void)state;
    buf_init(&sql, 1 << 20);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    buf_release(&sql);
    return 0;
}

static void assert_sql(const char *expected) {
    assert_string_equal(sql.ptr, expected);
    buf_clear(&sql);
}

static void test_definitions(void **state) {
    (void)state;
    sql_create_table(&sql, SQL_SQLITE, &item_table);
    assert_sql("CREATE TABLE \"item\" (\"id\" TEXT NOT NULL DEFAULT '', \"owner\" TEXT NOT NULL DEFAULT '', "
               "\"amount\" INTEGER NOT NULL DEFAULT 0, \"rank\" INTEGER NOT NULL DEFAULT 0, "
               "\"body\" BLOB NOT NULL DEFAULT x'', \"note\" TEXT NOT NULL DEFAULT '', "
               "PRIMARY KEY (\"id\"))");
    sql_create_table(&sql, SQL_SQLITE, &pair_table);
    assert_sql("CREATE TABLE \"pair\" (\"name\" TEXT NOT NULL DEFAULT '', \"n\" INTEGER NOT NULL DEFAULT 0, "
               "\"value\" INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (\"name\", \"n\")) WITHOUT ROWID");
    sql_create_table(&sql, SQL_MYSQL, &pair_table);
    assert_sql("CREATE TABLE `pair` (`name` VARBINARY(16) NOT NULL DEFAULT '', `n` BIGINT NOT NULL DEFAULT 0, "
               "`value` INT NOT NULL DEFAULT 0, PRIMARY KEY (`name`, `n`)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC");
    sql_create_index(&sql, SQL_MYSQL, &item_table, item_by_owner_amount);
    assert_sql("CREATE INDEX `item_by_owner_amount` ON `item` (`owner`, `amount`, `id`)");
    sql_create_index(&sql, SQL_SQLITE, &item_table, item_by_owner_amount);
    assert_sql("CREATE INDEX \"item_by_owner_amount\" ON \"item\" (\"owner\", \"amount\", \"id\")");
    sql_create_index(&sql, SQL_SQLITE, &item_table, item_by_amount);
    assert_sql("CREATE INDEX \"item_by_amount\" ON \"item\" (\"amount\", \"id\") "
               "WHERE \"amount\" >= 1 AND \"amount\" <= 1000");
    struct store_column large = {.name = "x", .type = STORE_BLOB, .max = 65536};
    sql_add_column(&sql, SQL_MYSQL, &item_table, &large);
    assert_sql("ALTER TABLE `item` ADD COLUMN `x` MEDIUMBLOB NOT NULL");
    sql_add_column(&sql, SQL_SQLITE, &item_table, &large);
    assert_sql("ALTER TABLE \"item\" ADD COLUMN \"x\" BLOB NOT NULL DEFAULT x''");
}

static void test_writes(void **state) {
    (void)state;
    sql_write(&sql, SQL_SQLITE, &pair_table, STORE_PUT, 1);
    assert_sql("INSERT INTO \"pair\" (\"name\", \"n\", \"value\") VALUES (?, ?, ?) "
               "ON CONFLICT (\"name\", \"n\") DO UPDATE SET \"value\" = excluded.\"value\"");
    sql_write(&sql, SQL_MYSQL, &pair_table, STORE_PUT, 2);
    assert_sql("INSERT INTO `pair` (`name`, `n`, `value`) VALUES (?, ?, ?), (?, ?, ?) "
               "ON DUPLICATE KEY UPDATE `value` = VALUES(`value`)");
    sql_write(&sql, SQL_MYSQL, &pair_table, STORE_INSERT, 1);
    assert_sql("INSERT INTO `pair` (`name`, `n`, `value`) VALUES (?, ?, ?)");
    sql_write(&sql, SQL_SQLITE, &pair_table, STORE_INSERT, 2);
    assert_sql("INSERT OR FAIL INTO \"pair\" (\"name\", \"n\", \"value\") VALUES (?, ?, ?), (?, ?, ?)");
    sql_write(&sql, SQL_MYSQL, &pair_table, STORE_DELETE, 2);
    assert_sql("DELETE FROM `pair` WHERE (`name` = ? AND `n` = ?) OR (`name` = ? AND `n` = ?)");
    sql_write(&sql, SQL_SQLITE, &mark_table, STORE_PUT, 1);
    assert_sql("INSERT INTO \"mark\" (\"name\", \"n\") VALUES (?, ?) ON CONFLICT DO NOTHING");
    sql_write(&sql, SQL_MYSQL, &mark_table, STORE_PUT, 1);
    assert_sql("INSERT INTO `mark` (`name`, `n`) VALUES (?, ?) ON DUPLICATE KEY UPDATE `name` = VALUES(`name`)");
}

// What never changes is not assigned to; a row of nothing else stays as it is.
static void test_fixed_columns(void **state) {
    (void)state;
    sql_write(&sql, SQL_SQLITE, &badge_table, STORE_PUT, 1);
    assert_non_null(strstr(sql.ptr, " ON CONFLICT (\"name\") DO UPDATE SET \"worn\" = excluded.\"worn\""));
    assert_null(strstr(sql.ptr, "excluded.\"maker\""));
    buf_clear(&sql);
    const struct store_column columns[] = {STORE_COL_TEXT(mark, name), STORE_COL_I32(mark, n, .fixed = true)};
    struct store_table table = mark_table;
    table.columns = columns;
    table.n_key = 1;
    sql_write(&sql, SQL_SQLITE, &table, STORE_PUT, 1);
    assert_sql("INSERT INTO \"mark\" (\"name\", \"n\") VALUES (?, ?) ON CONFLICT DO NOTHING");
    sql_write(&sql, SQL_MYSQL, &table, STORE_PUT, 1);
    assert_sql("INSERT INTO `mark` (`name`, `n`) VALUES (?, ?) ON DUPLICATE KEY UPDATE `name` = VALUES(`name`)");
}

// A cursor column that a condition fixes takes no part in order and cursor.
static void test_cursor(void **state) {
    (void)state;
    struct item after = item("k", "ann", 5, 1);
    struct store_query query = {.table = &pair_table, .limit = 3, .after = &(struct pair){"x", 7, 0}};
    struct sql_params params;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    assert_true(sql_select(&sql, SQL_SQLITE, &query, &arena, &params));
    assert_sql("SELECT \"name\", \"n\", \"value\" FROM \"pair\" WHERE (\"name\", \"n\") > (?, ?) "
               "ORDER BY \"name\", \"n\" LIMIT ?");
    assert_int_equal(params.n, 3);
    query.descending = true;
    assert_true(sql_select(&sql, SQL_MYSQL, &query, &arena, &params));
    assert_sql("SELECT `name`, `n`, `value` FROM `pair` WHERE `name` <= ? AND (`name` < ? OR `n` < ?) "
               "ORDER BY `name` DESC, `n` DESC LIMIT ?");
    assert_int_equal(params.n, 4);
    query = (struct store_query){.table = &item_table,
                                 .conds = {{.column = "owner", .cmp = STORE_EQ, .text = STR("ann")}},
                                 .order = item_by_owner_amount,
                                 .after = &after,
                                 .count = true};
    assert_true(sql_select(&sql, SQL_MYSQL, &query, &arena, &params));
    assert_sql("SELECT COUNT(*) FROM `item` WHERE `owner` = ? AND `amount` >= ? AND (`amount` > ? OR `id` > ?)");
    query.limit = 3;
    assert_true(sql_select(&sql, SQL_MYSQL, &query, &arena, &params));
    assert_sql("SELECT COUNT(*) FROM (SELECT 1 FROM `item` FORCE INDEX (`item_by_owner_amount`) "
               "WHERE `owner` = ? AND `amount` >= ? AND (`amount` > ? OR `id` > ?) LIMIT ?) AS counted");
    assert_int_equal(params.n, 5);
    arena_release(&arena);
}

// The order's index is the one that is used, whatever else the database would think of.
static void test_an_order_names_its_index(void **state) {
    (void)state;
    struct store_query query = {.table = &item_table, .limit = 3, .order = item_by_rank};
    struct sql_params params;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    assert_true(sql_select(&sql, SQL_SQLITE, &query, &arena, &params));
    assert_non_null(strstr(sql.ptr, " FROM \"item\" INDEXED BY \"item_by_rank\" ORDER BY "));
    buf_clear(&sql);
    assert_true(sql_select(&sql, SQL_MYSQL, &query, &arena, &params));
    assert_non_null(strstr(sql.ptr, " FROM `item` FORCE INDEX (`item_by_rank`) ORDER BY "));
    buf_clear(&sql);
    query.count = true;
    query.limit = 0;
    assert_true(sql_select(&sql, SQL_MYSQL, &query, &arena, &params));
    assert_sql("SELECT COUNT(*) FROM `item`");
    arena_release(&arena);
}

static void run(sqlite3 *db) {
    char *message = NULL;
    if (sqlite3_exec(db, sql.ptr, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql.ptr, message);
    buf_clear(&sql);
}

static void test_pages_come_from_an_index(void **state) {
    (void)state;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    sql_create_table(&sql, SQL_SQLITE, &item_table);
    run(db);
    sql_create_index(&sql, SQL_SQLITE, &item_table, item_by_rank);
    run(db);
    sql_create_index(&sql, SQL_SQLITE, &item_table, item_by_owner_amount);
    run(db);
    struct item after = item("k", "ann", 5, 1);
    const struct store_cond owner = {.column = "owner", .cmp = STORE_EQ, .text = STR("ann")};
    const struct store_cond late = {.column = "amount", .cmp = STORE_LE, .integer = 9};
    const struct store_cond begins = {.column = "owner", .cmp = STORE_PREFIX, .text = STR("an")};
    const struct store_query queries[] = {
        {.table = &item_table, .limit = 9, .after = &after},
        {.table = &item_table, .limit = 9, .after = &after, .order = item_by_rank},
        {.table = &item_table, .limit = 9, .after = &after, .order = item_by_rank, .descending = true},
        {.table = &item_table, .limit = 9, .after = &after, .order = item_by_owner_amount, .conds = {owner, late}},
        {.table = &item_table, .limit = 9, .order = item_by_owner_amount, .conds = {owner, late}},
        {.table = &item_table, .limit = 9, .order = item_by_owner_amount, .conds = {begins}},
    };
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        char text[512];
        query_plan(db, &queries[i], text, sizeof text);
        if (strncmp(text, "SEARCH item USING", 17) != 0 || strstr(text, "TEMP B-TREE"))
            fail_msg("query %zu: %s", i, text);
    }
    sqlite3_close(db);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_definitions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_writes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fixed_columns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cursor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_order_names_its_index, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pages_come_from_an_index, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("store sql", tests, NULL, NULL);
}
