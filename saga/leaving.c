// One unit on its way out of the store: a saga by itself, or a subject with all of its sagas. First go the rows beside
// the sagas' own, of which there can be many, in writes of a bounded size; then all the rest in one write. A process
// that dies in between leaves sagas whose time is over without their attempts, and they go the next time.
#include "saga/retention.h"

#include <stdlib.h>

enum { CLEAR_MAX = 500 };

// What stands beside a saga's row, its gid first in the key.
static const struct store_table *const beside[] = {&attempt_table, &trouble_table};
enum { BESIDE = sizeof beside / sizeof beside[0] };

struct leaving_saga {
    char gid[SAGA_GID_MAX + 1];
    bool failed; // something of it did once, or came late, so there may be rows beside its own
};

struct saga_leaving {
    struct saga_leaving *next, **link;
    struct chore *chore;
    bool of_subject;
    char key[SAGA_SUBJECT_MAX + 1];
    char parent_gid[SAGA_GID_MAX + 1];
    struct leaving_saga *sagas;
    size_t n, cap;
    struct saga_row cursor; // of the subject's sagas
    size_t at, table;       // which one's rows are being cleared, and of which table
    size_t n_write;         // rows of the present write
    int64_t since_ms;       // when the subject's sagas were asked for
    struct store_group group;
};

static struct saga_engine *engine_of(const struct saga_leaving *leaving) {
    return leaving->chore->retention->rounds.engine;
}

static struct store *store_of(const struct saga_leaving *leaving) {
    return engine_of(leaving)->options.store;
}

static struct saga_leaving *leaving_new(struct chore *chore) {
    struct saga_retention *retention = chore->retention;
    struct saga_leaving *leaving = calloc(1, sizeof *leaving);
    if (!leaving)
        abort();
    leaving->chore = chore;
    leaving->next = retention->leaving;
    leaving->link = &retention->leaving;
    if (leaving->next)
        leaving->next->link = &leaving->next;
    retention->leaving = leaving;
    chore->round.n_waiting++;
    return leaving;
}

static void leaving_free(struct saga_leaving *leaving) {
    *leaving->link = leaving->next;
    if (leaving->next)
        leaving->next->link = leaving->link;
    free(leaving->sagas);
    free(leaving);
}

void leaving_drop_all(struct saga_retention *retention) {
    while (retention->leaving)
        leaving_free(retention->leaving);
}

void saga_leaving_done(struct saga_leaving *leaving, bool gone, size_t rows) {
    struct chore *chore = leaving->chore;
    if (gone)
        retention_count(chore->retention, leaving->n, leaving->n + rows);
    leaving_free(leaving);
    round_left(&chore->round);
}

static void stay(struct saga_leaving *leaving) {
    saga_leaving_done(leaving, false, 0);
}

// ---- The sagas ----------------------------------------------------------------------------------------------------

// Whether its record says that nothing of it ever failed or came late; one that can't be read says nothing.
static bool went_well(const struct saga_engine *engine, const struct saga_row *row) {
    struct saga_instance saga;
    struct error error = {0};
    if (!saga_row_instance(engine, row, &saga, &error))
        return false;
    bool well = !saga.operated;
    for (uint8_t i = 0; i < saga.n_legs; i++)
        well = well && saga.legs[i].code == ERR_OK;
    saga_instance_release(&saga);
    return well;
}

static void add_saga(struct saga_leaving *leaving, const struct saga_row *row) {
    if (leaving->n == leaving->cap) {
        leaving->cap = leaving->cap ? 2 * leaving->cap : 4;
        leaving->sagas = realloc(leaving->sagas, leaving->cap * sizeof *leaving->sagas);
        if (!leaving->sagas)
            abort();
    }
    struct leaving_saga *saga = &leaving->sagas[leaving->n++];
    memcpy(saga->gid, row->gid, sizeof saga->gid);
    saga->failed = !went_well(engine_of(leaving), row);
}

// ---- What stands beside them --------------------------------------------------------------------------------------

static void clear(struct saga_leaving *leaving);

static void cleared(void *ctx, const struct error *error) {
    struct saga_leaving *leaving = ctx;
    if (error) {
        stay(leaving);
        return;
    }
    retention_count(leaving->chore->retention, 0, leaving->n_write);
    if (leaving->n_write < CLEAR_MAX)
        leaving->table++;
    clear(leaving);
}

static void beside_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct saga_leaving *leaving = ctx;
    const struct store_table *table = beside[leaving->table];
    if (error) {
        stay(leaving);
        return;
    }
    if (n == 0) {
        leaving->table++;
        clear(leaving);
        return;
    }
    struct store_write *write = store_write_new(store_of(leaving));
    for (size_t i = 0; i < n; i++)
        store_row(write, table, STORE_DELETE, (const char *)rows + i * table->row_size);
    leaving->n_write = n;
    store_submit(store_of(leaving), write, &leaving->group, cleared, leaving);
}

static void take_leave(struct saga_leaving *leaving);

static void clear(struct saga_leaving *leaving) {
    if (leaving->table == BESIDE) {
        leaving->table = 0;
        leaving->at++;
    }
    while (leaving->at < leaving->n && !leaving->sagas[leaving->at].failed)
        leaving->at++;
    if (engine_of(leaving)->stopped) {
        stay(leaving);
    } else if (leaving->at == leaving->n) {
        take_leave(leaving);
    } else {
        struct store_query query = {
            .table = beside[leaving->table],
            .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(leaving->sagas[leaving->at].gid)}},
            .limit = CLEAR_MAX,
        };
        store_read(store_of(leaving), &query, beside_read, leaving);
    }
}

// ---- The rest -----------------------------------------------------------------------------------------------------

static void saga_gone(void *ctx, const struct error *error) {
    saga_leaving_done(ctx, !error, 0);
}

static void take_leave(struct saga_leaving *leaving) {
    if (leaving->of_subject) {
        struct chore *chore = leaving->chore;
        chore->estate->retire(chore->ctx, str_c(leaving->key), leaving);
        return;
    }
    struct store_write *write = store_write_new(store_of(leaving));
    struct saga_row row = {0};
    memcpy(row.gid, leaving->sagas[0].gid, sizeof row.gid);
    store_row(write, &saga_table, STORE_DELETE, &row);
    store_submit(store_of(leaving), write, &leaving->group, saga_gone, leaving);
}

int32_t saga_leaving_closed(const struct saga_leaving *leaving) {
    return leaving->chore->closed;
}

int64_t saga_leaving_since(const struct saga_leaving *leaving) {
    return leaving->since_ms;
}

void saga_leaving_rows(struct saga_leaving *leaving, struct saga_turn *turn) {
    for (size_t i = 0; i < leaving->n; i++) {
        struct saga_row row = {0};
        memcpy(row.gid, leaving->sagas[i].gid, sizeof row.gid);
        saga_turn_row(turn, &saga_table, STORE_DELETE, &row);
    }
}

// ---- One saga -----------------------------------------------------------------------------------------------------

// A child stays for as long as its parent does.
static void parent_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct saga_leaving *leaving = ctx;
    (void)rows;
    if (error || n > 0)
        stay(leaving);
    else
        clear(leaving);
}

void leaving_saga(struct chore *chore, const void *row) {
    const struct saga_row *saga = row;
    struct saga_leaving *leaving = leaving_new(chore);
    add_saga(leaving, saga);
    if (!saga->parent_gid[0]) {
        clear(leaving);
        return;
    }
    memcpy(leaving->parent_gid, saga->parent_gid, sizeof leaving->parent_gid);
    struct store_query query = {.table = &saga_table,
                                .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(leaving->parent_gid)}},
                                .limit = 1};
    store_read(store_of(leaving), &query, parent_read, leaving);
}

// ---- A subject with its sagas -------------------------------------------------------------------------------------

static void read_sagas(struct saga_leaving *leaving);

static void sagas_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct saga_leaving *leaving = ctx;
    const struct saga_retention *retention = leaving->chore->retention;
    const struct saga_row *row = rows;
    int64_t now = clock_now_ms(retention->rounds.engine->options.clock);
    bool over = !error;
    for (size_t i = 0; over && i < n; i++) {
        over = retention_over_ms(retention, &row[i]) <= now;
        add_saga(leaving, &row[i]);
    }
    if (!over) {
        stay(leaving);
    } else if (n == SAGA_ROWS_MAX) {
        leaving->cursor = row[n - 1];
        leaving->cursor.input = leaving->cursor.journal = STR_NONE;
        read_sagas(leaving);
    } else {
        clear(leaving);
    }
}

static void read_sagas(struct saga_leaving *leaving) {
    const struct store_index *by_subject = saga_table.indexes;
    while (strcmp(by_subject->name, "saga_by_subject") != 0)
        by_subject++;
    struct store_query query = {.table = &saga_table,
                                .conds = {{.column = "subject", .cmp = STORE_EQ, .text = str_c(leaving->key)}},
                                .order = by_subject,
                                .after = leaving->cursor.gid[0] ? &leaving->cursor : NULL,
                                .limit = SAGA_ROWS_MAX};
    store_read(store_of(leaving), &query, sagas_read, leaving);
}

void leaving_subject(struct chore *chore, const void *row) {
    struct saga_leaving *leaving = leaving_new(chore);
    leaving->of_subject = true;
    leaving->since_ms = clock_now_ms(engine_of(leaving)->options.clock);
    str_copy(str_c((const char *)row + chore->estate->table->columns[0].offset), leaving->key, sizeof leaving->key);
    read_sagas(leaving);
}
