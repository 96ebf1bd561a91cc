#include "saga/list.h"

#include <assert.h>

enum order { BY_UNFINISHED, BY_CREATED, BY_SUBJECT, BY_PARKED, BY_STATUS, BY_FLOW };

// Of what is only unfinished the pages go by status and then by time: a cursor's number holds both.
#define STATUS_STEP (INT64_C(1) << 52)

static enum order order_for(const struct saga_filter *filter) {
    bool common = filter->status == SAGA_SUCCEEDED || filter->status == 0;
    if (!str_empty(filter->subject))
        return BY_SUBJECT;
    if (filter->parked)
        return BY_PARKED;
    if (filter->status && !(common && !str_empty(filter->flow)))
        return BY_STATUS;
    if (filter->unfinished)
        return BY_UNFINISHED;
    return str_empty(filter->flow) ? BY_CREATED : BY_FLOW;
}

static void add(struct store_query *query, struct store_cond cond) {
    size_t n = 0;
    while (query->conds[n].column)
        n++;
    assert(n < STORE_CONDS_MAX);
    query->conds[n] = cond;
}

void saga_list(const struct saga_filter *filter, struct store_query *ret_query) {
    static const char *const names[] = {
        [BY_UNFINISHED] = "saga_by_status", [BY_CREATED] = "saga_by_created", [BY_SUBJECT] = "saga_by_subject",
        [BY_PARKED] = "saga_by_parked",     [BY_STATUS] = "saga_by_status",   [BY_FLOW] = "saga_by_flow"};
    const struct store_index *order = saga_table.indexes;
    while (strcmp(order->name, names[order_for(filter)]) != 0)
        order++;
    struct store_query query = {.table = &saga_table, .order = order, .descending = true, .limit = 1};
    if (filter->status)
        add(&query, (struct store_cond){"status", STORE_EQ, .integer = filter->status});
    if (filter->parked)
        add(&query, (struct store_cond){"parked", STORE_EQ, .integer = 1});
    if (!str_empty(filter->flow))
        add(&query, (struct store_cond){"flow", STORE_EQ, .text = filter->flow});
    if (!str_empty(filter->subject))
        add(&query, (struct store_cond){"subject", STORE_EQ, .text = filter->subject});
    if (filter->from_ms)
        add(&query, (struct store_cond){"created_ms", STORE_GE, .integer = filter->from_ms});
    if (filter->to_ms < INT64_MAX)
        add(&query, (struct store_cond){"created_ms", STORE_LT, .integer = filter->to_ms});
    if (filter->unfinished || filter->parked)
        add(&query, (struct store_cond){"status", STORE_LE, .integer = SAGA_COMPENSATING});
    *ret_query = query;
}

int64_t saga_list_key(const struct saga_filter *filter, const struct saga_row *row) {
    return order_for(filter) == BY_UNFINISHED ? row->status * STATUS_STEP + row->created_ms : row->created_ms;
}

void saga_list_after(const struct saga_filter *filter, int64_t key, struct str gid, struct saga_row *ret_after) {
    struct saga_row after = {.status = (int32_t)filter->status, .parked = filter->parked};
    str_copy(filter->flow, after.flow, sizeof after.flow);
    str_copy(filter->subject, after.subject, sizeof after.subject);
    str_copy(gid, after.gid, sizeof after.gid);
    if (order_for(filter) == BY_UNFINISHED)
        after.status = (int32_t)(key / STATUS_STEP);
    after.created_ms = order_for(filter) == BY_UNFINISHED ? key % STATUS_STEP : key;
    *ret_after = after;
}
