#include "saga/gate.h"

#include "base/splitmix.h"
#include "saga/rounds.h"

#include <stdlib.h>

enum { SCRATCH_MAX = 2 * SAGA_RECORD_MAX, EVICT_LOOKS = 32, SPARE_MAX = 256 };

// ---- Life ---------------------------------------------------------------------------------------------------------

static void defaults(struct saga_options *options) {
    options->resident_max = options->resident_max ? options->resident_max : 20000;
    options->resume_rate = options->resume_rate ? options->resume_rate : 5000;
    options->scan_interval_ms = options->scan_interval_ms ? options->scan_interval_ms : 50000;
    options->horizon_ms = options->horizon_ms ? options->horizon_ms : 60000;
    options->pause_poll_ms = options->pause_poll_ms ? options->pause_poll_ms : 1000;
    options->resume_max = options->resume_max ? options->resume_max : 3;
    options->gates_max = options->gates_max ? options->gates_max : 1024;
    options->retention.rows_per_s = options->retention.rows_per_s ? options->retention.rows_per_s : 2000;
    options->retention.batch = options->retention.batch ? options->retention.batch : 32;
    struct saga_patrol_options *patrol = &options->patrol;
    patrol->stuck_ms = patrol->stuck_ms ? patrol->stuck_ms : 600000;
    patrol->rows_per_s = patrol->rows_per_s ? patrol->rows_per_s : 200;
    patrol->checks_per_s = patrol->checks_per_s ? patrol->checks_per_s : 5;
    struct saga_retry *patience = options->machine.patience;
    if (patience[SAGA_QUICK].first_ms == 0)
        patience[SAGA_QUICK] =
            (struct saga_retry){.first_ms = 100, .max_ms = 1000, .attempts = 6, .jitter_percent = 20};
    if (patience[SAGA_STUBBORN].first_ms == 0)
        patience[SAGA_STUBBORN] =
            (struct saga_retry){.first_ms = 200, .max_ms = 30000, .attempts = 40, .jitter_percent = 20};
    if (patience[SAGA_LEISURELY].first_ms == 0)
        patience[SAGA_LEISURELY] =
            (struct saga_retry){.first_ms = 500, .max_ms = 300000, .attempts = 60, .jitter_percent = 30};
}

static const struct saga_flow **gather_flows(const struct saga_flow_set *sets) {
    const struct saga_flow **flows = NULL;
    size_t n = 0;
    for (size_t i = 0; i < SAGA_FLOW_SETS_MAX; i++)
        for (const struct saga_flow *const *flow = sets[i].flows; flow && *flow; flow++) {
            flows = realloc(flows, (n + 2) * sizeof *flows);
            if (!flows)
                abort();
            flows[n++] = *flow;
            flows[n] = NULL;
        }
    return flows ? flows : calloc(1, sizeof *flows);
}

void *engine_flow_ctx(const struct saga_engine *engine, const struct saga_flow *flow) {
    for (const struct saga_flow_set *set = engine->options.flow_sets;
         set < engine->options.flow_sets + SAGA_FLOW_SETS_MAX; set++)
        for (const struct saga_flow *const *one = set->flows; one && *one; one++)
            if (*one == flow)
                return set->ctx;
    return NULL;
}

static bool check_flows(const struct saga_flow *const *flows, struct error *error) {
    for (const struct saga_flow *const *flow = flows; *flow; flow++) {
        if (!saga_flow_valid(*flow, error))
            return false;
        for (const struct saga_flow *const *other = flows; other != flow; other++)
            if ((*other)->version == (*flow)->version && strcmp((*other)->name, (*flow)->name) == 0)
                return error_set(error, ERR_CONFIG_INVALID, "flow %s: there are two of version %u", (*flow)->name,
                                 (*flow)->version);
    }
    return true;
}

bool saga_engine_new(const struct saga_options *options, struct saga_engine **ret_engine, struct error *error) {
    struct saga_options with_defaults = *options;
    defaults(&with_defaults);
    for (int i = 0; i < SAGA_PATIENCES; i++)
        if (!saga_retry_valid(&with_defaults.machine.patience[i]))
            return error_set(error, ERR_CONFIG_INVALID,
                             "retry policy %s: needs first_ms <= max_ms and at most 100 percent of jitter",
                             saga_patience_name((enum saga_patience)i));
    struct saga_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return error_set(error, ERR_OVERLOADED, "no memory");
    engine->options = with_defaults;
    engine->flows = gather_flows(options->flow_sets);
    if (!engine->flows || !check_flows(engine->flows, error)) {
        free(engine->flows);
        free(engine);
        return false;
    }
    engine->ready_last = &engine->ready;
    engine->unnumbered_last = &engine->unnumbered;
    engine->alarm_ms = engine->trial_ms = INT64_MAX;
    arena_init(&engine->scratch, SCRATCH_MAX);
    engine->turn_pool = POOL(struct saga_turn, SPARE_MAX);
    engine->call_pool = POOL(struct saga_call, SPARE_MAX);
    engine->resident_pool = POOL(struct saga_resident, SPARE_MAX);
    struct store_identity identity;
    store_identity(options->store, &identity);
    engine->mark = slot_mark_of(identity.name, identity.incarnation);
    engine->chance = options->random(options->random_ctx);
    engine->sentinel = sentinel_new(engine);
    engine->members = options->lease_ms ? members_new(engine) : NULL;
    engine->gates = gates_new(engine);
    engine->pauses = pauses_new(engine);
    engine->inbox = inbox_new(engine);
    engine->retention = retention_new(engine);
    engine->patrol = patrol_new(engine);
    *ret_engine = engine;
    return true;
}

void saga_engine_recover(struct saga_engine *engine) {
    engine_enter(engine);
    pauses_start(engine->pauses);
    inbox_start(engine->inbox);
    if (engine->members)
        members_start(engine->members);
    for (unsigned slot = 0; slot < SLOT_COUNT && !engine->members; slot++)
        slot_own(engine, slot, 0);
    engine_exit(engine);
}

bool saga_engine_recovered(const struct saga_engine *engine) {
    return saga_engine_settled(engine) && sentinel_recovered(engine->sentinel);
}

void saga_engine_stop(struct saga_engine *engine) {
    engine->stopped = true;
    engine_refuse_turns(engine);
}

// Children before their parents, as pins allow: nothing else pins any more.
static void drop_all(struct saga_engine *engine) {
    while (engine->oldest) {
        struct saga_resident *resident = engine->oldest;
        while (resident->pins > 0)
            resident = resident->newer;
        resident_drop(resident);
    }
}

void saga_engine_free(struct saga_engine *engine) {
    if (!engine)
        return;
    engine->stopped = true;
    engine->depth++; // nothing is started by what is told now
    engine_drop_turns(engine);
    engine_drop_loadings(engine);
    engine_drop_commands(engine);
    engine_drop_operations(engine);
    drop_all(engine);
    engine_drop_watches(engine);
    engine_drop_batches(engine);
    engine_drop_calls(engine);
    gates_free(engine->gates);
    pauses_free(engine->pauses);
    inbox_free(engine->inbox);
    map_release(&engine->residents);
    map_release(&engine->loadings);
    sentinel_free(engine->sentinel);
    members_free(engine->members);
    poke_drop(engine);
    retention_free(engine->retention);
    patrol_free(engine->patrol);
    free(engine->flows);
    heap_release(&engine->timers);
    heap_release(&engine->suspects);
    arena_release(&engine->scratch);
    pool_release(&engine->turn_pool);
    pool_release(&engine->call_pool);
    pool_release(&engine->resident_pool);
    free(engine);
}

// ---- Entering and exiting -----------------------------------------------------------------------------------------

void engine_enter(struct saga_engine *engine) {
    engine->depth++;
}

static void alarm_at(struct saga_engine *engine) {
    int64_t due = sentinel_due(engine->sentinel);
    struct heap_node *least = heap_least(&engine->timers);
    if (least && least->key < due)
        due = least->key;
    int64_t others[] = {engine->trial_ms,           gates_due(engine->gates),
                        pauses_due(engine->pauses), inbox_due(engine->inbox),
                        batches_due(engine),        rounds_due(retention_rounds(engine->retention)),
                        patrol_due(engine->patrol), engine->members ? members_due(engine->members) : INT64_MAX};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        due = others[i] < due ? others[i] : due;
    if (due == engine->alarm_ms)
        return;
    engine->alarm_ms = due;
    if (due < INT64_MAX)
        engine->options.alarm(engine->options.alarm_ctx, due);
}

static struct saga_resident *pop_ready(struct saga_engine *engine) {
    struct saga_resident *resident = engine->ready;
    if (resident) {
        engine->ready = resident->ready_next;
        if (!engine->ready)
            engine->ready_last = &engine->ready;
        resident->ready_next = NULL;
        resident->ready = false;
    }
    return resident;
}

// Waiting sagas beyond the bound go back to being rows. Looks at a few of the longest idle each time; what can't go
// now comes to the other end, so that it doesn't hide those behind it.
static void evict(struct saga_engine *engine) {
    for (int looked = 0; looked < EVICT_LOOKS && engine->residents.count > engine->options.resident_max; looked++) {
        struct saga_resident *resident = engine->oldest;
        bool far = resident->timer.key > sentinel_horizon(engine->sentinel, resident->slot);
        if (!resident_idle(resident) || !resident_free(resident) || !far)
            resident_touch(resident);
        else if (resident->dirty)
            resident_wake(resident, WAKE_FLUSH);
        else {
            engine->stats.evictions++;
            resident_drop(resident);
        }
    }
}

static void run_ready(struct saga_engine *engine) {
    for (struct saga_resident *resident; (resident = pop_ready(engine));)
        turn_run(resident);
}

void engine_exit(struct saga_engine *engine) {
    if (engine->depth > 1) {
        engine->depth--;
        return;
    }
    run_ready(engine);
    if (engine->residents.count > engine->options.resident_max) {
        evict(engine);
        run_ready(engine); // what must be written before it can go
    }
    if (engine->slot_left) {
        engine->slot_left = false;
        if (engine->fenced)
            slots_let_go(engine);
        else if (engine->members)
            members_give(engine->members);
    }
    engine->depth--;
    alarm_at(engine);
}

void saga_engine_tick(struct saga_engine *engine) {
    engine_enter(engine);
    engine->alarm_ms = INT64_MAX;
    int64_t now = clock_now_ms(engine->options.clock);
    for (struct heap_node *least; (least = heap_least(&engine->timers)) && least->key <= now;) {
        heap_remove(&engine->timers, least);
        resident_wake(CONTAINER_OF(least, struct saga_resident, timer), WAKE_TIMER);
    }
    gates_tick(engine->gates, now);
    pauses_tick(engine->pauses, now);
    inbox_tick(engine->inbox, now);
    batches_tick(engine, now);
    trial_tick(engine, now);
    sentinel_tick(engine->sentinel, now);
    if (engine->members)
        members_tick(engine->members, now);
    rounds_tick(retention_rounds(engine->retention), now);
    patrol_tick(engine->patrol, now);
    engine_exit(engine);
}

uint64_t engine_chance(struct saga_engine *engine) {
    return splitmix_next(&engine->chance);
}

// ---- Telling and answering ----------------------------------------------------------------------------------------

void engine_notice(struct saga_engine *engine, enum saga_notice_kind kind, const struct saga_resident *resident,
                   const struct saga_leg *leg, enum saga_op op, const char *reason, const char *text) {
    if (!engine->options.notice)
        return;
    const struct saga_instance *saga = resident ? &resident->saga : NULL;
    struct saga_notice notice = {
        .kind = kind,
        .gid = saga ? saga->gid : "",
        .subject = resident ? resident->subject_key : "",
        .flow = saga && saga->flow ? saga->flow->name : "",
        .step = leg ? leg->step->name : "",
        .status = saga ? saga->status : SAGA_RUNNING,
        .op = op,
        .attempt = leg ? leg->attempts : 0,
        .reason = reason ? reason : "",
        .text = text ? text : "",
    };
    engine->options.notice(engine->options.notice_ctx, &notice);
}

bool resident_is_orphan(const struct saga_resident *resident) {
    const struct saga_instance *saga = &resident->saga;
    if (!resident_idle(resident) || !resident_free(resident) || saga_status_ended(saga->status))
        return false;
    bool lost_call = false; // no call is out, so none may be on its way
    for (uint8_t i = 0; i < saga->n_legs; i++)
        lost_call = lost_call || saga_leg_in_flight(&saga->legs[i]);
    bool led = saga_instance_timer(saga) < INT64_MAX || saga_instance_parked(saga) || saga->paused;
    return lost_call || !led;
}

static void count_orphan(void *ctx, struct map_node *node) {
    *(int64_t *)ctx += resident_is_orphan(CONTAINER_OF(node, struct saga_resident, node));
}

void saga_engine_stats(const struct saga_engine *engine, struct saga_stats *ret_stats) {
    *ret_stats = engine->stats;
    ret_stats->orphans = ret_stats->slots = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        ret_stats->slots += slot_is_ours(engine, slot);
    retention_stats(engine->retention, ret_stats);
    patrol_stats(engine->patrol, ret_stats);
    ret_stats->crowded_out = gates_crowded_out(engine->gates);
    struct map *residents = (struct map *)(uintptr_t)&engine->residents; // map_each may remove; this visitor doesn't
    if (!engine->stopped)
        map_each(residents, count_orphan, &ret_stats->orphans);
}

const struct saga_flow *saga_engine_flow(const struct saga_engine *engine, struct str name, int version) {
    const struct saga_flow *newest = NULL;
    for (const struct saga_flow *const *flow = engine->flows; *flow; flow++) {
        if (!str_eq_c(name, (*flow)->name))
            continue;
        if ((*flow)->version == version)
            return *flow;
        if (!newest || newest->version < (*flow)->version)
            newest = *flow;
    }
    return version == 0 ? newest : NULL;
}

const struct saga_flow *const *saga_engine_flows(const struct saga_engine *engine) {
    return engine->flows;
}

const struct clock *saga_engine_clock(const struct saga_engine *engine) {
    return engine->options.clock;
}
