// Table descriptions: the store's own, checks, look-ups.
#ifndef TXC_STORE_SCHEMA_H
#define TXC_STORE_SCHEMA_H

#include "store/store.h"

// One row, named SCHEMA_NAME: the highest `since` of all descriptions that were ever migrated to.
struct store_schema_row {
    char name[16];
    int64_t version;
};
extern const struct store_table store_schema_table;
#define SCHEMA_NAME "txcenter"

// The highest `since` among the descriptions.
int64_t schema_version(const struct store_table *const *tables);

// NULL when the table has no such column.
const struct store_column *schema_column(const struct store_table *table, const char *name);

// Whether a row can be replaced by a different one: there is a column that is neither of the key nor fixed.
bool schema_changes(const struct store_table *table);

// Bytes of the column's field in the row struct.
size_t schema_field_size(const struct store_column *column);

// Of an index; at most STORE_INDEX_COLUMNS_MAX.
size_t schema_index_columns(const struct store_index *index);
bool schema_index_has(const struct store_index *index, const char *column);

// The store's own tables followed by `tables`, checked. The array is the caller's to free().
bool schema_with_own(const struct store_table *const *tables, const struct store_table *const **ret_all,
                     struct error *error);

#endif
