// What an operator may say of a trade's steps: that one counts as done (SKIP), or what became of it (RESOLVE).
#ifndef TXC_FLOWS_TRADE_RULING_H
#define TXC_FLOWS_TRADE_RULING_H

#include "adapters/adapter.h"
#include "saga/turn.h"

// A rule for a step's action or compensation. What has none may be skipped, and is resolved with whatever is said.
struct ruling_rule {
    uint16_t step_id; // 0 ends the list
    enum saga_op op;
    const char *no_skip; // why it can't be skipped, and what to do instead; NULL: it can
    // Whose answer the flow looks at: RESOLVE with OK must bring one, or (`optional`) may. NULL: none is looked at.
    const struct adapter_method *answers;
    bool optional;
    // Whether the answer, which has what the method's answers must bring, can be true of this trade; NULL: any.
    bool (*fits)(struct saga_turn *turn, const ProtobufCMessage *answer);
};

// What most of those who can't skip a step are to do instead.
#define RULING_RESOLVE_OR_COMPENSATE "resolve the step, or compensate the saga"
#define RULING_RESOLVE_THERE "see to it there, and resolve the step"

// For saga_flow.allows.
bool ruling_allowed(const struct ruling_rule *rules, struct saga_turn *turn, const struct saga_ruling *ruling,
                    struct error *error);

#endif
