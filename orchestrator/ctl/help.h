// Help, from the table of commands.
#ifndef TXC_ORCHESTRATOR_CTL_HELP_H
#define TXC_ORCHESTRATOR_CTL_HELP_H

#include "orchestrator/ctl/command.h"
#include "orchestrator/ctl/view.h"

// All commands (`first` NULL), those of a group (`second` NULL), or one. False when there is no such command; nothing
// is printed then.
bool help_show(struct view *view, const char *first, const char *second);

// One command with its options.
void help_command(struct view *view, const struct command *command);

#endif
