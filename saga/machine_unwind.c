// Turning round: what ran is undone, a stage only when every later one is.
#include "saga/machine_work.h"

void work_undo(struct work *work, struct saga_leg *leg) {
    bool inquire = leg->unknown && leg->step->inquire;
    leg->attempts = 0;
    work_move(leg, inquire ? LEG_INQUIRING : LEG_UNDOING);
    work_call(work, leg, inquire ? SAGA_INQUIRE : SAGA_COMPENSATE);
}

// Whether an action before this leg is on its way: its answer may be what the leg's requests are made from, so these
// would not be the same when they are sent again (E11).
static bool is_ahead_of_answers(const struct saga_instance *saga, const struct saga_leg *leg) {
    for (const struct saga_leg *other = saga->legs; other->step->stage < leg->step->stage; other++)
        if (other->state == LEG_RUNNING || other->state == LEG_INQUIRING)
            return true;
    return false;
}

// The record says that it is being undone before anything of that is sent, or that something behind it is: by this an
// operator is kept from stating what its requests are made from (E11), and what a process dies of is found (E14). An
// answer that leads here is that of a later step's compensation, or is committed anyway.
static void undo_in_time(struct work *work, struct saga_leg *leg) {
    if (is_ahead_of_answers(work->instance, leg))
        return;
    work_undo(work, leg);
    if (work->event->kind != SAGA_EV_ANSWERED)
        work_commit(work);
}

// A child is undone like a step of its own, once its end is known.
static void unwind_child(struct work *work, struct saga_leg *leg) {
    switch (leg->child) {
    case CHILD_STARTED:
        if (leg->state == LEG_PARKED)
            work_move(leg, LEG_WAITING);
        leg->due_ms = SAGA_DUE_CHILD;
        break;
    case CHILD_SUCCEEDED: undo_in_time(work, leg); break;
    case CHILD_NONE:
    case CHILD_FAILED:
    case CHILD_REFUSED:
    case CHILD_TERMINATED: work_move(leg, LEG_SKIPPED); break;
    }
}

// Brings one leg nearer to being undone.
static void unwind_leg(struct work *work, struct saga_leg *leg) {
    switch (leg->state) {
    case LEG_IDLE:
        if (leg->may_have_run)
            undo_in_time(work, leg);
        break;
    case LEG_DONE:
    case LEG_SKIPPED:
        if (!saga_leg_cleared(leg))
            undo_in_time(work, leg);
        break;
    case LEG_RETRYING:
    case LEG_WAITING:
    case LEG_PARKED: // whatever an operator might have done about it, there is only one way now
        if (leg->step->child)
            unwind_child(work, leg);
        else if (leg->may_have_run)
            undo_in_time(work, leg);
        else
            work_move(leg, leg->step->run ? LEG_REJECTED : LEG_SKIPPED); // every attempt is known to have done nothing
        break;
    default: break; // on its way, or at its end
    }
}

// Reverse order of stages: a stage is undone only when every later one is.
void work_unwind(struct work *work) {
    struct saga_instance *saga = work->instance;
    if (saga->paused)
        return;
    for (int i = saga->n_legs - 1; i >= 0;) {
        uint8_t stage = saga->legs[i].step->stage;
        bool clear = true;
        for (; i >= 0 && saga->legs[i].step->stage == stage; i--) {
            if (!saga_leg_cleared(&saga->legs[i]))
                unwind_leg(work, &saga->legs[i]);
            clear = clear && saga_leg_cleared(&saga->legs[i]);
        }
        if (!clear)
            return;
    }
    work_end(work, SAGA_FAILED);
}

static struct saga_leg *pivot_of(const struct saga_instance *saga) {
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (saga->legs[i].step->kind == SAGA_PIVOT)
            return &saga->legs[i];
    return NULL;
}

// Because of this leg; why stands in the saga. To be unwound.
static void turn_round(struct work *work, const struct saga_leg *leg) {
    work_status(work->instance, SAGA_COMPENSATING);
    work_commit(work);
    work_effect(work, SAGA_FX_REVERSED, leg, SAGA_ACTION);
}

void work_reverse(struct work *work, const struct saga_leg *leg) {
    struct saga_instance *saga = work->instance;
    struct saga_leg *pivot = pivot_of(saga);
    if (pivot && pivot->state == LEG_IDLE)
        pivot->may_have_run = pivot->unknown = false; // see saga_instance_may_reverse()
    turn_round(work, leg);
    work_unwind(work);
}

void work_failed(struct work *work, const struct saga_leg *leg) {
    struct saga_instance *saga = work->instance;
    saga->code = leg->code;
    memcpy(saga->reason, leg->reason, sizeof saga->reason);
    memcpy(saga->text, leg->text, sizeof saga->text);
    work_reverse(work, leg);
}

bool work_overdue(struct work *work) {
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

// A pivot that may have taken effect keeps the saga from turning round. What an earlier step is refused proves that the
// pivot was never sent: participants repeat their answers, so that step was never done before. That it was tried often
// enough proves nothing of the kind: the pivot may have been sent before the process died.
bool saga_instance_may_reverse(const struct saga_instance *saga) {
    const struct saga_leg *pivot = pivot_of(saga);
    bool tried = pivot && (pivot->may_have_run || pivot->child == CHILD_STARTED || pivot->child == CHILD_SUCCEEDED);
    return saga->status == SAGA_RUNNING && !tried;
}
