#include "saga/call.h"

#include "saga/engine.h"

#include <assert.h>
#include <stdlib.h>

// A separator and a number behind what is there; returns the end. (Several keys are made for each call that is sent.)
static char *put_number(char *at, char separator, uint32_t number) {
    char digits[10];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + number % 10);
    while (number /= 10);
    *at++ = separator;
    while (n > 0)
        *at++ = digits[--n];
    return at;
}

_Static_assert((int)SAGA_KEY_MAX > (int)SAGA_GID_MAX + 6 + 4 + 11, "a gid, a step, a leg and a generation fit");

static void make_key(const char *gid, uint16_t step_id, uint8_t leg, uint32_t generation, char out[SAGA_KEY_MAX]) {
    size_t length = strnlen(gid, SAGA_GID_MAX);
    memcpy(out, gid, length);
    char *at = put_number(out + length, '/', step_id);
    if (leg > 0)
        at = put_number(at, '.', leg);
    *put_number(at, '/', generation) = '\0';
}

void saga_key(const char *gid, uint16_t step_id, uint32_t generation, char out[SAGA_KEY_MAX]) {
    make_key(gid, step_id, 0, generation, out);
}

void saga_leg_key(const struct saga_instance *instance, const struct saga_leg *leg, char out[SAGA_KEY_MAX]) {
    make_key(instance->gid, leg->step->id, leg->leg, leg->generation, out);
}

// ---- Sending ------------------------------------------------------------------------------------------------------

static saga_call_fn *call_fn(const struct saga_step *step, const struct saga_held *held) {
    if (held->ask)
        return step->ask;
    switch (held->op) {
    case SAGA_ACTION: return step->run;
    case SAGA_COMPENSATE: return step->undo;
    case SAGA_INQUIRE: return step->inquire;
    }
    return NULL;
}

static void send(struct saga_resident *resident, const struct saga_held *held) {
    const struct saga_leg *leg = &resident->saga.legs[held->leg];
    struct saga_call *call = calloc(1, sizeof *call);
    if (!call)
        abort();
    call->resident = resident;
    call->step = leg->step;
    call->op = held->op;
    call->index = held->leg;
    call->leg = leg->leg;
    call->started_ms = clock_now_ms(resident->engine->options.clock);
    call->generation = leg->generation;
    memcpy(call->gid, resident->saga.gid, sizeof call->gid);
    saga_leg_key(&resident->saga, leg, call->key);
    call->next = resident->calls;
    call->link = &resident->calls;
    if (call->next)
        call->next->link = &call->next;
    resident->calls = call;
    resident->engine->stats.in_flight_calls++;
    call_fn(call->step, held)(call);
}

void call_send_held(struct saga_resident *resident) {
    // What is started here may answer at once; that only queues the answer, so the list stays as it is.
    struct saga_held *held = resident->held;
    uint16_t n = resident->n_held;
    resident->held = NULL;
    resident->n_held = resident->cap_held = 0;
    if (!resident->engine->stopped) // else they are sent after the next start, under the same keys
        for (uint16_t i = 0; i < n; i++)
            send(resident, &held[i]);
    free(held);
}

void call_forget_all(struct saga_resident *resident) {
    while (resident->calls) {
        struct saga_call *call = resident->calls;
        resident->calls = call->next;
        call->resident = NULL;
        resident->engine->stats.in_flight_calls--;
    }
}

// ---- Answering ----------------------------------------------------------------------------------------------------

static void unlink_call(struct saga_call *call) {
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    call->resident->engine->stats.in_flight_calls--;
}

static void finish(struct saga_call *call, const struct saga_answer_event *head, struct str answer) {
    struct saga_resident *resident = call->resident;
    if (resident) {
        struct saga_answer_event *event = malloc(sizeof *event + answer.len);
        if (!event)
            abort();
        *event = *head;
        event->next = NULL;
        event->leg = call->index;
        event->op = call->op;
        event->started_ms = call->started_ms;
        event->length = answer.len;
        if (answer.len)
            memcpy(event->answer, answer.ptr, answer.len);
        unlink_call(call);
        *resident->last = event;
        resident->last = &event->next;
        engine_enter(resident->engine);
        resident_wake(resident, 0);
        engine_leave(resident->engine);
    }
    free(call);
}

void saga_call_done(struct saga_call *call, enum outcome outcome, enum err code, const char *reason, const char *text,
                    struct str answer) {
    struct saga_answer_event head = {.outcome = outcome, .code = code};
    if (outcome != OUTCOME_OK && code == ERR_OK)
        head.code = ERR_PARTICIPANT_BROKEN;
    str_fit(str_c(reason), head.reason, sizeof head.reason);
    str_fit(str_c(text), head.text, sizeof head.text);
    finish(call, &head, answer);
}

void saga_call_never_seen(struct saga_call *call) {
    assert(call->op == SAGA_INQUIRE);
    struct saga_answer_event head = {.outcome = OUTCOME_OK, .never_seen = true};
    finish(call, &head, STR_NONE);
}

void answers_free(struct saga_resident *resident) {
    while (resident->first) {
        struct saga_answer_event *next = resident->first->next;
        free(resident->first);
        resident->first = next;
    }
    resident->last = &resident->first;
}

// ---- What a call can ask for --------------------------------------------------------------------------------------

const char *saga_call_key(const struct saga_call *call) {
    return call->key;
}

const char *saga_call_gid(const struct saga_call *call) {
    return call->gid;
}

const struct saga_step *saga_call_step(const struct saga_call *call) {
    return call->step;
}

const struct saga_flow *saga_call_flow(const struct saga_call *call) {
    return call->resident->saga.flow;
}

enum saga_op saga_call_op(const struct saga_call *call) {
    return call->op;
}

uint8_t saga_call_leg(const struct saga_call *call) {
    return call->leg;
}

uint32_t saga_call_generation(const struct saga_call *call) {
    return call->generation;
}

uint32_t saga_call_deadline_ms(const struct saga_call *call) {
    return call->step->deadline_ms;
}

struct saga_subject *saga_call_subject(const struct saga_call *call) {
    return call->resident->subject;
}

struct str saga_call_input(const struct saga_call *call) {
    return call->resident->input;
}

struct str saga_call_answer_of(const struct saga_call *call, uint16_t step_id, uint8_t leg) {
    const struct saga_leg *found = saga_instance_leg(&call->resident->saga, step_id, leg);
    return found ? found->answer : STR_NONE;
}

void saga_call_key_of(const struct saga_call *call, uint16_t step_id, uint8_t leg, char out[SAGA_KEY_MAX]) {
    const struct saga_leg *found = saga_instance_leg(&call->resident->saga, step_id, leg);
    out[0] = '\0';
    if (found)
        saga_leg_key(&call->resident->saga, found, out);
}
