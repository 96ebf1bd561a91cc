// Operators: what they want of a saga follows from how it looks when they look; when they act, it may look otherwise.
// Before they state what became of a step they make it so at the participant, so that what they state is true.
#ifndef TXC_TESTS_SIMULATION_OPERATOR_H
#define TXC_TESTS_SIMULATION_OPERATOR_H

#include "saga/operate.h"
#include "tests/simulation/client.h"

// What this client, an ITEM_OPERATE, wants.
void operator_decide(struct client *client, enum saga_act act);

// What it asks the engine for; `answer` has room for the one that is stated.
struct saga_operation operator_operation(const struct client *client, char answer[SAGA_ANSWER_MAX + 512]);

// It was answered, definitely.
void operator_answered(const struct client *client);

// A saga was parked: somebody may see to it, sooner or later.
void operator_hears_of_parked(const char *gid);

// Acts in that moment on a leg as it looks now. False: what is to be stated is not so, and can't be made so.
struct operator_strike {
    enum saga_act act;
    enum outcome outcome;
    int64_t at_ms;
    uint32_t number; // among all strikes
};
bool operator_strikes(const struct saga_instance *saga, const struct saga_leg *leg,
                      const struct operator_strike *strike);

// Looks at a saga that has not ended: puts right what stands in its way, and lets it go on.
void operator_help(const struct saga_row *row, uint32_t number);

// Pauses a participant, and lets calls go on after a while.
void operator_hold(const struct item *item, uint32_t number);

// What this client, an ITEM_HOLD, wanted was answered by this process.
void operator_held(const struct client *client, struct center *center, bool done);

// Lets calls go on to every participant that is paused.
void operator_let_go(void);

// For saga_flow.allows and saga_step.ruled.
bool operator_allows(struct saga_turn *turn, const struct saga_ruling *ruling, struct error *error);

// What an audit row says of a leg: whether this action was done to it while it was in this state (0: in any).
enum { IN_ANY_STATE = 0 };
bool operator_did(const struct saga_instance *saga, const struct saga_leg *leg, enum saga_act act, unsigned state);
bool operator_terminated(const char *gid);

#endif
