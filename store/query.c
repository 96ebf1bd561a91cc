#include "store/query.h"

#include "store/row.h"
#include "store/schema.h"

static bool check_cond(const struct store_table *table, const struct store_cond *cond, struct error *error) {
    const struct store_column *column = schema_column(table, cond->column);
    if (!column)
        return error_set(error, ERR_STORE_REFUSED, "%s has no column %s", table->name, cond->column);
    if (column->type == STORE_BLOB)
        return error_set(error, ERR_STORE_REFUSED, "%s.%s: a blob can't be compared", table->name, cond->column);
    if (cond->cmp > STORE_PREFIX)
        return error_set(error, ERR_STORE_REFUSED, "%s.%s: unknown comparison", table->name, cond->column);
    if (cond->cmp == STORE_PREFIX && column->type != STORE_TEXT)
        return error_set(error, ERR_STORE_REFUSED, "%s.%s: only a text has a prefix", table->name, cond->column);
    return true;
}

bool query_check(const struct store_query *query, struct error *error) {
    const struct store_table *table = query->table;
    for (size_t i = 0; i < STORE_CONDS_MAX; i++)
        if (query->conds[i].column && !check_cond(table, &query->conds[i], error))
            return false;
    size_t n_order = query->order ? schema_index_columns(query->order) : 0;
    for (size_t i = 0; i < n_order; i++) {
        const struct store_column *column = schema_column(table, query->order->columns[i]);
        if (!column || column->type == STORE_BLOB)
            return error_set(error, ERR_STORE_REFUSED, "%s can't be ordered by %s", table->name,
                             query->order->columns[i]);
    }
    if (!query->count && (query->limit == 0 || query->limit > STORE_LIMIT_MAX))
        return error_set(error, ERR_STORE_REFUSED, "a page of %s has 1 to %d rows, not %u", table->name,
                         STORE_LIMIT_MAX, query->limit);
    return true;
}

bool query_copy(const struct store_query *query, struct arena *arena, struct store_query *ret_copy) {
    struct store_query copy = *query;
    for (size_t i = 0; i < STORE_CONDS_MAX; i++) {
        if (!copy.conds[i].column)
            continue;
        copy.conds[i].column = schema_column(query->table, copy.conds[i].column)->name;
        if (str_empty(copy.conds[i].text))
            continue;
        copy.conds[i].text = arena_str(arena, copy.conds[i].text);
        if (!copy.conds[i].text.ptr)
            return false;
    }
    if (query->after) {
        // Blobs take no part in a cursor.
        copy.after = row_copy(query->table, query->after, true, arena);
        if (!copy.after)
            return false;
    }
    *ret_copy = copy;
    return true;
}

const struct store_cond *query_fixing(const struct store_query *query, const struct store_column *column) {
    for (size_t i = 0; i < STORE_CONDS_MAX; i++) {
        const struct store_cond *cond = &query->conds[i];
        if (cond->column && cond->cmp == STORE_EQ && strcmp(cond->column, column->name) == 0)
            return cond;
    }
    return NULL;
}

// Order of the row's field and the condition's value.
static int compare_to_cond(const struct store_column *column, const void *row, const struct store_cond *cond) {
    if (column->type == STORE_TEXT)
        return str_cmp(row_bytes(column, row), cond->text);
    int64_t value = row_integer(column, row);
    return (value > cond->integer) - (value < cond->integer);
}

static bool has(const struct query_order *order, const struct store_column *column) {
    for (size_t i = 0; i < order->n; i++)
        if (order->columns[i] == column)
            return true;
    return false;
}

void query_order(const struct store_query *query, struct query_order *ret_order) {
    const struct store_table *table = query->table;
    size_t n_index = query->order ? schema_index_columns(query->order) : 0;
    struct query_order order = {0};
    for (size_t i = 0; i < n_index + table->n_key; i++) {
        const struct store_column *column =
            i < n_index ? schema_column(table, query->order->columns[i]) : &table->columns[i - n_index];
        const struct store_cond *cond = query_fixing(query, column);
        // A cursor that has another value than the condition, and so is no row of the answer, needs the column.
        bool fixed = cond && (!query->after || compare_to_cond(column, query->after, cond) == 0);
        if (!fixed && !has(&order, column))
            order.columns[order.n++] = column;
    }
    if (query->after)
        order.rest = order.n > 0 ? QUERY_AFTER : QUERY_NOTHING;
    *ret_order = order;
}

size_t query_prefix_end(struct str prefix, char *out) {
    size_t n = prefix.len;
    if (n)
        memcpy(out, prefix.ptr, n);
    while (n > 0 && (unsigned char)out[n - 1] == 0xFF)
        n--;
    if (n > 0)
        out[n - 1] = (char)((unsigned char)out[n - 1] + 1);
    return n;
}

static bool cond_holds(const struct store_table *table, const struct store_cond *cond, const void *row) {
    const struct store_column *column = schema_column(table, cond->column);
    if (cond->cmp == STORE_PREFIX)
        return str_starts(row_bytes(column, row), cond->text);
    int order = compare_to_cond(column, row, cond);
    switch (cond->cmp) {
    case STORE_EQ: return order == 0;
    case STORE_NE: return order != 0;
    case STORE_LT: return order < 0;
    case STORE_LE: return order <= 0;
    case STORE_GT: return order > 0;
    case STORE_GE: return order >= 0;
    case STORE_PREFIX: break;
    }
    return false;
}

static bool is_in_index(const struct store_query *query, const void *row) {
    const struct store_index *index = query->order;
    if (!index || (index->least == 0 && index->most == 0))
        return true;
    int64_t value = row_integer(schema_column(query->table, index->columns[index->bounded]), row);
    return (index->least == 0 || value >= index->least) && (index->most == 0 || value <= index->most);
}

bool query_matches(const struct store_query *query, const struct query_order *order, const void *row) {
    if (!is_in_index(query, row))
        return false;
    for (size_t i = 0; i < STORE_CONDS_MAX; i++)
        if (query->conds[i].column && !cond_holds(query->table, &query->conds[i], row))
            return false;
    if (order->rest == QUERY_AFTER)
        return query_compare(query, order, row, query->after) > 0;
    return order->rest == QUERY_ALL;
}

int query_compare(const struct store_query *query, const struct query_order *order, const void *a, const void *b) {
    int result = 0;
    for (size_t i = 0; result == 0 && i < order->n; i++)
        result = row_compare(order->columns[i], a, b);
    return query->descending ? -result : result;
}
