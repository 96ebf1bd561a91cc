// What the engine's files share. Nobody outside saga/ includes this.
#ifndef TXC_SAGA_ENGINE_H
#define TXC_SAGA_ENGINE_H

#include "base/heap.h"
#include "base/id.h"
#include "base/map.h"
#include "saga/call.h"
#include "saga/journal.h"
#include "saga/turn.h"

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
enum { WAKE_POKED = 1, WAKE_TIMER = 2, WAKE_RETRY = 4, WAKE_RESUMED = 8, WAKE_FLUSH = 16 };

// One saga in memory.
struct saga_resident {
    struct map_node node; // by gid
    struct saga_engine *engine;
    struct saga_instance saga;
    struct saga_subject *subject; // held; NULL: none
    struct store_group *group;    // the subject's, the parent's, or own_group
    struct store_group own_group;
    struct str input; // owned
    char subject_key[SAGA_SUBJECT_MAX + 1];
    struct saga_resident *parent; // pinned by this one
    char parent_gid[SAGA_GID_MAX + 1];
    uint16_t parent_step;
    uint8_t parent_leg;
    uint32_t pins; // children in memory
    unsigned slot;
    int64_t created_ms, updated_ms, ended_ms;
    int32_t resume_count;
    bool stored;   // its row was submitted at least once
    bool busy;     // its turn is being committed; events wait
    bool lost;     // a write of its group failed: to be dropped
    bool dirty;    // ahead of its row
    bool ready;    // in the engine's list of sagas with something to do
    bool resuming; // it was under way when its process died: a resumption is counted before it goes on
    bool suspect;  // it was so too often: it waits for its trial
    unsigned wake;
    struct saga_answer_event *first, **last;
    struct saga_held *held;
    uint16_t n_held, cap_held;
    struct saga_call *calls; // on their way
    struct heap_node timer;
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

struct saga_turn {
    struct saga_engine *engine;
    struct saga_subject *subject; // held
    struct store_group *group;
    struct store_group own_group; // of a command without a subject
    struct store_write *write;
    bool must_commit, flushed;
    int64_t now_ms;
    struct saga_resident *sagas[TURN_SAGAS_MAX];
    uint8_t n_sagas;
    struct saga_resident *current; // whose decision is being evaluated
    uint8_t leg;
    const struct saga_asked *asked;
    int64_t started_ms; // of the call whose answer is being applied
    struct turn_done *done;
    struct turn_poke *pokes;
    struct arena arena;
};

// Somebody waits for a saga to be in memory.
typedef void saga_loaded_fn(void *ctx, struct saga_resident *resident, const struct error *error);

struct saga_engine {
    struct saga_options options;
    struct map residents, loadings;
    struct heap timers;
    struct saga_resident *ready, **ready_last;
    struct saga_resident *oldest, *newest;
    unsigned depth; // nested entries
    bool stopped;
    int64_t alarm_ms;
    int64_t incarnation;
    int64_t outbox_seq[SLOT_COUNT];
    struct arena scratch;
    struct saga_sentinel *sentinel;
    struct saga_resident *trial; // the suspect that is being resumed alone
    uint32_t suspects;           // that wait for theirs
    struct saga_stats stats;
};

// engine.c
void engine_enter(struct saga_engine *engine);
void engine_leave(struct saga_engine *engine); // does what has become ready, then sets the alarm
void engine_notice(struct saga_engine *engine, enum saga_notice_kind kind, const struct saga_resident *resident,
                   const struct saga_leg *leg, enum saga_op op, const char *reason, const char *text);
struct saga_resident *resident_find(struct saga_engine *engine, struct str gid);
// A new resident in the map; takes `instance` and `subject`'s reference.
struct saga_resident *resident_add(struct saga_engine *engine, struct saga_instance *instance,
                                   struct saga_subject *subject, struct saga_resident *parent, struct str input);
void resident_drop(struct saga_resident *resident);
void resident_wake(struct saga_resident *resident, unsigned why);
void resident_arm(struct saga_resident *resident);
bool resident_idle(const struct saga_resident *resident);

// turn.c
struct saga_turn *turn_new(struct saga_engine *engine, struct saga_subject *subject, struct store_group *group);
// Everything that waits for this saga, in one turn.
void turn_run(struct saga_resident *resident);
void turn_signal(struct saga_turn *turn, struct saga_resident *resident); // a signal was added: commit and look again
void turn_retry(struct saga_turn *turn, struct saga_resident *resident);

// call.c
void call_send_held(struct saga_resident *resident);
void call_forget_all(struct saga_resident *resident);
void answers_free(struct saga_resident *resident);

// load.c
// Calls back at once when it is there, later when it must be loaded. error SAGA_NOT_FOUND, SAGA_STATE (ended), …
void saga_load(struct saga_engine *engine, struct str gid, saga_loaded_fn *done, void *ctx);
void row_of(struct saga_resident *resident, struct arena *arena, struct saga_row *ret_row);

// sentinel.c
struct saga_sentinel *sentinel_new(struct saga_engine *engine);
void sentinel_free(struct saga_sentinel *sentinel);
void sentinel_start(struct saga_sentinel *sentinel);
void sentinel_tick(struct saga_sentinel *sentinel, int64_t now_ms);
int64_t sentinel_due(const struct saga_sentinel *sentinel);
int64_t sentinel_horizon(const struct saga_sentinel *sentinel);       // what is due up to here is in memory
void sentinel_reload(struct saga_sentinel *sentinel, struct str gid); // soon, again
bool sentinel_recovered(const struct saga_sentinel *sentinel);
void sentinel_suspect(struct saga_sentinel *sentinel, struct saga_resident *resident);
void sentinel_acquit(struct saga_sentinel *sentinel, struct saga_resident *resident); // on trial, and it made progress

#endif
