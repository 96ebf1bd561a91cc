#include "tests/simulation/estate.h"

#include "tests/simulation/center.h"
#include "tests/simulation/world.h"

#include <stdio.h>
#include <stdlib.h>

bool estate_is_closed(const struct sim_subject *subject) {
    for (const struct entry *entry = subject->entries; entry; entry = entry->next)
        if (entry->row.ends == 0)
            return false;
    return true;
}

static int64_t kept_ms(void *ctx, int32_t closed) {
    (void)ctx, (void)closed;
    return world_now->shape->retention.kept_ms[SAGA_KEPT_SUCCEEDED];
}

// ---- Going --------------------------------------------------------------------------------------------------------

static void gone(void *ctx, const struct error *error) {
    struct sim_subject *subject = ctx;
    struct saga_leaving *leaving = subject->leaving;
    size_t rows = 1;
    for (const struct entry *entry = subject->entries; entry; entry = entry->next)
        rows++;
    subject->leaving = NULL;
    if (!error)
        subject_leave(subject);
    saga_subject_release(&subject->base);
    saga_leaving_done(leaving, !error, rows);
}

static void retire_loaded(void *ctx, struct sim_subject *subject, const struct error *error) {
    struct saga_leaving *leaving = ctx;
    // Held by nobody but this load, and unchanged since its sagas were looked at.
    bool goes = !error && subject->stored && subject->base.refs == 1 && subject->row.closed &&
                subject->row.closed_ms < saga_leaving_since(leaving);
    if (!goes) {
        saga_leaving_done(leaving, false, 0);
        return;
    }
    struct saga_turn *turn = saga_turn_begin(subject->subjects->engine, &subject->base);
    saga_subject_hold(&subject->base);
    subject->leaving = leaving;
    subject->dirty = true;
    saga_leaving_rows(leaving, turn);
    saga_turn_commit(turn, gone, subject);
}

static void retire(void *ctx, struct str key, struct saga_leaving *leaving) {
    struct center *center = ctx;
    if (subject_is_known(&center->subjects, key))
        saga_leaving_done(leaving, false, 0); // somebody is at it
    else
        subject_want(&center->subjects, key, retire_loaded, leaving);
}

// ---- The patrol ---------------------------------------------------------------------------------------------------

static void check_loaded(void *ctx, struct sim_subject *subject, const struct error *error) {
    struct saga_checking *checking = ctx;
    int64_t sum = 0;
    if (error || !subject->stored || subject->base.group.in_flight > 0 || subject->dirty) {
        saga_checked(checking, false, NULL);
        return;
    }
    for (const struct entry *entry = subject->entries; entry; entry = entry->next)
        sum += entry->row.booked;
    saga_checked(checking, true, sum == subject->row.amount ? NULL : "its sum is not that of its entries");
}

static void check(void *ctx, struct str key, struct saga_checking *checking) {
    subject_want(&((struct center *)ctx)->subjects, key, check_loaded, checking);
}

const struct saga_estate sim_estate = {
    .table = &sim_subject_table,
    .by_end = 0,
    .since_offset = offsetof(struct sim_subject_row, closed_ms),
    .n_closed = 1,
    .kept_ms = kept_ms,
    .retire = retire,
    .check = check,
};
