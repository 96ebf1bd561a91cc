// Whose saga it is. What a caller submitted stands under its name; what the center's own flows do is nobody's.
#ifndef TXC_ORCHESTRATOR_SAGA_OWNER_H
#define TXC_ORCHESTRATOR_SAGA_OWNER_H

#include "orchestrator/authorize.h"
#include "saga/tables.h"

// What the sagas of this caller are about, as it stands in their rows: "caller/NAME", or a digest of a name that is too
// long for it.
void saga_owner(const char *caller, char out[SAGA_SUBJECT_MAX + 1]);

// Whether the call may see every saga: with the scope `operate`, and of every tenant.
bool saga_owner_sees_all(const struct rpc_inbound *in);

// Whether it may see and signal one that is about this.
bool saga_owner_may(const struct rpc_inbound *in, const char *subject);

#endif
