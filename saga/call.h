// One effect on its way: what a step's run, inquire, undo or ask gets to build its request from, and how it answers.
#ifndef TXC_SAGA_CALL_H
#define TXC_SAGA_CALL_H

#include "saga/saga.h"

// The idempotency key: gid / step id [. leg] / generation. The same for action, compensation and inquiry; a step's
// question (`ask`) carries it too.
const char *saga_call_key(const struct saga_call *call);

const char *saga_call_gid(const struct saga_call *call);
const struct saga_step *saga_call_step(const struct saga_call *call);
const struct saga_flow *saga_call_flow(const struct saga_call *call); // valid as what follows
enum saga_op saga_call_op(const struct saga_call *call);
uint8_t saga_call_leg(const struct saga_call *call);
uint32_t saga_call_generation(const struct saga_call *call);
uint32_t saga_call_deadline_ms(const struct saga_call *call);

// Valid while the effect is being started, not in its answer.
struct saga_subject *saga_call_subject(const struct saga_call *call);
struct str saga_call_input(const struct saga_call *call);

// The kept answer of an earlier step; empty when it has none. Of a core step: one that is not core need not have ended,
// and a request that is made from it would not be the same when it is sent again (E11).
struct str saga_call_answer_of(const struct saga_call *call, uint16_t step_id, uint8_t leg);

// The key of another step's effect (its present generation), for calls that refer to it.
void saga_call_key_of(const struct saga_call *call, uint16_t step_id, uint8_t leg, char out[SAGA_KEY_MAX]);

// The key of a step's effect in any saga: for a call that refers to what another saga did.
void saga_key(const char *gid, uint16_t step_id, uint8_t leg, uint32_t generation, char out[SAGA_KEY_MAX]);

// Ends the effect, exactly once, at once or later. `error` says why when the outcome isn't OK (its code; `reason` may
// be the participant's own code). `answer` is copied; it is kept (at most SAGA_ANSWER_MAX bytes) when the outcome is
// OK. RETRY with OVERLOADED says that there was no room for it on this side: it was not sent, is no attempt, and is
// made again a little later.
void saga_call_done(struct saga_call *call, enum outcome outcome, enum err code, const char *reason, const char *text,
                    struct str answer);

static inline void saga_call_ok(struct saga_call *call, struct str answer) {
    saga_call_done(call, OUTCOME_OK, ERR_OK, NULL, NULL, answer);
}

// Ends an inquiry: the participant has never seen the key.
void saga_call_never_seen(struct saga_call *call);

#endif
