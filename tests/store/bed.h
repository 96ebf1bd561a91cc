// Where a store is tested: one database of some kind, a store on it (threaded, or driven by hand on a virtual clock),
// and the means to wait for what it delivers. Functions fail the running test when something does not go as it must.
#ifndef TXC_TESTS_STORE_BED_H
#define TXC_TESTS_STORE_BED_H

#include "store/backend.h"

#include <pthread.h>

struct bed;

// A kind of database.
struct bed_kind {
    const char *name;
    // An empty database. NULL functions do nothing.
    void (*create)(struct bed *bed);
    // A backend for the database; may be asked for again and again.
    struct store_backend *(*backend)(struct bed *bed);
    void (*destroy)(struct bed *bed);
    // Lets another process take over the instance, as far as the running store can tell.
    void (*usurp)(struct bed *bed);
    bool shared; // several processes may use it
    bool stages; // it writes one batch while it commits another
};

struct mariadb_server;
struct galera;

struct bed_variant {
    const struct bed_kind *kind;
    bool threaded, faulty;
    bool plain;                    // mariadb: without bulk statements
    struct mariadb_server *server; // mariadb: where
    struct galera *galera;         // galera: where
};

// What became of a write.
struct fate {
    struct bed *bed;
    bool called;
    unsigned order; // 1 for the first callback of the bed
    enum err code;
    char text[ERR_TEXT_MAX];
    void (*then)(struct fate *fate); // run in the callback; may be NULL
    void *ctx;
};

struct bed {
    const struct bed_variant *variant;
    char place[128];              // the database's path or name
    struct store_backend *memory; // the kind `memory` keeps its data here
    struct store *store;
    struct store_options options; // what bed_open() opens with; a test may change it before
    struct store_faults faults;
    struct clock clock; // virtual: moves only while a store without threads has nothing else to do
    int64_t now_ms;
    unsigned pending, n_called; // callbacks to come, and come
    struct arena rows;          // what bed_read() answered

    pthread_mutex_t mutex;
    pthread_cond_t wakes;
    bool woken;
    // The gate that commits pass through when the variant is faulty.
    bool gate_shut;
    unsigned at_gate;
    struct fate at_gate_first;
};

void bed_create(struct bed *bed, const struct bed_variant *variant);
void bed_destroy(struct bed *bed); // closes the store, too

// Opens the store on the bed's database with `tables`.
void bed_open(struct bed *bed, const struct store_table *const *tables);
bool bed_try_open(struct bed *bed, const struct store_table *const *tables, struct error *error);
void bed_close(struct bed *bed);

// Closes and opens again.
void bed_reopen(struct bed *bed);

void bed_submit(struct bed *bed, struct store_write *write, struct store_group *group, struct fate *fate);

// A write of one row.
void bed_write(struct bed *bed, const struct store_table *table, enum store_verb verb, const void *row,
               struct store_group *group, struct fate *fate);

// One row, waited for, which must succeed.
void bed_put(struct bed *bed, const struct store_table *table, const void *row);

// Runs the store until every submitted write has been called back.
void bed_drain(struct bed *bed);

// One round: waits for a wake-up (threaded) or pumps, then delivers.
void bed_step(struct bed *bed);

// Asks and waits. The rows live until the bed is destroyed.
struct answer {
    enum err code;
    char text[ERR_TEXT_MAX];
    const void *rows;
    size_t n;
};
struct answer bed_read(struct bed *bed, const struct store_query *query);

// Asks, and waits later, by bed_drain().
struct reading {
    struct bed *bed;
    const struct store_table *table;
    bool count, answered;
    struct answer answer;
};
void bed_ask(struct bed *bed, const struct store_query *query, struct reading *reading);
// Waits for this one, whatever else is to come.
void bed_await(struct bed *bed, const struct reading *reading);

// The gate, for variants that are faulty: while it is shut, commits wait before they begin, so that what is submitted
// meanwhile goes into one batch. Without threads there is nothing to shut: nothing runs until the bed is drained.
void bed_shut_gate(struct bed *bed);
void bed_open_gate(struct bed *bed);

#endif
