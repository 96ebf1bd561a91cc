#include "flows/trade/wait.h"

#include "saga/request.h"

#include <stdlib.h>

enum { SCRATCH_MAX = 4 * 1024 * 1024 };

void trade_wait(struct trade *trade, struct trade_waiter *waiter) {
    saga_subject_hold(&trade->subject);
    waiter->trade = trade;
    waiter->ready = waiter->told = false;
    waiter->attached = trade->flushes + 1;
    waiter->next = NULL;
    struct trade_waiter **at = &trade->waiters;
    while (*at)
        at = &(*at)->next;
    *at = waiter;
    *(waiter->streams ? &trade->n_streams : &trade->n_waiters) += 1;
}

static void drop_answer(struct trade_waiter *waiter) {
    free((void *)(uintptr_t)waiter->answer.ptr);
    waiter->answer = STR_NONE;
}

void trade_unwait(struct trade_waiter *waiter) {
    struct trade *trade = waiter->trade;
    if (!trade)
        return;
    struct trade_waiter **at = &trade->waiters;
    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
    *(waiter->streams ? &trade->n_streams : &trade->n_waiters) -= 1;
    waiter->trade = NULL;
    drop_answer(waiter);
    saga_subject_release(&trade->subject);
}

static void keep(struct trade_waiter *waiter, struct str answer) {
    char *copy = malloc(answer.len + 1);
    if (!copy)
        abort();
    if (answer.len)
        memcpy(copy, answer.ptr, answer.len);
    drop_answer(waiter);
    waiter->answer = str_n(copy, answer.len);
}

// Another one before it has put the same request's answer into this write.
static bool is_stored(const struct trade *trade, const struct trade_waiter *waiter) {
    for (const struct trade_waiter *other = trade->waiters; other != waiter; other = other->next)
        if (other->request && other->ready && other->flush == trade->flushes &&
            strcmp(other->request->request_id, waiter->request->request_id) == 0 &&
            strcmp(other->request->caller, waiter->request->caller) == 0)
            return true;
    return false;
}

void trade_waiters_look(struct trade *trade, struct store_write *write) {
    struct arena arena;
    arena_init(&arena, SCRATCH_MAX);
    for (struct trade_waiter *waiter = trade->waiters; waiter; waiter = waiter->next) {
        struct str answer = STR_NONE;
        struct error error = {0};
        if ((waiter->ready && !waiter->streams) || !waiter->outcome(waiter, &arena, &answer, &error))
            continue;
        keep(waiter, answer); // a stream whose last change isn't durable yet gets the newer one alone
        waiter->error = error;
        waiter->ready = true;
        waiter->flush = trade->flushes;
        // One too large to keep is given all the same, and made again for a repeat.
        if (waiter->request && answer.len <= REQUEST_ANSWER_MAX && !is_stored(trade, waiter))
            request_answer(write, waiter->request, answer, error_is(&error) ? &error : NULL);
        arena_reset(&arena);
    }
    arena_release(&arena);
}

// The first that is ready and durable, or any when `all`.
static struct trade_waiter *next_ready(struct trade *trade, bool all) {
    struct trade_waiter *waiter = trade->waiters;
    while (waiter && !all && !(waiter->ready && waiter->flush <= trade->commits))
        waiter = waiter->next;
    return waiter;
}

void trade_waiters_release(struct trade *trade) {
    saga_subject_hold(&trade->subject);
    for (struct trade_waiter *waiter; (waiter = next_ready(trade, false));) {
        struct str answer = waiter->answer;
        struct error error = waiter->error;
        waiter->answer = STR_NONE;
        waiter->ready = false;
        if (!waiter->streams)
            trade_unwait(waiter);
        waiter->done(waiter, answer, error_is(&error) ? &error : NULL);
        free((void *)(uintptr_t)answer.ptr);
    }
    for (struct trade_waiter *waiter = trade->waiters; waiter; waiter = waiter->next)
        if (waiter->accepted && !waiter->told && !waiter->ready && waiter->attached <= trade->commits) {
            waiter->told = true;
            waiter->accepted(waiter); // must not detach
        }
    saga_subject_release(&trade->subject);
}

void trade_waiters_fail(struct trade *trade, const struct error *error) {
    saga_subject_hold(&trade->subject);
    for (struct trade_waiter *waiter; (waiter = next_ready(trade, true));) {
        trade_unwait(waiter);
        waiter->failed(waiter, error);
    }
    saga_subject_release(&trade->subject);
}
