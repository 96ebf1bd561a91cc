// Queries by their description: checking, copying, what the cursor means, and doing one over rows in memory.
#ifndef TXC_STORE_QUERY_H
#define TXC_STORE_QUERY_H

#include "store/store.h"

enum { QUERY_ORDER_MAX = STORE_INDEX_COLUMNS_MAX + STORE_KEY_COLUMNS_MAX };

// Does the query fit its table? STORE_REFUSED when not.
bool query_check(const struct store_query *query, struct error *error);

// Copies conditions and cursor of a query that was checked into `arena`, so that it outlives what the caller gave.
// False when it is full.
bool query_copy(const struct store_query *query, struct arena *arena, struct store_query *ret_copy);

// The order of the answer: order columns, then key columns, without repetition and without those that a condition
// fixes to one value (they would only keep a database from using its index).
struct query_order {
    const struct store_column *columns[QUERY_ORDER_MAX];
    size_t n;
    // What `after` leaves: everything (there is no cursor), the rows whose `columns` come after the cursor's, or
    // nothing (the conditions leave one row, which is the cursor's).
    enum { QUERY_ALL, QUERY_AFTER, QUERY_NOTHING } rest;
};
void query_order(const struct store_query *query, struct query_order *ret_order);

// The condition that fixes the column to one value; NULL when there is none.
const struct store_cond *query_fixing(const struct store_query *query, const struct store_column *column);

// The least text that is greater than every text that begins with `prefix`, into out (as long as the prefix); its
// length, or 0 when there is none.
size_t query_prefix_end(struct str prefix, char *out);

// For rows that are in memory: do the conditions and the cursor let the row through, and which of two comes first?
bool query_matches(const struct store_query *query, const struct query_order *order, const void *row);
int query_compare(const struct store_query *query, const struct query_order *order, const void *a, const void *b);

#endif
