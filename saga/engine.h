// What the engine's files share. Nobody outside saga/ includes this.
#ifndef TXC_SAGA_ENGINE_H
#define TXC_SAGA_ENGINE_H

#include "base/heap.h"
#include "base/id.h"
#include "base/map.h"
#include "saga/call.h"
#include "saga/journal.h"
#include "saga/turn.h"
#include "saga/watch.h"

// An answer that waits for its saga's turn.
struct saga_answer_event {
    struct saga_answer_event *next;
    uint8_t leg;
    enum saga_op op;
    enum outcome outcome;
    enum err code;
    bool never_seen;
    int64_t started_ms;
    char reason[SAGA_CODE_MAX];
    char text[SAGA_TEXT_MAX];
    size_t length;
    char answer[];
};

// A call that its turn decided on, to be sent when the turn is durable.
struct saga_held {
    uint8_t leg;
    enum saga_op op;
    bool ask;
};

// Why a saga is looked at next; flags, because several of a kind mean no more than one.
enum { WAKE_POKED = 1, WAKE_TIMER = 2, WAKE_RESUMED = 4, WAKE_FLUSH = 8 };

// Somebody waits for a saga to be in memory.
typedef void saga_loaded_fn(void *ctx, struct saga_resident *resident, const struct error *error);

struct saga_waiter {
    struct saga_waiter *next;
    saga_loaded_fn *done;
    void *ctx;
};

// One saga in memory.
struct saga_resident {
    struct map_node node; // by gid
    struct saga_engine *engine;
    struct saga_instance saga;
    struct saga_subject *subject;               // held; NULL: none
    struct store_group *group;                  // the subject's, the parent's, or own_group
    struct saga_family *family;                 // likewise
    struct saga_resident *kin_next, **kin_link; // in the family
    struct store_group own_group;
    struct saga_family own_family;
    struct str input; // owned
    char subject_key[SAGA_SUBJECT_MAX + 1];
    struct saga_resident *parent; // pinned by this one; NULL: none, or not in memory because it has ended
    char parent_gid[SAGA_GID_MAX + 1];
    uint16_t parent_step;
    uint8_t parent_leg;
    uint32_t pins; // children in memory, turns, loads: it stays where it is
    unsigned slot;
    int64_t created_ms, updated_ms, ended_ms;
    int32_t resume_count;
    int64_t row_due_ms; // as its row says
    bool stored;        // its row was submitted at least once
    bool busy;          // its turn is being committed; events wait
    bool lost;          // a write of its family failed: it is loaded afresh
    bool gone;          // it is lost or has ended durably: dropped when nothing pins it any more
    bool dirty;         // ahead of its row
    bool ready;         // in the engine's list of sagas with something to do
    bool resuming;      // it may have been under way when another process died: to be counted before anything is done
    enum err write_refused; // the store refused what it wanted to write last time: to be parked before anything is done
    uint32_t failures;      // writes of its that failed in a row
    unsigned wake;
    bool noted; // there may be a row that says that it is to look (poke_table)
    struct saga_answer_event *first, **last;
    struct saga_held *held;
    uint16_t n_held, cap_held;
    struct saga_call *calls;     // on their way
    struct saga_waiter *waiters; // for it to be free
    struct heap_node timer;
    struct heap_node suspect; // by resume_count, while it waits for its trial
    struct saga_resident *ready_next;
    struct saga_resident *older, *newer; // by last activity
};

struct saga_call {
    struct saga_resident *resident; // NULL: the saga was dropped; the answer is nobody's
    struct saga_call *next, **link;
    const struct saga_step *step;
    enum saga_op op;
    uint8_t index, leg; // index into the instance's legs; number of the leg within its step
    uint32_t generation;
    int64_t started_ms;
    char gid[SAGA_GID_MAX + 1];
    char key[SAGA_KEY_MAX];
};

enum { TURN_SAGAS_MAX = 64 };

struct turn_done {
    struct turn_done *next;
    saga_turn_fn *fn;
    void *ctx;
};

struct turn_poke {
    struct turn_poke *next;
    char gid[SAGA_GID_MAX + 1];
};

// An event that gets its number when the turn is submitted (E16).
struct turn_event {
    struct turn_event *next;
    struct outbox_row row;
};

struct saga_turn {
    struct saga_engine *engine;
    struct saga_turn *next, **link; // of the engine's turns under way
    struct saga_subject *subject;   // held
    struct saga_resident *opener;   // pinned; NULL: a command's
    struct store_group *group;
    struct saga_family *family;
    struct store_group own_group; // of a command without a subject
    struct saga_family own_family;
    struct store_write *write;
    bool of_saga; // the opener's own events, not a command about it
    bool must_commit;
    bool flushed;                 // the subject waits to hear of it
    bool changing;                // counted in its family
    bool submitted;               // the store has the write
    struct saga_turn *unnumbered; // next of those that wait for the outbox's numbers
    int64_t now_ms;
    struct saga_resident *sagas[TURN_SAGAS_MAX]; // pinned
    uint8_t n_sagas;
    struct saga_resident *current; // whose decision is being evaluated
    uint8_t leg;
    const struct saga_asked *asked;
    int64_t started_ms; // of the call whose answer is being applied
    struct turn_done *done;
    struct turn_poke *pokes;
    struct turn_event *events, **last_event;
    struct arena arena;
};

struct saga_engine {
    struct saga_options options;
    const struct saga_flow **flows; // of all sets; NULL-terminated
    struct map residents, loadings, watched;
    struct heap timers;
    struct saga_resident *ready, **ready_last;
    struct saga_resident *oldest, *newest;
    struct saga_turn *turns; // under way
    struct command *asking;  // wait for a row
    struct saga_turn *unnumbered, **unnumbered_last;
    unsigned depth; // nested entries
    bool stopped;
    bool numbered; // outbox_seq is known
    int64_t alarm_ms;
    int64_t incarnation;
    int64_t outbox_seq[SLOT_COUNT];
    struct arena scratch; // of one row at a time
    uint64_t chance;      // state of the generator for jitter
    struct saga_sentinel *sentinel;
    struct poke_page *pokes; // being read at the start
    struct heap suspects;
    struct saga_resident *trial; // the suspect that is being resumed alone
    int64_t trial_ms;            // when that is over, or the first begins
    struct saga_stats stats;
};

// engine.c
void engine_enter(struct saga_engine *engine);
void *engine_flow_ctx(const struct saga_engine *engine, const struct saga_flow *flow);
void engine_leave(struct saga_engine *engine); // does what has become ready, then sets the alarm
// For jitter, which every event may need and none may wait for: nobody gains by foreseeing it.
uint64_t engine_chance(struct saga_engine *engine);
void engine_notice(struct saga_engine *engine, enum saga_notice_kind kind, const struct saga_resident *resident,
                   const struct saga_leg *leg, enum saga_op op, const char *reason, const char *text);

// resident.c
struct saga_resident *resident_find(struct saga_engine *engine, struct str gid);
// A new resident in the map; takes `instance` and `subject`'s reference.
struct saga_resident *resident_add(struct saga_engine *engine, struct saga_instance *instance,
                                   struct saga_subject *subject, struct saga_resident *parent, struct str input);
void resident_drop(struct saga_resident *resident); // nothing may pin it
void resident_pin(struct saga_resident *resident);
void resident_unpin(struct saga_resident *resident); // drops it when it was the last pin and it is gone
void resident_wake(struct saga_resident *resident, unsigned why);
void resident_touch(struct saga_resident *resident); // it was active
void resident_arm(struct saga_resident *resident);
bool resident_idle(const struct saga_resident *resident);
// Whether events may be applied to it now: not while it is being written, and not before it was resumed.
bool resident_free(const struct saga_resident *resident);
bool resident_has_ended(const struct saga_resident *resident); // durably
// One more at the end of a list; returns its new end.
struct saga_waiter **waiter_add(struct saga_waiter **last, saga_loaded_fn *done, void *ctx);
// `done` runs once when it is free, or has ended durably, or else is loaded afresh; never from within this call. As
// many wait as commands are admitted.
void resident_await(struct saga_resident *resident, saga_loaded_fn *done, void *ctx);
void resident_serve(struct saga_resident *resident); // whoever waits, as long as it is free

// turn.c
struct saga_turn *turn_new(struct saga_engine *engine, struct saga_subject *subject, struct saga_resident *opener);
void turn_free(struct saga_turn *turn);
bool turn_takes(struct saga_turn *turn, struct saga_resident *resident); // in it, or free to take part, and now does
void turn_apply(struct saga_turn *turn, struct saga_resident *resident, enum saga_event_kind kind);
// Everything that waits for this saga, in one turn.
void turn_run(struct saga_resident *resident);
// Something was added to what the saga knows: it is committed with the turn, and looked at.
void turn_tell(struct saga_turn *turn, struct saga_resident *resident);
void turn_put(struct saga_turn *turn, struct saga_resident *resident); // its row, as it stands

// commit.c
void turn_finish(struct saga_turn *turn);       // makes it durable when it must be, else lets its calls go at once
void engine_number(struct saga_engine *engine); // the outbox's numbers are known
void engine_refuse_turns(struct saga_engine *engine); // those that wait for the numbers: they fail
void engine_drop_turns(struct saga_engine *engine);   // all of them: the store is gone

// call.c
void call_send_held(struct saga_resident *resident);
void call_forget_all(struct saga_resident *resident);
void answers_free(struct saga_resident *resident);

// command.c
void engine_drop_commands(struct saga_engine *engine); // those that wait for a row: the store is gone

// load.c
// Calls back at once when it is there, later when it must be loaded. error SAGA_NOT_FOUND, SAGA_STATE (ended), …
void saga_load(struct saga_engine *engine, struct str gid, saga_loaded_fn *done, void *ctx);
void row_of(const struct saga_resident *resident, struct arena *arena, struct saga_row *ret_row);
void row_head(const struct saga_resident *resident, struct saga_row *ret_row); // without its blobs
// The saga was in memory and is no longer: what was read of it before is out of date.
void engine_outdate(struct saga_engine *engine, struct str gid);
void engine_drop_loadings(struct saga_engine *engine);

// poke.c
void poke_run(struct saga_turn *turn);  // those that can take part in the turn do
void poke_note(struct saga_turn *turn); // the others go along as rows
void poke_rest(struct saga_turn *turn); // after the turn: the others look now
// It looks in this turn, or has ended: what was noted is taken away.
void poke_looked(struct saga_turn *turn, struct saga_resident *resident);
// Those that were noted and did not come to look before the process died; `done` with an error, or when all are woken.
void poke_recover(struct saga_engine *engine, saga_turn_fn *done, void *ctx);

// watch.c
void watch_tell(struct saga_resident *resident); // its row, as it stands, is durable
void engine_drop_watches(struct saga_engine *engine);

// trial.c
void trial_wait(struct saga_resident *resident);
void trial_note(struct saga_resident *resident); // it was written: perhaps its trial is over
void trial_forget(struct saga_resident *resident);
void trial_tick(struct saga_engine *engine, int64_t now_ms);

// sentinel.c
struct saga_sentinel *sentinel_new(struct saga_engine *engine);
void sentinel_free(struct saga_sentinel *sentinel);
void sentinel_start(struct saga_sentinel *sentinel);
void sentinel_tick(struct saga_sentinel *sentinel, int64_t now_ms);
int64_t sentinel_due(const struct saga_sentinel *sentinel);
int64_t sentinel_horizon(const struct saga_sentinel *sentinel); // what is due up to here is in memory
// A lost saga is loaded again, the later the more often it failed; `write_refused` as in struct saga_resident.
void sentinel_reload(struct saga_sentinel *sentinel, struct str gid, uint32_t failures, enum err write_refused);
// For a saga that has just come into memory: how often it failed before.
void sentinel_inform(struct saga_sentinel *sentinel, struct saga_resident *resident);
bool sentinel_recovered(const struct saga_sentinel *sentinel);

#endif
