// Sorting the operations of a transaction into groups that one bulk statement each can do. A statement costs a network
// round trip, so an operation joins an earlier group of its table and verb wherever that keeps the order of the
// operations on its key. (Operations on different keys of different rows commute: nothing but a key is unique, and no
// table refers to another.)
#ifndef TXC_STORE_BULK_H
#define TXC_STORE_BULK_H

#include "store/backend.h"

struct bulk_group {
    const struct store_table *table;
    enum store_verb verb;
    size_t first, n; // in bulk_plan.rows
};

// Reused from one transaction to the next.
struct bulk_plan {
    struct bulk_group *groups; // in the order in which they must run
    size_t n_groups;
    const void **rows;
    // Scratch.
    uint32_t *group_of; // an operation's group
    struct bulk_seen {
        uint64_t hash; // of table and key; 0: free
        uint32_t group;
    } * seen; // the last group of each key so far
    size_t cap, n_seen;
};

// The plan borrows the rows from `ops`.
void bulk_plan_make(struct bulk_plan *plan, const struct store_op *ops, size_t n);

void bulk_plan_release(struct bulk_plan *plan);

#endif
