// One world: the machine, the driver and the store as they are, in one or several processes over one disk; participants
// and callers as models; a network, a clock and chance that belong to the seed. Everything happens in events of one
// queue of virtual time; two events of one millisecond in the order in which they were set.
#ifndef TXC_TESTS_SIMULATION_WORLD_H
#define TXC_TESTS_SIMULATION_WORLD_H

#include "saga/machine.h"
#include "store/backend.h"
#include "tests/simulation/flows.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/lurker.h"
#include "tests/simulation/plan.h"
#include "tests/simulation/plant.h"
#include "tests/simulation/trace.h"
#include "tests/time/virtual_time.h"

enum {
    SIM_NAMES_MAX = 3,
    SIM_NOBODY = SIM_NAMES_MAX,
    SIM_TABLES_MAX = 16,
    REPORT_RULE_MAX = 24,
    REPORT_TEXT_MAX = 600,
    REPORT_TAIL_MAX = 16384
};

struct center;
struct client;
struct exchange;

// How a seed ended, where others can read it when the process that played it is gone.
struct report {
    uint64_t seed;
    bool broken;
    char rule[REPORT_RULE_MAX];
    char text[REPORT_TEXT_MAX];
    char tail[REPORT_TAIL_MAX];
};

// What a seed came to.
struct tally {
    uint64_t seeds, events, sagas, succeeded, failed, terminated, commits, sends, deaths, taken_over, deleted, retries,
        virtual_ms;
};

struct sim_participant {
    unsigned down; // outages at present
    bool refuses;
};

struct weather {
    uint32_t lost_percent, twice_percent, late_ms;
};

struct world {
    uint64_t seed;
    const struct plan *plan;
    const struct shape *shape;
    enum plant plant;
    struct virtual_time time;
    struct trace trace;
    struct report *report;
    struct tally tally;
    struct sim_flows flows;
    struct ledger ledger;
    struct sim_participant participants[PLAN_PARTICIPANTS];
    struct store_backend *disk;
    struct backend_conn *view; // what is durable
    struct arena view_rows;
    const struct store_table *tables[SIM_TABLES_MAX];
    struct center *centers;                // every process that lives
    struct center *current[SIM_NAMES_MAX]; // the last one of each name; NULL: it is down
    unsigned lives[SIM_NAMES_MAX];
    int64_t incarnations[SIM_NAMES_MAX]; // the greatest that was claimed
    uint8_t owners[SLOT_COUNT];          // of each slot, as is durable
    struct center *running;              // whose code is running now
    struct client *clients;
    uint32_t helps;             // of operators, so far
    struct exchange *exchanges; // that have not ended everywhere
    struct weather weather;
    const struct item *operators; // how those act who look at what is parked; NULL: there are none
    struct lurkers lurkers;
    int64_t wall_offset_ms, database_offset_ms;
    bool jumped;            // the wall clock
    size_t terminated_gone; // sagas that were terminated and are deleted
    int64_t last_end_ms;    // of a saga or a subject, by whose clock that was
    struct clock database_clock;
    struct {
        unsigned away, full, slow, blind; // troubles of that kind at present
        uint32_t crowded_percent, odd_percent;
        uint32_t unknown; // an enum store_trouble for the next commit; 0: none
        bool pending_lands;
    } store_weather;
    bool calm; // no more faults, and whatever stood in the way was put right
    char gids[PLAN_SAGAS_MAX][SAGA_GID_MAX + 1];
    char subjects[PLAN_SUBJECTS_MAX][SAGA_SUBJECT_MAX + 1];
    struct rpc_timer timers[PLAN_ITEMS_MAX]; // of the items
};

// The one that is being played: the functions of flows have no other way to it.
extern struct world *world_now;

// Plays a seed from its beginning to its end, and checks what must hold. When something does not, the report says what
// and the process ends. `out` NULL: no trace.
void world_play(const struct plan *plan, enum plant plant, FILE *out, struct report *report, struct tally *ret_tally,
                uint64_t *ret_digest);

// A rule does not hold. Fills in the report and ends the process.
enum { EXIT_BROKEN = 41 };
_Noreturn void world_broken(const char *rule, const char *format, ...) __attribute__((format(printf, 2, 3)));

void world_trace(const char *who, const char *format, ...) __attribute__((format(printf, 2, 3)));

int64_t world_now_ms(void); // virtual time since the beginning

// What follows the first '/' of a gid or a key: the rest is the same for all of one subject.
const char *world_short(const char *gid);

// The fate that a number stands for, as often as the world's shape says.
enum fate world_fate(uint64_t number);

// What saga number k is; drawn from the seed.
struct saga_traits {
    uint8_t flow;
    int32_t subject; // -1: none
    int64_t amount;
};
struct saga_traits world_saga(uint32_t k);

#endif
