// The store by the configuration.
#ifndef TXC_ORCHESTRATOR_STORAGE_H
#define TXC_ORCHESTRATOR_STORAGE_H

#include "orchestrator/config.h"
#include "rpc/loop.h"
#include "store/store.h"

// Makes `data_dir` where it is missing. A server that does not answer is waited for, for a bounded time, in which the
// loop runs; whatever else is wrong is final at once, and so is `*stopping`. `options` lacks only what the
// configuration says.
bool storage_open(struct rpc_loop *loop, const struct config *config, const struct store_options *options,
                  const bool *stopping, struct store **ret_store, struct error *error);

#endif
