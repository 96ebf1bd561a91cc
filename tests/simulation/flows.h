// The flows of one world: some that are always there, the others made by chance from the seed, every shape of step
// among them. What their functions do is in steps.c.
#ifndef TXC_TESTS_SIMULATION_FLOWS_H
#define TXC_TESTS_SIMULATION_FLOWS_H

#include "saga/flow.h"
#include "tests/simulation/draw.h"

enum {
    SIM_STEPS_MAX = 20,
    SIM_FLOWS_MAX = 16,
    SIM_VERSIONS_MAX = 2 * SIM_FLOWS_MAX,
    FLOW_TRANSFER = 0, // two calls that can be undone; what children mostly are
    FLOW_REFUND = 1,   // one call that only goes forward; what a payment that nobody wants any more starts
    FLOW_PURCHASE = 2, // reserve, book, be paid, ship: about a subject
    FLOW_SIEGE = 3,    // calls, a question and the pivot, which one death may find on their way all at once
};

// How a step decides that calls nobody.
enum sim_decide {
    DECIDES_NOT,
    DECIDES_BOOK,  // books the amount with the subject and draws the saga's number, at once
    DECIDES_LATER, // after a while
    DECIDES_PAID,  // when the subject says that it is paid; rejected after a while
    DECIDES_ASK,   // as a participant answers
    DECIDES_PARK,  // not before an operator has looked
};

// What the engine does not know of a step.
struct sim_step {
    uint8_t participant;
    bool spreads; // its legs call the next ones
    enum sim_decide decide;
    bool acts;    // its question takes effect
    bool notes;   // its answer is noted with the subject
    bool numbers; // its requests are made with the number that an earlier step drew
    uint32_t wait_ms;
    uint8_t child; // index of the flow
};

struct sim_flow {
    struct saga_flow flow;
    uint8_t index; // of those of one name
    uint8_t depth; // of children below it
    struct saga_step steps[SIM_STEPS_MAX];
    struct sim_step traits[SIM_STEPS_MAX];
    struct saga_retry policies[SIM_STEPS_MAX];
    char name[24];
    char step_names[SIM_STEPS_MAX][16];
};

struct sim_flows {
    struct sim_flow list[SIM_VERSIONS_MAX];
    uint8_t n;                                                                       // versions of flows
    uint8_t n_names;                                                                 // flows
    const struct saga_flow *all[SIM_VERSIONS_MAX + 1], *older[SIM_VERSIONS_MAX + 1]; // NULL-terminated
};

void sim_flows_make(struct sim_flows *flows, uint64_t seed);

const struct sim_flow *sim_flows_find(const struct sim_flows *flows, const char *name, int32_t version); // NULL: none

// The name of those that have this index.
const char *sim_flow_name(const struct sim_flows *flows, uint8_t index);

static inline const struct sim_flow *sim_flow_of(const struct saga_flow *flow) {
    return (const struct sim_flow *)(const void *)flow; // its first member
}

// Whom a leg of this step calls.
uint8_t sim_whom(const struct sim_flow *flow, const struct saga_step *step, uint8_t leg);

static inline const struct sim_step *sim_traits(const struct sim_flow *flow, const struct saga_step *step) {
    return &flow->traits[step - flow->steps];
}

// The flow of which this is a step.
const struct sim_flow *sim_flow_with(const struct sim_flows *flows, const struct saga_step *step);

#endif
