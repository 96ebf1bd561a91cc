// Clearing the cache: first the request and the audit are durable, then it is cleared, then it is answered.
#include "orchestrator/authorize.h"
#include "orchestrator/operator_service.h"
#include "rpc/message.h"
#include "saga/audit.h"
#include "txcenter/saga/v1/operator.pb-c.h"

typedef Txcenter__Saga__V1__ClearCacheRequest clear_message;

struct clearing {
    struct operator_service *service;
    struct rpc_inbound *in;
    const clear_message *request;
    struct request_entry *entry;
};

static void cleared(void *ctx, const struct error *error) {
    struct clearing *clearing = ctx;
    Txcenter__Saga__V1__ClearCacheResponse response = TXCENTER__SAGA__V1__CLEAR_CACHE_RESPONSE__INIT;
    response.instance = rpc_text(clearing->service->instance);
    if (error)
        call_fail(clearing->in, error, NULL, clearing->request->request_id);
    else
        rpc_reply(clearing->in, &response.base);
}

static void clear(struct clearing *clearing) {
    trades_clear_facts(clearing->service->trades, str_c(clearing->request->source), cleared, clearing);
}

static void written(void *ctx, const struct error *error) {
    struct clearing *clearing = ctx;
    if (error)
        call_fail(clearing->in, error, NULL, clearing->request->request_id);
    else
        clear(clearing);
}

static void write_down(struct clearing *clearing) {
    const clear_message *request = clearing->request;
    struct audit_row audit;
    struct error error = {0};
    audit_init(&audit, "clear-cache", str_c(rpc_inbound_caller(clearing->in)->name), str_c(request->reason), &error);
    str_fit(*request->source ? str_c(request->source) : STR("everything"), audit.detail, sizeof audit.detail);
    if (error_is(&error)) {
        request_dropped(clearing->entry);
        call_fail(clearing->in, &error, NULL, request->request_id);
        return;
    }
    struct saga_turn *turn = saga_turn_begin(clearing->service->sagas->engine, NULL);
    audit_put(turn, id_slot(str_c(request->request_id)), &audit);
    request_made(clearing->entry, turn, str_c(request->source), STR_NONE, NULL);
    saga_turn_commit(turn, written, clearing);
}

static void begun(void *ctx, enum request_verdict verdict, struct request_entry *entry, const struct request_row *row,
                  const struct error *error) {
    struct clearing *clearing = ctx;
    (void)row;
    clearing->entry = entry;
    switch (verdict) {
    case REQUEST_NEW: write_down(clearing); break;
    case REQUEST_KNOWN: clear(clearing); break; // the first time may have failed
    case REQUEST_ERROR: call_fail(clearing->in, error, NULL, clearing->request->request_id); break;
    }
}

void operator_clear_cache(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const clear_message *request = (const void *)message;
    struct error error = {0};
    operator_check_text(&error, "request_id", request->request_id, 1, REQUEST_ID_MAX);
    operator_check_text(&error, "reason", request->reason, 1, OPERATOR_REASON_MAX);
    if (*request->source && !trades_has_fact(str_c(request->source)))
        error_field(&error, "source", "is none that is kept; see the configuration's section `cache`");
    struct clearing *clearing;
    if (!saga_service_enter(in, &error) || !(clearing = saga_service_keep(in, sizeof *clearing)))
        return;
    *clearing = (struct clearing){.service = service, .in = in, .request = request};
    const struct request_id id = {.caller = str_c(rpc_inbound_caller(in)->name),
                                  .id = str_c(request->request_id),
                                  .method = "ClearCache",
                                  .body = rpc_encode(message, rpc_inbound_arena(in))};
    request_begin(clearing->service->sagas->requests, &id, begun, clearing);
}
