// Suspects. Whoever was under way at several deaths of the process may be their cause, or only slow while others were.
// So it is resumed alone for a while, one after the other; only those that die of their own trials, several times, are
// parked (E14).
#include "saga/engine.h"

enum {
    TRIAL_MS = 1000,
    WAITED_MAX_MS = 5000, // by whoever wants a suspect: the trials of those before it may take hours
};

static int64_t later_ms(const struct saga_engine *engine) {
    return clock_now_ms(engine->options.clock) + TRIAL_MS;
}

void trial_wait(struct saga_resident *resident) {
    struct saga_engine *engine = resident->engine;
    heap_set(&engine->suspects, &resident->suspect, resident->resume_count);
    if (engine->trial_ms == INT64_MAX)
        engine->trial_ms = later_ms(engine); // when the innocent have had their time
}

static void next_trial(struct saga_engine *engine) {
    struct heap_node *least = heap_least(&engine->suspects);
    engine->trial = NULL;
    engine->trial_ms = INT64_MAX;
    if (!least)
        return;
    heap_remove(&engine->suspects, least);
    engine->trial = CONTAINER_OF(least, struct saga_resident, suspect);
    engine->trial_ms = later_ms(engine);
    resident_wake(engine->trial, 0);
}

void trial_note(struct saga_resident *resident) {
    if (resident->engine->trial == resident && resident->resume_count == 0)
        next_trial(resident->engine);
}

void trial_forget(struct saga_resident *resident) {
    heap_remove(&resident->engine->suspects, &resident->suspect);
    if (resident->engine->trial == resident)
        next_trial(resident->engine);
}

// Those who have waited for suspects for long enough, out of their lists.
static struct saga_waiter *take_patient(const struct saga_engine *engine, int64_t now_ms) {
    struct saga_waiter *taken = NULL;
    for (size_t i = 1; i <= engine->suspects.count; i++) {
        struct saga_waiter **at = &CONTAINER_OF(engine->suspects.nodes[i], struct saga_resident, suspect)->waiters;
        while (*at) {
            struct saga_waiter *waiter = *at;
            if (now_ms - waiter->since_ms < WAITED_MAX_MS) {
                at = &waiter->next;
                continue;
            }
            *at = waiter->next;
            waiter->next = taken;
            taken = waiter;
        }
    }
    return taken;
}

static void fail_patient(struct saga_engine *engine, int64_t now_ms) {
    struct saga_waiter *patient = take_patient(engine, now_ms);
    struct error error;
    if (!patient)
        return;
    error_set(&error, ERR_OVERLOADED, "the saga waits to be tried alone, behind %zu others", engine->suspects.count);
    error.retry_after_ms = WAITED_MAX_MS;
    waiters_fail(patient, &error);
}

void trial_tick(struct saga_engine *engine, int64_t now_ms) {
    if (engine->trial_ms > now_ms)
        return;
    fail_patient(engine, now_ms);
    struct saga_resident *resident = engine->trial;
    if (resident && resident->gone)
        resident = NULL; // it was terminated, and stays as long as its children, which may wait for their own trials
    if (resident && !resident_free(resident)) {
        engine->trial_ms = later_ms(engine); // the store is slow: it has not even begun
        return;
    }
    if (resident && resident->resume_count > 0) {
        // It has survived. That becomes durable before the next one is tried, or it would be tried for it again.
        resident->resume_count = 0;
        resident_wake(resident, WAKE_FLUSH);
        engine->trial_ms = later_ms(engine);
        return;
    }
    next_trial(engine);
}
