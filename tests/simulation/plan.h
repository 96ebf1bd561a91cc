// What one seed does: the shape of its world, and a list of items, each of which can be left out without changing what
// the others do. That is what makes a failure small: the items that it does not need are dropped.
#ifndef TXC_TESTS_SIMULATION_PLAN_H
#define TXC_TESTS_SIMULATION_PLAN_H

#include "saga/saga.h"
#include "tests/simulation/draw.h"

enum {
    PLAN_ITEMS_MAX = 640,
    PLAN_SAGAS_MAX = 90,
    PLAN_SUBJECTS_MAX = 6,
    PLAN_PARTICIPANTS = 4,
};

// How a participant fares with one key and operation, or a saga with one of its own decisions; drawn from the seed and
// the key.
enum fate {
    FATE_FINE,
    FATE_NO,     // rejects: an action for good, a compensation until an operator has looked
    FATE_FLAKY,  // nothing done, try again
    FATE_SILENT, // acts, and never answers
    FATE_DEAF,   // neither
    FATE_BROKEN, // acts, and answers what nobody understands
    FATE_HUGE,   // acts, and answers more than can be kept until an operator has looked
    FATE_CLOSED, // the caller's own adapter refuses, at once
    FATE_LETHAL, // the instance that sends it dies of it, until an operator has looked
    FATE_SPOILT, // a decision writes what the store refuses, until an operator has looked
    FATES
};

enum item_kind {
    ITEM_START,    // a caller starts saga number `target`, and repeats that until it is told
    ITEM_SIGNAL,   // a signal to saga `target`: name and id by `a`, sent `b` times
    ITEM_PAY,      // a payment for saga `target` arrives, and is told `b` times
    ITEM_OPERATE,  // an operator acts on saga `target`: enum saga_act in `c`
    ITEM_POKE,     // saga `target` is to look
    ITEM_MISUSE,   // the request that started saga `target`, with another body
    ITEM_TAKEN,    // another request wants to start a saga with the gid of saga `target`
    ITEM_HOLD,     // an operator pauses participant `target`, and lets calls go on after a while
    ITEM_WEATHER,  // the network is bad for a while
    ITEM_OUTAGE,   // participant `target` dies, and comes back after a while
    ITEM_STORE,    // the store fails: enum store_trouble in `a`
    ITEM_CRASH,    // an instance dies: enum death in `a`
    ITEM_CLOSE,    // an instance is stopped in order, and started again
    ITEM_PAUSE,    // an instance stands still; with `b` another process takes its name meanwhile
    ITEM_JUMP,     // the wall clock moves by `delta_ms`: who starts from now on sees it; with `a` the database's does
    ITEM_OPERATOR, // from then on operators see to `a` percent of what is parked, within `b` ms, without much care
    ITEM_ROLLBACK, // an instance starts again as an older release, which does not know the newest flows
    ITEM_LURKER,   // from then on somebody hunts steps in state `b` of sagas of status `a`; what for is `c`
    ITEM_KINDS
};

enum store_trouble {
    STORE_AWAY,    // nothing answers for a while
    STORE_CROWDED, // deadlocks: some commits and reads fail and succeed when they are tried again
    STORE_IS_FULL, // for a while
    STORE_ODD,     // refuses single batches for no reason that lasts
    STORE_LANDED,  // the next commit takes place, but its answer is lost
    STORE_LOST,    // the next commit does not take place, and nobody knows
    STORE_PENDING, // the next commit is still under way when its connection is lost
    STORE_SLOW,    // for a while
    STORE_BLIND,   // reads fail for a while
    STORE_TROUBLES
};

enum death {
    DIE_NOW,
    DIE_BEFORE_COMMIT,
    DIE_AFTER_COMMIT, // it took place, and nobody heard of it
    DIE_AT_SEND,      // at the `b`th message that it sends from now on, in the middle of whatever it does
    DIE_AT_REPLY,     // at the `b`th answer that it gives to a caller
    DEATHS
};

struct item {
    enum item_kind kind;
    int64_t at_ms, for_ms;
    int64_t delta_ms;
    uint32_t target;
    uint32_t a, b, c;
};

// What the whole world of a seed is like.
struct shape {
    int64_t chaos_ms; // how long faults and commands come
    uint32_t sagas, subjects;
    uint32_t names;        // of instances
    uint32_t lease_ms;     // 0: none, and there is one instance
    bool siege;            // one flow only, in which much can be on its way at a death
    uint32_t latency_ms;   // of a message, at most, in fair weather
    uint32_t commit_ms;    // of a commit, at most
    uint32_t fates[FATES]; // permille of the keys that fare like that
    uint32_t resident_max, resume_rate, scan_interval_ms, horizon_ms, resume_max;
    uint32_t batch_max;
    struct saga_gate_limits limits; // of each participant
    uint32_t pause_poll_ms, hold_ms;
    bool estate; // subjects go with all of their sagas; and every saga has one
    struct saga_retention_options retention;
    struct saga_patrol_options patrol;
};

struct plan {
    uint64_t seed;
    struct shape shape;
    uint32_t n;
    struct item items[PLAN_ITEMS_MAX];
    bool left_out[PLAN_ITEMS_MAX];
};

void plan_make(struct plan *plan, uint64_t seed);

// An enum saga_act, as often as operators do it.
uint32_t plan_draw_act(struct seeded *dice);

// "3  at 12.400  crash c0: after a commit, back after 0.350"
void plan_describe(const struct plan *plan, uint32_t i, char *out, size_t size);

const char *item_kind_name(enum item_kind kind);

#endif
