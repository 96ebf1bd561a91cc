// The channels to the remote systems, by the configuration: one for each target, shared by systems that are reached in
// the same way.
#ifndef TXC_ORCHESTRATOR_PARTICIPANTS_H
#define TXC_ORCHESTRATOR_PARTICIPANTS_H

#include "adapters/adapters.h"
#include "orchestrator/config.h"
#include "saga/saga.h"

struct participants {
    struct adapters adapters;
    struct rpc_channel *channels[CONFIG_SYSTEMS];
    size_t n_channels;
};

// Connecting happens in the background, so nobody needs to be there yet. On failure what was opened is closed again.
bool participants_open(struct rpc_loop *loop, const struct config *config, struct participants *ret_participants,
                       struct error *error);
// Ends the calls that are under way, too.
void participants_close(struct participants *participants);

// What the configuration says of how many calls each gets: the engine's own words.
void participants_gates(const struct config *config, struct saga_gate gates[CONFIG_SYSTEMS]);
struct saga_gate_limits participants_limits(const struct config_gate *gate);

#endif
