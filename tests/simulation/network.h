// Calls on their way: requests and answers that are late, lost, doubled or overtaken, and deadlines. And at the other
// end the participants, which keep their contract: one effect a key, repeats answered alike, a compensation without its
// action marks the key, what was compensated is refused. They forget what was not yet synced when they die, and answer
// nothing before it is.
#ifndef TXC_TESTS_SIMULATION_NETWORK_H
#define TXC_TESTS_SIMULATION_NETWORK_H

#include "saga/call.h"
#include "tests/simulation/ledger.h"

struct center;

// What a call's function does: sends this request.
void network_send(struct center *center, struct saga_call *call, const char *body);

// The participant's entry for a leg, made when it is new: its key may be called later.
struct effect *network_effect(const struct saga_instance *saga, const struct saga_leg *leg);

// Whether the call that the leg has on its way will be refused, as far as it is up to its participant.
bool network_refuses(const struct saga_instance *saga, const struct saga_leg *leg);

// Another process takes over from this one, or will: what became of its actions that are under way is not known.
void network_unknown(const struct center *center);

// The process is gone: its calls end, its requests that are under way still arrive.
void network_forget(struct center *center);

// A participant dies, and with it what it has received and not yet synced; or comes back.
void network_participant_dies(unsigned participant, bool refuses);
void network_participant_returns(unsigned participant);

// What a key's action is answered, always alike.
struct str network_answer_of(const struct effect *effect, char out[SAGA_ANSWER_MAX + 512]);

void network_release(void);

#endif
