#include "rpc/signals.h"

#include "rpc/tag.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { SIGNAL_MAX = 64 };

struct rpc_signals {
    struct rpc_loop *loop;
    void (*caught)(void *ctx, int signal);
    void *ctx;
    sigset_t set;
    int first;
    pthread_t thread;
    atomic_uint_least64_t pending; // bit n - 1: signal n was caught
    struct rpc_waker waker;
};

static void *wait_for_signals(void *arg) {
    struct rpc_signals *signals = arg;
    for (;;) {
        siginfo_t info;
        int caught = sigwaitinfo(&signals->set, &info);
        if (caught < 0)
            continue;
        if (info.si_code == SI_QUEUE && info.si_ptr == signals)
            return NULL; // from rpc_signals_free()
        atomic_fetch_or(&signals->pending, UINT64_C(1) << (caught - 1));
        rpc_loop_wake(signals->loop);
    }
}

static void deliver(void *ctx) {
    struct rpc_signals *signals = ctx;
    uint64_t pending = atomic_exchange(&signals->pending, 0);
    for (int number = 1; pending; number++, pending >>= 1)
        if (pending & 1)
            signals->caught(signals->ctx, number);
}

struct rpc_signals *rpc_signals_new(struct rpc_loop *loop, const int *numbers, size_t n,
                                    void (*caught)(void *ctx, int signal), void *ctx, struct error *error) {
    assert(n > 0);
    struct rpc_signals *signals = rpc_alloc(sizeof *signals);
    *signals = (struct rpc_signals){.loop = loop, .caught = caught, .ctx = ctx, .first = numbers[0]};
    sigemptyset(&signals->set);
    for (size_t i = 0; i < n; i++) {
        assert(numbers[i] > 0 && numbers[i] <= SIGNAL_MAX);
        sigaddset(&signals->set, numbers[i]);
    }
    pthread_sigmask(SIG_BLOCK, &signals->set, NULL);
    int failure = pthread_create(&signals->thread, NULL, wait_for_signals, signals);
    if (failure) {
        error_set(error, ERR_INTERNAL, "the thread for signals can't be started: %s", strerror(failure));
        free(signals);
        return NULL;
    }
    signals->waker = (struct rpc_waker){.poll = deliver, .ctx = signals};
    rpc_loop_add_waker(loop, &signals->waker);
    return signals;
}

void rpc_signals_free(struct rpc_signals *signals) {
    if (!signals)
        return;
    pthread_sigqueue(signals->thread, signals->first, (union sigval){.sival_ptr = signals}); // only to end its wait
    pthread_join(signals->thread, NULL);
    uint64_t pending = atomic_load(&signals->pending);
    for (int number = 1; pending; number++, pending >>= 1)
        if (pending & 1)
            kill(getpid(), number); // blocked: for whoever waits for signals next
    rpc_loop_remove_waker(signals->loop, &signals->waker);
    free(signals);
}
