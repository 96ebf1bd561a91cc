#include "orchestrator/saga_service.h"

#include "orchestrator/authorize.h"
#include "orchestrator/page_token.h"
#include "orchestrator/saga_owner.h"
#include "orchestrator/saga_signal.h"
#include "orchestrator/saga_view.h"
#include "rpc/message.h"
#include "saga/list.h"
#include "saga/tables.h"

#include <assert.h>

enum {
    PAGE_DEFAULT = 50,
    PAGE_MAX = 200,
    COUNT_MAX = 100000,   // sagas
    ATTEMPTS_SHOWN = 500, // the latest
    REASON_MAX = sizeof(((struct audit_row *)NULL)->reason) - 1,
};

// ---- Checks of form -----------------------------------------------------------------------------------------------

static void check_text(struct error *error, const char *path, const char *text, size_t least, size_t most) {
    size_t len = strlen(text);
    if (len < least || len > most)
        error_field(error, path, "must have %zu..%zu bytes, has %zu", least, most, len);
}

static void check_moment(struct error *error, const char *path, const Google__Protobuf__Timestamp *at) {
    if (at && !clock_is_moment(at->seconds, at->nanos))
        error_field(error, path, "is not a time");
}

static int64_t moment_ms(const Google__Protobuf__Timestamp *at) {
    return clock_moment_ms(at->seconds, at->nanos);
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
    Txcenter__Saga__V1__Saga *view;
    void (*reply)(struct rpc_inbound *in, Txcenter__Saga__V1__Saga *view);
};

static void attempts_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct lookup *lookup = ctx;
    if (error)
        call_fail(lookup->in, error, NULL, NULL);
    else if (!saga_view_attempts(lookup->view, rows, n, rpc_inbound_arena(lookup->in)))
        no_memory(lookup->in);
    else
        lookup->reply(lookup->in, lookup->view);
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

static void reply_saga(struct rpc_inbound *in, Txcenter__Saga__V1__Saga *view) {
    Txcenter__Saga__V1__GetSagaResponse response = TXCENTER__SAGA__V1__GET_SAGA_RESPONSE__INIT;
    response.saga = view;
    rpc_reply(in, &response.base);
}

static void get_saga(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const Txcenter__Saga__V1__GetSagaRequest *request = (const void *)message;
    struct error error = {0};
    check_text(&error, "gid", request->gid, 1, SAGA_GID_MAX);
    struct lookup *lookup;
    if (!enter_own(in, &error) || !(lookup = kept(in, sizeof *lookup)))
        return;
    note_gid(in, request->gid);
    *lookup = (struct lookup){.service = service, .in = in, .gid = request->gid, .reply = reply_saga};
    look_up(lookup);
}

static void submit(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    submit_saga(((struct saga_service *)service)->submit, in, message);
}

static void signal(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const struct saga_service *sagas = service;
    saga_signal_serve(sagas->engine, sagas->store, in, message);
}

static void watch(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    saga_streams_serve(((struct saga_service *)service)->streams, in, message);
}

// ---- Pages --------------------------------------------------------------------------------------------------------

// A page being read.
struct page {
    struct rpc_inbound *in;
    struct page_of of;
    uint32_t size;
    struct saga_filter filter;      // of sagas
    char own[SAGA_SUBJECT_MAX + 1]; // what the caller's own are about
    struct page_cursor cursor;
    bool has_cursor;
};

// `request` without its page is the filter.
static struct page *page_new(struct rpc_inbound *in, const char *list, const ProtobufCMessage *request, int32_t size,
                             const char *token, struct error *error) {
    struct arena *arena = rpc_inbound_arena(in);
    struct page *page = arena_calloc(arena, 1, sizeof *page);
    struct str filter = rpc_encode(request, arena);
    if (!page || !filter.ptr) {
        error_set(error, ERR_OVERLOADED, "no memory for the call");
        return NULL;
    }
    page->in = in;
    page->of = (struct page_of){.list = str_c(list), .filter = filter};
    page->size = size == 0 ? PAGE_DEFAULT : size > PAGE_MAX ? PAGE_MAX : (uint32_t)size;
    page->has_cursor = *token != '\0';
    if (size < 0)
        error_field(error, "page_size", "must not be negative");
    if (page->has_cursor && !page_token_read(str_c(token), &page->of, &page->cursor))
        error_field(error, "page_token", "is not one that this list gave for this filter");
    return page;
}

// The token behind the last row of a page that has more behind it; NULL without memory.
static char *next_token(const struct page *page, int64_t key, const char *id) {
    struct page_cursor last = {.key = key};
    char token[PAGE_TOKEN_MAX + 1];
    str_copy(str_c(id), last.id, sizeof last.id);
    page_token_make(&page->of, &last, token);
    return rpc_text(arena_str(rpc_inbound_arena(page->in), str_c(token)).ptr);
}

static const struct store_index *index_named(const struct store_table *table, const char *name) {
    for (uint8_t i = 0; i < table->n_indexes; i++)
        if (strcmp(table->indexes[i].name, name) == 0)
            return &table->indexes[i];
    assert(false && "the table has the index");
    return NULL;
}

// ---- Lists of sagas -----------------------------------------------------------------------------------------------

static void sagas_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct page *page = ctx;
    const struct saga_row *row = rows;
    struct arena *arena = rpc_inbound_arena(page->in);
    Txcenter__Saga__V1__ListSagasResponse response = TXCENTER__SAGA__V1__LIST_SAGAS_RESPONSE__INIT;
    if (error) {
        call_fail(page->in, error, NULL, NULL);
        return;
    }
    size_t shown = n > page->size ? page->size : n;
    response.sagas = arena_calloc(arena, shown + 1, sizeof *response.sagas);
    bool made = response.sagas != NULL;
    for (size_t i = 0; made && i < shown; i++)
        made = (response.sagas[response.n_sagas++] = saga_view(&row[i], arena)) != NULL;
    if (made && n > shown) {
        const struct saga_row *last = &row[shown - 1];
        response.next_page_token = next_token(page, saga_list_key(&page->filter, last), last->gid);
        made = response.next_page_token != NULL;
    }
    if (made)
        rpc_reply(page->in, &response.base);
    else
        no_memory(page->in);
}

static struct saga_filter filter_of(const Txcenter__Saga__V1__SagaFilter *asked) {
    struct saga_filter filter = {.status = (enum saga_status)asked->status,
                                 .parked = asked->parked,
                                 .unfinished = asked->unfinished,
                                 .flow = str_c(asked->flow),
                                 .subject = str_c(asked->subject),
                                 .to_ms = INT64_MAX};
    if (asked->created_from)
        filter.from_ms = moment_ms(asked->created_from);
    if (asked->created_to)
        filter.to_ms = moment_ms(asked->created_to);
    return filter;
}

// Whoever doesn't see all sees its own.
static void restrict_filter(const struct rpc_inbound *in, const char *own, struct saga_filter *filter,
                            struct error *error) {
    if (saga_owner_sees_all(in))
        return;
    if (!str_empty(filter->subject) && !str_eq_c(filter->subject, own) && !error_is(error))
        error_set(error, ERR_SCOPE_MISSING, "sagas of others are for callers with the scope operate, of every tenant");
    filter->subject = str_c(own);
}

static void check_filter(const Txcenter__Saga__V1__SagaFilter *filter, struct error *error) {
    if (!protobuf_c_enum_descriptor_get_value(&txcenter__saga__v1__saga_status__descriptor, (int)filter->status))
        error_field(error, "filter.status", "is no status");
    check_text(error, "filter.flow", filter->flow, 0, SAGA_NAME_MAX);
    check_text(error, "filter.subject", filter->subject, 0, SAGA_SUBJECT_MAX);
    check_moment(error, "filter.created_from", filter->created_from);
    check_moment(error, "filter.created_to", filter->created_to);
}

static void read_sagas(struct saga_service *service, struct page *page) {
    struct store_query query;
    struct saga_row after;
    saga_list(&page->filter, &query);
    saga_list_after(&page->filter, page->cursor.key, str_c(page->cursor.id), &after);
    query.after = page->has_cursor ? &after : NULL;
    query.limit = page->size + 1;
    store_read(service->store, &query, sagas_read, page);
}

static const Txcenter__Saga__V1__SagaFilter everything = TXCENTER__SAGA__V1__SAGA_FILTER__INIT;

static void list_sagas(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const Txcenter__Saga__V1__ListSagasRequest *request = (const void *)message;
    Txcenter__Saga__V1__ListSagasRequest unpaged = *request;
    unpaged.page_size = 0;
    unpaged.page_token = rpc_text("");
    const Txcenter__Saga__V1__SagaFilter *filter = request->filter ? request->filter : &everything;
    struct error error = {0};
    struct page *page = page_new(in, "sagas", &unpaged.base, request->page_size, request->page_token, &error);
    check_filter(filter, &error);
    if (page) {
        page->filter = filter_of(filter);
        saga_owner(rpc_inbound_caller(in)->name, page->own);
        restrict_filter(in, page->own, &page->filter, &error);
    }
    if (enter_own(in, &error))
        read_sagas(service, page);
}

static void sagas_counted(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct rpc_inbound *in = ctx;
    Txcenter__Saga__V1__CountSagasResponse response = TXCENTER__SAGA__V1__COUNT_SAGAS_RESPONSE__INIT;
    (void)rows;
    response.count = (int64_t)n;
    response.at_least = n == COUNT_MAX;
    if (error)
        call_fail(in, error, NULL, NULL);
    else
        rpc_reply(in, &response.base);
}

static void count_sagas(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const Txcenter__Saga__V1__CountSagasRequest *request = (const void *)message;
    const Txcenter__Saga__V1__SagaFilter *asked = request->filter ? request->filter : &everything;
    char own[SAGA_SUBJECT_MAX + 1];
    struct error error = {0};
    struct store_query query;
    struct saga_filter filter = filter_of(asked);
    check_filter(asked, &error);
    saga_owner(rpc_inbound_caller(in)->name, own);
    restrict_filter(in, own, &filter, &error);
    if (!enter_own(in, &error))
        return;
    saga_list(&filter, &query);
    query.count = true;
    query.limit = COUNT_MAX;
    store_read(((struct saga_service *)service)->store, &query, sagas_counted, in);
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

// ---- Operators ----------------------------------------------------------------------------------------------------

// A retry on its way: it acts once for its request id; a repeat is answered with how the saga stands now.
struct retry {
    struct lookup lookup; // the answer
    struct request_entry *entry;
    const char *request_id, *reason;
};

static void reply_retried(struct rpc_inbound *in, Txcenter__Saga__V1__Saga *view) {
    Txcenter__Saga__V1__RetryResponse response = TXCENTER__SAGA__V1__RETRY_RESPONSE__INIT;
    response.saga = view;
    rpc_reply(in, &response.base);
}

static void retry_decided(void *ctx, struct saga_turn *turn) {
    struct retry *retry = ctx;
    request_made(retry->entry, turn, str_c(retry->lookup.gid), STR_NONE, NULL);
    retry->entry = NULL;
}

static void retried(void *ctx, const struct error *error) {
    struct retry *retry = ctx;
    if (retry->entry)
        request_dropped(retry->entry);
    retry->entry = NULL;
    if (error)
        call_fail(retry->lookup.in, error, NULL, retry->request_id);
    else
        look_up(&retry->lookup);
}

static void retry_begun(void *ctx, enum request_verdict verdict, struct request_entry *entry,
                        const struct request_row *row, const struct error *error) {
    (void)row; // what it made is the saga's present state
    struct retry *retry = ctx;
    struct saga_operator op = {.caller = str_c(rpc_inbound_caller(retry->lookup.in)->name),
                               .reason = str_c(retry->reason),
                               .also = retry_decided};
    retry->entry = entry;
    switch (verdict) {
    case REQUEST_NEW: saga_retry(retry->lookup.service->engine, str_c(retry->lookup.gid), &op, retried, retry); break;
    case REQUEST_KNOWN: look_up(&retry->lookup); break;
    case REQUEST_ERROR: call_fail(retry->lookup.in, error, NULL, retry->request_id); break;
    }
}

static void retry(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const Txcenter__Saga__V1__RetryRequest *request = (const void *)message;
    struct saga_service *sagas = service;
    struct error error = {0};
    check_text(&error, "request_id", request->request_id, 1, REQUEST_ID_MAX);
    check_text(&error, "gid", request->gid, 1, SAGA_GID_MAX);
    check_text(&error, "reason", request->reason, 1, REASON_MAX);
    struct retry *made;
    if (!enter(in, &error) || !(made = kept(in, sizeof *made)))
        return;
    note_gid(in, request->gid);
    *made = (struct retry){
        .lookup = {.service = sagas, .in = in, .gid = request->gid, .reply = reply_retried},
        .request_id = request->request_id,
        .reason = request->reason,
    };
    struct request_id id = {.caller = str_c(rpc_inbound_caller(in)->name),
                            .id = str_c(request->request_id),
                            .method = "Retry",
                            .body = rpc_encode(message, rpc_inbound_arena(in))};
    request_begin(sagas->requests, &id, retry_begun, made);
}

static void audit_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct page *page = ctx;
    const struct audit_row *row = rows;
    struct arena *arena = rpc_inbound_arena(page->in);
    Txcenter__Saga__V1__ListAuditResponse response = TXCENTER__SAGA__V1__LIST_AUDIT_RESPONSE__INIT;
    if (error) {
        call_fail(page->in, error, NULL, NULL);
        return;
    }
    size_t shown = n > page->size ? page->size : n;
    response.entries = arena_calloc(arena, shown + 1, sizeof *response.entries);
    bool made = response.entries != NULL;
    for (size_t i = 0; made && i < shown; i++)
        made = (response.entries[response.n_entries++] = audit_view(&row[i], arena)) != NULL;
    if (made && n > shown)
        made = (response.next_page_token = next_token(page, 0, row[shown - 1].audit_no)) != NULL;
    if (made)
        rpc_reply(page->in, &response.base);
    else
        no_memory(page->in);
}

static void list_audit(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const Txcenter__Saga__V1__ListAuditRequest *request = (const void *)message;
    Txcenter__Saga__V1__ListAuditRequest unpaged = *request;
    unpaged.page_size = 0;
    unpaged.page_token = rpc_text("");
    struct error error = {0};
    struct page *page = page_new(in, "audit", &unpaged.base, request->page_size, request->page_token, &error);
    check_text(&error, "gid", request->gid, 0, SAGA_GID_MAX);
    if (!enter(in, &error))
        return;
    struct audit_row after = {0};
    str_copy(str_c(request->gid), after.gid, sizeof after.gid);
    str_copy(str_c(page->cursor.id), after.audit_no, sizeof after.audit_no);
    struct store_query query = {
        .table = &audit_table,
        .descending = true,
        .after = page->has_cursor ? &after : NULL,
        .limit = page->size + 1,
    };
    if (*request->gid) {
        query.order = index_named(&audit_table, "audit_by_gid");
        query.conds[0] = (struct store_cond){"gid", STORE_EQ, .text = str_c(request->gid)};
    }
    store_read(((struct saga_service *)service)->store, &query, audit_read, page);
}

// ---- Rows ---------------------------------------------------------------------------------------------------------

#define ROW(of, method_name, handler, needed, urgency, ...)                                                            \
    {                                                                                                                  \
        .method = {.service = &txcenter__saga__v1__##of##_service__descriptor, .name = (method_name), __VA_ARGS__},    \
        .handle = (handler), .scope = (needed), .tier = (urgency)                                                      \
    }

const struct rpc_route saga_routes[] = {
    ROW(saga, "SubmitSaga", submit, RPC_SAGA, RPC_TIER_QUOTE),
    ROW(saga, "SignalSaga", signal, RPC_SAGA, RPC_TIER_PAY),
    ROW(saga, "WatchSaga", watch, RPC_SAGA, RPC_TIER_LIST, .server_streaming = true),
    ROW(saga, "CountSagas", count_sagas, RPC_SAGA, RPC_TIER_LIST),
    ROW(saga, "GetSaga", get_saga, RPC_SAGA, RPC_TIER_LIST),
    ROW(saga, "ListSagas", list_sagas, RPC_SAGA, RPC_TIER_LIST),
    ROW(saga, "ListFlows", list_flows, RPC_SAGA, RPC_TIER_LIST),
    ROW(saga, "GetFlow", get_flow, RPC_SAGA, RPC_TIER_LIST),
    ROW(operator, "Retry", retry, RPC_OPERATE, RPC_TIER_PAY),
    ROW(operator, "ListAudit", list_audit, RPC_OPERATE, RPC_TIER_LIST),
};
const size_t n_saga_routes = sizeof saga_routes / sizeof saga_routes[0];
