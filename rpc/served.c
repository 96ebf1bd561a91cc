#include "rpc/served.h"

#include "base/map.h"
#include "rpc/flow.h"
#include "rpc/status.h"

#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/grpc_security.h>
#include <stdlib.h>

enum {
    ARENA_FACTOR = 8, // a call's memory, in greatest messages
    OVERLOADED_RETRY_MS = 200,
    SHUTDOWN_RETRY_MS = 100,
};

// How full the server may be, in hundredths of its limit, for a call of each tier to be let in.
static const uint32_t tier_percent[] = {[RPC_TIER_LIST] = 70, [RPC_TIER_QUOTE] = 85, [RPC_TIER_PAY] = 100};

// ---- Life ---------------------------------------------------------------------------------------------------------

static void free_served(struct rpc_served *served) {
    rpc_flow_free(served->flow);
    if (served->payload)
        grpc_byte_buffer_destroy(served->payload);
    if (served->response)
        grpc_byte_buffer_destroy(served->response);
    grpc_slice_unref(served->request);
    grpc_slice_unref(served->text);
    grpc_slice_unref(served->detail.value);
    grpc_metadata_array_destroy(&served->headers);
    grpc_call_details_destroy(&served->details);
    if (served->call)
        grpc_call_unref(served->call);
    arena_release(&served->in.arena);
    free(served);
}

void rpc_served_start(struct rpc_served *served, const grpc_op *ops, size_t n, struct rpc_tag *tag) {
    grpc_call_error refused = grpc_call_start_batch(served->call, ops, n, tag, NULL);
    assert(refused == GRPC_CALL_OK);
    (void)refused;
    served->pending++;
}

bool rpc_served_finish(struct rpc_served *served) {
    if (--served->pending > 0 || !served->over)
        return true;
    struct rpc_server *server = served->server;
    server->calls--;
    if (served->counted) {
        served->route->calls--;
        server->in_flight -= !served->route->own;
    }
    server->bytes -= served->request_size;
    free_served(served);
    rpc_server_call_over(server);
    return false;
}

static void on_closed(struct rpc_tag *tag, bool ok) {
    (void)ok;
    struct rpc_served *served = CONTAINER_OF(tag, struct rpc_served, closed);
    bool left = served->cancelled && !served->in.answered;
    if (!rpc_served_finish(served) || !left)
        return;
    served->in.gone = true;
    if (served->flow)
        rpc_flow_gone(served->flow);
}

static void on_sent(struct rpc_tag *tag, bool ok) {
    (void)ok; // whether the caller still heard it makes no difference
    struct rpc_served *served = CONTAINER_OF(tag, struct rpc_served, sent);
    served->over = true;
    rpc_served_finish(served);
}

static grpc_op close_op(struct rpc_served *served) {
    return (grpc_op){.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &served->cancelled};
}

// ---- Answering ----------------------------------------------------------------------------------------------------

void rpc_served_end(struct rpc_served *served, const struct rpc_answer *answer) {
    grpc_op ops[4];
    size_t n = 0;
    if (!served->greeted)
        ops[n++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
    if (served->response)
        ops[n++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = served->response};
    served->text = rpc_slice_of(answer->text);
    grpc_op status = {.op = GRPC_OP_SEND_STATUS_FROM_SERVER};
    status.data.send_status_from_server.status = (grpc_status_code)answer->status;
    status.data.send_status_from_server.status_details = &served->text;
    if (answer->details.len) {
        served->detail.key = grpc_slice_from_static_string(RPC_STATUS_HEADER);
        served->detail.value = rpc_slice_of(answer->details);
        status.data.send_status_from_server.trailing_metadata_count = 1;
        status.data.send_status_from_server.trailing_metadata = &served->detail;
    }
    ops[n++] = status;
    if (!served->watching)
        ops[n++] = close_op(served);
    rpc_served_start(served, ops, n, &served->sent);
}

static void observe(struct rpc_served *served, int status) {
    const struct rpc_server_options *options = &served->server->options;
    if (!options->observe || served->route->own || !served->route->route)
        return;
    int64_t took_us = (clock_monotonic_ns() - served->started_ns) / 1000;
    options->observe(options->observe_ctx, &served->route->route->method, &served->in, status, took_us);
}

static void answer(struct rpc_inbound *in, const struct rpc_answer *how) {
    struct rpc_served *served = CONTAINER_OF(in, struct rpc_served, in);
    observe(served, how->status);
    if (served->flow) {
        rpc_flow_end(served->flow, how);
        return;
    }
    if (how->message)
        served->response = rpc_buffer_of_message(how->message, NULL);
    else if (how->status == GRPC_STATUS_OK)
        served->response = rpc_buffer_of_bytes(how->bytes, NULL);
    rpc_served_end(served, how);
}

static struct str header(const struct rpc_inbound *in, const char *name) {
    const struct rpc_served *served = (const void *)in; // its first member
    return rpc_header_find(&served->headers, name);
}

static bool send_message(struct rpc_inbound *in, const ProtobufCMessage *message) {
    return rpc_flow_send(CONTAINER_OF(in, struct rpc_served, in)->flow, message);
}

static void on_gone(struct rpc_inbound *in, void (*gone)(void *ctx), void *ctx) {
    rpc_flow_on_gone(CONTAINER_OF(in, struct rpc_served, in)->flow, gone, ctx);
}

static const struct rpc_inbound_ops ops = {header, answer, send_message, on_gone};

// ---- Letting in ---------------------------------------------------------------------------------------------------

// Whether one more call may be served; then it counts. What is refused doesn't: however many are refused, those that
// matter more still get in.
static bool take_room(struct rpc_served *served, struct error *error) {
    struct rpc_served_route *route = served->route;
    struct rpc_server *server = served->server;
    uint64_t most = (uint64_t)server->options.in_flight_max * tier_percent[route->route->tier] / 100;
    uint32_t now = server->in_flight;
    if (route->own) {
        most = route->most;
        now = route->calls;
    }
    if (now >= most) {
        error_set(error, ERR_OVERLOADED, "%u calls are being served", now);
        error->retry_after_ms = OVERLOADED_RETRY_MS;
        return false;
    }
    served->counted = true;
    route->calls++;
    server->in_flight += !route->own;
    return true;
}

bool rpc_served_count(struct rpc_served *served, grpc_slice message, struct error *error) {
    struct rpc_server *server = served->server;
    size_t size = GRPC_SLICE_LENGTH(message), rest = server->bytes - served->request_size;
    if (size > server->options.message_max)
        return error_set(error, ERR_MESSAGE_TOO_LARGE, "the message has %zu bytes, the most is %u", size,
                         server->options.message_max);
    if (size > server->options.bytes_in_flight_max - rest) {
        error_set(error, ERR_OVERLOADED, "%zu bytes of requests are being served", rest);
        error->retry_after_ms = OVERLOADED_RETRY_MS;
        return false;
    }
    server->bytes = rest + size;
    served->request_size = size;
    return true;
}

static bool take_request(struct rpc_served *served, struct error *error) {
    // Also what is left of a call whose caller vanished, or whose message gRPC found too large.
    if (!served->payload)
        return error_set(error, ERR_INVALID_REQUEST, "the call carries no message");
    if (!rpc_buffer_slice(served->payload, &served->request))
        return error_set(error, ERR_INVALID_REQUEST, "the message is compressed; this server takes it only as it is");
    if (!rpc_served_count(served, served->request, error))
        return false;
    served->in.bytes = rpc_slice_str(&served->request);
    return true;
}

// Borrowed from `auth`.
static struct str identity_of(grpc_auth_context *auth) {
    static const char *const names[] = {GRPC_PEER_SPIFFE_ID_PROPERTY_NAME, GRPC_X509_CN_PROPERTY_NAME};
    for (size_t i = 0; auth && i < sizeof names / sizeof names[0]; i++) {
        grpc_auth_property_iterator found = grpc_auth_context_find_properties_by_name(auth, names[i]);
        const grpc_auth_property *property = grpc_auth_property_iterator_next(&found);
        if (property && property->value_length)
            return str_n(property->value, property->value_length);
    }
    return STR_NONE;
}

static bool name_caller(struct rpc_served *served, struct str identity, struct error *error) {
    const struct rpc_server_options *options = &served->server->options;
    struct rpc_caller *caller = &served->in.caller;
    caller->authenticated = !str_empty(identity);
    if (served->route->route->scope != RPC_PUBLIC && options->authorize) {
        bool known = options->authorize(options->authorize_ctx, identity, &served->in, caller, error);
        assert(known || error_is(error));
        return known;
    }
    if (!str_copy(str_empty(identity) ? STR("anonymous") : identity, caller->name, sizeof caller->name))
        return error_set(error, ERR_UNAUTHENTICATED, "the identity in the certificate is longer than %d bytes",
                         RPC_NAME_MAX - 1);
    caller->scopes = options->authorize ? 0 : UINT32_MAX;
    return true;
}

static bool identify(struct rpc_served *served, struct error *error) {
    grpc_auth_context *auth = served->server->options.tls.client_ca ? grpc_call_auth_context(served->call) : NULL;
    bool known = name_caller(served, identity_of(auth), error);
    if (auth)
        grpc_auth_context_release(auth);
    return known;
}

static bool admit(struct rpc_served *served, struct error *error) {
    const struct rpc_server *server = served->server;
    if (server->closing || (server->draining && !served->route->own)) {
        error_set(error, ERR_SHUTTING_DOWN, NULL);
        error->retry_after_ms = SHUTDOWN_RETRY_MS;
        return false;
    }
    if (!served->route->route) {
        struct str path = rpc_slice_str(&served->details.method);
        return error_set(error, ERR_METHOD_UNKNOWN, "there is no method %.*s", STR_FMT(path));
    }
    if (!take_room(served, error) || !identify(served, error) || !rpc_inbound_permitted(&served->in, error))
        return false;
    if (served->route->route->method.client_streaming) {
        rpc_flow_receive(served->flow);
        return true;
    }
    return take_request(served, error) && rpc_inbound_dispatch(&served->in, error);
}

static void on_accepted(struct rpc_tag *tag, bool ok) {
    struct rpc_served *served = CONTAINER_OF(tag, struct rpc_served, accepted);
    struct rpc_server *server = served->server;
    struct rpc_served_route *route = served->route;
    server->posted--;
    if (!ok) { // the server is being shut down
        free_served(served);
        rpc_server_call_over(server);
        return;
    }
    if (!server->closing)
        rpc_served_accept(server, route);
    server->calls++;
    served->started_ns = clock_monotonic_ns();
    served->in.deadline_ms = rpc_deadline_ms(server->loop, route->route ? served->deadline : served->details.deadline);
    if (route->route && route->route->method.server_streaming)
        served->flow = rpc_flow_new(served);
    struct error error = {0};
    if (!admit(served, &error))
        rpc_fail(&served->in, &error, NULL);
    if (!served->in.answered) {
        served->watching = true;
        grpc_op close = close_op(served);
        rpc_served_start(served, &close, 1, &served->closed);
    }
}

void rpc_served_accept(struct rpc_server *server, struct rpc_served_route *route) {
    struct rpc_served *served = rpc_alloc(sizeof *served);
    served->server = server;
    served->route = route;
    served->in = (struct rpc_inbound){.ops = &ops,
                                      .route = route->route,
                                      .service = route->service,
                                      .request_type = route->request_type,
                                      .response_type = route->response_type,
                                      .clock = rpc_loop_clock(server->loop)};
    arena_init(&served->in.arena, (size_t)server->options.message_max * ARENA_FACTOR);
    served->request = served->text = served->detail.value = grpc_empty_slice();
    served->accepted.done = on_accepted;
    served->sent.done = on_sent;
    served->closed.done = on_closed;
    grpc_metadata_array_init(&served->headers);
    grpc_call_details_init(&served->details);
    grpc_completion_queue *queue = rpc_loop_queue(server->loop);
    bool one_message = route->route && !route->route->method.client_streaming;
    grpc_call_error refused =
        route->route
            ? grpc_server_request_registered_call(server->core, route->registered, &served->call, &served->deadline,
                                                  &served->headers, one_message ? &served->payload : NULL, queue, queue,
                                                  &served->accepted)
            : grpc_server_request_call(server->core, &served->call, &served->details, &served->headers, queue, queue,
                                       &served->accepted);
    assert(refused == GRPC_CALL_OK);
    (void)refused;
    server->posted++;
}
