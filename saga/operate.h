// What an operator does to one saga. Each action is a command like any other: durable before it is answered, audited
// (who, why, when, before, after), refused with SAGA_STATE when the saga is no longer in a state that it fits (E8).
#ifndef TXC_SAGA_OPERATE_H
#define TXC_SAGA_OPERATE_H

#include "saga/turn.h"

struct saga_operation {
    enum saga_act act;
    struct str caller, reason;
    // SKIP, RESOLVE: which step. Without a name: the one that is parked, where there is just one.
    struct str step;
    uint32_t leg;
    enum outcome outcome; // RESOLVE: OK or REJECTED
    struct str answer;    // RESOLVE, OK: what the step answered, at most SAGA_ANSWER_MAX bytes
    // Not 0: the saga was looked at before, when its row was of this time (updated_ms). Refused with SAGA_STATE when
    // it has been written since.
    int64_t seen_ms;
    // Runs with the same `ctx` as `done`, before it, when the action is decided on: it may put more rows into its turn
    // (the request that asked for it). NULL: nothing.
    void (*also)(void *ctx, struct saga_turn *turn);
};

// What the fingerprint of a request for the action is over, by whatever way it comes; its method is saga_act_name().
// In `arena`; ptr NULL when that is full.
struct str saga_operation_body(const struct saga_operation *operation, struct str gid, struct arena *arena);

// RETRY: parked steps, and those that wait for their next attempt, are tried now.
// SKIP: a parked step, or a parked compensation, counts as done (not where a step behind it may have been sent, which
//   was then made from its answer). What a skipped action may have done is still undone,
//   should the saga turn round.
// COMPENSATE: the saga turns round, as long as it has not passed its pivot and what became of that is known.
// RESOLVE: states what became of a step that is parked, waits for its next attempt or is on its way (a decision that
//   asks, also while it waits to ask again); or of its compensation, when that is what it is at. Not while a step
//   behind it is being undone.
// PAUSE: no new call, no timer, no decision until RESUME; what answers meanwhile is kept until then.
// TERMINATE: the saga ends as it stands, whatever it is at. What was under way is listed in the audit. The step of its
//   parent has failed; its own children go on, and end on their own. Of one that can't be read what may have happened
//   is taken to have; who can't be told because that can't be read is named in the saga's text, the audit and an event
//   (saga.unheard). FLOW_UNKNOWN: it, or its parent, is a newer release's, and only that can end it.
// A call that is on its way and whose step goes on without it may still answer: that is written down, and decides
// nothing any more.
//
// `done` runs once, before this returns or later: without error when the action is durable. Refused with
// INVALID_REQUEST (form), SAGA_NOT_FOUND, SAGA_STATE. Everything in `operation` is copied.
void saga_operate(struct saga_engine *engine, struct str gid, const struct saga_operation *operation,
                  saga_reply_fn *done, void *ctx);

#endif
