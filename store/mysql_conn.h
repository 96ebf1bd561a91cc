// One connection to a server that speaks MySQL's protocol: how it is opened in a state that the statements can rely on,
// whatever the server's defaults; where it goes when the server is lost; its prepared statements and its errors. What
// is done on it is in mysql.c.
#ifndef TXC_STORE_MYSQL_CONN_H
#define TXC_STORE_MYSQL_CONN_H

#include "store/bulk.h"
#include "store/sql.h"
#include "store/statement.h"

#include <mysql.h>

// Claims and take-overs, and migrations: transactions on a connection that is opened for one of them.
enum mysql_use { MYSQL_FOR_READING, MYSQL_FOR_WRITING, MYSQL_FOR_CLAIMS };

// What of the server's settings is weaker than it should be, as a connection for writing found it last; 0: nothing.
typedef _Atomic int64_t mysql_weakness;

// A statement whose answer is still to come. That many answers (half a kilobyte each at most) find room in any socket:
// the server never waits for us to read while we wait for it to read.
struct mysql_sent {
    MYSQL_STMT *statement;
    const char *doing;
};
enum { MYSQL_SENT_MAX = 16 };

struct mysql_conn {
    struct backend_conn base;
    const struct store_mariadb_options *options; // borrowed from the backend
    mysql_weakness *weakness;                    // likewise; NULL: nobody asks
    MYSQL *mysql;
    enum mysql_use use;
    bool lost;
    bool bulk;         // the server takes bulk statements
    bool ahead;        // and the next statement before it has answered the last
    bool galera;       // it is a node of a cluster
    uint32_t place;    // which of the options' servers is used, or tried next
    size_t packet_max; // what the server takes in one message
    struct statement_cache statements;
    struct mysql_sent sent[MYSQL_SENT_MAX];
    size_t n_sent;
    struct buf sql;
    struct bulk_plan plan;
    struct arena scratch; // of one transaction or one read
    char *blob;           // one value on its way from the server to the answer
    size_t blob_cap;
};

// Allocates one that is not connected. Never NULL.
struct mysql_conn *mysql_conn_new(const struct store_mariadb_options *options, enum mysql_use use,
                                  mysql_weakness *weakness);

// In words; false when there is nothing to say.
enum { MYSQL_WARNING_MAX = 240 };
bool mysql_weakness_text(int64_t weakness, char ret_text[MYSQL_WARNING_MAX]);

// NULL is fine.
void mysql_conn_free(struct mysql_conn *conn);

// Tries every server of the options once, beginning with conn->place, until one serves. On failure the error is the
// last server's.
bool mysql_conn_open(struct mysql_conn *conn, struct error *error);

// Tries this one of the options' servers alone.
bool mysql_conn_open_at(struct mysql_conn *conn, uint32_t place, struct error *error);

// Connects again when the connection was lost, to the next server where there are several.
bool mysql_conn_revive(struct mysql_conn *conn, struct error *error);

// What the failure of the last call on the connection (or on the statement) means; notes when the connection is lost.
enum backend_result mysql_conn_failed(struct mysql_conn *conn, const char *doing, struct error *error);
enum backend_result mysql_conn_statement_failed(struct mysql_conn *conn, MYSQL_STMT *statement, const char *doing,
                                                struct error *error);

// Runs a statement whose parameters are bound and which answers without rows. Where the server takes that, its answer
// is not awaited: what went wrong then is told by mysql_conn_answers(), as `doing`, which lives until then. What is
// sent behind one that fails is carried out all the same, each with its own wait for locks.
enum backend_result mysql_conn_send(struct mysql_conn *conn, MYSQL_STMT *statement, const char *doing,
                                    struct error *error);

// The answers to all that was sent; the first failure, after which the transaction must not be committed: it may be
// another one by then.
enum backend_result mysql_conn_answers(struct mysql_conn *conn, struct error *error);

// Prepared and kept. NULL on failure, which may be one of what was sent before.
MYSQL_STMT *mysql_conn_prepare(struct mysql_conn *conn, struct str sql, enum backend_result *ret_result,
                               struct error *error);

// The first value of the first row as an integer; `otherwise` when the server does not know the variable that is asked
// for, or the value is none.
bool mysql_conn_ask(struct mysql_conn *conn, const char *sql, int64_t otherwise, int64_t *ret_value,
                    struct error *error);

// Zeroed memory of conn->scratch. Never NULL.
void *mysql_conn_scratch(struct mysql_conn *conn, size_t count, size_t size);

// For values that outlive the execution.
MYSQL_BIND mysql_bind_bytes(struct str value);
MYSQL_BIND mysql_bind_integer(const int64_t *value);
void mysql_bind_params(MYSQL_BIND *binds, const struct sql_param *params, size_t n);

#endif
