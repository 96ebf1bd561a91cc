#include "saga/engine.h"

#include <assert.h>
#include <stdlib.h>

enum { SCRATCH_MAX = 4 * SAGA_RECORD_MAX };

// ---- Life ---------------------------------------------------------------------------------------------------------

static void defaults(struct saga_options *options) {
    options->resident_max = options->resident_max ? options->resident_max : 20000;
    options->resume_rate = options->resume_rate ? options->resume_rate : 2000;
    options->scan_interval_ms = options->scan_interval_ms ? options->scan_interval_ms : 5000;
    options->horizon_ms = options->horizon_ms ? options->horizon_ms : 60000;
    options->resume_max = options->resume_max ? options->resume_max : 3;
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

bool saga_engine_new(const struct saga_options *options, struct saga_engine **ret_engine, struct error *error) {
    for (const struct saga_flow *const *flow = options->flows; *flow; flow++)
        if (!saga_flow_valid(*flow, error))
            return false;
    struct saga_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return error_set(error, ERR_OVERLOADED, "no memory");
    engine->options = *options;
    defaults(&engine->options);
    engine->ready_last = &engine->ready;
    engine->alarm_ms = INT64_MAX;
    arena_init(&engine->scratch, SCRATCH_MAX);
    struct store_identity identity;
    store_identity(options->store, &identity);
    engine->incarnation = identity.incarnation;
    engine->sentinel = sentinel_new(engine);
    *ret_engine = engine;
    return true;
}

void saga_engine_recover(struct saga_engine *engine) {
    engine_enter(engine);
    sentinel_start(engine->sentinel);
    engine_leave(engine);
}

bool saga_engine_recovered(const struct saga_engine *engine) {
    return sentinel_recovered(engine->sentinel);
}

void saga_engine_stop(struct saga_engine *engine) {
    engine->stopped = true;
}

static void drop_node(void *ctx, struct map_node *node) {
    (void)ctx;
    struct saga_resident *resident = CONTAINER_OF(node, struct saga_resident, node);
    resident->pins = 0;
    resident->parent = NULL;
    resident_drop(resident);
}

void saga_engine_free(struct saga_engine *engine) {
    if (!engine)
        return;
    map_each(&engine->residents, drop_node, NULL);
    map_release(&engine->residents);
    sentinel_free(engine->sentinel);
    map_release(&engine->loadings);
    heap_release(&engine->timers);
    arena_release(&engine->scratch);
    free(engine);
}

// ---- Entering and leaving -----------------------------------------------------------------------------------------

void engine_enter(struct saga_engine *engine) {
    engine->depth++;
}

static void alarm_at(struct saga_engine *engine) {
    int64_t due = sentinel_due(engine->sentinel);
    struct heap_node *least = heap_least(&engine->timers);
    if (least && least->key < due)
        due = least->key;
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

// Waiting sagas beyond the bound go back to being rows. Looks at a few of the longest idle each time.
static void evict(struct saga_engine *engine) {
    struct saga_resident *resident = engine->oldest;
    for (int looked = 0; looked < 32 && resident && engine->residents.count > engine->options.resident_max; looked++) {
        struct saga_resident *next = resident->newer;
        if (resident_idle(resident) && resident->timer.key > sentinel_horizon(engine->sentinel)) {
            if (resident->dirty) {
                resident_wake(resident, WAKE_FLUSH);
            } else {
                engine->stats.evictions++;
                resident_drop(resident);
            }
        }
        resident = next;
    }
}

void engine_leave(struct saga_engine *engine) {
    if (engine->depth > 1) {
        engine->depth--;
        return;
    }
    for (struct saga_resident *resident; (resident = pop_ready(engine));)
        turn_run(resident);
    if (engine->residents.count > engine->options.resident_max) {
        evict(engine);
        for (struct saga_resident *resident; (resident = pop_ready(engine));)
            turn_run(resident);
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
    sentinel_tick(engine->sentinel, now);
    engine_leave(engine);
}

// ---- Residents ----------------------------------------------------------------------------------------------------

static void lru_remove(struct saga_resident *resident) {
    struct saga_engine *engine = resident->engine;
    *(resident->older ? &resident->older->newer : &engine->oldest) = resident->newer;
    *(resident->newer ? &resident->newer->older : &engine->newest) = resident->older;
    resident->older = resident->newer = NULL;
}

static void lru_append(struct saga_resident *resident) {
    struct saga_engine *engine = resident->engine;
    resident->older = engine->newest;
    resident->newer = NULL;
    *(engine->newest ? &engine->newest->newer : &engine->oldest) = resident;
    engine->newest = resident;
}

struct saga_resident *resident_find(struct saga_engine *engine, struct str gid) {
    struct map_node *node = map_find(&engine->residents, gid);
    return node ? CONTAINER_OF(node, struct saga_resident, node) : NULL;
}

struct saga_resident *resident_add(struct saga_engine *engine, struct saga_instance *instance,
                                   struct saga_subject *subject, struct saga_resident *parent, struct str input) {
    struct saga_resident *resident = calloc(1, sizeof *resident);
    char *copy = malloc(input.len + 1);
    if (!resident || !copy)
        abort();
    if (input.len)
        memcpy(copy, input.ptr, input.len);
    resident->engine = engine;
    resident->saga = *instance;
    resident->input = str_n(copy, input.len);
    resident->subject = subject;
    resident->parent = parent;
    resident->group = subject ? &subject->group : parent ? parent->group : &resident->own_group;
    resident->slot = id_slot(str_c(resident->saga.gid));
    resident->last = &resident->first;
    if (subject)
        str_copy(str_c(subject->key), resident->subject_key, sizeof resident->subject_key);
    if (parent) {
        parent->pins++;
        memcpy(resident->parent_gid, parent->saga.gid, sizeof resident->parent_gid);
    }
    map_insert(&engine->residents, &resident->node, str_c(resident->saga.gid));
    lru_append(resident);
    engine->stats.resident++;
    return resident;
}

static void unready(struct saga_resident *resident) {
    struct saga_engine *engine = resident->engine;
    struct saga_resident **at = &engine->ready;
    while (*at && *at != resident)
        at = &(*at)->ready_next;
    if (!*at)
        return;
    *at = resident->ready_next;
    if (!*at) {
        engine->ready_last = &engine->ready;
        for (struct saga_resident *r = engine->ready; r; r = r->ready_next)
            engine->ready_last = &r->ready_next;
    }
}

void resident_drop(struct saga_resident *resident) {
    struct saga_engine *engine = resident->engine;
    assert(resident->pins == 0);
    if (resident->ready)
        unready(resident);
    engine->suspects -= resident->suspect;
    if (engine->trial == resident)
        engine->trial = NULL;
    call_forget_all(resident);
    answers_free(resident);
    heap_remove(&engine->timers, &resident->timer);
    map_remove(&engine->residents, &resident->node);
    lru_remove(resident);
    engine->stats.resident--;
    if (resident->parent)
        resident->parent->pins--;
    if (resident->subject)
        saga_subject_release(resident->subject);
    saga_instance_release(&resident->saga);
    free((void *)(uintptr_t)resident->input.ptr);
    free(resident->held);
    free(resident);
}

void resident_wake(struct saga_resident *resident, unsigned why) {
    resident->wake |= why;
    if (resident->ready || resident->busy || resident->lost)
        return; // it will be looked at when it is free
    resident->ready = true;
    resident->ready_next = NULL;
    *resident->engine->ready_last = resident;
    resident->engine->ready_last = &resident->ready_next;
    lru_remove(resident);
    lru_append(resident);
}

void resident_arm(struct saga_resident *resident) {
    int64_t due = saga_status_ended(resident->saga.status) ? INT64_MAX : saga_instance_timer(&resident->saga);
    if (due < SAGA_DUE_PARKED) {
        heap_set(&resident->engine->timers, &resident->timer, due);
    } else {
        heap_remove(&resident->engine->timers, &resident->timer);
        resident->timer.key = due;
    }
}

bool resident_idle(const struct saga_resident *resident) {
    return !resident->busy && !resident->lost && !resident->ready && !resident->first && !resident->calls &&
           resident->pins == 0;
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

static void count_orphan(void *ctx, struct map_node *node) {
    const struct saga_resident *resident = CONTAINER_OF(node, struct saga_resident, node);
    bool alive = saga_status_ended(resident->saga.status) || !resident_idle(resident) || resident->lost ||
                 saga_instance_timer(&resident->saga) < SAGA_DUE_PARKED || saga_instance_parked(&resident->saga);
    *(int64_t *)ctx += !alive;
}

void saga_engine_stats(const struct saga_engine *engine, struct saga_stats *ret_stats) {
    *ret_stats = engine->stats;
    ret_stats->orphans = 0;
    struct map *residents = (struct map *)(uintptr_t)&engine->residents; // map_each may remove; this visitor doesn't
    map_each(residents, count_orphan, &ret_stats->orphans);
}

const struct saga_flow *saga_engine_flow(const struct saga_engine *engine, struct str name, int version) {
    const struct saga_flow *newest = NULL;
    for (const struct saga_flow *const *flow = engine->options.flows; *flow; flow++) {
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
    return engine->options.flows;
}

struct store *saga_engine_store(const struct saga_engine *engine) {
    return engine->options.store;
}

const struct clock *saga_engine_clock(const struct saga_engine *engine) {
    return engine->options.clock;
}
