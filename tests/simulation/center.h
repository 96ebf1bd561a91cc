// One process of the center: the real engine over the real store, without threads, and everything of it that dies with
// it. A process has a name; a later process of the same name takes it over.
#ifndef TXC_TESTS_SIMULATION_CENTER_H
#define TXC_TESTS_SIMULATION_CENTER_H

#include "saga/request.h"
#include "tests/simulation/limits.h"
#include "tests/simulation/plan.h"
#include "tests/simulation/subject.h"
#include "tests/simulation/world.h"

struct attempt;
struct disk;

struct center {
    struct center *next;
    unsigned name, life;
    char label[16]; // "c0", with the number of its life
    struct clock clock;
    int64_t wall_offset_ms; // of its clock; fixed when it starts
    bool older;             // release
    struct store *store;
    struct disk *disk; // its store's backend
    struct saga_engine *engine;
    struct requests *requests;
    struct subjects subjects;
    struct attempt *attempts; // commands that it has and has not answered
    struct limit limits[PLAN_PARTICIPANTS];
    struct limit_reading reading;
    uint32_t pauses; // changes of what it knows
    struct seeded dice;
    struct rpc_timer alarm, pump, poll;
    bool woken;              // something is to be delivered
    int64_t paused_until_ms; // stands still; 0: does not
    bool closes;             // everything was given away: it is closed as soon as control is back
    bool becomes_older;      // and starts again as an older release
    bool leaving;
    struct rpc_timer patience; // to give everything away
    bool dying;                // nothing leaves it any more; it is gone as soon as control is back
    enum death death;          // planned; DIE_NOW: none is
    unsigned death_countdown;
    int64_t back_ms; // after its death until another one starts
};

// Opens the store and starts. NULL when the store can't be opened now.
struct center *center_start(unsigned name, bool older);

// Gives its slots away, and is closed when that is done, or takes too long.
void center_leave_slots(struct center *center, bool becomes_older);

// In order: what is queued is written, whoever waits is told.
void center_close(struct center *center);

// From now on nothing leaves it; world_reap() takes it away.
void center_die(struct center *center, const char *why);
void center_kill(struct center *center);

void center_pause(struct center *center, int64_t for_ms);

// Whether it stands still; the timer is then set for when it no longer does.
bool center_defers(struct center *center, struct rpc_timer *timer);

// Whether no later process of its name has started.
bool center_is_current(const struct center *center);

// Whether it may act for what is in this slot, as is durable: its incarnation is the last one, and the slot is its.
bool center_owns(const struct center *center, unsigned slot);

// Counts one down; true when this is where its death was planned.
bool center_dies_at(struct center *center, enum death where);

// Code of it runs from here to there; afterwards its store has something to do.
struct center *center_enter(struct center *center); // returns who ran before
void center_leave(struct center *center, struct center *before);

const char *center_name(const struct center *center);

#endif
