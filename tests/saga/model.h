// A participant as the participants' contract says, scripted: it keeps what it did for each idempotency key, and
// answers repeats alike. A plan makes single requests fail in the ways of a network. It outlives the engine.
#ifndef TXC_TESTS_SAGA_MODEL_H
#define TXC_TESTS_SAGA_MODEL_H

#include "base/map.h"
#include "saga/call.h"
#include "tests/time/virtual_time.h"

enum model_state { MODEL_UNSEEN, MODEL_APPLIED, MODEL_REJECTED, MODEL_COMPENSATED };

// What the participant knows of one key.
struct model_key {
    struct map_node node;
    char key[SAGA_KEY_MAX];
    enum model_state state;
    unsigned effects, undone;            // how often the action, its compensation took effect
    unsigned requests[SAGA_INQUIRE + 1]; // how often each was asked for
    char *bodies[SAGA_INQUIRE + 1];      // the first request's bytes
};

enum model_fate {
    MODEL_OK,
    MODEL_REFUSE,       // a definite no, which is remembered
    MODEL_AGAIN,        // did nothing: try again
    MODEL_NO_ROOM,      // was not even sent: there was no room for it on the caller's side
    MODEL_LOST_REQUEST, // never arrives; no answer
    MODEL_LOST_ANSWER,  // takes effect; no answer
    MODEL_LATE,         // no answer; arrives `ms` after the deadline
    MODEL_SLOW,         // takes effect; answers after `ms`
    MODEL_HANGS,        // arrives, and the call does not end
    MODEL_KILLS,        // the process dies of it
};

enum { MODEL_PLANS_MAX = 32 };

struct model_plan {
    const char *step; // its name
    enum saga_op op;
    enum model_fate fate;
    unsigned times; // that it still applies
    int64_t ms;
};

struct request;

struct model {
    struct virtual_time *time;
    struct map keys;
    struct request *requests; // that have not ended
    struct model_plan plans[MODEL_PLANS_MAX];
    unsigned n_plans;
    unsigned sent; // calls so far
    // Looks at a call at the moment it is sent.
    void (*watch)(void *ctx, struct saga_call *call, const char *body);
    // MODEL_KILLS.
    void (*die)(void *ctx);
    void *ctx;
};

void model_init(struct model *model, struct virtual_time *time);
// After the engine and the virtual time were released.
void model_release(struct model *model);

// The next `times` requests of that kind fare like this; plans for the same kind apply one after the other.
void model_plan(struct model *model, const char *step, enum saga_op op, enum model_fate fate, unsigned times,
                int64_t ms);

// Sends a call with this body.
void model_send(struct model *model, struct saga_call *call, const char *body);

// NULL: never seen.
struct model_key *model_key(const struct model *model, const char *key);
enum model_state model_state(const struct model *model, const char *key);
unsigned model_requests(const struct model *model, const char *key, enum saga_op op);

#endif
