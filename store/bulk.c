#include "store/bulk.h"

#include "store/row.h"

#include <stdlib.h>

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 29;
}

// Of the operation's table and key, never 0. Two keys may share one: that only keeps their order without need.
static uint64_t hash_key(const struct store_op *op) {
    uint64_t hash = mix(0, (uint64_t)(uintptr_t)op->table);
    for (size_t i = 0; i < op->table->n_key; i++) {
        const struct store_column *column = &op->table->columns[i];
        if (column->type == STORE_TEXT)
            hash = mix(hash, str_hash(row_bytes(column, op->row)));
        else
            hash = mix(hash, (uint64_t)row_integer(column, op->row));
    }
    return hash ? hash : 1;
}

static struct bulk_seen *seen_of(struct bulk_plan *plan, uint64_t hash) {
    size_t at = hash & (plan->n_seen - 1);
    while (plan->seen[at].hash != 0 && plan->seen[at].hash != hash)
        at = (at + 1) & (plan->n_seen - 1);
    return &plan->seen[at];
}

static void reserve(struct bulk_plan *plan, size_t n) {
    if (n <= plan->cap)
        return;
    size_t cap = 64;
    while (cap < n)
        cap *= 2;
    bulk_plan_release(plan);
    plan->groups = calloc(cap, sizeof *plan->groups);
    plan->rows = calloc(cap, sizeof *plan->rows);
    plan->group_of = calloc(cap, sizeof *plan->group_of);
    plan->seen = calloc(2 * cap, sizeof *plan->seen);
    if (!plan->groups || !plan->rows || !plan->group_of || !plan->seen)
        abort();
    plan->cap = cap;
}

// The last group of the operation's table and verb that is not before `least`; a new one when there is none.
static uint32_t group_for(struct bulk_plan *plan, const struct store_op *op, size_t least) {
    for (size_t i = plan->n_groups; i > least; i--)
        if (plan->groups[i - 1].table == op->table && plan->groups[i - 1].verb == op->verb)
            return (uint32_t)(i - 1);
    plan->groups[plan->n_groups] = (struct bulk_group){.table = op->table, .verb = op->verb};
    return (uint32_t)plan->n_groups++;
}

void bulk_plan_make(struct bulk_plan *plan, const struct store_op *ops, size_t n) {
    plan->n_groups = 0;
    if (n == 0)
        return;
    reserve(plan, n);
    plan->n_seen = 64;
    while (plan->n_seen < 2 * n)
        plan->n_seen *= 2;
    plan->n_seen = plan->n_seen < 2 * plan->cap ? plan->n_seen : 2 * plan->cap;
    memset(plan->seen, 0, plan->n_seen * sizeof *plan->seen);
    for (size_t i = 0; i < n; i++) {
        uint64_t hash = hash_key(&ops[i]);
        struct bulk_seen *seen = seen_of(plan, hash);
        uint32_t group = group_for(plan, &ops[i], seen->hash ? seen->group : 0);
        *seen = (struct bulk_seen){.hash = hash, .group = group};
        plan->group_of[i] = group;
        plan->groups[group].n++;
    }
    size_t first = 0;
    for (size_t g = 0; g < plan->n_groups; g++) {
        plan->groups[g].first = first;
        first += plan->groups[g].n;
        plan->groups[g].n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        struct bulk_group *group = &plan->groups[plan->group_of[i]];
        plan->rows[group->first + group->n++] = ops[i].row;
    }
}

void bulk_plan_release(struct bulk_plan *plan) {
    free(plan->groups);
    free(plan->rows);
    free(plan->group_of);
    free(plan->seen);
    *plan = (struct bulk_plan){0};
}
