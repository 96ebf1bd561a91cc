// A turn: what is decided together and becomes durable together. A saga's event runs in a turn of its own; a command
// (an order, a callback, an operator's action) opens one, changes its subject, starts, pokes or signals sagas in it,
// and commits. Sagas of the same subject that are poked in a turn take part in it, so that what they conclude from the
// change is in the same transaction. Calls that a turn decides on are sent when it is durable.
#ifndef TXC_SAGA_TURN_H
#define TXC_SAGA_TURN_H

#include "saga/saga.h"

// ---- For commands -------------------------------------------------------------------------------------------------

// Opens a turn outside any saga. `subject` may be NULL. Must end in saga_turn_commit() or, with nothing changed,
// saga_turn_abandon(), before control goes back to the loop.
struct saga_turn *saga_turn_begin(struct saga_engine *engine, struct saga_subject *subject);
void saga_turn_abandon(struct saga_turn *turn);

// Called once, later: `error` NULL when the turn is durable.
typedef void saga_turn_fn(void *ctx, const struct error *error);

void saga_turn_commit(struct saga_turn *turn, saga_turn_fn *done, void *ctx);

// ---- For commands and decisions -----------------------------------------------------------------------------------

int64_t saga_turn_now(const struct saga_turn *turn);
struct saga_subject *saga_turn_subject(const struct saga_turn *turn);

// One more row in the turn's transaction.
void saga_turn_row(struct saga_turn *turn, const struct store_table *table, enum store_verb verb, const void *row);

// Starts a saga in this turn: its row is in the transaction, its first calls go out after. The gid must be new. False,
// and nothing is started, when the flow is unknown, the input does not fit, or the saga could not fail together with
// the rest of the turn: without a subject, a command starts one saga and a saga none but its children.
struct saga_start {
    const char *flow;
    struct str gid, input;
    const struct saga_flow *made; // instead of `flow`: made from the input, and the saga's once it is started
    struct str about;             // in a turn without a subject: what stands in its place in rows, for lists
};
bool saga_turn_start(struct saga_turn *turn, const struct saga_start *start, struct error *error);

// Whether there is a place for one of this gid; it fails as saga_turn_start() does. For whoever starts several, or
// can't take back what comes before: they all start, or nothing is done.
bool saga_turn_can_start(const struct saga_turn *turn, struct str gid, struct error *error);

// The saga's waiting steps look again, and its parked ones whether they have come right: in this turn when it is in
// memory and free, else after it (as saga_poke() does).
void saga_turn_poke(struct saga_turn *turn, struct str gid);

// An event for the outbox: a type of at most 40 bytes of UTF-8, at most SAGA_EVENT_MAX bytes (both asserted).
enum { SAGA_EVENT_MAX = 4096 };
void saga_turn_event(struct saga_turn *turn, const char *type, struct str payload);

// Called with the others when the turn is durable (or not).
void saga_turn_after(struct saga_turn *turn, saga_turn_fn *done, void *ctx);

// ---- For decisions only -------------------------------------------------------------------------------------------

const struct saga_instance *saga_turn_saga(const struct saga_turn *turn);
struct str saga_turn_input(const struct saga_turn *turn);
uint8_t saga_turn_leg(const struct saga_turn *turn);
uint32_t saga_turn_generation(const struct saga_turn *turn);

// What is known of a step's action; for a flow that must make sense of a saga that was terminated.
enum saga_happened saga_turn_happened(const struct saga_turn *turn, uint16_t step_id, uint8_t leg);

// The kept answer of a step.
struct str saga_turn_answer_of(const struct saga_turn *turn, uint16_t step_id, uint8_t leg);

// The step that decides; in on_reversed, the one that failed.
const struct saga_step *saga_turn_step(const struct saga_turn *turn);

// What the step's last question (`ask`) brought; NULL when this decision doesn't follow one. In `answered`: how the
// answer came, with the participant's reason and text.
struct saga_asked {
    enum outcome outcome;
    enum err code;
    bool never_seen;
    const char *reason, *text;
    struct str answer;
};
const struct saga_asked *saga_turn_asked(const struct saga_turn *turn);

// How many questions in a row have failed.
uint32_t saga_turn_attempts(const struct saga_turn *turn);

// Whether that is as often as the step's policy allows.
bool saga_turn_exhausted(const struct saga_turn *turn);

// Whether it has just become so: true once, until an answer comes.
bool saga_turn_just_exhausted(const struct saga_turn *turn);

// When to ask again after `attempts` failed questions in a row, by the step's policy; attempts are the leg's own.
int64_t saga_turn_again_ms(const struct saga_turn *turn);

static inline struct saga_verdict saga_done(void) {
    return (struct saga_verdict){.answer = SAGA_DONE};
}
static inline struct saga_verdict saga_ask(void) {
    return (struct saga_verdict){.answer = SAGA_ASK};
}
// The question only looks: it may be asked however old the leg's key is.
static inline struct saga_verdict saga_ask_to_know(void) {
    return (struct saga_verdict){.answer = SAGA_ASK, .reads = true};
}
static inline struct saga_verdict saga_wait(int64_t until_ms) {
    return (struct saga_verdict){.answer = SAGA_WAIT, .until_ms = until_ms};
}
static inline struct saga_verdict saga_park(enum err code, const char *text) {
    return (struct saga_verdict){.answer = SAGA_PARK, .code = code, .text = text};
}
static inline struct saga_verdict saga_reject(enum err code, const char *text) {
    return (struct saga_verdict){.answer = SAGA_REJECT, .code = code, .text = text};
}

#endif
