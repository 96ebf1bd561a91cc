#include "sim/control.h"
#include "sim/faults.h"
#include "sim/world.h"

#include <assert.h>
#include <stdlib.h>

#define X(NAME, name) [SIM_##NAME] = &sim_##name##_def,
const struct sim_system_def *const sim_system_defs[SIM_SYSTEMS] = {SIM_SYSTEM_TABLE(X)};
#undef X

#define X(NAME, name) [SIM_##NAME] = #name,
static const char *const names[SIM_SYSTEMS + 2] = {SIM_SYSTEM_TABLE(X)[SIM_SYSTEMS] = "sim"};
#undef X

static const struct store_table *const tables[] = {
    &sim_effects_table,
    &sim_ledger_table,
    &sim_users_table,
    &sim_prices_table,
    &sim_nozzles_table,
    &sim_pump_records_table,
    &sim_orders_table,
    &sim_tenders_table,
    &sim_refunds_table,
    &sim_notes_table,
    &sim_cards_table,
    &sim_holds_table,
    &sim_recharges_table,
    &sim_coupons_table,
    &sim_templates_table,
    &sim_issue_rules_table,
    &sim_points_table,
    &sim_point_holds_table,
    &sim_point_trades_table,
    &sim_awards_table,
    &sim_accounts_table,
    &sim_shifts_table,
    &sim_recorded_table,
    &sim_goods_pools_table,
    &sim_goods_parts_table,
    &sim_goods_taken_table,
    &sim_goods_table,
    &sim_quota_pools_table,
    &sim_quota_parts_table,
    &sim_quota_taken_table,
    &sim_activities_table,
    &sim_activity_rules_table,
    &sim_growth_records_table,
    &sim_levels_table,
    &sim_level_rules_table,
    &sim_members_table,
    &sim_marketing_records_table,
    &sim_invoice_records_table,
    &sim_invoiced_table,
    &sim_gifts_table,
    &sim_spend_rules_table,
    &sim_os_orders_table,
    NULL,
};

const struct store_table *const *sim_tables(void) {
    return tables;
}

const char *const *sim_system_names(void) {
    return names;
}

void sim_copy(char *out, size_t size, const char *text) {
    bool fits = str_copy(str_c(text), out, size);
    assert(fits);
}

static void *allocate(size_t count, size_t size) {
    void *ptr = calloc(count, size);
    if (!ptr)
        abort();
    return ptr;
}

static void system_open(struct sim_system *system, struct sim *sim, const struct sim_system_def *def) {
    assert(def->n_sets <= SIM_SETS_MAX && strcmp(def->name, names[system - sim->systems]) == 0);
    *system = (struct sim_system){.def = def, .sim = sim};
    for (size_t i = 0; i < def->n_sets; i++)
        system->sets[i] = (struct sim_set){.def = &def->sets[i], .system = system};
    system->routes = allocate(def->n_methods, sizeof *system->routes);
    system->types = allocate(def->n_methods, sizeof *system->types);
    for (size_t i = 0; i < def->n_methods; i++) {
        system->routes[i] = (struct rpc_route){
            .method = {.service = def->service, .name = def->methods[i].name},
            .handle = sim_call_handle,
            .scope = RPC_SIM,
            .tier = RPC_TIER_HIGH,
        };
        system->types[i] = (struct sim_method_types){
            .request = rpc_method_request(&system->routes[i].method),
            .response = rpc_method_response(&system->routes[i].method),
        };
    }
    if (def->state_size)
        system->state = allocate(1, def->state_size);
}

static void system_close(struct sim_system *system) {
    if (system->def->release)
        system->def->release(system);
    for (size_t i = 0; i < system->def->n_sets; i++)
        sim_set_release(&system->sets[i]);
    sim_effects_release(system);
    free(system->routes);
    free(system->types);
    free(system->state);
}

static uint32_t or_default(uint32_t value, uint32_t otherwise) {
    return value ? value : otherwise;
}

struct sim *sim_new(const struct sim_options *options) {
    struct sim *sim = allocate(1, sizeof *sim);
    sim->options = *options;
    sim->options.refund_ms = or_default(options->refund_ms, 50);
    sim->options.notify_retry_first_ms = or_default(options->notify_retry_first_ms, 200);
    sim->options.notify_retry_max_ms = or_default(options->notify_retry_max_ms, 30000);
    sim->timer = (struct rpc_timer){.fire = sim_rows_due, .ctx = sim};
    sim->faults = sim_faults_new(options->fault_seed);
    for (unsigned i = 0; i < SIM_SYSTEMS; i++)
        system_open(&sim->systems[i], sim, sim_system_defs[i]);
    sim_load_start(sim);
    return sim;
}

bool sim_ready(const struct sim *sim) {
    return sim->ready;
}

void sim_stop(struct sim *sim) {
    if (sim->stopped)
        return;
    sim->stopped = true;
    sim->options.timers.stop(sim->options.timers.ctx, &sim->timer);
    for (unsigned i = 0; i < SIM_SYSTEMS; i++)
        if (sim_system_defs[i]->stop)
            sim_system_defs[i]->stop(&sim->systems[i]);
    sim_calls_end(sim);
}

void sim_free(struct sim *sim) {
    if (!sim)
        return;
    sim_stop(sim);
    while (sim->pending)
        sim->pending->drop(sim->pending);
    for (unsigned i = 0; i < SIM_SYSTEMS; i++)
        system_close(&sim->systems[i]);
    heap_release(&sim->due);
    sim_faults_free(sim->faults);
    sim_load_free(sim->load);
    free(sim);
}

void sim_broken(struct sim *sim, const struct error *error) {
    if (sim->broken)
        return;
    sim->broken = true;
    if (sim->options.failed)
        sim->options.failed(sim->options.failed_ctx, error);
}

struct sim_system *sim_system_named(struct sim *sim, struct str name) {
    for (unsigned i = 0; i < SIM_SYSTEMS; i++)
        if (str_eq_c(name, sim_system_defs[i]->name))
            return &sim->systems[i];
    return NULL;
}

const struct rpc_route *sim_routes(struct sim *sim, const char *name, size_t *ret_n, void **ret_service) {
    if (strcmp(name, names[SIM_SYSTEMS]) == 0) {
        *ret_service = sim;
        return sim_control_routes(ret_n);
    }
    struct sim_system *system = sim_system_named(sim, str_c(name));
    if (!system)
        return NULL;
    *ret_n = system->def->n_methods;
    *ret_service = system;
    return system->routes;
}

bool sim_stats(const struct sim *sim, const char *name, struct sim_stats *ret_stats) {
    for (unsigned i = 0; i < SIM_SYSTEMS; i++)
        if (strcmp(name, sim_system_defs[i]->name) == 0) {
            *ret_stats = sim->systems[i].stats;
            return true;
        }
    return false;
}
