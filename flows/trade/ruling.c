#include "flows/trade/ruling.h"

enum { ANSWER_ARENA_MAX = 1 << 20 };

static const struct ruling_rule *rule_of(const struct ruling_rule *rules, const struct saga_turn *turn,
                                         const struct saga_ruling *ruling) {
    uint16_t step_id = saga_turn_step(turn)->id;
    for (; rules->step_id; rules++)
        if (rules->step_id == step_id && rules->op == ruling->op)
            return rules;
    return NULL;
}

static bool answer_allowed(const struct ruling_rule *rule, struct saga_turn *turn, struct str bytes,
                           struct error *error) {
    const char *type = rpc_method_response(&rule->answers->method)->name;
    struct arena arena;
    if (str_empty(bytes)) {
        if (!rule->optional)
            error_field(error, "answer", "must be a %s", type);
        return rule->optional;
    }
    arena_init(&arena, ANSWER_ARENA_MAX);
    const ProtobufCMessage *answer = adapter_decode_answer(bytes, rule->answers, &arena);
    if (!answer)
        error_field(error, "answer", "must be a %s with all that one brings", type);
    else if (rule->fits && !rule->fits(turn, answer))
        error_field(error, "answer", "can't be the answer to what was asked for this trade");
    arena_release(&arena);
    return !error_is(error);
}

bool ruling_allowed(const struct ruling_rule *rules, struct saga_turn *turn, const struct saga_ruling *ruling,
                    struct error *error) {
    const struct ruling_rule *rule = rule_of(rules, turn, ruling);
    if (rule && ruling->act == SAGA_ACT_SKIP && rule->no_skip)
        return error_set(error, ERR_SAGA_STATE, "%s can't be skipped: %s", saga_turn_step(turn)->name, rule->no_skip);
    bool answers = ruling->act == SAGA_ACT_RESOLVE && ruling->outcome == OUTCOME_OK;
    return !(rule && answers && rule->answers) || answer_allowed(rule, turn, ruling->answer, error);
}
