// Rows whose content follows from their number.
#ifndef TXC_TESTS_POWERLOSS_NUMBERED_H
#define TXC_TESTS_POWERLOSS_NUMBERED_H

#include "store/backend.h"

enum { NUMBERED_BYTES = 3000 };

struct numbered {
    int64_t id; // -1: the row that keeps the last number
    int64_t value;
    struct str body;
};

static const struct store_column numbered_columns[] = {
    STORE_COL_I64(numbered, id),
    STORE_COL_I64(numbered, value),
    STORE_COL_BLOB(numbered, body, NUMBERED_BYTES),
};
static const struct store_table numbered_table = {
    .name = "numbered",
    .row_size = sizeof(struct numbered),
    .columns = numbered_columns,
    .n_columns = STORE_COUNT(numbered_columns),
    .n_key = 1,
    .since = 1,
};
static const struct store_table *const numbered_tables[] = {&numbered_table, NULL};

// The row of a number, its body in `bytes`.
static inline struct numbered numbered_row(int64_t number, char bytes[NUMBERED_BYTES]) {
    size_t length = 500 + (size_t)(number * 7919 % (NUMBERED_BYTES - 500));
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(number + (int64_t)i * 31);
    return (struct numbered){.id = number, .value = number * 3, .body = str_n(bytes, length)};
}

#endif
