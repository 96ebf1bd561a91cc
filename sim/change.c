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

// ---- On its way to the store -----------------------------------------------------------------------------------

void sim_pending_add(struct sim *sim, struct sim_pending *pending) {
    pending->next = sim->pending;
    pending->at = &sim->pending;
    if (sim->pending)
        sim->pending->at = &pending->next;
    sim->pending = pending;
}

void sim_pending_remove(struct sim_pending *pending) {
    *pending->at = pending->next;
    if (pending->next)
        pending->next->at = pending->at;
}

struct commit {
    struct sim_pending pending;
    struct sim_change change; // whose write was given away
    sim_durable_fn *done;
    void *ctx;
};

static void end(struct commit *commit, bool durable) {
    sim_pending_remove(&commit->pending);
    commit->change.system->in_flight--;
    if (commit->done)
        commit->done(commit->ctx, durable);
    free(commit);
}

static void drop(struct sim_pending *pending) {
    end(CONTAINER_OF(pending, struct commit, pending), false);
}

static void landed(void *ctx, const struct error *error) {
    struct commit *commit = ctx;
    struct sim *sim = commit->change.system->sim;
    if (error && !sim->stopped)
        sim_broken(sim, error);
    for (unsigned i = 0; !error && !sim->stopped && i < commit->change.n_armed; i++)
        sim_row_arm(commit->change.armed[i].row, commit->change.armed[i].at_ms);
    end(commit, !error);
}

void sim_change_commit(struct sim_change *change, sim_durable_fn *done, void *ctx) {
    struct commit *commit = malloc(sizeof *commit);
    if (!commit)
        abort();
    struct store_write *write = write_of(change);
    change->write = NULL;
    struct sim *sim = change->system->sim;
    *commit = (struct commit){.pending = {.drop = drop}, .change = *change, .done = done, .ctx = ctx};
    sim_pending_add(sim, &commit->pending);
    change->system->in_flight++;
    store_submit(sim->options.store, write, &sim->group, landed, commit);
}
