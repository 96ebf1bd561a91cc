// Letting in what changes something, while the store keeps up.
#ifndef TXC_ORCHESTRATOR_ADMISSION_H
#define TXC_ORCHESTRATOR_ADMISSION_H

#include "rpc/server.h"
#include "store/store.h"

// May a call of this tier come in? When little is left of the store's queue, what is less urgent is refused first.
// False with STORE_UNAVAILABLE or OVERLOADED and when to try again.
bool admission_check(const struct store *store, enum rpc_tier tier, struct error *error);

// The same, with `room` of `queue_max` writes left.
bool admission_admits(enum rpc_tier tier, uint32_t room, uint32_t queue_max, bool store_down, struct error *error);

#endif
