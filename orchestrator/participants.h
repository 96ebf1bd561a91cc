// The channels to the remote systems, by the configuration: one for each target, shared by systems that are reached in
// the same way.
#ifndef TXC_ORCHESTRATOR_PARTICIPANTS_H
#define TXC_ORCHESTRATOR_PARTICIPANTS_H

#include "adapters/adapters.h"
#include "orchestrator/config.h"

struct participants {
    struct adapters adapters;
    struct rpc_channel *channels[CONFIG_SYSTEMS];
    size_t n_channels;
};

// Connecting happens in the background, so nobody needs to be there yet. On failure what was opened is closed again.
// `timers` are the loop's, and outlive them.
bool participants_open(struct rpc_loop *loop, const struct config *config, const struct rpc_timers *timers,
                       struct participants *ret_participants, struct error *error);
// Ends the calls that are under way, too.
void participants_close(struct participants *participants);

#endif
