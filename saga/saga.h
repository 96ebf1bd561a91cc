// The engine: drives every saga that is in memory, loads those that are due, and makes each decision durable before it
// acts. It runs on the loop's thread, locks nothing and never blocks. Time, randomness, storage and alarms come in
// through its options; effects leave through the flows' tables.
#ifndef TXC_SAGA_SAGA_H
#define TXC_SAGA_SAGA_H

#include "saga/flow.h"
#include "saga/machine.h"
#include "saga/tables.h"

// How many calls a participant may get (saga/participant.h). Of one instance. 0: no such limit.
struct saga_gate_limits {
    uint32_t in_flight_max;     // calls at once
    uint32_t rate_per_s, burst; // calls; burst: how many may go at once after a pause (at least 1)
    uint32_t waiting_max;       // calls that wait in line; more are put off (0: 1000)
    // Calls that fail (unavailable, silent, broken) open the breaker: so many in a row; or so many percent of those
    // that ended within the window, where these were calls_min at least.
    uint32_t failures_max;
    uint32_t failure_percent, calls_min, window_ms;
    uint32_t open_first_ms, open_max_ms; // how long nothing goes out before the next probe; doubles
};

// One whose limits are its own. The name is borrowed for the engine's life.
struct saga_gate {
    const char *participant;
    struct saga_gate_limits limits;
};

// What several sagas and commands share: for a trade's sagas, the trade. Its writes are one group: they fail together,
// and then everything about it is loaded afresh.
struct saga_subject_ops {
    // Puts every changed row into the write. Called whenever something about the subject is committed.
    void (*flush)(struct saga_subject *subject, struct store_write *write);
    // The transaction of a flush is durable: the oldest one that was not yet.
    void (*committed)(struct saga_subject *subject);
    // A write failed: what is in memory is ahead of what is durable. The owner must not hand it out again; the last
    // saga_subject_release() frees it.
    void (*fail)(struct saga_subject *subject, const struct error *error);
    // The last reference is gone.
    void (*free)(struct saga_subject *subject);
};
// Those whose writes fail together; the engine's.
struct saga_family {
    struct saga_resident *first;
    uint32_t changing;   // turns under way that change something
    uint32_t unnumbered; // turns that wait for the outbox's numbers, or for such a one
};
struct saga_subject {
    const struct saga_subject_ops *ops;
    struct store_group group;
    uint32_t refs;
    bool failed;
    char key[SAGA_SUBJECT_MAX + 1];
    struct saga_family family;
};
static inline struct saga_subject *saga_subject_hold(struct saga_subject *subject) {
    subject->refs++;
    return subject;
}
static inline void saga_subject_release(struct saga_subject *subject) {
    if (--subject->refs == 0)
        subject->ops->free(subject);
}

// What the engine tells whoever watches (logs, metrics, alarms).
enum saga_notice_kind {
    SAGA_NOTICE_STARTED,
    SAGA_NOTICE_ATTEMPT_FAILED,
    SAGA_NOTICE_REVERSED,
    SAGA_NOTICE_PARKED,
    SAGA_NOTICE_ENDED,
    SAGA_NOTICE_RESUMED,
    SAGA_NOTICE_OPERATED,     // an operator acted: what is the reason, why the text
    SAGA_NOTICE_LATE,         // an answer that nobody waits for any more was written down
    SAGA_NOTICE_FLOW_UNKNOWN, // left untouched
    SAGA_NOTICE_CORRUPT,
    SAGA_NOTICE_WRITE_FAILED, // the subject is loaded afresh
    SAGA_NOTICE_FENCED,       // once: another process has taken over, and nothing is driven here any more
    SAGA_NOTICE_LOAD_FAILED,
    SAGA_NOTICE_MEMBERS_UNREAD, // who else is there could not be read
    SAGA_NOTICE_ADDRESS_SHARED, // the instance `text` has our address, so that neither can pass calls on to the other
    SAGA_NOTICE_TAKING_OVER,    // `text` is the name of an instance whose lease is over; another may be quicker
    SAGA_NOTICE_TAKEN_OVER,     // what that one drove is driven here now
    SAGA_NOTICE_KEPT_REFUSED,   // what was kept in the inbox, and its sender was told so, does not fit any more
    SAGA_NOTICE_UNHEARD,        // it was terminated, and `text` could not be told
    SAGA_NOTICE_ANOMALY,        // something is wrong; `reason` is its name
    SAGA_NOTICE_ANOMALY_OVER,   // it no longer is
    SAGA_NOTICE_KINDS,
};
struct saga_notice {
    enum saga_notice_kind kind;
    const char *gid, *subject, *flow, *step; // "" where there is none
    enum saga_status status;
    enum saga_op op;
    uint32_t attempt;
    const char *reason, *text;
};

// The flows of one business, and what their `attach` is given.
struct saga_flow_set {
    const struct saga_flow *const *flows; // NULL-terminated; several versions of one name may stand beside each other
    void *ctx;
};
enum { SAGA_FLOW_SETS_MAX = 16 };

// How long what has ended is kept, from its end; 0: for ever.
enum saga_kept { SAGA_KEPT_SUCCEEDED, SAGA_KEPT_FAILED, SAGA_KEPT_TERMINATED, SAGA_KEPT_CLASSES };
struct saga_kept_flow {
    const char *flow;
    int64_t kept_ms[SAGA_KEPT_CLASSES];
};
struct saga_retention_options {
    int64_t kept_ms[SAGA_KEPT_CLASSES]; // sagas; with their attempts and journals
    const struct saga_kept_flow *flows; // what is kept otherwise; borrowed
    size_t n_flows;
    int64_t requests_ms, events_ms, audit_ms;
    uint32_t rows_per_s;  // most rows deleted in a second (default 2000)
    uint32_t batch;       // most units (a saga, a subject with all of its own, another row) going at once (default 32)
    uint32_t interval_ms; // how often it is looked for what is over; 0: never
};

// What is looked for in what is stored, besides what is driven on. Times 0: never.
struct saga_patience_flow {
    const char *flow;
    int64_t running_ms, forward_ms, compensating_ms, parked_ms;
};
struct saga_patrol_options {
    // Unfinished sagas made longer ago are too old in this status; parked ones, that have been for longer, wait too
    // long.
    int64_t running_ms, forward_ms, compensating_ms, parked_ms;
    const struct saga_patience_flow *flows; // with times of their own; borrowed
    size_t n_flows;
    int64_t stuck_ms;              // due for longer than this, and in nobody's memory (default 600000)
    uint32_t oscillating_attempts; // failed alike so often … (0: never)
    int64_t oscillating_ms;        // … within this time
    uint32_t rows_per_s;           // most rows looked at in a second (default 200)
    uint32_t checks_per_s;         // most subjects whose amounts are looked at in a second (default 5)
    uint32_t interval_ms;          // from the end of a round to the next; 0: never
};

// The end of what was asked for: `error` NULL when it is durable.
typedef void saga_reply_fn(void *ctx, const struct error *error);
struct inbox_row;

struct saga_options {
    struct store *store;
    const struct clock *clock;
    uint64_t (*random)(void *ctx);
    void *random_ctx;
    struct saga_flow_set flow_sets[SAGA_FLOW_SETS_MAX]; // those with flows
    const struct saga_flow_maker *flow_maker; // of sagas that their input defines; borrowed; NULL: they stay untouched
    struct saga_machine machine;
    const struct saga_gate *gates; // of participants whose limits are their own; borrowed
    size_t n_gates;
    struct saga_gate_limits other_gates; // of all others
    uint32_t gates_max;                  // participants that have one at once (default 1024)
    // Call saga_engine_tick() at this time (not before); a new call replaces the old one.
    void (*alarm)(void *ctx, int64_t due_ms);
    void *alarm_ctx;
    void (*notice)(void *ctx, const struct saga_notice *notice); // NULL is fine
    void *notice_ctx;
    uint32_t resident_max;     // sagas in memory beyond which waiting ones are evicted (default 20000)
    uint32_t resume_rate;      // sagas resumed per second after a start (default 5000)
    uint32_t scan_interval_ms; // how often the sentinel looks for what comes due in a slot (default 50000)
    uint32_t horizon_ms;       // how far ahead it loads (default 60000)
    uint32_t pause_poll_ms;    // how often it is looked which participants are paused (default 1000)
    uint32_t resume_max; // resumptions without progress before a saga is only resumed alone; as many of those, and it
                         // is parked (default 3)
    uint32_t lease_ms;   // as the store's options say: others may be there. 0: every slot is ours from the start
    // Acts on what another instance kept for a slot of ours (saga/inbox.h): `done` runs once, at once or later. What
    // fails for now comes again. NULL: it stays where it is.
    void (*inbox)(void *ctx, const struct inbox_row *row, saga_reply_fn *done, void *done_ctx);
    void *inbox_ctx;
    // The slot is no longer ours: whatever is kept of its subjects is out of date. NULL is fine.
    void (*slot_left)(void *ctx, unsigned slot);
    void *slot_left_ctx;
    struct saga_retention_options retention;
    struct saga_patrol_options patrol;
    // Whether this instance is the one that sees to what is old in this slot of its own; NULL: to every one.
    bool (*owns)(void *ctx, unsigned slot);
    void *owns_ctx;
};

// Checks every flow's table, and that no two have one name and version. Nothing runs before saga_engine_recover().
bool saga_engine_new(const struct saga_options *options, struct saga_engine **ret_engine, struct error *error);

// Starts the sentinel: finds everything unfinished, resumes it in pages under the rate limit, and goes on looking.
void saga_engine_recover(struct saga_engine *engine);

// True once everything that was due at the start has been resumed.
bool saga_engine_recovered(const struct saga_engine *engine);

// At the alarm's time.
void saga_engine_tick(struct saga_engine *engine);

// Stops sending effects and starting work. What is in flight ends as it ends; the store is the caller's to close, after
// which saga_engine_free() drops everything from memory. Calls that have not ended by then may still end later. Whoever
// waits for something that never came (the store was abandoned) is told SHUTTING_DOWN, and must not call the engine.
void saga_engine_stop(struct saga_engine *engine);
void saga_engine_free(struct saga_engine *engine);

// ---- Several instances --------------------------------------------------------------------------------------------

// Whether it is known whose slots are whose. Before that everything is elsewhere.
bool saga_engine_settled(const struct saga_engine *engine);

// A place in a participant's line, for the call of a saga that is being begun.
struct saga_place {
    struct gate *gate; // NULL: none
    bool core;
};

// Whether one more saga whose first stage calls the participant, in a core step or another, can be begun with a
// prospect of being driven now. True: a place is kept for this call until it is given back, which must be when the saga
// is durable (then the call comes by itself) or was not begun. False with OVERLOADED when so much waits there, or is
// about to come, that the saga would soon be put off, though the participant answers: where it does not, or is paused,
// sagas are begun and wait. Only whoever begins one for a caller who can come back asks.
bool saga_place_take(struct saga_engine *engine, const char *participant, bool core, struct saga_place *ret_place,
                     struct error *error);
void saga_place_give(struct saga_place *place);

// Whether the saga is in memory: it was accepted, and has not ended.
bool saga_engine_has(const struct saga_engine *engine, struct str gid);

// Whether this instance drives what is in the slot (id_slot()). What is asked of others is refused with SLOT_ELSEWHERE.
bool saga_engine_owns(const struct saga_engine *engine, unsigned slot);

// Where the slot's owner is reached, as of a moment ago; NULL when it is us, nobody, or not known to be alive. Borrowed
// until control goes back to the loop.
const char *saga_engine_owner(const struct saga_engine *engine, unsigned slot);

// What is known of the others may be out of date: look soon.
void saga_engine_look(struct saga_engine *engine);

// Gives every slot to the others, before a stop: from now on this instance gets none. `done` runs once, later or at
// once: with an error when that failed, without when nothing is left, or nobody is there to take it.
typedef void saga_left_fn(void *ctx, const struct error *error);
void saga_engine_hand_over(struct saga_engine *engine, saga_left_fn *done, void *ctx);

// ---- Talking to one saga ------------------------------------------------------------------------------------------

// A signal: durable when `done` runs without error; a repeat of its id has no effect and is answered alike (E10), also
// when the saga has ended; with another payload it is refused. A new one is then refused with SAGA_STATE. `done` runs
// before this returns when the signal is refused at once, else later.
void saga_signal(struct saga_engine *engine, struct str gid, struct str name, struct str id, struct str payload,
                 saga_reply_fn *done, void *ctx);

// The subject's answer to saga_flow.attach: NULL with an error when it can't be loaded (tried again later).
void saga_attached(struct saga_engine *engine, void *token, struct saga_subject *subject, const struct error *error);

// ---- Reading ------------------------------------------------------------------------------------------------------

struct saga_stats {
    int64_t resident, in_flight_calls, started, ended, resumed, parked_events, attempts_failed, loads, evictions;
    int64_t unknown_flows, corrupt;
    int64_t slots, taken_over; // driven here now; other instances that were taken over from
    int64_t late_answers;      // of calls whose step or saga had gone on without them
    int64_t orphans;           // in memory, unfinished, and neither due nor under way nor parked: must be 0 (E5)
    // What has ended and is deleted when its time is over: sagas and rows so far, sagas in the last hour; how old the
    // oldest is that is still there (0: none), and for how long that which is longest over should be gone (0: nothing).
    int64_t deleted, deleted_rows, deleted_hour, oldest_kept_s, behind_s;
    // What the patrol found: anomalies raised so far, those that hold, those of them that are stuck sagas (must be 0,
    // E5); subjects whose amounts were looked at; when the last round through everything unfinished ended, ago.
    int64_t anomalies_raised, anomalies_open, anomalies_stuck, subjects_checked, patrol_s;
    int64_t patrol_passes;     // that it takes to look at each parent that waits for a child
    int64_t anomalies_amounts; // of those that hold: subjects whose amounts do not add up
    int64_t crowded_out;       // core calls that found no room at a gate though some is kept for them: must be 0
};
void saga_engine_stats(const struct saga_engine *engine, struct saga_stats *ret_stats);

// `version` 0: the highest there is. NULL: none.
const struct saga_flow *saga_engine_flow(const struct saga_engine *engine, struct str name, int version);
// All of them, NULL-terminated.
const struct saga_flow *const *saga_engine_flows(const struct saga_engine *engine);
const struct clock *saga_engine_clock(const struct saga_engine *engine);

// Fills flow, status, legs, … from a row that was read; for showing it. Release the instance afterwards.
bool saga_row_instance(const struct saga_engine *engine, const struct saga_row *row, struct saga_instance *ret_instance,
                       struct error *error);

void saga_leg_key(const struct saga_instance *instance, const struct saga_leg *leg, char out[SAGA_KEY_MAX]);

#endif
