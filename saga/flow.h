// A flow is a table: its steps, read from top to bottom, are the whole transaction. The engine knows flows only through
// what stands here; it never names one.
#ifndef TXC_SAGA_FLOW_H
#define TXC_SAGA_FLOW_H

#include "base/arena.h"
#include "base/err.h"
#include "store/store.h"

struct saga_call;    // one effect on its way (saga/call.h)
struct saga_turn;    // what is decided together and committed together (saga/turn.h)
struct saga_subject; // what several sagas are about, e.g. a trade (saga/saga.h)
struct saga_engine;
struct saga_estate; // what is kept of a subject, and for how long (saga/estate.h)

enum {
    SAGA_GID_MAX = 96,
    SAGA_KEY_MAX = 128,
    SAGA_NAME_MAX = 40,
    SAGA_PARTICIPANT_MAX = 255,
    SAGA_SUBJECT_MAX = 64,
    SAGA_CODE_MAX = 48,
    SAGA_TEXT_MAX = 160,
    SAGA_LEGS_MAX = 72,       // steps of a flow, those that run several times counted as often
    SAGA_INPUT_MAX = 65535,   // bytes
    SAGA_ANSWER_MAX = 4096,   // bytes kept of one step's answer
    SAGA_SIGNALS_MAX = 32,    // signals that one saga holds
    SAGA_SIGNAL_MAX = 1024,   // bytes of one signal's payload
    SAGA_RECORD_MAX = 737280, // bytes of the journal; more than the greatest number of the greatest legs and signals
    SAGA_STAGES_MAX = 255,
};

enum saga_kind {
    SAGA_COMPENSATABLE, // before the watershed: can be undone
    SAGA_PIVOT,         // the watershed
    SAGA_RETRIABLE,     // after it: only forward
};

enum saga_tier {
    SAGA_CORE,
    SAGA_NON_CORE, // retriable steps only: neither fails nor delays the saga's other steps
};

enum saga_op { SAGA_ACTION, SAGA_COMPENSATE, SAGA_INQUIRE };

// Back-off: first_ms, doubled up to max_ms, each shortened or lengthened by up to jitter_percent; after `attempts`
// (0: without end) the policy is exhausted.
struct saga_retry {
    uint32_t first_ms, max_ms, attempts;
    uint32_t jitter_percent;
    // As if it were exhausted, where the saga can still turn round: a call that could not be sent for this long,
    // because its participant takes none. 0: it waits as long as that takes.
    uint32_t hold_ms;
};

// Named policies; the engine's options hold what each means.
enum saga_patience {
    SAGA_QUICK,     // somebody is waiting: a few attempts, then the saga turns round
    SAGA_STUBBORN,  // must be done soon: many attempts, then parked
    SAGA_LEISURELY, // background work: many attempts with long pauses, then parked
    SAGA_PATIENCES,
};

// Starts an effect: builds the request from what is durable or kept (E11) and sends it under saga_call_key(). Must end
// in exactly one saga_call_done() (at once or later).
typedef void saga_call_fn(struct saga_call *call);

// What a decision says.
enum saga_answer { SAGA_DONE, SAGA_REJECT, SAGA_WAIT, SAGA_ASK, SAGA_PARK };
struct saga_verdict {
    enum saga_answer answer;
    int64_t until_ms; // WAIT: decide again at this time at the latest (and after each poke or signal)
    enum err code;    // REJECT, PARK: why
    const char *text; // REJECT, PARK: copied; NULL for the code's own
    bool reads;       // ASK: the question changes nothing there, whatever it is answered
};

// Looks at the saga and its subject, changes the subject, says how it stands. Runs inside a turn: what it changes is
// committed together with the saga's progress, exactly once. Must not do I/O.
typedef struct saga_verdict saga_decide_fn(struct saga_turn *turn);

// A definite answer (OK or REJECTED) of an action or a compensation, before it is journalled: the place to copy what
// the subject wants to know. It may run again for the same answer after a crash: an OK need not be committed at once,
// so what is changed here may be in memory only, until a later turn. Nobody may be told of it before that.
typedef void saga_answered_fn(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer);

// How many legs the step has (0: it does not apply). Asked once, when the saga starts; must follow from what is durable
// at that time.
typedef unsigned saga_legs_fn(const struct saga_subject *subject, struct str input);

// The child to start, which has the saga's subject. Texts live in the arena, or longer.
struct saga_child {
    const char *flow;
    struct str gid, input;
};
// False: there is none, as if it had succeeded. After a child that failed, or whose gid was taken, and an operator's
// retry it is asked again, with the leg's next generation (saga_turn_generation()), and must give a new gid.
typedef bool saga_child_fn(struct saga_turn *turn, struct arena *arena, struct saga_child *ret_child);

// Whom this call goes to; NULL: nobody. Lives as long as the saga.
typedef const char *saga_whom_fn(const struct saga_call *call);

// What operators do.
enum saga_act {
    SAGA_ACT_RETRY,
    SAGA_ACT_SKIP,
    SAGA_ACT_COMPENSATE,
    SAGA_ACT_RESOLVE,
    SAGA_ACT_PAUSE,
    SAGA_ACT_RESUME,
    SAGA_ACT_TERMINATE,
    SAGA_ACTS,
};

// An operator says how something ended. SKIP: it counts as done. RESOLVE: what became of it.
struct saga_ruling {
    enum saga_act act;
    enum saga_op op;      // SKIP, RESOLVE: whether of the step's action or of its compensation
    enum outcome outcome; // RESOLVE: OK or REJECTED
    struct str answer;    // RESOLVE, OK: any bytes
    const char *text;     // why
};

// What it means for the subject that the step's action (or compensation) was skipped, or that a decision, an await or a
// child ended as an operator says. Runs in that turn, before the step moves. A call that is resolved has its `answered`
// run instead, as if the answer had come.
typedef void saga_ruled_fn(struct saga_turn *turn, const struct saga_ruling *ruling);

// Whether what a decision waits for has come about while it is parked, by whatever way. Must not change anything.
typedef bool saga_right_fn(const struct saga_turn *turn);

// One step. It is exactly one of: a call (`run`), a decision (`decide`, optionally with `ask`), an await of a signal
// (`signal` with `timeout_ms`), a child saga (`child`).
struct saga_step {
    uint16_t id;   // stable for ever
    uint8_t stage; // steps of one stage run in parallel, stages in order
    enum saga_kind kind;
    enum saga_tier tier;
    const char *name;
    const char *text;        // one line for people
    const char *participant; // whom it calls; NULL for nobody; "a, b" where that depends on the leg, and `whom` says
    saga_whom_fn *whom;      // NULL: the participant
    saga_legs_fn *legs;      // NULL: once
    const char *when;        // of `legs`, for people: when it applies; NULL: not said
    saga_call_fn *run;
    saga_call_fn *inquire; // what became of `run`: OK, REJECTED, or saga_call_never_seen()
    saga_call_fn *undo;    // the compensation
    saga_answered_fn *answered;
    saga_decide_fn *decide;
    // Made when `decide` says SAGA_ASK, at each try under the leg's key (gid/step/generation). Every outcome, OK and
    // REJECTED too, comes to the next `decide` (saga_turn_asked()) and not to `answered`; it is `decide` that asks
    // again and gives up, by the step's policy (saga_turn_again_ms(), saga_turn_exhausted()). It may act, where what is
    // to be sent depends on what came of it so far; in a retriable step only, since an `ask` is never undone. What acts
    // must be the same request at each try (E11), until after a rejection an operator's retry brings the next
    // generation.
    saga_call_fn *ask;
    saga_child_fn *child;
    saga_ruled_fn *ruled; // a decision without it can be neither skipped nor resolved
    // Asked of a parked decision whenever it would be looked at if it waited (a poke, say), but of no suspect (E13,
    // E14): true, and `decide` says DONE or REJECT now. NULL: only an operator makes it go on.
    saga_right_fn *came_right;
    const char *signal;
    uint32_t timeout_ms;  // of `signal`: after it the step is rejected with TIMED_OUT
    uint32_t deadline_ms; // of each call
    enum saga_patience retry, undo_retry;
    const struct saga_retry *policy, *undo_policy; // override `retry` and `undo_retry` (made flows); NULL: those
};

// Makes flows from what is stored of their sagas: those that callers define. What it makes is a table like any other,
// with version 0 and itself as `maker`.
struct saga_flow_maker {
    // The flow that a saga's input defines; NULL with STORE_CORRUPT when it defines none.
    const struct saga_flow *(*make)(void *ctx, struct str input, struct error *error);
    void (*release)(const struct saga_flow *flow);
    void *ctx;
};

// What the flow does at the saga's turning points, inside the same turn. Any may be NULL.
struct saga_flow {
    const char *name;                    // "trade.purchase"
    uint16_t version;                    // from 1; 0: made
    const struct saga_flow_maker *maker; // of a made flow, which belongs to one instance; NULL: it is there for ever
    const char *text;
    const struct saga_step *steps; // in the order of their stages
    uint8_t n_steps;
    uint32_t limit_ms;           // from its start; over before the pivot, the saga turns round (TIMED_OUT). 0: none
    saga_decide_fn *on_reversed; // it turned round: verdict ignored
    saga_decide_fn *on_end;      // ended, in whatever way; saga_turn_saga()->status says which
    // Whether an operator may SKIP, COMPENSATE or RESOLVE, as far as the subject is concerned (for a step: that of
    // saga_turn_step(), saga_turn_leg()). False with SAGA_STATE, or INVALID_REQUEST for an answer that is none. Must
    // not change anything. NULL: whatever the engine allows.
    bool (*allows)(struct saga_turn *turn, const struct saga_ruling *ruling, struct error *error);
    // Finds the subject of a saga that was loaded, calls saga_attached() at once or later. `ctx` is that of its
    // saga_flow_set. NULL: no subject.
    void (*attach)(void *ctx, struct saga_engine *engine, struct str subject_key, void *token);
    // The subjects that its sagas are about, with which they go when their time is over; `ctx` as above. NULL: they go
    // each by itself.
    const struct saga_estate *estate;
};

// Checks a flow's table: unique ids, ascending stages, exactly one shape per step, a compensatable step that acts has
// `undo`, at most one pivot and alone in its stage, nothing compensatable behind it, retriable steps only behind it or
// where there is nothing else, every call has a deadline, non-core only where retriable, names and policies that fit.
// One line per fault into `ret_error`, as many as fit; false when there is any.
bool saga_flow_valid(const struct saga_flow *flow, struct error *ret_error);

// The same, told one fault at a time: `step` is the index into the flow's steps, -1 when it is about the whole flow.
typedef void saga_fault_fn(void *ctx, int step, const char *what);
bool saga_flow_check(const struct saga_flow *flow, saga_fault_fn *tell, void *ctx);

// Ends a made flow; does nothing to one that is there for ever, or to NULL.
void saga_flow_release(const struct saga_flow *flow);

// A policy that backs off: a first pause, a maximum that is no less, jitter of at most 100 percent.
bool saga_retry_valid(const struct saga_retry *retry);

// "call", "local", "await", "child".
const char *saga_step_shape(const struct saga_step *step);
const char *saga_kind_name(enum saga_kind kind);
const char *saga_op_name(enum saga_op op);
const char *saga_patience_name(enum saga_patience patience);
const char *saga_act_name(enum saga_act act);

#endif
