// The participants' books, kept by whoever looks at the world from outside: what was sent under each key, and what took
// effect.
#ifndef TXC_TESTS_SIMULATION_LEDGER_H
#define TXC_TESTS_SIMULATION_LEDGER_H

#include "base/map.h"
#include "saga/flow.h"
#include "tests/simulation/flows.h"

enum effect_state { EFFECT_NONE, EFFECT_APPLIED, EFFECT_REJECTED, EFFECT_UNDONE };

struct book;

// One idempotency key.
struct effect {
    struct map_node node;
    struct effect *next; // of its saga
    struct book *book;
    const struct sim_flow *flow;
    const struct saga_step *step;
    uint8_t leg, participant;
    uint32_t generation;
    enum effect_state state;
    unsigned applied, undone; // how often
    unsigned sends[3];        // by enum saga_op: from an instance
    unsigned arrivals[3];     // at the participant
    char *bodies[3];          // the first request of each kind
    int64_t amount;           // what it moves
    bool unknown;             // an attempt of the present owner ended without an answer, and was not asked about
    char key[SAGA_KEY_MAX];
};

// All of one saga.
struct book {
    struct map_node node;
    struct effect *first;
    unsigned deaths; // of processes that had resumed it, by its own calls, since it last was seen to survive
    unsigned all_deaths;
    unsigned resumed_name, resumed_life; // the last process that resumed it
    bool fixed;                          // an operator has put right what stood in its way
    char gid[SAGA_GID_MAX + 1];
};

struct ledger {
    struct map effects, books;
    int64_t customers; // what was paid in, less what was paid back
    int64_t participants[8];
};

struct effect *ledger_effect(struct ledger *ledger, const char *key);                // NULL: never sent
struct book *ledger_book(struct ledger *ledger, const char *gid);                    // made when it is new
struct effect *ledger_open(struct ledger *ledger, const char *gid, const char *key); // likewise
void ledger_apply(struct ledger *ledger, struct effect *effect);
void ledger_undo(struct ledger *ledger, struct effect *effect);
void ledger_release(struct ledger *ledger);

#endif
