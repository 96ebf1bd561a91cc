// The store: durable rows behind one contract. A *table* is described once, in C; the backends make their DDL,
// statements and row codecs from the description. *Writes* are grouped: everything queued goes into one transaction,
// which commits only where the fence finds this instance's incarnation. *Reads* run beside and see only what is
// durable.
//
// Threads. A store belongs to one thread, its owner (the loop). Every function here is called by the owner unless it
// says otherwise; every callback runs on the owner, inside store_poll(). With `threaded` the store has a writer and two
// reader threads of its own and calls options.wake (from those threads) when store_poll() has something to deliver;
// without it nothing happens until store_pump() does one round on the calling thread (tests, simulation).
//
// Errors. A write or read fails with one of the STORE_* codes of base/err.h. A backend that is down fails nothing by
// itself: the batch, or the read, is tried again with back-off, for as long as it takes. What can't be known (the
// connection was lost during COMMIT) is read back, never guessed.
#ifndef TXC_STORE_STORE_H
#define TXC_STORE_STORE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"

struct store;

// ---- Descriptions -----------------------------------------------------------------------------------------------

// How a column is kept in the row struct, and so in SQL.
enum store_type {
    STORE_I64,  // int64_t          BIGINT
    STORE_I32,  // int32_t          INT
    STORE_TEXT, // char[max + 1]    UTF-8 of at most max bytes, bytewise order and comparison; never cut: too long fails
    STORE_BLOB, // struct str       up to max bytes
};

struct store_column {
    const char *name;
    enum store_type type;
    uint32_t max;    // bytes; TEXT and BLOB only
    uint32_t offset; // in the row struct
    uint16_t since;  // schema version that brought this column (0: the table's own)
    bool fixed;      // never changes: set when the row is inserted, and kept when it is replaced
};

// One column of a row struct, named as its field. What else there is to say of it comes last: `.since = 3`, `.fixed =
// true`.
#define STORE_COL_I64(row, field, ...)                                                                                 \
    { .name = #field, .type = STORE_I64, .offset = offsetof(struct row, field), __VA_ARGS__ }
#define STORE_COL_I32(row, field, ...)                                                                                 \
    { .name = #field, .type = STORE_I32, .offset = offsetof(struct row, field), __VA_ARGS__ }
#define STORE_COL_TEXT(row, field, ...)                                                                                \
    {                                                                                                                  \
        .name = #field, .type = STORE_TEXT, .offset = offsetof(struct row, field),                                     \
        .max = sizeof(((struct row *)NULL)->field) - 1, __VA_ARGS__                                                    \
    }
#define STORE_COL_BLOB(row, field, bytes, ...)                                                                         \
    { .name = #field, .type = STORE_BLOB, .offset = offsetof(struct row, field), .max = (bytes), __VA_ARGS__ }

enum {
    STORE_INDEX_COLUMNS_MAX = 5,
    STORE_COLUMNS_MAX = 96,
    STORE_KEY_COLUMNS_MAX = 6,
    STORE_TABLES_MAX = 64,           // with the store's own
    STORE_NAME_MAX = 48,             // of tables, columns and indexes: lower case letters, digits, '_'
    STORE_INDEX_BYTES_MAX = 3000,    // of the columns of one index and the key together (InnoDB takes 3072)
    STORE_ROW_BYTES_MAX = 60000,     // of all columns but the blobs' contents (MariaDB takes 65535)
    STORE_BLOB_BYTES_MAX = 16777215, // of one blob
};

struct store_index {
    const char *name;                             // unique within the database
    const char *columns[STORE_INDEX_COLUMNS_MAX]; // NULL-terminated when shorter
    // 0: no bound. Rows whose column `bounded` (0: the first), an integer, is below `least` or above `most` are not in
    // the index, where the database can leave them out, and never in what is read in its order.
    int64_t least, most;
    uint8_t bounded;
    uint16_t since;
};

// The primary key is the only unique key of a table, so that an upsert means one thing on every backend. It is the
// first `n_key` columns. Secondary indexes get the primary key appended by the reader's ORDER BY, so paging is total.
struct store_table {
    const char *name;
    size_t row_size; // sizeof the row struct
    const struct store_column *columns;
    const struct store_index *indexes;
    uint8_t n_columns, n_key, n_indexes;
    uint16_t since; // schema version that brought the table, from 1
};

#define STORE_COUNT(array) (uint8_t)(sizeof(array) / sizeof((array)[0]))

// Checks descriptions against the limits above and against themselves: names, offsets, keys, indexes, `since`. Also
// done by store_open(). `tables` is NULL-terminated.
bool store_check_tables(const struct store_table *const *tables, struct error *error);

// ---- Opening ----------------------------------------------------------------------------------------------------

struct store_backend; // store/backend.h

struct store_options {
    const struct store_table *const *tables; // NULL-terminated: every table of the engine and of every flow
    const struct clock *clock;
    const char *instance; // name of this instance, ≤ 64 bytes
    const char *address;  // where other instances reach it, ≤ 128 bytes
    bool threaded;
    void (*wake)(void *ctx); // thread-safe; may be called more often than needed
    void *wake_ctx;
    // Not NULL: what is submitted is held back until the owner calls store_flush(), which this asks for, once for all
    // that is held back. Done when the owner has nothing else to do, it lets a commit take all that came of what was
    // ready, instead of the first of it.
    void (*hold)(void *ctx);
    void *hold_ctx;
    uint32_t batch_max;      // writes in one transaction (default 512)
    uint32_t queue_max;      // writes waiting (default 65536); see store_room()
    uint32_t reads_max;      // lists waiting, and other reads (default 4096 each); one more fails with OVERLOADED
    uint32_t retry_first_ms; // back-off while the backend is down (default 50), doubling up to retry_max_ms (2000)
    uint32_t retry_max_ms;
    uint32_t lease_ms; // how long each commit keeps this instance's slots its own; 0: nobody may take them over
    bool returning;    // opens only when this instance was taken over from, and nobody has had its name since; else
                       // STORE_FENCED
};

// Connects, creates or migrates the schema under a lock, raises this instance's incarnation and takes its slots: all
// of them when the backend serves one process, else its own and those that nobody owns. Takes `backend` (also on
// failure). Copies the options and their strings, not the table descriptions. Blocks; for start-up only.
bool store_open(struct store_backend *backend, const struct store_options *options, struct store **ret_store,
                struct error *error);

// Finishes what is queued, then stops the threads and closes. Callbacks still due are delivered before it returns;
// what they submit or read meanwhile fails with SHUTTING_DOWN. A backend that is down is tried once more; then the
// writes it did not take fail with STORE_UNAVAILABLE, and a batch whose COMMIT could not be resolved with INTERNAL.
// NULL is fine. Not from inside a callback.
void store_close(struct store *store);

// Ends as a crash would, for tests and the simulation: a batch under way may still commit, everything else that is
// queued is dropped, and no callback runs.
void store_abandon(struct store *store);

// ---- Writes -----------------------------------------------------------------------------------------------------

// What must fail together. All writes of one trade (or of one saga that has no trade) name the same group. When a write
// of a group fails, every later one of that group that was queued before its owner called store_group_reset() fails
// with STORE_STALE and has no effect. Embedded in its owner, which must outlive its writes in flight.
struct store_group {
    uint32_t in_flight; // the owner's: writes submitted whose callback has not begun yet
    bool failed;        // the owner's: a write failed, which its callback has been or is being told
    bool poisoned;      // the writer's; nobody else touches it while in_flight > 0
};

enum store_verb {
    STORE_PUT,    // insert, or replace every column (but the fixed ones) of the row that has this key
    STORE_INSERT, // insert; the key must be new, else the write fails with STORE_CONFLICT
    STORE_DELETE, // by key; missing is fine
};

enum {
    STORE_WRITE_ROWS_MAX = 4096,      // rows of one write
    STORE_WRITE_BYTES_MAX = 32 << 20, // their structs and blobs
    STORE_READ_BYTES_MAX = 128 << 20, // what one read answers
};

// Writes are made by the owner, filled, and handed over with store_submit(), which takes them.
struct store_write;

// Never NULL: aborts when there is no memory for a write.
struct store_write *store_write_new(struct store *store);

// For a write that is not submitted after all. NULL is fine.
void store_write_free(struct store_write *write);

// Adds one row: the struct is copied, blobs too. A row that breaks its description (text too long or not UTF-8, a blob
// too long) or goes past the limits above fails the write when it is submitted, with STORE_REFUSED, never silently.
// For STORE_DELETE only the key is looked at.
void store_row(struct store_write *write, const struct store_table *table, enum store_verb verb, const void *row);

// How many rows were added.
size_t store_write_rows(const struct store_write *write);

// Called once, on the owner, from store_poll(): `error` NULL when the rows are durable.
typedef void store_done_fn(void *ctx, const struct error *error);

// Queues the write, in order. A write without rows is done when everything before it is. Never fails at once; the
// queue's bound is the caller's to respect, by asking store_room() before it accepts new work.
void store_submit(struct store *store, struct store_write *write, struct store_group *group, store_done_fn *done,
                  void *ctx);

// The write is committed even without rows: the fence alone, which renews the lease.
void store_write_renews(struct store_write *write);

// Hands over what was held back (see struct store_options). Does nothing when that is nothing.
void store_flush(struct store *store);

// How many more writes the queue takes before new work should be refused; 0 while the backend is down, and after
// another incarnation took over.
uint32_t store_room(const struct store *store);
uint32_t store_queue_max(const struct store *store); // of how many

// The group's owner has dropped its state in memory and starts afresh. in_flight must be 0.
void store_group_reset(struct store_group *group);

// ---- Reads ------------------------------------------------------------------------------------------------------

enum store_cmp { STORE_EQ, STORE_NE, STORE_LT, STORE_LE, STORE_GT, STORE_GE, STORE_PREFIX /* TEXT begins with */ };

struct store_cond {
    const char *column; // copied by store_read
    enum store_cmp cmp;
    int64_t integer; // I64, I32
    struct str text; // TEXT; copied by store_read
};

enum { STORE_CONDS_MAX = 10, STORE_LIMIT_MAX = 1000 };

// SELECT * FROM table WHERE conds AND (order columns, key) > after ORDER BY order columns, key LIMIT limit.
struct store_query {
    const struct store_table *table;
    struct store_cond conds[STORE_CONDS_MAX]; // those with a column
    const struct store_index *order; // and what is used for it, too; NULL: by primary key; borrowed until the callback,
                                     // as `table`
    bool descending;
    const void *after; // NULL, or a row whose order columns and key are the cursor (exclusive); copied by store_read
    uint32_t limit;    // 1..STORE_LIMIT_MAX
    bool count;        // answer only how many rows there are, counted up to `limit`; 0: all
    bool list;         // of many rows, or of many looked at: what it waits for, and how long it takes, only other lists
                       // wait for, too
    bool readable;     // leave out rows that do not fit their description, instead of failing; a page that is not full
                       // need not be the last then, an empty one is behind the last
};

// `rows` is an array of `n` row structs (blobs point beside it), borrowed until the callback returns; for a count
// query rows is NULL and n the count. On error rows is NULL.
typedef void store_rows_fn(void *ctx, const struct error *error, const void *rows, size_t n);

// Lists run in order of submission on one reader, everything else on another; they see every write whose callback has
// run. A query that does not fit its table fails with STORE_REFUSED, a row that does not fit its description with
// STORE_CORRUPT; one that takes longer than the backend lets it, or fails again and again where the backend answers,
// with STORE_UNAVAILABLE.
void store_read(struct store *store, const struct store_query *query, store_rows_fn *done, void *ctx);

// ---- Driving ----------------------------------------------------------------------------------------------------

// Delivers what is finished; returns how many callbacks ran.
size_t store_poll(struct store *store);

// Without threads: does one batch of writes and every queued read. True while there is more to do. While the backend is
// down it returns true and does nothing until the clock has passed the back-off.
bool store_pump(struct store *store);

// ---- This instance ----------------------------------------------------------------------------------------------

enum { STORE_INSTANCE_MAX = 64, STORE_ADDRESS_MAX = 128 };

struct store_identity {
    char name[STORE_INSTANCE_MAX + 1];
    int64_t incarnation; // raised at each open; a write of an older one has no effect
    int64_t batch_no;    // batches committed by this incarnation and those before it
};
void store_identity(const struct store *store, struct store_identity *ret_identity);

// The store's own tables, which come with every schema and can be read like any other. Rows of store_slot_table may be
// written by the slot's owner, to give it away; rows of store_instance_table only by the store, but for an owner's row
// that is missing.
struct store_instance_row {
    char name[STORE_INSTANCE_MAX + 1];
    char address[STORE_ADDRESS_MAX + 1];
    int64_t incarnation;
    int64_t batch_no;
    int64_t lease_until_ms; // by the database's clock; raised by every commit
    int64_t token;   // made by chance at each open: tells this process's claims from another's; 0: taken over from
    int32_t leaving; // 1: it gives its slots away, and is to get none
};
struct store_slot_row {
    int32_t slot;
    char owner[STORE_INSTANCE_MAX + 1]; // empty: nobody's
};
extern const struct store_table store_instance_table, store_slot_table;

// The lease that was asked for at opening; 0 on a backend that is not shared.
uint32_t store_lease_ms(const struct store *store);

// How long the lease lasts that the last commit renewed, by this process's clock, counted from before that commit
// began: it ends earlier here than in the database. 0: it is over, and another instance may own the slots. INT64_MAX
// without leases.
int64_t store_lease_left_ms(const struct store *store);

// Whether another incarnation has taken over, as far as is known here: every write fails with STORE_FENCED from then
// on, and the lease is over. Never false again.
bool store_is_fenced(const struct store *store);

// From the next commit on this instance's row says that it is leaving. For the rest of its life.
void store_leave(struct store *store);

// Takes over from an instance whose lease is over by the database's clock: its incarnation is raised, which defeats
// what it still has under way, and its slots become ours, in one transaction. `done` runs later: with an error, or with
// whether it took place; it does not when the lease is not over, or when `dead` has another incarnation by now. One at
// a time; with a thread of its own, since it may have to wait for what a dead connection has locked.
typedef void store_taken_fn(void *ctx, const struct error *error, bool taken);
void store_take_over(struct store *store, const struct store_instance_row *dead, store_taken_fn *done, void *ctx);

// Counters since open, for metrics and benches. Thread-safe.
struct store_stats {
    int64_t commits, rows, writes, failed_writes, retries, reads;
    int64_t commit_ns; // time spent committing, sum
    int64_t queue;     // writes waiting now
    bool down;         // the backend does not answer at present
};
void store_stats(const struct store *store, struct store_stats *ret_stats);

// A sentence about settings that weaken durability (MariaDB's flush settings), or NULL when all is well: as they were
// when what writes connected last, which may be to another server than before. For the owner, until the next call.
const char *store_durability_warning(const struct store *store);

#endif
