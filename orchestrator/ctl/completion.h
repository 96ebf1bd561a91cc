// Shell completion, from the table of commands.
#ifndef TXC_CTL_COMPLETION_H
#define TXC_CTL_COMPLETION_H

#include "base/buf.h"

// A bash script that defines and registers the completion of txctl.
void completion_bash(struct buf *out);

#endif
