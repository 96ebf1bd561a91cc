// The loop: one thread, one gRPC completion queue that both serves and calls, timers, and a wake-up from other threads.
// Everything in rpc/ belongs to one loop and is called on its thread, unless it says otherwise.
#ifndef TXC_RPC_LOOP_H
#define TXC_RPC_LOOP_H

#include "base/clock.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/log.h"

struct rpc_loop;

// gRPC's own lines (a TLS handshake that failed, an address that can't be bound, …) go to standard error unless they
// are taken here. For the whole process; call it before rpc_loop_new(). `line` runs on any thread, one at a time, and
// at most RPC_CORE_LINES_MAX times a second: peers can provoke these lines. How many were left out is said with the
// next one.
enum { RPC_CORE_LINES_MAX = 20 };
void rpc_set_core_log(void (*line)(enum log_level level, const char *text));

// Initialises gRPC (once per process; see rpc.md's facts in docs/ARCHITECTURE). Fork before, never after.
struct rpc_loop *rpc_loop_new(void);

// Everything that used the loop must be closed before. Shuts gRPC down.
void rpc_loop_free(struct rpc_loop *loop);

// Runs until rpc_loop_stop() was called (from the loop's thread). Neither this nor rpc_loop_once() may be called from a
// callback of the loop (asserted).
void rpc_loop_run(struct rpc_loop *loop);
void rpc_loop_stop(struct rpc_loop *loop);

// One round: waits at most `wait_ms` for something to happen, handles all that is ready. For tests and txctl.
void rpc_loop_once(struct rpc_loop *loop, int64_t wait_ms);

const struct clock *rpc_loop_clock(const struct rpc_loop *loop);

// A timer lives in what owns it. It runs once, on the loop, not before its time on rpc_loop_clock(), and always later:
// never inside rpc_timer_set(). Setting it again moves it. Timers run in the order of their times.
struct rpc_timer {
    struct heap_node node;
    void (*fire)(void *ctx);
    void *ctx;
};
void rpc_timer_set(struct rpc_loop *loop, struct rpc_timer *timer, int64_t due_ms);
void rpc_timer_stop(struct rpc_loop *loop, struct rpc_timer *timer);

// Called on the loop after each wake-up; for stores and other threads' results.
struct rpc_waker {
    struct rpc_waker *next;
    void (*poll)(void *ctx);
    void *ctx;
};
void rpc_loop_add_waker(struct rpc_loop *loop, struct rpc_waker *waker);
void rpc_loop_remove_waker(struct rpc_loop *loop, struct rpc_waker *waker);

// Thread-safe and async-signal-unsafe: makes the loop run its wakers soon. Many calls before the loop gets to it cost
// one wake-up.
void rpc_loop_wake(void *loop);

// Runs once, on the loop, when nothing else is ready, before the loop waits; after RPC_REST_AFTER completions at the
// latest. For what is better done once for many. Asking again before it runs changes nothing.
enum { RPC_REST_AFTER = 128 };
struct rpc_rest {
    struct rpc_rest *next;
    bool asked;
    void (*run)(void *ctx);
    void *ctx;
};
void rpc_loop_at_rest(struct rpc_loop *loop, struct rpc_rest *rest);

// For how long there has always been something to do; a few milliseconds mean nothing. Of what took long by itself, as
// when the process was stopped meanwhile, only a little counts.
int64_t rpc_loop_busy_ms(const struct rpc_loop *loop);

// Signals (SIGTERM, SIGINT, …) delivered as calls on the loop, not in a handler; several of one kind may come as one.
// Once per loop. Call before starting threads of your own: it blocks the signals in this thread and in those that it
// starts, and waits for them on one thread. (gRPC's threads have every signal blocked.)
bool rpc_loop_on_signal(struct rpc_loop *loop, const int *signals, size_t n, void (*caught)(void *ctx, int signal),
                        void *ctx, struct error *error);

#endif
