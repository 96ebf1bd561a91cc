// What is parked of a saga that may be what its process died of, or whose write the store refused (E13, E14).
#include "saga/machine_work.h"

#include <stdlib.h>

static void park_suspect(struct work *work, struct saga_leg *leg, enum leg_state state) {
    leg->may_have_run = leg->may_have_run || (leg->step->run && leg->state != LEG_IDLE);
    leg->unknown = leg->unknown || leg->state == LEG_RUNNING;
    work_note(leg, work->event->code, NULL, NULL);
    work_park(work, leg, state);
}

bool saga_leg_may_come_right(const struct saga_leg *leg) {
    if (leg->state != LEG_PARKED || !leg->step->came_right)
        return false;
    switch (leg->code) {
    case ERR_RESUMED_TOO_OFTEN:
    case ERR_RECORD_TOO_LARGE:
    case ERR_STORE_REFUSED:
    case ERR_STORE_CONFLICT:
    case ERR_STORE_CORRUPT: return false; // to look at it may be what the process died of, or what can't be stored
    default: return true;
    }
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
            // Its pivot was settled by an operator while it was paused.
            if (saga->status == SAGA_RUNNING && saga->legs[i].step->kind == SAGA_RETRIABLE)
                work_status(saga, SAGA_FORWARD);
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
            work_move(leg, LEG_SKIPPED);
        } else if (action && leg->step->stage != stage) {
            leg->may_have_run = leg->unknown = true;
            work_move(leg, LEG_RETRYING);
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

// What was kept while it was paused may be the cause: its call counts as one without an answer.
static void drop_kept(struct saga_instance *saga) {
    for (uint8_t i = 0; i < saga->n_legs; i++)
        free((void *)(uintptr_t)saga_leg_take_kept(&saga->legs[i]).answer.ptr);
}

// Parks what may be the cause.
void work_suspected(struct work *work) {
    drop_kept(work->instance);
    if (work->instance->status == SAGA_COMPENSATING) {
        suspected_backward(work);
        return;
    }
    if (work->event->code == ERR_STORE_CONFLICT)
        rename_children(work->instance);
    saga_instance_assume_sent(work->instance, work->event->since_ms);
    suspected_forward(work);
}
