#include "saga/machine_work.h"

#include <assert.h>
#include <stdlib.h>

// ---- Applying events ----------------------------------------------------------------------------------------------

static bool is_there(const struct work *work, const struct saga_effect *effect) {
    for (uint16_t i = 0; i < work->effects->n; i++)
        if (work->effects->list[i].kind == effect->kind && work->effects->list[i].leg == effect->leg)
            return true;
    return false;
}

void work_effect(struct work *work, enum saga_effect_kind kind, const struct saga_leg *leg, enum saga_op op) {
    struct saga_effect made = {.kind = kind, .leg = leg ? (uint8_t)(leg - work->instance->legs) : 0, .op = op};
    if ((kind == SAGA_FX_COMMIT || kind == SAGA_FX_DECIDE) && is_there(work, &made))
        return; // one is enough for the whole turn
    assert(work->effects->n < SAGA_EFFECTS_MAX);
    work->effects->list[work->effects->n++] = made;
}

void work_commit(struct work *work) {
    work_effect(work, SAGA_FX_COMMIT, NULL, SAGA_ACTION);
}

// A call that may take effect is about to be sent. False, with the reason noted, when its participant may have
// forgotten the key.
static bool may_send(struct work *work, struct saga_leg *leg) {
    int64_t keys_ms = work->machine->keys_ms, now_ms = work->event->now_ms;
    if (keys_ms && leg->sent_ms && now_ms - leg->sent_ms >= keys_ms) {
        work_note(leg, ERR_KEY_TOO_OLD, NULL, NULL);
        return false;
    }
    leg->sent_first = !leg->sent_ms;
    if (leg->sent_first)
        leg->sent_ms = now_ms;
    return true;
}

// What was out is known not to have been done: of that nobody remembers anything.
static void note_unsent(struct saga_leg *leg) {
    if (leg->sent_first && leg->state != LEG_INQUIRING)
        leg->sent_ms = 0;
    leg->sent_first = false;
}

void work_call(struct work *work, struct saga_leg *leg, enum saga_op op) {
    if (op == SAGA_INQUIRE || may_send(work, leg))
        work_effect(work, SAGA_FX_CALL, leg, op);
    else
        work_park(work, leg, op == SAGA_COMPENSATE ? LEG_UNDO_PARKED : LEG_PARKED);
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

void work_note(struct saga_leg *leg, enum err code, const char *reason, const char *text) {
    leg->code = code;
    str_fit(str_c(reason && reason[0] ? reason : err_info(code)->name), leg->reason, sizeof leg->reason);
    str_fit(str_c(text && text[0] ? text : err_info(code)->text), leg->text, sizeof leg->text);
}

static void look(struct work *work, struct saga_leg *leg);

static void wait_for_child(struct work *work, struct saga_leg *leg) {
    leg->due_ms = SAGA_DUE_CHILD;
    if (leg->child == CHILD_NONE) {
        leg->child = CHILD_STARTED;
        work_effect(work, SAGA_FX_CHILD, leg, SAGA_ACTION);
    }
}

// A step that calls nobody begins to wait, and is looked at at once.
void work_wait(struct work *work, struct saga_leg *leg) {
    work_move(leg, LEG_WAITING);
    work_commit(work);
    if (leg->step->child)
        wait_for_child(work, leg);
    else
        leg->due_ms = work->event->now_ms + (leg->step->signal ? leg->step->timeout_ms : 0);
    look(work, leg);
}

// Sends the action; or asks first what became of it, where that isn't known and can be asked.
void work_run(struct work *work, struct saga_leg *leg) {
    bool inquire = leg->unknown && leg->step->inquire;
    work_move(leg, inquire ? LEG_INQUIRING : LEG_RUNNING);
    work_call(work, leg, inquire ? SAGA_INQUIRE : SAGA_ACTION);
}

// Where there is a time limit the pivot's start is durable before it is sent: after a death it must be known whether
// the saga can still turn round.
static bool starts_durably(const struct saga_instance *saga, const struct saga_leg *leg) {
    return saga->limit_ms > 0 && leg->step->kind == SAGA_PIVOT && leg->step->run;
}

static void start_leg(struct work *work, struct saga_leg *leg) {
    leg->started_ms = work->event->now_ms;
    if (starts_durably(work->instance, leg))
        work_commit(work);
    if (leg->step->run) {
        work_move(leg, LEG_RUNNING);
        work_call(work, leg, SAGA_ACTION);
    } else {
        work_wait(work, leg);
    }
}

void work_end(struct work *work, enum saga_status status) {
    work_status(work->instance, status);
    work_commit(work);
    work_effect(work, SAGA_FX_ENDED, NULL, SAGA_ACTION);
}

// Starts what can be started: every leg of the first stage whose core legs are not all settled, and of those before it.
static void advance(struct work *work) {
    struct saga_instance *saga = work->instance;
    if (saga->paused)
        return;
    for (uint8_t i = 0; i < saga->n_legs;) {
        uint8_t stage = saga->legs[i].step->stage, first = i;
        bool open = false;
        for (; i < saga->n_legs && saga->legs[i].step->stage == stage; i++) {
            struct saga_leg *leg = &saga->legs[i];
            if (leg->state == LEG_IDLE && work_overdue(work)) {
                work_unwind(work);
                return;
            }
            if (leg->state == LEG_IDLE)
                start_leg(work, leg);
            if (saga->status == SAGA_COMPENSATING || saga_status_ended(saga->status))
                return; // looking at it turned the saga round, or went all the way
            open = open || (leg->step->tier == SAGA_CORE && !saga_leg_settled(leg));
        }
        if (open)
            return;
        if (saga->legs[first].step->kind == SAGA_PIVOT && saga->status == SAGA_RUNNING) {
            work_status(saga, SAGA_FORWARD);
            work_commit(work);
        }
    }
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (!saga_leg_settled(&saga->legs[i]))
            return;
    work_end(work, SAGA_SUCCEEDED);
}

void work_go_on(struct work *work) {
    if (work->instance->status == SAGA_COMPENSATING)
        work_unwind(work);
    else if (!saga_status_ended(work->instance->status))
        advance(work);
}

void work_park(struct work *work, struct saga_leg *leg, enum leg_state state) {
    work_move(leg, state);
    work_commit(work);
    work_effect(work, SAGA_FX_PARKED, leg, state == LEG_UNDO_PARKED ? SAGA_COMPENSATE : SAGA_ACTION);
}

// ---- Ends of attempts ---------------------------------------------------------------------------------------------

void work_done(struct work *work, struct saga_leg *leg, struct str answer) {
    if (answer.len > SAGA_ANSWER_MAX) {
        // It took effect, but can't be kept; sending it again would give the same. Only a person can help.
        work_note(leg, ERR_RECORD_TOO_LARGE, NULL, NULL);
        leg->may_have_run = leg->step->run;
        if (work->instance->status != SAGA_COMPENSATING) {
            work_park(work, leg, LEG_PARKED);
            return;
        }
        answer = STR_NONE;
    }
    work_move(leg, LEG_DONE);
    if (work->instance->status == SAGA_COMPENSATING)
        work_commit(work); // it is not asked for again: what is undone with it must find it after a crash, too
    leg->ended_ms = work->event->now_ms;
    leg->unknown = false;
    free((void *)(uintptr_t)leg->answer.ptr);
    leg->answer = saga_copy_bytes(answer);
    work_go_on(work);
}

void work_refused(struct work *work, struct saga_leg *leg) {
    leg->unknown = false;
    leg->may_have_run = false;
    leg->ended_ms = work->event->now_ms;
    if (work->instance->status == SAGA_FORWARD) {
        leg->refused = true;
        if (leg->state != LEG_PARKED)
            work_park(work, leg, LEG_PARKED);
        work_go_on(work);
        return;
    }
    work_move(leg, LEG_REJECTED);
    if (work->instance->status == SAGA_RUNNING)
        work_failed(work, leg);
    else
        work_go_on(work);
}

static void leg_rejected(struct work *work, struct saga_leg *leg) {
    leg->attempts++;
    work_effect(work, SAGA_FX_ATTEMPT, leg, work->event->op);
    work_refused(work, leg);
}

// Again at until_ms, and no attempt: the call was not sent, or only tried whether its participant is back. A step for
// which somebody waits does not wait for ever.
static void held_back(struct work *work, struct saga_leg *leg) {
    const struct saga_retry *retry = saga_leg_policy(work->machine, leg, false);
    bool too_long = retry->hold_ms && leg->held_ms && work->event->now_ms - leg->held_ms >= retry->hold_ms;
    work_move(leg, LEG_RETRYING);
    leg->due_ms = work->event->until_ms;
    if (too_long && saga_instance_may_reverse(work->instance) && !work->instance->paused)
        work_failed(work, leg);
}

// An attempt failed without a definite answer: again later, or what the step's kind says when the policy is exhausted.
static void leg_failed(struct work *work, struct saga_leg *leg, bool unknown) {
    leg->unknown = leg->unknown || unknown;
    leg->may_have_run = leg->may_have_run || unknown;
    work_effect(work, SAGA_FX_ATTEMPT, leg, work->event->op);
    work_commit(work); // the count is durable
    if (work->instance->status == SAGA_COMPENSATING) {
        if (leg->state == LEG_INQUIRING)
            leg->unknown = false; // asked once, without avail: the compensation is sent anyway
        work_move(leg, LEG_RETRYING);
        work_unwind(work);
        return;
    }
    if (work->event->uncounted) {
        held_back(work, leg);
        return;
    }
    leg->attempts++;
    const struct saga_retry *retry = saga_leg_policy(work->machine, leg, false);
    if (!retry->attempts || leg->attempts < retry->attempts) {
        work_move(leg, LEG_RETRYING);
        leg->due_ms = work->event->now_ms + saga_backoff_ms(retry, leg->attempts, work->event->random);
    } else if (saga_instance_may_reverse(work->instance)) {
        work_move(leg, LEG_RETRYING);
        work_failed(work, leg);
    } else {
        work_park(work, leg, LEG_PARKED);
    }
}

static void undo_held_back(struct work *work, struct saga_leg *leg) {
    work_move(leg, LEG_UNDO_RETRYING);
    leg->due_ms = work->event->until_ms;
    work_commit(work);
}

static void undo_failed(struct work *work, struct saga_leg *leg, bool refused) {
    work_effect(work, SAGA_FX_ATTEMPT, leg, SAGA_COMPENSATE);
    if (work->event->uncounted && !refused) {
        undo_held_back(work, leg);
        return;
    }
    leg->attempts++;
    const struct saga_retry *retry = saga_leg_policy(work->machine, leg, true);
    if (refused || (retry->attempts && leg->attempts >= retry->attempts)) {
        work_park(work, leg, LEG_UNDO_PARKED);
        return;
    }
    work_move(leg, LEG_UNDO_RETRYING);
    leg->due_ms = work->event->now_ms + saga_backoff_ms(retry, leg->attempts, work->event->random);
    work_commit(work);
}

static void answered_action(struct work *work, struct saga_leg *leg) {
    const struct saga_event *event = work->event;
    if (event->outcome == OUTCOME_OK) {
        work_done(work, leg, event->answer);
        return;
    }
    work_note(leg, event->code, event->reason, event->text);
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
        work_move(leg, LEG_RETRYING);
        work_commit(work); // or it would be asked again after a crash, and answered otherwise
        work_unwind(work);
    } else {
        work_move(leg, LEG_RUNNING);
        work_call(work, leg, SAGA_ACTION);
    }
}

static void answered_ask(struct work *work, struct saga_leg *leg) {
    const struct saga_event *event = work->event;
    work_move(leg, LEG_WAITING);
    leg->due_ms = event->now_ms;
    if (work->instance->status == SAGA_COMPENSATING) {
        work_unwind(work);
        return;
    }
    if (event->outcome == OUTCOME_OK) {
        leg->attempts = 0;
    } else {
        work_note(leg, event->code, event->reason, event->text);
        work_effect(work, SAGA_FX_ATTEMPT, leg, SAGA_INQUIRE);
        leg->attempts += !event->uncounted;
        work_commit(work);
    }
    // The answer is in the event, which the driver hands to the decision.
    work_effect(work, SAGA_FX_DECIDE, leg, SAGA_INQUIRE);
}

void work_undone(struct work *work, struct saga_leg *leg) {
    work_move(leg, LEG_UNDONE);
    leg->ended_ms = work->event->now_ms;
    work_unwind(work);
}

static void answered_undo(struct work *work, struct saga_leg *leg) {
    const struct saga_event *event = work->event;
    if (event->outcome == OUTCOME_OK) {
        work_undone(work, leg);
    } else {
        work_note(leg, event->code, event->reason, event->text);
        undo_failed(work, leg, event->outcome == OUTCOME_REJECTED);
    }
}

// What the leg does with the answers (and with what is not sent) of each operation; NULL: it has moved on.
typedef void leg_fn(struct work *work, struct saga_leg *leg);
static leg_fn *answers_of(const struct saga_leg *leg, enum saga_op op) {
    switch (leg->state) {
    case LEG_RUNNING: return op == SAGA_ACTION ? answered_action : NULL;
    case LEG_INQUIRING: return op == SAGA_INQUIRE ? answered_inquiry : NULL;
    case LEG_ASKING: return op == SAGA_INQUIRE ? answered_ask : NULL;
    case LEG_UNDOING: return op == SAGA_COMPENSATE ? answered_undo : NULL;
    default: return NULL;
    }
}

bool saga_leg_expects(const struct saga_leg *leg, enum saga_op op) {
    return !leg->kept.came && answers_of(leg, op);
}

// The saga is paused: the answer is for when it goes on. One that is too large to keep is asked for again then.
static void keep(struct work *work, struct saga_leg *leg) {
    const struct saga_event *event = work->event;
    bool fits = event->answer.len <= SAGA_ANSWER_MAX;
    leg->kept = (struct leg_kept){.came = true,
                                  .never_seen = event->never_seen,
                                  .outcome = fits ? event->outcome : OUTCOME_UNKNOWN,
                                  .answer = fits ? saga_copy_bytes(event->answer) : STR_NONE};
    if (leg->kept.outcome != OUTCOME_OK)
        work_note(leg, fits ? event->code : ERR_RECORD_TOO_LARGE, event->reason, event->text);
    work_commit(work);
}

static void answered(struct work *work) {
    struct saga_leg *leg = &work->instance->legs[work->event->leg];
    if (!saga_leg_expects(leg, work->event->op))
        return;
    if (work->instance->paused) {
        keep(work, leg);
        return;
    }
    if (work->event->outcome == OUTCOME_RETRY)
        note_unsent(leg);
    leg->held_ms = work->event->uncounted ? leg->held_ms : 0;
    answers_of(leg, work->event->op)(work, leg);
}

struct leg_kept saga_leg_take_kept(struct saga_leg *leg) {
    struct leg_kept kept = leg->kept;
    leg->kept = (struct leg_kept){0};
    return kept;
}

// ---- What was not sent --------------------------------------------------------------------------------------------

// The stage that is being undone.
static uint8_t undoing_stage(const struct saga_instance *saga) {
    for (int i = saga->n_legs - 1; i >= 0; i--)
        if (!saga_leg_cleared(&saga->legs[i]))
            return saga->legs[i].step->stage;
    return 0;
}

// An action that was not sent after the saga has turned round never is; what became of an earlier attempt is asked when
// it is the leg's turn.
static void action_held(struct work *work, struct saga_leg *leg) {
    bool inquiring = leg->state == LEG_INQUIRING;
    if (work->instance->status != SAGA_COMPENSATING) {
        held_back(work, leg);
    } else if (inquiring && leg->step->stage == undoing_stage(work->instance)) {
        leg->attempts = 0;
        undo_held_back(work, leg);
    } else {
        work_move(leg, LEG_RETRYING);
        work_unwind(work);
    }
}

// A question that was not asked (or is no more, because the process died): decided anew at due_ms, or given up.
static void give_up_asking(struct work *work, struct saga_leg *leg, int64_t due_ms) {
    work_move(leg, work->instance->status == SAGA_COMPENSATING ? LEG_SKIPPED : LEG_WAITING);
    leg->due_ms = due_ms;
    if (work->instance->status == SAGA_COMPENSATING)
        work_unwind(work);
}

static void held(struct work *work) {
    const struct saga_event *event = work->event;
    struct saga_leg *leg = &work->instance->legs[event->leg];
    if (!saga_leg_expects(leg, event->op))
        return;
    work_note(leg, event->code, event->reason, event->text);
    work_commit(work);
    note_unsent(leg);
    leg->held_ms = leg->held_ms ? leg->held_ms : event->since_ms;
    if (leg->state == LEG_ASKING)
        give_up_asking(work, leg, event->until_ms);
    else if (leg->state == LEG_UNDOING)
        undo_held_back(work, leg);
    else
        action_held(work, leg);
}

// ---- What waits ---------------------------------------------------------------------------------------------------

static void wait_rejected(struct work *work, struct saga_leg *leg, enum err code, const char *text) {
    work_note(leg, code, NULL, text);
    leg_rejected(work, leg);
}

static void look_for_child(struct work *work, struct saga_leg *leg) {
    switch (leg->child) {
    case CHILD_NONE:
    case CHILD_STARTED: break;
    case CHILD_SUCCEEDED:
        work_commit(work);
        work_done(work, leg, STR_NONE);
        break;
    case CHILD_FAILED: wait_rejected(work, leg, ERR_SAGA_STATE, "the child saga failed"); break;
    case CHILD_TERMINATED: wait_rejected(work, leg, ERR_STOPPED_BY_OPERATOR, "the child saga was terminated"); break;
    case CHILD_REFUSED: wait_rejected(work, leg, ERR_SAGA_STATE, "the child saga could not be started"); break;
    }
}

static void look_for_signal(struct work *work, struct saga_leg *leg) {
    struct saga_signal *signal = saga_instance_unconsumed(work->instance, leg->step->signal);
    if (signal) {
        signal->consumed = true;
        work_commit(work);
        work_done(work, leg, signal->payload);
    } else if (leg->due_ms <= work->event->now_ms) {
        wait_rejected(work, leg, ERR_TIMED_OUT, NULL);
    }
}

// Looks again at one leg that waits, or that is parked and may have come right.
static void look(struct work *work, struct saga_leg *leg) {
    if (leg->state != LEG_WAITING && !saga_leg_may_come_right(leg))
        return;
    if (leg->step->child)
        look_for_child(work, leg);
    else if (leg->step->signal)
        look_for_signal(work, leg);
    else
        work_effect(work, SAGA_FX_DECIDE, leg, SAGA_ACTION);
}

// Where the question may act, its key must not be too old for that.
static void ask(struct work *work, struct saga_leg *leg) {
    assert(leg->step->ask);
    leg->sent_first = false; // what a question that only reads is told says nothing of the one before it
    if (!work->event->verdict.reads && !may_send(work, leg)) {
        work_park(work, leg, LEG_PARKED);
        return;
    }
    work_move(leg, LEG_ASKING);
    work_commit(work); // what the question is made from
    work_effect(work, SAGA_FX_ASK, leg, SAGA_INQUIRE);
}

// A decision that waits looks again in the future, or it would keep the loop busy with nothing else.
static void wait_until(struct work *work, struct saga_leg *leg, int64_t until_ms) {
    if (until_ms <= work->event->now_ms)
        until_ms = work->event->now_ms + 1;
    if (until_ms > SAGA_DUE_CHILD)
        until_ms = SAGA_DUE_CHILD;
    if (leg->due_ms != until_ms)
        work_commit(work); // and with it whatever the decision changed
    leg->due_ms = until_ms;
}

static void decided(struct work *work) {
    const struct saga_event *event = work->event;
    struct saga_leg *leg = &work->instance->legs[event->leg];
    bool definite = event->verdict.answer == SAGA_DONE || event->verdict.answer == SAGA_REJECT;
    if (leg->state != LEG_WAITING && !(saga_leg_may_come_right(leg) && definite))
        return;
    switch (event->verdict.answer) {
    case SAGA_DONE:
        work_commit(work);
        work_done(work, leg, STR_NONE);
        break;
    case SAGA_REJECT: wait_rejected(work, leg, event->verdict.code, event->verdict.text); break;
    case SAGA_WAIT: wait_until(work, leg, event->verdict.until_ms); break;
    case SAGA_PARK:
        work_note(leg, event->verdict.code, NULL, event->verdict.text);
        work_park(work, leg, LEG_PARKED);
        break;
    case SAGA_ASK: ask(work, leg); break;
    }
}

// ---- Time, resumption, operators ----------------------------------------------------------------------------------

void work_again(struct work *work, struct saga_leg *leg) {
    if (leg->state == LEG_RETRYING) {
        work_run(work, leg);
    } else if (leg->state == LEG_UNDO_RETRYING) {
        bool inquire = leg->unknown && leg->step->inquire; // which was held back
        work_move(leg, inquire ? LEG_INQUIRING : LEG_UNDOING);
        work_call(work, leg, inquire ? SAGA_INQUIRE : SAGA_COMPENSATE);
    } else {
        look(work, leg);
    }
}

static void timer(struct work *work) {
    if (work->instance->paused)
        return;
    if (work_overdue(work)) {
        work_unwind(work);
        return;
    }
    for (uint8_t i = 0; i < work->instance->n_legs; i++) {
        struct saga_leg *leg = &work->instance->legs[i];
        if (saga_leg_timed(work->instance, leg) && leg->due_ms <= work->event->now_ms)
            work_again(work, leg);
    }
}

void work_poked(struct work *work) {
    struct saga_instance *saga = work->instance;
    if (saga->paused)
        return;
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (saga->status != SAGA_COMPENSATING || saga->legs[i].step->child)
            look(work, &saga->legs[i]);
    work_go_on(work);
}

// Whether something behind the leg may have been sent with the record as it is. A decision, await or child commits, and
// nothing behind it is sent before; nor behind what is parked, unless nobody waits for it.
static bool lets_through(const struct saga_leg *leg) {
    if (saga_leg_settled(leg))
        return true;
    if (leg->state == LEG_PARKED || !leg->step->run)
        return leg->step->tier != SAGA_CORE && leg->state != LEG_IDLE;
    return true;
}

static void assume_sent(struct saga_leg *leg, int64_t written_ms) {
    leg->may_have_run = leg->unknown = true;
    if (!leg->sent_ms)
        leg->sent_ms = written_ms;
}

// Which calls may have been sent since the record was written, without the record knowing: those of the stages that can
// be reached from it without a commit.
void saga_instance_assume_sent(struct saga_instance *saga, int64_t written_ms) {
    if (saga->status == SAGA_COMPENSATING)
        return;
    bool reachable = true;
    for (uint8_t i = 0; i < saga->n_legs && reachable;) {
        uint8_t stage = saga->legs[i].step->stage;
        for (; i < saga->n_legs && saga->legs[i].step->stage == stage; i++) {
            struct saga_leg *leg = &saga->legs[i];
            if (leg->state == LEG_IDLE && starts_durably(saga, leg))
                return; // nor is there anything behind it
            if (leg->step->run && (leg->state == LEG_IDLE || leg->state == LEG_RUNNING || leg->state == LEG_RETRYING))
                assume_sent(leg, written_ms);
            reachable = reachable && lets_through(leg);
        }
        // The pivot's success is durable before anything behind it is sent.
        reachable = reachable && (saga->status == SAGA_FORWARD || saga->legs[i - 1].step->kind != SAGA_PIVOT);
    }
}

// What was on its way when the process ended is sent again, under the same key.
static void send_again(struct work *work, struct saga_leg *leg) {
    bool reversed = work->instance->status == SAGA_COMPENSATING;
    switch (leg->state) {
    case LEG_RUNNING:
        if (reversed) {
            leg->may_have_run = leg->unknown = true;
            work_move(leg, LEG_RETRYING); // for work_unwind(): inquired or undone, never sent again
        } else {
            work_call(work, leg, SAGA_ACTION);
        }
        break;
    case LEG_INQUIRING: work_call(work, leg, SAGA_INQUIRE); break;
    case LEG_UNDOING: work_call(work, leg, SAGA_COMPENSATE); break;
    case LEG_ASKING:
        work_move(leg, LEG_WAITING); // to be decided, or unwound
        leg->due_ms = work->event->now_ms;
        break;
    default: break;
    }
}

// While the saga is paused nothing is sent: it is due when it goes on.
static void send_later(struct work *work, struct saga_leg *leg) {
    int64_t now_ms = work->event->now_ms;
    if (!saga_leg_in_flight(leg))
        return;
    if (leg->state == LEG_ASKING) {
        give_up_asking(work, leg, now_ms);
        return;
    }
    leg->may_have_run = leg->may_have_run || leg->state == LEG_RUNNING;
    leg->unknown = leg->unknown || leg->state == LEG_RUNNING;
    leg->due_ms = now_ms;
    work_move(leg, leg->state == LEG_UNDOING ? LEG_UNDO_RETRYING : LEG_RETRYING);
}

static void resumed(struct work *work) {
    struct saga_instance *saga = work->instance;
    saga_instance_assume_sent(saga, work->event->since_ms);
    for (uint8_t i = 0; saga->paused && i < saga->n_legs; i++)
        send_later(work, &saga->legs[i]);
    if (saga->paused)
        return;
    work_overdue(work); // unwound below, when nothing counts as on its way any more
    for (uint8_t i = 0; i < saga->n_legs; i++)
        send_again(work, &saga->legs[i]);
    work_poked(work);
}

static void started(struct work *work) {
    struct saga_instance *saga = work->instance;
    bool forward = true;
    for (uint8_t i = 0; i < saga->n_legs; i++)
        forward = forward && saga->legs[i].step->kind == SAGA_RETRIABLE;
    if (forward)
        work_status(saga, SAGA_FORWARD);
    work_commit(work);
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
    case SAGA_EV_HELD: held(&work); break;
    case SAGA_EV_DECIDED: decided(&work); break;
    case SAGA_EV_TIMER: timer(&work); break;
    case SAGA_EV_POKED: work_poked(&work); break;
    case SAGA_EV_SUSPECTED: work_suspected(&work); break;
    default: work_operator(&work); break;
    }
}
