// How long things are kept, and may take, from the configuration's days and seconds.
#ifndef TXC_ORCHESTRATOR_KEEPING_H
#define TXC_ORCHESTRATOR_KEEPING_H

#include "flows/trade/trades.h"
#include "orchestrator/config.h"

// What the engine keeps; its list of flows is the configuration's. False without memory.
bool keeping_sagas(struct config *config, struct saga_retention_options *ret_options, struct error *error);

// What the patrol looks for; likewise.
bool keeping_patrol(struct config *config, struct saga_patrol_options *ret_options, struct error *error);

// What trades are kept, into their options.
void keeping_trades(const struct config *config, struct trades_options *options);

#endif
