// What a business keeps of its subjects when they have ended: for how long, and how they go. The engine finds what is
// over, sees to its own rows, and asks the business for the rest; it never knows what a subject is.
#ifndef TXC_SAGA_ESTATE_H
#define TXC_SAGA_ESTATE_H

#include "saga/turn.h"

// Rows that go by their age alone.
enum saga_aged_order {
    SAGA_AGED_BY_INDEX, // in the order of `by_age`, oldest first
    SAGA_AGED_BY_KEY,   // keys are in the order of age, as numbers of ours are
    SAGA_AGED_ANYHOW,   // every row is looked at
};
struct saga_aged {
    const struct store_table *table; // NULL ends a list
    enum saga_aged_order order;
    uint8_t by_age;                // which of the table's indexes
    uint32_t at_offset;            // of when its time begins, int64_t in the row
    int64_t (*kept_ms)(void *ctx); // 0: for ever
};

// One unit on its way out of the store: a subject with everything about it.
struct saga_leaving;

struct saga_estate {
    const struct store_table *table; // a row each; the first column is the key, as in its sagas' `subject`
    // Which of its indexes is over: as what it was closed (I32; 0: it is not), and since when it is (I64).
    uint8_t by_end;
    uint32_t since_offset;                         // of the latter in the row
    int32_t n_closed;                              // it is closed as 1..n_closed
    int64_t (*kept_ms)(void *ctx, int32_t closed); // how long at least, from then on; 0: for ever
    // Every saga about it has ended, and is not to be kept any longer: deletes its rows and saga_leaving_rows() in one
    // turn, so that they go together, and ends in saga_leaving_done(), at once or later. What can't go now (somebody
    // uses it, something is open) is left for later. What is kept of it afterwards is the business's to write in the
    // same turn.
    void (*retire)(void *ctx, struct str key, struct saga_leaving *leaving);
    const struct saga_aged *aged; // what else goes; NULL: nothing
};

// As what it is closed, and when its sagas were looked at: what changed since then is not known to have ended.
int32_t saga_leaving_closed(const struct saga_leaving *leaving);
int64_t saga_leaving_since(const struct saga_leaving *leaving);

// The rows of its sagas, to be deleted in this turn.
void saga_leaving_rows(struct saga_leaving *leaving, struct saga_turn *turn);

// It is gone, with so many rows of the business's; or it stays for now, and is tried again.
void saga_leaving_done(struct saga_leaving *leaving, bool gone, size_t rows);

#endif
