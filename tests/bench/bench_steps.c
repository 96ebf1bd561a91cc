// The participant of two-step sagas: both steps and their compensations, which succeed and answer sixteen bytes, at
// once or after a delay. Says "ready PORT…" when it serves, "first" when the first call has come, and at SIGTERM how
// many came.
//   bench_steps DELAY_MS ADDRESS…
#include "base/clock.h"
#include "tests/bench/bare.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { ACCEPTS = 32, IDLE_NS = 100000000 };

static struct bare bare;
static struct bare_in *first, **last = &first; // those that are held, in the order of their times
static int64_t delay_ns, calls;
static volatile sig_atomic_t stopped;

static void answer(struct bare_in *in) {
    static const char receipt[] = "\x0a\x0ereceipt-000001"; // field 1, fourteen bytes
    grpc_slice slice;
    memcpy(bare_room(&slice, sizeof receipt - 1), receipt, sizeof receipt - 1);
    bare_answer(in, GRPC_STATUS_OK, STR_NONE, slice);
}

static void handle(struct bare_in *in, struct str request) {
    (void)request;
    if (calls++ == 0) {
        puts("first");
        fflush(stdout);
    }
    if (delay_ns == 0) {
        answer(in);
        return;
    }
    in->due_ns = clock_monotonic_ns() + delay_ns;
    in->next = NULL;
    *last = in;
    last = &in->next;
}

static void answer_due(void) {
    for (int64_t now = clock_monotonic_ns(); first && first->due_ns <= now;) {
        struct bare_in *in = first;
        first = in->next;
        if (!first)
            last = &first;
        answer(in);
    }
}

static void stop(int signal) {
    (void)signal;
    stopped = 1;
}

int main(int argc, char **argv) {
    static struct bare_method methods[] = {
        {.path = "/txcenter.bench.v1.StepService/Reserve", .handle = handle},
        {.path = "/txcenter.bench.v1.StepService/Charge", .handle = handle},
        {.path = "/txcenter.bench.v1.StepService/Release", .handle = handle},
        {.path = "/txcenter.bench.v1.StepService/Refund", .handle = handle},
    };
    if (argc < 3) {
        fprintf(stderr, "usage: bench_steps DELAY_MS ADDRESS…\n");
        return 2;
    }
    delay_ns = strtoll(argv[1], NULL, 10) * 1000000;
    signal(SIGTERM, stop);
    bare_init(&bare, NULL, NULL);
    bare_serve(&bare, argv + 2, methods, sizeof methods / sizeof methods[0], ACCEPTS);
    while (!stopped) {
        // What comes meanwhile is not due before that either.
        int64_t until = clock_monotonic_ns() + (0 < delay_ns && delay_ns < IDLE_NS ? delay_ns : IDLE_NS);
        bare_run(&bare, first && first->due_ns < until ? first->due_ns : until);
        answer_due();
    }
    printf("{\"calls\": %" PRId64 "}\n", calls);
    fflush(stdout);
    _Exit(0);
}
