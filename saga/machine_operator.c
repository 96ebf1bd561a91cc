// What operators do to a saga: events like any other, refused when they do not fit (E8).
#include "saga/machine_work.h"

// ---- What fits ----------------------------------------------------------------------------------------------------

static const char *refuse_retry(const struct saga_instance *saga) {
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (saga->legs[i].state == LEG_PARKED || saga->legs[i].state == LEG_UNDO_PARKED ||
            saga_leg_timed(saga, &saga->legs[i]))
            return NULL;
    return "no step is parked or waits for its next attempt";
}

static bool is_parked(const struct saga_leg *leg) {
    return leg->state == LEG_PARKED || leg->state == LEG_UNDO_PARKED;
}

// Whether a call of a later stage may have been sent, which was then made from this one's answer (E11): the record does
// not know of it when the write that held the answer was refused.
static bool is_behind_answers(const struct saga_instance *saga, const struct saga_leg *leg) {
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (saga->legs[i].step->stage > leg->step->stage && saga->legs[i].may_have_run)
            return true;
    return false;
}

static const char *refuse_skip(const struct saga_instance *saga, const struct saga_leg *leg) {
    if (!is_parked(leg))
        return "the step is not parked";
    if (leg->state == LEG_PARKED && leg->step->tier == SAGA_CORE && is_behind_answers(saga, leg))
        return "what was made from its answer may be under way: try it again, or state what it answered";
    return leg->step->kind == SAGA_PIVOT ? "the watershed can't be skipped; state what became of it" : NULL;
}

// A pivot that is on its way may take effect (E12).
static const char *refuse_compensate(const struct saga_instance *saga) {
    if (saga->status == SAGA_COMPENSATING)
        return "the saga has turned round already";
    if (saga->status != SAGA_RUNNING)
        return "the saga is past its watershed";
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (saga->legs[i].step->kind == SAGA_PIVOT && saga_leg_in_flight(&saga->legs[i]))
            return "the watershed is on its way: what becomes of it is not known yet";
    return saga_instance_may_reverse(saga) ? NULL : "what became of the watershed is not known";
}

static bool is_undoing(const struct saga_leg *leg) {
    return leg->state == LEG_UNDOING || leg->state == LEG_UNDO_RETRYING || leg->state == LEG_UNDO_PARKED;
}

// A decision that asks until it knows: an operator may know before it does, where the flow says what that means.
static bool is_asking(const struct saga_leg *leg) {
    return leg->step->ask && leg->step->ruled && (leg->state == LEG_WAITING || leg->state == LEG_ASKING);
}

// Whether a step behind this one is being undone, or asked about for that: its requests are made without this one's
// answer (E11).
static bool is_before_undoing(const struct saga_instance *saga, const struct saga_leg *leg) {
    for (uint8_t i = 0; i < saga->n_legs; i++) {
        const struct saga_leg *other = &saga->legs[i];
        bool asked = saga->status == SAGA_COMPENSATING && other->state == LEG_INQUIRING;
        if (other->step->stage > leg->step->stage && (asked || is_undoing(other)))
            return true;
    }
    return false;
}

static const char *refuse_resolve(const struct saga_instance *saga, const struct saga_leg *leg, enum outcome outcome) {
    bool acting = leg->state == LEG_RUNNING || leg->state == LEG_INQUIRING || leg->state == LEG_RETRYING;
    if (outcome != OUTCOME_OK && outcome != OUTCOME_REJECTED)
        return "an outcome is either OK or REJECTED";
    if (!is_parked(leg) && !acting && !is_asking(leg) && !is_undoing(leg))
        return "the step is neither parked nor on its way";
    if (outcome == OUTCOME_REJECTED && (leg->state == LEG_UNDO_PARKED || leg->refused))
        return "that it was refused is known";
    if (outcome == OUTCOME_OK && is_before_undoing(saga, leg))
        return "a step behind it is being undone: its turn comes behind that";
    return NULL;
}

const char *saga_operator_refusal(const struct saga_instance *saga, const struct saga_event *event) {
    if (saga_status_ended(saga->status))
        return "the saga has ended";
    if (event->kind == SAGA_EV_TERMINATE)
        return NULL;
    if (event->kind == SAGA_EV_RESUME)
        return saga->paused ? NULL : "the saga is not paused";
    if (saga->paused)
        return event->kind == SAGA_EV_PAUSE ? "the saga is paused already" : "the saga is paused: resume it first";
    switch (event->kind) {
    case SAGA_EV_RETRY: return refuse_retry(saga);
    case SAGA_EV_SKIP: return refuse_skip(saga, &saga->legs[event->leg]);
    case SAGA_EV_COMPENSATE: return refuse_compensate(saga);
    case SAGA_EV_RESOLVE: return refuse_resolve(saga, &saga->legs[event->leg], event->outcome);
    default: return NULL;
    }
}

// ---- What they do -------------------------------------------------------------------------------------------------

static void retry_parked(struct work *work, struct saga_leg *leg) {
    leg->attempts = 0;
    if (leg->state == LEG_UNDO_PARKED) {
        work_undo(work, leg);
        return;
    }
    if (leg->refused) {
        leg->generation++;
        leg->sent_ms = 0; // another key
    }
    if (leg->child >= CHILD_FAILED)
        leg->child = CHILD_NONE; // another child
    leg->refused = false;
    if (leg->step->run)
        work_run(work, leg);
    else
        work_wait(work, leg);
}

static void retried(struct work *work) {
    struct saga_instance *saga = work->instance;
    for (uint8_t i = 0; i < saga->n_legs; i++) {
        struct saga_leg *leg = &saga->legs[i];
        bool forward = leg->state == LEG_PARKED && saga->status != SAGA_COMPENSATING;
        if (forward || leg->state == LEG_UNDO_PARKED)
            retry_parked(work, leg);
        else if (saga_leg_timed(saga, leg))
            work_again(work, leg);
    }
    // What is parked may be of a stage whose turn has not come, and nothing of the one that is undone be under way.
    if (saga->status == SAGA_COMPENSATING)
        work_unwind(work);
}

// Whatever it may have done is still undone, should the saga turn round.
static void skipped(struct work *work, struct saga_leg *leg) {
    if (leg->state == LEG_UNDO_PARKED) {
        work_undone(work, leg);
        return;
    }
    work_move(leg, LEG_SKIPPED);
    leg->ended_ms = work->event->now_ms;
    leg->refused = false;
    work_go_on(work);
}

static void note_stop(struct work *work) {
    struct saga_instance *saga = work->instance;
    saga->code = ERR_STOPPED_BY_OPERATOR;
    str_fit(str_c(err_info(saga->code)->name), saga->reason, sizeof saga->reason);
    str_fit(str_c(work->event->text), saga->text, sizeof saga->text);
}

// The flow is told of the first step that was not through yet.
static void compensated(struct work *work) {
    struct saga_instance *saga = work->instance;
    uint8_t i = 0;
    while (i + 1 < saga->n_legs && saga_leg_settled(&saga->legs[i]))
        i++;
    note_stop(work);
    work_reverse(work, &saga->legs[i]);
}

static void resolved(struct work *work, struct saga_leg *leg) {
    const struct saga_event *event = work->event;
    bool undoing = is_undoing(leg);
    leg->held_ms = 0;
    if (event->outcome == OUTCOME_OK) {
        if (undoing)
            work_undone(work, leg);
        else
            work_done(work, leg, event->answer);
        return;
    }
    work_note(leg, ERR_PARTICIPANT_REJECTED, NULL, event->text);
    if (undoing)
        work_park(work, leg, LEG_UNDO_PARKED);
    else
        work_refused(work, leg);
}

static void resumed(struct work *work) {
    struct saga_instance *saga = work->instance;
    saga->paused = false;
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (saga->legs[i].kept.came)
            work_effect(work, SAGA_FX_KEPT, &saga->legs[i], SAGA_ACTION);
    work_poked(work);
}

static void terminated(struct work *work) {
    struct saga_instance *saga = work->instance;
    saga->paused = false;
    note_stop(work);
    work_end(work, SAGA_TERMINATED);
}

void work_operator(struct work *work) {
    struct saga_instance *saga = work->instance;
    const struct saga_event *event = work->event;
    if (saga_operator_refusal(saga, event))
        return;
    work_commit(work);
    saga->operated = true;
    switch (event->kind) {
    case SAGA_EV_RETRY: retried(work); break;
    case SAGA_EV_SKIP: skipped(work, &saga->legs[event->leg]); break;
    case SAGA_EV_COMPENSATE: compensated(work); break;
    case SAGA_EV_RESOLVE: resolved(work, &saga->legs[event->leg]); break;
    case SAGA_EV_PAUSE: saga->paused = true; break;
    case SAGA_EV_RESUME: resumed(work); break;
    case SAGA_EV_TERMINATE: terminated(work); break;
    default: break;
    }
}
