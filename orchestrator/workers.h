// `txcenterd --workers N`: N processes share the ports that they listen on, each an instance of its own, and their
// parent starts them again when they end by themselves. Only on a store that several instances can share.
#ifndef TXC_ORCHESTRATOR_WORKERS_H
#define TXC_ORCHESTRATOR_WORKERS_H

#include "base/err.h"
#include "orchestrator/config.h"

enum { WORKERS_MAX = 64 };

// Whether this configuration fits `n` workers, as far as it says itself; false with an error.
bool workers_check(const struct config *config, unsigned n, struct error *error);

// Forks the workers of a configuration that fits them, each of which gets `config` as it is for it and ends with what
// `work` gives; runs until they have ended, which they do when this process is told to (SIGTERM, SIGINT). Before gRPC
// is initialised, with one thread. Says "ready" and the ports on standard output when all of them are. Gives the exit
// code; false with an error when nothing was started.
bool workers_run(struct config *config, unsigned n, int (*work)(struct config *config), int *ret_exit,
                 struct error *error);

#endif
