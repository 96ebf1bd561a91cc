// The counters of a server, for people.
#ifndef TXC_ORCHESTRATOR_CTL_STATS_VIEW_H
#define TXC_ORCHESTRATOR_CTL_STATS_VIEW_H

#include "orchestrator/ctl/view.h"
#include "rpc/method.h"

void stats_show(struct view *view, struct arena *arena, const ProtobufCMessage *response);

#endif
