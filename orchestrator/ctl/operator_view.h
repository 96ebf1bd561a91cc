// What operators do and see, for people.
#ifndef TXC_ORCHESTRATOR_CTL_OPERATOR_VIEW_H
#define TXC_ORCHESTRATOR_CTL_OPERATOR_VIEW_H

#include "orchestrator/ctl/request.h"
#include "orchestrator/ctl/view.h"
#include "txcenter/saga/v1/operator.pb-c.h"

// A spec_fn: "parked,flow=trade.purchase" as a SagaFilter, in the words of the options of `saga list`.
ProtobufCMessage *saga_filter_spec(struct request *request, const char *option, struct str text);

// Each is a show_fn. Of any response whose first field is a saga: its steps.
void operator_show_saga(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void operator_show_batch(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void operator_show_participants(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void operator_show_paused(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void operator_show_resumed(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void operator_show_cleared(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void operator_show_audit(struct view *view, struct arena *arena, const ProtobufCMessage *response);

#endif
