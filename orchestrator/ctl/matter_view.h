// What waits for operators: matters and strays, for people.
#ifndef TXC_ORCHESTRATOR_CTL_MATTER_VIEW_H
#define TXC_ORCHESTRATOR_CTL_MATTER_VIEW_H

#include "orchestrator/ctl/view.h"
#include "txcenter/trade/v1/operator.pb-c.h"

// Each is a show_fn for its response.
void matter_show_list(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void matter_show_settled(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void stray_show_list(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void stray_show_settled(struct view *view, struct arena *arena, const ProtobufCMessage *response);

#endif
