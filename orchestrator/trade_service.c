#include "orchestrator/trade_service.h"

#include "base/map.h"
#include "orchestrator/admission.h"
#include "orchestrator/authorize.h"
#include "rpc/message.h"

#include <stdlib.h>

struct trade_route {
    struct rpc_route row;
    const struct trade_method *method;
    struct trade_service *service;
};

struct trade_service {
    struct trades *trades;
    const struct store *store;
    struct trade_route *routes;
    size_t n_routes;
    struct trade_served *streams;
};

// One call on its way through the trade; lives in the call's arena.
struct trade_served {
    struct trade_call call;
    struct rpc_inbound *in;
    struct trade_service *service;
    struct trade_served *next, **link; // streams only
    enum err ending;                   // a stream that is being ended from here: why
};

// ---- Letting in ---------------------------------------------------------------------------------------------------

static const enum rpc_tier tier_of[] = {
    [TRADE_LIST] = RPC_TIER_LOW, [TRADE_QUOTE] = RPC_TIER_NORMAL, [TRADE_PAY] = RPC_TIER_HIGH};

static bool only_reads(const struct trade_method *method) {
    return method->access == TRADE_READS || method->access == TRADE_OVERSEES;
}

static bool admit(const struct trade_service *service, const struct trade_method *method, struct error *error) {
    return only_reads(method) || admission_check(service->store, tier_of[method->urgency], error);
}

// ---- Answers ------------------------------------------------------------------------------------------------------

static void forget(struct trade_served *served) {
    if (!served->link)
        return;
    *served->link = served->next;
    if (served->next)
        served->next->link = served->link;
    served->link = NULL;
}

static bool may(void *ctx, struct str tenant_id) {
    const struct trade_served *served = ctx;
    return call_may(call_context(served->in), tenant_id);
}

static void note_number(struct trade_served *served, const ProtobufCMessage *message) {
    struct call_notes *notes = call_context(served->in)->notes;
    const char *number = rpc_string_named(message, "trade_no");
    if (number && *number && str_empty(notes->trade_no))
        notes->trade_no = arena_str(rpc_inbound_arena(served->in), str_c(number));
}

static void reply(void *ctx, const ProtobufCMessage *response) {
    struct trade_served *served = ctx;
    note_number(served, response);
    rpc_reply(served->in, response);
}

static void reply_bytes(void *ctx, struct str response) {
    struct trade_served *served = ctx;
    rpc_reply_bytes(served->in, response);
}

static void fail(void *ctx, const struct error *error, const char *trade_no, const char *request_id) {
    struct trade_served *served = ctx;
    struct error why = *error;
    if (served->ending)
        error_set(&why, served->ending, NULL);
    forget(served);
    call_fail(served->in, &why, trade_no, request_id);
}

static bool send_one(void *ctx, const ProtobufCMessage *message) {
    struct trade_served *served = ctx;
    return !served->ending && rpc_stream_send(served->in, message);
}

static void end(void *ctx) {
    struct trade_served *served = ctx;
    forget(served);
    rpc_stream_end(served->in);
}

// The trade ends the call, at once or when it comes to it: with fail(), which says why. Nothing here may be touched
// afterwards.
static void end_stream(struct trade_served *served, enum err code) {
    served->ending = code;
    trades_gone(served->service->trades, &served->call);
}

static void gone(void *ctx) {
    end_stream(ctx, ERR_CANCELLED_BY_CALLER);
}

void trade_service_end_streams(struct trade_service *service) {
    for (struct trade_served *served = service->streams, *next; served; served = next) {
        next = served->next;
        end_stream(served, ERR_SHUTTING_DOWN);
    }
}

// ---- Calls --------------------------------------------------------------------------------------------------------

static struct trade_served *served_new(struct trade_service *service, struct rpc_inbound *in) {
    struct trade_served *served = arena_calloc(rpc_inbound_arena(in), 1, sizeof *served);
    if (!served)
        return NULL;
    const struct call_context *context = call_context(in);
    served->in = in;
    served->service = service;
    served->call = (struct trade_call){
        .ctx = served,
        .caller = rpc_inbound_caller(in)->name,
        .may = may,
        .backdates = (rpc_inbound_caller(in)->scopes & RPC_TRADE_BACKDATE) != 0,
        .deadline_ms = rpc_inbound_deadline_ms(in),
        .body = rpc_inbound_bytes(in),
        .request_id = context->request_id,
        .traceparent = context->traceparent,
        .reply = reply,
        .reply_bytes = reply_bytes,
        .fail = fail,
        .send = send_one,
        .end = end,
    };
    return served;
}

static void watch(struct trade_served *served) {
    struct trade_service *service = served->service;
    served->next = service->streams;
    served->link = &service->streams;
    if (served->next)
        served->next->link = &served->next;
    service->streams = served;
    rpc_stream_on_gone(served->in, gone, served);
}

static void serve(void *service, struct rpc_inbound *in, const ProtobufCMessage *request) {
    const struct trade_route *route = service;
    const char *request_id = rpc_string_named(request, "request_id");
    struct error error = {0};
    struct trade_served *served = NULL;
    if (!admit(route->service, route->method, &error) || !(served = served_new(route->service, in))) {
        if (!error_is(&error))
            error_set(&error, ERR_OVERLOADED, "no memory for the call");
        call_fail(in, &error, rpc_string_named(request, "trade_no"), request_id);
        return;
    }
    note_number(served, request);
    if (route->method->streams)
        watch(served);
    route->method->serve(route->service->trades, &served->call, request);
}

// ---- Rows ---------------------------------------------------------------------------------------------------------

static const enum rpc_scope scope_of[] = {
    [TRADE_READS] = RPC_TRADE_READ, [TRADE_CHANGES] = RPC_TRADE,    [TRADE_CALLS_BACK] = RPC_CALLBACK,
    [TRADE_OVERSEES] = RPC_OPERATE, [TRADE_OPERATES] = RPC_OPERATE,
};

struct trade_service *trade_service_new(struct trades *trades, const struct store *store) {
    size_t n = 0;
    while (trade_methods[n].name)
        n++;
    struct trade_service *service = calloc(1, sizeof *service);
    struct trade_route *routes = calloc(n + 1, sizeof *routes);
    if (!service || !routes)
        abort();
    *service = (struct trade_service){.trades = trades, .store = store, .routes = routes, .n_routes = n};
    for (size_t i = 0; i < n; i++) {
        const struct trade_method *method = &trade_methods[i];
        routes[i] = (struct trade_route){
            .row = {.method = {.service = method->service, .name = method->name, .server_streaming = method->streams},
                    .handle = serve,
                    .scope = scope_of[method->access],
                    .tier = tier_of[method->urgency]},
            .method = method,
            .service = service};
    }
    return service;
}

void trade_service_each(struct trade_service *service,
                        void (*row)(void *ctx, const struct rpc_route *route, void *route_service), void *ctx) {
    for (size_t i = 0; i < service->n_routes; i++)
        row(ctx, &service->routes[i].row, &service->routes[i]);
}

static void add_row(void *server, const struct rpc_route *route, void *route_service) {
    rpc_server_add(server, route, 1, route_service);
}

void trade_service_add(struct trade_service *service, struct rpc_server *server) {
    trade_service_each(service, add_row, server);
}

void trade_service_free(struct trade_service *service) {
    if (!service)
        return;
    free(service->routes);
    free(service);
}
