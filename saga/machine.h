// The machine: (flow, instance, event) -> (instance', effects). It reads no clock, does no I/O, and allocates nothing
// but the answers that it keeps. The driver (saga/turn.c) runs it, carries out what it asks for, and makes what it
// decided durable before anything of it is sent.
#ifndef TXC_SAGA_MACHINE_H
#define TXC_SAGA_MACHINE_H

#include "saga/flow.h"

// Values are stored; never renumber.
enum saga_status {
    SAGA_RUNNING = 1,      // before the pivot
    SAGA_FORWARD = 2,      // after it
    SAGA_COMPENSATING = 3, // turned round
    SAGA_SUCCEEDED = 4,
    SAGA_FAILED = 5,     // everything undone
    SAGA_TERMINATED = 6, // given up by an operator, as it stood
};

static inline bool saga_status_ended(enum saga_status status) {
    return status >= SAGA_SUCCEEDED;
}

// Values are stored; never renumber. saga/machine_states.c has the table of allowed moves.
enum leg_state {
    LEG_IDLE = 1,
    LEG_RUNNING = 2,   // the action is on its way
    LEG_INQUIRING = 3, // asking what became of it
    LEG_RETRYING = 4,  // again at due_ms
    LEG_WAITING = 5,   // a decision, signal or child is awaited; looked at again at due_ms
    LEG_ASKING = 6,    // a decision's question is on its way
    LEG_DONE = 7,
    LEG_REJECTED = 8,
    LEG_SKIPPED = 9,
    LEG_PARKED = 10, // waits for an operator
    LEG_UNDOING = 11,
    LEG_UNDO_RETRYING = 12,
    LEG_UNDONE = 13,
    LEG_UNDO_PARKED = 14,
    LEG_STATES = 15,
};

// What is known of the child of a leg. Values are stored; never renumber.
enum leg_child {
    CHILD_NONE = 0,
    CHILD_STARTED = 1, // in the store; its end is awaited
    CHILD_SUCCEEDED = 2,
    CHILD_FAILED = 3,
    CHILD_REFUSED = 4, // could not be started
    CHILD_TERMINATED = 5,
};

// An answer that came while the saga was paused. Of one that is not OK, code, reason and text are the leg's.
struct leg_kept {
    bool came, never_seen;
    enum outcome outcome;
    struct str answer; // owned (malloc)
};

struct saga_leg {
    const struct saga_step *step;
    uint8_t leg; // from 0
    enum leg_state state;
    bool may_have_run; // an attempt's outcome was not known, or the process died while it could have been sent
    bool unknown;      // what became of the last attempts is not known: inquired first where that can be
    bool refused;      // PARKED because of a proven rejection: another try needs the next generation of the key
    enum leg_child child;
    uint32_t attempts; // of the present phase (action, ask or compensation), durable
    uint32_t generation;
    int64_t due_ms;  // RETRYING, WAITING, UNDO_RETRYING
    int64_t held_ms; // since when no call of it goes out, because its participant takes none; 0: they do
    int64_t started_ms, ended_ms;
    // The first call under its present key that took effect there, or may have: from then on its participant remembers
    // the key, for saga_machine.keys_ms. 0: there was none, or the record is of before this was noted.
    int64_t sent_ms;
    bool sent_first; // not stored: the call that is out is that one
    enum err code;   // of the last failure
    char reason[SAGA_CODE_MAX];
    char text[SAGA_TEXT_MAX];
    struct str answer; // owned (malloc); of the action, kept for later steps
    struct leg_kept kept;
};

struct saga_signal {
    char name[SAGA_NAME_MAX + 1];
    char id[SAGA_GID_MAX + 1];
    struct str payload; // owned
    bool consumed;
};

struct saga_instance {
    char gid[SAGA_GID_MAX + 1];
    const struct saga_flow *flow;
    enum saga_status status;
    bool paused;           // by an operator: no call, timer or decision until it is resumed
    bool operated;         // an operator has done something to it: calls may have come late (E9)
    struct saga_leg *legs; // owned; in the order of the flow's steps
    uint8_t n_legs;
    struct saga_signal *signals; // owned; most sagas have none
    uint8_t n_signals, cap_signals;
    int64_t limit_ms; // its start and the flow's limit_ms; 0: none
    enum err code;    // why it turned round
    char reason[SAGA_CODE_MAX];
    char text[SAGA_TEXT_MAX];
};

// What happened.
enum saga_event_kind {
    SAGA_EV_STARTED,   // a new saga, about to be committed for the first time
    SAGA_EV_RESUMED,   // loaded: whatever was in flight when it was last committed may or may not have happened
    SAGA_EV_ANSWERED,  // a call ended
    SAGA_EV_DECIDED,   // a decision was evaluated
    SAGA_EV_TIMER,     // due_ms of some leg has passed
    SAGA_EV_POKED,     // the subject changed, a signal was added or a child ended: look again at what waits
    SAGA_EV_SUSPECTED, // loaded, and what was under way is not safe to go on with: it is parked, with `code` (E13, E14)
    SAGA_EV_HELD,      // a call was not sent, because its participant takes none now: again at until_ms

    // An operator says …
    SAGA_EV_RETRY,      // try again now
    SAGA_EV_SKIP,       // a parked step counts as done; a parked compensation, too
    SAGA_EV_COMPENSATE, // turn round
    SAGA_EV_RESOLVE,    // what became of a step: `outcome` OK (with `answer`) or REJECTED
    SAGA_EV_PAUSE,      // send nothing, decide nothing; answers are kept
    SAGA_EV_RESUME,
    SAGA_EV_TERMINATE, // end, whatever is under way
};

struct saga_event {
    enum saga_event_kind kind;
    int64_t now_ms;
    uint64_t random; // for jitter
    uint8_t leg;     // ANSWERED, HELD, DECIDED, SKIP, RESOLVE: index into legs
    enum saga_op op; // ANSWERED, HELD: of which call (a question answers as SAGA_INQUIRE)
    enum outcome outcome;
    bool never_seen; // ANSWERED to an inquiry
    bool
        uncounted; // ANSWERED: the call only tried whether its participant is back; should it not be, again at until_ms
    int64_t since_ms, until_ms; // HELD: since when it waits to be sent; RESUMED, SUSPECTED: when its record was written
    enum err code;              // ANSWERED not OK; HELD; SUSPECTED
    const char *reason, *text;  // of an operator's event: the text is why
    struct str answer;          // borrowed; copied where kept
    struct saga_verdict verdict; // DECIDED
};

// What the driver must do, in order.
enum saga_effect_kind {
    SAGA_FX_COMMIT,   // make this turn durable before any call of it is sent
    SAGA_FX_CALL,     // send `op` of leg
    SAGA_FX_ASK,      // send the leg's question
    SAGA_FX_DECIDE,   // evaluate the leg's decision now and feed the verdict back
    SAGA_FX_CHILD,    // start the leg's child in this turn
    SAGA_FX_REVERSED, // run the flow's on_reversed
    SAGA_FX_PARKED,   // tell the operators
    SAGA_FX_ATTEMPT,  // keep a row of the failed attempt
    SAGA_FX_ENDED,    // run the flow's on_end; status says how
    SAGA_FX_KEPT,     // apply the leg's kept answer, as if it had just come
};

struct saga_effect {
    enum saga_effect_kind kind;
    uint8_t leg;
    enum saga_op op;
};

// One event of one leg gives a handful; a turn of the whole saga at most a few per leg.
enum { SAGA_EFFECTS_MAX = 4 * SAGA_LEGS_MAX + 8 };
struct saga_effects {
    struct saga_effect list[SAGA_EFFECTS_MAX];
    uint16_t n;
};

struct saga_machine {
    struct saga_retry patience[SAGA_PATIENCES];
    // For so long participants remember a key. What was first sent longer ago may be done twice when it is sent again,
    // and what is to be undone may be taken for never done: it parks (KEY_TOO_OLD). 0: they never forget.
    int64_t keys_ms;
};

// Whether a parked decision is looked at, for what it waits for may come by another way (saga_step.came_right).
bool saga_leg_may_come_right(const struct saga_leg *leg);

// Makes the legs of a new instance: asks every step how many it has. False (error set) when there would be too many;
// else a made flow is the instance's, which releases it.
bool saga_instance_init(struct saga_instance *instance, const struct saga_flow *flow, struct str gid,
                        const struct saga_subject *subject, struct str input, struct error *error);
// The legs of one whose journal can't be read: whatever its status does not rule out may have taken effect. Only to be
// ended as it stands. `ask`: its steps may be asked how many legs they have; else each has one.
void saga_instance_assume(struct saga_instance *instance, const struct saga_subject *subject, struct str input,
                          bool ask);
void saga_instance_release(struct saga_instance *instance);

// Whether the machine could have left it like this; every instance that the machine is given must be valid, so what
// was read from the store is asked first. False with STORE_CORRUPT.
bool saga_instance_valid(const struct saga_instance *instance, struct error *error);

// Applies the event; appends to `effects`. Events that no longer fit (an answer for a leg that has moved on) do
// nothing.
void saga_machine_apply(const struct saga_machine *machine, struct saga_instance *instance,
                        const struct saga_event *event, struct saga_effects *effects);

// Why an operator's event does not fit the saga as it stands; NULL: it does. One that doesn't fit has no effect.
const char *saga_operator_refusal(const struct saga_instance *saga, const struct saga_event *event);

// Of which operation the call is that the leg, which is in flight, has out.
enum saga_op saga_leg_op(const struct saga_leg *leg);

// Whether an answer of that operation is for the leg as it stands, or comes late.
bool saga_leg_expects(const struct saga_leg *leg, enum saga_op op);

// What was kept for the leg, which has it no longer; the answer is the caller's to free.
struct leg_kept saga_leg_take_kept(struct saga_leg *leg);

// What may have been sent since the record was written, without the record knowing, counts as sent, and as of then: it
// is undone should the saga turn round, and what it was made from can't be skipped. Done when it is resumed; before
// that whoever writes the record anew does it, or the next one would take all that for younger than it is.
void saga_instance_assume_sent(struct saga_instance *saga, int64_t written_ms);

// Whether it can still turn round: it has not passed its pivot, and that is not known to have been tried. A pivot that
// may have taken effect is never compensated (E12).
bool saga_instance_may_reverse(const struct saga_instance *saga);

// Appends a signal. False with SIGNALS_FULL, or IDEMPOTENCY_KEY_REUSED where its id was there with another payload;
// *ret_duplicate tells that it was there before (and nothing changed).
bool saga_instance_signal(struct saga_instance *instance, struct str name, struct str id, struct str payload,
                          bool *ret_duplicate, struct error *error);

const struct saga_signal *saga_instance_find_signal(const struct saga_instance *instance, struct str name,
                                                    struct str id); // NULL: none

// The first signal of that name that no step has taken yet; NULL: none.
struct saga_signal *saga_instance_unconsumed(const struct saga_instance *instance, const char *name);

// When the saga must be looked at next: 0 while something is in flight (after a crash: at once) or what a step awaits
// is there, the least due_ms of what waits, INT64_MAX when it has ended, SAGA_DUE_PARKED when it only waits for an
// operator, or is paused. A leg that only waits for its child is due at SAGA_DUE_CHILD: the child drives it.
#define SAGA_DUE_PARKED (INT64_MAX - 1)
#define SAGA_DUE_CHILD (INT64_MAX - 2)
int64_t saga_instance_due(const struct saga_instance *instance);

// The least due_ms of what waits or retries, or the time limit, whatever else is in flight; INT64_MAX when there is
// neither.
int64_t saga_instance_timer(const struct saga_instance *instance);

// When its time limit turns it round; INT64_MAX when nothing does: it has none, or its pivot may take or have taken
// effect.
int64_t saga_instance_limit(const struct saga_instance *instance);

// Whether the leg does something again at its due_ms. A saga that has turned round no longer retries its actions.
bool saga_leg_timed(const struct saga_instance *instance, const struct saga_leg *leg);

// Whether a call of the leg is on its way, or waits to be sent.
bool saga_leg_in_flight(const struct saga_leg *leg);

// Whether nothing of the leg is left to undo.
bool saga_leg_cleared(const struct saga_leg *leg);

// What is known of the leg's action: that it took effect; that it did not and will not, as it stands; neither.
enum saga_happened { SAGA_HAPPENED_NOT, SAGA_HAPPENED_PERHAPS, SAGA_HAPPENED };
enum saga_happened saga_leg_happened(const struct saga_leg *leg);

// Whether the leg is behind the saga on its way forward.
static inline bool saga_leg_settled(const struct saga_leg *leg) {
    return leg->state == LEG_DONE || leg->state == LEG_SKIPPED;
}

// Whether a step waits for an operator. One that was terminated while it was parked waits for nobody.
bool saga_instance_parked(const struct saga_instance *instance);

// The leg of a step by its id; NULL when there is none.
struct saga_leg *saga_instance_leg(const struct saga_instance *instance, uint16_t step_id, uint8_t leg);

// A copy of its own (malloc); aborts without memory, as nothing sensible could be decided then.
struct str saga_copy_bytes(struct str bytes);

const char *saga_status_name(enum saga_status status);
const char *leg_state_name(enum leg_state state);

// Whether a saga of the one status, a leg in the one state, may move to the other at all.
bool saga_status_leads_to(enum saga_status from, enum saga_status to);
bool leg_state_leads_to(enum leg_state from, enum leg_state to);

// The policy by which the leg's action (or question), or its compensation, is tried again.
const struct saga_retry *saga_leg_policy(const struct saga_machine *machine, const struct saga_leg *leg, bool undo);

// How long until attempt number `attempt` + 1 (from 1).
int64_t saga_backoff_ms(const struct saga_retry *retry, uint32_t attempt, uint64_t random);

#endif
