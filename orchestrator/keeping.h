// How long things are kept, from the configuration's days.
#ifndef TXC_ORCHESTRATOR_KEEPING_H
#define TXC_ORCHESTRATOR_KEEPING_H

#include "flows/trade/trades.h"
#include "orchestrator/config.h"

// What the engine keeps; its list of flows is the configuration's. False without memory.
bool keeping_sagas(struct config *config, struct saga_retention_options *ret_options, struct error *error);

// What trades are kept, into their options.
void keeping_trades(const struct config *config, struct trades_options *options);

#endif
