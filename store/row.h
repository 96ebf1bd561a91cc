// Row structs by their description: checking, copying, comparing.
#ifndef TXC_STORE_ROW_H
#define TXC_STORE_ROW_H

#include "store/store.h"

// The fields of a row. The column must have the type (asserted).
int64_t row_integer(const struct store_column *column, const void *row);  // I64, I32
struct str row_bytes(const struct store_column *column, const void *row); // TEXT, BLOB; borrowed from the row

// Sets a field of a row; false when it does not fit the column. A blob's bytes are copied into `arena`.
bool row_set_integer(const struct store_column *column, void *row, int64_t value);
bool row_set_bytes(const struct store_column *column, void *row, struct str value, struct arena *arena);

// Sets a field to another row's; a blob's bytes stay where they are.
void row_move(const struct store_column *column, void *to, const void *from);

// Does every column (of the key only, when `key_only`) hold what its description allows? STORE_REFUSED when not.
bool row_check(const struct store_table *table, const void *row, bool key_only, struct error *error);

// The struct and its blobs (none, when `key_only`), in `arena`; NULL when that is full.
void *row_copy(const struct store_table *table, const void *row, bool key_only, struct arena *arena);

// The same with a struct that is there already.
bool row_copy_into(const struct store_table *table, const void *row, bool key_only, void *copy, struct arena *arena);

// Order of two rows in one column; <0, 0, >0.
int row_compare(const struct store_column *column, const void *a, const void *b);

// Order by primary key.
int row_compare_keys(const struct store_table *table, const void *a, const void *b);

// The rows that a read collects: an array in `arena` that grows up to `max`.
struct row_page {
    const struct store_table *table;
    struct arena *arena;
    char *rows;
    size_t n, cap, max;
    bool readable; // struct store_query's
};

// A cleared row at the end of the page. NULL with STORE_REFUSED when the arena is full; past `max` rows is asserted.
void *row_page_add(struct row_page *page, struct error *error);

// A row could not be loaded. True when it is left out, and the error forgotten.
bool row_page_passes(struct row_page *page, struct error *error);

// row_set_… with the error that a value read from a database deserves: STORE_CORRUPT when the description does not
// allow it, STORE_REFUSED when the arena is full.
bool row_load_integer(const struct row_page *page, const struct store_column *column, void *row, int64_t value,
                      struct error *error);
bool row_load_bytes(const struct row_page *page, const struct store_column *column, void *row, struct str value,
                    struct error *error);

#endif
