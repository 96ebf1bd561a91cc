// OperatorService.Batch: a batch of the engine's (saga/batch.h) as a stream.
#include "orchestrator/authorize.h"
#include "orchestrator/forward.h"
#include "orchestrator/operator_service.h"
#include "orchestrator/saga_filter.h"
#include "rpc/message.h"
#include "saga/batch.h"
#include "txcenter/saga/v1/operator.pb-c.h"

#include <stdlib.h>

enum { RATE_USUAL = 10 };

// Lives in the call's arena.
struct batch_call {
    struct operator_service *service;
    struct rpc_inbound *in;
    const Txcenter__Saga__V1__BatchRequest *request;
    struct batch_call *next, **link; // of the service
    struct saga_batch *batch;
};

static void forget(struct batch_call *call) {
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
}

// ---- Reports ------------------------------------------------------------------------------------------------------

typedef Txcenter__Saga__V1__BatchRefusal refusal_message;

static bool send(struct batch_call *call, const struct saga_batch_report *report) {
    Txcenter__Saga__V1__BatchResponse response = TXCENTER__SAGA__V1__BATCH_RESPONSE__INIT;
    refusal_message refusals[SAGA_BATCH_REFUSALS], *pointers[SAGA_BATCH_REFUSALS];
    for (size_t i = 0; i < report->n_refusals; i++) {
        txcenter__saga__v1__batch_refusal__init(&refusals[i]);
        refusals[i].gid = rpc_text(report->refusals[i].gid);
        refusals[i].reason = rpc_text(err_info(report->refusals[i].code)->name);
        refusals[i].text = rpc_text(report->refusals[i].text);
        pointers[i] = &refusals[i];
    }
    response.matched = report->matched;
    response.more = report->more;
    response.done = report->done;
    response.done_before = report->done_before;
    response.refused = report->refused;
    response.failed = report->failed;
    response.finished = report->finished;
    response.refusals = pointers;
    response.n_refusals = report->n_refusals;
    return rpc_stream_send(call->in, &response.base);
}

static bool reported(void *ctx, const struct saga_batch_report *report, const struct error *error) {
    struct batch_call *call = ctx;
    struct error slow;
    if (error) {
        forget(call);
        call_fail(call->in, error, NULL, call->request->request_id);
        return false;
    }
    if (!send(call, report)) {
        error_set(&slow, ERR_CANCELLED_BY_CALLER, NULL);
        forget(call);
        call_fail(call->in, &slow, NULL, call->request->request_id);
        return false;
    }
    if (report->finished) {
        forget(call);
        rpc_stream_end(call->in);
    }
    return true;
}

// ---- Sagas of other instances ---------------------------------------------------------------------------------------

enum { ARENA_MAX = 64 * 1024 };

// One action at another instance.
struct errand {
    saga_reply_fn *done;
    void *ctx;
    struct rpc_method method;
    struct arena arena;
};

static void run_errand(void *ctx, const struct error *error) {
    struct errand *errand = ctx;
    errand->done(errand->ctx, error);
    arena_release(&errand->arena);
    free(errand);
}

static void elsewhere(void *ctx, const struct saga_operation *operation, const char *gid, const char *request_id,
                      saga_reply_fn *done, void *done_ctx) {
    const struct batch_call *call = ctx;
    const struct call_context *context = call_context(call->in);
    struct errand *errand = calloc(1, sizeof *errand);
    if (!errand)
        abort();
    *errand = (struct errand){
        .done = done, .ctx = done_ctx, .method = {.service = &txcenter__saga__v1__operator_service__descriptor}};
    arena_init(&errand->arena, ARENA_MAX);
    struct forward_message message = {.method = &errand->method, .seen_ms = operation->seen_ms};
    message.bytes = operator_request(operation, gid, request_id, &errand->arena, &errand->method.name);
    message.caller = arena_str(&errand->arena, operation->caller).ptr;
    message.request_id = arena_str(&errand->arena, str_c(context->request_id)).ptr;
    message.traceparent = arena_str(&errand->arena, str_c(context->traceparent)).ptr;
    if (!message.bytes.ptr || !message.caller || !message.request_id || !message.traceparent)
        abort(); // every part of it is bounded
    forward_send(context->forward, id_slot(str_c(gid)), &message, run_errand, errand);
}

// ---- Ends from outside --------------------------------------------------------------------------------------------

static void stop(struct batch_call *call, enum err code) {
    struct error error;
    error_set(&error, code, NULL);
    saga_batch_stop(call->batch);
    forget(call);
    call_fail(call->in, &error, NULL, call->request->request_id);
}

static void gone(void *ctx) {
    stop(ctx, ERR_CANCELLED_BY_CALLER);
}

void operator_service_end_streams(struct operator_service *service) {
    while (service->batches)
        stop(service->batches, ERR_SHUTTING_DOWN);
}

// ---- The call -----------------------------------------------------------------------------------------------------

static bool act_of(Txcenter__Saga__V1__OperatorAction action, enum saga_act *ret_act) {
    switch (action) {
    case TXCENTER__SAGA__V1__OPERATOR_ACTION__OPERATOR_ACTION_RETRY: *ret_act = SAGA_ACT_RETRY; return true;
    case TXCENTER__SAGA__V1__OPERATOR_ACTION__OPERATOR_ACTION_SKIP: *ret_act = SAGA_ACT_SKIP; return true;
    case TXCENTER__SAGA__V1__OPERATOR_ACTION__OPERATOR_ACTION_COMPENSATE: *ret_act = SAGA_ACT_COMPENSATE; return true;
    case TXCENTER__SAGA__V1__OPERATOR_ACTION__OPERATOR_ACTION_PAUSE: *ret_act = SAGA_ACT_PAUSE; return true;
    case TXCENTER__SAGA__V1__OPERATOR_ACTION__OPERATOR_ACTION_RESUME: *ret_act = SAGA_ACT_RESUME; return true;
    case TXCENTER__SAGA__V1__OPERATOR_ACTION__OPERATOR_ACTION_TERMINATE: *ret_act = SAGA_ACT_TERMINATE; return true;
    default: return false;
    }
}

// What makes it the same batch: however fast it is done, and whenever it is asked for again. What was older than half
// an hour is told in moments, which are later ones the next time: the first ones hold (saga/batch.h).
static struct str body_of(const Txcenter__Saga__V1__BatchRequest *request, struct arena *arena) {
    Txcenter__Saga__V1__BatchRequest same = *request;
    Txcenter__Saga__V1__SagaFilter filter = *request->filter;
    same.rate_per_s = 0;
    same.dry_run = false;
    same.filter = &filter;
    filter.created_from = filter.created_to = filter.updated_before = NULL;
    return rpc_encode(&same.base, arena);
}

static struct saga_batch_options options_of(struct batch_call *call, struct error *error) {
    const Txcenter__Saga__V1__BatchRequest *request = call->request;
    struct saga_batch_options options = {
        .requests = call->service->sagas->requests,
        .request_id = str_c(request->request_id),
        .filter = saga_filter_of(request->filter),
        .operation = {.caller = str_c(rpc_inbound_caller(call->in)->name),
                      .reason = str_c(request->reason),
                      .step = str_c(request->step)},
        .rate_per_s = request->rate_per_s == 0 ? RATE_USUAL : (uint32_t)request->rate_per_s,
        .dry_run = request->dry_run,
        .elsewhere = elsewhere,
        .report = reported,
        .ctx = call,
    };
    options.body = body_of(request, rpc_inbound_arena(call->in));
    if (!act_of(request->action, &options.operation.act))
        error_field(error, "action", "is none");
    return options;
}

static void check(const Txcenter__Saga__V1__BatchRequest *request, struct error *error) {
    operator_check_text(error, "request_id", request->request_id, 1, REQUEST_ID_MAX);
    operator_check_text(error, "reason", request->reason, request->dry_run ? 0 : 1, OPERATOR_REASON_MAX);
    operator_check_text(error, "step", request->step, 0, SAGA_NAME_MAX);
    if (request->rate_per_s < 0 || request->rate_per_s > SAGA_BATCH_RATE_MAX)
        error_field(error, "rate_per_s", "must be from 1 to %d, or 0 for %d", SAGA_BATCH_RATE_MAX, RATE_USUAL);
    if (!request->filter || protobuf_c_message_get_packed_size(&request->filter->base) == 0)
        error_field(error, "filter", "must have a condition: a batch is never for every saga there is");
    else
        saga_filter_check(request->filter, "filter", error);
}

void operator_batch(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const Txcenter__Saga__V1__BatchRequest *request = (const void *)message;
    struct error error = {0};
    struct batch_call *call;
    check(request, &error);
    const struct operator_service *operators = service;
    if (!saga_service_enter_to_change(operators->sagas, in, &error) || !(call = saga_service_keep(in, sizeof *call)))
        return;
    *call = (struct batch_call){.service = service, .in = in, .request = request};
    struct saga_batch_options options = options_of(call, &error);
    if (!error_is(&error))
        call->batch = saga_batch_begin(call->service->sagas->engine, &options, &error);
    if (!call->batch) {
        call_fail(in, &error, NULL, request->request_id);
        return;
    }
    call->next = call->service->batches;
    call->link = &call->service->batches;
    if (call->next)
        call->next->link = &call->next;
    call->service->batches = call;
    rpc_stream_on_gone(in, gone, call);
}
