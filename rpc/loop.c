#include "rpc/loop.h"

#include "base/map.h"
#include "rpc/signals.h"
#include "rpc/tag.h"

#include <assert.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    BATCH_MAX = 8192,   // completions taken at once
    STREAK_MAX = 64,    // completions handled one by one, but for arrivals, before all that is ready is taken at once
    IDLE_NS = 5000000,  // a wait of so long was one; so often the loop looks whether there is nothing to do
    LONG_NS = 20000000, // a callback that takes longer says nothing of how much there is to do
};

struct completion {
    struct rpc_tag *tag;
    bool ok;
};

struct rpc_loop {
    grpc_completion_queue *queue;
    struct heap timers;
    struct rpc_waker *wakers;
    struct rpc_waker *next_waker; // where the running round over the wakers goes on
    struct rpc_rest *rests;       // asked for

    // Waking: a batch without operations on a call that goes nowhere posts its tag at once.
    grpc_channel *nowhere;
    grpc_call *wake_call;
    struct rpc_tag woken;
    atomic_bool wake_pending;

    struct completion *batch; // of BATCH_MAX
    int64_t idle_ns;          // when there was last nothing to do
    struct rpc_signals *signals;
    bool stopping;
    bool inside;        // a callback is running
    int64_t entered_ns; // since when
};

// abseil looks for deadlocks at every lock in builds without NDEBUG, as Debian's is; a fifth of a call's CPU.
extern void
absl_set_deadlock_detection(int mode) __asm__("_ZN4absl7debian329SetMutexDeadlockDetectionModeENS0_15OnDeadlockCycleE")
    __attribute__((weak));

void *rpc_alloc(size_t size) {
    void *ptr = calloc(1, size);
    if (!ptr)
        abort();
    return ptr;
}

static void enter(struct rpc_loop *loop) {
    loop->inside = true;
    loop->entered_ns = clock_monotonic_ns();
}

static void leave(struct rpc_loop *loop) {
    loop->inside = false;
    int64_t took_ns = clock_monotonic_ns() - loop->entered_ns;
    if (took_ns > LONG_NS)
        loop->idle_ns += took_ns - LONG_NS;
}

static void run_wakers(struct rpc_tag *tag, bool ok) {
    (void)ok;
    struct rpc_loop *loop = CONTAINER_OF(tag, struct rpc_loop, woken);
    // Before the wakers look: what is handed over after they have looked wakes the loop again.
    atomic_exchange(&loop->wake_pending, false);
    for (struct rpc_waker *waker = loop->wakers; waker; waker = loop->next_waker) {
        loop->next_waker = waker->next;
        waker->poll(waker->ctx);
    }
}

struct rpc_loop *rpc_loop_new(void) {
    struct rpc_loop *loop = rpc_alloc(sizeof *loop);
    // gRPC's threads inherit this mask, so that no signal is ever delivered to one of them.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (absl_set_deadlock_detection)
        absl_set_deadlock_detection(0);
    grpc_init();
    loop->queue = grpc_completion_queue_create_for_next(NULL);
    loop->nowhere = grpc_lame_client_channel_create("wake", GRPC_STATUS_UNAVAILABLE, "only to wake the loop");
    loop->wake_call =
        grpc_channel_create_call(loop->nowhere, NULL, 0, loop->queue, grpc_slice_from_static_string("/wake"), NULL,
                                 gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    loop->woken.done = run_wakers;
    loop->idle_ns = clock_monotonic_ns();
    loop->batch = rpc_alloc(BATCH_MAX * sizeof *loop->batch);
    return loop;
}

static void handle(struct rpc_loop *loop, struct completion completion) {
    enter(loop);
    completion.tag->done(completion.tag, completion.ok);
    leave(loop);
}

void rpc_loop_free(struct rpc_loop *loop) {
    if (!loop)
        return;
    assert(!loop->inside);
    rpc_signals_free(loop->signals);
    grpc_call_unref(loop->wake_call);
    grpc_channel_destroy(loop->nowhere);
    grpc_completion_queue_shutdown(loop->queue);
    for (;;) { // what was cancelled still comes back
        grpc_event event = grpc_completion_queue_next(loop->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            break;
        handle(loop, (struct completion){event.tag, event.success != 0});
    }
    grpc_completion_queue_destroy(loop->queue);
    free(loop->batch);
    heap_release(&loop->timers);
    free(loop);
    grpc_shutdown_blocking();
}

// ---- Running ------------------------------------------------------------------------------------------------------

// Waits until `deadline` for one completion; false when none came.
static bool next(struct rpc_loop *loop, gpr_timespec deadline, struct completion *ret_completion) {
    grpc_event event = grpc_completion_queue_next(loop->queue, deadline, NULL);
    if (event.type != GRPC_OP_COMPLETE)
        return false;
    *ret_completion = (struct completion){event.tag, event.success != 0};
    return true;
}

// Takes all that is ready, and handles it only then. The queue looks at its sockets only when it is asked and has
// nothing, so that handlers whose calls fail at once could otherwise keep it from the network for ever. The first time
// that it has nothing it may not have looked: a completion posted from this thread leaves a note to return early.
static void handle_all(struct rpc_loop *loop) {
    size_t n = 0;
    for (unsigned empty = 0; empty < 2 && n < BATCH_MAX;) {
        if (next(loop, gpr_time_0(GPR_CLOCK_MONOTONIC), &loop->batch[n]))
            n++;
        else
            empty++;
    }
    for (size_t i = 0; i < n; i++)
        handle(loop, loop->batch[i]);
}

static gpr_timespec next_deadline(const struct rpc_loop *loop, int64_t wait_ms) {
    const struct heap_node *least = heap_least(&loop->timers);
    if (least) {
        int64_t now_ms = clock_now_ms(clock_system());
        int64_t left_ms = least->key > now_ms ? least->key - now_ms : 0;
        if (left_ms < wait_ms)
            wait_ms = left_ms;
    }
    return rpc_deadline_after(wait_ms);
}

static void run_rests(struct rpc_loop *loop) {
    struct rpc_rest *rest = loop->rests;
    loop->rests = NULL;
    while (rest) {
        struct rpc_rest *then = rest->next; // it may ask again
        rest->asked = false;
        enter(loop);
        rest->run(rest->ctx);
        leave(loop);
        rest = then;
    }
}

static void fire_due(struct rpc_loop *loop) {
    const struct heap_node *least = heap_least(&loop->timers);
    if (!least)
        return;
    int64_t now_ms = clock_now_ms(clock_system());
    // No more than there were at the start: a timer that sets itself anew for now must not keep the loop.
    for (size_t left = loop->timers.count; left > 0; left--) {
        struct heap_node *node = heap_least(&loop->timers);
        if (!node || node->key > now_ms)
            return;
        heap_remove(&loop->timers, node);
        struct rpc_timer *timer = CONTAINER_OF(node, struct rpc_timer, node);
        enter(loop);
        timer->fire(timer->ctx);
        leave(loop);
    }
}

// The next completion. With something to be done at rest it looks instead of waiting, twice for the reason above; now
// and then it looks before it waits, to see whether there is ever nothing.
static bool take(struct rpc_loop *loop, int64_t wait_ms, struct completion *ret_completion) {
    int64_t from_ns = clock_monotonic_ns();
    if (loop->rests || from_ns - loop->idle_ns > IDLE_NS) {
        for (int look = 0; look < 2; look++)
            if (next(loop, gpr_time_0(GPR_CLOCK_MONOTONIC), ret_completion))
                return true;
        loop->idle_ns = from_ns;
    }
    if (loop->rests)
        return false;
    bool taken = next(loop, next_deadline(loop, wait_ms), ret_completion);
    int64_t now_ns = clock_monotonic_ns();
    if (now_ns - from_ns > IDLE_NS)
        loop->idle_ns = now_ns;
    return taken;
}

int64_t rpc_loop_busy_ms(const struct rpc_loop *loop) {
    return (clock_monotonic_ns() - loop->idle_ns) / 1000000;
}

void rpc_loop_run(struct rpc_loop *loop) {
    assert(!loop->inside);
    struct completion completion;
    loop->stopping = false;
    for (size_t streak = 0, busy = 0; !loop->stopping;) {
        bool some = take(loop, INT64_MAX, &completion);
        if (some) {
            streak += !completion.tag->arrival;
            handle(loop, completion);
        }
        if (streak >= STREAK_MAX) {
            streak = 0;
            handle_all(loop);
        }
        fire_due(loop);
        busy = some ? busy + 1 : 0;
        if (loop->rests && busy % RPC_REST_AFTER == 0)
            run_rests(loop);
    }
}

void rpc_loop_stop(struct rpc_loop *loop) {
    loop->stopping = true;
}

void rpc_loop_once(struct rpc_loop *loop, int64_t wait_ms) {
    assert(!loop->inside);
    struct completion first;
    if (take(loop, wait_ms, &first)) {
        handle(loop, first);
        handle_all(loop);
    }
    fire_due(loop);
    run_rests(loop);
}

void rpc_loop_at_rest(struct rpc_loop *loop, struct rpc_rest *rest) {
    if (rest->asked)
        return;
    rest->asked = true;
    rest->next = loop->rests;
    loop->rests = rest;
}

grpc_completion_queue *rpc_loop_queue(struct rpc_loop *loop) {
    return loop->queue;
}

// ---- Time ---------------------------------------------------------------------------------------------------------

const struct clock *rpc_loop_clock(const struct rpc_loop *loop) {
    (void)loop;
    return clock_system();
}

gpr_timespec rpc_deadline_after(int64_t ms) {
    if (ms <= 0)
        return gpr_time_0(GPR_CLOCK_MONOTONIC);
    if (ms == INT64_MAX)
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(ms, GPR_TIMESPAN));
}

int64_t rpc_deadline_ms(const struct rpc_loop *loop, gpr_timespec deadline) {
    if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0)
        return INT64_MAX;
    gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
    return clock_now_ms(rpc_loop_clock(loop)) + gpr_time_to_millis(left);
}

void rpc_timer_set(struct rpc_loop *loop, struct rpc_timer *timer, int64_t due_ms) {
    heap_set(&loop->timers, &timer->node, due_ms);
}

void rpc_timer_stop(struct rpc_loop *loop, struct rpc_timer *timer) {
    heap_remove(&loop->timers, &timer->node);
}

// ---- Waking -------------------------------------------------------------------------------------------------------

void rpc_loop_add_waker(struct rpc_loop *loop, struct rpc_waker *waker) {
    waker->next = loop->wakers;
    loop->wakers = waker;
}

void rpc_loop_remove_waker(struct rpc_loop *loop, struct rpc_waker *waker) {
    if (loop->next_waker == waker)
        loop->next_waker = waker->next;
    for (struct rpc_waker **at = &loop->wakers; *at; at = &(*at)->next) {
        if (*at == waker) {
            *at = waker->next;
            return;
        }
    }
}

void rpc_loop_wake(void *ctx) {
    struct rpc_loop *loop = ctx;
    if (atomic_exchange(&loop->wake_pending, true))
        return;
    grpc_call_error refused = grpc_call_start_batch(loop->wake_call, NULL, 0, &loop->woken, NULL);
    assert(refused == GRPC_CALL_OK);
    (void)refused;
}

bool rpc_loop_on_signal(struct rpc_loop *loop, const int *signals, size_t n, void (*caught)(void *ctx, int signal),
                        void *ctx, struct error *error) {
    assert(!loop->signals);
    loop->signals = rpc_signals_new(loop, signals, n, caught, ctx, error);
    return loop->signals != NULL;
}
