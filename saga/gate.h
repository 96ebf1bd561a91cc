// Gates: how many calls each participant gets, and when. Every call of a step passes the gate of whom it calls: not
// more at once than the participant may have, not faster than its rate, none while an operator has paused it, and none
// but single probes while it does not answer. What can't go now waits in line, core before non-core; that is no
// attempt. What waits has a call in memory, so the line is bounded: what does not fit in it is put off, as a row with a
// time. A part of everything that is bounded is kept for core steps: a quarter of the calls at once and of the bucket,
// half of the line. So what is not core may be as slow as it likes.
//
// Whoever begins sagas asks first (saga_place_take()): half of the line is for those that are under way, so that
// these find room in it, and a center that is asked for more than it can do refuses what is new instead of putting off
// what it has accepted. So it does, too, when the line has become slow, however short it is.
#ifndef TXC_SAGA_GATE_H
#define TXC_SAGA_GATE_H

#include "saga/engine.h"

struct gates *gates_new(struct saga_engine *engine);
void gates_free(struct gates *gates);
int64_t gates_due(const struct gates *gates);
void gates_tick(struct gates *gates, int64_t now_ms);

// A new call to this participant. True: it may be sent now (CALL_ADMITTED). False: it waits (CALL_WAITS), or was put
// off (and is freed).
bool gate_enter(struct saga_call *call, const char *participant);
// It was admitted and would be sent now, but its participant was paused meanwhile: it waits again, or is put off.
// False: it goes.
bool gate_recall(struct saga_call *call);
// It waits no longer, or is not sent though it was admitted.
void gate_withdraw(struct saga_call *call);
// A call that was sent has ended like this. *ret_until_ms: when a probe that failed is followed by the next one.
void gate_leave(struct saga_call *call, enum outcome outcome, enum err code, const char *text, int64_t *ret_until_ms);

// All that are paused. Before the first time nothing passes.
void gates_set_pauses(struct gates *gates, const struct participant_row *rows, size_t n);
// This one is (or is no longer).
void gate_set_pause(struct gates *gates, const struct participant_row *row, bool paused);
// Whether it has a gate at present, and is paused.
bool gates_have(const struct gates *gates, const char *participant, bool *ret_paused);
size_t gates_paused(const struct gates *gates);
// How often a core call found no room though fewer of its kind were under way than there is room kept for them: never.
int64_t gates_crowded_out(const struct gates *gates);

#endif
