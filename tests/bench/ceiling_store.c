#include "tests/bench/ceiling_store.h"

#include <mysql.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum { BATCH_MAX = 512, CHECKPOINT_PAGES = 1000 };

struct queue {
    struct ceiling_row *first, *last;
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    struct queue waiting, durable;
    bool sleeping;
    void (*wake)(void *ctx);
    void *ctx;
    long commits, rows;
    void (*commit)(struct ceiling_row *const *rows, unsigned n);
    void (*settle)(void); // after the rows were handed back
} store = {.mutex = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER};

static void fatal(const char *what, const char *text) {
    fprintf(stderr, "ceiling: %s: %s\n", what, text);
    exit(1);
}

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// ---- SQLite -------------------------------------------------------------------------------------------------------

static struct {
    sqlite3 *db;
    sqlite3_stmt *begin, *insert, *commit;
    int log_pages;
} lite;

static void lite_do(sqlite3_stmt *statement) {
    if (sqlite3_step(statement) != SQLITE_DONE)
        fatal("sqlite", sqlite3_errmsg(lite.db));
    sqlite3_reset(statement);
}

static void lite_commit(struct ceiling_row *const *rows, unsigned n) {
    lite_do(lite.begin);
    for (unsigned i = 0; i < n; i++) {
        sqlite3_bind_text(lite.insert, 1, rows[i]->gid.ptr, (int)rows[i]->gid.len, SQLITE_STATIC);
        sqlite3_bind_int(lite.insert, 2, rows[i]->kind);
        sqlite3_bind_int64(lite.insert, 3, now_ms());
        sqlite3_bind_blob(lite.insert, 4, rows[i]->bytes.ptr, (int)rows[i]->bytes.len, SQLITE_STATIC);
        lite_do(lite.insert);
    }
    lite_do(lite.commit);
}

static int lite_note_log(void *ctx, sqlite3 *db, const char *name, int pages) {
    (void)ctx, (void)db, (void)name;
    lite.log_pages = pages;
    return SQLITE_OK;
}

static void lite_settle(void) {
    if (lite.log_pages < CHECKPOINT_PAGES)
        return;
    lite.log_pages = 0;
    if (sqlite3_wal_checkpoint_v2(lite.db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) != SQLITE_OK)
        fatal("checkpoint", sqlite3_errmsg(lite.db));
}

static sqlite3_stmt *lite_prepare(const char *sql) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(lite.db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK)
        fatal(sql, sqlite3_errmsg(lite.db));
    return statement;
}

static void lite_open(const char *path) {
    if (sqlite3_open_v2(path, &lite.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK ||
        sqlite3_exec(lite.db,
                     "PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;"
                     "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -65536;"
                     "CREATE TABLE log(seq INTEGER PRIMARY KEY, gid TEXT, kind INT, at INT, bytes BLOB)",
                     NULL, NULL, NULL) != SQLITE_OK)
        fatal(path, sqlite3_errmsg(lite.db));
    sqlite3_wal_hook(lite.db, lite_note_log, NULL);
    lite.begin = lite_prepare("BEGIN IMMEDIATE");
    lite.insert = lite_prepare("INSERT INTO log(gid, kind, at, bytes) VALUES(?, ?, ?, ?)");
    lite.commit = lite_prepare("COMMIT");
    store.commit = lite_commit;
    store.settle = lite_settle;
}

// ---- MariaDB ------------------------------------------------------------------------------------------------------

static struct {
    MYSQL *connection;
    MYSQL_STMT *insert;
} maria;

static void maria_commit(struct ceiling_row *const *rows, unsigned n) {
    static const char *gids[BATCH_MAX], *bytes[BATCH_MAX];
    static unsigned long gid_lengths[BATCH_MAX], lengths[BATCH_MAX];
    static int kinds[BATCH_MAX];
    static long long times[BATCH_MAX];
    for (unsigned i = 0; i < n; i++) {
        gids[i] = rows[i]->gid.ptr;
        gid_lengths[i] = rows[i]->gid.len;
        kinds[i] = rows[i]->kind;
        times[i] = now_ms();
        bytes[i] = rows[i]->bytes.ptr;
        lengths[i] = rows[i]->bytes.len;
    }
    MYSQL_BIND binds[] = {
        {.buffer_type = MYSQL_TYPE_STRING, .buffer = gids, .length = gid_lengths},
        {.buffer_type = MYSQL_TYPE_LONG, .buffer = kinds},
        {.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = times},
        {.buffer_type = MYSQL_TYPE_BLOB, .buffer = bytes, .length = lengths},
    };
    // One statement, which is one transaction: with autocommit on it needs no COMMIT of its own.
    if (mysql_stmt_attr_set(maria.insert, STMT_ATTR_ARRAY_SIZE, &n) || mysql_stmt_bind_param(maria.insert, binds) ||
        mysql_stmt_execute(maria.insert))
        fatal("mariadb", mysql_stmt_error(maria.insert));
}

static void maria_do(const char *sql) {
    if (mysql_query(maria.connection, sql))
        fatal(sql, mysql_error(maria.connection));
}

static void maria_open(const char *socket) {
    static const char insert[] = "INSERT INTO log(gid, kind, at, bytes) VALUES(?, ?, ?, ?)";
    maria.connection = mysql_init(NULL);
    if (!mysql_real_connect(maria.connection, NULL, "root", NULL, NULL, 0, socket, 0))
        fatal(socket, mysql_error(maria.connection));
    maria_do("CREATE DATABASE IF NOT EXISTS ceiling");
    maria_do("USE ceiling");
    maria_do("DROP TABLE IF EXISTS log");
    maria_do("CREATE TABLE log(seq BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, gid VARCHAR(64) CHARACTER SET ascii, "
             "kind INT, at BIGINT, bytes VARBINARY(8000)) ENGINE=InnoDB");
    maria.insert = mysql_stmt_init(maria.connection);
    if (mysql_stmt_prepare(maria.insert, insert, sizeof insert - 1))
        fatal("prepare", mysql_stmt_error(maria.insert));
    store.commit = maria_commit;
}

// ---- The writer ---------------------------------------------------------------------------------------------------

static void append(struct queue *queue, struct ceiling_row *row) {
    row->next = NULL;
    if (queue->last)
        queue->last->next = row;
    else
        queue->first = row;
    queue->last = row;
}

static struct ceiling_row *pop(struct queue *queue) {
    struct ceiling_row *row = queue->first;
    if (row && !(queue->first = row->next))
        queue->last = NULL;
    return row;
}

static unsigned take_batch(struct ceiling_row **batch) {
    unsigned n = 0;
    pthread_mutex_lock(&store.mutex);
    store.sleeping = true;
    while (!store.waiting.first)
        pthread_cond_wait(&store.filled, &store.mutex);
    store.sleeping = false;
    while (n < BATCH_MAX && (batch[n] = pop(&store.waiting)))
        n++;
    pthread_mutex_unlock(&store.mutex);
    return n;
}

static void *write_rows(void *unused) {
    static struct ceiling_row *batch[BATCH_MAX];
    for (;;) {
        unsigned n = take_batch(batch);
        store.commit(batch, n);
        pthread_mutex_lock(&store.mutex);
        for (unsigned i = 0; i < n; i++)
            append(&store.durable, batch[i]);
        store.commits++;
        store.rows += n;
        pthread_mutex_unlock(&store.mutex);
        store.wake(store.ctx);
        if (store.settle)
            store.settle();
    }
    return unused;
}

void ceiling_store_open(const char *where, void (*wake)(void *ctx), void *ctx) {
    struct stat st;
    store.wake = wake;
    store.ctx = ctx;
    if (stat(where, &st) == 0 && S_ISSOCK(st.st_mode))
        maria_open(where);
    else
        lite_open(where);
    pthread_t thread;
    if (pthread_create(&thread, NULL, write_rows, NULL) != 0)
        fatal("thread", "can't be started");
}

void ceiling_store_add(struct ceiling_row *row) {
    pthread_mutex_lock(&store.mutex);
    append(&store.waiting, row);
    if (store.sleeping)
        pthread_cond_signal(&store.filled);
    pthread_mutex_unlock(&store.mutex);
}

struct ceiling_row *ceiling_store_take(void) {
    pthread_mutex_lock(&store.mutex);
    struct ceiling_row *rows = store.durable.first;
    store.durable = (struct queue){0};
    pthread_mutex_unlock(&store.mutex);
    return rows;
}

void ceiling_store_count(long *ret_commits, long *ret_rows) {
    pthread_mutex_lock(&store.mutex);
    *ret_commits = store.commits;
    *ret_rows = store.rows;
    pthread_mutex_unlock(&store.mutex);
}
