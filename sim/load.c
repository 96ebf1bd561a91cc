// Reads everything that the store holds into memory, table by table, page by page.
#include "sim/effects.h"
#include "sim/ledger.h"

#include <assert.h>
#include <stdlib.h>

enum load_stage { LOAD_EFFECTS, LOAD_LEDGERS, LOAD_SETS, LOAD_DONE };

struct sim_load {
    enum load_stage stage;
    unsigned system, set;
};

static void next_page(struct sim *sim, const void *after);

static struct sim_system *system_of(struct sim *sim) {
    return &sim->systems[sim->load->system];
}

// What comes after the table, or the part of it, that is read now.
static void step(struct sim *sim) {
    struct sim_load *load = sim->load;
    if (load->stage == LOAD_EFFECTS) {
        load->stage = LOAD_LEDGERS;
        return;
    }
    if (load->stage == LOAD_LEDGERS) {
        if (++load->system < SIM_SYSTEMS)
            return;
        load->stage = LOAD_SETS;
        load->system = 0;
    } else {
        load->set++;
    }
    while (load->system < SIM_SYSTEMS && load->set >= system_of(sim)->def->n_sets) {
        load->system++;
        load->set = 0;
    }
    if (load->system == SIM_SYSTEMS)
        load->stage = LOAD_DONE;
}

static const struct store_table *table_of(struct sim *sim) {
    switch (sim->load->stage) {
    case LOAD_EFFECTS: return &sim_effects_table;
    case LOAD_LEDGERS: return &sim_ledger_table;
    case LOAD_SETS: return system_of(sim)->def->sets[sim->load->set].table;
    case LOAD_DONE: break;
    }
    return NULL;
}

static void take(struct sim *sim, const void *row) {
    switch (sim->load->stage) {
    case LOAD_EFFECTS: {
        const struct sim_effect_row *effect = row;
        struct sim_system *system = sim_system_named(sim, str_c(effect->system));
        if (system)
            sim_effects_join(system, effect);
        break;
    }
    case LOAD_LEDGERS: system_of(sim)->ledger_seq = ((const struct sim_ledger_row *)row)->seq; break;
    case LOAD_SETS: sim_row_join(system_of(sim), sim->load->set, row); break;
    case LOAD_DONE: break;
    }
}

static void page(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct sim *sim = ctx;
    if (error) {
        sim_broken(sim, error);
        return;
    }
    const struct store_table *table = table_of(sim);
    for (size_t i = 0; i < n; i++)
        take(sim, (const char *)rows + i * table->row_size);
    if (n == STORE_LIMIT_MAX) {
        next_page(sim, (const char *)rows + (n - 1) * table->row_size);
        return;
    }
    step(sim);
    if (sim->load->stage == LOAD_DONE) {
        sim->ready = true;
        sim_rows_loaded(sim);
    } else {
        next_page(sim, NULL);
    }
}

static void next_page(struct sim *sim, const void *after) {
    struct store_query query = {.table = table_of(sim), .after = after, .limit = STORE_LIMIT_MAX};
    if (sim->load->stage == LOAD_LEDGERS) { // only the last posting: it holds the number to go on from
        query.conds[0] =
            (struct store_cond){.column = "system", .cmp = STORE_EQ, .text = str_c(system_of(sim)->def->name)};
        query.descending = true;
        query.limit = 1;
    }
    store_read(sim->options.store, &query, page, sim);
}

void sim_load_start(struct sim *sim) {
    sim->load = calloc(1, sizeof *sim->load);
    if (!sim->load)
        abort();
    next_page(sim, NULL);
}

void sim_load_free(struct sim_load *load) {
    free(load);
}
