#include "rpc/served.h"

#include "base/map.h"
#include "rpc/flow.h"
#include "rpc/status.h"

#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ARENA_FACTOR = 8, // a call's memory, in greatest messages
    OVERLOADED_RETRY_MS = 200,
    SHUTDOWN_RETRY_MS = 100,
    BUSY_FOR_NS = 1000000000, // whom a server without rest refuses is to come again after this, about
    BUSY_LOOK_NS = 100000000, // how many such a server lets in is looked at again
    BUSY_LEAST_PERCENT = 8,   // of what may be in flight, which it lets in in any case
    BUSY_LINE = 2,            // busy_max_ms through this, in line: what is too long when it begins,
    RESTLESS = 4,             // and, without rest: for as many to be let in as before
    RESTED = 80,              // and, without rest: for that to be none at all
    PROMPT_MS = 250,          // a message that takes longer may be waited for only as long as there is room
    BUSY_ARENA_MAX = 4096,
    TOLD_ALIKE = 64,   // so many are told the same time to come again
    TOLD_KINDS = 6,    // then others, up to a second later
    REFUSED_MAX = 256, // refusals that are not sent yet; more of them are made short
};

// How full the server may be, in hundredths of a limit, for a call of each tier to be let in.
static const uint32_t tier_percent[] = {[RPC_TIER_LOW] = 70, [RPC_TIER_NORMAL] = 85, [RPC_TIER_HIGH] = 100};

static uint64_t part_of(const struct rpc_served *served, uint64_t most) {
    return most * tier_percent[served->route->route->tier] / 100;
}

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
    pool_give(&served->server->pool, served);
}

void rpc_served_start(struct rpc_served *served, const grpc_op *ops, size_t n, struct rpc_tag *tag) {
    grpc_call_error refused = grpc_call_start_batch(served->call, ops, n, tag, NULL);
    assert(refused == GRPC_CALL_OK);
    (void)refused;
    served->pending++;
}

static void leave_caller(struct rpc_served *served) {
    struct rpc_served_caller *caller = served->caller;
    served->caller = NULL;
    if (--caller->calls > 0)
        return;
    map_remove(&served->server->callers, &caller->node);
    free(caller);
}

static void give_room(struct rpc_served *served) {
    if (!served->counted)
        return;
    served->counted = false;
    served->route->calls--;
    served->server->in_flight -= !served->route->own;
    if (served->caller)
        leave_caller(served);
}

bool rpc_served_finish(struct rpc_served *served) {
    if (--served->pending > 0 || !served->over)
        return true;
    struct rpc_server *server = served->server;
    server->calls--;
    server->refused -= served->refused;
    give_room(served);
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

// A caller that reads nothing could have the refusals of its calls pile up, each with its call. gRPC forgets a call
// that is cancelled as soon as it is told to, and stops reading from a connection that owes very many of these.
static void cut_short(struct rpc_served *served, const struct rpc_answer *answer) {
    char text[ERR_TEXT_MAX];
    snprintf(text, sizeof text, "%.*s", STR_FMT(answer->text));
    grpc_call_cancel_with_status(served->call, (grpc_status_code)answer->status, text, NULL);
    grpc_op close = close_op(served);
    rpc_served_start(served, &close, 1, &served->sent);
}

void rpc_served_end(struct rpc_served *served, const struct rpc_answer *answer) {
    if (served->refused && served->server->refused > REFUSED_MAX) {
        cut_short(served, answer);
        return;
    }
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
    served->server->busy.done += !served->route->own && how->status != GRPC_STATUS_RESOURCE_EXHAUSTED;
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

static void count_refused(struct rpc_served *served) {
    give_room(served);
    served->refused = true;
    served->server->refused++;
    served->server->refused_ever++;
}

static void refuse(struct rpc_served *served, const struct error *error) {
    count_refused(served);
    rpc_fail(&served->in, error, NULL);
}

// ---- Without rest -------------------------------------------------------------------------------------------------

static uint32_t busy_least(const struct rpc_server *server) {
    return (uint32_t)(((uint64_t)server->options.in_flight_max * BUSY_LEAST_PERCENT + 99) / 100);
}

// Whether those in flight that don't only wait are more than the loop does in a while, at the pace of what was done
// since the last look. Many that are done in time, as one caller's thousand at once, keep the loop without rest, too.
static bool line_is_long(const struct rpc_server *server, int64_t since_ns) {
    const struct rpc_busy *busy = &server->busy;
    uint64_t line = server->in_flight - busy->waiting,
             passed_ns = since_ns < BUSY_FOR_NS ? (uint64_t)since_ns : BUSY_FOR_NS;
    uint64_t long_ns = (uint64_t)server->options.busy_max_ms * 1000000 / BUSY_LINE;
    return line >= server->options.in_flight_max / 2 || line * passed_ns >= busy->done * long_ns;
}

// How many have to be in flight for the loop to be busy depends on how long the participants take. So the limit begins
// with half of what is in line when there is no rest any more, goes down while there is none and up while there is,
// and is gone when nobody met it for a second. What only waits comes on top of it.
static void move_limit(struct rpc_server *server, int64_t busy_ms, int64_t now_ns) {
    struct rpc_busy *busy = &server->busy;
    int64_t since_ns = now_ns - busy->looked_ns, max_ms = server->options.busy_max_ms;
    if (since_ns < BUSY_LOOK_NS)
        return;
    if (since_ns > BUSY_FOR_NS)
        busy->most = 0;
    if (busy->most == 0 && busy_ms >= max_ms && line_is_long(server, since_ns))
        busy->most = busy->waiting + (server->in_flight - busy->waiting + 1) / 2;
    else if (busy->most > 0 && busy_ms >= max_ms / RESTLESS)
        busy->most -= (busy->most - busy->waiting) / 4;
    else if (busy->most > 0 && busy_ms <= max_ms / RESTED)
        busy->most += busy->most / 16 + 1;
    busy->looked_ns = now_ns;
    busy->done = 0;
    if (busy->most >= server->options.in_flight_max)
        busy->most = 0;
    else if (busy->most > 0 && busy->most < busy->waiting + busy_least(server))
        busy->most = busy->waiting + busy_least(server);
}

static void lower(uint32_t *least, uint32_t n) {
    if (n < *least)
        *least = n;
}

// What is in flight all the time, also when there is rest, only waits: for a participant that takes long, for the time,
// to be told what changes. The fewest of a second are that, step by step: what a burst has left is gone by then. While
// there is a limit they are as many as it lets in.
static void note_waiting(struct rpc_server *server, bool rest, int64_t now_ns) {
    struct rpc_busy *busy = &server->busy;
    if (rest)
        lower(&busy->fewest, server->in_flight);
    if (busy->most == 0 && now_ns - busy->fewest_ns < BUSY_FOR_NS)
        return;
    assert(busy->fewest >= busy->waiting); // which is lowered whenever fewer are in flight
    uint32_t more = busy->fewest < UINT32_MAX ? busy->fewest - busy->waiting : 0;
    if (busy->most == 0)
        busy->waiting += more < busy_least(server) ? more : busy_least(server);
    busy->fewest = UINT32_MAX;
    busy->fewest_ns = now_ns;
}

// How many may be in flight for one more call of the tier to be let in, as far as the loop's rest goes.
static uint32_t busy_most(struct rpc_server *server, enum rpc_tier tier) {
    struct rpc_busy *busy = &server->busy;
    if (tier == RPC_TIER_HIGH || server->options.busy_max_ms == 0)
        return UINT32_MAX;
    lower(&busy->waiting, server->in_flight);
    if (server->in_flight < busy_least(server) * 3 / 4) { // hardly any: not worth the clock
        lower(&busy->fewest, server->in_flight);
        return UINT32_MAX;
    }
    int64_t now_ns = clock_monotonic_ns(), busy_ms = rpc_loop_busy_ms(server->loop);
    note_waiting(server, busy_ms <= server->options.busy_max_ms / RESTED, now_ns);
    move_limit(server, busy_ms, now_ns);
    if (busy->most > 0 && busy_ms >= server->options.busy_max_ms / RESTLESS)
        busy->until_ns = now_ns + BUSY_FOR_NS;
    if (busy->most == 0)
        return UINT32_MAX;
    return tier == RPC_TIER_LOW ? busy->most - (busy->most - busy->waiting) / 4 : busy->most;
}

// To try again after this time, about: who is refused now must not come again all at once.
static const struct rpc_answer *busy_answer(struct rpc_busy *busy) {
    int64_t left_ms = (busy->until_ns - clock_monotonic_ns()) / 1000000;
    uint32_t later = busy->told++ / TOLD_ALIKE % TOLD_KINDS;
    uint32_t retry_after_ms =
        ((left_ms > 0 ? (uint32_t)left_ms / OVERLOADED_RETRY_MS : 0) + 1 + later) * OVERLOADED_RETRY_MS;
    if (busy->error.retry_after_ms != retry_after_ms) {
        arena_release(&busy->arena);
        arena_init(&busy->arena, BUSY_ARENA_MAX);
        error_set(&busy->error, ERR_OVERLOADED, "more comes than can be done");
        busy->error.retry_after_ms = retry_after_ms;
        busy->answer = rpc_failure(&busy->error, NULL, &busy->arena);
    }
    return &busy->answer;
}

static bool refuse_as_busy(struct rpc_served *served) {
    struct rpc_server *server = served->server;
    if (server->in_flight < busy_most(server, served->route->route->tier))
        return false;
    count_refused(served);
    rpc_inbound_end(&served->in, busy_answer(&server->busy));
    return true;
}

// ---- Letting in ---------------------------------------------------------------------------------------------------

static struct rpc_waiting *waiting_with(struct rpc_served *served) {
    return served->route->own ? &served->route->waiting : &served->server->waiting;
}

// Makes room for a call at the cost of one that was let in and whose message doesn't come.
static bool push_out(struct rpc_served *newcomer) {
    struct rpc_wait *wait = rpc_waiting_take(waiting_with(newcomer), PROMPT_MS);
    if (!wait)
        return false;
    struct error error = {0};
    error_set(&error, ERR_OVERLOADED, "the server is full, and the call's message has not come");
    error.retry_after_ms = OVERLOADED_RETRY_MS;
    refuse(CONTAINER_OF(wait, struct rpc_served, wait), &error);
    return true;
}

// Whether one more call may be served; then it counts. What is refused doesn't: however many are refused, those that
// matter more still get in. False: with the reason, or it is refused already.
static bool take_room(struct rpc_served *served, struct error *error) {
    struct rpc_served_route *route = served->route;
    struct rpc_server *server = served->server;
    uint64_t most = part_of(served, server->options.in_flight_max);
    uint32_t now = server->in_flight;
    if (route->own) {
        most = route->most;
        now = route->calls;
    } else if (refuse_as_busy(served)) {
        return false;
    }
    if (now >= most && !push_out(served)) {
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
    uint64_t most = part_of(served, server->options.bytes_in_flight_max);
    if (rest > most || size > most - rest) {
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

// The same of what one caller may have. Whoever is known gets its part of it and no more, so that one caller, whatever
// it does, leaves room for the others.
static bool take_part(struct rpc_served *served, struct error *error) {
    struct rpc_server *server = served->server;
    const struct rpc_caller *who = &served->in.caller;
    uint32_t limit = who->in_flight_max ? who->in_flight_max : server->options.caller_in_flight_max;
    if (served->route->own || limit == 0)
        return true;
    struct map_node *node = map_find(&server->callers, str_c(who->name));
    struct rpc_served_caller *caller = node ? CONTAINER_OF(node, struct rpc_served_caller, node) : NULL;
    uint64_t most = part_of(served, limit);
    if (caller && caller->calls >= (most ? most : 1)) {
        error_set(error, ERR_OVERLOADED, "%u calls of %s are being served", caller->calls, who->name);
        error->retry_after_ms = OVERLOADED_RETRY_MS;
        return false;
    }
    if (!caller) {
        caller = rpc_alloc(sizeof *caller);
        memcpy(caller->name, who->name, sizeof caller->name);
        map_insert(&server->callers, &caller->node, str_c(caller->name));
    }
    caller->calls++;
    served->caller = caller;
    return true;
}

// Everything that can be told from the headers. False: with the reason, or it is refused already.
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
    return take_room(served, error) && identify(served, error) && rpc_inbound_permitted(&served->in, error) &&
           take_part(served, error);
}

// Refuses the call when there is an error. One that is not answered is watched where its handler is to be told when the
// caller leaves.
static void settle(struct rpc_served *served, const struct error *error) {
    if (error_is(error))
        refuse(served, error);
    if (served->in.answered || !(served->flow || served->server->options.asks_gone))
        return;
    served->watching = true;
    grpc_op close = close_op(served);
    rpc_served_start(served, &close, 1, &served->closed);
}

// ---- The message of a call that has one -----------------------------------------------------------------------------

static void on_read(struct rpc_tag *tag, bool ok) {
    (void)ok; // there is a message or there is none
    struct rpc_served *served = CONTAINER_OF(tag, struct rpc_served, read);
    if (!rpc_served_finish(served) || served->in.answered) // refused for being late
        return;
    rpc_waiting_remove(waiting_with(served), &served->wait);
    struct error error = {0};
    if (take_request(served, &error))
        (void)rpc_inbound_dispatch(&served->in, &error);
    settle(served, &error);
}

void rpc_served_late(struct rpc_wait *wait) {
    struct rpc_served *served = CONTAINER_OF(wait, struct rpc_served, wait);
    struct error error = {0};
    error_set(&error, ERR_TIMED_OUT, "the call's message did not come within %u ms",
              served->server->options.peer_wait_ms);
    refuse(served, &error); // ends the reading too
}

static void read_message(struct rpc_served *served) {
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &served->payload};
    rpc_waiting_add(waiting_with(served), &served->wait);
    rpc_served_start(served, &op, 1, &served->read);
}

// ---- Accepting ------------------------------------------------------------------------------------------------------

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
    bool admitted = admit(served, &error);
    if (admitted && !route->route->method.client_streaming) {
        read_message(served);
        return;
    }
    if (admitted)
        rpc_flow_receive(served->flow);
    settle(served, &error);
}

void rpc_served_accept(struct rpc_server *server, struct rpc_served_route *route) {
    struct rpc_served *served = pool_take(&server->pool);
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
    served->accepted = (struct rpc_tag){on_accepted, .arrival = true};
    served->read = (struct rpc_tag){on_read, .arrival = true};
    served->sent = (struct rpc_tag){on_sent, .arrival = true};
    served->closed = (struct rpc_tag){on_closed, .arrival = true};
    grpc_metadata_array_init(&served->headers);
    grpc_call_details_init(&served->details);
    grpc_completion_queue *queue = rpc_loop_queue(server->loop);
    grpc_call_error refused =
        route->route
            ? grpc_server_request_registered_call(server->core, route->registered, &served->call, &served->deadline,
                                                  &served->headers, NULL, queue, queue, &served->accepted)
            : grpc_server_request_call(server->core, &served->call, &served->details, &served->headers, queue, queue,
                                       &served->accepted);
    assert(refused == GRPC_CALL_OK);
    (void)refused;
    server->posted++;
}
