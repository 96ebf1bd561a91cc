// What only the bed under virtual time has: every message and every commit can be hit.
#ifndef TXC_TESTS_FLOW_VIRTUAL_H
#define TXC_TESTS_FLOW_VIRTUAL_H

#include "tests/base/seeded.h"
#include "tests/flow/bed.h"
#include "tests/flow/center.h"
#include "tests/participants/inproc_sim.h"

// Decides what happens to a call of the center to a participant, or of the gateway to the center, before it is sent.
// Calls of sagas that callers define are all of the method FLOW_LEDGER. `nth` counts the calls of this method, from 1.
// Every message takes a millisecond unless it says otherwise.
typedef void flow_fate_fn(void *ctx, const char *method, unsigned nth, struct rpc_inproc_fate *fate);

enum { FLOW_METHODS_MAX = 64 };

struct virtual_bed {
    struct flow_bed bed;
    struct virtual_time time;
    struct flow_center center;
    struct inproc_sim sims;
    flow_fate_fn *fate;
    void *fate_ctx;
    struct {
        const char *method;
        unsigned n;
    } sent[FLOW_METHODS_MAX];
};

// The bed of a test that only runs there.
struct virtual_bed *flow_virtual(struct flow_bed *bed);

void flow_set_fate(struct flow_bed *bed, flow_fate_fn *fate, void *ctx);

// Writes into its store, behind the center's back.
void flow_write_rows(struct flow_bed *bed, const struct store_table *table, enum store_verb verb, const void *rows,
                     size_t n);

// A saga that has the gid of one that a trade is about to start, so that the engine refuses that.
void flow_get_in_the_way(struct flow_bed *bed, const char *gid);

// One call of a network that takes up to 30 ms each way, and by chance, five times in so many, loses a message, refuses
// it, or has it late by up to so much.
struct flow_network {
    uint32_t times;
    int64_t request_ms, response_ms;
};
void flow_network_fate(const struct flow_network *network, struct seeded *seeded, struct rpc_inproc_fate *ret);

#endif
