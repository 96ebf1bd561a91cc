// Shell completion, from the table of commands.
#ifndef TXC_ORCHESTRATOR_CTL_COMPLETION_H
#define TXC_ORCHESTRATOR_CTL_COMPLETION_H

#include "base/buf.h"

// A bash script that defines and registers the completion of txctl.
void completion_bash(struct buf *out);

#endif
