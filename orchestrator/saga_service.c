#include "orchestrator/saga_service.h"

#include "orchestrator/admission.h"
#include "orchestrator/authorize.h"
#include "orchestrator/page.h"
#include "orchestrator/saga_filter.h"
#include "orchestrator/saga_owner.h"
#include "orchestrator/saga_signal.h"
#include "orchestrator/saga_view.h"
#include "rpc/message.h"
#include "saga/tables.h"

enum {
    COUNT_MAX = 100000,   // sagas
    ATTEMPTS_SHOWN = 500, // the latest
};

// ---- Checks of form -----------------------------------------------------------------------------------------------

static void check_text(struct error *error, const char *path, const char *text, size_t least, size_t most) {
    size_t len = strlen(text);
    if (len < least || len > most)
        error_field(error, path, "must have %zu..%zu bytes, has %zu", least, most, len);
}

// What every method begins with, where a caller sees what is its own. False: the call is over.
static bool enter_own(struct rpc_inbound *in, const struct error *error) {
    if (error_is(error))
        call_fail(in, error, NULL, NULL);
    return !error_is(error);
}

// The same for what belongs to nobody.
static bool enter(struct rpc_inbound *in, struct error *error) {
    if (!error_is(error) && !call_may_all(call_context(in)))
        error_set(error, ERR_TENANT_FORBIDDEN,
                  "flows and operators' actions belong to no tenant: they are for callers of every tenant (\"*\")");
    return enter_own(in, error);
}

static void note_gid(struct rpc_inbound *in, const char *gid) {
    call_context(in)->notes->gid = str_c(gid);
}

static void *no_memory(struct rpc_inbound *in) {
    struct error error = {0};
    error_set(&error, ERR_OVERLOADED, "no memory for the answer; a smaller page may fit");
    call_fail(in, &error, NULL, NULL);
    return NULL;
}

static void *kept(struct rpc_inbound *in, size_t size) {
    void *made = arena_calloc(rpc_inbound_arena(in), 1, size);
    return made ? made : no_memory(in);
}

// ---- One saga -----------------------------------------------------------------------------------------------------

// A saga being read: its row, then its attempts.
struct lookup {
    struct saga_service *service;
    struct rpc_inbound *in;
    const char *gid;
    const ProtobufCMessageDescriptor *response; // whose first field is the saga
    Txcenter__Saga__V1__Saga *view;
};

static void reply_saga(struct lookup *lookup) {
    ProtobufCMessage *response = rpc_message_new(lookup->response, rpc_inbound_arena(lookup->in));
    if (!response) {
        no_memory(lookup->in);
        return;
    }
    *rpc_message_at(response, 1) = &lookup->view->base;
    rpc_reply(lookup->in, response);
}

static void attempts_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct lookup *lookup = ctx;
    if (error)
        call_fail(lookup->in, error, NULL, NULL);
    else if (!saga_view_attempts(lookup->view, rows, n, rpc_inbound_arena(lookup->in)))
        no_memory(lookup->in);
    else
        reply_saga(lookup);
}

static void saga_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct lookup *lookup = ctx;
    const struct saga_row *row = rows;
    struct saga_engine *engine = lookup->service->engine;
    struct arena *arena = rpc_inbound_arena(lookup->in);
    struct error missing = {0};
    if (error || n == 0 || !saga_owner_may(lookup->in, row->subject)) {
        error_set(&missing, ERR_SAGA_NOT_FOUND, "no saga has the gid %s", lookup->gid);
        call_fail(lookup->in, error ? error : &missing, NULL, NULL);
        return;
    }
    lookup->view = saga_view(row, arena);
    if (!lookup->view || !saga_view_steps(lookup->view, row, engine, arena)) {
        no_memory(lookup->in);
        return;
    }
    struct store_query query = {
        .table = &attempt_table,
        .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(lookup->gid)}},
        .descending = true,
        .limit = ATTEMPTS_SHOWN,
    };
    store_read(lookup->service->store, &query, attempts_read, lookup);
}

static void look_up(struct lookup *lookup) {
    struct store_query query = {
        .table = &saga_table,
        .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(lookup->gid)}},
        .limit = 1,
    };
    store_read(lookup->service->store, &query, saga_read, lookup);
}

void saga_service_show(struct saga_service *service, struct rpc_inbound *in, const char *gid,
                       const ProtobufCMessageDescriptor *response) {
    struct lookup *lookup = kept(in, sizeof *lookup);
    if (!lookup)
        return;
    *lookup = (struct lookup){.service = service, .in = in, .gid = gid, .response = response};
    look_up(lookup);
}

static void get_saga(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const Txcenter__Saga__V1__GetSagaRequest *request = (const void *)message;
    struct error error = {0};
    check_text(&error, "gid", request->gid, 1, SAGA_GID_MAX);
    if (!enter_own(in, &error))
        return;
    note_gid(in, request->gid);
    saga_service_show(service, in, request->gid, &txcenter__saga__v1__get_saga_response__descriptor);
}

static void submit(void *service, struct rpc_inbound *in, const ProtobufCMessage *undecoded) {
    (void)undecoded;
    submit_saga(((struct saga_service *)service)->submit, in);
}

// A durable answer is waited for: none is begun while there can be none.
static bool admit(const struct saga_service *service, struct rpc_inbound *in, struct error *error) {
    return admission_check(service->store, RPC_TIER_HIGH, error) || enter_own(in, error);
}

static void signal(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const struct saga_service *sagas = service;
    struct error error = {0};
    if (admit(sagas, in, &error))
        saga_signal_serve(sagas->engine, sagas->store, in, message);
}

static void watch(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    saga_streams_serve(((struct saga_service *)service)->streams, in, message);
}

// ---- Lists of sagas -----------------------------------------------------------------------------------------------

// What the caller's own sagas are about.
struct own {
    char subject[SAGA_SUBJECT_MAX + 1];
};

// A page of sagas being read.
struct saga_page {
    struct page *page;
    struct saga_filter filter;
    struct own own;
};

static void sagas_read(void *ctx, const struct error *error, const struct saga_list_page *found) {
    const struct page *page = ((struct saga_page *)ctx)->page;
    struct arena *arena = rpc_inbound_arena(page->in);
    Txcenter__Saga__V1__ListSagasResponse response = TXCENTER__SAGA__V1__LIST_SAGAS_RESPONSE__INIT;
    if (error) {
        call_fail(page->in, error, NULL, NULL);
        return;
    }
    response.sagas = arena_calloc(arena, found->n + 1, sizeof *response.sagas);
    bool made = response.sagas != NULL;
    for (size_t i = 0; made && i < found->n; i++)
        made = (response.sagas[response.n_sagas++] = saga_view(&found->rows[i], arena)) != NULL;
    if (made && found->more)
        made = (response.next_page_token = page_next(page, found->next.key, found->next.gid)) != NULL;
    if (made)
        rpc_reply(page->in, &response.base);
    else
        no_memory(page->in);
}

// The filter as it is asked for by this call: whoever doesn't see all sees its own.
static struct saga_filter filter_for(struct rpc_inbound *in, const Txcenter__Saga__V1__SagaFilter *asked,
                                     struct own *own, struct error *error) {
    struct saga_filter filter = saga_filter_of(asked);
    saga_filter_check(asked, "filter", error);
    if (saga_owner_sees_all(in))
        return filter;
    saga_owner(rpc_inbound_caller(in)->name, own->subject);
    if (!str_empty(filter.subject) && !str_eq_c(filter.subject, own->subject) && !error_is(error))
        error_set(error, ERR_SCOPE_MISSING, "sagas of others are for callers with the scope operate, of every tenant");
    filter.subject = str_c(own->subject);
    return filter;
}

static void list_sagas(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const Txcenter__Saga__V1__ListSagasRequest *request = (const void *)message;
    Txcenter__Saga__V1__ListSagasRequest unpaged = *request;
    unpaged.page_size = 0;
    unpaged.page_token = rpc_text("");
    struct error error = {0};
    struct page *page = page_new(in, "sagas", &unpaged.base, request->page_size, request->page_token, &error);
    struct saga_page *reading = page ? kept(in, sizeof *reading) : NULL;
    if (page && !reading)
        return;
    if (page)
        *reading = (struct saga_page){.page = page};
    if (page)
        reading->filter = filter_for(in, request->filter, &reading->own, &error);
    if (!enter_own(in, &error))
        return;
    struct saga_list_cursor cursor = {.key = page->cursor.key};
    str_copy(str_c(page->cursor.id), cursor.gid, sizeof cursor.gid);
    saga_list_read(((struct saga_service *)service)->store, &reading->filter, page->has_cursor ? &cursor : NULL,
                   page->size, sagas_read, reading);
}

static void sagas_counted(void *ctx, const struct error *error, size_t n, bool at_least) {
    struct rpc_inbound *in = ctx;
    Txcenter__Saga__V1__CountSagasResponse response = TXCENTER__SAGA__V1__COUNT_SAGAS_RESPONSE__INIT;
    response.count = (int64_t)n;
    response.at_least = at_least;
    if (error)
        call_fail(in, error, NULL, NULL);
    else
        rpc_reply(in, &response.base);
}

static void count_sagas(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const Txcenter__Saga__V1__CountSagasRequest *request = (const void *)message;
    struct error error = {0};
    struct own *own = kept(in, sizeof *own);
    if (!own)
        return;
    struct saga_filter filter = filter_for(in, request->filter, own, &error);
    if (enter_own(in, &error))
        saga_list_count(((struct saga_service *)service)->store, &filter, COUNT_MAX, sagas_counted, in);
}

// ---- Flows --------------------------------------------------------------------------------------------------------

static void list_flows(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    (void)message;
    const struct saga_flow *const *flows = saga_engine_flows(((struct saga_service *)service)->engine);
    Txcenter__Saga__V1__ListFlowsResponse response = TXCENTER__SAGA__V1__LIST_FLOWS_RESPONSE__INIT;
    struct error error = {0};
    if (!enter(in, &error))
        return;
    size_t n = 0;
    while (flows[n])
        n++;
    response.flows = kept(in, (n + 1) * sizeof *response.flows);
    if (!response.flows)
        return;
    for (size_t i = 0; i < n; i++) {
        response.flows[i] = flow_view(flows[i], rpc_inbound_arena(in));
        if (!response.flows[i]) {
            no_memory(in);
            return;
        }
    }
    response.n_flows = n;
    rpc_reply(in, &response.base);
}

static void get_flow(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const Txcenter__Saga__V1__GetFlowRequest *request = (const void *)message;
    Txcenter__Saga__V1__GetFlowResponse response = TXCENTER__SAGA__V1__GET_FLOW_RESPONSE__INIT;
    struct error error = {0};
    check_text(&error, "name", request->name, 1, SAGA_NAME_MAX);
    if (!enter(in, &error))
        return;
    const struct saga_flow *flow = saga_engine_flow(((struct saga_service *)service)->engine, str_c(request->name), 0);
    if (!flow) {
        error_set(&error, ERR_FLOW_UNKNOWN, "no flow has the name %s", request->name);
        call_fail(in, &error, NULL, NULL);
        return;
    }
    response.flow = flow_view(flow, rpc_inbound_arena(in));
    if (response.flow)
        rpc_reply(in, &response.base);
    else
        no_memory(in);
}

// ---- For OperatorService ------------------------------------------------------------------------------------------

bool saga_service_enter(struct rpc_inbound *in, struct error *error) {
    return enter(in, error);
}

bool saga_service_enter_to_change(const struct saga_service *service, struct rpc_inbound *in, struct error *error) {
    return enter(in, error) && admit(service, in, error);
}

void *saga_service_keep(struct rpc_inbound *in, size_t size) {
    return kept(in, size);
}

// ---- Rows ---------------------------------------------------------------------------------------------------------

#define ROW(of, method_name, handler, needed, urgency, ...)                                                            \
    {                                                                                                                  \
        .method = {.service = &txcenter__saga__v1__##of##_service__descriptor, .name = (method_name), __VA_ARGS__},    \
        .handle = (handler), .scope = (needed), .tier = (urgency)                                                      \
    }

const struct rpc_route saga_routes[] = {
    ROW(saga, "SubmitSaga", submit, RPC_SAGA, RPC_TIER_NORMAL, .undecoded = true),
    ROW(saga, "SignalSaga", signal, RPC_SAGA, RPC_TIER_HIGH),
    ROW(saga, "WatchSaga", watch, RPC_SAGA, RPC_TIER_LOW, .server_streaming = true),
    ROW(saga, "CountSagas", count_sagas, RPC_SAGA, RPC_TIER_LOW),
    ROW(saga, "GetSaga", get_saga, RPC_SAGA, RPC_TIER_LOW),
    ROW(saga, "ListSagas", list_sagas, RPC_SAGA, RPC_TIER_LOW),
    ROW(saga, "ListFlows", list_flows, RPC_SAGA, RPC_TIER_LOW),
    ROW(saga, "GetFlow", get_flow, RPC_SAGA, RPC_TIER_LOW),
};
const size_t n_saga_routes = sizeof saga_routes / sizeof saga_routes[0];
