#include "store/schema.h"

#include <stdlib.h>

static const struct store_column instance_columns[] = {
    STORE_COL_TEXT(store_instance_row, name),
    STORE_COL_TEXT(store_instance_row, address),
    STORE_COL_I64(store_instance_row, incarnation),
    STORE_COL_I64(store_instance_row, batch_no),
    STORE_COL_I64(store_instance_row, lease_until_ms),
    STORE_COL_I64(store_instance_row, token),
    STORE_COL_I32(store_instance_row, leaving, .since = 4),
};
const struct store_table store_instance_table = {
    .name = "instance",
    .row_size = sizeof(struct store_instance_row),
    .columns = instance_columns,
    .n_columns = STORE_COUNT(instance_columns),
    .n_key = 1,
    .since = 1,
};

static const struct store_column slot_columns[] = {
    STORE_COL_I32(store_slot_row, slot),
    STORE_COL_TEXT(store_slot_row, owner),
};
const struct store_table store_slot_table = {
    .name = "slot",
    .row_size = sizeof(struct store_slot_row),
    .columns = slot_columns,
    .n_columns = STORE_COUNT(slot_columns),
    .n_key = 1,
    .since = 1,
};

static const struct store_column schema_columns[] = {
    STORE_COL_TEXT(store_schema_row, name),
    STORE_COL_I64(store_schema_row, version),
};
const struct store_table store_schema_table = {
    .name = "schema_version",
    .row_size = sizeof(struct store_schema_row),
    .columns = schema_columns,
    .n_columns = STORE_COUNT(schema_columns),
    .n_key = 1,
    .since = 1,
};

int64_t schema_version(const struct store_table *const *tables) {
    int64_t version = 0;
    for (; *tables; tables++) {
        const struct store_table *table = *tables;
        version = table->since > version ? table->since : version;
        for (size_t i = 0; i < table->n_columns; i++)
            version = table->columns[i].since > version ? table->columns[i].since : version;
        for (size_t i = 0; i < table->n_indexes; i++)
            version = table->indexes[i].since > version ? table->indexes[i].since : version;
    }
    return version;
}

const struct store_column *schema_column(const struct store_table *table, const char *name) {
    for (size_t i = 0; i < table->n_columns; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return &table->columns[i];
    return NULL;
}

bool schema_changes(const struct store_table *table) {
    for (size_t i = table->n_key; i < table->n_columns; i++)
        if (!table->columns[i].fixed)
            return true;
    return false;
}

size_t schema_index_columns(const struct store_index *index) {
    size_t n = 0;
    while (n < STORE_INDEX_COLUMNS_MAX && index->columns[n])
        n++;
    return n;
}

bool schema_index_has(const struct store_index *index, const char *column) {
    for (size_t i = 0; i < schema_index_columns(index); i++)
        if (strcmp(index->columns[i], column) == 0)
            return true;
    return false;
}

// ---- Checks -----------------------------------------------------------------------------------------------------

static bool name_is_good(const char *name) {
    size_t n = name ? strlen(name) : 0;
    return n > 0 && n <= STORE_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n &&
           !(name[0] >= '0' && name[0] <= '9');
}

size_t schema_field_size(const struct store_column *column) {
    switch (column->type) {
    case STORE_I64: return sizeof(int64_t);
    case STORE_I32: return sizeof(int32_t);
    case STORE_TEXT: return (size_t)column->max + 1;
    case STORE_BLOB: return sizeof(struct str);
    }
    return 0;
}

// What the column takes of a row's or an index's bytes in the database.
static size_t size_in_row(const struct store_column *column) {
    return column->type == STORE_TEXT ? (size_t)column->max + 2 : schema_field_size(column);
}

static bool check_column(const struct store_table *table, const struct store_column *column, struct error *error) {
    const char *t = table->name, *c = column->name;
    if (!name_is_good(c))
        return error_set(error, ERR_CONFIG_INVALID, "table %s: \"%s\" is no good name for a column", t, c ? c : "");
    size_t size = schema_field_size(column);
    if (size == 0)
        return error_set(error, ERR_CONFIG_INVALID, "%s.%s: unknown type", t, c);
    if (column->type == STORE_TEXT && column->max == 0)
        return error_set(error, ERR_CONFIG_INVALID, "%s.%s: a text needs a maximum", t, c);
    if (column->type == STORE_BLOB && (column->max == 0 || column->max > STORE_BLOB_BYTES_MAX))
        return error_set(error, ERR_CONFIG_INVALID, "%s.%s: a blob's maximum is 1 to %d", t, c, STORE_BLOB_BYTES_MAX);
    size_t alignment = column->type == STORE_TEXT ? 1 : column->type == STORE_I32 ? 4 : 8;
    if (column->offset % alignment != 0 || column->offset + size > table->row_size)
        return error_set(error, ERR_CONFIG_INVALID, "%s.%s: does not lie within the row's struct", t, c);
    for (const struct store_column *other = table->columns; other != column; other++) {
        if (strcmp(other->name, c) == 0)
            return error_set(error, ERR_CONFIG_INVALID, "%s.%s: there are two columns of this name", t, c);
        if (column->offset < other->offset + schema_field_size(other) && other->offset < column->offset + size)
            return error_set(error, ERR_CONFIG_INVALID, "%s.%s: overlaps %s in the row's struct", t, c, other->name);
    }
    return true;
}

static bool check_key(const struct store_table *table, struct error *error) {
    if (table->n_key == 0 || table->n_key > STORE_KEY_COLUMNS_MAX || table->n_key > table->n_columns)
        return error_set(error, ERR_CONFIG_INVALID, "table %s: the key has 1 to %d columns", table->name,
                         STORE_KEY_COLUMNS_MAX);
    size_t bytes = 0;
    for (size_t i = 0; i < table->n_key; i++) {
        const struct store_column *column = &table->columns[i];
        if (column->type == STORE_BLOB)
            return error_set(error, ERR_CONFIG_INVALID, "%s.%s: a blob can't be in the key", table->name, column->name);
        if (column->since != 0)
            return error_set(error, ERR_CONFIG_INVALID, "%s.%s: a key can't get columns later", table->name,
                             column->name);
        bytes += size_in_row(column);
    }
    if (bytes > STORE_INDEX_BYTES_MAX)
        return error_set(error, ERR_CONFIG_INVALID, "table %s: the key is longer than %d bytes", table->name,
                         STORE_INDEX_BYTES_MAX);
    return true;
}

// Of what is appended to the index, so that it ends in the key (sql_create_index()).
static size_t rest_of_key_bytes(const struct store_table *table, const struct store_index *index) {
    size_t bytes = 0;
    for (size_t i = 0; i < table->n_key; i++)
        if (!schema_index_has(index, table->columns[i].name))
            bytes += size_in_row(&table->columns[i]);
    return bytes;
}

static bool check_index(const struct store_table *table, const struct store_index *index, struct error *error) {
    if (!name_is_good(index->name))
        return error_set(error, ERR_CONFIG_INVALID, "table %s: \"%s\" is no good name for an index", table->name,
                         index->name ? index->name : "");
    size_t n = schema_index_columns(index), bytes = 0;
    for (size_t i = 0; i < n; i++) {
        const struct store_column *column = schema_column(table, index->columns[i]);
        if (!column || column->type == STORE_BLOB)
            return error_set(error, ERR_CONFIG_INVALID, "index %s: %s.%s does not exist or is a blob", index->name,
                             table->name, index->columns[i]);
        for (size_t k = 0; k < i; k++)
            if (strcmp(index->columns[k], index->columns[i]) == 0)
                return error_set(error, ERR_CONFIG_INVALID, "index %s: column %s twice", index->name, column->name);
        if (column->since > index->since && column->since > table->since)
            return error_set(error, ERR_CONFIG_INVALID, "index %s is older than its column %s", index->name,
                             column->name);
        bytes += size_in_row(column);
    }
    const struct store_column *bounded =
        index->bounded < n ? schema_column(table, index->columns[index->bounded]) : NULL;
    if ((index->least || index->most) && !(bounded && (bounded->type == STORE_I32 || bounded->type == STORE_I64)))
        return error_set(error, ERR_CONFIG_INVALID, "index %s: only an integer has bounds", index->name);
    if (n == 0 || bytes + rest_of_key_bytes(table, index) > STORE_INDEX_BYTES_MAX)
        return error_set(error, ERR_CONFIG_INVALID, "index %s has no columns, or is longer than %d bytes with the key",
                         index->name, STORE_INDEX_BYTES_MAX);
    return true;
}

static bool check_table(const struct store_table *table, struct error *error) {
    if (!name_is_good(table->name))
        return error_set(error, ERR_CONFIG_INVALID, "\"%s\" is no good name for a table",
                         table->name ? table->name : "");
    if (table->since == 0)
        return error_set(error, ERR_CONFIG_INVALID, "table %s: `since` counts from 1", table->name);
    if (table->n_columns > STORE_COLUMNS_MAX || table->row_size > STORE_ROW_BYTES_MAX)
        return error_set(error, ERR_CONFIG_INVALID, "table %s has more than %d columns or %d bytes a row", table->name,
                         STORE_COLUMNS_MAX, STORE_ROW_BYTES_MAX);
    size_t bytes = 0;
    for (size_t i = 0; i < table->n_columns; i++) {
        if (!check_column(table, &table->columns[i], error))
            return false;
        bytes += size_in_row(&table->columns[i]);
    }
    if (bytes > STORE_ROW_BYTES_MAX)
        return error_set(error, ERR_CONFIG_INVALID, "table %s has more than %d bytes a row", table->name,
                         STORE_ROW_BYTES_MAX);
    if (!check_key(table, error))
        return false;
    for (size_t i = 0; i < table->n_indexes; i++)
        if (!check_index(table, &table->indexes[i], error))
            return false;
    return true;
}

static const struct store_table *table_with_index(const struct store_table *const *tables, const char *name,
                                                  const struct store_index *but) {
    for (; *tables; tables++)
        for (size_t i = 0; i < (*tables)->n_indexes; i++)
            if (&(*tables)->indexes[i] != but && strcmp((*tables)->indexes[i].name, name) == 0)
                return *tables;
    return NULL;
}

bool store_check_tables(const struct store_table *const *tables, struct error *error) {
    size_t n = 0;
    for (; tables[n]; n++) {
        if (n == STORE_TABLES_MAX)
            return error_set(error, ERR_CONFIG_INVALID, "more than %d tables", STORE_TABLES_MAX);
        if (!check_table(tables[n], error))
            return false;
        for (size_t k = 0; k < n; k++)
            if (strcmp(tables[k]->name, tables[n]->name) == 0)
                return error_set(error, ERR_CONFIG_INVALID, "two tables are named %s", tables[n]->name);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < tables[i]->n_indexes; k++) {
            const struct store_index *index = &tables[i]->indexes[k];
            if (table_with_index(tables, index->name, index))
                return error_set(error, ERR_CONFIG_INVALID, "two indexes are named %s", index->name);
        }
    return true;
}

bool schema_with_own(const struct store_table *const *tables, const struct store_table *const **ret_all,
                     struct error *error) {
    static const struct store_table *const own[] = {&store_schema_table, &store_instance_table, &store_slot_table};
    enum { N_OWN = sizeof own / sizeof own[0] };
    size_t n = 0;
    while (tables[n] && n <= STORE_TABLES_MAX)
        n++;
    const struct store_table **all = calloc(n + N_OWN + 1, sizeof *all);
    if (!all)
        return error_set(error, ERR_INTERNAL, "no memory");
    for (size_t i = 0; i < N_OWN; i++)
        all[i] = own[i];
    for (size_t i = 0; i < n; i++)
        all[N_OWN + i] = tables[i];
    if (!store_check_tables(all, error)) {
        free(all);
        return false;
    }
    *ret_all = all;
    return true;
}
