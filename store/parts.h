// What the files that make up a store share: store.c (the owner's side), write.c, writer.c, reader.c. The mutex guards
// the queues between the owner and the threads; everything else has one owner, named below.
#ifndef TXC_STORE_PARTS_H
#define TXC_STORE_PARTS_H

#include "store/backend.h"

#include <pthread.h>
#include <stdatomic.h>

// ---- What is queued ---------------------------------------------------------------------------------------------

struct store_write {
    struct store_write *next;
    struct store *store;
    struct arena arena; // rows and blobs
    struct store_op *ops;
    size_t n_ops, cap_ops;
    bool renews;
    struct store_group *group; // may be NULL
    store_done_fn *done;
    void *ctx;
    enum err code; // OK until it failed
    char text[ERR_TEXT_MAX];
};

// Writes and reads are kept for reuse, but for those that grew.
enum { SPARE_WRITES_MAX = 256, SPARE_READS_MAX = 64, SPARE_BYTES_MAX = 64 * 1024, SPARE_ROWS_MAX = 64 };

// Who answers a read. A list that takes long keeps lists waiting, and nothing else.
enum store_reader { READS_LOOKUPS, READS_LISTS, READERS };

struct store_read {
    struct store_read *next;
    enum store_reader reader;
    uint32_t failures;  // of this read alone, the backend being there
    struct arena arena; // the query's texts, then the answer
    struct store_query query;
    store_rows_fn *done;
    void *ctx;
    void *rows;
    size_t n;
    enum err code;
    char text[ERR_TEXT_MAX];
};

// A taking-over, from its asking to its delivery.
struct taking {
    size_t queued, done; // 0 or 1
    char dead[STORE_INSTANCE_MAX + 1];
    int64_t incarnation;
    store_taken_fn *fn;
    void *ctx;
    bool taken;
    enum err code;
    char text[ERR_TEXT_MAX];
};

// First in, first out.
struct write_queue {
    struct store_write *first, *last;
    size_t n;
};
struct read_queue {
    struct store_read *first, *last;
    size_t n;
};

void write_queue_add(struct write_queue *queue, struct store_write *write);
struct store_write *write_queue_take(struct write_queue *queue); // NULL when empty
void write_fail(struct store_write *write, enum err code, const char *text);
void write_destroy(struct store_write *write);

void read_queue_add(struct read_queue *queue, struct store_read *read);
struct store_read *read_queue_take(struct read_queue *queue);
void read_destroy(struct store_read *read);

// ---- The workers ------------------------------------------------------------------------------------------------

// How long to leave the backend alone after failures in a row: at once, then retry_first_ms, doubling.
struct back_off {
    uint32_t failures;
    uint32_t wait_ms; // before the next try
};

// A range of the batch, yet to be committed: [from, to).
struct write_range {
    uint32_t from, to;
    bool tried_again;
};

enum { WRITER_RANGES_MAX = 34 }; // a range is halved at most 32 times

struct batch {
    struct store_write **writes;                  // batch_max
    struct write_range ranges[WRITER_RANGES_MAX]; // the last is next
    uint32_t n_ranges;                            // 0: there is no batch
    struct store_op *ops;                         // of the range that is being committed
    size_t n_ops, cap_ops;
    uint32_t active; // writes of that range that go in
    // The operations are in a transaction that is not sealed yet, but for the `more`.
    bool staged, more;
    int64_t stage_ns; // that took
};

// The writer's alone.
struct writer {
    struct backend_conn *conn;
    struct batch now;
    struct batch next;           // taken while COMMIT of the other is under way, where the backend can stage
    uint32_t n_through;          // batches that are; goes round
    int64_t commit_ns, stage_ns; // what COMMIT, and the operations of a batch, have taken lately, where it can stage
    struct back_off back_off;
    bool unknown;    // whether the last commit took place is to be found out
    bool settle;     // a commit was handed back since the last settling
    bool last_try;   // closing, and the backend failed once already
    enum err refuse; // not OK: every write fails with this from now on
    char refuse_text[ERR_TEXT_MAX];
};

// A reader's alone.
struct reader {
    struct backend_conn *conn;
    struct store_read *current;
    struct back_off back_off;
    bool last_try;
};

// The keeper's alone: the thread that takes over from dead instances.
struct keeper {
    struct back_off back_off;
    bool last_try;
};

// What one round of a worker came to.
enum worked {
    WORKED_NOT,   // nothing is queued
    WORKED_SOME,  // something was done; there may be more
    WORKED_LATER, // the backend is down: try again after back_off.wait_ms
};

enum { STORE_THREADS = 2 + READERS };

typedef enum worked work_fn(struct store *store);
work_fn writer_work, keeper_work;
extern work_fn *const reader_works[READERS];
bool keeper_deliver(struct store *store);                    // true when there was something
bool writer_init(struct writer *writer, uint32_t batch_max); // false without memory
void writer_release(struct writer *writer);

struct store {
    // Set by store_open().
    struct store_backend *backend;
    const struct store_table *const *tables; // with the store's own
    struct store_options options;
    char instance[STORE_INSTANCE_MAX + 1], address[STORE_ADDRESS_MAX + 1];
    int64_t token;

    // The owner's.
    struct store_write *spare_writes; // kept with their memory
    struct store_read *spare_reads;
    uint32_t n_spare_writes, n_spare_reads;
    uint32_t writes_in_flight, reads_in_flight[READERS]; // submitted, not yet delivered
    struct write_queue held;                             // by options.hold, until store_flush()
    bool delivering, closed;
    int64_t writer_due_ms, reader_due_ms[READERS], keeper_due_ms; // without threads: when a back-off ends

    pthread_mutex_t mutex; // guards what follows
    pthread_cond_t writer_wakes, reader_wakes[READERS], keeper_wakes;
    struct write_queue writes, done_writes;
    struct read_queue reads[READERS], done_reads;
    struct store_stats stats;
    struct store_identity identity;
    bool closing, abandoned;
    bool writer_sleeps, reader_sleeps[READERS], keeper_sleeps;
    struct taking taking;

    atomic_uint down; // set of enum store_down
    atomic_bool refusing, fenced;
    struct writer writer;
    struct reader readers[READERS];
    struct keeper keeper;
    _Atomic int64_t lease_end_ms;
    atomic_bool leaving;
    pthread_t threads[STORE_THREADS];
    unsigned n_threads;
};

// Ends the process, for what must not be gone on from: says why on standard error.
_Noreturn void store_die(const struct store *store, const char *what, const struct error *error);

// The lease was renewed by what began at this time.
void store_renewed(struct store *store, int64_t begun_ms);

// For the workers: are we closing? (An abandoned store's threads leave at once.)
bool store_is_closing(struct store *store);

// Whose backend does not answer at present; for store_room() and store_stats().
enum store_down { DOWN_WRITER = 1, DOWN_READER = 2 };
void store_set_down(struct store *store, enum store_down worker, bool down);

void back_off_failed(struct back_off *back_off, const struct store_options *options);

#endif
