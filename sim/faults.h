// The rules of what goes wrong, and the dice for those that have a probability.
#ifndef TXC_SIM_FAULTS_H
#define TXC_SIM_FAULTS_H

#include "participant/sim/v1/sim.pb-c.h"
#include "sim/core.h"

enum { SIM_FAULTS_MAX = 256 };

struct sim_fault {
    int64_t id;
    char system[17], method[33];
    sim_name user;
    sim_key key_prefix;
    Participant__Sim__V1__FaultKind kind;
    int32_t left; // how often it may still fire; < 0: no end
    int32_t permille;
    int64_t delay_ms;
    sim_code code;
    int64_t fired;
};

struct sim_faults *sim_faults_new(uint64_t seed);
void sim_faults_free(struct sim_faults *faults);

// The fault's id; 0 when there are SIM_FAULTS_MAX already.
int64_t sim_faults_add(struct sim_faults *faults, const struct sim_fault *fault);
// Those of one system, or all for "".
void sim_faults_clear(struct sim_faults *faults, const char *system);
// In the order in which they were added.
const struct sim_fault *sim_faults_list(const struct sim_faults *faults, size_t *ret_n);

// Lets every rule that fits throw its dice, and adds up what a call has to expect.
struct sim_fault_subject {
    struct sim_system *system;
    const char *method, *user, *key;
};
void sim_faults_plan(const struct sim_fault_subject *subject, struct sim_plan *plan);

// The same for a notification: the first of the callback kinds that fires, or NULL. Borrowed until the rules change.
const struct sim_fault *sim_faults_twist(const struct sim_fault_subject *subject);

#endif
