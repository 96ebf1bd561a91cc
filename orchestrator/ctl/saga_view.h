// Sagas for people: lists, and the timeline of one.
#ifndef TXC_ORCHESTRATOR_CTL_SAGA_VIEW_H
#define TXC_ORCHESTRATOR_CTL_SAGA_VIEW_H

#include "orchestrator/ctl/view.h"
#include "txcenter/saga/v1/saga.pb-c.h"

// One line for each step with its time since the saga's start and a bar, below it one for each failed attempt.
void saga_show_timeline(struct view *view, struct arena *arena, const Txcenter__Saga__V1__Saga *saga);

// Nothing more happens to it.
bool saga_has_ended(const Txcenter__Saga__V1__Saga *saga);

// Each is a show_fn for its response.
void saga_show_submit(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void saga_show_signal(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void saga_show_watch(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void saga_show_count(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void saga_show_get(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void saga_show_list(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void saga_show_retry(struct view *view, struct arena *arena, const ProtobufCMessage *response);
void saga_show_audit(struct view *view, struct arena *arena, const ProtobufCMessage *response);

#endif
