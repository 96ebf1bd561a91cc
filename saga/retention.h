// What retention.c and leaving.c share: what is looked through for what is over, and one unit on its way out.
#ifndef TXC_SAGA_RETENTION_H
#define TXC_SAGA_RETENTION_H

#include "saga/engine.h"
#include "saga/estate.h"

struct saga_retention;
struct chore;

// What is to be done about a row.
enum looked {
    LOOKED_STOP, // it is not over, nor is any behind it
    LOOKED_TURN, // it is looked at again as the first of the next page
    LOOKED_SKIP, // it stays, and so do those behind it, up to chore->skip
    LOOKED_KEEP, // it stays
    LOOKED_GOES,
};
struct look {
    enum looked looked;
    int64_t since_ms, over_ms; // when it ended (0: it has not); when its time is over
};
// A page of rows.
struct chore_page {
    const void *rows;
    size_t n;
    bool full; // there may be more behind it
};

// One table that is gone through from time to time, in the order of an index, for rows whose time is over.
struct chore {
    struct saga_retention *retention;
    struct store_query query;
    struct look (*look)(struct chore *chore, const struct chore_page *page, size_t i);
    // It goes: as a unit by itself (leaving_…), or, where NULL, as a row of the page's one write.
    void (*leave)(struct chore *chore, const void *row);
    const struct saga_estate *estate;
    const struct saga_aged *aged;
    void *ctx; // of these
    int32_t closed;
    uint32_t often_ms; // between two passes
    bool whole;        // each of which begins at the beginning
    void *cursor, *skip;
    bool has_cursor, readable, ended;
    int64_t next_ms, whole_ms;    // when to go on; when to begin from the beginning again
    int64_t oldest_ms, behind_ms; // when the oldest that is kept ended; since when what goes now is over
    struct store_write *write;
    size_t n_write, n_waiting; // rows in it; units of the present page on their way
};

struct saga_retention {
    struct saga_engine *engine;
    const struct saga_retention_options *options;
    struct chore *chores;
    size_t n_chores, at; // the one whose turn it is
    bool busy;           // a page of it is on its way
    int64_t page_ms, next_ms;
    size_t spent; // rows of the present page, deleted or looked at
    struct saga_leaving *leaving;
    struct store_group group; // of the pages' writes
    int64_t deleted, deleted_rows;
    int64_t hour_ms, hour[6]; // deleted in each ten minutes, of which the first began then
};

// How long a saga of this flow and class is kept; INT64_MAX: for ever.
int64_t retention_kept_ms(const struct saga_retention *retention, const char *flow, enum saga_kept class);
// When a saga's time is over; INT64_MAX: never, or it has not ended.
int64_t retention_over_ms(const struct saga_retention *retention, const struct saga_row *row);
// So many sagas and rows are gone.
void retention_count(struct saga_retention *retention, size_t sagas, size_t rows);
// One of the page is through; with the last one the page is.
void retention_left(struct chore *chore);

// leaving.c
void leaving_saga(struct chore *chore, const void *row);
void leaving_subject(struct chore *chore, const void *row);
// They are not waited for any more: the store is gone.
void leaving_drop_all(struct saga_retention *retention);

#endif
