// What the engine's files share. Nobody outside saga/ includes this.
#ifndef TXC_SAGA_ENGINE_H
#define TXC_SAGA_ENGINE_H

#include "base/heap.h"
#include "base/id.h"
#include "base/map.h"
#include "base/pool.h"
#include "saga/call.h"
#include "saga/journal.h"
#include "saga/turn.h"
#include "saga/valve.h"
#include "saga/watch.h"

// An answer that waits for its saga's turn.
struct saga_answer_event {
    struct saga_answer_event *next;
    uint8_t leg;
    enum saga_op op;
    enum outcome outcome;
    enum err code;
    bool never_seen;
    bool held;      // the call was not sent: again at until_ms
    bool late;      // the leg has gone on without it
    bool uncounted; // it only tried whether the participant is back; should it not be, again at until_ms
    int64_t until_ms, started_ms;
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
enum { WAKE_POKED = 1, WAKE_TIMER = 2, WAKE_RESUMED = 4, WAKE_FLUSH = 8, WAKE_SEND = 16 };

enum slot_state {
    SLOT_AWAY,
    SLOT_OURS,
    SLOT_LEAVING, // to be given away once nothing of it is in use
};

struct saga_slot {
    enum slot_state state;
    int64_t giver;      // the mark of who left it to us in order; 0: its last owner was cut off by a death
    uint16_t cut_off;   // so often
    bool numbered;      // outbox_seq is known
    int64_t outbox_seq; // no event of the slot has a greater number
    uint32_t users;     // sagas in memory or on their way there, turns
};

// Somebody waits for a saga to be in memory.
typedef void saga_loaded_fn(void *ctx, struct saga_resident *resident, const struct error *error);

struct saga_waiter {
    struct saga_waiter *next;
    int64_t since_ms;
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
    // Of one that is in memory to be ended (saga_load_to_end()): its journal, which can't be read and stays as it is
    // (owned; ptr NULL: it can), and who can't be told of its end.
    struct str unread;
    bool to_end, deaf_subject, deaf_parent;
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
    int64_t row_mark;   // whose its row was when it was loaded
    bool stored;        // its row was submitted at least once
    bool fresh;         // started in a turn that is not durable yet
    bool busy;          // its turn is being committed; events wait
    bool lost;          // a write of its family failed: it is loaded afresh
    bool gone;          // it is lost or has ended durably: dropped when nothing pins it any more
    bool dirty;         // ahead of its row
    bool ready;         // in the engine's list of sagas with something to do
    bool resuming;      // it may have been under way when another process died: to be counted before anything is done
    enum err lost_by;   // how the write failed by which it was lost
    enum err write_refused; // the store refused what it wanted to write last time: to be parked before anything is done
    uint32_t failures;      // writes of its that failed in a row
    unsigned wake;
    bool noted;         // there may be a row that says that it is to look (poke_table)
    uint64_t *troubles; // by leg, what its rows of trouble_table say; NULL: there are none
    struct saga_answer_event *first, **last;
    struct saga_held *held;
    uint16_t n_held, cap_held;
    struct saga_call *calls;     // on their way, or waiting at their participants' gates
    uint32_t n_admitted;         // of these: may go now
    struct saga_waiter *waiters; // for it to be free
    struct heap_node timer;
    struct heap_node suspect; // by resume_count, while it waits for its trial
    struct saga_resident *ready_next;
    struct saga_resident *older, *newer; // by last activity
};

// Where it is on its way to the participant.
enum call_stage { CALL_NEW, CALL_WAITS, CALL_ADMITTED, CALL_SENT };

struct saga_call {
    struct saga_resident *resident; // NULL: the saga was dropped; the answer is nobody's, or only written down
    struct saga_call *next, **link;
    struct saga_engine *engine;                   // NULL: that is gone, too
    struct saga_call *engine_next, **engine_link; // of the engine's calls
    const struct saga_step *step;                 // while there is a resident
    enum saga_op op;
    uint8_t index, leg; // index into the instance's legs; number of the leg within its step
    uint16_t step_id;
    uint32_t generation;
    bool ask;
    bool late; // the leg went on without it, or the saga has ended: its answer is only written down
    enum call_stage stage;
    int64_t since_ms, started_ms;
    struct gate *gate;                // NULL: it calls nobody
    enum valve_use use;               // for which it was let in
    bool probe;                       // whether the participant is back
    struct saga_call *before, *after; // in the gate's queue
    struct heap_node hold;            // by when it has waited long enough
    char gid[SAGA_GID_MAX + 1];
    char key[SAGA_KEY_MAX];
};

struct gates;
struct inbox;
struct pauses;

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

// An event for the outbox, which gets its number when the turn is submitted (E16).
struct turn_outbox {
    struct turn_outbox *next;
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
    bool flushed;   // the subject waits to hear of it
    bool changing;  // counted in its family
    bool submitted; // the store has the write
    bool slotted;   // `slot` is known, and used
    unsigned slot;
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
    struct turn_outbox *events, **last_event;
    struct arena arena;
};

struct saga_engine {
    struct saga_options options;
    const struct saga_flow **flows; // of all sets; NULL-terminated
    struct map residents, loadings, watched;
    struct heap timers;
    struct saga_resident *ready, **ready_last;
    struct saga_resident *oldest, *newest;
    struct saga_turn *turns;      // under way
    struct command *asking;       // wait for a row
    struct operation *operations; // end a row by itself
    struct saga_turn *unnumbered, **unnumbered_last;
    unsigned depth; // nested entries
    bool stopped;
    int64_t alarm_ms;
    int64_t mark; // slot_mark_of() us
    struct saga_slot slots[SLOT_COUNT];
    struct saga_members *members; // NULL: we are alone, and every slot is ours
    bool slot_left;               // one may be given away now
    bool fenced;                  // another process has taken over: no slot is ours any more, nor will one be
    bool withheld;                // calls wait for the lease to be renewed
    struct arena scratch;         // of one row at a time
    struct pool turn_pool, call_pool, resident_pool;
    uint64_t chance; // state of the generator for jitter
    struct saga_sentinel *sentinel;
    struct gates *gates;
    struct pauses *pauses;
    struct inbox *inbox;
    struct saga_batch *batches;
    struct saga_call *calls; // sent, or waiting
    struct saga_retention *retention;
    struct saga_patrol *patrol;
    struct poke_page *pokes; // being read
    struct heap suspects;
    struct saga_resident *trial; // the suspect that is being resumed alone
    int64_t trial_ms;            // when that is over, or the first begins
    struct saga_stats stats;
};

// engine.c
void engine_enter(struct saga_engine *engine);
void *engine_flow_ctx(const struct saga_engine *engine, const struct saga_flow *flow);
// Where the outermost entry is left, each saga that was woken has its turn (turn_run()); then the alarm is set.
void engine_exit(struct saga_engine *engine);
// For jitter, which every event may need and none may wait for: nobody gains by foreseeing it.
uint64_t engine_chance(struct saga_engine *engine);
void engine_notice(struct saga_engine *engine, enum saga_notice_kind kind, const struct saga_resident *resident,
                   const struct saga_leg *leg, enum saga_op op, const char *reason, const char *text);

// slots.c
// Of one process, as its rows bear it: by the incarnation alone two names could be taken for each other. Not 0.
int64_t slot_mark_of(const char *name, int64_t incarnation);
int64_t slot_mark(const struct saga_engine *engine, unsigned slot); // ours, for what we write in it from now on
// Whether a row that bears this mark was left like that in order: by us, since the slot is ours, or by who gave it.
bool slot_left_in_order(const struct saga_engine *engine, unsigned slot, int64_t mark);
bool slot_is_ours(const struct saga_engine *engine, unsigned slot);
bool slot_check(const struct saga_engine *engine, unsigned slot, struct error *error); // false with SLOT_ELSEWHERE
void slot_use(struct saga_engine *engine, unsigned slot);
void slot_unuse(struct saga_engine *engine, unsigned slot);
void slot_own(struct saga_engine *engine, unsigned slot, int64_t giver);
void slots_leave(struct saga_engine *engine, const unsigned *slots, size_t n); // ours so far
bool slot_has_left(const struct saga_engine *engine, unsigned slot);           // nothing uses it any more
void slot_away(struct saga_engine *engine, unsigned slot);
// A write failed so. When another process has taken over, all slots are left, and what waits here is told: nothing that
// is in memory is true any more.
void slots_note(struct saga_engine *engine, const struct error *error);
void slots_let_go(struct saga_engine *engine); // those that have left, after that

// members.c
struct saga_members *members_new(struct saga_engine *engine);
void members_free(struct saga_members *members);
void members_start(struct saga_members *members);
void members_tick(struct saga_members *members, int64_t now_ms);
int64_t members_due(const struct saga_members *members);
void members_give(struct saga_members *members); // those that have left

// resident.c
struct saga_resident *resident_find(const struct saga_engine *engine, struct str gid);
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
bool resident_is_orphan(const struct saga_resident *resident); // nothing would ever drive it on
// One more at the end of a list; returns its new end.
struct saga_waiter **waiter_add(struct saga_waiter **last, saga_loaded_fn *done, void *ctx);
// `done` runs once when it is free, or has ended durably, or else is loaded afresh; never from within this call. As
// many wait as commands are admitted.
void resident_await(struct saga_resident *resident, saga_loaded_fn *done, void *ctx);
void waiters_fail(struct saga_waiter *waiter, const struct error *error); // and frees them
void resident_serve(struct saga_resident *resident);                      // whoever waits, as long as it is free

// turn.c
struct saga_turn *turn_new(struct saga_engine *engine, struct saga_subject *subject, struct saga_resident *opener);
void turn_free(struct saga_turn *turn);
bool turn_takes(struct saga_turn *turn, struct saga_resident *resident); // in it, or free to take part, and now does
void turn_apply(struct saga_turn *turn, struct saga_resident *resident, enum saga_event_kind kind);
// Gives the machine an event, and carries out what it wants.
void turn_feed(struct saga_turn *turn, struct saga_resident *resident, const struct saga_event *event);
struct saga_event turn_feed_event(const struct saga_turn *turn, enum saga_event_kind kind); // to be filled in
void turn_join(struct saga_turn *turn, struct saga_resident *resident); // takes part, though it may not be free
// Whose step the flow is asked about. Gives what it was before, to be set again.
struct turn_focus {
    struct saga_resident *resident; // NULL: none
    uint8_t leg;
};
struct turn_focus turn_focus(struct saga_turn *turn, struct turn_focus focus);
// Everything that waits for this saga, in one turn.
void turn_run(struct saga_resident *resident);
// Something was added to what the saga knows: it is committed with the turn, and looked at.
void turn_tell(struct saga_turn *turn, struct saga_resident *resident);
void turn_put(struct saga_turn *turn, struct saga_resident *resident); // its row, as it stands

// An event for the outbox about what the turn itself is not about. A turn that is about nothing else is then about this
// slot: it fails where that is not ours.
struct turn_about {
    unsigned slot;
    const char *gid, *subject; // "" where there is none
};
void turn_outbox_about(struct saga_turn *turn, const char *type, const struct turn_about *about, struct str payload);

// commit.c
void turn_finish(struct saga_turn *turn); // makes it durable when it must be, else lets its calls go at once
void engine_number(struct saga_engine *engine, unsigned slot, int64_t seq); // no event of it has a greater one
// Those that wait for numbers, when the engine stops or their slots leave: they fail.
void engine_refuse_turns(struct saga_engine *engine);
void engine_drop_turns(struct saga_engine *engine); // all of them: the store is gone

// call.c
void call_send_held(struct saga_resident *resident);  // and those that were admitted
void calls_send_withheld(struct saga_engine *engine); // the lease was renewed
void call_forget_all(struct saga_resident *resident);
// Of a leg that goes on without them: what was not sent is not, what was comes late.
void call_let_go(struct saga_resident *resident, uint8_t leg);
// What was not sent is not: the saga turns round (only its actions), or is paused.
void call_hold_back(struct saga_resident *resident, bool only_actions);
// One that waited is not sent: an event for its saga, in a turn to come. Frees the call.
void call_put_off(struct saga_call *call, int64_t until_ms, const char *why);
void engine_drop_calls(struct saga_engine *engine); // their answers find nobody any more
void answers_free(struct saga_resident *resident);

// late.c: what came of a call after its leg, or its saga, went on without it, is written down (E9).
void late_note(struct saga_turn *turn, const struct saga_resident *resident, const struct saga_answer_event *answer);
void late_tell(const struct saga_call *call, const struct saga_answer_event *answer); // the saga has ended
void late_kept(struct saga_turn *turn, struct saga_resident *resident, uint8_t leg);  // nor what was kept for it

// batch.c
int64_t batches_due(const struct saga_engine *engine);
void batches_tick(struct saga_engine *engine, int64_t now_ms);
void engine_drop_batches(struct saga_engine *engine);

// inbox.c
struct inbox *inbox_new(struct saga_engine *engine);
void inbox_free(struct inbox *inbox);
void inbox_start(struct inbox *inbox);
int64_t inbox_due(const struct inbox *inbox);
void inbox_tick(struct inbox *inbox, int64_t now_ms);

// participant.c
struct pauses *pauses_new(struct saga_engine *engine);
void pauses_free(struct pauses *pauses);
void pauses_start(struct pauses *pauses);
int64_t pauses_due(const struct pauses *pauses);
void pauses_tick(struct pauses *pauses, int64_t now_ms);

// command.c
void engine_drop_commands(struct saga_engine *engine); // those that wait for a row: the store is gone

// operate.c
void engine_drop_operations(struct saga_engine *engine); // those that wait for a row: the store is gone

// load.c
// Calls back at once when it is there, later when it must be loaded. error SAGA_NOT_FOUND, SAGA_STATE (ended), …
void saga_load(struct saga_engine *engine, struct str gid, saga_loaded_fn *done, void *ctx);
// For one that can't be loaded like that, and that is to be ended at once: with what can be read of it, its parent and
// its subject. Fails where not even its flow can be told. False: somebody is loading it, or has it.
bool saga_load_to_end(struct saga_engine *engine, struct str gid, saga_loaded_fn *done, void *ctx);
void row_of(const struct saga_resident *resident, struct arena *arena, struct saga_row *ret_row);
void row_head(const struct saga_resident *resident, struct saga_row *ret_row); // without its blobs
bool saga_row_ended(const struct saga_row *row);
// Why a saga, or what it is about, could not be loaded: nothing that is done later makes it readable. (It does not wait
// for a release that knows its flow.)
bool engine_is_unreadable(const struct error *error);
// The saga was in memory and is no longer: what was read of it before is out of date.
void engine_outdate(struct saga_engine *engine, struct str gid);
void engine_drop_loadings(struct saga_engine *engine);

// poke.c
void poke_run(struct saga_turn *turn);  // those that can take part in the turn do
void poke_note(struct saga_turn *turn); // the others go along as rows
void poke_rest(struct saga_turn *turn); // after the turn: the others look now
// It looks in this turn, or has ended: what was noted is taken away.
void poke_looked(struct saga_turn *turn, struct saga_resident *resident);
// Those in slots of ours that were noted and did not come to look before their owner died; `done` with an error, or
// when all are woken.
void poke_recover(struct saga_engine *engine, saga_turn_fn *done, void *ctx);
void poke_drop(struct saga_engine *engine); // what is being read: the store is gone

// trouble.c
// The rows of its steps that are in trouble follow its own, into the same write.
void trouble_put(struct saga_turn *turn, struct saga_resident *resident);
// It was loaded: which rows there are follows from its own.
void trouble_loaded(struct saga_resident *resident);

// retention.c
struct saga_retention *retention_new(struct saga_engine *engine);
void retention_free(struct saga_retention *retention);
struct rounds *retention_rounds(struct saga_retention *retention);
void retention_stats(struct saga_retention *retention, struct saga_stats *stats);

// patrol.c
struct saga_patrol *patrol_new(struct saga_engine *engine);
void patrol_free(struct saga_patrol *patrol);
int64_t patrol_due(const struct saga_patrol *patrol);
void patrol_tick(struct saga_patrol *patrol, int64_t now_ms);
void patrol_stats(const struct saga_patrol *patrol, struct saga_stats *stats);
// A saga about this subject has just ended.
void patrol_note(struct saga_patrol *patrol, const struct saga_resident *resident);

// watch.c
void watch_tell(struct saga_resident *resident);               // its row, as it stands, is durable
void watches_leave(struct saga_engine *engine, unsigned slot); // it is driven elsewhere
void engine_drop_watches(struct saga_engine *engine);

// trial.c
void trial_wait(struct saga_resident *resident);
void trial_note(struct saga_resident *resident); // it was written: perhaps its trial is over
void trial_forget(struct saga_resident *resident);
void trial_tick(struct saga_engine *engine, int64_t now_ms);

// sentinel.c
struct saga_sentinel *sentinel_new(struct saga_engine *engine);
void sentinel_free(struct saga_sentinel *sentinel);
// The slot is ours: everything in it is taken up. And it is no more.
void sentinel_watch(struct saga_sentinel *sentinel, unsigned slot);
void sentinel_forget(struct saga_sentinel *sentinel, unsigned slot);
void sentinel_tick(struct saga_sentinel *sentinel, int64_t now_ms);
int64_t sentinel_due(const struct saga_sentinel *sentinel);
// A number is wanted that no event of the slot is behind: engine_number() gets it.
void sentinel_number(struct saga_sentinel *sentinel, unsigned slot);
// What is due in the slot up to here is in memory.
int64_t sentinel_horizon(const struct saga_sentinel *sentinel, unsigned slot);
// A lost saga is loaded again, the later the more often it failed; `write_refused` as in struct saga_resident.
void sentinel_reload(struct saga_sentinel *sentinel, struct str gid, uint32_t failures, enum err write_refused);
bool sentinel_reloads(const struct saga_sentinel *sentinel, struct str gid); // it is waiting to be loaded again
// For a saga that has just come into memory: how often it failed before.
void sentinel_inform(struct saga_sentinel *sentinel, struct saga_resident *resident);
bool sentinel_recovered(const struct saga_sentinel *sentinel);

#endif
