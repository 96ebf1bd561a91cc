// The tables of states: what a saga and a step may be, and what each may become. docs/ENGINE.md draws them.
#include "saga/machine_work.h"

#include <assert.h>

// ---- Of a saga ----------------------------------------------------------------------------------------------------

#define TO(status) (1u << SAGA_##status)

static const struct {
    const char *name;
    uint32_t to; // statuses that it may move to
} statuses[] = {
    [SAGA_RUNNING] = {"running", TO(FORWARD) | TO(COMPENSATING) | TO(SUCCEEDED) | TO(TERMINATED)},
    [SAGA_FORWARD] = {"forward", TO(SUCCEEDED) | TO(TERMINATED)},
    [SAGA_COMPENSATING] = {"compensating", TO(FAILED) | TO(TERMINATED)},
    [SAGA_SUCCEEDED] = {"succeeded", 0},
    [SAGA_FAILED] = {"failed", 0},
    [SAGA_TERMINATED] = {"terminated", 0},
};

#undef TO

bool saga_status_leads_to(enum saga_status from, enum saga_status to) {
    return statuses[from].to & 1u << to;
}

void work_status(struct saga_instance *saga, enum saga_status to) {
    assert(saga_status_leads_to(saga->status, to));
    saga->status = to;
}

const char *saga_status_name(enum saga_status status) {
    return status >= SAGA_RUNNING && status <= SAGA_TERMINATED ? statuses[status].name : "?";
}

// ---- Of a leg -----------------------------------------------------------------------------------------------------

#define TO(state) (1u << LEG_##state)

static const struct {
    const char *name;
    uint32_t to; // states that it may move to
} states[LEG_STATES] = {
    [LEG_IDLE] = {"idle", TO(RUNNING) | TO(WAITING) | TO(SKIPPED) | TO(PARKED) | TO(INQUIRING) | TO(UNDOING)},
    [LEG_RUNNING] = {"running", TO(DONE) | TO(REJECTED) | TO(RETRYING) | TO(PARKED) | TO(UNDO_PARKED)},
    [LEG_INQUIRING] = {"inquiring", TO(DONE) | TO(REJECTED) | TO(RUNNING) | TO(RETRYING) | TO(PARKED) | TO(UNDOING) |
                                        TO(UNDO_RETRYING) | TO(UNDO_PARKED)},
    [LEG_RETRYING] = {"retrying", TO(RUNNING) | TO(INQUIRING) | TO(DONE) | TO(REJECTED) | TO(UNDOING) | TO(PARKED)},
    [LEG_WAITING] = {"waiting", TO(DONE) | TO(REJECTED) | TO(ASKING) | TO(SKIPPED) | TO(PARKED) | TO(UNDOING)},
    [LEG_ASKING] = {"asking", TO(WAITING) | TO(SKIPPED) | TO(PARKED) | TO(DONE) | TO(REJECTED)},
    [LEG_DONE] = {"done", TO(UNDOING)},
    [LEG_REJECTED] = {"rejected", 0},
    [LEG_SKIPPED] = {"skipped", TO(INQUIRING) | TO(UNDOING)},
    [LEG_PARKED] = {"parked",
                    TO(RUNNING) | TO(INQUIRING) | TO(WAITING) | TO(DONE) | TO(REJECTED) | TO(SKIPPED) | TO(UNDOING)},
    [LEG_UNDOING] = {"undoing", TO(UNDONE) | TO(UNDO_RETRYING) | TO(UNDO_PARKED)},
    [LEG_UNDO_RETRYING] = {"undo-retrying", TO(UNDOING) | TO(INQUIRING) | TO(UNDONE) | TO(UNDO_PARKED)},
    [LEG_UNDONE] = {"undone", 0},
    [LEG_UNDO_PARKED] = {"undo-parked", TO(UNDOING) | TO(INQUIRING) | TO(UNDONE)},
};

bool leg_state_leads_to(enum leg_state from, enum leg_state to) {
    return states[from].to & 1u << to;
}

void work_move(struct saga_leg *leg, enum leg_state to) {
    assert(leg_state_leads_to(leg->state, to));
    leg->state = to;
}

const char *leg_state_name(enum leg_state state) {
    return state > 0 && state < LEG_STATES ? states[state].name : "?";
}
