#include "store/migrate.h"

#include "store/row.h"
#include "store/schema.h"

enum { STATEMENT_MAX = 64 * 1024 };

// What exists of one table: names of its columns or indexes.
struct names {
    char list[STORE_COLUMNS_MAX * 2][STORE_NAME_MAX + 1];
    size_t n;
};

static void add_name(void *ctx, const struct str *values, size_t n) {
    struct names *names = ctx;
    (void)n;
    if (names->n < sizeof names->list / sizeof names->list[0] &&
        str_copy(values[0], names->list[names->n], sizeof names->list[0]))
        names->n++;
}

static bool has_name(const struct names *names, const char *name) {
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->list[i], name) == 0)
            return true;
    return false;
}

static const char *columns_query(enum sql_dialect dialect) {
    return dialect == SQL_SQLITE ? "SELECT name FROM pragma_table_info(?)"
                                 : "SELECT column_name FROM information_schema.columns "
                                   "WHERE table_schema = DATABASE() AND table_name = ?";
}

static const char *indexes_query(enum sql_dialect dialect) {
    return dialect == SQL_SQLITE ? "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?"
                                 : "SELECT DISTINCT index_name FROM information_schema.statistics "
                                   "WHERE table_schema = DATABASE() AND table_name = ?";
}

static bool look(struct sql_session *session, const char *query, const struct store_table *table,
                 struct names *ret_names, struct error *error) {
    struct sql_param param = sql_text(table->name);
    *ret_names = (struct names){0};
    return session->run(session, query, &param, 1, add_name, ret_names, NULL, error) == BACKEND_OK;
}

static bool run_buf(struct sql_session *session, const struct buf *sql, struct error *error) {
    if (sql->failed)
        return error_set(error, ERR_INTERNAL, "a statement is longer than %d bytes", STATEMENT_MAX);
    enum backend_result result = session->run(session, sql->ptr, NULL, 0, NULL, NULL, NULL, error);
    // CONFLICT: where the lock is not to be had (Galera), another process made it just now.
    return result == BACKEND_OK || result == BACKEND_CONFLICT;
}

static bool add_columns(struct sql_session *session, const struct store_table *table, const struct names *there,
                        struct buf *sql, struct error *error) {
    for (size_t i = 0; i < table->n_columns; i++) {
        const struct store_column *column = &table->columns[i];
        if (has_name(there, column->name))
            continue;
        if (column->since <= table->since)
            return error_set(error, ERR_CONFIG_INVALID,
                             "table %s has no column %s, which its description does not say came later", table->name,
                             column->name);
        buf_clear(sql);
        sql_add_column(sql, session->dialect, table, column);
        if (!run_buf(session, sql, error))
            return false;
    }
    return true;
}

static bool migrate_table(struct sql_session *session, const struct store_table *table, struct buf *sql,
                          struct error *error) {
    struct names there;
    if (!look(session, columns_query(session->dialect), table, &there, error))
        return false;
    if (there.n == 0) {
        buf_clear(sql);
        sql_create_table(sql, session->dialect, table);
        if (!run_buf(session, sql, error))
            return false;
    } else if (!add_columns(session, table, &there, sql, error)) {
        return false;
    }
    if (table->n_indexes && !look(session, indexes_query(session->dialect), table, &there, error))
        return false;
    for (size_t i = 0; i < table->n_indexes; i++) {
        if (has_name(&there, table->indexes[i].name))
            continue;
        buf_clear(sql);
        sql_create_index(sql, session->dialect, table, &table->indexes[i]);
        if (!run_buf(session, sql, error))
            return false;
    }
    return true;
}

static void keep_integer(void *ctx, const struct str *values, size_t n) {
    (void)n;
    str_to_i64(values[0], ctx);
}

// The stored version, 0 when there is none yet; refused when it is newer.
static bool check_version(struct sql_session *session, int64_t ours, struct error *error) {
    struct names there;
    if (!look(session, columns_query(session->dialect), &store_schema_table, &there, error))
        return false;
    if (there.n == 0)
        return true;
    int64_t stored = 0;
    struct sql_param name = sql_text(SCHEMA_NAME);
    if (session->run(session, "SELECT version FROM schema_version WHERE name = ?", &name, 1, keep_integer, &stored,
                     NULL, error) != BACKEND_OK)
        return false;
    if (stored > ours)
        return error_set(error, ERR_CONFIG_INVALID,
                         "the database's schema has version %lld, this program knows %lld: it is older than the one "
                         "that used the database last",
                         (long long)stored, (long long)ours);
    return true;
}

static bool store_version(struct sql_session *session, int64_t version, struct buf *sql, struct error *error) {
    struct sql_param params[] = {sql_text(SCHEMA_NAME), sql_integer(version)};
    buf_clear(sql);
    sql_write(sql, session->dialect, &store_schema_table, STORE_PUT, 1);
    return session->run(session, sql->ptr, params, 2, NULL, NULL, NULL, error) == BACKEND_OK;
}

static enum backend_result insert_slots(struct sql_session *session, struct buf *sql, struct error *error) {
    buf_clear(sql);
    sql_write(sql, session->dialect, &store_slot_table, STORE_INSERT, 1);
    for (int64_t slot = 0; slot < SLOT_COUNT; slot++) {
        struct sql_param params[] = {sql_integer(slot), sql_text("")};
        enum backend_result result = session->run(session, sql->ptr, params, 2, NULL, NULL, NULL, error);
        if (result != BACKEND_OK && result != BACKEND_CONFLICT)
            return result;
    }
    return BACKEND_OK;
}

static bool make_slots(struct sql_session *session, struct buf *sql, struct error *error) {
    int64_t there = 0;
    if (session->run(session, "SELECT COUNT(*) FROM slot", NULL, 0, keep_integer, &there, NULL, error) != BACKEND_OK)
        return false;
    if (there == SLOT_COUNT)
        return true;
    // In SQLite all of the migration is one transaction already. Elsewhere each row would be synced by itself.
    if (session->dialect == SQL_SQLITE)
        return insert_slots(session, sql, error) == BACKEND_OK;
    enum backend_result result = session_begin(session, "START TRANSACTION", error);
    if (result == BACKEND_OK)
        result = insert_slots(session, sql, error);
    return session_end(session, result, error) == BACKEND_OK;
}

bool migrate_schema(struct sql_session *session, const struct store_table *const *tables, struct error *error) {
    int64_t version = schema_version(tables);
    struct buf sql;
    buf_init(&sql, STATEMENT_MAX);
    bool done = check_version(session, version, error);
    for (const struct store_table *const *table = tables; done && *table; table++)
        done = migrate_table(session, *table, &sql, error);
    done = done && make_slots(session, &sql, error) && store_version(session, version, &sql, error);
    buf_release(&sql);
    if (!done)
        error_within(error, "bringing the schema to version %lld", (long long)version);
    return done;
}
