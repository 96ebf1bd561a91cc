#include "orchestrator/inbox.h"

#include "orchestrator/admission.h"
#include "orchestrator/authorize.h"
#include "orchestrator/saga_owner.h"
#include "orchestrator/saga_signal.h"
#include "rpc/message.h"
#include "txcenter/callback/v1/callback.pb-c.h"
#include "txcenter/saga/v1/saga.pb-c.h"
#include "txcenter/trade/v1/facts.pb-c.h"

#include <stdlib.h>

enum { ARENA_MAX = 4 << 20 };

// One that is acted on.
struct kept {
    struct trade_call call;
    saga_reply_fn *done;
    void *ctx;
    struct arena arena;
};

// ---- Which --------------------------------------------------------------------------------------------------------

static void act_on_trade(struct inbox_service *service, struct kept *kept, const char *method,
                         const ProtobufCMessage *request);
static void act_on_saga(struct inbox_service *service, struct kept *kept, const char *method,
                        const ProtobufCMessage *request);
static void act_on_source(struct inbox_service *service, struct kept *kept, const char *method,
                          const ProtobufCMessage *request);

static const struct kind {
    const char *method;
    const ProtobufCMessageDescriptor *request, *response;
    void (*act)(struct inbox_service *service, struct kept *kept, const char *method, const ProtobufCMessage *request);
    bool of_saga; // whose caller must be its owner
} kinds[] = {
    {"NotifyPayment", &txcenter__callback__v1__notify_payment_request__descriptor,
     &txcenter__callback__v1__notify_payment_response__descriptor, act_on_trade, false},
    {"NotifyRefund", &txcenter__callback__v1__notify_refund_request__descriptor,
     &txcenter__callback__v1__notify_refund_response__descriptor, act_on_trade, false},
    {"SignalSaga", &txcenter__saga__v1__signal_saga_request__descriptor,
     &txcenter__saga__v1__signal_saga_response__descriptor, act_on_saga, true},
    // No call of anybody's: the trades of one instance tell those of another.
    {TRADES_SOURCE_TAKEN, &txcenter__trade__v1__source_taken__descriptor, NULL, act_on_source, false},
};

static const struct kind *kind_named(const char *method) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].method, method) == 0)
            return &kinds[i];
    return NULL;
}

bool inbox_service_keeps(const struct rpc_method *method) {
    return kind_named(method->name) != NULL;
}

// ---- Keeping ------------------------------------------------------------------------------------------------------

// A call on its way into the inbox; lives in its arena.
struct keeping {
    struct inbox_service *service;
    struct rpc_inbound *in;
    const struct kind *kind;
    unsigned slot;
};

static void kept_now(void *ctx, const struct error *error) {
    struct keeping *keeping = ctx;
    struct error full;
    ProtobufCMessage *response = rpc_message_new(keeping->kind->response, rpc_inbound_arena(keeping->in));
    if (!response) {
        error_set(&full, ERR_ACCEPTANCE_UNKNOWN, "no memory for the answer; ask again");
        error = &full;
    } else if (keeping->kind->of_saga) {
        ((Txcenter__Saga__V1__SignalSagaResponse *)(void *)response)->kept = true;
    }
    if (error)
        call_fail(keeping->in, error, NULL, NULL);
    else
        rpc_reply(keeping->in, response);
}

static void keep(struct keeping *keeping, const char *gid, uint32_t most) {
    const struct saga_keeping what = {.slot = keeping->slot,
                                      .method = keeping->kind->method,
                                      .caller = str_c(rpc_inbound_caller(keeping->in)->name),
                                      .body = rpc_inbound_bytes(keeping->in),
                                      .about = str_c(gid),
                                      .about_max = most};
    saga_inbox_keep(keeping->service->engine, &what, kept_now, keeping);
}

static void checked(void *ctx, const struct error *error, const char *gid, uint32_t room) {
    struct keeping *keeping = ctx;
    if (error)
        call_fail(keeping->in, error, NULL, NULL);
    else
        keep(keeping, gid, room);
}

void inbox_service_keep(void *service, struct rpc_inbound *in, unsigned slot) {
    struct inbox_service *inbox = service;
    struct keeping *keeping = arena_alloc(rpc_inbound_arena(in), sizeof *keeping);
    struct error error = {0};
    if (!keeping)
        error_set(&error, ERR_OVERLOADED, "no memory for the call");
    else
        admission_check(inbox->store, RPC_TIER_HIGH, &error);
    if (error_is(&error)) {
        call_fail(in, &error, NULL, NULL);
        return;
    }
    *keeping =
        (struct keeping){.service = inbox, .in = in, .kind = kind_named(rpc_inbound_method(in)->name), .slot = slot};
    if (keeping->kind->of_saga)
        saga_signal_check(inbox->engine, inbox->store, in, checked, keeping);
    else
        keep(keeping, "", 0); // its signature was looked at before it was found to be another's
}

// ---- Acting -------------------------------------------------------------------------------------------------------

static void conclude(struct kept *kept, const struct error *error) {
    kept->done(kept->ctx, error);
    arena_release(&kept->arena);
    free(kept);
}

static void replied(void *ctx, const ProtobufCMessage *response) {
    (void)response;
    conclude(ctx, NULL);
}

static void failed(void *ctx, const struct error *error, const char *trade_no, const char *request_id) {
    (void)trade_no, (void)request_id;
    conclude(ctx, error);
}

static void act_on_trade(struct inbox_service *service, struct kept *kept, const char *method,
                         const ProtobufCMessage *request) {
    const struct trade_method *row = trade_methods;
    while (strcmp(row->name, method) != 0)
        row++;
    kept->call.ctx = kept;
    kept->call.reply = replied;
    kept->call.fail = failed;
    row->serve(service->trades, &kept->call, request);
}

static void signalled(void *ctx, const struct error *error) {
    conclude(ctx, error);
}

static void act_on_saga(struct inbox_service *service, struct kept *kept, const char *method,
                        const ProtobufCMessage *request) {
    const Txcenter__Saga__V1__SignalSagaRequest *signal = (const void *)request;
    (void)method;
    saga_signal(service->engine, str_c(signal->gid), str_c(signal->name), str_c(signal->request_id),
                str_n(signal->payload.data, signal->payload.len), signalled, kept);
}

static void act_on_source(struct inbox_service *service, struct kept *kept, const char *method,
                          const ProtobufCMessage *request) {
    (void)method;
    trades_source_taken(service->trades, request, signalled, kept);
}

void inbox_service_act(void *service, const struct inbox_row *row, saga_reply_fn *done, void *ctx) {
    const struct kind *kind = kind_named(row->method);
    struct kept *kept = calloc(1, sizeof *kept);
    struct error error = {0};
    if (!kept)
        abort();
    *kept = (struct kept){
        .done = done, .ctx = ctx, .call = {.deadline_ms = INT64_MAX, .request_id = "", .traceparent = ""}};
    arena_init(&kept->arena, ARENA_MAX);
    kept->call.caller = arena_str(&kept->arena, str_c(row->caller)).ptr;
    kept->call.kept = true;
    const ProtobufCMessage *request = kind ? rpc_decode(kind->request, row->body, &kept->arena, &error) : NULL;
    if (!kind)
        error_set(&error, ERR_METHOD_UNKNOWN, "nothing is known of %s, which was kept", row->method);
    else if (!kept->call.caller)
        error_set(&error, ERR_OVERLOADED, "no memory for what was kept");
    if (request && kept->call.caller)
        kind->act(service, kept, kind->method, request);
    else
        conclude(kept, &error);
}
