// The commands that are more than one call.
#ifndef TXC_ORCHESTRATOR_CTL_RUN_H
#define TXC_ORCHESTRATOR_CTL_RUN_H

#include "orchestrator/ctl/session.h"

int run_watch(struct session *session);
int run_trace(struct session *session);
int run_health(struct session *session);
int run_completion(struct session *session);
int run_version(struct session *session);
int run_help(struct session *session);

#endif
