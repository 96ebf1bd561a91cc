#include "tests/simulation/plant.h"

#include "saga/journal.h"
#include "saga/tables.h"
#include "tests/simulation/durable.h"

#include <stdlib.h>

static const char *const names[PLANTS] = {
    [PLANT_NOTHING] = "nothing",     [PLANT_FORGETFUL] = "forgetful", [PLANT_ROLLBACK] = "rollback",
    [PLANT_UNFENCED] = "unfenced",   [PLANT_TORN] = "torn",           [PLANT_AMNESIA] = "amnesia",
    [PLANT_REORDERED] = "reordered", [PLANT_MUTE] = "mute",           [PLANT_BOUNDLESS] = "boundless",
};

const char *plant_name(enum plant plant) {
    return names[plant];
}

bool plant_find(const char *name, enum plant *ret_plant) {
    for (int i = 0; i < PLANTS; i++)
        if (strcmp(names[i], name) == 0) {
            *ret_plant = (enum plant)i;
            return true;
        }
    return false;
}

// The row without its last signal, where it has several.
static const struct saga_row *without_signal(const struct saga_row *row, struct arena *arena) {
    struct saga_instance saga = durable_instance(row);
    struct saga_row *copy = arena_alloc(arena, sizeof *copy);
    struct error error = {0};
    if (!copy)
        abort();
    *copy = *row;
    uint8_t n = saga.n_signals;
    saga.n_signals = n > 1 ? (uint8_t)(n - 1) : n;
    if (!saga_journal_encode(&saga, arena, &copy->journal, &error))
        abort();
    saga.n_signals = n;
    saga_instance_release(&saga);
    return copy;
}

const struct store_op *plant_forget(const struct store_op *ops, size_t n, struct arena *arena) {
    struct store_op *changed = arena_alloc(arena, n * sizeof *changed);
    if (n == 0 || !changed)
        return ops;
    for (size_t i = 0; i < n; i++) {
        changed[i] = ops[i];
        if (ops[i].table == &saga_table && ops[i].verb == STORE_PUT)
            changed[i].row = without_signal(ops[i].row, arena);
    }
    return changed;
}
