#include "tests/saga/hand.h"

#include "saga/journal.h"
#include "tests/cmocka.h"

#include <stdlib.h>

const struct saga_machine hand_machine = {
    .patience = {[SAGA_QUICK] = {.first_ms = 100, .max_ms = 1000, .attempts = 3},
                 [SAGA_STUBBORN] = {.first_ms = 200, .max_ms = 400, .attempts = 2},
                 [SAGA_LEISURELY] = {.first_ms = 500, .max_ms = 500, .attempts = 2}},
};

enum { BEGUN_MS = 1000 };

static void set_limit(struct hand *hand) {
    hand->saga.limit_ms = hand->flow->limit_ms ? BEGUN_MS + (int64_t)hand->flow->limit_ms : 0;
}

void hand_init(struct hand *hand, const struct saga_flow *flow) {
    *hand = (struct hand){.machine = hand_machine, .flow = flow, .now_ms = BEGUN_MS};
    struct error error = {0};
    buf_init(&hand->effects, 16384);
    if (!saga_flow_valid(flow, &error) || !saga_instance_init(&hand->saga, flow, STR("gid"), NULL, STR_NONE, &error))
        fail_msg("%s", error.text);
    set_limit(hand);
}

void hand_release(struct hand *hand) {
    saga_instance_release(&hand->saga);
    buf_release(&hand->effects);
    free((void *)(uintptr_t)hand->stored.ptr);
}

// ---- Names --------------------------------------------------------------------------------------------------------

static void put_leg(struct buf *out, const struct saga_leg *leg) {
    buf_printf(out, "%s", leg->step->name);
    if (leg->leg > 0)
        buf_printf(out, ".%u", leg->leg);
}

void hand_picture(const struct hand *hand, struct buf *out) {
    buf_printf(out, "%s%s", saga_status_name(hand->saga.status), hand->saga.paused ? " paused" : "");
    for (uint8_t i = 0; i < hand->saga.n_legs; i++) {
        const struct saga_leg *leg = &hand->saga.legs[i];
        if (leg->state == LEG_IDLE)
            continue;
        buf_byte(out, ' ');
        put_leg(out, leg);
        buf_printf(out, "=%s%s", leg_state_name(leg->state), leg->kept.came ? "+kept" : "");
    }
}

uint8_t hand_leg(const struct hand *hand, struct str name) {
    struct buf text;
    buf_init(&text, 100);
    for (uint8_t i = 0; i < hand->saga.n_legs; i++) {
        buf_clear(&text);
        put_leg(&text, &hand->saga.legs[i]);
        if (str_eq(buf_str(&text), name)) {
            buf_release(&text);
            return i;
        }
    }
    fail_msg("no leg is called %.*s", STR_FMT(name));
    return 0;
}

static void put_effect(struct hand *hand, const struct saga_effect *effect) {
    static const char *const calls[] = {[SAGA_ACTION] = "call", [SAGA_COMPENSATE] = "undo", [SAGA_INQUIRE] = "inquire"};
    static const char *const names[] = {
        [SAGA_FX_COMMIT] = "commit",   [SAGA_FX_ASK] = "ask",           [SAGA_FX_DECIDE] = "decide",
        [SAGA_FX_CHILD] = "child",     [SAGA_FX_REVERSED] = "reversed", [SAGA_FX_PARKED] = "parked",
        [SAGA_FX_ATTEMPT] = "attempt", [SAGA_FX_ENDED] = "ended",       [SAGA_FX_KEPT] = "kept"};
    struct buf *out = &hand->effects;
    if (effect->kind == SAGA_FX_COMMIT)
        return; // written last, once
    if (out->len > 0)
        buf_byte(out, ' ');
    buf_printf(out, "%s", effect->kind == SAGA_FX_CALL ? calls[effect->op] : names[effect->kind]);
    if (effect->kind == SAGA_FX_REVERSED || effect->kind == SAGA_FX_ENDED)
        return;
    buf_byte(out, ' ');
    put_leg(out, &hand->saga.legs[effect->leg]);
}

// ---- What must hold -----------------------------------------------------------------------------------------------

static void check(const struct hand *hand) {
    const struct saga_instance *saga = &hand->saga;
    struct error error = {0};
    if (!saga_instance_valid(saga, &error))
        fail_msg("%s", error.text);
    for (uint8_t i = 0; i < saga->n_legs; i++) {
        const struct saga_leg *leg = &saga->legs[i];
        if (saga_leg_in_flight(leg) != hand->out[i] && saga->status != SAGA_TERMINATED)
            fail_msg("step %s is %s, and %s", leg->step->name, leg_state_name(leg->state),
                     hand->out[i] ? "a call is out" : "no call is out");
    }
    if (saga_status_ended(saga->status))
        assert_true(saga_instance_due(saga) == INT64_MAX);
    else if (saga_instance_due(saga) != 0) // something waits, or an operator has to
        assert_true(saga_instance_timer(saga) < INT64_MAX || saga_instance_parked(saga) || saga->paused);
}

static void send(struct hand *hand, const struct saga_effect *effect) {
    const struct saga_leg *leg = &hand->saga.legs[effect->leg];
    assert_false(hand->out[effect->leg]);
    hand->out[effect->leg] = true;
    hand->op[effect->leg] = effect->op;
    if (effect->op == SAGA_COMPENSATE)
        assert_int_equal(hand->stored_status, SAGA_COMPENSATING);
    if (leg->step->kind == SAGA_RETRIABLE)
        assert_int_equal(hand->stored_status, SAGA_FORWARD);
    if (hand->sent)
        hand->sent(hand, effect->leg, effect->op);
}

static void store(struct hand *hand) {
    struct arena arena;
    struct str bytes;
    struct error error = {0};
    arena_init(&arena, SAGA_RECORD_MAX);
    if (!saga_journal_encode(&hand->saga, &arena, &bytes, &error))
        fail_msg("%s", error.text);
    free((void *)(uintptr_t)hand->stored.ptr);
    hand->stored = saga_copy_bytes(bytes);
    hand->stored_status = hand->saga.status;
    arena_release(&arena);
}

// ---- Events -------------------------------------------------------------------------------------------------------

static void run(struct hand *hand, const struct saga_event *event);

static void decide(struct hand *hand, uint8_t leg) {
    struct saga_event event = {.kind = SAGA_EV_DECIDED, .now_ms = hand->now_ms, .leg = leg};
    const struct saga_leg *of = &hand->saga.legs[leg];
    event.verdict = hand->decide ? hand->decide(hand, leg) : hand->verdicts[leg];
    if (of->state != LEG_WAITING && !saga_leg_may_come_right(of))
        return;
    run(hand, &event);
}

// What the driver does with an answer that was kept: it comes now.
static void give_kept(struct hand *hand, uint8_t leg) {
    struct saga_leg *of = &hand->saga.legs[leg];
    struct leg_kept kept = saga_leg_take_kept(of);
    struct saga_event event = {.kind = SAGA_EV_ANSWERED,
                               .now_ms = hand->now_ms,
                               .random = hand->random,
                               .leg = leg,
                               .op = saga_leg_op(of),
                               .outcome = kept.outcome,
                               .never_seen = kept.never_seen,
                               .code = of->code,
                               .answer = kept.answer};
    run(hand, &event);
    free((void *)(uintptr_t)kept.answer.ptr);
}

static void run(struct hand *hand, const struct saga_event *event) {
    bool ended = saga_status_ended(hand->saga.status);
    struct saga_effects effects;
    effects.n = 0;
    saga_machine_apply(&hand->machine, &hand->saga, event, &effects);
    assert_true(!ended || effects.n == 0);
    for (uint16_t i = 0; i < effects.n; i++) {
        put_effect(hand, &effects.list[i]);
        switch (effects.list[i].kind) {
        case SAGA_FX_COMMIT: hand->commits = true; break;
        case SAGA_FX_CALL:
        case SAGA_FX_ASK: hand->sends[hand->n_sends++] = effects.list[i]; break;
        case SAGA_FX_DECIDE: decide(hand, effects.list[i].leg); break;
        case SAGA_FX_KEPT: give_kept(hand, effects.list[i].leg); break;
        default: break;
        }
    }
}

static void apply(struct hand *hand, const struct saga_event *event) {
    buf_clear(&hand->effects);
    hand->commits = false;
    hand->n_sends = 0;
    run(hand, event);
    if (hand->commits) {
        store(hand);
        buf_printf(&hand->effects, "%scommit", hand->effects.len ? " " : "");
    }
    for (uint16_t i = 0; i < hand->n_sends; i++)
        send(hand, &hand->sends[i]);
    check(hand);
}

static struct saga_event event_of(const struct hand *hand, enum saga_event_kind kind) {
    return (struct saga_event){.kind = kind, .now_ms = hand->now_ms, .random = hand->random};
}

void hand_apply(struct hand *hand, enum saga_event_kind kind) {
    struct saga_event event = event_of(hand, kind);
    event.code = ERR_RESUMED_TOO_OFTEN;
    event.text = "why";
    apply(hand, &event);
    if (kind == SAGA_EV_TIMER) // or the timer would fire again at once, and for ever
        assert_true(saga_instance_timer(&hand->saga) > hand->now_ms);
}

static const enum err codes[] = {ERR_OK, ERR_PARTICIPANT_REJECTED, ERR_PARTICIPANT_UNAVAILABLE, ERR_PARTICIPANT_SILENT};

// The end of the call that the leg has out.
static struct saga_event end_of(struct hand *hand, uint8_t leg, enum saga_event_kind kind) {
    struct saga_event event = event_of(hand, kind);
    assert_true(hand->out[leg]);
    hand->out[leg] = false;
    event.leg = leg;
    event.op = hand->op[leg];
    return event;
}

void hand_answer(struct hand *hand, uint8_t leg, enum outcome outcome, bool never_seen, struct str answer) {
    struct saga_event event = end_of(hand, leg, SAGA_EV_ANSWERED);
    event.outcome = outcome;
    event.never_seen = never_seen;
    event.code = codes[outcome];
    event.answer = answer;
    apply(hand, &event);
}

void hand_tried(struct hand *hand, uint8_t leg, enum outcome outcome, int64_t until_ms) {
    struct saga_event event = end_of(hand, leg, SAGA_EV_ANSWERED);
    event.outcome = outcome;
    event.code = codes[outcome];
    event.uncounted = true;
    event.until_ms = until_ms;
    apply(hand, &event);
}

void hand_held(struct hand *hand, uint8_t leg, int64_t until_ms) {
    struct saga_event event = end_of(hand, leg, SAGA_EV_HELD);
    event.code = ERR_PARTICIPANT_HELD;
    event.since_ms = hand->now_ms;
    event.until_ms = until_ms;
    apply(hand, &event);
}

static void rule(struct hand *hand, enum saga_event_kind kind, uint8_t leg, enum outcome outcome) {
    struct saga_event event = event_of(hand, kind);
    event.leg = leg;
    event.outcome = outcome;
    event.answer = STR("said");
    event.text = "why";
    hand->out[leg] = hand->out[leg] && saga_operator_refusal(&hand->saga, &event);
    apply(hand, &event);
}

void hand_skip(struct hand *hand, uint8_t leg) {
    rule(hand, SAGA_EV_SKIP, leg, OUTCOME_OK);
}

void hand_resolve(struct hand *hand, uint8_t leg, enum outcome outcome) {
    rule(hand, SAGA_EV_RESOLVE, leg, outcome);
}

const char *hand_refusal(const struct hand *hand, enum saga_event_kind kind, uint8_t leg, enum outcome outcome) {
    const struct saga_event event = {.kind = kind, .leg = leg, .outcome = outcome};
    return saga_operator_refusal(&hand->saga, &event);
}

void hand_child(struct hand *hand, uint8_t leg, enum leg_child end) {
    assert_int_equal(hand->saga.legs[leg].child, CHILD_STARTED);
    hand->saga.legs[leg].child = end;
    hand_apply(hand, SAGA_EV_POKED);
}

void hand_reload(struct hand *hand, enum saga_event_kind kind) {
    struct error error = {0};
    saga_instance_release(&hand->saga);
    hand->saga = (struct saga_instance){.flow = hand->flow, .status = hand->stored_status, .gid = "gid"};
    if (!saga_journal_decode(hand->stored, &hand->saga, &error))
        fail_msg("%s", error.text);
    set_limit(hand);
    memset(hand->out, 0, sizeof hand->out);
    hand_apply(hand, kind);
}
