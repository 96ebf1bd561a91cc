// The part of txcenterd's command line that is about its configuration.
#ifndef TXC_ORCHESTRATOR_CONFIG_MAIN_H
#define TXC_ORCHESTRATOR_CONFIG_MAIN_H

#include "orchestrator/config.h"

#include <stdio.h>

// Exit codes of --check-config and of a start that is refused. Stable.
enum { CONFIG_EXIT_OK = 0, CONFIG_EXIT_INVALID = 1, CONFIG_EXIT_USAGE = 2 };

// Reads the command line and the configuration that it names. True: go on, *ret_config is filled and to be released;
// *ret_workers as in workers_run(), 0: this process serves.
// False: everything was said on `out` or `err`; end the process with *ret_exit. `version` is shown by --version.
bool config_main(int argc, char *const *argv, const char *version, FILE *out, FILE *err, struct config *ret_config,
                 unsigned *ret_workers, int *ret_exit);

#endif
