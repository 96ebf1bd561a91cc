#include "base/id.h"
#include "orchestrator/ctl/protojson.h"
#include "orchestrator/ctl/run.h"
#include "orchestrator/ctl/saga_view.h"
#include "txcenter/trade/v1/trade.pb-c.h"

static const struct rpc_method get_trade = {.service = &txcenter__trade__v1__trade_service__descriptor,
                                            .name = "GetTrade"};

struct trace {
    struct session *session;
    Txcenter__Saga__V1__GetSagaRequest *request;
    json_t *sagas; // of JSON output
    size_t n;
};

static bool trace_saga(struct trace *trace, char *gid, struct session_failure *failure) {
    struct session *session = trace->session;
    trace->request->gid = gid;
    const Txcenter__Saga__V1__GetSagaResponse *response =
        (const void *)session_call(session, &session->args->command->method, &trace->request->base, failure);
    if (!response)
        return false;
    if (!response->saga)
        return true;
    if (session->json) {
        json_array_append_new(trace->sagas, protojson_of(&response->saga->base));
        return true;
    }
    if (trace->n++ > 0)
        view_printf(&session->view, "\n");
    saga_show_timeline(&session->view, &session->arena, response->saga);
    return true;
}

static void trace_print(struct trace *trace) {
    struct session *session = trace->session;
    if (session->json) {
        json_t *document = json_pack("{s:O}", "sagas", trace->sagas);
        if (!document || !protojson_print(&session->view.text, document, false))
            session->view.text.failed = true;
        json_decref(document);
    }
    session_flush(session);
}

static int trace_all(struct trace *trace, char *const *gids, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct session_failure failure;
        if (!trace_saga(trace, gids[i], &failure)) {
            session_flush(trace->session);
            return session_report(trace->session, &failure);
        }
    }
    trace_print(trace);
    return TXCTL_OK;
}

int run_trace(struct session *session) {
    struct trace trace = {.session = session, .request = (void *)session_request(session), .sagas = json_array()};
    if (!trace.request || !trace.sagas)
        return TXCTL_USAGE;
    // A trade's number is one of ours; so may be the gid of a saga without a trade.
    char *gid = trace.request->gid;
    Txcenter__Trade__V1__GetTradeRequest request = TXCENTER__TRADE__V1__GET_TRADE_REQUEST__INIT;
    request.trade_no = gid;
    struct session_failure failure = {0};
    const Txcenter__Trade__V1__GetTradeResponse *found = NULL;
    if (id_valid(str_c(gid)))
        found = (const void *)session_call(session, &get_trade, &request.base, &failure);
    int code;
    if (found && found->trade)
        code = trace_all(&trace, found->trade->saga_gids, found->trade->n_saga_gids);
    else if (failure.grpc_status != 0 && strcmp(failure.reason, "TRADE_NOT_FOUND") != 0)
        code = session_report(session, &failure);
    else
        code = trace_all(&trace, &gid, 1);
    json_decref(trace.sagas);
    return code;
}
