#include "rpc/health.h"

#include "grpc/health/v1/health.pb-c.h"
#include "rpc/inbound.h"
#include "rpc/served.h"

#include <assert.h>
#include <stdlib.h>

typedef Grpc__Health__V1__HealthCheckRequest Request;
typedef Grpc__Health__V1__HealthCheckResponse Response;
typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus Serving;

enum { SERVICES_MAX = 64, NAME_MAX_LEN = 128, CALLS_MAX = 256 };

struct watcher {
    struct rpc_health *health;
    struct rpc_inbound *in;
    struct watcher *next, **link;
    char service[NAME_MAX_LEN];
    Serving told;
};

struct rpc_health {
    char services[SERVICES_MAX][NAME_MAX_LEN];
    size_t n;
    bool paused, stopped;
    struct watcher *watchers;
};

static bool has(const struct rpc_health *health, const char *name) {
    for (size_t i = 0; i < health->n; i++)
        if (strcmp(health->services[i], name) == 0)
            return true;
    return false;
}

static Serving status_of(const struct rpc_health *health, const char *name) {
    if (!has(health, name))
        return GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
    return health->paused || health->stopped ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
                                             : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
}

// ---- Serving ------------------------------------------------------------------------------------------------------

static void check(void *ctx, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct rpc_health *health = ctx;
    const Request *request = (const void *)message;
    if (!has(health, request->service)) {
        rpc_inbound_fail(in, GRPC_STATUS_NOT_FOUND, "this server has no such service");
        return;
    }
    Response response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = status_of(health, request->service);
    rpc_reply(in, &response.base);
}

// Takes the watcher off the list; its call is still to be ended.
static struct rpc_inbound *dismiss(struct watcher *watcher) {
    struct rpc_inbound *in = watcher->in;
    if (watcher->next)
        watcher->next->link = watcher->link;
    *watcher->link = watcher->next;
    free(watcher);
    return in;
}

static void on_gone(void *ctx) {
    rpc_stream_end(dismiss(ctx));
}

static void tell(struct watcher *watcher) {
    Response response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = watcher->told = status_of(watcher->health, watcher->service);
    if (rpc_stream_send(watcher->in, &response.base))
        return;
    struct error slow = {0};
    error_set(&slow, ERR_OVERLOADED, "the watcher doesn't read");
    rpc_fail(dismiss(watcher), &slow, NULL);
}

static void watch(void *ctx, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct rpc_health *health = ctx;
    const Request *request = (const void *)message;
    struct watcher *watcher = rpc_alloc(sizeof *watcher);
    *watcher = (struct watcher){.health = health, .in = in, .next = health->watchers, .link = &health->watchers};
    if (watcher->next)
        watcher->next->link = &watcher->next;
    health->watchers = watcher;
    // A name that doesn't fit is none of ours, nor is a cut one that comes out empty.
    if (!str_copy(str_c(request->service), watcher->service, sizeof watcher->service))
        memcpy(watcher->service, "?", 2);
    rpc_stream_on_gone(in, on_gone, watcher);
    tell(watcher);
}

#define SERVICE &grpc__health__v1__health__descriptor

static const struct rpc_route routes[] = {
    {{SERVICE, "Check", .server_streaming = false}, check, RPC_PUBLIC, RPC_TIER_HIGH},
    {{SERVICE, "Watch", .server_streaming = true}, watch, RPC_PUBLIC, RPC_TIER_HIGH},
};

// ---- Changes ------------------------------------------------------------------------------------------------------

static void tell_changes(struct rpc_health *health) {
    struct watcher *next;
    for (struct watcher *watcher = health->watchers; watcher; watcher = next) {
        next = watcher->next;
        if (watcher->told != status_of(health, watcher->service))
            tell(watcher);
    }
}

void rpc_health_add(struct rpc_health *health, const char *name) {
    if (has(health, name))
        return;
    assert(health->n < SERVICES_MAX);
    bool fits = str_copy(str_c(name), health->services[health->n++], NAME_MAX_LEN);
    assert(fits);
    (void)fits;
}

void rpc_health_set(struct rpc_health *health, bool serving) {
    health->paused = !serving;
    tell_changes(health);
}

void rpc_health_stop(struct rpc_health *health) {
    health->stopped = true;
    tell_changes(health);
}

void rpc_health_close(struct rpc_health *health) {
    while (health->watchers)
        rpc_stream_end(dismiss(health->watchers));
}

struct rpc_health *rpc_health_new(struct rpc_server *server) {
    struct rpc_health *health = rpc_alloc(sizeof *health);
    rpc_health_add(health, "");
    rpc_server_add_own(server, routes, sizeof routes / sizeof routes[0], health, CALLS_MAX);
    return health;
}

void rpc_health_free(struct rpc_health *health) {
    if (!health)
        return;
    assert(!health->watchers);
    free(health);
}
