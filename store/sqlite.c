// SQLite: one file, one process. WAL, synced at every commit: a commit is one write and one fsync of the log. What
// SQLite leaves to chance is decided here: a second process is kept out by a lock on a file beside the database, and
// the log is copied back into the database outside of commits, where SQLite would swallow a failed fsync: on a thread
// of its own, beside which they go on. A log begins anew when all of it was copied; so what was added meanwhile the
// writer copies now and then, in settle().
#include "store/backend.h"
#include "store/bulk.h"
#include "store/claim.h"
#include "store/errand.h"
#include "store/migrate.h"
#include "store/row.h"
#include "store/schema.h"
#include "store/statement.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHECKPOINT_PAGES = 2000, // of the log, before they are copied back: each once, however often it was written
    LOG_PAGES = 16000,       // before it begins anew; as many as journal_size_limit leaves of the file
    OPEN_BUSY_MS = 5000,     // a tool may hold the file for a moment
    BUSY_MS = 1000,          // then the batch counts as failed, and new work is refused until it goes in
    READ_MS = 20000,         // that one read may take
    LOOK_STEPS = 10000,      // of its program, between two looks at the clock
    SQL_MAX = 64 * 1024,
};

struct sqlite_backend {
    struct store_backend base;
    char *path;
    int lock; // -1: not held
    uint32_t read_ms;
};

// Several new rows go in by one statement: it keeps the places in the table and its indexes where the last row went,
// and those in a row come beside each other.
static const size_t insert_rows[] = {16, 4, 1};
enum { INSERT_SIZES = sizeof insert_rows / sizeof insert_rows[0] };

// The write statements of one table.
struct write_statements {
    const struct store_table *table;
    sqlite3_stmt *put, *inserts[INSERT_SIZES], *delete, *update;
};

struct sqlite_conn {
    struct backend_conn base;
    sqlite3 *db;
    int log_pages;          // as of the last commit
    int asked_pages;        // of them, those that were there when it was last to be copied back
    int copied_pages;       // those that were copied, at least; the errand's while it is under way
    int anew_pages;         // when it is to begin anew
    struct errand *copying; // the log beside commits; the writer's alone
    sqlite3 *copier;        // the connection that it has
    sqlite3_stmt *begin, *fence, *commit;
    struct write_statements writes[STORE_TABLES_MAX];
    size_t n_writes;
    struct bulk_plan plan;
    struct statement_cache reads;
    uint32_t read_ms;
    int64_t read_until_ns;
    struct buf sql;
};

// ---- Errors -----------------------------------------------------------------------------------------------------

// Why the last write failed: the log's, else the database file's. (sqlite3_system_errno() may tell of what was tried
// after it.)
static int last_errno(sqlite3 *db) {
    int why = 0;
    sqlite3_file *log = NULL;
    sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (log && log->pMethods)
        log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &why);
    if (why == 0)
        sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &why);
    return why;
}

// What the system did not let us write is not on the disk, and may be once the operator has mended it. Of anything else
// it is not known what the disk holds.
static enum backend_result write_error(int system_error) {
    switch (system_error) {
    case EDQUOT: return BACKEND_FULL;
    case EROFS:
    case EPERM:
    case EACCES: return BACKEND_AGAIN;
    default: return BACKEND_FATAL;
    }
}

static enum backend_result io_error(sqlite3 *db, int extended) {
    switch (extended) {
    case SQLITE_IOERR_NOMEM:
    case SQLITE_IOERR_BLOCKED:
    case SQLITE_IOERR_LOCK:
    case SQLITE_IOERR_RDLOCK:
    case SQLITE_IOERR_UNLOCK:
    case SQLITE_IOERR_CHECKRESERVEDLOCK: return BACKEND_AGAIN;
    case SQLITE_IOERR_SHMSIZE: return BACKEND_FULL;
    case SQLITE_IOERR_WRITE: return write_error(last_errno(db));
    default: return BACKEND_FATAL;
    }
}

// What the failure of the last call means.
static enum backend_result failure(sqlite3 *db, const char *doing, struct error *error) {
    int extended = sqlite3_extended_errcode(db);
    const char *text = sqlite3_errmsg(db);
    enum backend_result result;
    enum err code = ERR_STORE_REFUSED;
    switch (extended & 0xff) {
    case SQLITE_FULL: result = BACKEND_FULL; break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_INTERRUPT:
    case SQLITE_SCHEMA:
    case SQLITE_NOMEM:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY: result = BACKEND_AGAIN; break;
    case SQLITE_CONSTRAINT:
        result = extended == SQLITE_CONSTRAINT_PRIMARYKEY || extended == SQLITE_CONSTRAINT_UNIQUE ? BACKEND_CONFLICT
                                                                                                  : BACKEND_REFUSED;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        result = BACKEND_FATAL;
        text = "the database file is damaged: restore it from a backup";
        break;
    case SQLITE_IOERR: result = io_error(db, extended); break;
    default: result = BACKEND_REFUSED; break;
    }
    if (result == BACKEND_FULL)
        code = ERR_STORE_FULL;
    else if (result == BACKEND_AGAIN)
        code = ERR_STORE_UNAVAILABLE;
    else if (result == BACKEND_CONFLICT)
        code = ERR_STORE_CONFLICT;
    else if (result == BACKEND_FATAL)
        code = ERR_STORE_CORRUPT;
    error_set(error, code, "sqlite: %s: %s (%d)", doing, text, extended);
    return result;
}

// ---- Opening ----------------------------------------------------------------------------------------------------

static bool folder_exists(const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return true;
    char *folder = strndup(path, (size_t)(slash - path));
    struct stat st;
    bool exists = folder && stat(folder, &st) == 0 && S_ISDIR(st.st_mode);
    free(folder);
    return exists;
}

// The lock's file says who holds it, for the message.
static bool lock_is_held(const struct sqlite_backend *backend, int fd, struct error *error) {
    char holder[32] = {0};
    if (pread(fd, holder, sizeof holder - 1, 0) <= 0)
        snprintf(holder, sizeof holder, "unknown");
    return error_set(error, ERR_STORE_UNAVAILABLE, "the database %s is in use by another process (%s)", backend->path,
                     holder);
}

static bool lock(struct sqlite_backend *backend, struct error *error) {
    if (backend->lock >= 0)
        return true;
    if (!folder_exists(backend->path))
        return error_set(error, ERR_CONFIG_INVALID, "the folder of the database %s does not exist", backend->path);
    char name[4096];
    if (snprintf(name, sizeof name, "%s.lock", backend->path) >= (int)sizeof name)
        return error_set(error, ERR_CONFIG_INVALID, "the path of the database is too long");
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(error, ERR_CONFIG_INVALID, "%s: %s", name, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        lock_is_held(backend, fd, error);
        close(fd);
        return false;
    }
    char holder[32];
    int n = snprintf(holder, sizeof holder, "%d", (int)getpid());
    // Only the message of another process suffers when this can't be written.
    if (ftruncate(fd, 0) != 0 || pwrite(fd, holder, (size_t)n, 0) != n)
        errno = 0;
    backend->lock = fd;
    // Who pays for what is nobody else's to read; the log beside it gets the same mode. Not later: to close it would
    // let go the locks that SQLite has on it. What can't be made, SQLite reports.
    int made = open(backend->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (made >= 0)
        close(made);
    return true;
}

static bool execute(sqlite3 *db, const char *sql, const char *doing, struct error *error) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    failure(db, doing, error);
    return false;
}

static bool open_database(struct sqlite_backend *backend, sqlite3 **ret_db, struct error *error) {
    if (!lock(backend, error))
        return false;
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    bool done = sqlite3_open_v2(backend->path, &db, flags, NULL) == SQLITE_OK;
    if (!done)
        error_set(error, ERR_CONFIG_INVALID, "the database %s can't be opened: %s", backend->path,
                  db ? sqlite3_errmsg(db) : "no memory");
    // SQLite opens what it may not write for reading alone.
    if (done && sqlite3_db_readonly(db, "main") == 1)
        done = error_set(error, ERR_CONFIG_INVALID, "the database %s may not be written", backend->path);
    if (done) {
        sqlite3_extended_result_codes(db, 1);
        sqlite3_busy_timeout(db, OPEN_BUSY_MS);
        // EXTRA is FULL once the log is in use. Before, while the file is turned over to it, there is a rollback
        // journal: without EXTRA its deletion is not synced, and a power loss could bring it back to undo everything
        // since.
        done = execute(db,
                       "PRAGMA synchronous = EXTRA; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;"
                       "PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;"
                       "PRAGMA secure_delete = OFF",
                       "opening", error);
    }
    if (!done) {
        sqlite3_close(db);
        return false;
    }
    *ret_db = db;
    return true;
}

// Closing this connection, be it the last, leaves the log as it is.
static void keep_log(sqlite3 *db) {
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

// ---- The session of migrations and claims -----------------------------------------------------------------------

struct sqlite_session {
    struct sql_session base;
    sqlite3 *db;
};

static void bind_params(sqlite3_stmt *statement, const struct sql_param *params, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (params[i].is_text)
            sqlite3_bind_text(statement, (int)i + 1, params[i].text.len ? params[i].text.ptr : "",
                              (int)params[i].text.len, SQLITE_STATIC);
        else
            sqlite3_bind_int64(statement, (int)i + 1, params[i].integer);
    }
}

static struct str column_bytes(sqlite3_stmt *statement, int i) {
    const void *ptr = sqlite3_column_blob(statement, i);
    return str_n(ptr ? ptr : "", (size_t)sqlite3_column_bytes(statement, i));
}

static enum backend_result session_run(struct sql_session *base, const char *sql, const struct sql_param *params,
                                       size_t n, session_row_fn *row, void *ctx, int64_t *ret_changed,
                                       struct error *error) {
    sqlite3 *db = ((struct sqlite_session *)base)->db;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        return failure(db, sql, error);
    bind_params(statement, params, n);
    int step;
    while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
        struct str values[SESSION_COLUMNS_MAX];
        int columns = sqlite3_column_count(statement);
        columns = columns < SESSION_COLUMNS_MAX ? columns : SESSION_COLUMNS_MAX;
        for (int i = 0; i < columns; i++)
            values[i] = column_bytes(statement, i);
        if (row)
            row(ctx, values, (size_t)columns);
    }
    enum backend_result result = step == SQLITE_DONE ? BACKEND_OK : failure(db, sql, error);
    if (result == BACKEND_OK && ret_changed)
        *ret_changed = sqlite3_changes64(db);
    sqlite3_finalize(statement);
    return result;
}

static bool sqlite_migrate(struct store_backend *base, const struct store_table *const *tables, struct error *error) {
    struct sqlite_session session = {.base = {.dialect = SQL_SQLITE, .run = session_run}};
    if (!open_database((struct sqlite_backend *)base, &session.db, error))
        return false;
    bool done = execute(session.db, "BEGIN EXCLUSIVE", "begin", error) &&
                migrate_schema(&session.base, tables, error) && execute(session.db, "COMMIT", "commit", error);
    sqlite3_close(session.db);
    return done;
}

static enum backend_result sqlite_claim(struct store_backend *base, const struct backend_claim *claim,
                                        struct store_identity *ret_identity, struct error *error) {
    struct sqlite_session session = {.base = {.dialect = SQL_SQLITE, .run = session_run}};
    if (!open_database((struct sqlite_backend *)base, &session.db, error))
        return BACKEND_AGAIN;
    enum backend_result result = claim_instance(&session.base, "BEGIN IMMEDIATE", claim, false, ret_identity, error);
    sqlite3_close(session.db);
    return result;
}

// ---- Writing ----------------------------------------------------------------------------------------------------

static sqlite3_stmt *prepare(struct sqlite_conn *conn, struct str sql) {
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v3(conn->db, sql.ptr, (int)sql.len, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
    return statement;
}

static struct write_statements *writes_of(struct sqlite_conn *conn, const struct store_table *table) {
    for (size_t i = 0; i < conn->n_writes; i++)
        if (conn->writes[i].table == table)
            return &conn->writes[i];
    assert(conn->n_writes < STORE_TABLES_MAX); // each is described, and that many are
    conn->writes[conn->n_writes].table = table;
    return &conn->writes[conn->n_writes++];
}

static sqlite3_stmt *write_statement(struct sqlite_conn *conn, sqlite3_stmt **statement, const struct bulk_group *group,
                                     size_t rows) {
    if (!*statement) {
        buf_clear(&conn->sql);
        sql_write(&conn->sql, SQL_SQLITE, group->table, group->verb, rows);
        *statement = prepare(conn, buf_str(&conn->sql));
    }
    return *statement;
}

// The first n columns, from the parameter behind `before` on.
static void bind_row(sqlite3_stmt *statement, size_t before, const struct store_table *table, size_t n, const void *row,
                     bool fixed_too) {
    for (size_t i = 0; i < n; i++) {
        const struct store_column *column = &table->columns[i];
        if (column->fixed && !fixed_too)
            continue;
        int at = (int)(before + i) + 1;
        if (column->type == STORE_I64 || column->type == STORE_I32) {
            sqlite3_bind_int64(statement, at, row_integer(column, row));
            continue;
        }
        struct str value = row_bytes(column, row);
        const char *ptr = value.len ? value.ptr : "";
        if (column->type == STORE_TEXT)
            sqlite3_bind_text(statement, at, ptr, (int)value.len, SQLITE_STATIC);
        else
            sqlite3_bind_blob(statement, at, ptr, (int)value.len, SQLITE_STATIC);
    }
}

// Runs a statement that answers no rows.
static enum backend_result run(struct sqlite_conn *conn, sqlite3_stmt *statement, const char *doing,
                               struct error *error) {
    if (!statement)
        return failure(conn->db, doing, error);
    if (sqlite3_step(statement) == SQLITE_DONE) {
        sqlite3_reset(statement);
        return BACKEND_OK;
    }
    enum backend_result result = failure(conn->db, doing, error);
    sqlite3_reset(statement);
    return result;
}

static enum backend_result fence_off(struct sqlite_conn *conn, const struct backend_fence *fence, struct error *error) {
    sqlite3_bind_int64(conn->fence, 1, fence->lease_ms);
    sqlite3_bind_int64(conn->fence, 2, fence->leaving);
    sqlite3_bind_text(conn->fence, 3, fence->instance, -1, SQLITE_STATIC);
    sqlite3_bind_int64(conn->fence, 4, fence->incarnation);
    enum backend_result result = run(conn, conn->fence, "fence", error);
    if (result == BACKEND_OK && sqlite3_changes(conn->db) != 1) {
        error_set(error, ERR_STORE_FENCED, "the instance %s has another incarnation than %lld", fence->instance,
                  (long long)fence->incarnation);
        return BACKEND_FENCED;
    }
    return result;
}

// A row that is there is found once and changed, where an upsert makes the whole new row and all its index entries
// before it looks.
static enum backend_result update(struct sqlite_conn *conn, struct write_statements *writes, const void *row,
                                  bool *ret_found, struct error *error) {
    const struct store_table *table = writes->table;
    *ret_found = false;
    if (!schema_changes(table))
        return BACKEND_OK;
    if (!writes->update) {
        buf_clear(&conn->sql);
        sql_update(&conn->sql, table);
        writes->update = prepare(conn, buf_str(&conn->sql));
    }
    if (writes->update)
        bind_row(writes->update, 0, table, table->n_columns, row, false);
    enum backend_result result = run(conn, writes->update, table->name, error);
    *ret_found = result == BACKEND_OK && sqlite3_changes(conn->db) > 0;
    return result;
}

static enum backend_result run_rows(struct sqlite_conn *conn, sqlite3_stmt *statement, const struct bulk_group *group,
                                    const void *const *rows, size_t n, struct error *error) {
    size_t columns = group->verb == STORE_DELETE ? group->table->n_key : group->table->n_columns;
    for (size_t i = 0; statement && i < n; i++)
        bind_row(statement, i * columns, group->table, columns, rows[i], true);
    return run(conn, statement, group->table->name, error);
}

static enum backend_result put(struct sqlite_conn *conn, struct write_statements *writes,
                               const struct bulk_group *group, const void *const *row, struct error *error) {
    bool found;
    enum backend_result result = update(conn, writes, *row, &found, error);
    if (result != BACKEND_OK || found)
        return result;
    return run_rows(conn, write_statement(conn, &writes->put, group, 1), group, row, 1, error);
}

// The first of the rows, as many as one statement takes; tells how many these were.
static enum backend_result insert(struct sqlite_conn *conn, struct write_statements *writes,
                                  const struct bulk_group *group, const void *const *rows, size_t left,
                                  size_t *ret_took, struct error *error) {
    size_t size = 0;
    while (insert_rows[size] > left)
        size++;
    *ret_took = insert_rows[size];
    sqlite3_stmt *statement = write_statement(conn, &writes->inserts[size], group, insert_rows[size]);
    return run_rows(conn, statement, group, rows, insert_rows[size], error);
}

static enum backend_result write_group(struct sqlite_conn *conn, const struct bulk_group *group, struct error *error) {
    struct write_statements *writes = writes_of(conn, group->table);
    const void *const *rows = conn->plan.rows + group->first;
    enum backend_result result = BACKEND_OK;
    for (size_t i = 0, took = 1; result == BACKEND_OK && i < group->n; i += took)
        switch (group->verb) {
        case STORE_PUT: result = put(conn, writes, group, &rows[i], error); break;
        case STORE_INSERT: result = insert(conn, writes, group, &rows[i], group->n - i, &took, error); break;
        case STORE_DELETE:
            result = run_rows(conn, write_statement(conn, &writes->delete, group, 1), group, &rows[i], 1, error);
            break;
        }
    return result;
}

static enum backend_result sqlite_commit(struct backend_conn *base, const struct backend_fence *fence,
                                         const struct store_op *ops, size_t n, struct error *error) {
    struct sqlite_conn *conn = (struct sqlite_conn *)base;
    enum backend_result result = run(conn, conn->begin, "begin", error);
    if (result == BACKEND_OK)
        result = fence_off(conn, fence, error);
    bulk_plan_make(&conn->plan, ops, n);
    for (size_t i = 0; result == BACKEND_OK && i < conn->plan.n_groups; i++)
        result = write_group(conn, &conn->plan.groups[i], error);
    if (result == BACKEND_OK)
        result = run(conn, conn->commit, "commit", error);
    if (result != BACKEND_OK && !sqlite3_get_autocommit(conn->db))
        sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    return result;
}

static int note_log(void *ctx, sqlite3 *db, const char *name, int pages) {
    (void)db, (void)name;
    ((struct sqlite_conn *)ctx)->log_pages = pages;
    return SQLITE_OK;
}

static enum backend_result copy_back(struct sqlite_conn *conn, sqlite3 *db, struct error *error) {
    int copied;
    int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, &copied);
    if (copied >= 0)
        conn->copied_pages = copied;
    if (rc == SQLITE_OK)
        return BACKEND_OK;
    // A reader in the way or a full disk only make the log longer; it is asked for again.
    return failure(db, "checkpoint", error) == BACKEND_FATAL ? BACKEND_FATAL : BACKEND_OK;
}

// SQLite syncs the database file only when nothing was added to the log meanwhile. So the writer, which goes on until
// then, would one day have all of it to sync.
static enum backend_result copy_beside(void *ctx, struct error *error) {
    struct sqlite_conn *conn = ctx;
    enum backend_result result = copy_back(conn, conn->copier, error);
    sqlite3_file *file = NULL;
    sqlite3_file_control(conn->copier, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (result != BACKEND_OK || !file || !file->pMethods)
        return result;
    int rc = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
    if (rc == SQLITE_OK)
        return BACKEND_OK;
    error_set(error, ERR_STORE_CORRUPT, "sqlite: checkpoint: %s (%d)", sqlite3_errstr(rc), rc);
    return BACKEND_FATAL;
}

// In SQLite before 3.51.3 a log that begins anew just when another connection begins to copy it can lose commits
// ("WAL-reset bug"). It begins anew only when all of it was copied; so what is copied beside commits is never a log of
// which that may be so: there are pages more than SQLite said that it had copied.
static enum backend_result sqlite_settle(struct backend_conn *base, struct error *error) {
    struct sqlite_conn *conn = (struct sqlite_conn *)base;
    enum backend_result result;
    // Each time more was added than copying it leaves for the writer: now commits wait.
    bool too_long = conn->log_pages >= conn->anew_pages + LOG_PAGES;
    if (too_long)
        errand_wait(conn->copying);
    if (!errand_ended(conn->copying, &result, error))
        return BACKEND_OK;
    if (result != BACKEND_OK)
        return result;
    if (conn->log_pages < conn->asked_pages || conn->log_pages < conn->copied_pages) { // it has begun anew
        conn->asked_pages = conn->copied_pages = 0;
        conn->anew_pages = LOG_PAGES;
    }
    int more = conn->log_pages - conn->copied_pages;
    if (too_long || (conn->log_pages >= conn->anew_pages && more < CHECKPOINT_PAGES)) {
        conn->asked_pages = conn->log_pages;
        conn->anew_pages = conn->log_pages + CHECKPOINT_PAGES; // unless a reader is in the way
        return copy_back(conn, conn->db, error);
    }
    if (more >= CHECKPOINT_PAGES && conn->log_pages - conn->asked_pages >= CHECKPOINT_PAGES) {
        conn->asked_pages = conn->log_pages;
        errand_start(conn->copying);
    }
    return BACKEND_OK;
}

// ---- Reading ----------------------------------------------------------------------------------------------------

static bool load_row(struct row_page *page, sqlite3_stmt *statement, struct error *error) {
    void *row = row_page_add(page, error);
    if (!row)
        return false;
    for (size_t i = 0; i < page->table->n_columns; i++) {
        const struct store_column *column = &page->table->columns[i];
        bool loaded;
        if (sqlite3_column_type(statement, (int)i) == SQLITE_INTEGER)
            loaded = row_load_integer(page, column, row, sqlite3_column_int64(statement, (int)i), error);
        else
            loaded = row_load_bytes(page, column, row, column_bytes(statement, (int)i), error);
        if (!loaded)
            return false;
    }
    return true;
}

static sqlite3_stmt *select_statement(struct sqlite_conn *conn, const struct store_query *query, struct arena *arena,
                                      struct sql_params *ret_params) {
    buf_clear(&conn->sql);
    if (!sql_select(&conn->sql, SQL_SQLITE, query, arena, ret_params))
        return NULL;
    sqlite3_stmt *statement = statement_find(&conn->reads, buf_str(&conn->sql));
    if (statement)
        return statement;
    statement = prepare(conn, buf_str(&conn->sql));
    if (statement)
        statement_add(&conn->reads, buf_str(&conn->sql), statement);
    return statement;
}

static int is_overtime(void *ctx) {
    const struct sqlite_conn *conn = ctx;
    return clock_monotonic_ns() > conn->read_until_ns;
}

// What took too long will do so again: it fails, and what is behind it goes on.
static enum backend_result read_failure(struct sqlite_conn *conn, const struct store_table *table,
                                        struct error *error) {
    bool overtime = sqlite3_errcode(conn->db) == SQLITE_INTERRUPT;
    enum backend_result result = failure(conn->db, table->name, error);
    return overtime ? BACKEND_REFUSED : result;
}

static enum backend_result sqlite_read(struct backend_conn *base, const struct store_query *query, struct arena *arena,
                                       void **ret_rows, size_t *ret_n, struct error *error) {
    struct sqlite_conn *conn = (struct sqlite_conn *)base;
    struct sql_params params;
    sqlite3_stmt *statement = select_statement(conn, query, arena, &params);
    if (!statement)
        return failure(conn->db, query->table->name, error);
    bind_params(statement, params.list, params.n);
    conn->read_until_ns = clock_monotonic_ns() + (int64_t)conn->read_ms * 1000000;
    struct row_page page = {
        .table = query->table, .arena = arena, .max = query->count ? 0 : query->limit, .readable = query->readable};
    size_t count = 0;
    enum backend_result result = BACKEND_OK;
    int step;
    while (result == BACKEND_OK && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        if (query->count)
            count = (size_t)sqlite3_column_int64(statement, 0);
        else if (!load_row(&page, statement, error) && !row_page_passes(&page, error))
            result = BACKEND_REFUSED;
    }
    if (result == BACKEND_OK && step != SQLITE_DONE)
        result = read_failure(conn, query->table, error);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (result == BACKEND_OK) {
        *ret_rows = page.rows;
        *ret_n = query->count ? count : page.n;
    }
    return result;
}

// ---- Connections ------------------------------------------------------------------------------------------------

static bool sqlite_revive(struct backend_conn *base, struct error *error) {
    (void)base, (void)error; // a file does not go away
    return true;
}

static void finalize(void *statement) {
    sqlite3_finalize(statement);
}

static void sqlite_close(struct backend_conn *base) {
    struct sqlite_conn *conn = (struct sqlite_conn *)base;
    // SQLite copies the log when the last connection closes, and then deletes it. Not after a sync that failed: what
    // was not synced may look as if it were.
    struct error error;
    enum backend_result result;
    errand_wait(conn->copying);
    if (conn->copying && errand_ended(conn->copying, &result, &error) && result == BACKEND_FATAL)
        keep_log(conn->db);
    errand_free(conn->copying);
    sqlite3_close(conn->copier);
    sqlite3_finalize(conn->begin);
    sqlite3_finalize(conn->fence);
    sqlite3_finalize(conn->commit);
    for (size_t i = 0; i < conn->n_writes; i++) {
        sqlite3_finalize(conn->writes[i].update);
        sqlite3_finalize(conn->writes[i].put);
        sqlite3_finalize(conn->writes[i].delete);
        for (size_t size = 0; size < INSERT_SIZES; size++)
            sqlite3_finalize(conn->writes[i].inserts[size]);
    }
    bulk_plan_release(&conn->plan);
    statement_clear(&conn->reads);
    sqlite3_close(conn->db);
    buf_release(&conn->sql);
    free(conn);
}

static const struct backend_conn_ops conn_ops = {
    .commit = sqlite_commit,
    .settle = sqlite_settle,
    .read = sqlite_read,
    .revive = sqlite_revive,
    .close = sqlite_close,
};

static bool prepare_writing(struct sqlite_conn *conn, struct sqlite_backend *backend, struct error *error) {
    sqlite3_wal_hook(conn->db, note_log, conn);
    conn->anew_pages = LOG_PAGES;
    conn->begin = prepare(conn, STR("BEGIN IMMEDIATE"));
    claim_fence(&conn->sql, SQL_SQLITE);
    conn->fence = prepare(conn, buf_str(&conn->sql));
    conn->commit = prepare(conn, STR("COMMIT"));
    if (!conn->begin || !conn->fence || !conn->commit) {
        failure(conn->db, "preparing", error);
        return false;
    }
    if (open_database(backend, &conn->copier, error)) {
        keep_log(conn->copier);
        conn->copying = errand_new(copy_beside, conn, "store-copier", error);
    }
    return conn->copying;
}

static bool prepare_reading(struct sqlite_conn *conn, const struct sqlite_backend *backend, struct error *error) {
    conn->read_ms = backend->read_ms;
    conn->read_until_ns = INT64_MAX;
    sqlite3_progress_handler(conn->db, LOOK_STEPS, is_overtime, conn);
    keep_log(conn->db);
    return execute(conn->db, "PRAGMA query_only = ON", "opening", error);
}

static bool sqlite_connect(struct store_backend *base, bool for_writing, struct backend_conn **ret_conn,
                           struct error *error) {
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct sqlite_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return error_set(error, ERR_INTERNAL, "no memory");
    conn->base.ops = &conn_ops;
    conn->reads.close = finalize;
    buf_init(&conn->sql, SQL_MAX);
    bool done = open_database(backend, &conn->db, error);
    if (done) {
        sqlite3_busy_timeout(conn->db, BUSY_MS);
        done = for_writing ? prepare_writing(conn, backend, error) : prepare_reading(conn, backend, error);
    }
    if (!done) {
        sqlite_close(&conn->base);
        return false;
    }
    *ret_conn = &conn->base;
    return true;
}

static void sqlite_free(struct store_backend *base) {
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    if (backend->lock >= 0)
        close(backend->lock);
    free(backend->path);
    free(backend);
}

static const struct store_backend_ops backend_ops = {
    .name = "sqlite",
    .connect = sqlite_connect,
    .migrate = sqlite_migrate,
    .claim = sqlite_claim,
    .free = sqlite_free,
};

struct store_backend *store_sqlite(const char *path) {
    // Else each allocation takes a lock of the whole program, to count. Refused, and no harm, once SQLite was used.
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    struct sqlite_backend *backend = calloc(1, sizeof *backend);
    char *copy = strdup(path);
    if (!backend || !copy)
        abort();
    *backend = (struct sqlite_backend){.base = {&backend_ops}, .path = copy, .lock = -1, .read_ms = READ_MS};
    return &backend->base;
}

void store_sqlite_read_max(struct store_backend *base, uint32_t ms) {
    ((struct sqlite_backend *)base)->read_ms = ms;
}
