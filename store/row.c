#include "store/row.h"

#include "store/schema.h"

#include <assert.h>

static const void *field(const struct store_column *column, const void *row) {
    return (const char *)row + column->offset;
}

static void *field_to_set(const struct store_column *column, void *row) {
    return (char *)row + column->offset;
}

int64_t row_integer(const struct store_column *column, const void *row) {
    if (column->type == STORE_I32) {
        int32_t small;
        memcpy(&small, field(column, row), sizeof small);
        return small;
    }
    assert(column->type == STORE_I64);
    int64_t value;
    memcpy(&value, field(column, row), sizeof value);
    return value;
}

struct str row_bytes(const struct store_column *column, const void *row) {
    const void *at = field(column, row);
    if (column->type == STORE_TEXT)
        return str_n(at, strnlen(at, (size_t)column->max + 1));
    assert(column->type == STORE_BLOB);
    struct str blob;
    memcpy(&blob, at, sizeof blob);
    return blob;
}

bool row_set_integer(const struct store_column *column, void *row, int64_t value) {
    void *at = field_to_set(column, row);
    if (column->type == STORE_I64) {
        memcpy(at, &value, sizeof value);
        return true;
    }
    assert(column->type == STORE_I32);
    int32_t small = (int32_t)value;
    if (small != value)
        return false;
    memcpy(at, &small, sizeof small);
    return true;
}

bool row_set_bytes(const struct store_column *column, void *row, struct str value, struct arena *arena) {
    if (value.len > column->max)
        return false;
    if (column->type == STORE_TEXT)
        return str_copy(value, field_to_set(column, row), (size_t)column->max + 1);
    assert(column->type == STORE_BLOB);
    struct str copy = arena_str(arena, value);
    if (!copy.ptr)
        return false;
    memcpy(field_to_set(column, row), &copy, sizeof copy);
    return true;
}

void row_move(const struct store_column *column, void *to, const void *from) {
    memcpy(field_to_set(column, to), field(column, from), schema_field_size(column));
}

bool row_check(const struct store_table *table, const void *row, bool key_only, struct error *error) {
    size_t n = key_only ? table->n_key : table->n_columns;
    for (size_t i = 0; i < n; i++) {
        const struct store_column *column = &table->columns[i];
        if (column->type == STORE_I64 || column->type == STORE_I32)
            continue;
        struct str value = row_bytes(column, row);
        if (value.len > column->max)
            return error_set(error, ERR_STORE_REFUSED, "%s.%s: longer than %u bytes", table->name, column->name,
                             column->max);
        if (column->type == STORE_TEXT && !str_is_utf8(value))
            return error_set(error, ERR_STORE_REFUSED, "%s.%s: not UTF-8", table->name, column->name);
    }
    return true;
}

bool row_copy_into(const struct store_table *table, const void *row, bool key_only, void *copy, struct arena *arena) {
    memcpy(copy, row, table->row_size);
    for (size_t i = table->n_key; i < table->n_columns; i++) {
        const struct store_column *column = &table->columns[i];
        if (column->type != STORE_BLOB)
            continue;
        struct str blob = key_only ? STR_NONE : row_bytes(column, row);
        if (!row_set_bytes(column, copy, blob, arena))
            return false;
    }
    return true;
}

void *row_copy(const struct store_table *table, const void *row, bool key_only, struct arena *arena) {
    void *copy = arena_alloc(arena, table->row_size);
    return copy && row_copy_into(table, row, key_only, copy, arena) ? copy : NULL;
}

int row_compare(const struct store_column *column, const void *a, const void *b) {
    if (column->type == STORE_TEXT || column->type == STORE_BLOB)
        return str_cmp(row_bytes(column, a), row_bytes(column, b));
    int64_t left = row_integer(column, a), right = row_integer(column, b);
    return (left > right) - (left < right);
}

int row_compare_keys(const struct store_table *table, const void *a, const void *b) {
    int order = 0;
    for (size_t i = 0; order == 0 && i < table->n_key; i++)
        order = row_compare(&table->columns[i], a, b);
    return order;
}

void *row_page_add(struct row_page *page, struct error *error) {
    assert(page->n < page->max);
    size_t size = page->table->row_size;
    if (page->n == page->cap) {
        size_t cap = page->cap ? 2 * page->cap : 8;
        cap = cap < page->max ? cap : page->max;
        char *rows = arena_alloc(page->arena, cap * size);
        if (!rows) {
            error_set(error, ERR_STORE_REFUSED, "a page of %s is larger than one read may answer", page->table->name);
            return NULL;
        }
        if (page->n)
            memcpy(rows, page->rows, page->n * size);
        page->rows = rows;
        page->cap = cap;
    }
    return memset(page->rows + page->n++ * size, 0, size);
}

bool row_page_passes(struct row_page *page, struct error *error) {
    if (!page->readable || error->code != ERR_STORE_CORRUPT)
        return false;
    page->n--;
    *error = (struct error){0};
    return true;
}

static bool misfit(const struct row_page *page, const struct store_column *column, struct error *error) {
    return error_set(error, ERR_STORE_CORRUPT, "%s.%s: the stored value does not fit its description",
                     page->table->name, column->name);
}

bool row_load_integer(const struct row_page *page, const struct store_column *column, void *row, int64_t value,
                      struct error *error) {
    if (column->type != STORE_I64 && column->type != STORE_I32)
        return misfit(page, column, error);
    return row_set_integer(column, row, value) || misfit(page, column, error);
}

bool row_load_bytes(const struct row_page *page, const struct store_column *column, void *row, struct str value,
                    struct error *error) {
    if (column->type != STORE_TEXT && column->type != STORE_BLOB)
        return misfit(page, column, error);
    if (row_set_bytes(column, row, value, page->arena))
        return true;
    if (column->type == STORE_TEXT || value.len > column->max)
        return misfit(page, column, error);
    return error_set(error, ERR_STORE_REFUSED, "a page of %s is larger than one read may answer", page->table->name);
}
