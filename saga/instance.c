// A saga as data: making it, its signals, when it must be looked at, and what a valid one looks like.
#include "saga/machine.h"

#include <stdio.h>
#include <stdlib.h>

// ---- Bytes and text -----------------------------------------------------------------------------------------------

struct str saga_copy_bytes(struct str bytes) {
    char *copy = malloc(bytes.len + 1);
    if (!copy)
        abort();
    if (bytes.len)
        memcpy(copy, bytes.ptr, bytes.len);
    copy[bytes.len] = '\0';
    return str_n(copy, bytes.len);
}

static void free_bytes(struct str *bytes) {
    free((void *)(uintptr_t)bytes->ptr);
    *bytes = STR_NONE;
}

// ---- Life ---------------------------------------------------------------------------------------------------------

// How many legs each step has, at least one: a step that does not apply still has it, so that the record shows it as
// skipped. False when there are more of them than a saga can have.
static bool count_legs(const struct saga_flow *flow, const struct saga_subject *subject, struct str input,
                       unsigned counts[SAGA_LEGS_MAX], unsigned *ret_total) {
    unsigned total = 0;
    for (uint8_t i = 0; i < flow->n_steps; i++) {
        counts[i] = flow->steps[i].legs ? flow->steps[i].legs(subject, input) : 1;
        total += counts[i] ? counts[i] : 1;
        if (counts[i] > SAGA_LEGS_MAX || total > SAGA_LEGS_MAX)
            return false;
    }
    *ret_total = total;
    return true;
}

static bool make_legs(struct saga_instance *saga, const unsigned counts[SAGA_LEGS_MAX], unsigned total) {
    saga->legs = calloc(total, sizeof *saga->legs);
    if (!saga->legs)
        return false;
    for (uint8_t i = 0; i < saga->flow->n_steps; i++)
        for (unsigned k = 0; k < (counts[i] ? counts[i] : 1); k++)
            saga->legs[saga->n_legs++] = (struct saga_leg){.step = &saga->flow->steps[i],
                                                           .leg = (uint8_t)k,
                                                           .state = counts[i] ? LEG_IDLE : LEG_SKIPPED,
                                                           .generation = 1};
    return true;
}

bool saga_instance_init(struct saga_instance *instance, const struct saga_flow *flow, struct str gid,
                        const struct saga_subject *subject, struct str input, struct error *error) {
    unsigned counts[SAGA_LEGS_MAX], total;
    if (!count_legs(flow, subject, input, counts, &total))
        return error_set(error, ERR_RECORD_TOO_LARGE, "more than %d steps", SAGA_LEGS_MAX);
    struct saga_instance made = {.flow = flow, .status = SAGA_RUNNING};
    if (str_empty(gid) || !str_is_utf8(gid) || !str_copy(gid, made.gid, sizeof made.gid))
        return error_set(error, ERR_INVALID_REQUEST, "a gid has 1..%d bytes of UTF-8", SAGA_GID_MAX);
    if (!make_legs(&made, counts, total))
        return error_set(error, ERR_OVERLOADED, "no memory");
    *instance = made;
    return true;
}

void saga_instance_assume(struct saga_instance *instance, const struct saga_subject *subject, struct str input,
                          bool ask) {
    unsigned counts[SAGA_LEGS_MAX], total;
    if (!ask || !count_legs(instance->flow, subject, input, counts, &total)) {
        total = instance->flow->n_steps;
        for (unsigned i = 0; i < total; i++)
            counts[i] = 1;
    }
    if (!make_legs(instance, counts, total))
        abort();
    for (uint8_t i = 0; i < instance->n_legs; i++) {
        struct saga_leg *leg = &instance->legs[i];
        if (leg->step->kind == SAGA_RETRIABLE && instance->status != SAGA_FORWARD)
            continue; // behind a pivot that has not been passed
        if (leg->state == LEG_IDLE)
            leg->state = leg->step->run ? LEG_RUNNING : LEG_WAITING;
        leg->may_have_run = leg->unknown = leg->step->run != NULL;
    }
}

void saga_instance_release(struct saga_instance *instance) {
    for (uint8_t i = 0; i < instance->n_legs; i++) {
        free_bytes(&instance->legs[i].answer);
        free_bytes(&instance->legs[i].kept.answer);
    }
    for (uint8_t i = 0; i < instance->n_signals; i++)
        free_bytes(&instance->signals[i].payload);
    free(instance->legs);
    free(instance->signals);
    saga_flow_release(instance->flow);
    *instance = (struct saga_instance){0};
}

struct saga_leg *saga_instance_leg(const struct saga_instance *instance, uint16_t step_id, uint8_t leg) {
    for (uint8_t i = 0; i < instance->n_legs; i++)
        if (instance->legs[i].step->id == step_id && instance->legs[i].leg == leg)
            return &instance->legs[i];
    return NULL;
}

// ---- Signals ------------------------------------------------------------------------------------------------------

const struct saga_signal *saga_instance_find_signal(const struct saga_instance *instance, struct str name,
                                                    struct str id) {
    for (uint8_t i = 0; i < instance->n_signals; i++)
        if (str_eq_c(name, instance->signals[i].name) && str_eq_c(id, instance->signals[i].id))
            return &instance->signals[i];
    return NULL;
}

struct saga_signal *saga_instance_unconsumed(const struct saga_instance *instance, const char *name) {
    for (uint8_t i = 0; i < instance->n_signals; i++)
        if (!instance->signals[i].consumed && strcmp(instance->signals[i].name, name) == 0)
            return &instance->signals[i];
    return NULL;
}

static void grow_signals(struct saga_instance *instance) {
    if (instance->n_signals < instance->cap_signals)
        return;
    instance->cap_signals = (uint8_t)(instance->cap_signals ? 2 * instance->cap_signals : 2);
    instance->signals = realloc(instance->signals, instance->cap_signals * sizeof *instance->signals);
    if (!instance->signals)
        abort();
}

bool saga_instance_signal(struct saga_instance *instance, struct str name, struct str id, struct str payload,
                          bool *ret_duplicate, struct error *error) {
    struct saga_signal signal = {0};
    if (str_empty(name) || !str_copy(name, signal.name, sizeof signal.name) || str_empty(id) ||
        !str_copy(id, signal.id, sizeof signal.id) || payload.len > SAGA_SIGNAL_MAX)
        return error_set(error, ERR_INVALID_REQUEST,
                         "a signal has a name of 1..%d bytes, an id of 1..%d and at most %d of its own", SAGA_NAME_MAX,
                         SAGA_GID_MAX, SAGA_SIGNAL_MAX);
    const struct saga_signal *known = saga_instance_find_signal(instance, name, id);
    bool duplicate = known != NULL;
    if (known && !str_eq(known->payload, payload))
        return error_set(error, ERR_IDEMPOTENCY_KEY_REUSED, NULL);
    if (!duplicate && instance->n_signals == SAGA_SIGNALS_MAX)
        return error_set(error, ERR_SIGNALS_FULL, NULL);
    *ret_duplicate = duplicate;
    if (duplicate)
        return true;
    signal.payload = saga_copy_bytes(payload);
    grow_signals(instance);
    instance->signals[instance->n_signals++] = signal;
    return true;
}

// ---- When it must be looked at ------------------------------------------------------------------------------------

bool saga_leg_in_flight(const struct saga_leg *leg) {
    if (leg->kept.came)
        return false;
    return leg->state == LEG_RUNNING || leg->state == LEG_INQUIRING || leg->state == LEG_ASKING ||
           leg->state == LEG_UNDOING;
}

enum saga_op saga_leg_op(const struct saga_leg *leg) {
    if (leg->state == LEG_RUNNING)
        return SAGA_ACTION;
    return leg->state == LEG_UNDOING ? SAGA_COMPENSATE : SAGA_INQUIRE;
}

bool saga_leg_timed(const struct saga_instance *instance, const struct saga_leg *leg) {
    return leg->state == LEG_WAITING || leg->state == LEG_UNDO_RETRYING ||
           (leg->state == LEG_RETRYING && instance->status != SAGA_COMPENSATING);
}

bool saga_instance_parked(const struct saga_instance *instance) {
    if (saga_status_ended(instance->status))
        return false;
    for (uint8_t i = 0; i < instance->n_legs; i++)
        if (instance->legs[i].state == LEG_PARKED || instance->legs[i].state == LEG_UNDO_PARKED)
            return true;
    return false;
}

int64_t saga_instance_limit(const struct saga_instance *instance) {
    if (instance->limit_ms == 0 || instance->status != SAGA_RUNNING)
        return INT64_MAX;
    for (uint8_t i = 0; i < instance->n_legs; i++) {
        const struct saga_leg *leg = &instance->legs[i];
        bool idle = leg->state == LEG_IDLE || leg->state == LEG_RETRYING || leg->state == LEG_WAITING ||
                    leg->state == LEG_PARKED;
        bool child = leg->child == CHILD_STARTED || leg->child == CHILD_SUCCEEDED;
        if (leg->step->kind == SAGA_PIVOT && (!idle || leg->may_have_run || child))
            return INT64_MAX;
    }
    return instance->limit_ms;
}

int64_t saga_instance_timer(const struct saga_instance *instance) {
    int64_t due = instance->paused ? INT64_MAX : saga_instance_limit(instance);
    for (uint8_t i = 0; !instance->paused && i < instance->n_legs; i++)
        if (saga_leg_timed(instance, &instance->legs[i]) && instance->legs[i].due_ms < due)
            due = instance->legs[i].due_ms;
    return due;
}

// What the leg awaits is there, and only has not been looked at yet.
static bool has_come(const struct saga_instance *instance, const struct saga_leg *leg) {
    if (leg->state != LEG_WAITING)
        return false;
    return leg->step->child ? leg->child >= CHILD_SUCCEEDED
                            : leg->step->signal && saga_instance_unconsumed(instance, leg->step->signal);
}

int64_t saga_instance_due(const struct saga_instance *instance) {
    if (saga_status_ended(instance->status))
        return INT64_MAX;
    if (instance->paused)
        return SAGA_DUE_PARKED;
    for (uint8_t i = 0; i < instance->n_legs; i++)
        if (saga_leg_in_flight(&instance->legs[i]) || has_come(instance, &instance->legs[i]))
            return 0;
    int64_t due = saga_instance_timer(instance);
    if (due < SAGA_DUE_PARKED)
        return due;
    // Neither in flight nor timed: an operator's, or about to be moved on by this very turn.
    return saga_instance_parked(instance) ? SAGA_DUE_PARKED : 0;
}

// ---- What is valid ------------------------------------------------------------------------------------------------

bool saga_leg_cleared(const struct saga_leg *leg) {
    switch (leg->state) {
    case LEG_IDLE: return !leg->may_have_run;
    case LEG_DONE: return !leg->step->undo;
    case LEG_SKIPPED: return !(leg->may_have_run && leg->step->undo);
    case LEG_REJECTED:
    case LEG_UNDONE: return true;
    default: return false;
    }
}

// What waits for its next attempt may have been sent again, without the record knowing, before the process died.
enum saga_happened saga_leg_happened(const struct saga_leg *leg) {
    switch (leg->state) {
    case LEG_DONE: return SAGA_HAPPENED;
    case LEG_REJECTED:
    case LEG_UNDONE: return SAGA_HAPPENED_NOT;
    case LEG_IDLE:
    case LEG_SKIPPED: return leg->may_have_run ? SAGA_HAPPENED_PERHAPS : SAGA_HAPPENED_NOT;
    case LEG_PARKED: return leg->refused ? SAGA_HAPPENED_NOT : SAGA_HAPPENED_PERHAPS;
    default: return SAGA_HAPPENED_PERHAPS;
    }
}

#define IN(state) (1u << LEG_##state)
enum {
    OF_CALLS = IN(RUNNING) | IN(RETRYING) | IN(INQUIRING),
    OF_WAITS = IN(WAITING) | IN(ASKING),
    OF_UNDOING = IN(UNDOING) | IN(UNDO_RETRYING) | IN(UNDO_PARKED),
    OF_REVERSED = OF_UNDOING | IN(UNDONE) | IN(REJECTED), // only a saga that turned round has them
};

// An answer is kept of a call that was on its way when the saga was paused (and is no more once it was terminated).
static bool fits_kept(const struct saga_instance *saga, const struct saga_leg *leg) {
    uint32_t state = 1u << leg->state;
    return !leg->kept.came || ((saga->paused || saga->status == SAGA_TERMINATED) &&
                               state & (IN(RUNNING) | IN(INQUIRING) | IN(ASKING) | IN(UNDOING)));
}

static bool fits_step(const struct saga_leg *leg) {
    const struct saga_step *step = leg->step;
    uint32_t state = 1u << leg->state;
    if ((state & OF_CALLS && !step->run) || (state & IN(INQUIRING) && !step->inquire) ||
        (state & OF_WAITS && step->run) || (state & IN(ASKING) && !step->ask) ||
        (state & (OF_UNDOING | IN(UNDONE)) && !step->undo))
        return false;
    return leg->generation > 0 && leg->due_ms >= 0 && leg->held_ms >= 0 && leg->sent_ms >= 0 &&
           (step->child || leg->child == CHILD_NONE) && (step->run || !(leg->may_have_run || leg->unknown));
}

// A stage is entered when every core leg before it is settled. (Not so backwards: what is undone may only be suspected
// to have run.)
static bool forward_in_order(const struct saga_instance *instance) {
    uint8_t open_stage = UINT8_MAX;
    for (uint8_t i = 0; i < instance->n_legs; i++) {
        const struct saga_leg *leg = &instance->legs[i];
        bool entered = leg->state != LEG_IDLE && leg->state != LEG_SKIPPED;
        if (entered && leg->step->stage > open_stage)
            return false;
        if (leg->step->tier == SAGA_CORE && !saga_leg_settled(leg) && leg->step->stage < open_stage)
            open_stage = leg->step->stage;
    }
    return true;
}

static bool reverse_in_order(const struct saga_instance *instance) {
    uint8_t open_stage = 0;
    for (int i = instance->n_legs - 1; i >= 0; i--) {
        const struct saga_leg *leg = &instance->legs[i];
        if (1u << leg->state & (OF_UNDOING | IN(UNDONE)) && leg->step->stage < open_stage)
            return false;
        if (!saga_leg_cleared(leg) && leg->step->stage > open_stage)
            open_stage = leg->step->stage;
    }
    return true;
}

// What a leg may be in a saga of this status.
static bool fits_status(const struct saga_leg *leg, enum saga_status status) {
    uint32_t state = 1u << leg->state;
    bool untouched = state & (IN(IDLE) | IN(SKIPPED)) && !leg->may_have_run;
    switch (status) {
    case SAGA_RUNNING:
        if (leg->step->kind == SAGA_RETRIABLE)
            return untouched;
        return !(state & OF_REVERSED) && !(leg->step->kind == SAGA_PIVOT && state & IN(DONE));
    case SAGA_FORWARD: return !(state & OF_REVERSED) && (leg->step->kind == SAGA_RETRIABLE || saga_leg_settled(leg));
    case SAGA_COMPENSATING:
        if (leg->step->kind == SAGA_RETRIABLE)
            return untouched;
        if (leg->step->kind == SAGA_PIVOT)
            return saga_leg_cleared(leg) && !(state & IN(DONE));
        return !(state & IN(WAITING)) || leg->step->child;
    case SAGA_SUCCEEDED: return saga_leg_settled(leg);
    case SAGA_FAILED: return saga_leg_cleared(leg);
    case SAGA_TERMINATED: return true;
    }
    return false;
}

bool saga_instance_valid(const struct saga_instance *instance, struct error *error) {
    for (uint8_t i = 0; i < instance->n_legs; i++) {
        const struct saga_leg *leg = &instance->legs[i];
        if (!fits_step(leg) || !fits_kept(instance, leg) || !fits_status(leg, instance->status))
            return error_set(error, ERR_STORE_CORRUPT, "step %s of a saga that is %s can't be %s", leg->step->name,
                             saga_status_name(instance->status), leg_state_name(leg->state));
    }
    bool in_order = true;
    if (instance->status == SAGA_RUNNING || instance->status == SAGA_FORWARD)
        in_order = forward_in_order(instance);
    else if (instance->status == SAGA_COMPENSATING)
        in_order = reverse_in_order(instance);
    return in_order || error_set(error, ERR_STORE_CORRUPT, "the steps are not in the order of their stages");
}
