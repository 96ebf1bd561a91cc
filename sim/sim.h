// Every participant as gRPC handlers with durable state. The same rows are served by txsim over gRPC and by tests
// through rpc/inproc.h under virtual time: time, store and transport come in through the options.
//
// Everything here belongs to one thread, the one that polls the store and runs the timers.
//
// Order of an end: sim_stop(), close the callback channel and close or abandon the store (callbacks still come),
// sim_free().
#ifndef TXC_SIM_SIM_H
#define TXC_SIM_SIM_H

#include "rpc/client.h"
#include "rpc/server.h"
#include "rpc/timers.h"
#include "store/store.h"

struct sim;

struct sim_options {
    struct rpc_timers timers;
    struct store *store;          // open, with the tables of sim_tables()
    struct rpc_channel *callback; // to the center's CallbackService; NULL: nobody is notified
    const char *callback_key_id;  // names the secret that notifications are signed with; borrowed, as the secret
    const char *callback_secret;
    const char *callback_caller;    // the metadata `x-caller` of notifications; NULL: none. Borrowed
    uint64_t fault_seed;            // of the dice that faults with a probability throw
    uint32_t refund_ms;             // from a refund's acceptance to its end (default 50)
    uint32_t notify_retry_first_ms; // back-off of what was not acknowledged (default 200), doubling up to …
    uint32_t notify_retry_max_ms;   // (default 30000)
    // A write failed, so memory is ahead of what is durable: the simulator answers nothing from here on, and its
    // process should end. NULL is fine.
    void (*failed)(void *ctx, const struct error *error);
    void *failed_ctx;
};

// For store_options.tables; NULL-terminated. Stays as it is for the life of the process.
const struct store_table *const *sim_tables(void);

// Starts to load what the store holds. Until sim_ready() every call is answered with RETRY.
struct sim *sim_new(const struct sim_options *options);
bool sim_ready(const struct sim *sim);

// No timer and no notification starts any more; calls that were held back fail with SHUTTING_DOWN, new ones too.
void sim_stop(struct sim *sim);
void sim_free(struct sim *sim);

// The systems by name, "sim" (the control service) last; NULL-terminated.
const char *const *sim_system_names(void);

// The rows of one system and the service pointer that goes with them; NULL when there is no system of this name.
// They live as long as the simulator.
const struct rpc_route *sim_routes(struct sim *sim, const char *system, size_t *ret_n, void **ret_service);

// Puts the small world of sim/README.md into the systems, with users U0001 to U<users>. False when there are users
// already: nothing is changed. `done` runs when it is durable (false: it failed).
bool sim_seed(struct sim *sim, uint32_t users, void (*done)(void *ctx, bool durable), void *ctx);

// Every tender pays itself after this time, scanned ones in their answer. Replaces the rules there are.
void sim_auto_pay(struct sim *sim, int64_t after_ms);

// Counters of a system since the start; false when there is no such system.
struct sim_stats {
    int64_t calls, effects, compensations, rejections, repeats, changed_repeats, empty_compensations, late_actions,
        took_effect_twice, faults_fired;
};
bool sim_stats(const struct sim *sim, const char *system, struct sim_stats *ret_stats);

#endif
