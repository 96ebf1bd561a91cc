// Flows for people: the list, and the picture of one.
#ifndef TXC_ORCHESTRATOR_CTL_FLOW_VIEW_H
#define TXC_ORCHESTRATOR_CTL_FLOW_VIEW_H

#include "orchestrator/ctl/view.h"
#include "txcenter/saga/v1/saga.pb-c.h"

// From top to bottom, a row of boxes for each stage; more boxes than fit the terminal go on below.
void flow_show_picture(struct view *view, struct arena *arena, const Txcenter__Saga__V1__Flow *flow);

// Each is a show_fn for its response.
void flow_show_list(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void flow_show_graph(struct view *view, struct arena *arena, const ProtobufCMessage *response);

#endif
