// Callers: front ends that start sagas, gateways that tell of payments and signals, operators. Each wants one thing,
// and asks for it again under the same request id until it gets a definite answer. What was acknowledged must stay
// true.
#ifndef TXC_TESTS_SIMULATION_CLIENT_H
#define TXC_TESTS_SIMULATION_CLIENT_H

#include "rpc/timers.h"
#include "saga/flow.h"
#include "tests/simulation/plan.h"

struct center;

// One who wants something.
struct client {
    struct client *next;
    enum item_kind kind;
    uint32_t number;
    char gid[SAGA_GID_MAX + 1];
    char request_id[32];
    char name[SAGA_NAME_MAX + 1]; // of a signal
    char body[128];
    uint32_t saga;
    struct {
        enum saga_act act;
        enum outcome outcome;
        char step[SAGA_NAME_MAX + 1];
        uint8_t leg;
        char key[SAGA_KEY_MAX]; // whose answer is stated; empty: none
    } operation;
    int64_t for_ms; // of a hold
    struct rpc_timer timer;
    unsigned asked, under_way;  // how often; of these, without an answer
    bool acknowledged, refused; // a definite answer, either way
    bool early;                 // it was refused while it was asked for elsewhere, too
    bool again;                 // asks once more afterwards
    bool waited;                // for long before that
    int hint;                   // whose the slot is, as it was told: it asks there next; -1: none
    enum err code;
};

// Sends off what the item wants.
void client_begin(const struct item *item, uint32_t number);

// Another one, whose timer is set for now.
struct client *client_new(enum item_kind kind, const char *gid, uint32_t number);

static inline bool client_wants_nothing(const struct client *client) {
    return client->acknowledged || client->refused;
}

static inline bool client_is_operator(const struct client *client) {
    return client->kind == ITEM_OPERATE || client->kind == ITEM_HOLD;
}

// Whoever is responsible sends a signal at last.
void client_signal(const char *gid, const char *name, uint32_t number);

// The process is gone: whoever waits for it asks another one later.
void client_forget(struct center *center);

// Whether everybody has a definite answer.
bool clients_are_done(void);

// What was acknowledged is still so.
void clients_check(void);

// Whether the saga was acknowledged as started.
bool client_was_started(uint32_t saga);

void clients_release(void);

#endif
