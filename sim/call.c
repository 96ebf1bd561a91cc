// The life of a call: checked, met by faults, run, made durable, answered.
#include "participant/sim/v1/sim.pb-c.h"
#include "sim/bend.h"
#include "sim/faults.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { HOLD_MAX_MS = 10 * 60 * 1000, WAIT_FOR_MAX_MS = 5000, SILENCE_MS = 1000 };

static void fail(struct sim_call *call, const struct error *error) {
    store_write_free(call->change.write);
    call->change.write = NULL;
    rpc_fail(call->in, error, NULL);
}

static void fail_with(struct sim_call *call, enum err code, const char *text) {
    struct error error;
    error_set(&error, code, text ? "%s" : NULL, text);
    fail(call, &error);
}

// ---- Waiting ---------------------------------------------------------------------------------------------------

static void unhold(struct sim_call *call) {
    const struct rpc_timers *timers = &call->system->sim->options.timers;
    timers->stop(timers->ctx, &call->timer);
    *call->at_held = call->next_held;
    if (call->next_held)
        call->next_held->at_held = call->at_held;
    call->at_held = NULL;
}

static void resume(void *ctx) {
    struct sim_call *call = ctx;
    unhold(call);
    call->resume(call);
}

static void hold(struct sim_call *call, int64_t until_ms, void (*then)(struct sim_call *call)) {
    struct sim *sim = call->system->sim;
    int64_t last_ms = sim_now(sim) + HOLD_MAX_MS;
    call->resume = then;
    call->timer = (struct rpc_timer){.fire = resume, .ctx = call};
    call->next_held = sim->held;
    call->at_held = &sim->held;
    if (sim->held)
        sim->held->at_held = &call->next_held;
    sim->held = call;
    sim->options.timers.set(sim->options.timers.ctx, &call->timer, until_ms < last_ms ? until_ms : last_ms);
}

void sim_call_wait_for(struct sim_call *call, const char *name) {
    SIM_COPY(call->waits_for, name);
}

void sim_call_release(struct sim *sim, const char *name) {
    for (struct sim_call *call = sim->held, *next; call; call = next) {
        next = call->next_held;
        if (strcmp(call->waits_for, name) == 0)
            resume(call);
    }
}

void sim_calls_end(struct sim *sim) {
    while (sim->held) {
        struct sim_call *call = sim->held;
        unhold(call);
        fail_with(call, ERR_SHUTTING_DOWN, NULL);
    }
}

// ---- Answering -------------------------------------------------------------------------------------------------

static void reply(struct sim_call *call) {
    rpc_reply_bytes(call->in, call->answer);
}

// Of a call that is never to be answered: its caller has given up by now.
static void give_up(struct sim_call *call) {
    fail_with(call, ERR_INTERNAL, "no answer (a fault that was asked for)");
}

// What was done is durable: answer, unless a fault has other plans.
static void committed(void *ctx, bool durable) {
    struct sim_call *call = ctx;
    struct sim *sim = call->system->sim;
    int64_t deadline_ms = rpc_inbound_deadline_ms(call->in);
    if (!durable)
        fail_with(call, sim->broken ? ERR_INTERNAL : ERR_SHUTTING_DOWN, "what was done is not known to be durable");
    else if (sim->stopped)
        reply(call);
    else if (call->plan.no_answer)
        hold(call, deadline_ms == INT64_MAX ? INT64_MAX : deadline_ms + SILENCE_MS, give_up);
    else if (call->plan.drip_ms > 0 && deadline_ms != INT64_MAX)
        hold(call, deadline_ms - call->plan.drip_ms, reply);
    else if (call->waits_for[0])
        hold(call, sim_now(sim) + WAIT_FOR_MAX_MS, reply);
    else
        reply(call);
}

// Nothing is answered that rests on changes which a crash could still take back: a call that changed nothing waits for
// those of its system that are under way.
static void finish(struct sim_call *call) {
    if (error_is(&call->invalid)) {
        if (call->change.write) // changed in memory, and not to be written
            sim_broken(call->system->sim, &call->invalid);
        fail(call, &call->invalid);
        return;
    }
    assert(call->answer.ptr);
    if (call->change.write || call->system->in_flight > 0)
        sim_change_commit(&call->change, committed, call);
    else
        committed(call, true);
}

// ---- Running ---------------------------------------------------------------------------------------------------

static void run(struct sim_call *call) {
    switch (call->plan.fails) {
    case 0: break;
    case PARTICIPANT__SIM__V1__FAULT_KIND__FAULT_KIND_UNAVAILABLE: fail_with(call, ERR_RETRY, NULL); return;
    case PARTICIPANT__SIM__V1__FAULT_KIND__FAULT_KIND_DOWN:
        fail_with(call, ERR_SHUTTING_DOWN, "the host is down (a fault that was asked for)");
        return;
    default: fail_with(call, ERR_INTERNAL, "a fault that was asked for"); return;
    }
    struct sim *sim = call->system->sim;
    if (store_room(sim->options.store) == 0) {
        fail_with(call, ERR_RETRY, NULL);
        return;
    }
    sim_change_begin(&call->change, call->system,
                     (struct sim_about){call->effect->key, call->effect->gid, call->effect->trade_no});
    sim_effects_run(call);
    finish(call);
}

static Participant__Type__V1__Operation operation_of(enum sim_op op) {
    switch (op) {
    case SIM_READ: return PARTICIPANT__TYPE__V1__OPERATION__OPERATION_READ;
    case SIM_ACTION: return PARTICIPANT__TYPE__V1__OPERATION__OPERATION_ACTION;
    case SIM_COMPENSATE: return PARTICIPANT__TYPE__V1__OPERATION__OPERATION_COMPENSATE;
    case SIM_INQUIRE: return PARTICIPANT__TYPE__V1__OPERATION__OPERATION_INQUIRE;
    }
    return PARTICIPANT__TYPE__V1__OPERATION__OPERATION_UNSPECIFIED;
}

static bool check(struct sim_call *call, struct error *error) {
    if (!sim_check_request(call->request, error))
        return false;
    call->effect = (const void *)rpc_message_in(call->request, 1);
    if (!call->effect) {
        error_field(error, "effect", "is missing");
        return false;
    }
    if (call->effect->op != operation_of(call->method->op))
        error_field(error, "effect.op", "does not fit %s", call->method->name);
    if (call->method->op != SIM_READ && !*call->effect->key)
        error_field(error, "effect.key", "is missing");
    return !error_is(error);
}

static bool find_method(struct sim_call *call) {
    const struct sim_system_def *def = call->system->def;
    for (size_t i = 0; i < def->n_methods; i++)
        if (call->system->types[i].request == call->request->descriptor) {
            call->method = &def->methods[i];
            call->types = &call->system->types[i];
            return true;
        }
    return false;
}

static const char *user_of(const ProtobufCMessage *request) {
    const char *user = rpc_string_named(request, "user_id");
    return user ? user : rpc_string_named(request, "payer");
}

void sim_call_handle(void *service, struct rpc_inbound *in, const ProtobufCMessage *request) {
    struct sim_system *system = service;
    struct sim *sim = system->sim;
    struct error error;
    struct sim_call *call = arena_calloc(rpc_inbound_arena(in), 1, sizeof *call);
    if (!call) {
        error_set(&error, ERR_OVERLOADED, NULL);
        rpc_fail(in, &error, NULL);
        return;
    }
    *call = (struct sim_call){.system = system, .in = in, .arena = rpc_inbound_arena(in), .request = request};
    bool found = find_method(call);
    assert(found); // the routes are made from the same rows
    system->stats.calls++;
    if (!sim->ready || sim->stopped || sim->broken) {
        fail_with(call, sim->stopped ? ERR_SHUTTING_DOWN : sim->broken ? ERR_INTERNAL : ERR_RETRY, NULL);
        return;
    }
    if (!check(call, &error)) {
        fail(call, &error);
        return;
    }
    sim_faults_plan(&(struct sim_fault_subject){system, call->method->name, user_of(request), call->effect->key},
                    &call->plan);
    if (call->plan.delay_ms > 0)
        hold(call, sim_now(sim) + call->plan.delay_ms, run);
    else
        run(call);
}

// ---- What a method says ----------------------------------------------------------------------------------------

static void answer(struct sim_call *call, ProtobufCMessage *response, Participant__Type__V1__Verdict verdict,
                   const char *code, const char *text) {
    Participant__Type__V1__Outcome outcome = PARTICIPANT__TYPE__V1__OUTCOME__INIT;
    outcome.verdict = verdict;
    outcome.code = rpc_text(code);
    outcome.text = rpc_text(text);
    *rpc_message_at(response, 1) = &outcome.base;
    call->answer = rpc_encode(response, call->arena);
    *rpc_message_at(response, 1) = NULL;
    if (call->answer.ptr && call->plan.bend[0])
        call->answer = sim_bend(call->answer, call->types->response, call->plan.bend, call->arena);
    if (!call->answer.ptr)
        error_set(&call->invalid, ERR_OVERLOADED, "the answer is too large");
}

void sim_answer(struct sim_call *call, ProtobufCMessage *response) {
    answer(call, response, PARTICIPANT__TYPE__V1__VERDICT__VERDICT_APPLIED, "", "");
}

void sim_answer_bare(struct sim_call *call, Participant__Type__V1__Verdict verdict, const char *code,
                     const char *text) {
    ProtobufCMessage *response = rpc_message_new(call->types->response, call->arena);
    if (response)
        answer(call, response, verdict, code, text);
    else
        error_set(&call->invalid, ERR_OVERLOADED, "the answer is too large");
}

void sim_reject(struct sim_call *call, const char *code, const char *format, ...) {
    char text[160];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (size_t len = strlen(text); !str_is_utf8(str_c(text)); len--) // cut within a character
        text[len - 1] = '\0';
    call->rejected = true;
    sim_answer_bare(call, PARTICIPANT__TYPE__V1__VERDICT__VERDICT_REJECTED, code, text);
}

void sim_invalid(struct sim_call *call, const char *path, const char *what) {
    error_field(&call->invalid, path, "%s", what);
}

void sim_note(struct sim_call *call, struct str note) {
    assert(note.len <= SIM_NOTE_MAX);
    call->note = arena_str(call->arena, note);
}

void sim_note_ids(struct sim_call *call, char *const *ids, size_t n) {
    char note[SIM_LISTED_MAX * (SIM_LISTED_ID_MAX + 1) + 1];
    size_t len = 0;
    assert(n <= SIM_LISTED_MAX);
    for (size_t i = 0; i < n; i++) {
        assert(strlen(ids[i]) <= SIM_LISTED_ID_MAX);
        len += (size_t)snprintf(note + len, sizeof note - len, "%s%s", i > 0 ? "," : "", ids[i]);
    }
    sim_note(call, str_n(note, len));
}

void sim_noted(struct sim_call *call, unsigned set, void (*each)(struct sim_call *call, void *row)) {
    struct str rest = call->note;
    while (rest.len > 0) {
        char id[SIM_LISTED_ID_MAX + 1];
        bool fits = str_copy(str_cut(&rest, ','), id, sizeof id);
        void *row = fits ? sim_find(call->system, set, id) : NULL;
        if (row)
            each(call, row);
    }
}

Txcenter__Type__V1__Money *sim_money(struct sim_call *call, const char *currency, int64_t minor_units) {
    Txcenter__Type__V1__Money *money = (void *)rpc_message_new(&txcenter__type__v1__money__descriptor, call->arena);
    if (money) {
        money->currency = rpc_text(currency);
        money->minor_units = minor_units;
    }
    return money;
}

bool sim_wants_amount(struct sim_call *call, const Txcenter__Type__V1__Money *money, bool positive, const char *path) {
    if (!money)
        sim_invalid(call, path, "is missing");
    else if (money->minor_units < (positive ? 1 : 0))
        sim_invalid(call, path, positive ? "must be more than 0" : "must not be negative");
    return !error_is(&call->invalid);
}

bool sim_wants_text(struct sim_call *call, const char *text, const char *path) {
    if (!*text)
        sim_invalid(call, path, "is missing");
    return !error_is(&call->invalid);
}
