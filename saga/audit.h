// What operators did, written down in the transaction of what they did.
#ifndef TXC_SAGA_AUDIT_H
#define TXC_SAGA_AUDIT_H

#include "saga/turn.h"

// Fills in who, what and why; adds a violation for a reason or a caller that does not fit. Both are copied.
void audit_init(struct audit_row *row, const char *action, struct str caller, struct str reason, struct error *error);

// Numbers the row, dates it, and adds it to the turn. What else it says has been filled in.
void audit_put(struct saga_turn *turn, unsigned slot, struct audit_row *row);

#endif
