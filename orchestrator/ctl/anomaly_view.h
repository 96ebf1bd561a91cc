// What the patrol found, for people.
#ifndef TXC_ORCHESTRATOR_CTL_ANOMALY_VIEW_H
#define TXC_ORCHESTRATOR_CTL_ANOMALY_VIEW_H

#include "orchestrator/ctl/view.h"
#include "txcenter/saga/v1/operator.pb-c.h"

// A show_fn for ListAnomaliesResponse.
void anomaly_show_list(struct view *view, struct arena *arena, const ProtobufCMessage *response);

#endif
