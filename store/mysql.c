// MariaDB, and what speaks its protocol: MySQL, Galera, TiDB: reading, opening, migrating. Writing is in mysql_write.c.
// The connections are opened with autocommit off for writing, so that the first statement begins the transaction, and
// on for reading, so that every SELECT sees what was committed last.
#include "store/claim.h"
#include "store/migrate.h"
#include "store/mysql_conn.h"
#include "store/mysql_error.h"
#include "store/mysql_write.h"
#include "store/row.h"

#include <errmsg.h>
#include <mysqld_error.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { MIGRATIONS_MAX = 5 }; // tries, where another process migrates at the same time

struct mysql_backend {
    struct store_backend base;
    struct store_mariadb_options options; // strings are copies
    mysql_weakness weakness;
    char warning[MYSQL_WARNING_MAX]; // that was asked for last
};

static bool mysql_revive(struct backend_conn *base, struct error *error) {
    return mysql_conn_revive((struct mysql_conn *)base, error);
}

static void mysql_close_conn(struct backend_conn *base) {
    mysql_conn_free((struct mysql_conn *)base);
}

// ---- Reading ----------------------------------------------------------------------------------------------------

// Where the columns of a row arrive.
struct arrival {
    MYSQL_BIND binds[STORE_COLUMNS_MAX];
    unsigned long lengths[STORE_COLUMNS_MAX];
    int64_t integers[STORE_COLUMNS_MAX];
    char *texts[STORE_COLUMNS_MAX];
};

// Texts arrive in buffers of their maximum; of blobs only the length, and then their bytes by themselves.
static void prepare_arrival(struct mysql_conn *conn, const struct store_table *table, struct arrival *arrival) {
    memset(arrival, 0, sizeof *arrival);
    for (size_t i = 0; i < table->n_columns; i++) {
        const struct store_column *column = &table->columns[i];
        MYSQL_BIND *bind = &arrival->binds[i];
        bind->length = &arrival->lengths[i];
        switch (column->type) {
        case STORE_I64:
        case STORE_I32:
            bind->buffer_type = MYSQL_TYPE_LONGLONG;
            bind->buffer = &arrival->integers[i];
            break;
        case STORE_TEXT:
            arrival->texts[i] = mysql_conn_scratch(conn, column->max + 1, 1);
            bind->buffer_type = MYSQL_TYPE_BLOB;
            bind->buffer = arrival->texts[i];
            bind->buffer_length = column->max + 1;
            break;
        case STORE_BLOB: bind->buffer_type = MYSQL_TYPE_BLOB; break;
        }
    }
}

static bool fetch_blob(struct mysql_conn *conn, MYSQL_STMT *statement, unsigned i, unsigned long length,
                       struct str *ret_blob) {
    if (length > conn->blob_cap) {
        free(conn->blob);
        conn->blob = malloc(length);
        if (!conn->blob)
            abort();
        conn->blob_cap = length;
    }
    unsigned long got = 0;
    MYSQL_BIND bind = {.buffer_type = MYSQL_TYPE_BLOB, .buffer = conn->blob, .buffer_length = length, .length = &got};
    if (length > 0 && mysql_stmt_fetch_column(statement, &bind, i, 0) != 0)
        return false;
    *ret_blob = str_n(conn->blob ? conn->blob : "", length);
    return true;
}

static bool load_row(struct mysql_conn *conn, MYSQL_STMT *statement, const struct arrival *arrival,
                     struct row_page *page, struct error *error) {
    void *row = row_page_add(page, error);
    if (!row)
        return false;
    for (unsigned i = 0; i < page->table->n_columns; i++) {
        const struct store_column *column = &page->table->columns[i];
        unsigned long length = arrival->lengths[i];
        struct str value = STR_NONE;
        bool loaded;
        if (column->type == STORE_I64 || column->type == STORE_I32)
            loaded = row_load_integer(page, column, row, arrival->integers[i], error);
        else if (column->type == STORE_TEXT)
            // Longer than the buffer is longer than the maximum, which is all that counts then.
            loaded = row_load_bytes(page, column, row, str_n(arrival->texts[i], length), error);
        else if (length > column->max || fetch_blob(conn, statement, i, length, &value))
            loaded = row_load_bytes(page, column, row, length > column->max ? str_n("", length) : value, error);
        else
            loaded = error_set(error, ERR_STORE_UNAVAILABLE, "mariadb: a blob could not be fetched");
        if (!loaded)
            return false;
    }
    return true;
}

static enum backend_result fetch_rows(struct mysql_conn *conn, MYSQL_STMT *statement, struct row_page *page,
                                      struct error *error) {
    struct arrival arrival;
    prepare_arrival(conn, page->table, &arrival);
    if (mysql_stmt_bind_result(statement, arrival.binds) != 0)
        return mysql_conn_statement_failed(conn, statement, page->table->name, error);
    int fetched;
    while ((fetched = mysql_stmt_fetch(statement)) == 0 || fetched == MYSQL_DATA_TRUNCATED)
        if (!load_row(conn, statement, &arrival, page, error) && !row_page_passes(page, error))
            return BACKEND_REFUSED;
    return fetched == MYSQL_NO_DATA ? BACKEND_OK
                                    : mysql_conn_statement_failed(conn, statement, page->table->name, error);
}

static enum backend_result fetch_count(struct mysql_conn *conn, MYSQL_STMT *statement, size_t *ret_n,
                                       struct error *error) {
    int64_t count = 0;
    MYSQL_BIND bind = mysql_bind_integer(&count);
    if (mysql_stmt_bind_result(statement, &bind) != 0 || mysql_stmt_fetch(statement) != 0)
        return mysql_conn_statement_failed(conn, statement, "counting", error);
    *ret_n = (size_t)count;
    return BACKEND_OK;
}

static enum backend_result mysql_read(struct backend_conn *base, const struct store_query *query, struct arena *arena,
                                      void **ret_rows, size_t *ret_n, struct error *error) {
    struct mysql_conn *conn = (struct mysql_conn *)base;
    if (conn->lost) {
        error_set(error, ERR_STORE_UNAVAILABLE, "mariadb: not connected");
        return BACKEND_AGAIN;
    }
    arena_reset(&conn->scratch);
    buf_clear(&conn->sql);
    struct sql_params params;
    enum backend_result result = BACKEND_REFUSED;
    if (!sql_select(&conn->sql, SQL_MYSQL, query, arena, &params)) {
        error_set(error, ERR_STORE_REFUSED, "the query is too large");
        return result;
    }
    MYSQL_STMT *statement = mysql_conn_prepare(conn, buf_str(&conn->sql), &result, error);
    if (!statement)
        return result;
    MYSQL_BIND binds[SQL_PARAMS_MAX];
    mysql_bind_params(binds, params.list, params.n);
    if (mysql_stmt_bind_param(statement, binds) != 0 || mysql_stmt_execute(statement) != 0)
        return mysql_conn_statement_failed(conn, statement, query->table->name, error);
    struct row_page page = {
        .table = query->table, .arena = arena, .max = query->count ? 0 : query->limit, .readable = query->readable};
    size_t count = 0;
    result = query->count ? fetch_count(conn, statement, &count, error) : fetch_rows(conn, statement, &page, error);
    mysql_stmt_free_result(statement);
    if (result == BACKEND_OK) {
        *ret_rows = page.rows;
        *ret_n = query->count ? count : page.n;
    }
    return result;
}

// ---- The session of migrations and claims -----------------------------------------------------------------------

struct mysql_session {
    struct sql_session base;
    struct mysql_conn *conn;
};

static enum backend_result session_rows(struct mysql_conn *conn, MYSQL_STMT *statement, unsigned columns,
                                        session_row_fn *row, void *ctx, struct error *error) {
    char texts[SESSION_COLUMNS_MAX][SESSION_VALUE_MAX + 1];
    unsigned long lengths[SESSION_COLUMNS_MAX] = {0};
    MYSQL_BIND binds[SESSION_COLUMNS_MAX] = {0};
    assert(columns <= SESSION_COLUMNS_MAX);
    for (unsigned i = 0; i < columns; i++)
        binds[i] = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_STRING,
                                .buffer = texts[i],
                                .buffer_length = sizeof texts[i],
                                .length = &lengths[i]};
    if (mysql_stmt_bind_result(statement, binds) != 0)
        return mysql_conn_statement_failed(conn, statement, "binding", error);
    int fetched;
    while ((fetched = mysql_stmt_fetch(statement)) == 0) {
        struct str values[SESSION_COLUMNS_MAX];
        for (unsigned i = 0; i < columns; i++)
            values[i] = str_n(texts[i], lengths[i]);
        row(ctx, values, columns);
    }
    return fetched == MYSQL_NO_DATA ? BACKEND_OK : mysql_conn_statement_failed(conn, statement, "fetching", error);
}

static enum backend_result session_run(struct sql_session *base, const char *sql, const struct sql_param *params,
                                       size_t n, session_row_fn *row, void *ctx, int64_t *ret_changed,
                                       struct error *error) {
    struct mysql_conn *conn = ((struct mysql_session *)base)->conn;
    if (conn->lost) {
        error_set(error, ERR_STORE_UNAVAILABLE, "mariadb: not connected");
        return BACKEND_AGAIN;
    }
    // Not every server prepares definitions and transaction statements.
    if (n == 0 && !row)
        return mysql_real_query(conn->mysql, sql, strlen(sql)) == 0 ? BACKEND_OK : mysql_conn_failed(conn, sql, error);
    enum backend_result result = BACKEND_REFUSED;
    MYSQL_STMT *statement = mysql_conn_prepare(conn, str_c(sql), &result, error);
    if (!statement)
        return result;
    MYSQL_BIND binds[SQL_PARAMS_MAX];
    assert(n <= SQL_PARAMS_MAX);
    mysql_bind_params(binds, params, n);
    if ((n > 0 && mysql_stmt_bind_param(statement, binds) != 0) || mysql_stmt_execute(statement) != 0)
        return mysql_conn_statement_failed(conn, statement, sql, error);
    if (ret_changed)
        *ret_changed = (int64_t)mysql_stmt_affected_rows(statement);
    unsigned columns = mysql_stmt_field_count(statement);
    result = row && columns ? session_rows(conn, statement, columns, row, ctx, error) : BACKEND_OK;
    mysql_stmt_free_result(statement);
    return result;
}

// ---- The backend ------------------------------------------------------------------------------------------------

static const struct backend_conn_ops conn_ops = {
    .read = mysql_read,
    .revive = mysql_revive,
    .close = mysql_close_conn,
};

static bool open_conn(struct mysql_backend *backend, enum mysql_use use, struct mysql_conn **ret_conn,
                      struct error *error) {
    struct mysql_conn *conn = mysql_conn_new(&backend->options, use, &backend->weakness);
    conn->base.ops = &conn_ops;
    if (!mysql_conn_open(conn, error)) {
        mysql_conn_free(conn);
        return false;
    }
    *ret_conn = conn;
    return true;
}

static bool mysql_connect_conn(struct store_backend *base, bool for_writing, struct backend_conn **ret_conn,
                               struct error *error) {
    struct mysql_backend *backend = (struct mysql_backend *)base;
    if (for_writing)
        return mysql_write_open(&backend->options, &backend->weakness, ret_conn, error);
    struct mysql_conn *conn;
    if (!open_conn(backend, MYSQL_FOR_READING, &conn, error))
        return false;
    *ret_conn = &conn->base;
    return true;
}

static void close_session(struct mysql_session *session) {
    mysql_conn_free(session->conn);
}

static bool open_session(struct store_backend *base, struct mysql_session *session, struct error *error) {
    struct mysql_conn *conn;
    if (!open_conn((struct mysql_backend *)base, MYSQL_FOR_CLAIMS, &conn, error))
        return false;
    *session = (struct mysql_session){.base = {.dialect = SQL_MYSQL, .run = session_run}, .conn = conn};
    return true;
}

static bool mysql_migrate(struct store_backend *base, const struct store_table *const *tables, struct error *error) {
    struct mysql_session session;
    if (!open_session(base, &session, error))
        return false;
    // Held by the connection, on one server: in a cluster two processes may still meet. Then losing the race to create
    // something is not an error, and losing a conflict is tried again.
    int64_t locked = 1;
    struct error ignored;
    mysql_conn_ask(session.conn, "SELECT GET_LOCK(CONCAT('txcenter.', LEFT(DATABASE(), 50)), 20)", 0, &locked,
                   &ignored);
    bool done = locked == 1 && migrate_schema(&session.base, tables, error);
    for (int i = 1; locked == 1 && !done && error->code == ERR_STORE_UNAVAILABLE && i < MIGRATIONS_MAX; i++) {
        *error = (struct error){0};
        done = migrate_schema(&session.base, tables, error);
    }
    if (locked != 1)
        error_set(error, ERR_STORE_UNAVAILABLE, "another process is migrating the schema");
    close_session(&session);
    return done;
}

static enum backend_result mysql_claim(struct store_backend *base, const struct backend_claim *claim,
                                       struct store_identity *ret_identity, struct error *error) {
    struct mysql_session session;
    if (!open_session(base, &session, error))
        return BACKEND_AGAIN;
    enum backend_result result = claim_instance(&session.base, "START TRANSACTION", claim, true, ret_identity, error);
    close_session(&session);
    return result;
}

static enum backend_result mysql_take_over(struct store_backend *base, const struct backend_take_over *from,
                                           bool *ret_taken, struct error *error) {
    struct mysql_session session;
    if (!open_session(base, &session, error))
        return BACKEND_AGAIN;
    enum backend_result result = claim_take_over(&session.base, "START TRANSACTION", from, ret_taken, error);
    close_session(&session);
    return result;
}

static const char *mysql_durability_warning(struct store_backend *base) {
    struct mysql_backend *backend = (struct mysql_backend *)base;
    return mysql_weakness_text(backend->weakness, backend->warning) ? backend->warning : NULL;
}

static void mysql_free_backend(struct store_backend *base) {
    struct mysql_backend *backend = (struct mysql_backend *)base;
    const char *const strings[] = {backend->options.host,     backend->options.user,        backend->options.password,
                                   backend->options.database, backend->options.unix_socket, backend->options.tls_ca};
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
        free((void *)(uintptr_t)strings[i]);
    free(backend);
}

static const struct store_backend_ops backend_ops = {
    .name = "mariadb",
    .shared = true,
    .connect = mysql_connect_conn,
    .migrate = mysql_migrate,
    .claim = mysql_claim,
    .take_over = mysql_take_over,
    .durability_warning = mysql_durability_warning,
    .free = mysql_free_backend,
};

static const char *copy(const char *text) {
    char *copied = text ? strdup(text) : NULL;
    if (text && !copied)
        abort();
    return copied;
}

struct store_backend *store_mariadb(const struct store_mariadb_options *options) {
    struct mysql_backend *backend = calloc(1, sizeof *backend);
    if (!backend)
        abort();
    backend->base.ops = &backend_ops;
    backend->options = (struct store_mariadb_options){
        .host = copy(options->host),
        .user = copy(options->user),
        .password = copy(options->password),
        .database = copy(options->database),
        .unix_socket = copy(options->unix_socket),
        .tls_ca = copy(options->tls_ca),
        .port = options->port,
        .connect_timeout_ms = options->connect_timeout_ms,
        .answer_timeout_ms = options->answer_timeout_ms,
        .overlaps = options->overlaps,
        .plain_statements = options->plain_statements,
    };
    return &backend->base;
}
