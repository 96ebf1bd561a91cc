// What a store backend provides. A backend is one file that ends in one constructor; it is synchronous, knows nothing of
// threads or groups, and is used by one thread at a time per connection. store.c does the queueing, grouping, bisecting,
// retrying and delivering for all of them.
#ifndef TXC_STORE_BACKEND_H
#define TXC_STORE_BACKEND_H

#include "store/store.h"

struct store_op {
    const struct store_table *table;
    enum store_verb verb;
    const void *row;
};

enum backend_result {
    BACKEND_OK,
    BACKEND_REFUSED,        // this batch can't be done as it is (constraint, value): roll back, bisect
    BACKEND_CONFLICT,       // an INSERT met an existing key: roll back, bisect
    BACKEND_FULL,           // no space: roll back; nothing was done
    BACKEND_AGAIN,          // deadlock, busy, lost connection before COMMIT: nothing was done, the same batch may succeed
    BACKEND_COMMIT_UNKNOWN, // the COMMIT may or may not have taken place
    BACKEND_FENCED,         // the fence statement touched no row: another incarnation exists
    BACKEND_FATAL,          // fsync failed, corruption: the process must end
};

// One connection. Opened twice: for the writer and for the reader.
struct backend_conn {
    const struct backend_conn_ops *ops;
};

struct backend_fence {
    const char *instance;
    int64_t incarnation;
};

struct backend_conn_ops {
    // Applies the operations in order in one transaction that begins with the fence:
    //   UPDATE instance SET batch_no = batch_no + 1 WHERE name = ? AND incarnation = ?
    enum backend_result (*commit)(struct backend_conn *conn, const struct backend_fence *fence,
                                  const struct store_op *ops, size_t n, struct error *error);
    // Rows into `arena`: an array of row structs.
    enum backend_result (*read)(struct backend_conn *conn, const struct store_query *query, struct arena *arena,
                                void **ret_rows, size_t *ret_n, struct error *error);
    // Is the connection usable again? Reconnects where it was lost.
    bool (*revive)(struct backend_conn *conn, struct error *error);
    void (*close)(struct backend_conn *conn);
};

struct store_backend {
    const struct store_backend_ops *ops;
};

struct store_backend_ops {
    const char *name; // "sqlite", "mariadb"
    bool shared;      // several processes may use it at once
    bool (*connect)(struct store_backend *backend, bool for_writing, struct backend_conn **ret_conn,
                    struct error *error);
    // Brings the schema to the descriptions, under a lock that other processes respect: creates missing tables, adds
    // missing columns and indexes, refuses a schema that is newer than the descriptions.
    bool (*migrate)(struct store_backend *backend, const struct store_table *const *tables, struct error *error);
    // Raises the incarnation of the instance's row (making the row when it is new) in a transaction of its own, and
    // reads batch_no: afterwards every older transaction of this instance is finished or defeated.
    bool (*claim)(struct store_backend *backend, const char *instance, const char *address,
                  struct store_identity *ret_identity, struct error *error);
    const char *(*durability_warning)(struct store_backend *backend);
    void (*free)(struct store_backend *backend);
};

// The constructors. Each only keeps its parameters; connecting comes with store_open().
struct store_backend *store_sqlite(const char *path);
struct store_mariadb_options {
    const char *host, *user, *password, *database, *unix_socket; // any may be NULL
    const char *tls_ca;                                          // PEM file; NULL: no TLS
    unsigned port;
    uint32_t connect_timeout_ms;
};
struct store_backend *store_mariadb(const struct store_mariadb_options *options);
// In memory, for tests and the simulation: same contract, a crash keeps exactly what was committed.
struct store_backend *store_memory(void);

// Wraps any backend and injects faults (tests).
struct store_faults {
    int64_t fail_commit_at;          // the Nth commit from now fails before it takes place (0: none)
    int64_t unknown_commit_at;       // the Nth commit takes place, but reports COMMIT_UNKNOWN
    int64_t lost_commit_at;          // the Nth commit does not take place and reports COMMIT_UNKNOWN
    int64_t delay_ms;                // before each commit
    enum backend_result result;      // what a failing commit reports
    int64_t fail_for;                // how many commits in a row fail (default 1)
    int64_t commits;                 // counted
};
// Takes `inner`; `faults` is borrowed and may be changed by the test at any time (from one thread).
struct store_backend *store_faulty(struct store_backend *inner, struct store_faults *faults);

#endif
