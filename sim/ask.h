// The commands of txsim that tell another one, which serves, what to do: faults, and payers who pay.
#ifndef TXC_SIM_ASK_H
#define TXC_SIM_ASK_H

#include "sim/settings.h"

// Calls, waits, and says on standard output what came of it. False when it was refused or nobody answered.
bool sim_ask(const struct sim_settings *settings, struct error *error);

// The kinds of faults, for --help.
void sim_ask_help(void);

#endif
