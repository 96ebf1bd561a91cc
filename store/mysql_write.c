// Writing on MariaDB and its kin. A transaction is one bulk statement per group of operations (bulk.h), the fence, and
// COMMIT, which is sent when the others are answered: they go to the server one behind the other, without waiting.
// There may be two connections: while COMMIT is under way on one, the operations of the next transaction run on the
// other. They may wait there for a row that the first one has written, which ends by itself, since that one waits for
// nothing but its COMMIT. The second connection is made when it is first wanted; where it can't be had, everything is
// done on one.
#include "store/mysql_write.h"

#include "store/claim.h"
#include "store/mysql_conn.h"
#include "store/mysql_error.h"
#include "store/row.h"

#include <assert.h>
#include <mysqld_error.h>
#include <poll.h>
#include <stdlib.h>

enum {
    ROWS_MAX = 1024,          // in one bulk statement
    VALUES_MAX = 64,          // in one statement of many rows, where the server does no bulk statements
    PACKET_SLACK = 64 * 1024, // of a packet, for all that is not the rows
    SECOND_AGAIN_S = 5,       // after the second connection could not be had, until it is asked for again
};

struct mysql_writer {
    struct backend_conn base;
    struct mysql_conn *conns[2];
    unsigned at;                        // where the next transaction goes, when none is sealed
    struct mysql_conn *sealed, *staged; // NULL: none
    size_t group, row;                  // of staged->plan: how far it has come
    int64_t second_not_before_ns;
};

static const char commit_sql[] = "COMMIT";

static enum backend_result fence_off(struct mysql_conn *conn, const struct backend_fence *fence, struct error *error) {
    enum backend_result result = BACKEND_OK;
    buf_clear(&conn->sql);
    claim_fence(&conn->sql, SQL_MYSQL);
    MYSQL_STMT *statement = mysql_conn_prepare(conn, buf_str(&conn->sql), &result, error);
    if (!statement)
        return result;
    MYSQL_BIND binds[] = {mysql_bind_integer(&fence->lease_ms), mysql_bind_integer(&fence->leaving),
                          mysql_bind_bytes(str_c(fence->instance)), mysql_bind_integer(&fence->incarnation)};
    if (mysql_stmt_bind_param(statement, binds) != 0)
        return mysql_conn_statement_failed(conn, statement, "fence", error);
    result = mysql_conn_send(conn, statement, "fence", error);
    if (result == BACKEND_OK)
        result = mysql_conn_answers(conn, error);
    if (result != BACKEND_OK)
        return result;
    if (mysql_stmt_affected_rows(statement) == 1)
        return BACKEND_OK;
    error_set(error, ERR_STORE_FENCED, "the instance %s has another incarnation than %lld", fence->instance,
              (long long)fence->incarnation);
    return BACKEND_FENCED;
}

// One column of many rows, side by side as a bulk statement wants it.
static MYSQL_BIND bind_column(struct mysql_conn *conn, const struct store_column *column, const void *const *rows,
                              size_t n) {
    if (column->type == STORE_I64 || column->type == STORE_I32) {
        int64_t *values = mysql_conn_scratch(conn, n, sizeof *values);
        for (size_t i = 0; i < n; i++)
            values[i] = row_integer(column, rows[i]);
        return mysql_bind_integer(values);
    }
    const char **values = mysql_conn_scratch(conn, n, sizeof *values);
    unsigned long *lengths = mysql_conn_scratch(conn, n, sizeof *lengths);
    for (size_t i = 0; i < n; i++) {
        struct str value = row_bytes(column, rows[i]);
        values[i] = value.len ? value.ptr : "";
        lengths[i] = value.len;
    }
    return (MYSQL_BIND){.buffer_type = MYSQL_TYPE_BLOB, .buffer = values, .length = lengths};
}

static MYSQL_BIND bind_field(struct mysql_conn *conn, const struct store_column *column, const void *row) {
    if (column->type == STORE_I64 || column->type == STORE_I32) {
        int64_t *value = mysql_conn_scratch(conn, 1, sizeof *value);
        *value = row_integer(column, row);
        return mysql_bind_integer(value);
    }
    struct str value = row_bytes(column, row);
    return mysql_bind_bytes(value);
}

// Runs one statement for rows[0..n), which it can take.
static enum backend_result write_rows(struct mysql_conn *conn, const struct bulk_group *group, const void *const *rows,
                                      size_t n, struct error *error) {
    bool bulk = conn->bulk && n > 1;
    buf_clear(&conn->sql);
    sql_write(&conn->sql, SQL_MYSQL, group->table, group->verb, bulk ? 1 : n);
    if (conn->sql.failed) {
        error_set(error, ERR_STORE_REFUSED, "%s: the statement is too long", group->table->name);
        return BACKEND_REFUSED;
    }
    enum backend_result result = BACKEND_OK;
    MYSQL_STMT *statement = mysql_conn_prepare(conn, buf_str(&conn->sql), &result, error);
    if (!statement)
        return result;
    size_t columns = group->verb == STORE_DELETE ? group->table->n_key : group->table->n_columns;
    MYSQL_BIND *binds = mysql_conn_scratch(conn, bulk ? columns : columns * n, sizeof *binds);
    for (size_t c = 0; c < columns; c++) {
        if (bulk)
            binds[c] = bind_column(conn, &group->table->columns[c], rows, n);
        for (size_t i = 0; !bulk && i < n; i++)
            binds[i * columns + c] = bind_field(conn, &group->table->columns[c], rows[i]);
    }
    unsigned array_size = bulk ? (unsigned)n : 0;
    if (mysql_stmt_attr_set(statement, STMT_ATTR_ARRAY_SIZE, &array_size) != 0 ||
        mysql_stmt_bind_param(statement, binds) != 0)
        return mysql_conn_statement_failed(conn, statement, group->table->name, error);
    return mysql_conn_send(conn, statement, group->table->name, error);
}

// What a row takes in a packet, at most.
static size_t packet_bytes(const struct store_table *table, const void *row) {
    size_t bytes = 0;
    for (size_t i = 0; i < table->n_columns; i++) {
        const struct store_column *column = &table->columns[i];
        bytes += 10;
        if (column->type == STORE_TEXT || column->type == STORE_BLOB)
            bytes += row_bytes(column, row).len;
    }
    return bytes;
}

// How many of rows[0..n) one statement takes: as many as fit a packet; without bulk statements a power of two, so that
// few different statements are prepared.
static size_t statement_rows(const struct mysql_conn *conn, const struct bulk_group *group, const void *const *rows,
                             size_t n) {
    size_t most = conn->bulk ? ROWS_MAX : VALUES_MAX, bytes = 0, fit = 0;
    while (fit < n && fit < most) {
        bytes += packet_bytes(group->table, rows[fit]);
        if (bytes > conn->packet_max - PACKET_SLACK)
            break;
        fit++;
    }
    if (conn->bulk)
        return fit;
    size_t power = VALUES_MAX;
    while (power > fit)
        power /= 2;
    return power;
}

// Runs one statement more of what is staged.
static enum backend_result write_some(struct mysql_writer *writer, struct error *error) {
    struct mysql_conn *conn = writer->staged;
    const struct bulk_group *group = &conn->plan.groups[writer->group];
    const void *const *rows = conn->plan.rows + group->first + writer->row;
    size_t n = statement_rows(conn, group, rows, group->n - writer->row);
    if (n == 0) {
        error_set(error, ERR_STORE_REFUSED, "%s: the row is larger than the server's max_allowed_packet",
                  group->table->name);
        return BACKEND_REFUSED;
    }
    enum backend_result result = write_rows(conn, group, rows, n, error);
    writer->row += n;
    if (writer->row == group->n) {
        writer->row = 0;
        writer->group++;
    }
    return result;
}

static void roll_back(struct mysql_conn *conn) {
    struct error ignored;
    mysql_conn_answers(conn, &ignored);
    if (!conn->lost && mysql_rollback(conn->mysql) != 0)
        conn->lost = true;
}

// Only what certainly ended the transaction is not unknown: a deadlock, or a certification that another node won.
static enum backend_result commit_failed(struct mysql_conn *conn, struct error *error) {
    unsigned code = mysql_errno(conn->mysql);
    enum backend_result result = mysql_conn_failed(conn, "commit", error);
    if (code == ER_LOCK_DEADLOCK) {
        roll_back(conn);
        return result;
    }
    error->code = mysql_error_code(BACKEND_COMMIT_UNKNOWN);
    conn->lost = true;
    return BACKEND_COMMIT_UNKNOWN;
}

static void drop(struct backend_conn *base) {
    struct mysql_writer *writer = (struct mysql_writer *)base;
    if (writer->staged)
        roll_back(writer->staged);
    writer->staged = NULL;
}

static enum backend_result not_connected(struct error *error) {
    error_set(error, ERR_STORE_UNAVAILABLE, "mariadb: not connected");
    return BACKEND_AGAIN;
}

// The connection beside the other one: to the same server, since another need not have what is committed there yet.
// NULL when it is not open.
static struct mysql_conn *beside(const struct mysql_writer *writer, const struct mysql_conn *first) {
    struct mysql_conn *conn = writer->conns[first == writer->conns[0]];
    return !conn->lost && conn->place == first->place ? conn : NULL;
}

// Opens the second connection while no COMMIT is under way that would be kept waiting. Not on Galera, where a name may
// stand for several servers.
static void open_second(struct mysql_writer *writer) {
    const struct mysql_conn *first = writer->conns[writer->at];
    assert(!writer->sealed);
    if (first->lost || first->galera || !first->options->overlaps || beside(writer, first) ||
        clock_monotonic_ns() < writer->second_not_before_ns)
        return;
    struct error ignored;
    if (!mysql_conn_open_at(writer->conns[!writer->at], first->place, &ignored))
        writer->second_not_before_ns = clock_monotonic_ns() + SECOND_AGAIN_S * (int64_t)1000000000;
}

static enum backend_result settle(struct backend_conn *base, struct error *error) {
    (void)error;
    open_second((struct mysql_writer *)base);
    return BACKEND_OK;
}

static enum backend_result stage(struct backend_conn *base, const struct store_op *ops, size_t n, bool *ret_more,
                                 struct error *error) {
    struct mysql_writer *writer = (struct mysql_writer *)base;
    if (!writer->staged) {
        struct mysql_conn *conn = writer->sealed ? beside(writer, writer->sealed) : writer->conns[writer->at];
        if (!conn || conn->lost)
            return not_connected(error);
        arena_reset(&conn->scratch);
        bulk_plan_make(&conn->plan, ops, n);
        writer->staged = conn;
        writer->group = writer->row = 0;
    }
    const struct bulk_plan *plan = &writer->staged->plan;
    enum backend_result result = writer->group < plan->n_groups ? write_some(writer, error) : BACKEND_OK;
    // Beside a COMMIT it is worth knowing when it is through: there is time, and less and less.
    if (result == BACKEND_OK && writer->sealed)
        result = mysql_conn_answers(writer->staged, error);
    if (result == BACKEND_OK)
        *ret_more = writer->group < plan->n_groups;
    else
        drop(base);
    return result;
}

static enum backend_result seal(struct backend_conn *base, const struct backend_fence *fence, struct error *error) {
    struct mysql_writer *writer = (struct mysql_writer *)base;
    struct mysql_conn *conn = writer->staged;
    assert(conn && !writer->sealed);
    enum backend_result result = fence_off(conn, fence, error);
    if (result != BACKEND_OK) {
        drop(base);
        return result;
    }
    writer->staged = NULL;
    writer->at = conn == writer->conns[1];
    if (mysql_send_query(conn->mysql, commit_sql, sizeof commit_sql - 1) != 0)
        return commit_failed(conn, error);
    writer->sealed = conn;
    return BACKEND_OK;
}

static bool may_stage(struct backend_conn *base, int64_t wait_ns) {
    struct mysql_writer *writer = (struct mysql_writer *)base;
    struct mysql_conn *conn = writer->sealed;
    if (!writer->staged && !beside(writer, conn))
        return false;
    struct pollfd answer = {.fd = mysql_get_socket(conn->mysql), .events = POLLIN};
    struct timespec wait = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
    return ppoll(&answer, 1, &wait, NULL) == 0;
}

static enum backend_result finish(struct backend_conn *base, struct error *error) {
    struct mysql_writer *writer = (struct mysql_writer *)base;
    struct mysql_conn *conn = writer->sealed;
    writer->sealed = NULL;
    return mysql_read_query_result(conn->mysql) == 0 ? BACKEND_OK : commit_failed(conn, error);
}

static enum backend_result commit_whole(struct backend_conn *base, const struct backend_fence *fence,
                                        const struct store_op *ops, size_t n, struct error *error) {
    bool more = true;
    enum backend_result result = BACKEND_OK;
    while (result == BACKEND_OK && more)
        result = stage(base, ops, n, &more, error);
    if (result == BACKEND_OK)
        result = seal(base, fence, error);
    return result == BACKEND_OK ? finish(base, error) : result;
}

static bool revive(struct backend_conn *base, struct error *error) {
    struct mysql_writer *writer = (struct mysql_writer *)base;
    if (!mysql_conn_revive(writer->conns[writer->at], error))
        return false;
    open_second(writer);
    return true;
}

static void close_writer(struct backend_conn *base) {
    struct mysql_writer *writer = (struct mysql_writer *)base;
    mysql_conn_free(writer->conns[0]);
    mysql_conn_free(writer->conns[1]);
    free(writer);
}

static const struct backend_conn_ops conn_ops = {
    .commit = commit_whole,
    .stage = stage,
    .seal = seal,
    .may_stage = may_stage,
    .finish = finish,
    .drop = drop,
    .settle = settle,
    .revive = revive,
    .close = close_writer,
};

bool mysql_write_open(const struct store_mariadb_options *options, mysql_weakness *weakness,
                      struct backend_conn **ret_conn, struct error *error) {
    struct mysql_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        abort();
    *writer = (struct mysql_writer){.base = {&conn_ops},
                                    .conns = {mysql_conn_new(options, MYSQL_FOR_WRITING, weakness),
                                              mysql_conn_new(options, MYSQL_FOR_WRITING, weakness)}};
    if (!mysql_conn_open(writer->conns[0], error)) {
        close_writer(&writer->base);
        return false;
    }
    open_second(writer);
    *ret_conn = &writer->base;
    return true;
}
