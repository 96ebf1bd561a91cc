// Between the engine and the adapters: a step's call becomes a participant's call, and its answer the step's answer.
#ifndef TXC_FLOWS_TRADE_EFFECT_H
#define TXC_FLOWS_TRADE_EFFECT_H

#include "flows/trade/internal.h"

static inline struct trade *effect_trade(const struct saga_call *call) {
    return trade_of(saga_call_subject(call));
}
static inline struct adapters *effect_adapters(const struct saga_call *call) {
    return effect_trade(call)->trades->options.adapters;
}

// The effect of this call: its key, gid, step, and the trade's numbers.
struct adapter_effect effect_of(const struct saga_call *call);

// adapter_done_fn for a saga_call: keeps the encoded answer.
void effect_done(void *call, const struct adapter_answer *answer);

// The same for steps that nobody reads the answer of: keeps nothing.
void effect_done_bare(void *call, const struct adapter_answer *answer);

// As effect_done, but a rejection with code CANCELLED is done too, with an empty answer: a refund took it back before
// it came, so it never happens (E4).
void effect_done_unless_cancelled(void *call, const struct adapter_answer *answer);

// Decodes a kept answer of an effect into the arena; NULL when it is empty or no such message.
const void *effect_answer(struct str bytes, const ProtobufCMessageDescriptor *type, struct arena *arena);

#endif
