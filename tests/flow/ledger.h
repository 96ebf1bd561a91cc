// A participant of the tests' own, by the contract of docs/API.md: each effect once for its key, the same answer again,
// an action after its compensation refused. It outlives the center, and remembers what it was asked.
#ifndef TXC_TESTS_FLOW_LEDGER_H
#define TXC_TESTS_FLOW_LEDGER_H

#include "rpc/server.h"
#include "saga/flow.h"

enum ledger_state { LEDGER_NEVER_SEEN, LEDGER_APPLIED, LEDGER_REJECTED, LEDGER_COMPENSATED };

enum { LEDGER_OPS = SAGA_INQUIRE + 1, LEDGER_KEYS_MAX = 4096 };

struct ledger_key {
    char key[SAGA_KEY_MAX], gid[SAGA_GID_MAX + 1], step[SAGA_NAME_MAX + 1];
    enum ledger_state state;
    unsigned asked[LEDGER_OPS];
    struct str bodies[LEDGER_OPS]; // owned; of the first request
};

struct ledger {
    struct ledger_key *keys[LEDGER_KEYS_MAX];
    size_t n;
    // What becomes of an action that is new; NULL: it takes effect. ERR_OK, or the code of a refusal (STORE_CONFLICT
    // is a definite no, RETRY is not).
    enum err (*judge)(void *ctx, const struct ledger_key *key);
    void *ctx;
};

extern const struct rpc_route ledger_routes[];
extern const size_t n_ledger_routes;

void ledger_release(struct ledger *ledger);

// How many keys of the saga are in this state.
unsigned ledger_count(const struct ledger *ledger, const char *gid, enum ledger_state state);

// What is known of a step's first key; NULL: nothing.
const struct ledger_key *ledger_find(const struct ledger *ledger, const char *gid, const char *step);

#endif
