// The engine: drives every saga that is in memory, loads those that are due, and makes each decision durable before it
// acts. It runs on the loop's thread, locks nothing and never blocks. Time, randomness, storage and alarms come in
// through its options; effects leave through the flows' tables.
#ifndef TXC_SAGA_SAGA_H
#define TXC_SAGA_SAGA_H

#include "saga/flow.h"
#include "saga/machine.h"
#include "saga/tables.h"

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
    uint32_t changing; // turns under way that change something
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
    SAGA_NOTICE_FLOW_UNKNOWN, // left untouched
    SAGA_NOTICE_CORRUPT,
    SAGA_NOTICE_WRITE_FAILED, // the subject is loaded afresh
    SAGA_NOTICE_LOAD_FAILED,
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

struct saga_options {
    struct store *store;
    const struct clock *clock;
    uint64_t (*random)(void *ctx);
    void *random_ctx;
    struct saga_flow_set flow_sets[SAGA_FLOW_SETS_MAX]; // those with flows
    const struct saga_flow_maker *flow_maker; // of sagas that their input defines; borrowed; NULL: they stay untouched
    struct saga_machine machine;
    // Call saga_engine_tick() at this time (not before); a new call replaces the old one.
    void (*alarm)(void *ctx, int64_t due_ms);
    void *alarm_ctx;
    void (*notice)(void *ctx, const struct saga_notice *notice); // NULL is fine
    void *notice_ctx;
    uint32_t resident_max;     // sagas in memory beyond which waiting ones are evicted (default 20000)
    uint32_t resume_rate;      // sagas resumed per second after a start (default 5000)
    uint32_t scan_interval_ms; // how often the sentinel looks for what comes due (default 5000)
    uint32_t horizon_ms;       // how far ahead it loads (default 60000)
    uint32_t resume_max; // resumptions without progress before a saga is only resumed alone; as many of those, and it
                         // is parked (default 3)
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

// ---- Talking to one saga ------------------------------------------------------------------------------------------

// A signal: durable when `done` runs without error; a repeat of its id has no effect and is answered alike (E10), also
// when the saga has ended; with another payload it is refused. A new one is then refused with SAGA_STATE. `done` runs
// before this returns when the signal is refused at once, else later.
typedef void saga_reply_fn(void *ctx, const struct error *error);
void saga_signal(struct saga_engine *engine, struct str gid, struct str name, struct str id, struct str payload,
                 saga_reply_fn *done, void *ctx);

// An operator's retry: parked steps, and those that wait for their next attempt, are tried now. Audited. Refused with
// SAGA_STATE when there is nothing to retry. `done` runs as above.
// `also` runs with the same `ctx` as `done`, before it, when the action is decided on: it may put more rows into its
// turn (the request that asked for it). NULL: nothing.
struct saga_operator {
    struct str caller, reason;
    void (*also)(void *ctx, struct saga_turn *turn);
};
void saga_retry(struct saga_engine *engine, struct str gid, const struct saga_operator *op, saga_reply_fn *done,
                void *ctx);

// The subject's answer to saga_flow.attach: NULL with an error when it can't be loaded (tried again later).
void saga_attached(struct saga_engine *engine, void *token, struct saga_subject *subject, const struct error *error);

// ---- Reading ------------------------------------------------------------------------------------------------------

struct saga_stats {
    int64_t resident, in_flight_calls, started, ended, resumed, parked_events, attempts_failed, loads, evictions;
    int64_t unknown_flows, corrupt;
    int64_t orphans; // in memory, unfinished, and neither due nor under way nor parked: must be 0 (E5)
};
void saga_engine_stats(const struct saga_engine *engine, struct saga_stats *ret_stats);

// `version` 0: the highest there is. NULL: none.
const struct saga_flow *saga_engine_flow(const struct saga_engine *engine, struct str name, int version);
// All of them, NULL-terminated.
const struct saga_flow *const *saga_engine_flows(const struct saga_engine *engine);
struct store *saga_engine_store(const struct saga_engine *engine);
const struct clock *saga_engine_clock(const struct saga_engine *engine);

// Fills flow, status, legs, … from a row that was read; for showing it. Release the instance afterwards.
bool saga_row_instance(const struct saga_engine *engine, const struct saga_row *row, struct saga_instance *ret_instance,
                       struct error *error);

void saga_leg_key(const struct saga_instance *instance, const struct saga_leg *leg, char out[SAGA_KEY_MAX]);

#endif
