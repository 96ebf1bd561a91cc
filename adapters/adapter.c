#include "adapters/adapter.h"
#include "adapters/wanted.h"
#include "adapters/wire.h"
#include "participant/type/v1/effect.pb-c.h"
#include "rpc/message.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { IN_FLIGHT_DEFAULT = 1024, HEADERS_MAX = 16, REQUEST_MAX = 4096, ANSWER_MAX = 1 << 20 };

struct adapter {
    struct adapter_options options;
    uint32_t in_flight;
    struct call *refused; // oldest first; answered by the timer
    struct call **refused_end;
    struct rpc_timer timer;
};

// One call, from adapter_call() to `done`.
struct call {
    struct adapter *adapter;
    const struct adapter_method *method; // the action, for an inquiry about it
    bool inquiry;
    adapter_done_fn *done;
    void *ctx;
    struct call *next; // among the refused
};

static void answer_refused(void *ctx);

struct adapter *adapter_new(const struct adapter_options *options) {
    struct adapter *adapter = calloc(1, sizeof *adapter);
    if (!adapter)
        abort();
    adapter->options = *options;
    if (adapter->options.in_flight_max == 0)
        adapter->options.in_flight_max = IN_FLIGHT_DEFAULT;
    adapter->refused_end = &adapter->refused;
    adapter->timer = (struct rpc_timer){.fire = answer_refused, .ctx = adapter};
    return adapter;
}

void adapter_free(struct adapter *adapter) {
    if (!adapter)
        return;
    answer_refused(adapter);
    assert(adapter->in_flight == 0);
    adapter->options.timers.stop(adapter->options.timers.ctx, &adapter->timer);
    free(adapter);
}

uint32_t adapter_in_flight(const struct adapter *adapter) {
    return adapter->in_flight;
}

// ---- What an answer means --------------------------------------------------------------------------------------

static void broken(struct adapter_answer *answer, const char *what) {
    answer->outcome = OUTCOME_UNKNOWN;
    answer->message = NULL;
    answer->bytes = STR_NONE;
    error_set(&answer->error, ERR_PARTICIPANT_BROKEN, "its answer lacks %s", what);
}

static void copy_code(struct adapter_answer *answer, const char *code) {
    if (!str_copy(str_c(code), answer->code, sizeof answer->code) || !*code)
        str_copy(STR("REJECTED"), answer->code, sizeof answer->code);
}

static void not_answered(struct adapter_answer *answer, const struct rpc_result *result) {
    enum { RESOURCE_EXHAUSTED = 8, UNAVAILABLE = 14 };
    answer->outcome = result->outcome;
    answer->error = result->error;
    bool says_retry = strcmp(result->reason, "RETRY") == 0;
    if (says_retry && (result->grpc_status == UNAVAILABLE || result->grpc_status == RESOURCE_EXHAUSTED)) {
        answer->outcome = OUTCOME_RETRY;
        answer->error.code = ERR_PARTICIPANT_UNAVAILABLE;
    }
    if (answer->outcome == OUTCOME_REJECTED)
        copy_code(answer, result->reason);
}

static void applied(struct adapter_answer *answer, const struct adapter_method *method) {
    for (int i = 0; i < ADAPTER_WANTED_MAX && method->wanted[i]; i++)
        if (!adapter_has(answer->message, method->wanted[i])) {
            broken(answer, method->wanted[i]);
            return;
        }
    answer->outcome = OUTCOME_OK;
}

static void rejected(struct adapter_answer *answer, const Participant__Type__V1__Outcome *outcome) {
    answer->outcome = OUTCOME_REJECTED;
    copy_code(answer, outcome->code);
    error_set(&answer->error, ERR_PARTICIPANT_REJECTED, "%s: %s", answer->code, outcome->text);
}

// The answer that was kept of the action, as if the action had answered now.
static void inquired(struct adapter_answer *answer, const struct call *call, struct arena *arena) {
    const ProtobufCBinaryData *kept = rpc_bytes_at((ProtobufCMessage *)(uintptr_t)answer->message, 2);
    struct error error;
    answer->bytes = str_n(kept->data, kept->len);
    answer->message = rpc_decode(rpc_method_response(&call->method->rpc), answer->bytes, arena, &error);
    if (answer->message)
        applied(answer, call->method);
    else
        broken(answer, "the action's answer");
}

static void judge(struct adapter_answer *answer, const struct call *call, struct arena *arena) {
    const Participant__Type__V1__Outcome *outcome = (const void *)rpc_message_in(answer->message, 1);
    switch (outcome ? outcome->verdict : PARTICIPANT__TYPE__V1__VERDICT__VERDICT_UNSPECIFIED) {
    case PARTICIPANT__TYPE__V1__VERDICT__VERDICT_APPLIED:
        if (call->inquiry)
            inquired(answer, call, arena);
        else
            applied(answer, call->method);
        return;
    case PARTICIPANT__TYPE__V1__VERDICT__VERDICT_REJECTED: rejected(answer, outcome); return;
    case PARTICIPANT__TYPE__V1__VERDICT__VERDICT_NEVER_SEEN:
        if (!call->inquiry)
            break;
        answer->outcome = OUTCOME_RETRY;
        answer->never_seen = true;
        error_set(&answer->error, ERR_PARTICIPANT_UNAVAILABLE, "it has never seen this key");
        return;
    default: break;
    }
    broken(answer, "a verdict");
}

static void finish(struct call *call, struct adapter_answer *answer) {
    if (error_is(&answer->error))
        error_within(&answer->error, "%s %s%s", call->adapter->options.system, call->inquiry ? "Inquire of " : "",
                     call->method->rpc.name);
    call->done(call->ctx, answer);
    free(call);
}

static void answered(void *ctx, const struct rpc_result *result) {
    struct call *call = ctx;
    struct adapter_answer answer = {.message = result->message, .bytes = result->bytes};
    struct arena arena;
    arena_init(&arena, ANSWER_MAX);
    call->adapter->in_flight--;
    if (result->outcome == OUTCOME_OK)
        judge(&answer, call, &arena);
    else
        not_answered(&answer, result);
    finish(call, &answer);
    arena_release(&arena);
}

// ---- Sending ---------------------------------------------------------------------------------------------------

static void answer_refused(void *ctx) {
    struct adapter *adapter = ctx;
    struct call *call = adapter->refused;
    adapter->refused = NULL;
    adapter->refused_end = &adapter->refused;
    while (call) {
        struct call *next = call->next;
        struct adapter_answer answer = {.outcome = OUTCOME_RETRY};
        error_set(&answer.error, ERR_OVERLOADED, "more than %u calls at once", adapter->options.in_flight_max);
        finish(call, &answer);
        call = next;
    }
}

// Answered later like any call, never from within it.
static void refuse(struct call *call) {
    struct adapter *adapter = call->adapter;
    const struct rpc_timers *timers = &adapter->options.timers;
    *adapter->refused_end = call;
    adapter->refused_end = &call->next;
    timers->set(timers->ctx, &adapter->timer, clock_now_ms(timers->clock));
}

static Participant__Type__V1__Operation operation_of(enum adapter_op op) {
    switch (op) {
    case ADAPTER_READ: return PARTICIPANT__TYPE__V1__OPERATION__OPERATION_READ;
    case ADAPTER_ACTION: return PARTICIPANT__TYPE__V1__OPERATION__OPERATION_ACTION;
    case ADAPTER_COMPENSATE: return PARTICIPANT__TYPE__V1__OPERATION__OPERATION_COMPENSATE;
    case ADAPTER_INQUIRE: return PARTICIPANT__TYPE__V1__OPERATION__OPERATION_INQUIRE;
    }
    return PARTICIPANT__TYPE__V1__OPERATION__OPERATION_UNSPECIFIED;
}

static const char *const op_names[] = {"read", "action", "compensate", "inquire"};

// What is passed on, and the effect once more as metadata, for whoever looks at calls without their protos.
static void fill_headers(struct rpc_header *headers, const struct adapter_effect *effect, enum adapter_op op) {
    size_t n = 0;
    const struct rpc_header own[] = {
        {"tx-key", str_c(effect->key)},
        {"tx-gid", str_c(effect->gid)},
        {"tx-step", str_c(effect->step)},
        {"tx-op", str_c(op_names[op])},
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (own[i].value.len > 0)
            headers[n++] = own[i];
    for (const struct rpc_header *header = effect->headers; header && header->name && n < HEADERS_MAX; header++)
        headers[n++] = *header;
    headers[n] = (struct rpc_header){0};
}

static void send(struct call *call, const struct adapter_effect *effect, const struct rpc_method *rpc,
                 enum adapter_op op, ProtobufCMessage *request) {
    struct adapter *adapter = call->adapter;
    if (adapter->in_flight >= adapter->options.in_flight_max) {
        refuse(call);
        return;
    }
    Participant__Type__V1__Effect wire = PARTICIPANT__TYPE__V1__EFFECT__INIT;
    wire.key = wire_text(effect->key);
    wire.gid = wire_text(effect->gid);
    wire.step = wire_text(effect->step);
    wire.op = operation_of(op);
    wire.trade_no = wire_text(effect->trade_no);
    wire.order_no = wire_text(effect->order_no);
    struct rpc_header headers[HEADERS_MAX + 1];
    fill_headers(headers, effect, op);
    struct rpc_call_options options = {
        .deadline_ms = effect->deadline_ms > 0 ? effect->deadline_ms : call->method->deadline_ms,
        .headers = headers,
    };
    adapter->in_flight++;
    *rpc_message_at(request, 1) = &wire.base;
    rpc_call(adapter->options.channel, rpc, request, &options, answered, call);
    *rpc_message_at(request, 1) = NULL;
}

static struct call *call_new(struct adapter *adapter, const struct adapter_method *method, bool inquiry,
                             adapter_done_fn *done, void *ctx) {
    struct call *call = malloc(sizeof *call);
    if (!call)
        abort();
    *call = (struct call){.adapter = adapter, .method = method, .inquiry = inquiry, .done = done, .ctx = ctx};
    return call;
}

void adapter_call(struct adapter *adapter, const struct adapter_method *method, const struct adapter_effect *effect,
                  ProtobufCMessage *request, adapter_done_fn *done, void *ctx) {
    send(call_new(adapter, method, false, done, ctx), effect, &method->rpc, method->op, request);
}

void adapter_inquire(struct adapter *adapter, const struct adapter_method *action, const struct adapter_effect *effect,
                     adapter_done_fn *done, void *ctx) {
    struct rpc_method rpc = {.service = action->rpc.service, .name = "Inquire"};
    struct arena arena;
    arena_init(&arena, REQUEST_MAX);
    ProtobufCMessage *request = rpc_message_new(rpc_method_request(&rpc), &arena);
    if (!request)
        abort();
    send(call_new(adapter, action, true, done, ctx), effect, &rpc, ADAPTER_INQUIRE, request);
    arena_release(&arena);
}
