// Between the engine and the adapters: a step's call becomes a participant's call, and its answer the step's answer.
#ifndef TXC_FLOWS_TRADE_EFFECT_H
#define TXC_FLOWS_TRADE_EFFECT_H

#include "flows/trade/internal.h"

// How long a participant has to answer: while somebody waits for it, and what may follow later.
enum { EFFECT_SOON_MS = 3000, EFFECT_LATER_MS = 5000 };

// Whoever a decision waits for pokes it; should that be lost with the process, this is how late it is noticed: while an
// order waits to be closed, and else.
enum { EFFECT_CLOSING_LOOK_MS = 30000, EFFECT_LOOK_MS = 60000 };

static inline struct trade *effect_trade(const struct saga_call *call) {
    return trade_of(saga_call_subject(call));
}
static inline struct adapters *effect_adapters(const struct saga_call *call) {
    return effect_trade(call)->trades->options.adapters;
}

// The effect of this call: its key, gid, step, and the trade's numbers.
struct adapter_effect effect_of(const struct saga_call *call);

struct effect_whose {
    char gid[TRADE_GID_MAX];
    char key[SAGA_KEY_MAX];
};
// The effect of this call under another's gid and key, as its compensation's is.
struct adapter_effect effect_under(const struct saga_call *call, const struct effect_whose *whose);

// The effect of a step of another saga, whose gid is in `whose`, or of this one: what is sent for it says the same,
// whichever saga sends it, so that it is a repeat. Its key is filled in. What can be undone is never tried under
// another key: of such a step `generation` is 1.
struct adapter_effect effect_of_step(const struct saga_call *call, const struct saga_flow *flow, uint16_t step_id,
                                     uint32_t generation, struct effect_whose *whose);

// So many minor units in the trade's currency, for a request; borrowed from the trade.
Txcenter__Type__V1__Money effect_money(const struct trade *trade, int64_t minor);

// adapter_done_fn for a saga_call: keeps the encoded answer.
void effect_done(void *call, const struct adapter_answer *answer);

// The same for steps that nobody reads the answer of: keeps nothing.
void effect_done_bare(void *call, const struct adapter_answer *answer);

// As effect_done, but a rejection with code EFFECT_CANCELLED is done too, with an empty answer: a refund took it back
// before it came, so it never happens (E4).
#define EFFECT_CANCELLED "CANCELLED" // the participants' word for a key whose compensation came first
void effect_done_unless_cancelled(void *call, const struct adapter_answer *answer);

// As effect_done_bare, for what may be gone when it is asked for: a definite no is done too, and its answer says what
// was missing (shortfall.h). But for a key that was cancelled: that is about the key, not about what is asked for.
void effect_done_as_short(void *call, const struct adapter_answer *answer);

// For steps whose answer must come to what was asked for: as `done`, but an answer that says something else is not
// understood, and what was done is unknown.
//   card_confirm(…, effect_done_as_expected, effect_expecting(call, &(struct effect_expected){…}))
struct effect_expected {
    bool (*is)(const ProtobufCMessage *answer, int64_t amount, const char *currency);
    int64_t amount;        // in the trade's currency
    const char *otherwise; // what is said of an answer that is not; lives for ever
    adapter_done_fn *done; // effect_done, …
};
void *effect_expecting(struct saga_call *call, const struct effect_expected *expected);
void effect_done_as_expected(void *expecting, const struct adapter_answer *answer);

// Ends a call that can't be made: what it is to say can't be read of what the order has kept. Whether it is done is not
// known then, so the step is tried again, and parks.
void effect_unreadable(struct saga_call *call);

// Decodes a kept answer of an effect into the arena; NULL when it is empty or no such message.
const void *effect_answer(struct str bytes, const ProtobufCMessageDescriptor *type, struct arena *arena);

#endif
