#include "rpc/inproc.h"

#include "base/map.h"
#include "rpc/inbound.h"
#include "rpc/outcome.h"
#include "rpc/tag.h"

#include <assert.h>
#include <grpc/status.h>
#include <stdlib.h>

enum { CALL_MEMORY_MAX = 8 * 1024 * 1024 };

// One row of the routing table.
struct served_route {
    struct map_node node;
    char path[RPC_PATH_MAX];
    const struct rpc_route *route;
    void *service;
};

struct inproc_call;

struct rpc_inproc {
    struct rpc_scheduler scheduler;
    struct map routes;
    struct inproc_call *calls; // all that are not freed
    bool (*authorize)(void *ctx, struct str identity, struct rpc_inbound *in, struct rpc_caller *caller,
                      struct error *error);
    void *authorize_ctx;
};

struct inproc_channel {
    struct rpc_channel base;
    struct rpc_inproc *net;
    char caller[RPC_NAME_MAX];
    rpc_fate_fn *fate;
    void *fate_ctx;
};

// One call, both ends of it.
struct inproc_call {
    struct rpc_inbound in;
    struct rpc_inproc *net;
    struct inproc_channel *channel; // NULL once `done` has run
    struct inproc_call *next, **link;

    struct arena memory; // path, headers, request and answer
    const char *path;
    struct str request;
    const struct rpc_header *headers;
    uint32_t timeout_ms;
    const ProtobufCMessageDescriptor *response_type;
    rpc_done_fn *done;
    void *ctx;

    struct rpc_inproc_fate fate;
    struct rpc_received received;
    size_t scheduled; // events that still come
    bool serving;     // the handler owes an answer
    bool cut;         // its host died
};

// ---- Life ---------------------------------------------------------------------------------------------------------

static void free_call(struct inproc_call *call) {
    if (call->next)
        call->next->link = call->link;
    *call->link = call->next;
    arena_release(&call->in.arena);
    arena_release(&call->memory);
    free(call);
}

// At the end of each event.
static void settle(struct inproc_call *call) {
    if (!call->scheduled && !call->serving && !call->channel)
        free_call(call);
}

static void schedule(struct inproc_call *call, int64_t delay_ms, void (*event)(void *arg)) {
    call->scheduled++;
    call->net->scheduler.later(call->net->scheduler.ctx, delay_ms, event, call);
}

static void conclude(struct inproc_call *call, const struct rpc_result *result) {
    call->channel = NULL;
    call->in.gone = true;
    call->done(call->ctx, result);
}

// ---- The answer ---------------------------------------------------------------------------------------------------

static void answer_arrives(void *arg) {
    struct inproc_call *call = arg;
    call->scheduled--;
    if (call->channel) {
        struct arena arena;
        arena_init(&arena, CALL_MEMORY_MAX);
        struct rpc_result result;
        rpc_outcome_read(&call->received, &arena, &result);
        conclude(call, &result);
        arena_release(&arena);
    }
    settle(call);
}

static void deadline_passes(void *arg) {
    struct inproc_call *call = arg;
    call->scheduled--;
    if (call->channel) {
        struct rpc_result result;
        rpc_outcome_local(ERR_PARTICIPANT_SILENT, "Deadline Exceeded", &result);
        conclude(call, &result);
    }
    settle(call);
}

static void answer(struct rpc_inbound *in, const struct rpc_answer *how) {
    struct inproc_call *call = CONTAINER_OF(in, struct inproc_call, in);
    struct str bytes = how->message ? rpc_encode(how->message, &call->memory) : arena_str(&call->memory, how->bytes);
    call->received = (struct rpc_received){
        .status = how->status,
        .text = arena_str(&call->memory, how->text),
        .details = arena_str(&call->memory, how->details),
        .has_message = bytes.ptr != NULL,
        .bytes = bytes,
        .type = call->response_type,
    };
    call->serving = false;
    if (call->fate.drop_response) {
        // Freed in the next event, for the handler is still at work with the call.
        schedule(call, call->timeout_ms, deadline_passes);
        return;
    }
    schedule(call, call->fate.response_delay_ms, answer_arrives);
}

static struct str header(const struct rpc_inbound *in, const char *name) {
    const struct inproc_call *call = (const void *)in; // its first member
    for (const struct rpc_header *at = call->headers; at && at->name; at++)
        if (strcmp(at->name, name) == 0)
            return at->value;
    return STR_NONE;
}

static const struct rpc_inbound_ops ops = {.header = header, .answer = answer};

// ---- The request --------------------------------------------------------------------------------------------------

static bool permitted(struct inproc_call *call, struct error *error) {
    struct rpc_inproc *net = call->net;
    if (net->authorize && call->in.route->scope != RPC_PUBLIC &&
        !net->authorize(net->authorize_ctx, STR_NONE, &call->in, &call->in.caller, error))
        return false;
    return rpc_inbound_permitted(&call->in, error);
}

static void serve(struct inproc_call *call) {
    struct map_node *node = map_find(&call->net->routes, str_c(call->path));
    struct error error = {0};
    call->serving = true;
    if (!node) {
        error_set(&error, ERR_METHOD_UNKNOWN, "there is no method %s", call->path);
    } else {
        const struct served_route *served = CONTAINER_OF(node, struct served_route, node);
        call->in.route = served->route;
        call->in.service = served->service;
        call->in.request_type = rpc_method_request(&served->route->method);
        call->in.response_type = rpc_method_response(&served->route->method);
        if (permitted(call, &error) && rpc_inbound_dispatch(&call->in, &error))
            return;
    }
    rpc_fail(&call->in, &error, NULL);
}

static void request_arrives(void *arg) {
    struct inproc_call *call = arg;
    call->scheduled--;
    // The time that a request was under way is not known to its receiver: as with gRPC, the deadline starts anew.
    call->in.deadline_ms = clock_now_ms(call->in.clock) + call->timeout_ms;
    call->in.bytes = call->request;
    if (!call->cut)
        serve(call);
    settle(call);
}

static void request_refused(void *arg) {
    struct inproc_call *call = arg;
    call->received =
        (struct rpc_received){.status = GRPC_STATUS_UNAVAILABLE, .text = STR("connection refused"), .never_sent = true};
    answer_arrives(call);
}

static const struct rpc_header *copy_headers(struct arena *memory, const struct rpc_header *headers) {
    size_t n = 0;
    while (headers && headers[n].name)
        n++;
    struct rpc_header *copies = arena_calloc(memory, n + 1, sizeof *copies);
    assert(copies);
    for (size_t i = 0; i < n; i++)
        copies[i] =
            (struct rpc_header){arena_str(memory, str_c(headers[i].name)).ptr, arena_str(memory, headers[i].value)};
    return copies;
}

static struct inproc_call *new_call(struct inproc_channel *channel, const char *path,
                                    const struct rpc_call_options *options, rpc_done_fn *done, void *ctx) {
    struct rpc_inproc *net = channel->net;
    struct inproc_call *call = rpc_alloc(sizeof *call);
    assert(options->deadline_ms > 0);
    *call = (struct inproc_call){.net = net,
                                 .channel = channel,
                                 .next = net->calls,
                                 .link = &net->calls,
                                 .timeout_ms = options->deadline_ms,
                                 .done = done,
                                 .ctx = ctx};
    if (call->next)
        call->next->link = &call->next;
    net->calls = call;
    arena_init(&call->memory, 2 * CALL_MEMORY_MAX);
    arena_init(&call->in.arena, CALL_MEMORY_MAX);
    call->path = arena_str(&call->memory, str_c(path)).ptr;
    call->headers = copy_headers(&call->memory, options->headers);
    call->in.ops = &ops;
    call->in.clock = net->scheduler.clock;
    call->in.caller = (struct rpc_caller){.scopes = UINT32_MAX};
    memcpy(call->in.caller.name, channel->caller, sizeof channel->caller);
    return call;
}

static void send_call(struct inproc_call *call, const struct rpc_method *method) {
    struct inproc_channel *channel = call->channel;
    if (channel->fate)
        channel->fate(channel->fate_ctx, method, &call->fate);
    schedule(call, call->timeout_ms, deadline_passes);
    if (!call->fate.drop_request)
        schedule(call, call->fate.request_delay_ms, request_arrives);
    else if (call->fate.refuse)
        schedule(call, call->fate.request_delay_ms, request_refused);
}

static void call_unary(struct rpc_channel *base, const struct rpc_method *method, const ProtobufCMessage *request,
                       const struct rpc_call_options *options, rpc_done_fn *done, void *ctx) {
    char path[RPC_PATH_MAX];
    bool fits = rpc_method_path(method, path);
    assert(fits);
    (void)fits;
    struct inproc_call *call = new_call(CONTAINER_OF(base, struct inproc_channel, base), path, options, done, ctx);
    call->request = rpc_encode(request, &call->memory);
    assert(call->request.ptr);
    call->response_type = rpc_method_response(method);
    send_call(call, method);
}

static void call_bytes(struct rpc_channel *base, const char *path, struct str request,
                       const struct rpc_call_options *options, rpc_done_fn *done, void *ctx) {
    struct inproc_call *call = new_call(CONTAINER_OF(base, struct inproc_channel, base), path, options, done, ctx);
    call->request = arena_str(&call->memory, request);
    assert(call->request.ptr);
    send_call(call, NULL);
}

// ---- Channels and the net -----------------------------------------------------------------------------------------

static struct inproc_call *of_channel(const struct inproc_channel *channel) {
    struct inproc_call *call = channel->net->calls;
    while (call && call->channel != channel)
        call = call->next;
    return call;
}

static void close_channel(struct rpc_channel *base) {
    struct inproc_channel *channel = CONTAINER_OF(base, struct inproc_channel, base);
    for (struct inproc_call *call; (call = of_channel(channel));) {
        struct rpc_result result;
        rpc_outcome_local(ERR_PARTICIPANT_SILENT, "the channel was closed before the answer came", &result);
        conclude(call, &result);
        settle(call);
    }
    free(channel);
}

static const struct rpc_channel_ops channel_ops = {
    .call = call_unary, .close = close_channel, .call_bytes = call_bytes};

struct rpc_channel *rpc_inproc_channel(struct rpc_inproc *net, const char *caller, rpc_fate_fn *fate, void *ctx) {
    struct inproc_channel *channel = rpc_alloc(sizeof *channel);
    *channel = (struct inproc_channel){.base.ops = &channel_ops, .net = net, .fate = fate, .fate_ctx = ctx};
    bool fits = str_copy(str_c(caller), channel->caller, sizeof channel->caller);
    assert(fits);
    (void)fits;
    return &channel->base;
}

struct rpc_inproc *rpc_inproc_new(const struct rpc_scheduler *scheduler) {
    struct rpc_inproc *net = rpc_alloc(sizeof *net);
    net->scheduler = *scheduler;
    return net;
}

void rpc_inproc_add(struct rpc_inproc *net, const struct rpc_route *routes, size_t n, void *service) {
    for (size_t i = 0; i < n; i++) {
        if (routes[i].method.server_streaming)
            continue;
        struct served_route *served = rpc_alloc(sizeof *served);
        *served = (struct served_route){.route = &routes[i], .service = service};
        bool fits = rpc_method_path(&routes[i].method, served->path);
        assert(fits);
        (void)fits;
        map_insert(&net->routes, &served->node, str_c(served->path));
    }
}

void rpc_inproc_authorize(struct rpc_inproc *net,
                          bool (*authorize)(void *ctx, struct str identity, struct rpc_inbound *in,
                                            struct rpc_caller *caller, struct error *error),
                          void *ctx) {
    net->authorize = authorize;
    net->authorize_ctx = ctx;
}

static struct inproc_call *cut_and_not_told(const struct rpc_inproc *net) {
    struct inproc_call *call = net->calls;
    while (call && !(call->cut && call->channel))
        call = call->next;
    return call;
}

void rpc_inproc_cut(struct rpc_inproc *net) {
    // Marked first: those that are made while others are told go to whatever comes after.
    for (struct inproc_call *call = net->calls; call; call = call->next)
        call->cut = true;
    for (struct inproc_call *call; (call = cut_and_not_told(net));) {
        struct rpc_result result;
        rpc_outcome_local(ERR_PARTICIPANT_SILENT, "the connection was lost", &result);
        conclude(call, &result);
        settle(call);
    }
}

static void free_route(void *ctx, struct map_node *node) {
    map_remove(ctx, node);
    free(CONTAINER_OF(node, struct served_route, node));
}

void rpc_inproc_free(struct rpc_inproc *net) {
    if (!net)
        return;
    while (net->calls) {
        assert(!net->calls->channel);
        free_call(net->calls);
    }
    map_each(&net->routes, free_route, &net->routes);
    map_release(&net->routes);
    free(net);
}
