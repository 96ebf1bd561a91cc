#include "flows/trade/effect.h"

#include "flows/trade/view.h"

#include <stdlib.h>

struct adapter_effect effect_of(const struct saga_call *call) {
    const struct trade_row *row = &effect_trade(call)->row;
    return (struct adapter_effect){
        .key = saga_call_key(call),
        .gid = saga_call_gid(call),
        .step = saga_call_step(call)->name,
        .trade_no = row->trade_no,
        .order_no = row->order_no,
        .deadline_ms = saga_call_deadline_ms(call),
        .request_id = row->call_id,
        .traceparent = row->traceparent,
    };
}

struct adapter_effect effect_under(const struct saga_call *call, const struct effect_whose *whose) {
    struct adapter_effect effect = effect_of(call);
    effect.key = whose->key;
    effect.gid = whose->gid;
    return effect;
}

struct adapter_effect effect_of_step(const struct saga_call *call, const struct saga_flow *flow, uint16_t step_id,
                                     uint32_t generation, struct effect_whose *whose) {
    saga_key(whose->gid, step_id, saga_call_leg(call), generation, whose->key);
    struct adapter_effect effect = effect_under(call, whose);
    for (uint8_t i = 0; i < flow->n_steps; i++)
        if (flow->steps[i].id == step_id)
            effect.step = flow->steps[i].name;
    return effect;
}

Txcenter__Type__V1__Money effect_money(const struct trade *trade, int64_t minor) {
    Txcenter__Type__V1__Money money = TXCENTER__TYPE__V1__MONEY__INIT;
    money.currency = view_text(trade->row.currency);
    money.minor_units = minor;
    return money;
}

static void done(struct saga_call *call, const struct adapter_answer *answer, struct str kept) {
    if (answer->never_seen)
        saga_call_never_seen(call);
    else
        saga_call_done(call, answer->outcome, answer->code, answer->reason, answer->text, kept);
}

void effect_done(void *call, const struct adapter_answer *answer) {
    if (answer->outcome == OUTCOME_OK && answer->bytes.len > SAGA_ANSWER_MAX) {
        // What it did can't be kept, so it must not count as known: the step turns round or parks by its policy.
        saga_call_done(call, OUTCOME_UNKNOWN, ERR_PARTICIPANT_BROKEN, NULL, "the answer is too large", STR_NONE);
        return;
    }
    done(call, answer, answer->bytes);
}

void effect_done_bare(void *call, const struct adapter_answer *answer) {
    done(call, answer, STR_NONE);
}

void effect_done_unless_cancelled(void *call, const struct adapter_answer *answer) {
    if (answer->outcome == OUTCOME_REJECTED && strcmp(answer->reason, EFFECT_CANCELLED) == 0)
        saga_call_ok(call, STR_NONE);
    else
        effect_done(call, answer);
}

void effect_done_as_short(void *call, const struct adapter_answer *answer) {
    Txcenter__Trade__V1__Shortfall shortfall = TXCENTER__TRADE__V1__SHORTFALL__INIT;
    uint8_t bytes[SAGA_CODE_MAX + SAGA_TEXT_MAX + 16];
    char reason[SAGA_CODE_MAX], text[SAGA_TEXT_MAX];
    if (answer->outcome != OUTCOME_REJECTED || strcmp(answer->reason, EFFECT_CANCELLED) == 0) {
        effect_done_bare(call, answer);
        return;
    }
    str_fit(str_c(answer->reason), reason, sizeof reason);
    str_fit(str_c(answer->text), text, sizeof text);
    shortfall.reason = reason;
    shortfall.text = text;
    saga_call_ok(call, str_n(bytes, txcenter__trade__v1__shortfall__pack(&shortfall, bytes)));
}

// Until the answer is there: the trade may be gone by then.
struct expecting {
    struct saga_call *call;
    struct effect_expected expected;
    char currency[4];
};

void *effect_expecting(struct saga_call *call, const struct effect_expected *expected) {
    struct expecting *expecting = malloc(sizeof *expecting);
    if (!expecting)
        abort();
    *expecting = (struct expecting){.call = call, .expected = *expected};
    memcpy(expecting->currency, effect_trade(call)->row.currency, sizeof expecting->currency);
    return expecting;
}

void effect_done_as_expected(void *ctx, const struct adapter_answer *answer) {
    struct expecting expecting = *(struct expecting *)ctx;
    const struct effect_expected *expected = &expecting.expected;
    free(ctx);
    if (answer->outcome == OUTCOME_OK && !answer->never_seen &&
        !expected->is(answer->message, expected->amount, expecting.currency))
        saga_call_done(expecting.call, OUTCOME_UNKNOWN, ERR_PARTICIPANT_BROKEN, NULL, expected->otherwise, STR_NONE);
    else
        expected->done(expecting.call, answer);
}

void effect_unreadable(struct saga_call *call) {
    saga_call_done(call, OUTCOME_UNKNOWN, ERR_STORE_CORRUPT, NULL, "the quote that was ordered can't be read",
                   STR_NONE);
}

const void *effect_answer(struct str bytes, const ProtobufCMessageDescriptor *type, struct arena *arena) {
    return str_empty(bytes) ? NULL : adapter_decode(bytes, type, arena);
}
