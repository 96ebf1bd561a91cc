// What must hold at every moment, looked at when a message leaves an instance, when something becomes durable, when a
// caller is answered, and after every event. A rule that does not hold ends the run.
#ifndef TXC_TESTS_SIMULATION_WATCH_H
#define TXC_TESTS_SIMULATION_WATCH_H

#include "saga/call.h"
#include "store/backend.h"
#include "tests/simulation/ledger.h"

struct center;

bool watch_is_durable(const char *gid); // a saga

// Whether its saga is still in the memory that sent it: else the answer is nobody's.
bool watch_is_awaited(const struct saga_call *call);

// Whether the process may act for the call's saga, as is durable.
bool watch_is_owner(const struct center *center, const struct saga_call *call);

// A request is about to leave.
void watch_send(const struct center *center, const struct saga_call *call, struct effect *effect, const char *body);

// A saga's own call kills the process that sends it.
void watch_death_of(const struct center *center, struct book *book);

// A batch is about to be committed; what is wrong with it counts when it is.
void watch_commit(const struct center *center, const struct backend_fence *fence, const struct store_op *ops, size_t n);
void watch_committed(void);
void watch_rolled_back(const char *why);
void watch_claimed(const struct center *center, int64_t incarnation);
void watch_taken_over(const struct center *heir, unsigned dead, int64_t incarnation);

void watch_notice(const struct center *center, const struct saga_notice *notice);

// After every event.
void watch_step(void);

// When all has been well for a while: each instance has its share of the slots.
void watch_balance(void);

#endif
