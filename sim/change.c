#include "sim/core.h"

#include <assert.h>
#include <stdlib.h>

void sim_change_begin(struct sim_change *change, struct sim_system *system, struct sim_about about) {
    *change = (struct sim_change){.system = system, .about = about};
}

static struct store_write *write_of(struct sim_change *change) {
    if (!change->write)
        change->write = store_write_new(change->system->sim->options.store);
    return change->write;
}

void sim_put_plain(struct sim_change *change, const struct store_table *table, const void *row) {
    store_row(write_of(change), table, STORE_PUT, row);
}

void sim_delete_plain(struct sim_change *change, const struct store_table *table, const void *row) {
    store_row(write_of(change), table, STORE_DELETE, row);
}

void sim_arm(struct sim_change *change, void *row, int64_t at_ms) {
    assert(change->n_armed < SIM_ARMED_MAX);
    change->armed[change->n_armed].row = row;
    change->armed[change->n_armed++].at_ms = at_ms;
}

// A change on its way to the store.
struct commit {
    struct sim_change change; // whose write was given away
    void (*done)(void *ctx);
    void *ctx;
};

static void landed(void *ctx, const struct error *error) {
    struct commit *commit = ctx;
    struct sim_system *system = commit->change.system;
    system->in_flight--;
    if (error)
        sim_broken(system->sim, error);
    else if (!system->sim->stopped)
        for (unsigned i = 0; i < commit->change.n_armed; i++)
            sim_row_arm(commit->change.armed[i].row, commit->change.armed[i].at_ms);
    if (commit->done)
        commit->done(commit->ctx);
    free(commit);
}

void sim_change_commit(struct sim_change *change, void (*done)(void *ctx), void *ctx) {
    struct commit *commit = malloc(sizeof *commit);
    if (!commit)
        abort();
    struct store_write *write = write_of(change);
    change->write = NULL;
    *commit = (struct commit){*change, done, ctx};
    struct sim *sim = change->system->sim;
    change->system->in_flight++;
    store_submit(sim->options.store, write, &sim->group, landed, commit);
}
