// What is durable, as whoever looks at the disk sees it.
#ifndef TXC_TESTS_SIMULATION_DURABLE_H
#define TXC_TESTS_SIMULATION_DURABLE_H

#include "saga/machine.h"
#include "saga/tables.h"

// Rows, borrowed until the next question.
const void *durable_rows(const struct store_query *query, size_t *ret_n);
size_t durable_count(const struct store_query *query);

// The row with the key of `like`; NULL: none. (All columns of the key are texts or integers of `like`.)
const void *durable_row(const struct store_table *table, const void *like);
const struct saga_row *durable_saga(const char *gid);

// The saga in a row; the caller's to release. A row that can't be read breaks a rule.
struct saga_instance durable_instance(const struct saga_row *row);

// Calls `visit` for every saga that there is, in the order of their gids. It may ask for more.
void durable_each_saga(void (*visit)(const struct saga_row *row));

#endif
