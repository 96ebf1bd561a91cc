#include "store/mysql_conn.h"

#include "store/mysql_error.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SQL_MAX = 256 * 1024,
    CONNECT_TIMEOUT_S = 5,         // when the options don't say
    ANSWER_TIMEOUT_S = 30,         // after which a connection counts as lost; longer than any wait for a lock
    PACKET_MAX = 16 * 1024 * 1024, // MariaDB's own default, when the server does not say
    PACKET_LEAST = 128 * 1024,     // a server that says less is not believed
    HOST_MAX = 255,
};

// ---- Errors -----------------------------------------------------------------------------------------------------

static enum backend_result failed(struct mysql_conn *conn, const char *doing, unsigned code, const char *text,
                                  struct error *error) {
    if (mysql_error_is_lost(code))
        conn->lost = true;
    enum backend_result result = mysql_error_meaning(code, text);
    error_set(error, mysql_error_code(result), "mariadb: %s: %s (%u)", doing, text, code);
    // What took too long will do so again: it fails, and what is behind it goes on.
    return conn->use == MYSQL_FOR_READING && mysql_error_is_overtime(code) ? BACKEND_REFUSED : result;
}

enum backend_result mysql_conn_failed(struct mysql_conn *conn, const char *doing, struct error *error) {
    return failed(conn, doing, mysql_errno(conn->mysql), mysql_error(conn->mysql), error);
}

enum backend_result mysql_conn_statement_failed(struct mysql_conn *conn, MYSQL_STMT *statement, const char *doing,
                                                struct error *error) {
    if (mysql_stmt_errno(statement) != 0)
        return failed(conn, doing, mysql_stmt_errno(statement), mysql_stmt_error(statement), error);
    // An error that comes while rows are fetched is only the connection's. Without one there neither, nothing is known
    // of what comes next on it.
    if (mysql_errno(conn->mysql) != 0)
        return mysql_conn_failed(conn, doing, error);
    return failed(conn, doing, CR_UNKNOWN_ERROR, "the answer can't be read", error);
}

// ---- Statements -------------------------------------------------------------------------------------------------

static void close_statement(void *statement) {
    mysql_stmt_close(statement);
}

// The connector's own way (its CONC-533): told so, it leaves the answer for its method that reads one.
static bool skip_answers(struct mysql_conn *conn, bool skip) {
    my_bool value = skip;
    return mysql_optionsv(conn->mysql, MARIADB_OPT_SKIP_READ_RESPONSE, &value) == 0;
}

// Whether the connector that is installed can do it.
static bool can_send_ahead(struct mysql_conn *conn) {
    return skip_answers(conn, true) && skip_answers(conn, false) && conn->mysql->methods->db_read_execute_response;
}

static bool execute_ahead(struct mysql_conn *conn, MYSQL_STMT *statement) {
    bool sent = skip_answers(conn, true) && mysql_stmt_execute(statement) == 0;
    return skip_answers(conn, false) && sent;
}

enum backend_result mysql_conn_send(struct mysql_conn *conn, MYSQL_STMT *statement, const char *doing,
                                    struct error *error) {
    if (conn->ahead ? !execute_ahead(conn, statement) : mysql_stmt_execute(statement) != 0)
        return mysql_conn_statement_failed(conn, statement, doing, error);
    if (!conn->ahead)
        return BACKEND_OK;
    conn->sent[conn->n_sent++] = (struct mysql_sent){statement, doing};
    return conn->n_sent < MYSQL_SENT_MAX ? BACKEND_OK : mysql_conn_answers(conn, error);
}

enum backend_result mysql_conn_answers(struct mysql_conn *conn, struct error *error) {
    enum backend_result first = BACKEND_OK;
    struct error later;
    size_t i = 0;
    for (; i < conn->n_sent && !conn->lost; i++) {
        const struct mysql_sent *sent = &conn->sent[i];
        if (conn->mysql->methods->db_read_execute_response(sent->statement) == 0)
            continue;
        bool is_first = first == BACKEND_OK;
        enum backend_result result =
            mysql_conn_statement_failed(conn, sent->statement, sent->doing, is_first ? error : &later);
        first = is_first ? result : first;
    }
    bool unread = i < conn->n_sent;
    conn->n_sent = 0;
    return unread && first == BACKEND_OK ? failed(conn, "answers", CR_SERVER_LOST, "the connection is lost", error)
                                         : first;
}

MYSQL_STMT *mysql_conn_prepare(struct mysql_conn *conn, struct str sql, enum backend_result *ret_result,
                               struct error *error) {
    MYSQL_STMT *statement = statement_find(&conn->statements, sql);
    *ret_result = BACKEND_OK;
    if (statement)
        return statement;
    *ret_result = mysql_conn_answers(conn, error);
    if (*ret_result != BACKEND_OK)
        return NULL;
    statement = mysql_stmt_init(conn->mysql);
    if (!statement)
        abort();
    if (mysql_stmt_prepare(statement, sql.ptr, sql.len) != 0) {
        *ret_result = mysql_conn_statement_failed(conn, statement, "preparing", error);
        mysql_stmt_close(statement);
        return NULL;
    }
    statement_add(&conn->statements, sql, statement);
    return statement;
}

MYSQL_BIND mysql_bind_bytes(struct str value) {
    // The library does not change what is bound to a parameter. No buffer would mean NULL.
    return (MYSQL_BIND){.buffer_type = MYSQL_TYPE_BLOB,
                        .buffer = (void *)(uintptr_t)(value.len ? value.ptr : ""),
                        .buffer_length = value.len,
                        .length_value = value.len};
}

MYSQL_BIND mysql_bind_integer(const int64_t *value) {
    return (MYSQL_BIND){.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = (void *)(uintptr_t)value};
}

void *mysql_conn_scratch(struct mysql_conn *conn, size_t count, size_t size) {
    void *ptr = arena_calloc(&conn->scratch, count, size);
    if (!ptr)
        abort();
    return ptr;
}

void mysql_bind_params(MYSQL_BIND *binds, const struct sql_param *params, size_t n) {
    for (size_t i = 0; i < n; i++)
        binds[i] = params[i].is_text ? mysql_bind_bytes(params[i].text) : mysql_bind_integer(&params[i].integer);
}

bool mysql_conn_ask(struct mysql_conn *conn, const char *sql, int64_t otherwise, int64_t *ret_value,
                    struct error *error) {
    if (mysql_real_query(conn->mysql, sql, strlen(sql)) != 0) {
        if (mysql_errno(conn->mysql) != ER_UNKNOWN_SYSTEM_VARIABLE) {
            mysql_conn_failed(conn, sql, error);
            return false;
        }
        *ret_value = otherwise;
        return true;
    }
    MYSQL_RES *result = mysql_store_result(conn->mysql);
    MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
    if (!row || !row[0] || !str_to_i64(str_c(row[0]), ret_value))
        *ret_value = otherwise;
    mysql_free_result(result);
    return true;
}

// ---- The session ------------------------------------------------------------------------------------------------

// What the statements rely on, set for each connection, since a server may have any default. Not every server knows
// each: MariaDB, MySQL and TiDB differ.
static const struct setting {
    const char *sql;
    bool everywhere;
} settings[] = {
    {"SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'", true},
    {"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", true},
    {"SET SESSION TRANSACTION READ WRITE", true},
    {"SET SESSION completion_type = 0", false}, // COMMIT begins no transaction and closes no connection
    {"SET SESSION unique_checks = 1", true},
    {"SET SESSION foreign_key_checks = 1", true},
    {"SET SESSION sql_select_limit = 18446744073709551615", true},
    {"SET SESSION sql_big_selects = 1", false},
    {"SET SESSION sql_safe_updates = 0", false},
    {"SET SESSION max_statement_time = 0", false}, // MariaDB
    {"SET SESSION max_execution_time = 0", false}, // MySQL, TiDB
    // Seconds that a batch waits for another's lock, on a row or (while an operator alters it) on a table, until it is
    // rolled back and tried again.
    {"SET SESSION innodb_lock_wait_timeout = 3", true},
    {"SET SESSION lock_wait_timeout = 3", false},
    // Seconds after which the server gives up a transaction whose process does nothing (it is stopped, or its machine
    // is gone): what it has locked must not keep another instance from taking over. None of ours pauses between
    // statements, but to wait for the COMMIT before it; where that takes so long, it is begun anew.
    {"SET SESSION idle_transaction_timeout = 2", false},      // MariaDB
    {"SET SESSION tidb_idle_transaction_timeout = 2", false}, // TiDB
    {"SET SESSION tidb_txn_mode = 'pessimistic'", false},     // conflicts show at the statement, as elsewhere
};

static bool set(struct mysql_conn *conn, const char *sql, bool everywhere, struct error *error) {
    if (mysql_real_query(conn->mysql, sql, strlen(sql)) == 0 ||
        (!everywhere && mysql_errno(conn->mysql) == ER_UNKNOWN_SYSTEM_VARIABLE))
        return true;
    mysql_conn_failed(conn, sql, error);
    return false;
}

// Where the server knows no limit for idle transactions (MySQL, TiDB) it ends connections that are idle: a writer with
// a lease is not, since it renews that more often, and one without comes back. One for a claim never is.
static bool limit_idle(struct mysql_conn *conn, struct error *error) {
    int64_t limit_s = 0;
    if (conn->use == MYSQL_FOR_WRITING &&
        !mysql_conn_ask(conn, "SELECT @@idle_transaction_timeout", 0, &limit_s, error))
        return false;
    return limit_s > 0 || set(conn, "SET SESSION wait_timeout = 20", true, error);
}

static uint32_t answer_timeout_ms(const struct store_mariadb_options *options) {
    return options->answer_timeout_ms ? options->answer_timeout_ms : ANSWER_TIMEOUT_S * 1000;
}

// A read is ended by the server, which says so, well before the connection counts as lost: else it would be asked for
// again, and run once more beside what is left of it.
static bool limit_reads(struct mysql_conn *conn, struct error *error) {
    uint32_t limit_ms = answer_timeout_ms(conn->options) / 3 * 2;
    char mariadb[64], mysql[64];
    snprintf(mariadb, sizeof mariadb, "SET SESSION max_statement_time = %u.%03u", limit_ms / 1000, limit_ms % 1000);
    snprintf(mysql, sizeof mysql, "SET SESSION max_execution_time = %u", limit_ms);
    return set(conn, mariadb, false, error) && set(conn, mysql, false, error);
}

static bool set_session(struct mysql_conn *conn, struct error *error) {
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (!set(conn, settings[i].sql, settings[i].everywhere, error))
            return false;
    if (!(conn->use == MYSQL_FOR_READING ? limit_reads(conn, error) : limit_idle(conn, error)))
        return false;
    if (mysql_autocommit(conn->mysql, conn->use == MYSQL_FOR_WRITING ? 0 : 1) != 0) {
        mysql_conn_failed(conn, "autocommit", error);
        return false;
    }
    return true;
}

enum { WEAK_FLUSH = 1, WEAK_SYNC = 2, WEAK_BITS = 2 };

bool mysql_weakness_text(int64_t weakness, char ret_text[MYSQL_WARNING_MAX]) {
    long long value = weakness >> WEAK_BITS;
    if (weakness == 0)
        return false;
    if (weakness & WEAK_FLUSH)
        snprintf(ret_text, MYSQL_WARNING_MAX,
                 "innodb_flush_log_at_trx_commit is %lld, not 1: a crash of the database's machine can lose "
                 "transactions that were acknowledged",
                 value);
    else
        snprintf(ret_text, MYSQL_WARNING_MAX,
                 "sync_binlog is %lld, not 1: after a crash of the database's machine its binary log can differ from "
                 "what was acknowledged",
                 value);
    return true;
}

// How durable what is written on this connection is: another server than the last one may have other settings, and the
// same one, too. A server that does not know a setting is not warned of.
static bool note_weakness(struct mysql_conn *conn, struct error *error) {
    int64_t flush, sync;
    if (!conn->weakness || conn->use != MYSQL_FOR_WRITING)
        return true;
    if (!mysql_conn_ask(conn, "SELECT @@innodb_flush_log_at_trx_commit", 1, &flush, error) ||
        !mysql_conn_ask(conn, "SELECT IF(@@log_bin, @@sync_binlog, 1)", 1, &sync, error))
        return false;
    if (flush != 1)
        *conn->weakness = flush * (1 << WEAK_BITS) | WEAK_FLUSH;
    else
        *conn->weakness = sync != 1 ? sync * (1 << WEAK_BITS) | WEAK_SYNC : 0;
    return true;
}

// A Galera node that is not in the cluster's quorum refuses already the question.
static bool look_at_server(struct mysql_conn *conn, struct error *error) {
    int64_t galera, read_only, packet;
    if (!mysql_conn_ask(conn, "SELECT @@wsrep_on", 0, &galera, error) ||
        !mysql_conn_ask(conn, "SELECT @@global.read_only", 0, &read_only, error) ||
        !mysql_conn_ask(conn, "SELECT @@max_allowed_packet", PACKET_MAX, &packet, error))
        return false;
    // Of several servers the one that takes writes is the right one for reading, too: another may lag behind.
    if (read_only == 1)
        return error_set(error, ERR_STORE_UNAVAILABLE, "the server is read-only");
    if (!note_weakness(conn, error))
        return false;
    conn->galera = galera == 1;
    conn->packet_max = packet >= PACKET_LEAST ? (size_t)packet : PACKET_MAX;
    // A Galera node that rolls a transaction back, because another node won, tells it by failing the next statement;
    // but where that is a bulk statement, MariaDB (10.11) runs it, in a new transaction. The rest of the batch would be
    // committed without its begin.
    unsigned long capabilities = 0;
    conn->bulk = !conn->options->plain_statements && galera != 1 &&
                 mariadb_get_infov(conn->mysql, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES, &capabilities) == 0 &&
                 (capabilities & (MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32)) != 0;
    conn->ahead = conn->bulk && can_send_ahead(conn);
    // A read waits for what other nodes had committed when it began.
    return conn->use == MYSQL_FOR_WRITING || galera != 1 || set(conn, "SET SESSION wsrep_sync_wait = 1", true, error);
}

// ---- Connecting -------------------------------------------------------------------------------------------------

static unsigned seconds(uint32_t ms, unsigned otherwise) {
    return ms ? (ms + 999) / 1000 : otherwise;
}

static void set_options(MYSQL *mysql, const struct store_mariadb_options *options) {
    unsigned connect_s = seconds(options->connect_timeout_ms, CONNECT_TIMEOUT_S);
    unsigned answer_s = seconds(answer_timeout_ms(options), ANSWER_TIMEOUT_S);
    mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &answer_s);
    mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &answer_s);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (options->tls_ca) {
        my_bool verify = 1;
        mysql_options(mysql, MYSQL_OPT_SSL_CA, options->tls_ca);
        mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    }
}

static uint32_t count_places(const struct store_mariadb_options *options) {
    uint32_t n = 1;
    for (const char *at = options->unix_socket ? NULL : options->host; at && (at = strchr(at, ',')); at++)
        n++;
    return n;
}

// "name", "name:port", "1.2.3.4:port", "[::1]:port"; "::1" alone is an address without a port.
static void split_place(struct str place, unsigned port, char host[HOST_MAX + 1], unsigned *ret_port) {
    place = str_trim(place);
    struct str name = place, number = STR_NONE;
    if (str_starts(place, STR("["))) {
        number = str_n(place.ptr + 1, place.len - 1);
        name = str_cut(&number, ']');
        if (str_starts(number, STR(":")))
            number = str_n(number.ptr + 1, number.len - 1);
    } else if (memchr(place.ptr, ':', place.len) == memrchr(place.ptr, ':', place.len)) {
        number = place;
        name = str_cut(&number, ':');
    }
    int64_t given;
    *ret_port = str_to_i64(number, &given) && given > 0 && given <= 65535 ? (unsigned)given : port;
    str_fit(name, host, HOST_MAX + 1);
}

// Leaves conn->mysql to be closed by the caller when it fails.
static bool connect_to(struct mysql_conn *conn, const char *host, unsigned port, struct error *error) {
    const struct store_mariadb_options *options = conn->options;
    conn->mysql = mysql_init(NULL);
    if (!conn->mysql)
        abort();
    set_options(conn->mysql, options);
    if (!mysql_real_connect(conn->mysql, host, options->user, options->password, options->database, port,
                            options->unix_socket, CLIENT_FOUND_ROWS)) {
        mysql_conn_failed(conn, "connecting", error);
        return false;
    }
    conn->lost = false;
    return set_session(conn, error) && look_at_server(conn, error);
}

static void disconnect(struct mysql_conn *conn) {
    statement_clear(&conn->statements);
    conn->n_sent = 0;
    if (conn->mysql)
        mysql_close(conn->mysql);
    conn->mysql = NULL;
    conn->lost = true;
}

static bool connect_to_place(struct mysql_conn *conn, uint32_t place, struct error *error) {
    const struct store_mariadb_options *options = conn->options;
    disconnect(conn);
    if (options->unix_socket || !options->host)
        return connect_to(conn, NULL, options->port, error);
    char host[HOST_MAX + 1];
    unsigned port;
    struct str rest = str_c(options->host), name = str_cut(&rest, ',');
    for (uint32_t i = 0; i < place; i++)
        name = str_cut(&rest, ',');
    split_place(name, options->port, host, &port);
    if (connect_to(conn, host, port, error))
        return true;
    error_within(error, "server %s:%u", host, port ? port : MYSQL_PORT);
    return false;
}

bool mysql_conn_open_at(struct mysql_conn *conn, uint32_t place, struct error *error) {
    *error = (struct error){0};
    conn->place = place;
    if (connect_to_place(conn, place, error))
        return true;
    disconnect(conn);
    return false;
}

bool mysql_conn_open(struct mysql_conn *conn, struct error *error) {
    uint32_t n = count_places(conn->options);
    for (uint32_t tried = 0; tried < n; tried++) {
        if (mysql_conn_open_at(conn, conn->place, error))
            return true;
        conn->place = (conn->place + 1) % n;
    }
    return false;
}

bool mysql_conn_revive(struct mysql_conn *conn, struct error *error) {
    if (!conn->lost)
        return true;
    // Not to the server that was just lost, if there is another: its address may hang rather than refuse.
    if (conn->mysql)
        conn->place = (conn->place + 1) % count_places(conn->options);
    return mysql_conn_open(conn, error);
}

struct mysql_conn *mysql_conn_new(const struct store_mariadb_options *options, enum mysql_use use,
                                  mysql_weakness *weakness) {
    struct mysql_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        abort();
    conn->options = options;
    conn->weakness = weakness;
    conn->use = use;
    conn->lost = true;
    conn->statements.close = close_statement;
    buf_init(&conn->sql, SQL_MAX);
    arena_init(&conn->scratch, SIZE_MAX / 2);
    return conn;
}

void mysql_conn_free(struct mysql_conn *conn) {
    if (!conn)
        return;
    disconnect(conn);
    bulk_plan_release(&conn->plan);
    arena_release(&conn->scratch);
    buf_release(&conn->sql);
    free(conn->blob);
    free(conn);
}
