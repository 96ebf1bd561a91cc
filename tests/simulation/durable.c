#include "tests/simulation/durable.h"

#include "saga/journal.h"
#include "store/row.h"
#include "tests/simulation/world.h"

#include <stdio.h>

const void *durable_rows(const struct store_query *query, size_t *ret_n) {
    struct backend_conn *view = world_now->view;
    struct error error = {0};
    void *rows = NULL;
    arena_reset(&world_now->view_rows);
    if (view->ops->read(view, query, &world_now->view_rows, &rows, ret_n, &error) != BACKEND_OK)
        world_broken("disk", "what is durable can't be read: %s", error.text);
    return rows;
}

size_t durable_count(const struct store_query *query) {
    struct store_query counting = *query;
    size_t n;
    counting.count = true;
    counting.limit = 0;
    durable_rows(&counting, &n);
    return n;
}

const void *durable_row(const struct store_table *table, const void *like) {
    struct store_query query = {.table = table, .limit = 1};
    for (uint8_t i = 0; i < table->n_key; i++) {
        const struct store_column *column = &table->columns[i];
        query.conds[i] = (struct store_cond){.column = column->name, .cmp = STORE_EQ};
        if (column->type == STORE_TEXT)
            query.conds[i].text = row_bytes(column, like);
        else
            query.conds[i].integer = row_integer(column, like);
    }
    size_t n;
    const void *row = durable_rows(&query, &n);
    return n ? row : NULL;
}

const struct saga_row *durable_saga(const char *gid) {
    struct saga_row like;
    snprintf(like.gid, sizeof like.gid, "%s", gid);
    return durable_row(&saga_table, &like);
}

struct saga_instance durable_instance(const struct saga_row *row) {
    struct saga_instance instance = {.status = (enum saga_status)row->status};
    struct error error = {0};
    const struct sim_flow *flow = sim_flows_find(&world_now->flows, row->flow, row->flow_version);
    if (!flow)
        world_broken("disk", "%s is of a flow that there is not: %s", world_short(row->gid), row->flow);
    snprintf(instance.gid, sizeof instance.gid, "%s", row->gid);
    instance.flow = &flow->flow;
    if (!saga_journal_decode(row->journal, &instance, &error))
        world_broken("disk", "%s can't be read: %s", world_short(row->gid), error.text);
    return instance;
}

void durable_each_saga(void (*visit)(const struct saga_row *row)) {
    struct backend_conn *view = world_now->view;
    struct error error = {0};
    struct arena rows;
    struct saga_row after;
    struct store_query query = {.table = &saga_table, .limit = STORE_LIMIT_MAX};
    void *page = NULL;
    size_t n = 0;
    arena_init(&rows, SIZE_MAX);
    do {
        arena_reset(&rows);
        if (view->ops->read(view, &query, &rows, &page, &n, &error) != BACKEND_OK)
            world_broken("disk", "what is durable can't be read: %s", error.text);
        for (size_t i = 0; i < n; i++)
            visit(&((const struct saga_row *)page)[i]);
        if (n > 0)
            after = ((const struct saga_row *)page)[n - 1];
        query.after = &after;
    } while (n == STORE_LIMIT_MAX);
    arena_release(&rows);
}
