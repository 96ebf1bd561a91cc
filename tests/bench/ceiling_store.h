// The store of the ceiling: one table that only grows, one writer thread that commits everything queued at once.
#ifndef TXC_TESTS_BENCH_CEILING_STORE_H
#define TXC_TESTS_BENCH_CEILING_STORE_H

#include "base/str.h"

// One row to be written; lives in its owner until it comes back. Bytes are borrowed until then.
struct ceiling_row {
    struct ceiling_row *next;
    struct str gid, bytes;
    int kind;
};

// Opens the file `where` (SQLite: WAL, synchronous=FULL), or the database "ceiling" behind the socket `where`
// (MariaDB), and starts the writer. `where` is a socket when it is one. After each commit `wake` is called on the
// writer's thread. Exits when anything fails, also later.
void ceiling_store_open(const char *where, void (*wake)(void *ctx), void *ctx);

// Queues a row.
void ceiling_store_add(struct ceiling_row *row);

// The rows that are durable, in the order in which they were added.
struct ceiling_row *ceiling_store_take(void);

// For the figures, at the end.
void ceiling_store_count(long *ret_commits, long *ret_rows);

#endif
