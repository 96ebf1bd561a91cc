// A second instance on the bed's store. The bed is one of the two; the participant and the time are the same for both.
#ifndef TXC_TESTS_SAGA_NEIGHBOUR_H
#define TXC_TESTS_SAGA_NEIGHBOUR_H

#include "tests/saga/bed.h"

enum { NEIGHBOUR_LEASE_MS = 500, NEIGHBOUR_LONG_MS = 20 * NEIGHBOUR_LEASE_MS }; // long enough for whoever must notice

struct neighbour {
    struct saga_bed *bed;
    struct store *store;
    struct saga_engine *engine; // NULL: it does not run
    struct rpc_timer alarm;
    bool stopped;       // as by SIGSTOP; neighbour_go_on() ends it
    uint32_t reads_max; // that wait in its store; 0: the store's default
    void *inbox_ctx;    // instead of the bed's; NULL: the bed's
};

// For cmocka: *state is a bed with leases. Neither it nor its neighbour is open yet.
int neighbour_set_up(void **state);
int neighbour_tear_down(void **state);
extern struct neighbour neighbour;

void neighbour_open(void);
void neighbour_end(bool dies); // else it closes its store in order
void neighbour_go_on(void);

// How many slots an engine has.
unsigned neighbour_slots(const struct saga_engine *engine);

#endif
