// All simulators in this process, on a net and under virtual time, with the small world in them. They can die and come
// back on the same data while whoever calls them lives on.
#ifndef TXC_TESTS_PARTICIPANTS_INPROC_SIM_H
#define TXC_TESTS_PARTICIPANTS_INPROC_SIM_H

#include "sim/sim.h"
#include "tests/participants/crash_point.h"
#include "tests/participants/switchboard.h"
#include "tests/time/virtual_time.h"

struct inproc_sim {
    struct virtual_time *time;
    struct switchboard board; // their own net
    struct rpc_inproc *center;
    rpc_fate_fn *fate; // of their calls to the center
    void *fate_ctx;
    struct sim_options options; // a test may change it before a start
    struct store_backend *disk;
    struct crash_point point;
    int64_t down_ms; // they come back by themselves so long after they died at their crash point
    struct rpc_timer back;
    struct store *store; // NULL: dead
    struct sim *sim;
};

// `center` is the net with the center's callbacks. The options of the simulators (but for timers, store and callback),
// the fate and down_ms are set before.
void inproc_sim_open(struct inproc_sim *sims, struct virtual_time *time, struct rpc_inproc *center, uint32_t users);
void inproc_sim_close(struct inproc_sim *sims);

// kill -9: calls under way end with UNKNOWN.
void inproc_sim_kill(struct inproc_sim *sims);
void inproc_sim_start(struct inproc_sim *sims);

#endif
