// What retention.c and leaving.c share: what is looked through for what is over, and one unit on its way out.
#ifndef TXC_SAGA_RETENTION_H
#define TXC_SAGA_RETENTION_H

#include "saga/estate.h"
#include "saga/rounds.h"

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

// One table that has rows whose time may be over.
struct chore {
    struct round round;
    struct saga_retention *retention;
    // Judges the i-th of a page.
    struct look (*look)(struct chore *chore, const struct round_page *page, size_t i);
    // It goes: as a unit by itself (leaving_…), or, where NULL, as a row of the page's one write.
    void (*leave)(struct chore *chore, const void *row);
    const struct saga_estate *estate;
    const struct saga_aged *aged;
    void *ctx; // of these
    int32_t closed;
    void *skip;
    int64_t oldest_ms, behind_ms; // when the oldest that is kept ended; since when what goes now is over
    struct store_write *write;
    size_t n_write; // rows in it
};

struct saga_retention {
    struct rounds rounds;
    const struct saga_retention_options *options;
    struct chore **chores;
    size_t n_chores;
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

// leaving.c
void leaving_saga(struct chore *chore, const void *row);
void leaving_subject(struct chore *chore, const void *row);
// They are not waited for any more: the store is gone.
void leaving_drop_all(struct saga_retention *retention);

#endif
