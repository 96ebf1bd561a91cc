#include "store/sql.h"

#include "store/row.h"
#include "store/schema.h"

#include <assert.h>

static void name(struct buf *sql, enum sql_dialect dialect, const char *text) {
    char quote = dialect == SQL_SQLITE ? '"' : '`';
    buf_byte(sql, quote); // a statement has dozens of names, and each read makes one: not by printf
    buf_append(sql, str_c(text));
    buf_byte(sql, quote);
}

const char *sql_now_ms(enum sql_dialect dialect) {
    // UTC_TIMESTAMP knows no time zone and no hour that comes twice.
    return dialect == SQL_SQLITE ? "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
                                 : "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)";
}

// ---- Definitions ------------------------------------------------------------------------------------------------

static void column_definition(struct buf *sql, enum sql_dialect dialect, const struct store_column *column) {
    name(sql, dialect, column->name);
    bool sqlite = dialect == SQL_SQLITE;
    switch (column->type) {
    case STORE_I64: buf_printf(sql, " %s NOT NULL DEFAULT 0", sqlite ? "INTEGER" : "BIGINT"); break;
    case STORE_I32: buf_printf(sql, " %s NOT NULL DEFAULT 0", sqlite ? "INTEGER" : "INT"); break;
    case STORE_TEXT:
        if (sqlite)
            buf_printf(sql, " TEXT NOT NULL DEFAULT ''");
        else
            buf_printf(sql, " VARBINARY(%u) NOT NULL DEFAULT ''", column->max);
        break;
    case STORE_BLOB:
        // MySQL takes no default for a blob; rows that are there already get the empty one all the same.
        if (sqlite)
            buf_printf(sql, " BLOB NOT NULL DEFAULT x''");
        else
            buf_printf(sql, " %s NOT NULL", column->max > 65535 ? "MEDIUMBLOB" : "BLOB");
        break;
    }
}

static void key_columns(struct buf *sql, enum sql_dialect dialect, const struct store_table *table) {
    for (size_t i = 0; i < table->n_key; i++) {
        buf_append(sql, i ? STR(", ") : STR(""));
        name(sql, dialect, table->columns[i].name);
    }
}

// SQLite: whether the rows lie in the order in which they came, beside a tree of their keys, or in that tree. A tree of
// keys can't hold large rows well: a quarter of a page each, the rest on a page of its own; and each new row goes to
// another page, all of which are written at the next commit.
static bool has_rowid(const struct store_table *table) {
    for (size_t i = 0; i < table->n_columns; i++)
        if (table->columns[i].type == STORE_BLOB)
            return true;
    return false;
}

void sql_create_table(struct buf *sql, enum sql_dialect dialect, const struct store_table *table) {
    buf_append(sql, STR("CREATE TABLE "));
    name(sql, dialect, table->name);
    buf_append(sql, STR(" ("));
    for (size_t i = 0; i < table->n_columns; i++) {
        column_definition(sql, dialect, &table->columns[i]);
        buf_append(sql, STR(", "));
    }
    buf_append(sql, STR("PRIMARY KEY ("));
    key_columns(sql, dialect, table);
    if (dialect == SQL_MYSQL)
        buf_append(sql, STR(")) ENGINE=InnoDB ROW_FORMAT=DYNAMIC"));
    else
        buf_append(sql, has_rowid(table) ? STR("))") : STR(")) WITHOUT ROWID"));
}

// Which rows are in the index. In numbers, not parameters: a query that says the same may use it.
static bool bounds(struct buf *sql, enum sql_dialect dialect, const struct store_index *index, bool some) {
    const struct {
        const char *sign;
        int64_t value;
    } each[] = {{">=", index->least}, {"<=", index->most}};
    for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
        if (each[i].value == 0)
            continue;
        buf_append(sql, some ? STR(" AND ") : STR(" WHERE "));
        name(sql, dialect, index->columns[index->bounded]);
        buf_printf(sql, " %s %lld", each[i].sign, (long long)each[i].value);
        some = true;
    }
    return some;
}

// Lists end in the key. InnoDB has it in each index anyway; TiDB does, too, but reads in the order of what is named
// only.
static void rest_of_key(struct buf *sql, enum sql_dialect dialect, const struct store_table *table,
                        const struct store_index *index) {
    for (size_t i = 0; i < table->n_key; i++) {
        if (schema_index_has(index, table->columns[i].name))
            continue;
        buf_append(sql, STR(", "));
        name(sql, dialect, table->columns[i].name);
    }
}

void sql_create_index(struct buf *sql, enum sql_dialect dialect, const struct store_table *table,
                      const struct store_index *index) {
    buf_append(sql, STR("CREATE INDEX "));
    name(sql, dialect, index->name);
    buf_append(sql, STR(" ON "));
    name(sql, dialect, table->name);
    size_t n = schema_index_columns(index);
    for (size_t i = 0; i < n; i++) {
        buf_append(sql, i ? STR(", ") : STR(" ("));
        name(sql, dialect, index->columns[i]);
    }
    if (dialect == SQL_MYSQL || has_rowid(table)) // else SQLite has it in each index anyway
        rest_of_key(sql, dialect, table, index);
    buf_byte(sql, ')');
    if (dialect == SQL_SQLITE)
        bounds(sql, dialect, index, false);
}

void sql_add_column(struct buf *sql, enum sql_dialect dialect, const struct store_table *table,
                    const struct store_column *column) {
    buf_append(sql, STR("ALTER TABLE "));
    name(sql, dialect, table->name);
    buf_append(sql, STR(" ADD COLUMN "));
    column_definition(sql, dialect, column);
}

// ---- Writes -----------------------------------------------------------------------------------------------------

static void replace_column(struct buf *sql, enum sql_dialect dialect, const struct store_column *column) {
    name(sql, dialect, column->name);
    buf_append(sql, dialect == SQL_SQLITE ? STR(" = excluded.") : STR(" = VALUES("));
    name(sql, dialect, column->name);
    buf_append(sql, dialect == SQL_SQLITE ? STR("") : STR(")"));
}

// A fixed column is not assigned to, and so costs no write to the indexes that are made of such columns alone.
static void replace_columns(struct buf *sql, enum sql_dialect dialect, const struct store_table *table) {
    bool sqlite = dialect == SQL_SQLITE;
    if (!schema_changes(table) && sqlite) {
        buf_append(sql, STR(" ON CONFLICT DO NOTHING"));
        return;
    }
    if (sqlite) {
        buf_append(sql, STR(" ON CONFLICT ("));
        key_columns(sql, dialect, table);
        buf_append(sql, STR(") DO UPDATE SET "));
    } else {
        buf_append(sql, STR(" ON DUPLICATE KEY UPDATE "));
    }
    // A row that never changes is left as it is by setting the key's first column to what it is.
    if (!schema_changes(table))
        replace_column(sql, dialect, &table->columns[0]);
    bool some = false;
    for (size_t i = table->n_key; i < table->n_columns; i++) {
        if (table->columns[i].fixed)
            continue;
        buf_append(sql, some ? STR(", ") : STR(""));
        replace_column(sql, dialect, &table->columns[i]);
        some = true;
    }
}

// OR FAIL spares SQLite a copy of what the rows before the one that fails have changed: the transaction is rolled back.
static void insert(struct buf *sql, enum sql_dialect dialect, const struct store_table *table, bool replaces,
                   size_t rows) {
    buf_append(sql, dialect == SQL_SQLITE && !replaces ? STR("INSERT OR FAIL INTO ") : STR("INSERT INTO "));
    name(sql, dialect, table->name);
    for (size_t i = 0; i < table->n_columns; i++) {
        buf_append(sql, i ? STR(", ") : STR(" ("));
        name(sql, dialect, table->columns[i].name);
    }
    buf_append(sql, STR(") VALUES "));
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < table->n_columns; i++)
            buf_append(sql, i ? STR(", ?") : r ? STR(", (?") : STR("(?"));
        buf_byte(sql, ')');
    }
}

static void delete (struct buf *sql, enum sql_dialect dialect, const struct store_table *table, size_t rows) {
    buf_append(sql, STR("DELETE FROM "));
    name(sql, dialect, table->name);
    for (size_t r = 0; r < rows; r++) {
        buf_append(sql, r ? STR(" OR (") : STR(" WHERE ("));
        for (size_t i = 0; i < table->n_key; i++) {
            buf_append(sql, i ? STR(" AND ") : STR(""));
            name(sql, dialect, table->columns[i].name);
            buf_append(sql, STR(" = ?"));
        }
        buf_byte(sql, ')');
    }
}

void sql_write(struct buf *sql, enum sql_dialect dialect, const struct store_table *table, enum store_verb verb,
               size_t rows) {
    if (verb == STORE_DELETE) {
        delete (sql, dialect, table, rows);
        return;
    }
    insert(sql, dialect, table, verb == STORE_PUT, rows);
    if (verb == STORE_PUT)
        replace_columns(sql, dialect, table);
}

void sql_update(struct buf *sql, const struct store_table *table) {
    buf_append(sql, STR("UPDATE "));
    name(sql, SQL_SQLITE, table->name);
    bool some = false;
    for (size_t i = table->n_key; i < table->n_columns; i++) {
        if (table->columns[i].fixed)
            continue;
        buf_append(sql, some ? STR(", ") : STR(" SET "));
        name(sql, SQL_SQLITE, table->columns[i].name);
        buf_printf(sql, " = ?%zu", i + 1);
        some = true;
    }
    for (size_t i = 0; i < table->n_key; i++) {
        buf_append(sql, i ? STR(" AND ") : STR(" WHERE "));
        name(sql, SQL_SQLITE, table->columns[i].name);
        buf_printf(sql, " = ?%zu", i + 1);
    }
}

// ---- Reads ------------------------------------------------------------------------------------------------------

static void integer_param(struct sql_params *params, int64_t value) {
    assert(params->n < SQL_PARAMS_MAX);
    params->list[params->n++] = (struct sql_param){.integer = value};
}

static void text_param(struct sql_params *params, struct str value) {
    assert(params->n < SQL_PARAMS_MAX);
    params->list[params->n++] = (struct sql_param){.is_text = true, .text = value};
}

static void row_param(struct sql_params *params, const struct store_column *column, const void *row) {
    if (column->type == STORE_TEXT)
        text_param(params, row_bytes(column, row));
    else
        integer_param(params, row_integer(column, row));
}

static void compare(struct buf *sql, enum sql_dialect dialect, const char *column, const char *operator) {
    name(sql, dialect, column);
    buf_printf(sql, " %s ?", operator);
}

// As a range, so that an index serves it.
static bool prefix(struct buf *sql, enum sql_dialect dialect, const struct store_cond *cond, struct arena *arena,
                   struct sql_params *params) {
    compare(sql, dialect, cond->column, ">=");
    text_param(params, cond->text);
    char *end = arena_alloc(arena, cond->text.len + 1);
    if (!end)
        return false;
    size_t length = query_prefix_end(cond->text, end);
    if (length > 0) {
        buf_append(sql, STR(" AND "));
        compare(sql, dialect, cond->column, "<");
        text_param(params, str_n(end, length));
    }
    return true;
}

static bool condition(struct buf *sql, enum sql_dialect dialect, const struct store_query *query,
                      const struct store_cond *cond, struct arena *arena, struct sql_params *params) {
    static const char *const operators[] = {
        [STORE_EQ] = "=", [STORE_NE] = "<>", [STORE_LT] = "<", [STORE_LE] = "<=", [STORE_GT] = ">", [STORE_GE] = ">="};
    if (cond->cmp == STORE_PREFIX)
        return prefix(sql, dialect, cond, arena, params);
    compare(sql, dialect, cond->column, operators[cond->cmp]);
    if (schema_column(query->table, cond->column)->type == STORE_TEXT)
        text_param(params, cond->text);
    else
        integer_param(params, cond->integer);
    return true;
}

// (a, b, c) > (?, ?, ?), which SQLite finds in an index.
static void after_as_row(struct buf *sql, const struct store_query *query, const struct query_order *order,
                         struct sql_params *params) {
    for (size_t i = 0; i < order->n; i++) {
        buf_append(sql, i ? STR(", ") : STR("("));
        name(sql, SQL_SQLITE, order->columns[i]->name);
    }
    buf_append(sql, query->descending ? STR(") < (") : STR(") > ("));
    for (size_t i = 0; i < order->n; i++) {
        buf_append(sql, i ? STR(", ?") : STR("?"));
        row_param(params, order->columns[i], query->after);
    }
    buf_byte(sql, ')');
}

// a >= ? AND (a > ? OR (b >= ? AND (b > ? OR (c > ?)))): MariaDB makes a range only of the first comparison of this,
// and none of row values. Inside the first OR's other branch a = ? holds already.
static void after_expanded(struct buf *sql, const struct store_query *query, const struct query_order *order,
                           struct sql_params *params) {
    const char *beyond = query->descending ? "<" : ">", *from = query->descending ? "<=" : ">=";
    for (size_t i = 0; i + 1 < order->n; i++) {
        compare(sql, SQL_MYSQL, order->columns[i]->name, from);
        row_param(params, order->columns[i], query->after);
        buf_append(sql, STR(" AND ("));
        compare(sql, SQL_MYSQL, order->columns[i]->name, beyond);
        row_param(params, order->columns[i], query->after);
        buf_append(sql, STR(" OR "));
    }
    compare(sql, SQL_MYSQL, order->columns[order->n - 1]->name, beyond);
    row_param(params, order->columns[order->n - 1], query->after);
    for (size_t i = 0; i + 1 < order->n; i++)
        buf_byte(sql, ')');
}

static bool where(struct buf *sql, enum sql_dialect dialect, const struct store_query *query,
                  const struct query_order *order, struct arena *arena, struct sql_params *params) {
    bool some = query->order && bounds(sql, dialect, query->order, false);
    for (size_t i = 0; i < STORE_CONDS_MAX; i++) {
        if (!query->conds[i].column)
            continue;
        buf_append(sql, some ? STR(" AND ") : STR(" WHERE "));
        some = true;
        if (!condition(sql, dialect, query, &query->conds[i], arena, params))
            return false;
    }
    if (order->rest == QUERY_ALL)
        return true;
    buf_append(sql, some ? STR(" AND ") : STR(" WHERE "));
    if (order->rest == QUERY_NOTHING)
        buf_append(sql, STR("1 = 0"));
    else if (dialect == SQL_SQLITE)
        after_as_row(sql, query, order, params);
    else
        after_expanded(sql, query, order, params);
    return true;
}

bool sql_select(struct buf *sql, enum sql_dialect dialect, const struct store_query *query, struct arena *arena,
                struct sql_params *ret_params) {
    struct query_order order;
    query_order(query, &order);
    struct sql_params params = {0};
    buf_append(sql, STR("SELECT "));
    bool counts_some = query->count && query->limit > 0;
    if (query->count)
        buf_append(sql, counts_some ? STR("COUNT(*) FROM (SELECT 1") : STR("COUNT(*)"));
    for (size_t i = 0; !query->count && i < query->table->n_columns; i++) {
        buf_append(sql, i ? STR(", ") : STR(""));
        name(sql, dialect, query->table->columns[i].name);
    }
    buf_append(sql, STR(" FROM "));
    name(sql, dialect, query->table->name);
    if (query->order && (!query->count || counts_some)) {
        // Else a database that knows no better sorts all that some other condition leaves.
        buf_append(sql, dialect == SQL_SQLITE ? STR(" INDEXED BY ") : STR(" FORCE INDEX ("));
        name(sql, dialect, query->order->name);
        buf_append(sql, dialect == SQL_SQLITE ? STR("") : STR(")"));
    }
    if (!where(sql, dialect, query, &order, arena, &params))
        return false;
    for (size_t i = 0; !query->count && i < order.n; i++) {
        buf_append(sql, i ? STR(", ") : STR(" ORDER BY "));
        name(sql, dialect, order.columns[i]->name);
        buf_append(sql, query->descending ? STR(" DESC") : STR(""));
    }
    if (!query->count || counts_some) {
        buf_append(sql, counts_some ? STR(" LIMIT ?) AS counted") : STR(" LIMIT ?"));
        integer_param(&params, query->limit);
    }
    *ret_params = params;
    return true;
}
