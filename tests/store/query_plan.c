#include "tests/store/query_plan.h"

#include "store/sql.h"
#include "tests/cmocka.h"

#include <stdio.h>

void query_plan(sqlite3 *db, const struct store_query *query, char *out, size_t size) {
    struct sql_params params;
    struct arena arena;
    struct buf sql;
    arena_init(&arena, 1 << 20);
    buf_init(&sql, 1 << 20);
    buf_append(&sql, STR("EXPLAIN QUERY PLAN "));
    assert_true(sql_select(&sql, SQL_SQLITE, query, &arena, &params));
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql.ptr, -1, &statement, NULL), SQLITE_OK);
    out[0] = '\0';
    while (sqlite3_step(statement) == SQLITE_ROW) {
        size_t n = strlen(out);
        snprintf(out + n, size - n, "%s; ", (const char *)sqlite3_column_text(statement, 3));
    }
    sqlite3_finalize(statement);
    buf_release(&sql);
    arena_release(&arena);
}
