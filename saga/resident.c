// Sagas in memory: who is there, what pins them, what they wait for.
#include "saga/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

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

void resident_touch(struct saga_resident *resident) {
    lru_remove(resident);
    lru_append(resident);
}

// ---- Coming and going ---------------------------------------------------------------------------------------------

struct saga_resident *resident_find(const struct saga_engine *engine, struct str gid) {
    struct map_node *node = map_find(&engine->residents, gid);
    return node ? CONTAINER_OF(node, struct saga_resident, node) : NULL;
}

bool saga_engine_has(const struct saga_engine *engine, struct str gid) {
    return resident_find(engine, gid) != NULL;
}

static void join_family(struct saga_resident *resident) {
    struct saga_subject *subject = resident->subject;
    struct saga_resident *parent = resident->parent;
    resident->group = subject ? &subject->group : parent ? parent->group : &resident->own_group;
    resident->family = subject ? &subject->family : parent ? parent->family : &resident->own_family;
    resident->kin_next = resident->family->first;
    resident->kin_link = &resident->family->first;
    if (resident->kin_next)
        resident->kin_next->kin_link = &resident->kin_next;
    resident->family->first = resident;
}

static void leave_family(struct saga_resident *resident) {
    *resident->kin_link = resident->kin_next;
    if (resident->kin_next)
        resident->kin_next->kin_link = resident->kin_link;
}

struct saga_resident *resident_add(struct saga_engine *engine, struct saga_instance *instance,
                                   struct saga_subject *subject, struct saga_resident *parent, struct str input) {
    struct saga_resident *resident = pool_take(&engine->resident_pool);
    resident->engine = engine;
    resident->saga = *instance;
    resident->input = saga_copy_bytes(input);
    resident->subject = subject;
    resident->slot = id_slot(str_c(resident->saga.gid));
    slot_use(engine, resident->slot);
    resident->last = &resident->first;
    if (subject)
        str_copy(str_c(subject->key), resident->subject_key, sizeof resident->subject_key);
    if (parent) {
        resident->parent = parent;
        resident_pin(parent);
        memcpy(resident->parent_gid, parent->saga.gid, sizeof resident->parent_gid);
    }
    join_family(resident);
    map_insert(&engine->residents, &resident->node, str_c(resident->saga.gid));
    lru_append(resident);
    engine->stats.resident++;
    return resident;
}

static void unready(struct saga_resident *resident) {
    struct saga_engine *engine = resident->engine;
    struct saga_resident **at = &engine->ready;
    while (*at != resident)
        at = &(*at)->ready_next;
    *at = resident->ready_next;
    if (engine->ready_last == &resident->ready_next)
        engine->ready_last = at;
}

void waiters_fail(struct saga_waiter *waiter, const struct error *error) {
    while (waiter) {
        struct saga_waiter *next = waiter->next;
        waiter->done(waiter->ctx, NULL, error);
        free(waiter);
        waiter = next;
    }
}

// Whether what is loaded afresh may meet the same at once: it is for who waits to come again, and for the sentinel to
// load it again in its own time.
static bool lasts(enum err lost_by) {
    return lost_by == ERR_STORE_FULL || lost_by == ERR_STORE_UNAVAILABLE || lost_by == ERR_STORE_FENCED;
}

// Whoever waited for one that is dropped gets it as it is loaded then.
static void wait_afresh(struct saga_engine *engine, struct str gid, enum err lost_by, struct saga_waiter *waiter) {
    struct error error;
    if (engine->stopped || lasts(lost_by)) {
        error_set(&error, engine->stopped ? ERR_SHUTTING_DOWN : lost_by, NULL);
        waiters_fail(waiter, &error);
        return;
    }
    while (waiter) {
        struct saga_waiter *next = waiter->next;
        saga_load(engine, gid, waiter->done, waiter->ctx);
        free(waiter);
        waiter = next;
    }
}

void resident_drop(struct saga_resident *resident) {
    struct saga_engine *engine = resident->engine;
    struct saga_resident *parent = resident->parent;
    struct saga_waiter *waiters = resident->waiters;
    enum err lost_by = resident->lost ? resident->lost_by : ERR_OK;
    char gid[SAGA_GID_MAX + 1];
    memcpy(gid, resident->saga.gid, sizeof gid);
    assert(resident->pins == 0);
    if (resident->lost && !engine->stopped && slot_is_ours(engine, resident->slot))
        sentinel_reload(engine->sentinel, str_c(resident->saga.gid), resident->failures + 1, resident->write_refused);
    if (resident->ready)
        unready(resident);
    trial_forget(resident);
    call_forget_all(resident);
    answers_free(resident);
    heap_remove(&engine->timers, &resident->timer);
    engine_outdate(engine, str_c(resident->saga.gid));
    map_remove(&engine->residents, &resident->node);
    lru_remove(resident);
    leave_family(resident);
    engine->stats.resident--;
    slot_unuse(engine, resident->slot);
    if (resident->subject)
        saga_subject_release(resident->subject);
    saga_instance_release(&resident->saga);
    free((void *)(uintptr_t)resident->input.ptr);
    free((void *)(uintptr_t)resident->unread.ptr);
    free(resident->held);
    free(resident->troubles);
    pool_give(&engine->resident_pool, resident);
    if (parent)
        resident_unpin(parent);
    wait_afresh(engine, str_c(gid), lost_by, waiters);
}

void resident_pin(struct saga_resident *resident) {
    resident->pins++;
}

void resident_unpin(struct saga_resident *resident) {
    assert(resident->pins > 0);
    if (--resident->pins == 0 && resident->gone)
        resident_drop(resident);
}

// ---- What they wait for -------------------------------------------------------------------------------------------

void resident_wake(struct saga_resident *resident, unsigned why) {
    resident->wake |= why;
    if (resident->ready || resident->busy || resident->gone)
        return; // it will be looked at when it is free
    resident->ready = true;
    resident->ready_next = NULL;
    *resident->engine->ready_last = resident;
    resident->engine->ready_last = &resident->ready_next;
    resident_touch(resident);
}

void resident_arm(struct saga_resident *resident) {
    int64_t due = saga_status_ended(resident->saga.status) ? INT64_MAX : saga_instance_timer(&resident->saga);
    if (due < SAGA_DUE_CHILD) {
        heap_set(&resident->engine->timers, &resident->timer, due);
    } else {
        heap_remove(&resident->engine->timers, &resident->timer);
        resident->timer.key = due;
    }
}

struct saga_waiter **waiter_add(struct saga_waiter **last, saga_loaded_fn *done, void *ctx) {
    struct saga_waiter *waiter = malloc(sizeof *waiter);
    if (!waiter)
        abort();
    *waiter = (struct saga_waiter){.done = done, .ctx = ctx};
    *last = waiter;
    return &waiter->next;
}

void resident_await(struct saga_resident *resident, saga_loaded_fn *done, void *ctx) {
    struct saga_waiter **last = &resident->waiters;
    while (*last)
        last = &(*last)->next;
    waiter_add(last, done, ctx);
    (*last)->since_ms = clock_now_ms(resident->engine->options.clock);
    resident_wake(resident, 0);
}

void resident_serve(struct saga_resident *resident) {
    resident_pin(resident);
    while (resident->waiters && (resident_free(resident) || resident_has_ended(resident))) {
        struct saga_waiter *waiter = resident->waiters;
        resident->waiters = waiter->next;
        waiter->done(waiter->ctx, resident, NULL);
        free(waiter);
    }
    resident_unpin(resident);
}

bool resident_idle(const struct saga_resident *resident) {
    return !resident->busy && !resident->gone && !resident->ready && !resident->first && !resident->calls &&
           resident->n_held == 0 /* until the lease is renewed */ && !resident->waiters && resident->pins == 0;
}

bool resident_has_ended(const struct saga_resident *resident) {
    return resident->gone && !resident->lost;
}

bool resident_free(const struct saga_resident *resident) {
    return !resident->busy && !resident->gone && !resident->resuming && !resident->write_refused &&
           !(resident->wake & WAKE_RESUMED);
}
