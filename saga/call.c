#include "saga/call.h"

#include "saga/gate.h"

#include <assert.h>
#include <stdlib.h>

enum { NO_ROOM_MS = 1000 }; // until a call is tried again for which there was none

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

void saga_key(const char *gid, uint16_t step_id, uint8_t leg, uint32_t generation, char out[SAGA_KEY_MAX]) {
    size_t length = strnlen(gid, SAGA_GID_MAX);
    memcpy(out, gid, length);
    char *at = put_number(out + length, '/', step_id);
    if (leg > 0)
        at = put_number(at, '.', leg);
    *put_number(at, '/', generation) = '\0';
}

void saga_leg_key(const struct saga_instance *instance, const struct saga_leg *leg, char out[SAGA_KEY_MAX]) {
    saga_key(instance->gid, leg->step->id, leg->leg, leg->generation, out);
}

// ---- Sending ------------------------------------------------------------------------------------------------------

static saga_call_fn *call_fn(const struct saga_call *call) {
    if (call->ask)
        return call->step->ask;
    switch (call->op) {
    case SAGA_ACTION: return call->step->run;
    case SAGA_COMPENSATE: return call->step->undo;
    case SAGA_INQUIRE: return call->step->inquire;
    }
    return NULL;
}

static struct saga_call *call_new(struct saga_resident *resident, const struct saga_held *held) {
    const struct saga_leg *leg = &resident->saga.legs[held->leg];
    struct saga_engine *engine = resident->engine;
    struct saga_call *call = pool_take(&engine->call_pool);
    call->resident = resident;
    call->engine = engine;
    call->step = leg->step;
    call->step_id = leg->step->id;
    call->op = held->op;
    call->ask = held->ask;
    call->index = held->leg;
    call->leg = leg->leg;
    call->generation = leg->generation;
    memcpy(call->gid, resident->saga.gid, sizeof call->gid);
    saga_leg_key(&resident->saga, leg, call->key);
    call->next = resident->calls;
    call->link = &resident->calls;
    if (call->next)
        call->next->link = &call->next;
    resident->calls = call;
    call->engine_next = engine->calls;
    call->engine_link = &engine->calls;
    if (call->engine_next)
        call->engine_next->engine_link = &call->engine_next;
    engine->calls = call;
    return call;
}

static void leave_resident(struct saga_call *call) {
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    call->resident->engine->stats.in_flight_calls -= call->stage == CALL_SENT;
    call->resident = NULL;
}

static void leave_engine(struct saga_call *call) {
    if (!call->engine)
        return;
    *call->engine_link = call->engine_next;
    if (call->engine_next)
        call->engine_next->engine_link = call->engine_link;
    call->engine = NULL;
}

// Of one that has left its saga; the engine may be gone.
static void call_free(struct saga_call *call) {
    struct saga_engine *engine = call->engine;
    leave_engine(call);
    if (engine)
        pool_give(&engine->call_pool, call);
    else
        free(call);
}

static void start(struct saga_call *call) {
    struct saga_resident *resident = call->resident;
    resident->n_admitted -= call->stage == CALL_ADMITTED;
    call->stage = CALL_SENT;
    call->started_ms = clock_now_ms(resident->engine->options.clock);
    resident->engine->stats.in_flight_calls++;
    call_fn(call)(call);
}

static const char *participant_of(const struct saga_call *call) {
    return call->step->whom ? call->step->whom(call) : call->step->participant;
}

// Whether what was decided when the call began to wait still holds.
static bool is_wanted(const struct saga_call *call) {
    const struct saga_instance *saga = &call->resident->saga;
    bool turned = saga->status == SAGA_COMPENSATING && call->op == SAGA_ACTION;
    return !turned && !saga->paused && saga_leg_expects(&saga->legs[call->index], call->op);
}

static void put_off_unwanted(struct saga_call *call) {
    call_put_off(call, clock_now_ms(call->resident->engine->options.clock), "it is not wanted any more");
}

// It may have been held since an earlier turn, until the lease was renewed.
static void send(struct saga_resident *resident, const struct saga_held *held) {
    struct saga_call *call = call_new(resident, held);
    const char *participant = participant_of(call);
    if (!is_wanted(call))
        put_off_unwanted(call);
    else if (!participant || gate_enter(call, participant))
        start(call);
}

static void send_admitted(struct saga_resident *resident) {
    for (struct saga_call *call = resident->calls, *next; call; call = next) {
        next = call->next;
        if (call->stage != CALL_ADMITTED)
            continue;
        if (!is_wanted(call)) {
            gate_withdraw(call);
            put_off_unwanted(call);
        } else if (!gate_recall(call)) {
            start(call);
        }
    }
}

// An instance whose lease is over by its own clock may have been taken over from: it sends nothing before it has proof
// of the contrary.
static bool may_send(struct saga_engine *engine) {
    if (store_lease_left_ms(engine->options.store) > 0)
        return true;
    engine->withheld = true;
    return false;
}

void call_send_held(struct saga_resident *resident) {
    if (!may_send(resident->engine))
        return;
    // What is started here may answer at once; that only queues the answer, so the lists stay as they are.
    struct saga_held *held = resident->held;
    uint16_t n = resident->n_held;
    resident->held = NULL;
    resident->n_held = resident->cap_held = 0;
    if (!resident->engine->stopped) { // else they are sent after the next start, under the same keys
        send_admitted(resident);
        for (uint16_t i = 0; i < n; i++)
            send(resident, &held[i]);
    }
    free(held);
}

void calls_send_withheld(struct saga_engine *engine) {
    if (!engine->withheld)
        return;
    engine->withheld = false;
    for (struct saga_resident *resident = engine->oldest, *next; resident; resident = next) {
        next = resident->newer; // an answer that comes at once makes it the newest
        if (!resident->busy && !resident->gone)
            call_send_held(resident);
    }
}

// ---- Not sending --------------------------------------------------------------------------------------------------

static void drop(struct saga_call *call) {
    leave_resident(call);
    call_free(call);
}

// What was withheld until the lease is renewed: put off then, it would be taken for the next call of the leg.
static void let_go_of_held(struct saga_resident *resident, uint8_t leg) {
    uint16_t kept = 0;
    for (uint16_t i = 0; i < resident->n_held; i++)
        if (resident->held[i].leg != leg)
            resident->held[kept++] = resident->held[i];
    resident->n_held = kept;
}

void call_let_go(struct saga_resident *resident, uint8_t leg) {
    let_go_of_held(resident, leg);
    for (struct saga_answer_event *answer = resident->first; answer; answer = answer->next)
        answer->late = answer->late || answer->leg == leg; // came, and was not looked at yet
    for (struct saga_call *call = resident->calls, *next; call; call = next) {
        next = call->next;
        if (call->index != leg)
            continue;
        call->late = true;
        if (call->stage == CALL_SENT)
            continue;
        gate_withdraw(call);
        drop(call);
    }
}

void call_hold_back(struct saga_resident *resident, bool only_actions) {
    for (struct saga_call *call = resident->calls, *next; call; call = next) {
        next = call->next;
        if (call->stage == CALL_SENT || (only_actions && call->op != SAGA_ACTION))
            continue;
        gate_withdraw(call);
        call_put_off(call, clock_now_ms(resident->engine->options.clock), "the saga does not go on with it");
    }
}

void call_forget_all(struct saga_resident *resident) {
    while (resident->calls) {
        struct saga_call *call = resident->calls;
        if (call->stage != CALL_SENT) {
            gate_withdraw(call);
            drop(call);
            continue;
        }
        call->late = resident_has_ended(resident);
        leave_resident(call);
    }
}

void engine_drop_calls(struct saga_engine *engine) {
    while (engine->calls)
        leave_engine(engine->calls);
}

// ---- Answering ----------------------------------------------------------------------------------------------------

static void queue(struct saga_resident *resident, const struct saga_call *call, const struct saga_answer_event *head,
                  struct str answer) {
    struct saga_answer_event *event = malloc(sizeof *event + answer.len);
    if (!event)
        abort();
    *event = *head;
    event->next = NULL;
    event->leg = call->index;
    event->op = call->op;
    event->late = call->late;
    event->started_ms = call->started_ms;
    event->length = answer.len;
    if (answer.len)
        memcpy(event->answer, answer.ptr, answer.len);
    *resident->last = event;
    resident->last = &event->next;
    engine_enter(resident->engine);
    resident_wake(resident, 0);
    engine_exit(resident->engine);
}

void call_put_off(struct saga_call *call, int64_t until_ms, const char *why) {
    struct saga_resident *resident = call->resident;
    struct saga_answer_event head = {.code = ERR_PARTICIPANT_HELD, .held = true, .until_ms = until_ms};
    str_fit(str_c(why), head.text, sizeof head.text);
    call->started_ms = call->since_ms;
    leave_resident(call);
    queue(resident, call, &head, STR_NONE);
    call_free(call);
}

// One that only tried whether its participant is back, in vain, is no attempt of its saga's.
static void leave_gate(struct saga_call *call, struct saga_answer_event *head) {
    if (!call->engine || !call->gate)
        return;
    gate_leave(call, head->outcome, head->code, head->text, &head->until_ms);
    head->uncounted = call->probe && (head->outcome == OUTCOME_RETRY || head->outcome == OUTCOME_UNKNOWN);
}

// One for which there was no room on this side was not sent, and is no attempt either: others are to blame.
static void put_off_without_room(struct saga_call *call, struct saga_answer_event *head) {
    struct saga_engine *engine = call->engine;
    if (!engine || head->outcome != OUTCOME_RETRY || head->code != ERR_OVERLOADED)
        return;
    head->held = true;
    head->code = ERR_PARTICIPANT_HELD;
    head->until_ms =
        clock_now_ms(engine->options.clock) + NO_ROOM_MS + (int64_t)(engine_chance(engine) % (uint64_t)NO_ROOM_MS);
}

static void finish(struct saga_call *call, struct saga_answer_event *head, struct str answer) {
    struct saga_resident *resident = call->resident;
    struct saga_engine *engine = call->engine;
    if (engine)
        engine_enter(engine); // whoever goes next in line does so behind what this answer decides
    leave_gate(call, head);
    put_off_without_room(call, head);
    if (resident) {
        leave_resident(call);
        queue(resident, call, head, answer);
    } else if (call->late && !head->held && call->engine && !call->engine->stopped) {
        head->op = call->op;
        head->started_ms = call->started_ms;
        late_tell(call, head);
    }
    call_free(call);
    if (engine)
        engine_exit(engine);
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
