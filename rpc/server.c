#include "rpc/server.h"

#include "base/map.h"
#include "rpc/address.h"
#include "rpc/health.h"
#include "rpc/reflection.h"
#include "rpc/served.h"
#include "rpc/tls.h"

#include <assert.h>
#include <stdlib.h>

enum {
    ROUTES_MAX = 200,
    OWN_ROUTES_MAX = 4, // health and reflection
    ACCEPTS_MAX = 256,  // each completion scans the posted ones
    CLOSE_GRACE_MS = 1000,
    CALLS_SPARE = 256,   // of memory
    STREAMS_SPARE = 256, // of one connection, above the limit of calls: to be answered OVERLOADED
};

// How the spare accepts are shared out: what is called most often gets most.
static const uint32_t tier_weight[] = {[RPC_TIER_LOW] = 1, [RPC_TIER_NORMAL] = 2, [RPC_TIER_HIGH] = 4};

struct rpc_server *rpc_server_new(struct rpc_loop *loop, const struct rpc_server_options *options) {
    struct rpc_server *server = rpc_alloc(sizeof *server);
    server->loop = loop;
    server->options = *options;
    server->pool = POOL(struct rpc_served, CALLS_SPARE);
    struct rpc_server_options *set = &server->options;
    set->message_max = set->message_max ? set->message_max : 1024 * 1024;
    set->in_flight_max = set->in_flight_max ? set->in_flight_max : 4096;
    set->bytes_in_flight_max = set->bytes_in_flight_max ? set->bytes_in_flight_max : 64 * 1024 * 1024;
    set->accepts = set->accepts ? set->accepts : 128;
    set->drain_ms = set->drain_ms ? set->drain_ms : 5000;
    set->peer_wait_ms = set->peer_wait_ms ? set->peer_wait_ms : 10000;
    assert(set->accepts <= ACCEPTS_MAX);
    server->busy.fewest = UINT32_MAX;
    server->busy.fewest_ns = clock_monotonic_ns();
    server->routes = rpc_alloc((ROUTES_MAX + OWN_ROUTES_MAX) * sizeof *server->routes);
    rpc_waiting_init(&server->waiting, loop, set->peer_wait_ms, rpc_served_late);
    server->health = rpc_health_new(server);
    if (!str_empty(set->descriptor_set))
        server->reflection = rpc_reflection_new(server, set->descriptor_set);
    return server;
}

static void add(struct rpc_server *server, const struct rpc_route *route, void *service, uint32_t most) {
    assert(!server->core && server->n_routes < ROUTES_MAX + OWN_ROUTES_MAX);
    assert(!route->method.client_streaming || route->method.server_streaming);
    server->routes[server->n_routes++] = (struct rpc_served_route){
        .route = route,
        .service = service,
        .request_type = rpc_method_request(&route->method),
        .response_type = rpc_method_response(&route->method),
        .own = most > 0,
        .most = most,
    };
    rpc_waiting_init(&server->routes[server->n_routes - 1].waiting, server->loop, server->options.peer_wait_ms,
                     rpc_served_late);
}

void rpc_server_add(struct rpc_server *server, const struct rpc_route *routes, size_t n, void *service) {
    for (size_t i = 0; i < n; i++) {
        add(server, &routes[i], service, 0);
        rpc_health_add(server->health, routes[i].method.service->name);
    }
}

void rpc_server_add_own(struct rpc_server *server, const struct rpc_route *routes, size_t n, void *service,
                        uint32_t most) {
    for (size_t i = 0; i < n; i++)
        add(server, &routes[i], service, most);
}

void rpc_server_set_health(struct rpc_server *server, bool serving) {
    rpc_health_set(server->health, serving);
}

// ---- Start --------------------------------------------------------------------------------------------------------

static grpc_arg integer(const char *key, int value) {
    return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key, .value.integer = value};
}

static void create(struct rpc_server *server) {
    int message_max = (int)server->options.message_max, calls = (int)server->options.in_flight_max;
    grpc_arg args[] = {
        // Twice ours, so that what is not absurdly large gets our answer with its details rather than gRPC's.
        integer(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, message_max > INT32_MAX / 2 ? INT32_MAX : 2 * message_max),
        integer(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
        integer(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1 << GRPC_COMPRESS_NONE),
        integer(GRPC_ARG_MAX_CONCURRENT_STREAMS, calls + STREAMS_SPARE),
        integer(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, (int)server->options.peer_wait_ms),
        // Another process on the same port gets some of the calls.
        integer(GRPC_ARG_ALLOW_REUSEPORT, server->options.n_shared > 0),
        // Finds callers that vanished; lets callers find out whether we did.
        integer(GRPC_ARG_KEEPALIVE_TIME_MS, 60000),
        integer(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20000),
        integer(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10000),
        integer(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
    };
    grpc_channel_args all = {sizeof args / sizeof args[0], args};
    server->core = grpc_server_create(&all, NULL);
    grpc_server_register_completion_queue(server->core, rpc_loop_queue(server->loop), NULL);
}

static void register_methods(struct rpc_server *server) {
    for (size_t i = 0; i < server->n_routes; i++) {
        char path[RPC_PATH_MAX];
        bool fits = rpc_method_path(&server->routes[i].route->method, path);
        assert(fits);
        (void)fits;
        // Without its message: a call is to count from its headers on.
        server->routes[i].registered = grpc_server_register_method(server->core, path, NULL, GRPC_SRM_PAYLOAD_NONE, 0);
        assert(server->routes[i].registered); // two rows of one method
    }
}

static bool listen_on(struct rpc_server *server, struct error *error) {
    grpc_server_credentials *credentials = rpc_tls_server(&server->options.tls, error);
    if (!credentials)
        return false;
    const char *const *listen = server->options.listen;
    size_t n = 0;
    while (listen[n])
        n++;
    server->ports = rpc_alloc((n + 1) * sizeof *server->ports);
    bool bound = true;
    for (size_t i = 0; bound && i < n; i++) {
        if (i >= server->options.n_shared && rpc_address_in_use(listen[i])) {
            bound =
                error_set(error, ERR_CONFIG_INVALID, "address in use: %s: another process listens there", listen[i]);
            continue;
        }
        int port = grpc_server_add_http2_port(server->core, listen[i], credentials);
        bound = port != 0 || error_set(error, ERR_CONFIG_INVALID, "can't listen on %s", listen[i]);
        server->ports[i] = str_starts(str_c(listen[i]), STR("unix:")) ? 0 : port;
    }
    grpc_server_credentials_release(credentials);
    return bound;
}

static void post_accepts(struct rpc_server *server) {
    uint32_t weights = 0, rows = (uint32_t)server->n_routes + 1;
    uint32_t spare = server->options.accepts > rows ? server->options.accepts - rows : 0;
    for (size_t i = 0; i < server->n_routes; i++)
        if (!server->routes[i].own)
            weights += tier_weight[server->routes[i].route->tier];
    for (size_t i = 0; i < server->n_routes; i++) {
        struct rpc_served_route *route = &server->routes[i];
        uint32_t more = route->own ? 0 : spare * tier_weight[route->route->tier] / weights;
        for (uint32_t k = 0; k < 1 + more; k++)
            rpc_served_accept(server, route);
    }
    rpc_served_accept(server, &server->unknown);
}

// A server that never ran still has to be shut down before it can be destroyed; the loop does it some time.
struct grave {
    struct rpc_tag tag;
    grpc_server *core;
};

static void on_buried(struct rpc_tag *tag, bool ok) {
    (void)ok;
    struct grave *grave = CONTAINER_OF(tag, struct grave, tag);
    grpc_server_destroy(grave->core);
    free(grave);
}

static void bury(struct rpc_server *server) {
    struct grave *grave = rpc_alloc(sizeof *grave);
    *grave = (struct grave){.tag.done = on_buried, .core = server->core};
    server->core = NULL;
    grpc_server_shutdown_and_notify(grave->core, rpc_loop_queue(server->loop), &grave->tag);
}

bool rpc_server_start(struct rpc_server *server, struct error *error) {
    assert(!server->core);
    create(server);
    register_methods(server);
    if (!listen_on(server, error)) {
        bury(server);
        return false;
    }
    grpc_server_start(server->core);
    post_accepts(server);
    return true;
}

int rpc_server_port(const struct rpc_server *server, size_t i) {
    return server->ports[i];
}

uint32_t rpc_server_in_flight(const struct rpc_server *server) {
    return server->in_flight;
}

void rpc_server_stats(const struct rpc_server *server, struct rpc_server_stats *ret) {
    *ret = (struct rpc_server_stats){
        .in_flight = server->in_flight, .refused = server->refused_ever, .busy_most = server->busy.most};
}

// ---- End ----------------------------------------------------------------------------------------------------------

static void set_grace(struct rpc_server *server, int64_t grace_ms) {
    rpc_timer_set(server->loop, &server->grace, clock_now_ms(rpc_loop_clock(server->loop)) + grace_ms);
}

static void on_shut(struct rpc_tag *tag, bool ok) {
    (void)ok;
    struct rpc_server *server = CONTAINER_OF(tag, struct rpc_server, shut);
    server->closed = true;
    rpc_server_call_over(server);
}

// The second part of the end: no listener, no connection.
static void close_server(struct rpc_server *server) {
    server->closing = true;
    rpc_health_close(server->health);
    server->shut.done = on_shut;
    grpc_server_shutdown_and_notify(server->core, rpc_loop_queue(server->loop), &server->shut);
}

static void on_grace_over(void *ctx) {
    struct rpc_server *server = ctx;
    if (!server->closing)
        close_server(server);
    grpc_server_cancel_all_calls(server->core);
}

static void finish_drain(void *ctx) {
    struct rpc_server *server = ctx;
    void (*drained)(void *ctx) = server->drained;
    server->drained = NULL;
    if (drained)
        drained(server->drained_ctx);
}

void rpc_server_call_over(struct rpc_server *server) {
    if (server->draining && !server->closing && server->in_flight == 0) {
        close_server(server);
        set_grace(server, CLOSE_GRACE_MS);
    }
    if (!server->closed || server->calls || server->posted)
        return;
    // Not from here: whoever is told may free the server, and a call of it is still on the stack.
    server->grace.fire = finish_drain;
    set_grace(server, 0);
}

void rpc_server_drain(struct rpc_server *server, void (*drained)(void *ctx), void *ctx) {
    assert(server->core && !server->draining);
    server->draining = true;
    server->drained = drained;
    server->drained_ctx = ctx;
    server->grace = (struct rpc_timer){.fire = on_grace_over, .ctx = server};
    set_grace(server, server->options.drain_ms);
    rpc_health_stop(server->health);
    rpc_server_call_over(server);
}

void rpc_server_free(struct rpc_server *server) {
    if (!server)
        return;
    rpc_timer_stop(server->loop, &server->grace);
    rpc_waiting_release(&server->waiting);
    for (size_t i = 0; i < server->n_routes; i++)
        rpc_waiting_release(&server->routes[i].waiting);
    if (server->core)
        grpc_server_destroy(server->core);
    rpc_health_free(server->health);
    rpc_reflection_free(server->reflection);
    map_release(&server->callers);
    arena_release(&server->busy.arena);
    pool_release(&server->pool);
    free(server->ports);
    free(server->routes);
    free(server);
}
