// Lists of sagas: which index serves a filter in the order of its pages. Every filter is an equality on the first
// column of an index, or a range of one, so that a page costs the same however many sagas there are. (Two filters at
// once: the one that leaves fewer; the other is looked at row by row.)
#ifndef TXC_SAGA_LIST_H
#define TXC_SAGA_LIST_H

#include "saga/tables.h"

struct saga_filter {
    enum saga_status status; // 0: any
    bool parked;             // only those where a step waits for an operator
    bool unfinished;         // only those that have not ended
    struct str flow, subject;
    int64_t from_ms, to_ms; // created in [from_ms, to_ms); to_ms INT64_MAX: without end
};

// The query of a page but for its cursor and its limit. Newest first; what is only filtered by being unfinished: by
// status, the newest of each first.
void saga_list(const struct saga_filter *filter, struct store_query *ret_query);

// A cursor is this number of the last row and its gid.
int64_t saga_list_key(const struct saga_filter *filter, const struct saga_row *row);
void saga_list_after(const struct saga_filter *filter, int64_t key, struct str gid, struct saga_row *ret_after);

#endif
