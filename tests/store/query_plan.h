// How SQLite would carry out a query.
#ifndef TXC_TESTS_STORE_QUERY_PLAN_H
#define TXC_TESTS_STORE_QUERY_PLAN_H

#include "store/store.h"

#include <sqlite3.h>

// What EXPLAIN QUERY PLAN says, each line followed by "; ".
void query_plan(sqlite3 *db, const struct store_query *query, char *out, size_t size);

#endif
