// Tables that are gone through from time to time, one page of one of them at a time and so many rows a second, whatever
// there is to do: what must never stand in the way of the sagas.
#ifndef TXC_SAGA_ROUNDS_H
#define TXC_SAGA_ROUNDS_H

#include "saga/engine.h"

// A page of rows.
struct round_page {
    const void *rows;
    size_t n;
    bool full; // there may be more behind it
};

// One table that is gone through, in the order of the query. Embedded in whatever it is for.
struct round {
    struct rounds *rounds;
    struct store_query query; // its limit: a page's
    // Looks at a page: moves the cursor (round_move()), says whether that was the end (round->ended), and, for each row
    // that takes longer, counts n_waiting up and later calls round_left().
    void (*look)(struct round *round, const struct round_page *page);
    void (*passed)(struct round *round); // a pass is over; NULL is fine
    uint32_t often_ms;                   // between two passes
    bool whole;                          // each of which begins at the beginning; else once an hour one does
    // Its own.
    void *cursor;
    bool has_cursor, readable, ended;
    int64_t next_ms, whole_ms;
    size_t n_waiting;
};

struct rounds {
    struct saga_engine *engine;
    uint32_t rows_per_s;
    struct round **list;
    size_t n, at; // the one whose turn it is
    bool busy;    // a page of it is on its way
    int64_t page_ms, next_ms;
    size_t spent; // rows of the present page: looked at, deleted, written
};

// Nothing is looked at before `first_ms`.
void rounds_init(struct rounds *rounds, struct saga_engine *engine, uint32_t rows_per_s, int64_t first_ms);
// Not the rounds that were added.
void rounds_release(struct rounds *rounds);

// Before the first tick. Its query, look, often_ms and whole are set.
void rounds_add(struct rounds *rounds, struct round *round);

int64_t rounds_due(const struct rounds *rounds);
void rounds_tick(struct rounds *rounds, int64_t now_ms);
int64_t rounds_now(const struct rounds *rounds);

// Whether this instance sees to the slot; the slot of a row: its column of this name says it, or its
// first one is hashed.
bool rounds_owns(const struct rounds *rounds, unsigned slot);
unsigned rounds_slot_of(const struct store_table *table, const void *row);

// It goes on behind this row.
void round_move(struct round *round, const void *row);
// One of those that it waits for is through.
void round_left(struct round *round);

#endif
