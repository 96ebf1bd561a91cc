// The commands that are more than one call.
#ifndef TXC_ORCHESTRATOR_CTL_RUN_H
#define TXC_ORCHESTRATOR_CTL_RUN_H

#include "orchestrator/ctl/session.h"

// Of a trade or a saga, by the command's method.
int run_watch(struct session *session);
// Pay and OrderPay: a tender without an amount gets what the trade says is left.
int run_pay(struct session *session);

// ListSagas; of those that are parked with the step that is, and why.
int run_saga_list(struct session *session);

// The definition is a file's; exit code 1 when the saga failed.
int run_saga_submit(struct session *session);

int run_trace(struct session *session);
int run_health(struct session *session);
int run_completion(struct session *session);
int run_version(struct session *session);
int run_help(struct session *session);

#endif
