// The model backend: rows in sorted arrays, for tests and the simulation. What the SQL backends promise, said plainly.
#include "store/backend.h"
#include "store/query.h"
#include "store/row.h"
#include "store/schema.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

// One row with its blobs behind it, in one allocation.
struct memory_table {
    const struct store_table *table;
    void **rows; // in the order of the key
    size_t n, cap;
};

struct memory_backend {
    struct store_backend base;
    pthread_mutex_t mutex; // of everything below: connections may be used from several threads
    unsigned references;
    int64_t version;
    struct memory_table tables[STORE_TABLES_MAX];
    size_t n_tables;
    const struct clock *clock;
};

struct memory_conn {
    struct backend_conn base;
    struct memory_backend *backend;
    const struct store_op *staged; // borrowed
    size_t n_staged;
};

static void *allocate(size_t size) {
    void *ptr = malloc(size ? size : 1);
    if (!ptr)
        abort();
    return ptr;
}

// ---- Rows -------------------------------------------------------------------------------------------------------

static void *duplicate(const struct store_table *table, const void *row) {
    size_t size = table->row_size;
    for (size_t i = 0; i < table->n_columns; i++)
        if (table->columns[i].type == STORE_BLOB)
            size += row_bytes(&table->columns[i], row).len;
    char *copy = allocate(size), *end = copy + table->row_size;
    memcpy(copy, row, table->row_size);
    for (size_t i = 0; i < table->n_columns; i++) {
        if (table->columns[i].type != STORE_BLOB)
            continue;
        struct str blob = row_bytes(&table->columns[i], row);
        if (blob.len)
            memcpy(end, blob.ptr, blob.len);
        blob.ptr = end;
        end += blob.len;
        memcpy(copy + table->columns[i].offset, &blob, sizeof blob);
    }
    return copy;
}

// Where the key of `row` is or belongs.
static size_t place(const struct memory_table *rows, const void *row, bool *ret_found) {
    size_t low = 0, high = rows->n;
    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = row_compare_keys(rows->table, rows->rows[middle], row);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Puts `row` (taken) in; returns the row that had its key before, or NULL.
static void *put(struct memory_table *rows, void *row) {
    bool found;
    size_t at = place(rows, row, &found);
    if (found) {
        void *old = rows->rows[at];
        rows->rows[at] = row;
        return old;
    }
    if (rows->n == rows->cap) {
        rows->cap = rows->cap ? 2 * rows->cap : 16;
        rows->rows = realloc(rows->rows, rows->cap * sizeof *rows->rows);
        if (!rows->rows)
            abort();
    }
    memmove(rows->rows + at + 1, rows->rows + at, (rows->n - at) * sizeof *rows->rows);
    rows->rows[at] = row;
    rows->n++;
    return NULL;
}

// Takes the row with the key of `row` out and returns it; NULL when there is none.
static void *take(struct memory_table *rows, const void *row) {
    bool found;
    size_t at = place(rows, row, &found);
    if (!found)
        return NULL;
    void *old = rows->rows[at];
    memmove(rows->rows + at, rows->rows + at + 1, (--rows->n - at) * sizeof *rows->rows);
    return old;
}

static void *find(const struct memory_table *rows, const void *row) {
    bool found;
    size_t at = place(rows, row, &found);
    return found ? rows->rows[at] : NULL;
}

static struct memory_table *table_named(struct memory_backend *backend, const char *name) {
    for (size_t i = 0; i < backend->n_tables; i++)
        if (strcmp(backend->tables[i].table->name, name) == 0)
            return &backend->tables[i];
    return NULL;
}

// NULL, with an error, when the table was not migrated to just this description.
static struct memory_table *table_of(struct memory_backend *backend, const struct store_table *table,
                                     struct error *error) {
    struct memory_table *rows = table_named(backend, table->name);
    if (rows && rows->table == table)
        return rows;
    error_set(error, ERR_STORE_REFUSED, "the store was not opened with the table %s", table->name);
    return NULL;
}

// ---- Opening ----------------------------------------------------------------------------------------------------

// The same rows under another description of the table.
static void redescribe(struct memory_table *rows, const struct store_table *table) {
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    for (size_t i = 0; i < rows->n; i++) {
        void *row = arena_calloc(&arena, 1, table->row_size);
        if (!row)
            abort();
        for (size_t c = 0; c < table->n_columns; c++) {
            const struct store_column *to = &table->columns[c], *from = schema_column(rows->table, to->name);
            if (!from || from->type != to->type)
                continue;
            if (to->type == STORE_TEXT || to->type == STORE_BLOB)
                row_set_bytes(to, row, row_bytes(from, rows->rows[i]), &arena);
            else
                row_set_integer(to, row, row_integer(from, rows->rows[i]));
        }
        free(rows->rows[i]);
        rows->rows[i] = duplicate(table, row);
    }
    arena_release(&arena);
    rows->table = table;
}

static bool migrate_one(struct memory_backend *backend, const struct store_table *table, struct error *error) {
    struct memory_table *rows = table_named(backend, table->name);
    if (!rows) {
        if (backend->n_tables == sizeof backend->tables / sizeof backend->tables[0])
            return error_set(error, ERR_CONFIG_INVALID, "more than %d tables", STORE_TABLES_MAX);
        backend->tables[backend->n_tables++] = (struct memory_table){.table = table};
        return true;
    }
    for (size_t i = 0; i < table->n_columns; i++) {
        const struct store_column *column = &table->columns[i];
        if (column->since <= table->since && !schema_column(rows->table, column->name))
            return error_set(error, ERR_CONFIG_INVALID,
                             "table %s has no column %s, which its description does not say came later", table->name,
                             column->name);
    }
    if (rows->table != table)
        redescribe(rows, table);
    return true;
}

static bool migrate_all(struct memory_backend *backend, const struct store_table *const *tables, struct error *error) {
    int64_t version = schema_version(tables);
    if (backend->version > version)
        return error_set(error, ERR_CONFIG_INVALID, "the database's schema has version %lld, this program knows %lld",
                         (long long)backend->version, (long long)version);
    for (; *tables; tables++)
        if (!migrate_one(backend, *tables, error))
            return false;
    struct memory_table *slots = table_named(backend, store_slot_table.name);
    for (int32_t i = 0; i < SLOT_COUNT; i++) {
        struct store_slot_row slot = {.slot = i};
        if (!find(slots, &slot))
            put(slots, duplicate(&store_slot_table, &slot));
    }
    backend->version = version;
    return true;
}

static bool memory_migrate(struct store_backend *base, const struct store_table *const *tables, struct error *error) {
    struct memory_backend *backend = (struct memory_backend *)base;
    pthread_mutex_lock(&backend->mutex);
    bool done = migrate_all(backend, tables, error);
    pthread_mutex_unlock(&backend->mutex);
    return done;
}

static struct store_instance_row *instance_row(struct memory_backend *backend, const char *name) {
    struct store_instance_row key = {0};
    snprintf(key.name, sizeof key.name, "%s", name);
    return find(table_named(backend, store_instance_table.name), &key);
}

static void take_slots(struct memory_backend *backend, const char *instance) {
    struct memory_table *slots = table_named(backend, store_slot_table.name);
    for (size_t i = 0; i < slots->n; i++) {
        struct store_slot_row *slot = slots->rows[i];
        if (slot->owner[0] == '\0')
            snprintf(slot->owner, sizeof slot->owner, "%s", instance);
    }
}

static bool may_claim(const struct backend_claim *claim, const struct store_instance_row *row) {
    if (claim->kind == CLAIM_OPEN)
        return true;
    return row && (row->token == claim->token || (claim->kind == CLAIM_RETURN && row->token == 0));
}

static enum backend_result memory_claim(struct store_backend *base, const struct backend_claim *claim,
                                        struct store_identity *ret_identity, struct error *error) {
    struct memory_backend *backend = (struct memory_backend *)base;
    pthread_mutex_lock(&backend->mutex);
    struct store_instance_row *row = instance_row(backend, claim->instance);
    if (!may_claim(claim, row)) {
        pthread_mutex_unlock(&backend->mutex);
        error_set(error, ERR_STORE_FENCED, "another process took over the instance %s", claim->instance);
        return BACKEND_FENCED;
    }
    if (!row) {
        struct store_instance_row fresh = {0};
        snprintf(fresh.name, sizeof fresh.name, "%s", claim->instance);
        row = duplicate(&store_instance_table, &fresh);
        put(table_named(backend, store_instance_table.name), row);
    }
    row->incarnation++;
    row->token = claim->token;
    row->lease_until_ms = clock_now_ms(backend->clock) + claim->lease_ms;
    snprintf(row->address, sizeof row->address, "%s", claim->address);
    if (claim->kind != CLAIM_RESUME) {
        row->leaving = 0;
        take_slots(backend, claim->instance);
    }
    *ret_identity = (struct store_identity){.incarnation = row->incarnation, .batch_no = row->batch_no};
    snprintf(ret_identity->name, sizeof ret_identity->name, "%s", claim->instance);
    pthread_mutex_unlock(&backend->mutex);
    return BACKEND_OK;
}

static void move_slots(struct memory_backend *backend, const struct backend_take_over *from) {
    struct memory_table *slots = table_named(backend, store_slot_table.name);
    for (size_t i = 0; i < slots->n; i++) {
        struct store_slot_row *slot = slots->rows[i];
        if (strcmp(slot->owner, from->dead) == 0)
            snprintf(slot->owner, sizeof slot->owner, "%s", from->heir);
    }
}

static enum backend_result memory_take_over(struct store_backend *base, const struct backend_take_over *from,
                                            bool *ret_taken, struct error *error) {
    struct memory_backend *backend = (struct memory_backend *)base;
    (void)error;
    pthread_mutex_lock(&backend->mutex);
    struct store_instance_row *row = instance_row(backend, from->dead);
    *ret_taken = row && row->incarnation == from->incarnation && row->lease_until_ms < clock_now_ms(backend->clock);
    if (*ret_taken) {
        row->incarnation++;
        row->token = 0;
        move_slots(backend, from);
    }
    pthread_mutex_unlock(&backend->mutex);
    return BACKEND_OK;
}

// ---- Writing ----------------------------------------------------------------------------------------------------

// How to take one operation back: what is there now, and what was before; either may be NULL.
struct undo {
    struct memory_table *rows;
    void *now, *before;
};

static void undo_all(struct undo *undo, size_t n) {
    while (n-- > 0) {
        if (undo[n].before)
            put(undo[n].rows, undo[n].before);
        else if (undo[n].now)
            take(undo[n].rows, undo[n].now);
        free(undo[n].now);
    }
}

// What `row` makes of the row that had its key (NULL: none): the fixed columns stay.
static void *successor(const struct store_table *table, const void *row, const void *before) {
    void *merged = allocate(table->row_size);
    memcpy(merged, row, table->row_size);
    for (size_t i = table->n_key; before && i < table->n_columns; i++)
        if (table->columns[i].fixed)
            row_move(&table->columns[i], merged, before);
    void *next = duplicate(table, merged);
    free(merged);
    return next;
}

static enum backend_result apply(struct memory_backend *backend, const struct store_op *op, struct undo *ret_undo,
                                 struct error *error) {
    struct memory_table *rows = table_of(backend, op->table, error);
    if (!rows)
        return BACKEND_REFUSED;
    if (op->verb == STORE_INSERT && find(rows, op->row)) {
        error_set(error, ERR_STORE_CONFLICT, "%s: the row exists already", op->table->name);
        return BACKEND_CONFLICT;
    }
    struct undo undo = {.rows = rows};
    if (op->verb == STORE_DELETE) {
        undo.before = take(rows, op->row);
    } else {
        undo.now = successor(op->table, op->row, find(rows, op->row));
        undo.before = put(rows, undo.now);
    }
    *ret_undo = undo;
    return BACKEND_OK;
}

// All of the operations or none; the array of what takes them back is the caller's to free, or NULL.
static struct undo *apply_all(struct memory_backend *backend, const struct store_op *ops, size_t n,
                              enum backend_result *ret_result, struct error *error) {
    struct undo *undo = allocate(n * sizeof *undo);
    enum backend_result result = BACKEND_OK;
    size_t applied = 0;
    while (applied < n && (result = apply(backend, &ops[applied], &undo[applied], error)) == BACKEND_OK)
        applied++;
    *ret_result = result;
    if (result == BACKEND_OK)
        return undo;
    undo_all(undo, applied);
    free(undo);
    return NULL;
}

static enum backend_result commit_locked(struct memory_backend *backend, const struct backend_fence *fence,
                                         const struct store_op *ops, size_t n, struct error *error) {
    struct store_instance_row *row = instance_row(backend, fence->instance);
    if (!row || row->incarnation != fence->incarnation) {
        error_set(error, ERR_STORE_FENCED, "the instance %s has another incarnation than %lld", fence->instance,
                  (long long)fence->incarnation);
        return BACKEND_FENCED;
    }
    enum backend_result result;
    struct undo *undo = apply_all(backend, ops, n, &result, error);
    if (!undo)
        return result;
    for (size_t i = 0; i < n; i++)
        free(undo[i].before);
    free(undo);
    // Looked for again: a batch may have replaced the row itself.
    row = instance_row(backend, fence->instance);
    if (row) {
        row->batch_no++;
        row->lease_until_ms = clock_now_ms(backend->clock) + fence->lease_ms;
        row->leaving = (int32_t)fence->leaving;
    }
    return BACKEND_OK;
}

static enum backend_result memory_commit(struct backend_conn *base, const struct backend_fence *fence,
                                         const struct store_op *ops, size_t n, struct error *error) {
    struct memory_backend *backend = ((struct memory_conn *)base)->backend;
    pthread_mutex_lock(&backend->mutex);
    enum backend_result result = commit_locked(backend, fence, ops, n, error);
    pthread_mutex_unlock(&backend->mutex);
    return result;
}

// What a staged transaction would do is done and taken back, so that what is wrong with it shows; it takes place whole
// when it is sealed.
static enum backend_result memory_stage(struct backend_conn *base, const struct store_op *ops, size_t n, bool *ret_more,
                                        struct error *error) {
    struct memory_conn *conn = (struct memory_conn *)base;
    pthread_mutex_lock(&conn->backend->mutex);
    enum backend_result result;
    struct undo *undo = apply_all(conn->backend, ops, n, &result, error);
    if (undo)
        undo_all(undo, n);
    free(undo);
    pthread_mutex_unlock(&conn->backend->mutex);
    if (result != BACKEND_OK)
        return result;
    conn->staged = ops;
    conn->n_staged = n;
    *ret_more = false;
    return BACKEND_OK;
}

static enum backend_result memory_seal(struct backend_conn *base, const struct backend_fence *fence,
                                       struct error *error) {
    struct memory_conn *conn = (struct memory_conn *)base;
    return memory_commit(base, fence, conn->staged, conn->n_staged, error);
}

static enum backend_result memory_finish(struct backend_conn *base, struct error *error) {
    (void)base, (void)error;
    return BACKEND_OK;
}

static void memory_drop(struct backend_conn *base) {
    struct memory_conn *conn = (struct memory_conn *)base;
    conn->staged = NULL;
    conn->n_staged = 0;
}

// ---- Reading ----------------------------------------------------------------------------------------------------

struct sorting {
    const struct store_query *query;
    const struct query_order *order;
};

static int compare(const void *a, const void *b, void *ctx) {
    const struct sorting *sorting = ctx;
    return query_compare(sorting->query, sorting->order, *(void *const *)a, *(void *const *)b);
}

static enum backend_result answer(const struct store_query *query, void **found, size_t n, struct arena *arena,
                                  void **ret_rows, size_t *ret_n, struct error *error) {
    struct row_page page = {.table = query->table, .arena = arena, .max = query->limit};
    for (size_t i = 0; i < n && i < query->limit; i++) {
        void *row = row_page_add(&page, error);
        if (!row)
            return BACKEND_REFUSED;
        if (!row_copy_into(query->table, found[i], false, row, arena)) {
            error_set(error, ERR_STORE_REFUSED, "a page of %s is larger than one read may answer", query->table->name);
            return BACKEND_REFUSED;
        }
    }
    *ret_rows = page.rows;
    *ret_n = page.n;
    return BACKEND_OK;
}

// The row that the conditions name by its whole key, as most reads do; false when they don't.
static bool find_by_key(const struct memory_table *rows, const struct store_query *query, struct arena *arena,
                        void **ret_row) {
    void *key = arena_calloc(arena, 1, query->table->row_size);
    for (size_t i = 0; key && i < query->table->n_key; i++) {
        const struct store_column *column = &query->table->columns[i];
        const struct store_cond *cond = query_fixing(query, column);
        if (!cond || !(column->type == STORE_TEXT ? row_set_bytes(column, key, cond->text, arena)
                                                  : row_set_integer(column, key, cond->integer)))
            return false;
    }
    *ret_row = key ? find(rows, key) : NULL;
    return key != NULL;
}

static enum backend_result read_locked(struct memory_backend *backend, const struct store_query *query,
                                       struct arena *arena, void **ret_rows, size_t *ret_n, struct error *error) {
    struct memory_table *rows = table_of(backend, query->table, error);
    if (!rows)
        return BACKEND_REFUSED;
    struct query_order order;
    query_order(query, &order);
    void **found = allocate(rows->n * sizeof *found);
    size_t n = 0;
    void *only = NULL;
    if (find_by_key(rows, query, arena, &only)) {
        if (only && query_matches(query, &order, only))
            found[n++] = only;
    } else {
        for (size_t i = 0; i < rows->n; i++)
            if (query_matches(query, &order, rows->rows[i]))
                found[n++] = rows->rows[i];
    }
    enum backend_result result = BACKEND_OK;
    if (query->count) {
        *ret_rows = NULL;
        *ret_n = query->limit > 0 && n > query->limit ? query->limit : n;
    } else {
        qsort_r(found, n, sizeof *found, compare, &(struct sorting){query, &order});
        result = answer(query, found, n, arena, ret_rows, ret_n, error);
    }
    free(found);
    return result;
}

static enum backend_result memory_read(struct backend_conn *base, const struct store_query *query, struct arena *arena,
                                       void **ret_rows, size_t *ret_n, struct error *error) {
    struct memory_backend *backend = ((struct memory_conn *)base)->backend;
    pthread_mutex_lock(&backend->mutex);
    enum backend_result result = read_locked(backend, query, arena, ret_rows, ret_n, error);
    pthread_mutex_unlock(&backend->mutex);
    return result;
}

// ---- The tables of operations -----------------------------------------------------------------------------------

static bool memory_revive(struct backend_conn *base, struct error *error) {
    (void)base, (void)error;
    return true;
}

static void memory_close(struct backend_conn *base) {
    free(base);
}

static const struct backend_conn_ops conn_ops = {
    .commit = memory_commit,
    .stage = memory_stage,
    .seal = memory_seal,
    .finish = memory_finish,
    .drop = memory_drop,
    .read = memory_read,
    .revive = memory_revive,
    .close = memory_close,
};

static bool memory_connect(struct store_backend *base, bool for_writing, struct backend_conn **ret_conn,
                           struct error *error) {
    (void)for_writing, (void)error;
    struct memory_conn *conn = allocate(sizeof *conn);
    *conn = (struct memory_conn){.base = {&conn_ops}, .backend = (struct memory_backend *)base};
    *ret_conn = &conn->base;
    return true;
}

static void memory_free(struct store_backend *base) {
    struct memory_backend *backend = (struct memory_backend *)base;
    pthread_mutex_lock(&backend->mutex);
    bool last = --backend->references == 0;
    pthread_mutex_unlock(&backend->mutex);
    if (!last)
        return;
    for (size_t i = 0; i < backend->n_tables; i++) {
        for (size_t k = 0; k < backend->tables[i].n; k++)
            free(backend->tables[i].rows[k]);
        free(backend->tables[i].rows);
    }
    pthread_mutex_destroy(&backend->mutex);
    free(backend);
}

static const struct store_backend_ops backend_ops = {
    .name = "memory",
    .shared = true,
    .connect = memory_connect,
    .migrate = memory_migrate,
    .claim = memory_claim,
    .take_over = memory_take_over,
    .free = memory_free,
};

struct store_backend *store_memory(void) {
    struct memory_backend *backend = calloc(1, sizeof *backend);
    if (!backend)
        abort();
    backend->base.ops = &backend_ops;
    backend->references = 1;
    backend->clock = clock_system();
    pthread_mutex_init(&backend->mutex, NULL);
    return &backend->base;
}

void store_memory_clock(struct store_backend *memory, const struct clock *clock) {
    ((struct memory_backend *)memory)->clock = clock;
}

struct store_backend *store_memory_share(struct store_backend *base) {
    struct memory_backend *backend = (struct memory_backend *)base;
    pthread_mutex_lock(&backend->mutex);
    backend->references++;
    pthread_mutex_unlock(&backend->mutex);
    return base;
}
