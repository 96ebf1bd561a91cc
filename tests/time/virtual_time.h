// Virtual time: a clock that moves only when everything that is due has been done. Timers and scheduled events of one
// millisecond run in the order in which they were set. Gives the views that the rpc and sim rooms want.
#ifndef TXC_TESTS_TIME_VIRTUAL_TIME_H
#define TXC_TESTS_TIME_VIRTUAL_TIME_H

#include "rpc/inproc.h"
#include "rpc/timers.h"

enum { VIRTUAL_PUMPS_MAX = 4 };

struct virtual_time {
    int64_t now_ms;
    int64_t order; // of what was set so far
    struct heap heap;
    struct clock clock;
    struct rpc_timers timers;
    struct rpc_scheduler scheduler;
    struct {
        bool (*pump)(void *ctx); // works until it has nothing more to do now; true when it did something
        void *ctx;
    } pumps[VIRTUAL_PUMPS_MAX];
    unsigned n_pumps;
};

void virtual_time_init(struct virtual_time *time, int64_t now_ms);

// Forgets what is scheduled.
void virtual_time_release(struct virtual_time *time);

// Stores and the like, which are asked after every event.
void virtual_time_add_pump(struct virtual_time *time, bool (*pump)(void *ctx), void *ctx);

// Does one thing: pumps, or runs what is due next, moving the clock to it. False when there is nothing left to do.
bool virtual_time_step(struct virtual_time *time);

// Everything that is due up to then; afterwards the clock is there.
void virtual_time_run_until(struct virtual_time *time, int64_t until_ms);

#endif
