#include "sim/control.h"
#include "sim/faults.h"
#include "sim/world.h"

#include <assert.h>
#include <stdlib.h>

// The systems, in the order of enum sim_system_index.
static const struct sim_system_def *const defs[SIM_SYSTEMS] = {
    [SIM_USER] = &sim_user_def,     [SIM_OIL] = &sim_oil_def,
    [SIM_ORDER] = &sim_order_def,   [SIM_PAYMENT] = &sim_payment_def,
    [SIM_CARD] = &sim_card_def,     [SIM_COUPON] = &sim_coupon_def,
    [SIM_POINTS] = &sim_points_def, [SIM_SETTLEMENT] = &sim_settlement_def,
    [SIM_PUSH] = &sim_push_def,
};

static const char *const names[SIM_SYSTEMS + 2] = {
    [SIM_USER] = "user", [SIM_OIL] = "oil",       [SIM_ORDER] = "order",   [SIM_PAYMENT] = "payment",
    [SIM_CARD] = "card", [SIM_COUPON] = "coupon", [SIM_POINTS] = "points", [SIM_SETTLEMENT] = "settlement",
    [SIM_PUSH] = "push", [SIM_SYSTEMS] = "sim",
};

static const struct store_table *const tables[] = {
    &sim_effects_table,     &sim_ledger_table,
    &sim_users_table,       &sim_prices_table,
    &sim_nozzles_table,     &sim_pump_records_table,
    &sim_orders_table,      &sim_tenders_table,
    &sim_refunds_table,     &sim_notes_table,
    &sim_cards_table,       &sim_holds_table,
    &sim_coupons_table,     &sim_templates_table,
    &sim_issue_rules_table, &sim_points_table,
    &sim_point_holds_table, &sim_point_trades_table,
    &sim_awards_table,      &sim_accounts_table,
    &sim_recorded_table,    NULL,
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
            .tier = RPC_TIER_PAY,
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
        system_open(&sim->systems[i], sim, defs[i]);
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
        if (defs[i]->stop)
            defs[i]->stop(&sim->systems[i]);
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
        if (str_eq_c(name, defs[i]->name))
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
        if (strcmp(name, defs[i]->name) == 0) {
            *ret_stats = sim->systems[i].stats;
            return true;
        }
    return false;
}
