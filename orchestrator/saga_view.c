#include "orchestrator/saga_view.h"

#include "rpc/message.h"

#include <assert.h>

// ---- Parts --------------------------------------------------------------------------------------------------------

static Google__Protobuf__Timestamp *moment(int64_t unix_ms, struct arena *arena) {
    Google__Protobuf__Timestamp *at = (void *)rpc_message_new(&google__protobuf__timestamp__descriptor, arena);
    if (at) {
        at->seconds = unix_ms / 1000;
        at->nanos = (int32_t)(unix_ms % 1000 * 1000000);
    }
    return at;
}

// Times that are not there yet are 0; those of the far end mean "not by itself".
static bool put_moment(Google__Protobuf__Timestamp **field, int64_t unix_ms, struct arena *arena) {
    if (unix_ms <= 0 || unix_ms >= SAGA_DUE_PARKED)
        return true;
    *field = moment(unix_ms, arena);
    return *field != NULL;
}

static bool put_text(char **field, const char *text, struct arena *arena) {
    if (!text || !*text)
        return true;
    *field = rpc_text(arena_str(arena, str_c(text)).ptr);
    return *field != NULL;
}

static bool put_bytes(ProtobufCBinaryData *field, struct str bytes, struct arena *arena) {
    if (str_empty(bytes))
        return true;
    struct str kept = arena_str(arena, bytes);
    field->data = (uint8_t *)(uintptr_t)kept.ptr;
    field->len = kept.len;
    return field->data != NULL;
}

// ---- Sagas --------------------------------------------------------------------------------------------------------

Txcenter__Saga__V1__Saga *saga_view(const struct saga_row *row, struct arena *arena) {
    Txcenter__Saga__V1__Saga *view = (void *)rpc_message_new(&txcenter__saga__v1__saga__descriptor, arena);
    if (!view)
        return NULL;
    view->flow_version = row->flow_version;
    view->status = (Txcenter__Saga__V1__SagaStatus)row->status; // the same numbers
    view->parked = row->parked != 0;
    view->slot = row->slot;
    view->resume_count = row->resume_count;
    view->paused = row->paused != 0;
    bool made = put_text(&view->gid, row->gid, arena) && put_text(&view->flow, row->flow, arena) &&
                put_text(&view->subject, row->subject, arena) && put_text(&view->parent_gid, row->parent_gid, arena) &&
                put_text(&view->reason, row->reason, arena) && put_text(&view->text, row->text, arena) &&
                put_moment(&view->created_at, row->created_ms, arena) &&
                put_moment(&view->updated_at, row->updated_ms, arena) &&
                put_moment(&view->due_at, row->due_ms, arena) && put_moment(&view->ended_at, row->ended_ms, arena);
    return made ? view : NULL;
}

static const Txcenter__Saga__V1__StepState state_of[LEG_STATES] = {
#define STATE(leg, step) [LEG_##leg] = TXCENTER__SAGA__V1__STEP_STATE__STEP_STATE_##step
    STATE(IDLE, IDLE),         STATE(RUNNING, RUNNING),         STATE(INQUIRING, INQUIRING),
    STATE(RETRYING, RETRYING), STATE(WAITING, WAITING),         STATE(ASKING, WAITING),
    STATE(DONE, DONE),         STATE(REJECTED, REJECTED),       STATE(SKIPPED, SKIPPED),
    STATE(PARKED, PARKED),     STATE(UNDOING, UNDOING),         STATE(UNDO_RETRYING, UNDO_RETRYING),
    STATE(UNDONE, UNDONE),     STATE(UNDO_PARKED, UNDO_PARKED),
#undef STATE
};

static bool has_due(enum leg_state state) {
    return state == LEG_RETRYING || state == LEG_WAITING || state == LEG_UNDO_RETRYING;
}

static Txcenter__Saga__V1__Step *step_view(const struct saga_instance *saga, const struct saga_leg *leg,
                                           struct arena *arena) {
    Txcenter__Saga__V1__Step *view = (void *)rpc_message_new(&txcenter__saga__v1__step__descriptor, arena);
    if (!view)
        return NULL;
    char key[SAGA_KEY_MAX];
    saga_leg_key(saga, leg, key);
    view->step_id = leg->step->id;
    view->leg = leg->leg;
    view->state = state_of[leg->state];
    view->stage = leg->step->stage;
    view->core = leg->step->tier == SAGA_CORE;
    view->attempts = (int32_t)leg->attempts;
    view->generation = (int32_t)leg->generation;
    bool made = put_text(&view->name, leg->step->name, arena) &&
                put_text(&view->kind, saga_kind_name(leg->step->kind), arena) &&
                put_text(&view->participant, leg->step->participant, arena) &&
                put_text(&view->reason, leg->reason, arena) && put_text(&view->text, leg->text, arena) &&
                put_text(&view->key, key, arena) && put_moment(&view->started_at, leg->started_ms, arena) &&
                put_moment(&view->ended_at, leg->ended_ms, arena) &&
                (!has_due(leg->state) || put_moment(&view->due_at, leg->due_ms, arena)) &&
                put_bytes(&view->answer, leg->answer, arena);
    return made ? view : NULL;
}

bool saga_view_legs(Txcenter__Saga__V1__Saga *view, const struct saga_instance *saga, struct arena *arena) {
    view->steps = arena_calloc(arena, saga->n_legs, sizeof *view->steps);
    if (!view->steps)
        return false;
    for (uint8_t i = 0; i < saga->n_legs; i++) {
        if (!(view->steps[i] = step_view(saga, &saga->legs[i], arena)))
            return false;
        view->n_steps++;
    }
    return true;
}

// Why the call of a step can't be sent at present, where it waits in line or was put off for that.
static bool put_hold(Txcenter__Saga__V1__Step *view, const struct saga_instance *saga, const struct saga_leg *leg,
                     const struct saga_engine *engine, struct arena *arena) {
    char why[SAGA_WHY_MAX];
    int64_t since_ms;
    bool timed = leg->state == LEG_RETRYING || leg->state == LEG_UNDO_RETRYING || leg->state == LEG_WAITING;
    if (saga_call_waits(engine, str_c(saga->gid), leg->step->id, leg->leg, why, &since_ms))
        return put_text(&view->held_by, why, arena) && put_moment(&view->held_since, since_ms, arena);
    if (!timed || leg->code != ERR_PARTICIPANT_HELD)
        return true;
    return put_text(&view->held_by, leg->text, arena) && put_moment(&view->held_since, leg->held_ms, arena);
}

static bool put_holds(Txcenter__Saga__V1__Saga *view, const struct saga_instance *saga,
                      const struct saga_engine *engine, struct arena *arena) {
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (!put_hold(view->steps[i], saga, &saga->legs[i], engine, arena))
            return false;
    return true;
}

bool saga_view_steps(Txcenter__Saga__V1__Saga *view, const struct saga_row *row, const struct saga_engine *engine,
                     struct arena *arena) {
    struct saga_instance saga = {0};
    struct error error = {0};
    bool readable = saga_row_instance(engine, row, &saga, &error);
    if (!readable && row->status == SAGA_TERMINATED)
        return true; // what the operator's end says of it is what is known
    if (!readable)
        return put_text(&view->reason, err_info(error.code)->name, arena) && put_text(&view->text, error.text, arena);
    bool made = saga_view_legs(view, &saga, arena) && put_holds(view, &saga, engine, arena);
    saga_instance_release(&saga);
    return made;
}

// ---- Attempts -----------------------------------------------------------------------------------------------------

static const char *step_name(const Txcenter__Saga__V1__Saga *saga, int32_t step_id) {
    for (size_t i = 0; i < saga->n_steps; i++)
        if (saga->steps[i]->step_id == step_id)
            return saga->steps[i]->name;
    return "";
}

static Txcenter__Saga__V1__Attempt *attempt_view(const struct attempt_row *row, const Txcenter__Saga__V1__Saga *saga,
                                                 struct arena *arena) {
    Txcenter__Saga__V1__Attempt *view = (void *)rpc_message_new(&txcenter__saga__v1__attempt__descriptor, arena);
    if (!view)
        return NULL;
    view->step_id = row->step_id;
    view->leg = row->leg;
    view->number = row->number;
    bool known_op = row->op >= SAGA_ACTION && row->op <= SAGA_INQUIRE;
    bool known_outcome = row->outcome >= OUTCOME_OK && row->outcome <= OUTCOME_UNKNOWN;
    bool made = put_text(&view->step_name, step_name(saga, row->step_id), arena) &&
                put_text(&view->op, known_op ? saga_op_name((enum saga_op)row->op) : "", arena) &&
                put_text(&view->outcome, known_outcome ? outcome_name((enum outcome)row->outcome) : "", arena) &&
                put_text(&view->reason, row->reason, arena) && put_text(&view->text, row->text, arena) &&
                put_moment(&view->started_at, row->started_ms, arena) &&
                put_moment(&view->ended_at, row->ended_ms, arena);
    return made ? view : NULL;
}

bool saga_view_attempts(Txcenter__Saga__V1__Saga *view, const struct attempt_row *rows, size_t n, struct arena *arena) {
    if (n == 0)
        return true;
    view->attempts = arena_calloc(arena, n, sizeof *view->attempts);
    if (!view->attempts)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!(view->attempts[i] = attempt_view(&rows[n - 1 - i], view, arena)))
            return false;
    view->n_attempts = n;
    return true;
}

// ---- Flows and audit ----------------------------------------------------------------------------------------------

static Txcenter__Saga__V1__FlowStep *flow_step_view(const struct saga_step *step, struct arena *arena) {
    Txcenter__Saga__V1__FlowStep *view = (void *)rpc_message_new(&txcenter__saga__v1__flow_step__descriptor, arena);
    if (!view)
        return NULL;
    view->step_id = step->id;
    view->stage = step->stage;
    view->core = step->tier == SAGA_CORE;
    view->has_undo = step->undo != NULL;
    view->has_inquire = step->inquire != NULL;
    view->many = step->legs != NULL;
    bool made = put_text(&view->name, step->name, arena) && put_text(&view->kind, saga_kind_name(step->kind), arena) &&
                put_text(&view->participant, step->participant, arena) &&
                put_text(&view->shape, saga_step_shape(step), arena) && put_text(&view->text, step->text, arena) &&
                put_text(&view->retry, saga_patience_name(step->retry), arena);
    return made ? view : NULL;
}

Txcenter__Saga__V1__Flow *flow_view(const struct saga_flow *flow, struct arena *arena) {
    Txcenter__Saga__V1__Flow *view = (void *)rpc_message_new(&txcenter__saga__v1__flow__descriptor, arena);
    if (!view || !(view->steps = arena_calloc(arena, flow->n_steps, sizeof *view->steps)))
        return NULL;
    view->version = flow->version;
    for (uint8_t i = 0; i < flow->n_steps; i++) {
        if (!(view->steps[i] = flow_step_view(&flow->steps[i], arena)))
            return NULL;
        view->n_steps++;
    }
    return put_text(&view->name, flow->name, arena) && put_text(&view->text, flow->text, arena) ? view : NULL;
}

static Txcenter__Saga__V1__ParticipantState state_of_participant(const struct saga_participant *participant) {
    if (participant->pause)
        return TXCENTER__SAGA__V1__PARTICIPANT_STATE__PARTICIPANT_STATE_PAUSED;
    switch (participant->state) {
    case SAGA_BREAKER_OPEN: return TXCENTER__SAGA__V1__PARTICIPANT_STATE__PARTICIPANT_STATE_DOWN;
    case SAGA_BREAKER_HALF_OPEN: return TXCENTER__SAGA__V1__PARTICIPANT_STATE__PARTICIPANT_STATE_PROBING;
    case SAGA_BREAKER_CLOSED: break;
    }
    return TXCENTER__SAGA__V1__PARTICIPANT_STATE__PARTICIPANT_STATE_OPEN;
}

Txcenter__Saga__V1__Participant *participant_view(const struct saga_participant *participant, struct arena *arena) {
    Txcenter__Saga__V1__Participant *view =
        (void *)rpc_message_new(&txcenter__saga__v1__participant__descriptor, arena);
    const struct participant_row *pause = participant->pause;
    if (!view)
        return NULL;
    view->state = state_of_participant(participant);
    view->in_flight = (int32_t)participant->in_flight;
    view->in_flight_max = (int32_t)participant->limits->in_flight_max;
    view->in_flight_core = (int32_t)participant->in_flight_core;
    view->crowded_out = participant->crowded_out;
    view->waiting = (int32_t)participant->waiting;
    view->waiting_core = (int32_t)participant->waiting_core;
    view->rate_per_s = (int32_t)participant->limits->rate_per_s;
    view->calls = participant->calls;
    view->failures = participant->failures;
    view->put_off = participant->put_off;
    view->failures_in_row = (int32_t)participant->failures_in_row;
    bool made = put_text(&view->name, participant->name, arena) &&
                put_moment(&view->since, pause ? pause->since_ms : participant->since_ms, arena) &&
                put_moment(&view->next_probe_at, participant->until_ms, arena) &&
                put_moment(&view->failed_at, participant->failed_ms, arena) &&
                put_text(&view->last_failure, participant->last_text, arena) &&
                put_text(&view->paused_by, pause ? pause->caller : "", arena) &&
                put_text(&view->reason, pause ? pause->reason : "", arena);
    return made ? view : NULL;
}

Txcenter__Saga__V1__AuditEntry *audit_view(const struct audit_row *row, struct arena *arena) {
    Txcenter__Saga__V1__AuditEntry *view = (void *)rpc_message_new(&txcenter__saga__v1__audit_entry__descriptor, arena);
    if (!view)
        return NULL;
    bool made = put_text(&view->audit_no, row->audit_no, arena) && put_text(&view->gid, row->gid, arena) &&
                put_text(&view->action, row->action, arena) && put_text(&view->caller, row->caller, arena) &&
                put_text(&view->reason, row->reason, arena) && put_text(&view->before, row->before, arena) &&
                put_text(&view->after, row->after, arena) && put_moment(&view->at, row->at_ms, arena) &&
                put_text(&view->participant, row->participant, arena) && put_text(&view->detail, row->detail, arena);
    return made ? view : NULL;
}

Txcenter__Saga__V1__Anomaly *anomaly_view(const struct anomaly_row *row, struct arena *arena) {
    Txcenter__Saga__V1__Anomaly *view = (void *)rpc_message_new(&txcenter__saga__v1__anomaly__descriptor, arena);
    if (!view)
        return NULL;
    view->kind = (Txcenter__Saga__V1__AnomalyKind)row->kind; // the same numbers
    view->status = (Txcenter__Saga__V1__SagaStatus)row->status;
    view->times = row->times;
    bool made = put_text(&view->gid, row->gid, arena) && put_text(&view->subject, row->subject, arena) &&
                put_text(&view->flow, row->flow, arena) && put_text(&view->step, row->step, arena) &&
                put_text(&view->text, row->text, arena) && put_moment(&view->first_seen_at, row->first_ms, arena) &&
                put_moment(&view->last_seen_at, row->last_ms, arena) &&
                put_moment(&view->cleared_at, row->cleared_ms, arena);
    return made ? view : NULL;
}
