#include "saga/machine.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

// ---- The table of states ------------------------------------------------------------------------------------------

#define TO(state) (1u << LEG_##state)

static const struct {
    const char *name;
    uint32_t to; // states that it may move to
} states[LEG_STATES] = {
    [LEG_IDLE] = {"idle", TO(RUNNING) | TO(WAITING) | TO(SKIPPED) | TO(UNDOING) | TO(PARKED)},
    [LEG_RUNNING] = {"running", TO(DONE) | TO(REJECTED) | TO(RETRYING) | TO(PARKED) | TO(UNDOING)},
    [LEG_INQUIRING] = {"inquiring", TO(DONE) | TO(REJECTED) | TO(RUNNING) | TO(RETRYING) | TO(PARKED) | TO(UNDOING)},
    [LEG_RETRYING] = {"retrying", TO(RUNNING) | TO(INQUIRING) | TO(REJECTED) | TO(UNDOING) | TO(PARKED)},
    [LEG_WAITING] = {"waiting", TO(DONE) | TO(REJECTED) | TO(ASKING) | TO(SKIPPED) | TO(PARKED)},
    [LEG_ASKING] = {"asking", TO(WAITING) | TO(SKIPPED) | TO(PARKED)},
    [LEG_DONE] = {"done", TO(UNDOING)},
    [LEG_REJECTED] = {"rejected", 0},
    [LEG_SKIPPED] = {"skipped", 0},
    [LEG_PARKED] = {"parked", TO(RUNNING) | TO(INQUIRING) | TO(WAITING)},
    [LEG_UNDOING] = {"undoing", TO(UNDONE) | TO(UNDO_RETRYING) | TO(UNDO_PARKED)},
    [LEG_UNDO_RETRYING] = {"undo-retrying", TO(UNDOING) | TO(UNDO_PARKED)},
    [LEG_UNDONE] = {"undone", 0},
    [LEG_UNDO_PARKED] = {"undo-parked", TO(UNDOING)},
};

static void move(struct saga_leg *leg, enum leg_state to) {
    assert(states[leg->state].to & 1u << to);
    leg->state = to;
}

const char *leg_state_name(enum leg_state state) {
    return state > 0 && state < LEG_STATES ? states[state].name : "?";
}

const char *saga_status_name(enum saga_status status) {
    static const char *const names[] = {"?", "running", "forward", "compensating", "succeeded", "failed", "terminated"};
    return status >= SAGA_RUNNING && status <= SAGA_TERMINATED ? names[status] : names[0];
}

// ---- Instances ----------------------------------------------------------------------------------------------------

bool saga_instance_init(struct saga_instance *instance, const struct saga_flow *flow, struct str gid,
                        const struct saga_subject *subject, struct str input, struct error *error) {
    unsigned counts[SAGA_LEGS_MAX], total = 0;
    for (uint8_t i = 0; i < flow->n_steps; i++) {
        // A step that does not apply still has one leg, so that the record shows it as skipped.
        counts[i] = flow->steps[i].legs ? flow->steps[i].legs(subject, input) : 1;
        total += counts[i] ? counts[i] : 1;
        if (counts[i] > SAGA_LEGS_MAX || total > SAGA_LEGS_MAX)
            return error_set(error, ERR_RECORD_TOO_LARGE, "more than %d steps", SAGA_LEGS_MAX);
    }
    struct saga_instance made = {.flow = flow, .status = SAGA_RUNNING};
    if (!str_copy(gid, made.gid, sizeof made.gid) || str_empty(gid))
        return error_set(error, ERR_INVALID_REQUEST, "a gid has 1..%d bytes", SAGA_GID_MAX);
    made.legs = calloc(total, sizeof *made.legs);
    if (!made.legs)
        return error_set(error, ERR_OVERLOADED, "no memory");
    for (uint8_t i = 0; i < flow->n_steps; i++)
        for (unsigned k = 0; k < (counts[i] ? counts[i] : 1); k++)
            made.legs[made.n_legs++] = (struct saga_leg){.step = &flow->steps[i],
                                                         .leg = (uint8_t)k,
                                                         .state = counts[i] ? LEG_IDLE : LEG_SKIPPED,
                                                         .generation = 1};
    *instance = made;
    return true;
}

static void free_str(struct str *s) {
    free((void *)(uintptr_t)s->ptr);
    *s = STR_NONE;
}

void saga_instance_release(struct saga_instance *instance) {
    for (uint8_t i = 0; i < instance->n_legs; i++)
        free_str(&instance->legs[i].answer);
    for (uint8_t i = 0; i < instance->n_signals; i++)
        free_str(&instance->signals[i].payload);
    free(instance->legs);
    *instance = (struct saga_instance){0};
}

// Keeps a copy; aborts without memory, as nothing sensible could be decided then.
static void keep(struct str *to, struct str value) {
    free_str(to);
    char *copy = malloc(value.len + 1);
    if (!copy)
        abort();
    if (value.len)
        memcpy(copy, value.ptr, value.len);
    copy[value.len] = '\0';
    *to = str_n(copy, value.len);
}

bool saga_instance_signal(struct saga_instance *instance, struct str name, struct str id, struct str payload,
                          bool *ret_duplicate, struct error *error) {
    if (str_empty(name) || name.len > SAGA_NAME_MAX || str_empty(id) || id.len > SAGA_GID_MAX ||
        payload.len > SAGA_SIGNAL_MAX)
        return error_set(error, ERR_INVALID_REQUEST,
                         "a signal has a name of 1..%d, an id of 1..%d and at most %d bytes", SAGA_NAME_MAX,
                         SAGA_GID_MAX, SAGA_SIGNAL_MAX);
    for (uint8_t i = 0; i < instance->n_signals; i++)
        if (str_eq_c(name, instance->signals[i].name) && str_eq_c(id, instance->signals[i].id)) {
            *ret_duplicate = true;
            return true;
        }
    if (instance->n_signals == SAGA_SIGNALS_MAX)
        return error_set(error, ERR_SIGNALS_FULL, NULL);
    struct saga_signal signal = {0};
    if (!str_copy(name, signal.name, sizeof signal.name) || !str_copy(id, signal.id, sizeof signal.id))
        return error_set(error, ERR_INVALID_REQUEST, "a signal's name and id must not hold NUL");
    keep(&signal.payload, payload);
    instance->signals[instance->n_signals++] = signal;
    *ret_duplicate = false;
    return true;
}

struct saga_leg *saga_instance_leg(const struct saga_instance *instance, uint16_t step_id, uint8_t leg) {
    for (uint8_t i = 0; i < instance->n_legs; i++)
        if (instance->legs[i].step->id == step_id && instance->legs[i].leg == leg)
            return &instance->legs[i];
    return NULL;
}

// ---- When it must be looked at ------------------------------------------------------------------------------------

static bool in_flight(enum leg_state state) {
    return state == LEG_RUNNING || state == LEG_INQUIRING || state == LEG_ASKING || state == LEG_UNDOING;
}

static bool timed(enum leg_state state) {
    return state == LEG_RETRYING || state == LEG_WAITING || state == LEG_UNDO_RETRYING;
}

bool saga_instance_parked(const struct saga_instance *instance) {
    for (uint8_t i = 0; i < instance->n_legs; i++)
        if (instance->legs[i].state == LEG_PARKED || instance->legs[i].state == LEG_UNDO_PARKED)
            return true;
    return false;
}

int64_t saga_instance_timer(const struct saga_instance *instance) {
    int64_t due = INT64_MAX;
    for (uint8_t i = 0; i < instance->n_legs; i++)
        if (timed(instance->legs[i].state) && instance->legs[i].due_ms < due)
            due = instance->legs[i].due_ms;
    return due;
}

int64_t saga_instance_due(const struct saga_instance *instance) {
    if (saga_status_ended(instance->status))
        return INT64_MAX;
    for (uint8_t i = 0; i < instance->n_legs; i++)
        if (in_flight(instance->legs[i].state))
            return 0;
    int64_t due = saga_instance_timer(instance);
    if (due < SAGA_DUE_PARKED)
        return due;
    // Neither in flight nor timed: an operator's, or about to be moved on by this very turn.
    return saga_instance_parked(instance) ? SAGA_DUE_PARKED : 0;
}

// ---- Applying events ----------------------------------------------------------------------------------------------

// What one application works on.
struct work {
    const struct saga_machine *machine;
    struct saga_instance *instance;
    const struct saga_event *event;
    struct saga_effects *effects;
};

static void effect(struct work *work, enum saga_effect_kind kind, const struct saga_leg *leg, enum saga_op op) {
    if (kind == SAGA_FX_COMMIT)
        for (uint16_t i = 0; i < work->effects->n; i++)
            if (work->effects->list[i].kind == SAGA_FX_COMMIT)
                return; // one is enough for the whole turn
    assert(work->effects->n < SAGA_EFFECTS_MAX);
    work->effects->list[work->effects->n++] =
        (struct saga_effect){.kind = kind, .leg = leg ? (uint8_t)(leg - work->instance->legs) : 0, .op = op};
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

static const struct saga_retry *policy(const struct work *work, const struct saga_leg *leg, bool undo) {
    if (leg->step->policy)
        return leg->step->policy;
    return &work->machine->patience[undo ? leg->step->undo_retry : leg->step->retry];
}

static void note_failure(struct saga_leg *leg, enum err code, const char *reason, const char *text) {
    leg->code = code;
    // Written by others, kept in rows of text, and answered: it must stay UTF-8 where it is cut.
    str_fit(str_c(reason && reason[0] ? reason : err_info(code)->name), leg->reason, sizeof leg->reason);
    str_fit(str_c(text && text[0] ? text : err_info(code)->text), leg->text, sizeof leg->text);
}

static void start_leg(struct work *work, struct saga_leg *leg) {
    leg->started_ms = work->event->now_ms;
    if (leg->step->run) {
        move(leg, LEG_RUNNING);
        call(work, leg, SAGA_ACTION);
    } else {
        move(leg, LEG_WAITING);
        leg->due_ms = work->event->now_ms;
        if (leg->step->signal)
            leg->due_ms += leg->step->timeout_ms;
        if (leg->step->child) {
            leg->due_ms = SAGA_DUE_PARKED - 1;
            commit(work);
            effect(work, SAGA_FX_CHILD, leg, SAGA_ACTION);
        }
    }
}

static void end(struct work *work, enum saga_status status) {
    work->instance->status = status;
    commit(work);
    effect(work, SAGA_FX_ENDED, NULL, SAGA_ACTION);
}

static bool settled(const struct saga_leg *leg) {
    return leg->state == LEG_DONE || leg->state == LEG_SKIPPED;
}

static void look(struct work *work, struct saga_leg *leg);

// Starts what can be started: every leg of the first stage whose core legs are not all settled, and of those before it.
static void advance(struct work *work) {
    struct saga_instance *saga = work->instance;
    for (uint8_t i = 0; i < saga->n_legs;) {
        uint8_t stage = saga->legs[i].step->stage, first = i;
        bool open = false;
        for (; i < saga->n_legs && saga->legs[i].step->stage == stage; i++) {
            struct saga_leg *leg = &saga->legs[i];
            if (leg->state == LEG_IDLE) {
                start_leg(work, leg);
                if (leg->state == LEG_WAITING)
                    look(work, leg);
            }
            if (saga->status == SAGA_COMPENSATING || saga_status_ended(saga->status))
                return; // looking at it turned the saga round, or went all the way
            open = open || (leg->step->tier == SAGA_CORE && !settled(leg));
        }
        if (open)
            return;
        if (saga->legs[first].step->kind == SAGA_PIVOT && saga->status == SAGA_RUNNING) {
            saga->status = SAGA_FORWARD;
            commit(work);
        }
    }
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (!settled(&saga->legs[i]))
            return;
    if (!saga_status_ended(saga->status))
        end(work, SAGA_SUCCEEDED);
}

// ---- Turning round ------------------------------------------------------------------------------------------------

static void start_undo(struct work *work, struct saga_leg *leg) {
    move(leg, LEG_UNDOING);
    leg->attempts = 0;
    call(work, leg, SAGA_COMPENSATE);
}

// Brings one leg nearer to being undone; true when nothing is left to do for it.
static bool unwind_leg(struct work *work, struct saga_leg *leg) {
    switch (leg->state) {
    case LEG_IDLE:
        if (!leg->may_have_run)
            return true;
        start_undo(work, leg);
        return false;
    case LEG_RETRYING:
        if (!leg->may_have_run) {
            move(leg, LEG_REJECTED); // every attempt is known to have done nothing
            return true;
        }
        if (leg->unknown && leg->step->inquire) {
            move(leg, LEG_INQUIRING);
            call(work, leg, SAGA_INQUIRE);
        } else {
            start_undo(work, leg);
        }
        return false;
    case LEG_DONE:
        if (!leg->step->undo)
            return true;
        start_undo(work, leg);
        return false;
    case LEG_WAITING:
        if (leg->step->child)
            return false; // its end is awaited: only then is it known what there is to undo
        move(leg, LEG_SKIPPED);
        return true;
    case LEG_REJECTED:
    case LEG_SKIPPED:
    case LEG_UNDONE: return true;
    default: return false; // on its way, or parked
    }
}

// Reverse order of stages: a stage is undone only when every later one is.
static void unwind(struct work *work) {
    struct saga_instance *saga = work->instance;
    for (int i = saga->n_legs - 1; i >= 0;) {
        uint8_t stage = saga->legs[i].step->stage;
        bool clear = true;
        for (; i >= 0 && saga->legs[i].step->stage == stage; i--)
            if (!unwind_leg(work, &saga->legs[i]))
                clear = false;
        if (!clear)
            return;
    }
    end(work, SAGA_FAILED);
}

static void turn_round(struct work *work, const struct saga_leg *leg) {
    struct saga_instance *saga = work->instance;
    saga->status = SAGA_COMPENSATING;
    saga->code = leg->code;
    memcpy(saga->reason, leg->reason, sizeof saga->reason);
    memcpy(saga->text, leg->text, sizeof saga->text);
    commit(work);
    effect(work, SAGA_FX_TURNED, leg, SAGA_ACTION);
    unwind(work);
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
    effect(work, SAGA_FX_PARKED, leg, SAGA_ACTION);
}

// ---- Ends of attempts ---------------------------------------------------------------------------------------------

static void leg_done(struct work *work, struct saga_leg *leg, struct str answer) {
    if (answer.len > SAGA_ANSWER_MAX) {
        // It took effect, but can't be kept; sending it again would give the same. Only a person can help.
        note_failure(leg, ERR_RECORD_TOO_LARGE, NULL, NULL);
        leg->may_have_run = true;
        if (work->instance->status != SAGA_COMPENSATING) {
            park(work, leg, LEG_PARKED);
            return;
        }
        answer = STR_NONE;
    }
    move(leg, LEG_DONE);
    leg->ended_ms = work->event->now_ms;
    leg->unknown = false;
    keep(&leg->answer, answer);
    go_on(work);
}

static void leg_rejected(struct work *work, struct saga_leg *leg) {
    leg->unknown = false;
    leg->may_have_run = false; // proven: under this key nothing ran and nothing will
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
        turn_round(work, leg);
    else
        go_on(work);
}

// An attempt failed without a definite answer: again later, or what the step's kind says when the policy is exhausted.
static void leg_failed(struct work *work, struct saga_leg *leg, bool unknown) {
    leg->unknown = leg->unknown || unknown;
    leg->may_have_run = leg->may_have_run || unknown;
    effect(work, SAGA_FX_ATTEMPT, leg, work->event->op);
    if (work->instance->status == SAGA_COMPENSATING) {
        if (leg->state == LEG_INQUIRING)
            leg->unknown = false; // asked once, without avail: the compensation is sent anyway
        move(leg, LEG_RETRYING);
        unwind(work);
        return;
    }
    leg->attempts++;
    const struct saga_retry *retry = policy(work, leg, false);
    bool exhausted = retry->attempts && leg->attempts >= retry->attempts;
    if (!exhausted) {
        move(leg, LEG_RETRYING);
        leg->due_ms = work->event->now_ms + saga_backoff_ms(retry, leg->attempts, work->event->random);
        commit(work);
    } else if (work->instance->status == SAGA_FORWARD || (leg->step->kind == SAGA_PIVOT && leg->unknown)) {
        park(work, leg, LEG_PARKED);
    } else {
        move(leg, LEG_RETRYING);
        turn_round(work, leg);
    }
}

static void undo_failed(struct work *work, struct saga_leg *leg, bool refused) {
    effect(work, SAGA_FX_ATTEMPT, leg, SAGA_COMPENSATE);
    leg->attempts++;
    const struct saga_retry *retry = policy(work, leg, true);
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
        // Never seen so far: the lost request may still come. The compensation marks the key.
        start_undo(work, leg);
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

static struct saga_signal *unconsumed(struct saga_instance *instance, const char *name) {
    for (uint8_t i = 0; i < instance->n_signals; i++)
        if (!instance->signals[i].consumed && strcmp(instance->signals[i].name, name) == 0)
            return &instance->signals[i];
    return NULL;
}

static void await_rejected(struct work *work, struct saga_leg *leg, enum err code, const char *text) {
    note_failure(leg, code, NULL, text);
    leg_rejected(work, leg);
}

static void look_for_child(struct work *work, struct saga_leg *leg) {
    char name[SAGA_NAME_MAX + 1];
    snprintf(name, sizeof name, "child:%u.%u", leg->step->id, leg->leg);
    struct saga_signal *signal = unconsumed(work->instance, name);
    if (!signal)
        return;
    signal->consumed = true;
    commit(work);
    if (str_starts(signal->payload, STR("S")))
        leg_done(work, leg, signal->payload);
    else
        await_rejected(work, leg, ERR_SAGA_STATE, "the child saga failed");
}

// Looks again at one waiting leg.
static void look(struct work *work, struct saga_leg *leg) {
    if (leg->state != LEG_WAITING)
        return;
    if (leg->step->decide) {
        effect(work, SAGA_FX_DECIDE, leg, SAGA_ACTION);
    } else if (leg->step->child) {
        look_for_child(work, leg);
    } else {
        struct saga_signal *signal = unconsumed(work->instance, leg->step->signal);
        if (signal) {
            signal->consumed = true;
            commit(work);
            leg_done(work, leg, signal->payload);
        } else if (leg->due_ms <= work->event->now_ms) {
            await_rejected(work, leg, ERR_TIMED_OUT, NULL);
        }
    }
}

static void decided(struct work *work) {
    const struct saga_event *event = work->event;
    struct saga_leg *leg = &work->instance->legs[event->leg];
    if (leg->state != LEG_WAITING)
        return;
    switch (event->verdict.answer) {
    case SAGA_DONE:
        commit(work);
        leg_done(work, leg, event->answer);
        break;
    case SAGA_REJECT: await_rejected(work, leg, event->verdict.code, event->verdict.text); break;
    case SAGA_WAIT: leg->due_ms = event->verdict.until_ms; break;
    case SAGA_PARK:
        note_failure(leg, event->verdict.code, NULL, event->verdict.text);
        park(work, leg, LEG_PARKED);
        break;
    case SAGA_ASK:
        move(leg, LEG_ASKING);
        effect(work, SAGA_FX_ASK, leg, SAGA_INQUIRE);
        break;
    }
}

// ---- Time, resumption, operators ----------------------------------------------------------------------------------

// Again now: what waited for its next attempt.
static void again(struct work *work, struct saga_leg *leg) {
    if (leg->state == LEG_RETRYING) {
        bool inquire = leg->unknown && leg->step->inquire;
        move(leg, inquire ? LEG_INQUIRING : LEG_RUNNING);
        call(work, leg, inquire ? SAGA_INQUIRE : SAGA_ACTION);
    } else if (leg->state == LEG_UNDO_RETRYING) {
        move(leg, LEG_UNDOING);
        call(work, leg, SAGA_COMPENSATE);
    } else {
        look(work, leg);
    }
}

static void timer(struct work *work) {
    for (uint8_t i = 0; i < work->instance->n_legs; i++) {
        struct saga_leg *leg = &work->instance->legs[i];
        if (timed(leg->state) && leg->due_ms <= work->event->now_ms)
            again(work, leg);
    }
}

static void poked(struct work *work) {
    for (uint8_t i = 0; i < work->instance->n_legs; i++)
        look(work, &work->instance->legs[i]);
    go_on(work);
}

// Which calls may have been sent since the record was written, without the record knowing: those of the stages that can
// be reached from it without a commit. A decision, await or child commits, so nothing behind an open one was sent.
static void suspect(struct saga_instance *saga) {
    bool reachable = true;
    for (uint8_t i = 0; i < saga->n_legs && reachable;) {
        uint8_t stage = saga->legs[i].step->stage;
        for (; i < saga->n_legs && saga->legs[i].step->stage == stage; i++) {
            struct saga_leg *leg = &saga->legs[i];
            if (leg->step->run && (leg->state == LEG_IDLE || leg->state == LEG_RUNNING || leg->state == LEG_RETRYING))
                leg->may_have_run = true;
            if (!leg->step->run && !settled(leg))
                reachable = false;
        }
    }
}

static void resumed(struct work *work) {
    struct saga_instance *saga = work->instance;
    if (saga->status == SAGA_RUNNING)
        suspect(saga);
    for (uint8_t i = 0; i < saga->n_legs; i++) {
        struct saga_leg *leg = &saga->legs[i];
        switch (leg->state) {
        case LEG_RUNNING:
            if (saga->status == SAGA_COMPENSATING) {
                leg->may_have_run = leg->unknown = true;
                move(leg, LEG_RETRYING); // for unwind(): inquired or undone, never sent again
            } else {
                call(work, leg, SAGA_ACTION);
            }
            break;
        case LEG_INQUIRING: call(work, leg, SAGA_INQUIRE); break;
        case LEG_UNDOING: call(work, leg, SAGA_COMPENSATE); break;
        case LEG_ASKING:
            move(leg, LEG_WAITING);
            leg->due_ms = work->event->now_ms;
            look(work, leg);
            break;
        case LEG_WAITING: look(work, leg); break;
        default: break;
        }
    }
    go_on(work);
}

static void retry_parked(struct work *work, struct saga_leg *leg) {
    leg->attempts = 0;
    if (leg->state == LEG_UNDO_PARKED) {
        move(leg, LEG_UNDOING);
        call(work, leg, SAGA_COMPENSATE);
        return;
    }
    if (leg->refused) {
        leg->refused = false;
        leg->generation++;
    }
    if (!leg->step->run) {
        move(leg, LEG_WAITING);
        leg->due_ms = work->event->now_ms;
        look(work, leg);
        return;
    }
    bool inquire = leg->unknown && leg->step->inquire;
    move(leg, inquire ? LEG_INQUIRING : LEG_RUNNING);
    call(work, leg, inquire ? SAGA_INQUIRE : SAGA_ACTION);
}

static void retried(struct work *work) {
    commit(work);
    for (uint8_t i = 0; i < work->instance->n_legs; i++) {
        struct saga_leg *leg = &work->instance->legs[i];
        if (leg->state == LEG_PARKED || leg->state == LEG_UNDO_PARKED)
            retry_parked(work, leg);
        else if (timed(leg->state))
            again(work, leg);
    }
}

// Parks what may be what brings the process down: everything under way, or, between two stages, what would come next.
static void suspected(struct work *work) {
    struct saga_instance *saga = work->instance;
    bool found = false;
    for (uint8_t i = 0; i < saga->n_legs; i++) {
        struct saga_leg *leg = &saga->legs[i];
        bool undoing = leg->state == LEG_UNDOING || leg->state == LEG_UNDO_RETRYING;
        if (!undoing && !in_flight(leg->state) && !timed(leg->state))
            continue;
        found = true;
        leg->may_have_run = leg->may_have_run || leg->step->run;
        note_failure(leg, ERR_RESUMED_TOO_OFTEN, NULL, NULL);
        park(work, leg, undoing ? LEG_UNDO_PARKED : LEG_PARKED);
    }
    for (uint8_t i = 0; i < saga->n_legs && !found; i++)
        if (saga->legs[i].state == LEG_IDLE && saga->status != SAGA_COMPENSATING) {
            found = true;
            note_failure(&saga->legs[i], ERR_RESUMED_TOO_OFTEN, NULL, NULL);
            park(work, &saga->legs[i], LEG_PARKED);
        }
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
