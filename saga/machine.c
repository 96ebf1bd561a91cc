#include "saga/machine.h"

#include <assert.h>
#include <stdlib.h>

// ---- The table of states ------------------------------------------------------------------------------------------

#define TO(state) (1u << LEG_##state)

static const struct {
    const char *name;
    uint32_t to; // states that it may move to
} states[LEG_STATES] = {
    [LEG_IDLE] = {"idle", TO(RUNNING) | TO(WAITING) | TO(SKIPPED) | TO(PARKED) | TO(INQUIRING) | TO(UNDOING)},
    [LEG_RUNNING] = {"running", TO(DONE) | TO(REJECTED) | TO(RETRYING) | TO(PARKED) | TO(UNDO_PARKED)},
    [LEG_INQUIRING] = {"inquiring", TO(DONE) | TO(REJECTED) | TO(RUNNING) | TO(RETRYING) | TO(PARKED) | TO(UNDOING) |
                                        TO(UNDO_PARKED)},
    [LEG_RETRYING] = {"retrying", TO(RUNNING) | TO(INQUIRING) | TO(REJECTED) | TO(UNDOING) | TO(PARKED)},
    [LEG_WAITING] = {"waiting", TO(DONE) | TO(REJECTED) | TO(ASKING) | TO(SKIPPED) | TO(PARKED) | TO(UNDOING)},
    [LEG_ASKING] = {"asking", TO(WAITING) | TO(SKIPPED) | TO(PARKED)},
    [LEG_DONE] = {"done", TO(UNDOING)},
    [LEG_REJECTED] = {"rejected", 0},
    [LEG_SKIPPED] = {"skipped", 0},
    [LEG_PARKED] = {"parked", TO(RUNNING) | TO(INQUIRING) | TO(WAITING) | TO(REJECTED) | TO(SKIPPED) | TO(UNDOING)},
    [LEG_UNDOING] = {"undoing", TO(UNDONE) | TO(UNDO_RETRYING) | TO(UNDO_PARKED)},
    [LEG_UNDO_RETRYING] = {"undo-retrying", TO(UNDOING) | TO(UNDO_PARKED)},
    [LEG_UNDONE] = {"undone", 0},
    [LEG_UNDO_PARKED] = {"undo-parked", TO(UNDOING) | TO(INQUIRING)},
};

static void move(struct saga_leg *leg, enum leg_state to) {
    assert(states[leg->state].to & 1u << to);
    leg->state = to;
}

const char *leg_state_name(enum leg_state state) {
    return state > 0 && state < LEG_STATES ? states[state].name : "?";
}

// ---- Applying events ----------------------------------------------------------------------------------------------

// What one application works on.
struct work {
    const struct saga_machine *machine;
    struct saga_instance *instance;
    const struct saga_event *event;
    struct saga_effects *effects;
};

static bool is_there(const struct work *work, const struct saga_effect *effect) {
    for (uint16_t i = 0; i < work->effects->n; i++)
        if (work->effects->list[i].kind == effect->kind && work->effects->list[i].leg == effect->leg)
            return true;
    return false;
}

static void effect(struct work *work, enum saga_effect_kind kind, const struct saga_leg *leg, enum saga_op op) {
    struct saga_effect made = {.kind = kind, .leg = leg ? (uint8_t)(leg - work->instance->legs) : 0, .op = op};
    if ((kind == SAGA_FX_COMMIT || kind == SAGA_FX_DECIDE) && is_there(work, &made))
        return; // one is enough for the whole turn
    assert(work->effects->n < SAGA_EFFECTS_MAX);
    work->effects->list[work->effects->n++] = made;
}

static void commit(struct work *work) {
    effect(work, SAGA_FX_COMMIT, NULL, SAGA_ACTION);
}

static void call(struct work *work, struct saga_leg *leg, enum saga_op op) {
    effect(work, SAGA_FX_CALL, leg, op);
}

int64_t saga_backoff_ms(const struct saga_retry *retry, uint32_t attempt, uint64_t random) {
    int64_t pause = retry->first_ms;
    for (uint32_t i = 1; i < attempt && pause < retry->max_ms; i++)
        pause *= 2;
    if (pause > retry->max_ms)
        pause = retry->max_ms;
    int64_t spread = pause * (int64_t)retry->jitter_percent / 100;
    return spread ? pause - spread + (int64_t)(random % (uint64_t)(2 * spread + 1)) : pause;
}

const struct saga_retry *saga_leg_policy(const struct saga_machine *machine, const struct saga_leg *leg, bool undo) {
    const struct saga_retry *own = undo ? leg->step->undo_policy : leg->step->policy;
    return own ? own : &machine->patience[undo ? leg->step->undo_retry : leg->step->retry];
}

static void note_failure(struct saga_leg *leg, enum err code, const char *reason, const char *text) {
    leg->code = code;
    str_fit(str_c(reason && reason[0] ? reason : err_info(code)->name), leg->reason, sizeof leg->reason);
    str_fit(str_c(text && text[0] ? text : err_info(code)->text), leg->text, sizeof leg->text);
}

static void look(struct work *work, struct saga_leg *leg);

static void wait_for_child(struct work *work, struct saga_leg *leg) {
    leg->due_ms = SAGA_DUE_CHILD;
    if (leg->child == CHILD_NONE) {
        leg->child = CHILD_STARTED;
        effect(work, SAGA_FX_CHILD, leg, SAGA_ACTION);
    }
}

// A step that calls nobody begins to wait, and is looked at at once.
static void wait(struct work *work, struct saga_leg *leg) {
    move(leg, LEG_WAITING);
    commit(work);
    if (leg->step->child)
        wait_for_child(work, leg);
    else
        leg->due_ms = work->event->now_ms + (leg->step->signal ? leg->step->timeout_ms : 0);
    look(work, leg);
}

// Sends the action; or asks first what became of it, where that isn't known and can be asked.
static void run(struct work *work, struct saga_leg *leg) {
    bool inquire = leg->unknown && leg->step->inquire;
    move(leg, inquire ? LEG_INQUIRING : LEG_RUNNING);
    call(work, leg, inquire ? SAGA_INQUIRE : SAGA_ACTION);
}

static void start_leg(struct work *work, struct saga_leg *leg) {
    leg->started_ms = work->event->now_ms;
    if (leg->step->run) {
        move(leg, LEG_RUNNING);
        call(work, leg, SAGA_ACTION);
    } else {
        wait(work, leg);
    }
}

static bool turn_if_overdue(struct work *work);

static void end(struct work *work, enum saga_status status) {
    work->instance->status = status;
    commit(work);
    effect(work, SAGA_FX_ENDED, NULL, SAGA_ACTION);
}

// Starts what can be started: every leg of the first stage whose core legs are not all settled, and of those before it.
static void advance(struct work *work) {
    struct saga_instance *saga = work->instance;
    for (uint8_t i = 0; i < saga->n_legs;) {
        uint8_t stage = saga->legs[i].step->stage, first = i;
        bool open = false;
        for (; i < saga->n_legs && saga->legs[i].step->stage == stage; i++) {
            struct saga_leg *leg = &saga->legs[i];
            if (leg->state == LEG_IDLE && turn_if_overdue(work))
                return;
            if (leg->state == LEG_IDLE)
                start_leg(work, leg);
            if (saga->status == SAGA_COMPENSATING || saga_status_ended(saga->status))
                return; // looking at it turned the saga round, or went all the way
            open = open || (leg->step->tier == SAGA_CORE && !saga_leg_settled(leg));
        }
        if (open)
            return;
        if (saga->legs[first].step->kind == SAGA_PIVOT && saga->status == SAGA_RUNNING) {
            saga->status = SAGA_FORWARD;
            commit(work);
        }
    }
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (!saga_leg_settled(&saga->legs[i]))
            return;
    end(work, SAGA_SUCCEEDED);
}

// ---- Turning round ------------------------------------------------------------------------------------------------

// What is to be undone is inquired first where it isn't known and can be asked; else the compensation is sent anyway.
static void undo(struct work *work, struct saga_leg *leg) {
    bool inquire = leg->unknown && leg->step->inquire;
    leg->attempts = 0;
    move(leg, inquire ? LEG_INQUIRING : LEG_UNDOING);
    call(work, leg, inquire ? SAGA_INQUIRE : SAGA_COMPENSATE);
}

// A child is undone like a step of its own, once its end is known.
static void unwind_child(struct work *work, struct saga_leg *leg) {
    switch (leg->child) {
    case CHILD_STARTED:
        if (leg->state == LEG_PARKED)
            move(leg, LEG_WAITING);
        leg->due_ms = SAGA_DUE_CHILD;
        break;
    case CHILD_SUCCEEDED: undo(work, leg); break;
    case CHILD_NONE:
    case CHILD_FAILED:
    case CHILD_REFUSED: move(leg, LEG_SKIPPED); break;
    }
}

// Brings one leg nearer to being undone.
static void unwind_leg(struct work *work, struct saga_leg *leg) {
    switch (leg->state) {
    case LEG_IDLE:
        if (leg->may_have_run)
            undo(work, leg);
        break;
    case LEG_DONE:
        if (leg->step->undo)
            undo(work, leg);
        break;
    case LEG_RETRYING:
    case LEG_WAITING:
    case LEG_PARKED: // whatever an operator might have done about it, there is only one way now
        if (leg->step->child)
            unwind_child(work, leg);
        else if (leg->may_have_run)
            undo(work, leg);
        else
            move(leg, leg->step->run ? LEG_REJECTED : LEG_SKIPPED); // every attempt is known to have done nothing
        break;
    default: break; // on its way, or at its end
    }
}

// Reverse order of stages: a stage is undone only when every later one is.
static void unwind(struct work *work) {
    struct saga_instance *saga = work->instance;
    for (int i = saga->n_legs - 1; i >= 0;) {
        uint8_t stage = saga->legs[i].step->stage;
        bool clear = true;
        for (; i >= 0 && saga->legs[i].step->stage == stage; i--) {
            unwind_leg(work, &saga->legs[i]);
            clear = clear && saga_leg_cleared(&saga->legs[i]);
        }
        if (!clear)
            return;
    }
    end(work, SAGA_FAILED);
}

static struct saga_leg *pivot_of(struct saga_instance *saga) {
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (saga->legs[i].step->kind == SAGA_PIVOT)
            return &saga->legs[i];
    return NULL;
}

// Because of this leg; why stands in the saga.
static void turn_round(struct work *work, const struct saga_leg *leg) {
    work->instance->status = SAGA_COMPENSATING;
    commit(work);
    effect(work, SAGA_FX_REVERSED, leg, SAGA_ACTION);
    unwind(work);
}

static void reverse(struct work *work, const struct saga_leg *leg) {
    struct saga_instance *saga = work->instance;
    struct saga_leg *pivot = pivot_of(saga);
    if (pivot && pivot->state == LEG_IDLE)
        pivot->may_have_run = pivot->unknown = false; // see may_reverse()
    saga->code = leg->code;
    memcpy(saga->reason, leg->reason, sizeof saga->reason);
    memcpy(saga->text, leg->text, sizeof saga->text);
    turn_round(work, leg);
}

static bool turn_if_overdue(struct work *work) {
    struct saga_instance *saga = work->instance;
    if (work->event->now_ms < saga_instance_limit(saga))
        return false;
    const struct saga_leg *late = saga->legs; // what it was at
    while (late < saga->legs + saga->n_legs - 1 && saga_leg_settled(late))
        late++;
    saga->code = ERR_TIMED_OUT;
    str_fit(str_c(err_info(ERR_TIMED_OUT)->name), saga->reason, sizeof saga->reason);
    str_fit(STR("the saga's time limit is over"), saga->text, sizeof saga->text);
    turn_round(work, late);
    return true;
}

// After anything changed: further forward, or further back.
static void go_on(struct work *work) {
    if (work->instance->status == SAGA_COMPENSATING)
        unwind(work);
    else if (!saga_status_ended(work->instance->status))
        advance(work);
}

static void park(struct work *work, struct saga_leg *leg, enum leg_state state) {
    move(leg, state);
    commit(work);
    effect(work, SAGA_FX_PARKED, leg, state == LEG_UNDO_PARKED ? SAGA_COMPENSATE : SAGA_ACTION);
}

// ---- Ends of attempts ---------------------------------------------------------------------------------------------

static void leg_done(struct work *work, struct saga_leg *leg, struct str answer) {
    if (answer.len > SAGA_ANSWER_MAX) {
        // It took effect, but can't be kept; sending it again would give the same. Only a person can help.
        note_failure(leg, ERR_RECORD_TOO_LARGE, NULL, NULL);
        leg->may_have_run = leg->step->run;
        if (work->instance->status != SAGA_COMPENSATING) {
            park(work, leg, LEG_PARKED);
            return;
        }
        answer = STR_NONE;
    }
    move(leg, LEG_DONE);
    leg->ended_ms = work->event->now_ms;
    leg->unknown = false;
    free((void *)(uintptr_t)leg->answer.ptr);
    leg->answer = saga_copy_bytes(answer);
    if (work->instance->status == SAGA_COMPENSATING && leg->step->undo && !str_empty(answer))
        commit(work); // its compensation may be made from it
    go_on(work);
}

static void leg_rejected(struct work *work, struct saga_leg *leg) {
    leg->unknown = false;
    leg->may_have_run = false; // proven: under this key nothing ran and nothing will
    leg->attempts++;
    leg->ended_ms = work->event->now_ms;
    effect(work, SAGA_FX_ATTEMPT, leg, work->event->op);
    if (work->instance->status == SAGA_FORWARD) {
        leg->refused = true;
        park(work, leg, LEG_PARKED);
        go_on(work);
        return;
    }
    move(leg, LEG_REJECTED);
    if (work->instance->status == SAGA_RUNNING)
        reverse(work, leg);
    else
        go_on(work);
}

// A pivot that may have taken effect keeps the saga from turning round. What an earlier step is refused proves that the
// pivot was never sent: participants repeat their answers, so that step was never done before. That it was tried often
// enough proves nothing of the kind: the pivot may have been sent before the process died.
static bool may_reverse(struct saga_instance *saga) {
    const struct saga_leg *pivot = pivot_of(saga);
    return saga->status == SAGA_RUNNING && !(pivot && pivot->may_have_run);
}

// An attempt failed without a definite answer: again later, or what the step's kind says when the policy is exhausted.
static void leg_failed(struct work *work, struct saga_leg *leg, bool unknown) {
    leg->unknown = leg->unknown || unknown;
    leg->may_have_run = leg->may_have_run || unknown;
    effect(work, SAGA_FX_ATTEMPT, leg, work->event->op);
    commit(work); // the count is durable
    if (work->instance->status == SAGA_COMPENSATING) {
        if (leg->state == LEG_INQUIRING)
            leg->unknown = false; // asked once, without avail: the compensation is sent anyway
        move(leg, LEG_RETRYING);
        unwind(work);
        return;
    }
    leg->attempts++;
    const struct saga_retry *retry = saga_leg_policy(work->machine, leg, false);
    if (!retry->attempts || leg->attempts < retry->attempts) {
        move(leg, LEG_RETRYING);
        leg->due_ms = work->event->now_ms + saga_backoff_ms(retry, leg->attempts, work->event->random);
    } else if (may_reverse(work->instance)) {
        move(leg, LEG_RETRYING);
        reverse(work, leg);
    } else {
        park(work, leg, LEG_PARKED);
    }
}

static void undo_failed(struct work *work, struct saga_leg *leg, bool refused) {
    effect(work, SAGA_FX_ATTEMPT, leg, SAGA_COMPENSATE);
    leg->attempts++;
    const struct saga_retry *retry = saga_leg_policy(work->machine, leg, true);
    if (refused || (retry->attempts && leg->attempts >= retry->attempts)) {
        park(work, leg, LEG_UNDO_PARKED);
        return;
    }
    move(leg, LEG_UNDO_RETRYING);
    leg->due_ms = work->event->now_ms + saga_backoff_ms(retry, leg->attempts, work->event->random);
    commit(work);
}

static void answered_action(struct work *work, struct saga_leg *leg) {
    const struct saga_event *event = work->event;
    if (event->outcome == OUTCOME_OK) {
        leg_done(work, leg, event->answer);
        return;
    }
    note_failure(leg, event->code, event->reason, event->text);
    if (event->outcome == OUTCOME_REJECTED)
        leg_rejected(work, leg);
    else
        leg_failed(work, leg, event->outcome == OUTCOME_UNKNOWN);
}

static void answered_inquiry(struct work *work, struct saga_leg *leg) {
    if (!work->event->never_seen) {
        answered_action(work, leg);
        return;
    }
    leg->unknown = false;
    if (work->instance->status == SAGA_COMPENSATING) {
        // Never seen so far: the lost request may still come. The compensation marks the key, when it is its turn.
        move(leg, LEG_RETRYING);
        unwind(work);
    } else {
        move(leg, LEG_RUNNING);
        call(work, leg, SAGA_ACTION);
    }
}

static void answered_ask(struct work *work, struct saga_leg *leg) {
    const struct saga_event *event = work->event;
    move(leg, LEG_WAITING);
    leg->due_ms = event->now_ms;
    if (work->instance->status == SAGA_COMPENSATING) {
        unwind(work);
        return;
    }
    if (event->outcome == OUTCOME_OK) {
        leg->attempts = 0;
    } else {
        note_failure(leg, event->code, event->reason, event->text);
        effect(work, SAGA_FX_ATTEMPT, leg, SAGA_INQUIRE);
        leg->attempts++;
        commit(work);
    }
    // The answer is in the event, which the driver hands to the decision.
    effect(work, SAGA_FX_DECIDE, leg, SAGA_INQUIRE);
}

static void answered(struct work *work) {
    const struct saga_event *event = work->event;
    struct saga_leg *leg = &work->instance->legs[event->leg];
    if (leg->state == LEG_RUNNING && event->op == SAGA_ACTION) {
        answered_action(work, leg);
    } else if (leg->state == LEG_INQUIRING && event->op == SAGA_INQUIRE) {
        answered_inquiry(work, leg);
    } else if (leg->state == LEG_ASKING && event->op == SAGA_INQUIRE) {
        answered_ask(work, leg);
    } else if (leg->state == LEG_UNDOING && event->op == SAGA_COMPENSATE) {
        if (event->outcome == OUTCOME_OK) {
            move(leg, LEG_UNDONE);
            leg->ended_ms = event->now_ms;
            unwind(work);
        } else {
            note_failure(leg, event->code, event->reason, event->text);
            undo_failed(work, leg, event->outcome == OUTCOME_REJECTED);
        }
    }
}

// ---- What waits ---------------------------------------------------------------------------------------------------

static void wait_rejected(struct work *work, struct saga_leg *leg, enum err code, const char *text) {
    note_failure(leg, code, NULL, text);
    leg_rejected(work, leg);
}

static void look_for_child(struct work *work, struct saga_leg *leg) {
    switch (leg->child) {
    case CHILD_NONE:
    case CHILD_STARTED: break;
    case CHILD_SUCCEEDED:
        commit(work);
        leg_done(work, leg, STR_NONE);
        break;
    case CHILD_FAILED: wait_rejected(work, leg, ERR_SAGA_STATE, "the child saga failed"); break;
    case CHILD_REFUSED: wait_rejected(work, leg, ERR_SAGA_STATE, "the child saga could not be started"); break;
    }
}

static void look_for_signal(struct work *work, struct saga_leg *leg) {
    struct saga_signal *signal = saga_instance_unconsumed(work->instance, leg->step->signal);
    if (signal) {
        signal->consumed = true;
        commit(work);
        leg_done(work, leg, signal->payload);
    } else if (leg->due_ms <= work->event->now_ms) {
        wait_rejected(work, leg, ERR_TIMED_OUT, NULL);
    }
}

// Looks again at one waiting leg.
static void look(struct work *work, struct saga_leg *leg) {
    if (leg->state != LEG_WAITING)
        return;
    if (leg->step->child)
        look_for_child(work, leg);
    else if (leg->step->signal)
        look_for_signal(work, leg);
    else
        effect(work, SAGA_FX_DECIDE, leg, SAGA_ACTION);
}

// A decision that waits looks again in the future, or it would keep the loop busy with nothing else.
static void wait_until(struct work *work, struct saga_leg *leg, int64_t until_ms) {
    if (until_ms <= work->event->now_ms)
        until_ms = work->event->now_ms + 1;
    if (until_ms > SAGA_DUE_CHILD)
        until_ms = SAGA_DUE_CHILD;
    if (leg->due_ms != until_ms)
        commit(work); // and with it whatever the decision changed
    leg->due_ms = until_ms;
}

static void decided(struct work *work) {
    const struct saga_event *event = work->event;
    struct saga_leg *leg = &work->instance->legs[event->leg];
    if (leg->state != LEG_WAITING)
        return;
    switch (event->verdict.answer) {
    case SAGA_DONE:
        commit(work);
        leg_done(work, leg, STR_NONE);
        break;
    case SAGA_REJECT: wait_rejected(work, leg, event->verdict.code, event->verdict.text); break;
    case SAGA_WAIT: wait_until(work, leg, event->verdict.until_ms); break;
    case SAGA_PARK:
        note_failure(leg, event->verdict.code, NULL, event->verdict.text);
        park(work, leg, LEG_PARKED);
        break;
    case SAGA_ASK:
        assert(leg->step->ask);
        move(leg, LEG_ASKING);
        commit(work); // what the question is made from
        effect(work, SAGA_FX_ASK, leg, SAGA_INQUIRE);
        break;
    }
}

// ---- Time, resumption, operators ----------------------------------------------------------------------------------

// Again now: what waited for its next attempt.
static void again(struct work *work, struct saga_leg *leg) {
    if (leg->state == LEG_RETRYING) {
        run(work, leg);
    } else if (leg->state == LEG_UNDO_RETRYING) {
        move(leg, LEG_UNDOING);
        call(work, leg, SAGA_COMPENSATE);
    } else {
        look(work, leg);
    }
}

static void timer(struct work *work) {
    if (turn_if_overdue(work))
        return;
    for (uint8_t i = 0; i < work->instance->n_legs; i++) {
        struct saga_leg *leg = &work->instance->legs[i];
        if (saga_leg_timed(work->instance, leg) && leg->due_ms <= work->event->now_ms)
            again(work, leg);
    }
}

static void poked(struct work *work) {
    struct saga_instance *saga = work->instance;
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (saga->status != SAGA_COMPENSATING || saga->legs[i].step->child)
            look(work, &saga->legs[i]);
    go_on(work);
}

// Which calls may have been sent since the record was written, without the record knowing: those of the stages that can
// be reached from it without a commit. A decision, await or child commits, so nothing behind an open one was sent.
static void assume_sent(struct saga_instance *saga) {
    bool reachable = true;
    for (uint8_t i = 0; i < saga->n_legs && reachable;) {
        uint8_t stage = saga->legs[i].step->stage;
        for (; i < saga->n_legs && saga->legs[i].step->stage == stage; i++) {
            struct saga_leg *leg = &saga->legs[i];
            if (leg->step->run && (leg->state == LEG_IDLE || leg->state == LEG_RUNNING || leg->state == LEG_RETRYING))
                leg->may_have_run = leg->unknown = true;
            if (!saga_leg_settled(leg) && (!leg->step->run || leg->state == LEG_PARKED))
                reachable = false;
        }
        // The pivot's success is durable before anything behind it is sent.
        reachable = reachable && saga->legs[i - 1].step->kind != SAGA_PIVOT;
    }
}

// What was on its way when the process ended is sent again, under the same key.
static void send_again(struct work *work, struct saga_leg *leg) {
    bool reversed = work->instance->status == SAGA_COMPENSATING;
    switch (leg->state) {
    case LEG_RUNNING:
        if (reversed) {
            leg->may_have_run = leg->unknown = true;
            move(leg, LEG_RETRYING); // for unwind(): inquired or undone, never sent again
        } else {
            call(work, leg, SAGA_ACTION);
        }
        break;
    case LEG_INQUIRING: call(work, leg, SAGA_INQUIRE); break;
    case LEG_UNDOING: call(work, leg, SAGA_COMPENSATE); break;
    case LEG_ASKING:
        move(leg, LEG_WAITING); // to be decided, or unwound
        leg->due_ms = work->event->now_ms;
        break;
    default: break;
    }
}

static void resumed(struct work *work) {
    struct saga_instance *saga = work->instance;
    if (saga->status == SAGA_RUNNING)
        assume_sent(saga);
    turn_if_overdue(work);
    for (uint8_t i = 0; i < saga->n_legs; i++)
        send_again(work, &saga->legs[i]);
    poked(work);
}

static void retry_parked(struct work *work, struct saga_leg *leg) {
    leg->attempts = 0;
    if (leg->state == LEG_UNDO_PARKED) {
        undo(work, leg);
        return;
    }
    if (leg->refused)
        leg->generation++;
    if (leg->child >= CHILD_FAILED)
        leg->child = CHILD_NONE; // another child
    leg->refused = false;
    if (leg->step->run)
        run(work, leg);
    else
        wait(work, leg);
}

static void retried(struct work *work) {
    struct saga_instance *saga = work->instance;
    commit(work);
    for (uint8_t i = 0; i < saga->n_legs; i++) {
        struct saga_leg *leg = &saga->legs[i];
        bool forward = leg->state == LEG_PARKED && saga->status != SAGA_COMPENSATING;
        if (forward || leg->state == LEG_UNDO_PARKED)
            retry_parked(work, leg);
        else if (saga_leg_timed(saga, leg))
            again(work, leg);
    }
}

static void park_suspect(struct work *work, struct saga_leg *leg, enum leg_state state) {
    leg->may_have_run = leg->may_have_run || (leg->step->run && leg->state != LEG_IDLE);
    leg->unknown = leg->unknown || leg->state == LEG_RUNNING;
    note_failure(leg, work->event->code, NULL, NULL);
    park(work, leg, state);
}

// Forward: everything under way, or, between two stages, what would come next.
static void suspected_forward(struct work *work) {
    struct saga_instance *saga = work->instance;
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (saga_leg_in_flight(&saga->legs[i]) || saga_leg_timed(saga, &saga->legs[i]))
            park_suspect(work, &saga->legs[i], LEG_PARKED);
    if (saga_instance_parked(saga))
        return;
    for (uint8_t i = 0, stage = 0; i < saga->n_legs; i++)
        if (saga->legs[i].state == LEG_IDLE && (stage == 0 || stage == saga->legs[i].step->stage)) {
            stage = saga->legs[i].step->stage;
            park_suspect(work, &saga->legs[i], LEG_PARKED);
        }
}

// Backward: what is under way in the stage that is being undone. Earlier ones wait until it is their turn.
static void suspected_backward(struct work *work) {
    struct saga_instance *saga = work->instance;
    uint8_t stage = 0;
    for (int i = saga->n_legs - 1; i >= 0; i--) {
        struct saga_leg *leg = &saga->legs[i];
        bool action = leg->state == LEG_RUNNING || leg->state == LEG_INQUIRING;
        if (stage == 0 && !saga_leg_cleared(leg))
            stage = leg->step->stage;
        if (leg->state == LEG_ASKING) {
            move(leg, LEG_SKIPPED);
        } else if (action && leg->step->stage != stage) {
            leg->may_have_run = leg->unknown = true;
            move(leg, LEG_RETRYING);
        } else if (action || leg->state == LEG_UNDOING || leg->state == LEG_UNDO_RETRYING) {
            park_suspect(work, leg, LEG_UNDO_PARKED);
        }
    }
}

// A child could not be started because its gid is taken: whatever is tried next asks for another one.
static void rename_children(struct saga_instance *saga) {
    for (uint8_t i = 0; i < saga->n_legs; i++) {
        struct saga_leg *leg = &saga->legs[i];
        if (leg->step->child && leg->child != CHILD_STARTED && (leg->state == LEG_IDLE || leg->state == LEG_PARKED))
            leg->generation++;
    }
}

// Parks what may be the cause.
static void suspected(struct work *work) {
    if (work->instance->status == SAGA_COMPENSATING) {
        suspected_backward(work);
        return;
    }
    if (work->event->code == ERR_STORE_CONFLICT)
        rename_children(work->instance);
    if (work->instance->status == SAGA_RUNNING)
        assume_sent(work->instance);
    suspected_forward(work);
}

static void started(struct work *work) {
    struct saga_instance *saga = work->instance;
    saga->status = SAGA_FORWARD;
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (saga->legs[i].step->kind != SAGA_RETRIABLE)
            saga->status = SAGA_RUNNING;
    commit(work);
    advance(work);
}

void saga_machine_apply(const struct saga_machine *machine, struct saga_instance *instance,
                        const struct saga_event *event, struct saga_effects *effects) {
    struct work work = {machine, instance, event, effects};
    if (saga_status_ended(instance->status))
        return;
    switch (event->kind) {
    case SAGA_EV_STARTED: started(&work); break;
    case SAGA_EV_RESUMED: resumed(&work); break;
    case SAGA_EV_ANSWERED: answered(&work); break;
    case SAGA_EV_DECIDED: decided(&work); break;
    case SAGA_EV_TIMER: timer(&work); break;
    case SAGA_EV_POKED: poked(&work); break;
    case SAGA_EV_RETRY: retried(&work); break;
    case SAGA_EV_SUSPECTED: suspected(&work); break;
    }
}
