// Lists of sagas: which index serves a filter in the order of its pages. What the index does not decide is looked at
// row by row, of at most SAGA_LIST_LOOKS rows a page: a page that has looked at so many comes back with what it found,
// and where to go on. So a page costs the same however many sagas there are, and whatever is asked for.
#ifndef TXC_SAGA_LIST_H
#define TXC_SAGA_LIST_H

#include "saga/tables.h"

enum { SAGA_LIST_LOOKS = 1000, SAGA_COUNT_LOOKS = 100000 };

struct saga_filter {
    enum saga_status status; // 0: any
    bool parked;             // only those where a step waits for an operator
    bool unfinished;         // only those that have not ended
    bool paused;             // only those that an operator has paused
    struct str flow, subject;
    // A step that is in trouble (trouble_row): it calls this participant, it fails for this reason. Both: the same
    // step.
    struct str participant, reason;
    int64_t from_ms, to_ms;    // created in [from_ms, to_ms); to_ms INT64_MAX: without end
    int64_t updated_before_ms; // last written before this; INT64_MAX: whenever
    const int32_t *slots;      // only in one of these
    size_t n_slots;            // 0: in any
};

// Whether the row is one that the filter asks for, but for participant and reason.
bool saga_filter_fits(const struct saga_filter *filter, const struct saga_row *row);

// Where a page begins: behind the last row that the page before it looked at.
struct saga_list_cursor {
    int64_t key;
    char gid[SAGA_GID_MAX + 1];
};

// The query that looks for rows of a filter, in the order of its pages, but for its limit: of saga_table, or, by
// participant and reason, of trouble_table. `ret_after` is what the query's cursor points to.
struct saga_list_after {
    struct saga_row saga;
    struct trouble_row trouble;
};
void saga_list_query(const struct saga_filter *filter, const struct saga_list_cursor *cursor,
                     struct saga_list_after *ret_after, struct store_query *ret_query);

struct saga_list_page {
    const struct saga_row *rows; // without `input` and `journal`; borrowed until the callback returns
    size_t n;
    bool more; // there may be more, behind `next`
    struct saga_list_cursor next;
};
typedef void saga_list_fn(void *ctx, const struct error *error, const struct saga_list_page *page);

// One page of at most `limit` (1..STORE_LIMIT_MAX) sagas. Newest first; what is only filtered by being unfinished: by
// status, the newest of each first. `cursor` NULL: the first one. `done` runs later, once, with an error or a page. The
// filter's texts and slots must live until then; the rest is copied. A store that is abandoned never answers: whoever
// outlives it drops what is returned, which is of no other use.
struct saga_listing *saga_list_read(struct store *store, const struct saga_filter *filter,
                                    const struct saga_list_cursor *cursor, uint32_t limit, saga_list_fn *done,
                                    void *ctx);
void saga_list_drop(struct saga_listing *listing); // NULL is fine

// How many sagas fit, up to `most`; `at_least`: there may be more. What no index decides is counted by looking at rows,
// at most SAGA_COUNT_LOOKS of them. `done` runs later, once; the filter's texts and slots must live until then.
typedef void saga_count_fn(void *ctx, const struct error *error, size_t n, bool at_least);
void saga_list_count(struct store *store, const struct saga_filter *filter, uint32_t most, saga_count_fn *done,
                     void *ctx);

#endif
