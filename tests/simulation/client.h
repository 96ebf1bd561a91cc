// Callers: front ends that start sagas, gateways that tell of payments and signals, operators. Each wants one thing,
// and asks for it again under the same request id until it gets a definite answer. What was acknowledged must stay
// true.
#ifndef TXC_TESTS_SIMULATION_CLIENT_H
#define TXC_TESTS_SIMULATION_CLIENT_H

#include "tests/simulation/plan.h"

struct center;

// Sends off what the item wants.
void client_begin(const struct item *item, uint32_t number);

// An operator looks at a saga: puts right what stands in its way, and tries it again.
void client_help(const char *gid, uint32_t number);

// A saga was parked: somebody may try it again, sooner or later.
void client_hears_of_parked(const char *gid);

// Whoever is responsible sends a signal at last.
void client_signal(const char *gid, const char *name, uint32_t number);

// The process is gone: whoever waits for it asks another one later.
void client_forget(struct center *center);

// Whether everybody has a definite answer.
bool clients_are_done(void);

// What was acknowledged is still so.
void clients_check(void);

// Whether the saga was acknowledged as started.
bool client_was_started(uint32_t saga);

void clients_release(void);

#endif
