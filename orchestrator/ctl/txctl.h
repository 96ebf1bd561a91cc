// The program, without the process around it.
#ifndef TXC_ORCHESTRATOR_CTL_TXCTL_H
#define TXC_ORCHESTRATOR_CTL_TXCTL_H

#include "orchestrator/ctl/session.h"

// Does what the command line says. Returns the exit code (session.h).
int txctl_main(int argc, char *const *argv, const struct session_env *env);

#endif
