// What a store backend provides. A backend is one file that ends in one constructor; it is synchronous, knows nothing
// of threads or groups, and is used by one thread at a time per connection. store.c does the queueing, grouping,
// bisecting, retrying and delivering for all of them.
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
    BACKEND_REFUSED,  // this batch can't be done as it is (constraint, value): roll back, bisect
    BACKEND_CONFLICT, // an INSERT met an existing key: roll back, bisect
    BACKEND_FULL,     // no space: roll back; nothing was done
    BACKEND_AGAIN,    // deadlock, busy, lost connection before COMMIT: nothing was done, the same batch may succeed
    BACKEND_COMMIT_UNKNOWN, // the COMMIT may or may not have taken place
    BACKEND_FENCED,         // the fence statement touched no row: another incarnation exists
    BACKEND_FATAL,          // fsync failed, corruption: the process must end
};

// One connection. Opened for the writer and for each reader, all of which may be in use at the same time.
struct backend_conn {
    const struct backend_conn_ops *ops;
};

struct backend_fence {
    const char *instance;
    int64_t incarnation;
    int64_t lease_ms;
    int64_t leaving; // 0 or 1
};

// `token` is made by chance at store_open(). A claim at open takes the instance's row from whoever had it and marks it
// with the token. A claim that resumes only raises a row that still has the token; a row that has another was taken
// over by someone else: BACKEND_FENCED. One that returns raises the row of an instance that was taken over from, whose
// token is 0, too, but no other's. A claim may be repeated when its own outcome is unknown.
enum backend_claim_kind { CLAIM_OPEN, CLAIM_RESUME, CLAIM_RETURN };
struct backend_claim {
    const char *instance, *address;
    int64_t token;
    int64_t lease_ms;
    enum backend_claim_kind kind;
};

// Whose slots become whose. The dead one's token becomes 0: it can't resume.
struct backend_take_over {
    const char *dead;
    int64_t incarnation;
    const char *heir;
};

struct backend_conn_ops {
    // Applies the operations in order in one transaction that holds the fence:
    //   UPDATE instance SET batch_no = batch_no + 1, lease_until_ms = <now> + ?, leaving = ?
    //   WHERE name = ? AND incarnation = ?
    // <now> is the database's clock. Where the fence stands among the operations is the backend's choice.
    enum backend_result (*commit)(struct backend_conn *conn, const struct backend_fence *fence,
                                  const struct store_op *ops, size_t n, struct error *error);
    // The same in steps, so that the operations of one transaction run while COMMIT of the one before is under way.
    // NULL, all of them, where a backend can't. Of anything but OK nothing is left but what commit would leave.
    //
    // Begins a transaction, also beside one that is sealed, and runs a part of the operations; *ret_more: to be called
    // again, for the next part. The operations are borrowed until the transaction has ended.
    enum backend_result (*stage)(struct backend_conn *conn, const struct store_op *ops, size_t n, bool *ret_more,
                                 struct error *error);
    // The fence of what was staged, whole, as its last statement; then COMMIT is begun, and not waited for. Only when
    // nothing is sealed: so the transactions of an instance are committed one behind the other.
    enum backend_result (*seal)(struct backend_conn *conn, const struct backend_fence *fence, struct error *error);
    // Whether there is use in staging beside what is sealed: it can be done, and COMMIT is not answered yet; waits at
    // most so long for the answer. May be NULL: there always is.
    bool (*may_stage)(struct backend_conn *conn, int64_t wait_ns);
    // What came of the COMMIT that was begun; waits for it.
    enum backend_result (*finish)(struct backend_conn *conn, struct error *error);
    // Rolls back what is staged and not sealed, also in part; fine when nothing is.
    void (*drop)(struct backend_conn *conn);
    // Housekeeping that may take a while, called after the writes of a commit were handed back to their owner. May be
    // NULL. Only BACKEND_FATAL counts.
    enum backend_result (*settle)(struct backend_conn *conn, struct error *error);
    // Rows into `arena`: an array of row structs. For a count query *ret_rows is NULL. The query was checked before. On
    // BACKEND_REFUSED the error's code says why: STORE_REFUSED, STORE_CORRUPT for a row that can't be read, or
    // STORE_UNAVAILABLE for what took longer than one read may.
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
    // reads batch_no: afterwards every older transaction of this instance is finished or defeated. At open it takes the
    // slots too: all of them when the backend is not shared, else those that nobody owns. Called by the writer's thread
    // while the reader may be at work.
    enum backend_result (*claim)(struct store_backend *backend, const struct backend_claim *claim,
                                 struct store_identity *ret_identity, struct error *error);
    // See store_take_over(). In a transaction of its own, on a connection of its own. Called by a thread of its own,
    // while the others may be at work. NULL when the backend is not shared.
    enum backend_result (*take_over)(struct store_backend *backend, const struct backend_take_over *from,
                                     bool *ret_taken, struct error *error);
    // See store_durability_warning(). May be NULL.
    const char *(*durability_warning)(struct store_backend *backend);
    void (*free)(struct store_backend *backend);
};

// The constructors. Each only keeps its parameters; connecting comes with store_open().
struct store_backend *store_sqlite(const char *path);
// How long one read may take there (default 20000).
void store_sqlite_read_max(struct store_backend *sqlite, uint32_t ms);
struct store_mariadb_options {
    const char *user, *password, *database, *unix_socket; // any may be NULL
    // One server or several, separated by commas, each "name" or "name:port" ("[::1]:port"): the nodes of one cluster,
    // tried in turn. One that is not in its cluster's quorum, or that is read-only, is passed over. May be NULL.
    const char *host;
    const char *tls_ca; // PEM file; NULL: no TLS
    unsigned port;      // of servers that are named without one
    uint32_t connect_timeout_ms;
    uint32_t answer_timeout_ms; // after which a connection counts as lost (default 30000); a read has two thirds of it
    bool overlaps;              // one batch is written while the one before is committed, on a second connection
    bool plain_statements; // no bulk statements, though the server offers them: for proxies that don't pass them on
};
struct store_backend *store_mariadb(const struct store_mariadb_options *options);
// In memory, for tests and the simulation: same contract. What was committed lives until the last reference is freed,
// so a test that keeps one of its own can close or abandon a store and open another over the same data:
//   struct store_backend *disk = store_memory();
//   store_open(store_memory_share(disk), …); store_abandon(…); store_open(store_memory_share(disk), …); …
//   store_backend_free(disk);
struct store_backend *store_memory(void);
// The clock by which leases end there (default: the system's). Borrowed.
void store_memory_clock(struct store_backend *memory, const struct clock *clock);
// One more reference to the same data; returns its argument.
struct store_backend *store_memory_share(struct store_backend *memory);

// For a backend that was not given to store_open(). NULL is fine.
void store_backend_free(struct store_backend *backend);

// Wraps any backend and injects faults (tests). The fields are counters that the decorator counts down; 0: no fault.
struct store_faults {
    _Atomic int64_t fail_commit_at;    // the Nth commit from now fails before it takes place …
    _Atomic int64_t fail_for;          // … and so do the ones after it, this many in all (default 1) …
    _Atomic int64_t fail_result;       // … with this enum backend_result (default BACKEND_AGAIN)
    _Atomic int64_t unknown_commit_at; // the Nth commit takes place, but reports COMMIT_UNKNOWN
    _Atomic int64_t lost_commit_at;    // the Nth commit does not take place and reports COMMIT_UNKNOWN
    _Atomic int64_t fail_finish_at; // the Nth COMMIT that is begun and not waited for (seal) fails at its end, and did
                                    // not take place, with fail_result
    _Atomic int64_t fail_stage_at;  // the Nth staging from now fails …
    _Atomic int64_t fail_stage_result; // … with this enum backend_result (default BACKEND_AGAIN)
    _Atomic int64_t fail_claims;       // the next N claims that resume report AGAIN
    // The next N reads report AGAIN, lists and others, as does what would revive their connections; and these N do
    // though the backend is there.
    _Atomic int64_t fail_reads, fail_lists, sick_reads;
    _Atomic int64_t fail_take_overs; // the next N take-overs report AGAIN
    void (*before_commit)(
        void *ctx); // called before each commit, on the writer's thread; may block. Set before opening
    void *before_commit_ctx;
    // Counted: commits asked for; transactions staged while another was sealed, and those dropped.
    _Atomic int64_t commits, beside, drops;
};
// Takes `inner`; `faults` is borrowed and may be read and changed by the test at any time.
struct store_backend *store_faulty(struct store_backend *inner, struct store_faults *faults);

#endif
