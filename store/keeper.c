// The keeper: takes over from instances that are dead, one at a time, with a thread of its own.
#include "store/parts.h"

#include <assert.h>
#include <stdio.h>

static void finish(struct store *store, const struct error *error, bool taken) {
    struct taking *taking = &store->taking;
    store->keeper.back_off = (struct back_off){0};
    pthread_mutex_lock(&store->mutex);
    taking->queued = 0;
    taking->done = 1;
    taking->taken = taken;
    taking->code = error ? error->code : ERR_OK;
    snprintf(taking->text, sizeof taking->text, "%s", error ? error->text : "");
    pthread_mutex_unlock(&store->mutex);
    if (store->options.wake)
        store->options.wake(store->options.wake_ctx);
}

enum worked keeper_work(struct store *store) {
    struct keeper *keeper = &store->keeper;
    pthread_mutex_lock(&store->mutex);
    bool asked = store->taking.queued > 0;
    pthread_mutex_unlock(&store->mutex);
    if (!asked)
        return WORKED_NOT;
    // Between asking and finishing what is asked for stays as it is.
    const struct backend_take_over from = {
        .dead = store->taking.dead, .incarnation = store->taking.incarnation, .heir = store->instance};
    struct error error = {0};
    bool taken = false;
    enum backend_result result = store->backend->ops->take_over(store->backend, &from, &taken, &error);
    if (result == BACKEND_FATAL)
        store_die(store, "taking over", &error);
    if (result == BACKEND_OK) {
        finish(store, NULL, taken);
        return WORKED_SOME;
    }
    if (result != BACKEND_AGAIN || (store_is_closing(store) && keeper->last_try)) {
        error_set(&error, ERR_STORE_UNAVAILABLE, NULL);
        finish(store, &error, false);
        return WORKED_SOME;
    }
    keeper->last_try = store_is_closing(store);
    back_off_failed(&keeper->back_off, &store->options);
    return keeper->back_off.wait_ms ? WORKED_LATER : WORKED_SOME;
}

// ---- The owner's side -------------------------------------------------------------------------------------------

void store_take_over(struct store *store, const struct store_instance_row *dead, store_taken_fn *done, void *ctx) {
    struct taking *taking = &store->taking;
    pthread_mutex_lock(&store->mutex);
    assert(!taking->queued && !taking->done && store->backend->ops->take_over);
    *taking = (struct taking){.fn = done, .ctx = ctx, .incarnation = dead->incarnation};
    snprintf(taking->dead, sizeof taking->dead, "%s", dead->name);
    if (store->closed) {
        taking->done = 1;
        taking->code = ERR_SHUTTING_DOWN;
    } else {
        taking->queued = 1;
    }
    if (store->keeper_sleeps)
        pthread_cond_signal(&store->keeper_wakes);
    pthread_mutex_unlock(&store->mutex);
}

bool keeper_deliver(struct store *store) {
    pthread_mutex_lock(&store->mutex);
    struct taking taking = store->taking;
    if (taking.done)
        store->taking = (struct taking){0};
    pthread_mutex_unlock(&store->mutex);
    if (!taking.done)
        return false;
    struct error error = {.code = taking.code};
    memcpy(error.text, taking.text, sizeof error.text);
    taking.fn(taking.ctx, taking.code == ERR_OK ? NULL : &error, taking.taken);
    return true;
}

void store_leave(struct store *store) {
    atomic_store(&store->leaving, true);
}

uint32_t store_lease_ms(const struct store *store) {
    return store->options.lease_ms;
}

bool store_is_fenced(const struct store *store) {
    return atomic_load(&store->fenced);
}

int64_t store_lease_left_ms(const struct store *store) {
    if (store_is_fenced(store))
        return 0;
    if (store->options.lease_ms == 0)
        return INT64_MAX;
    int64_t left = atomic_load(&store->lease_end_ms) - clock_now_ms(store->options.clock);
    return left > 0 ? left : 0;
}
