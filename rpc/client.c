#include "rpc/client.h"

#include "base/map.h"
#include "rpc/buffer.h"
#include "rpc/outcome.h"
#include "rpc/status.h"
#include "rpc/tag.h"
#include "rpc/tls.h"

#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/support/alloc.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    HEADERS_MAX = 16,
    ARENA_FACTOR = 8, // memory for decoding an answer, in greatest messages
    TARGET_MAX = 512,
    METHODS_MAX = 128, // that one channel is asked to call
};

struct method {
    const ProtobufCServiceDescriptor *service;
    char path[RPC_PATH_MAX];
    const ProtobufCMessageDescriptor *response_type;
    void *registered;
};

struct wire_channel {
    struct rpc_channel base;
    struct rpc_loop *loop;
    grpc_channel *core;
    struct method *methods[METHODS_MAX]; // gRPC keeps pointers to their paths
    size_t n_methods;
    uint32_t message_max, in_flight_max, in_flight;
    struct rpc_outgoing *calls; // those whose `done` is still to run
    size_t refs;                // the caller's, and one for each call that is not freed
    bool target_is_peer;        // the target reads like an address that a peer would have
    bool closed;
};

// One call.
struct rpc_outgoing {
    struct wire_channel *channel;
    struct rpc_outgoing *next, **link;
    rpc_done_fn *done; // NULL: has run
    rpc_each_fn *each; // of a stream
    void *ctx;
    struct rpc_handle *handle;                       // NULL: nobody cancels it
    const ProtobufCMessageDescriptor *response_type; // NULL: bytes

    grpc_call *call;
    grpc_metadata headers[HEADERS_MAX];
    size_t n_headers;
    grpc_byte_buffer *request, *response;
    grpc_metadata_array initial, trailing;
    grpc_status_code status;
    grpc_slice text;
    struct rpc_tag finished, received;
    bool ended;       // the status is there
    bool receiving;   // a message is awaited
    uint32_t pending; // batches that still come back

    struct rpc_timer refuse; // for what was never started
    enum err refusal;
};

// ---- Life ---------------------------------------------------------------------------------------------------------

static void release_channel(struct wire_channel *channel) {
    if (--channel->refs > 0)
        return;
    grpc_channel_destroy(channel->core);
    for (size_t i = 0; i < channel->n_methods; i++)
        free(channel->methods[i]);
    free(channel);
}

static void free_call(struct rpc_outgoing *call) {
    struct wire_channel *channel = call->channel;
    for (size_t i = 0; i < call->n_headers; i++) {
        grpc_slice_unref(call->headers[i].key);
        grpc_slice_unref(call->headers[i].value);
    }
    if (call->request)
        grpc_byte_buffer_destroy(call->request);
    if (call->response)
        grpc_byte_buffer_destroy(call->response);
    grpc_metadata_array_destroy(&call->initial);
    grpc_metadata_array_destroy(&call->trailing);
    grpc_slice_unref(call->text);
    if (call->call)
        grpc_call_unref(call->call);
    rpc_timer_stop(channel->loop, &call->refuse);
    free(call);
    release_channel(channel);
}

// Runs `done`; the call is out of the channel's list from here on, and may be freed by the caller of this afterwards.
static void conclude(struct rpc_outgoing *call, const struct rpc_result *result) {
    rpc_done_fn *done = call->done;
    call->done = NULL;
    if (call->next)
        call->next->link = call->link;
    *call->link = call->next;
    if (call->call)
        call->channel->in_flight--;
    if (call->handle)
        call->handle->call = NULL;
    done(call->ctx, result);
}

static void conclude_with(struct rpc_outgoing *call, enum err code, const char *text) {
    struct rpc_result result;
    rpc_outcome_local(code, text, &result);
    conclude(call, &result);
}

// ---- Answers ------------------------------------------------------------------------------------------------------

// Whether the request can't have left. gRPC doesn't say so; two things together do: nothing was heard from a peer (then
// the call's peer is still the target's text), and the text is what gRPC's load balancing gives to a call that it had
// no connection for. Without the first a server could pass on the words of its own client.
static bool never_sent(const struct rpc_outgoing *call) {
    static const char *const texts[] = {"failed to connect to all addresses", "DNS resolution failed"};
    struct str text = rpc_slice_str(&call->text);
    bool no_connection = false;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        no_connection = no_connection || str_starts(text, str_c(texts[i]));
    if (call->status != GRPC_STATUS_UNAVAILABLE || !no_connection || call->channel->target_is_peer)
        return false;
    char *peer = grpc_call_get_peer(call->call), *target = grpc_channel_get_target(call->channel->core);
    bool unheard = strcmp(peer, target) == 0;
    gpr_free(peer);
    gpr_free(target);
    return unheard;
}

static bool take_response(struct rpc_outgoing *call, grpc_slice *ret_slice) {
    if (!call->response)
        return false;
    bool taken = rpc_buffer_slice(call->response, ret_slice);
    grpc_byte_buffer_destroy(call->response);
    call->response = NULL;
    return taken;
}

// The status is there and nothing more comes.
static void finish(struct rpc_outgoing *call) {
    struct arena arena;
    arena_init(&arena, (size_t)call->channel->message_max * ARENA_FACTOR);
    grpc_slice slice = grpc_empty_slice();
    struct rpc_received received = {
        .status = (int)call->status,
        .text = rpc_slice_str(&call->text),
        .details = rpc_header_find(&call->trailing, RPC_STATUS_HEADER),
        .has_message = call->each || take_response(call, &slice),
        .type = call->each ? NULL : call->response_type,
        .never_sent = never_sent(call),
    };
    received.bytes = rpc_slice_str(&slice);
    struct rpc_result result;
    rpc_outcome_read(&received, &arena, &result);
    conclude(call, &result);
    arena_release(&arena);
    grpc_slice_unref(slice);
}

// A batch has come back: goes on with what that allows.
static void advance(struct rpc_outgoing *call) {
    if (call->ended && !call->receiving && call->done)
        finish(call);
    if (call->pending == 0 && !call->done)
        free_call(call);
}

static void on_finished(struct rpc_tag *tag, bool ok) {
    (void)ok; // the status is set in any case
    struct rpc_outgoing *call = CONTAINER_OF(tag, struct rpc_outgoing, finished);
    call->pending--;
    call->ended = true;
    advance(call);
}

// False, with nothing done, for metadata that gRPC does not send.
static bool start(struct rpc_outgoing *call, const grpc_op *ops, size_t n, struct rpc_tag *tag) {
    grpc_call_error refused = grpc_call_start_batch(call->call, ops, n, tag, NULL);
    assert(refused == GRPC_CALL_OK || refused == GRPC_CALL_ERROR_INVALID_METADATA);
    call->pending += refused == GRPC_CALL_OK;
    return refused == GRPC_CALL_OK;
}

static grpc_op receive_op(struct rpc_outgoing *call) {
    return (grpc_op){.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->response};
}

static void receive_next(struct rpc_outgoing *call) {
    grpc_op op = receive_op(call);
    call->receiving = true;
    bool started = start(call, &op, 1, &call->received);
    assert(started);
    (void)started;
}

// Hands one message of a stream to its reader; false when no further one is wanted.
static bool pass_on(struct rpc_outgoing *call) {
    struct arena arena;
    arena_init(&arena, (size_t)call->channel->message_max * ARENA_FACTOR);
    grpc_slice slice = grpc_empty_slice();
    struct error error;
    const ProtobufCMessage *message = NULL;
    if (take_response(call, &slice))
        message = rpc_decode(call->response_type, rpc_slice_str(&slice), &arena, &error);
    if (!message)
        conclude_with(call, ERR_PARTICIPANT_BROKEN, "a message of the stream can't be read");
    bool more = message && call->each(call->ctx, message) && call->done;
    arena_release(&arena);
    grpc_slice_unref(slice);
    return more;
}

static void on_received(struct rpc_tag *tag, bool ok) {
    (void)ok; // at the end, and on failure, there is no message
    struct rpc_outgoing *call = CONTAINER_OF(tag, struct rpc_outgoing, received);
    call->pending--;
    call->receiving = false;
    if (call->done && call->response) {
        if (pass_on(call))
            receive_next(call);
        else
            grpc_call_cancel(call->call, NULL);
    }
    advance(call);
}

// ---- Calling ------------------------------------------------------------------------------------------------------

static void on_refused(void *ctx) {
    struct rpc_outgoing *call = ctx;
    conclude_with(call, call->refusal, NULL);
    free_call(call);
}

static struct rpc_outgoing *new_call(struct wire_channel *channel, rpc_each_fn *each, rpc_done_fn *done, void *ctx) {
    struct rpc_outgoing *call = rpc_alloc(sizeof *call);
    call->channel = channel;
    call->each = each;
    call->done = done;
    call->ctx = ctx;
    call->finished.done = on_finished;
    call->received.done = on_received;
    call->text = grpc_empty_slice();
    call->refuse = (struct rpc_timer){.fire = on_refused, .ctx = call};
    grpc_metadata_array_init(&call->initial);
    grpc_metadata_array_init(&call->trailing);
    channel->refs++;
    call->next = channel->calls;
    call->link = &channel->calls;
    if (call->next)
        call->next->link = &call->next;
    channel->calls = call;
    return call;
}

// `done` never runs before the function that it was given to has returned.
static void refuse_later(struct rpc_outgoing *call, enum err code) {
    call->refusal = code;
    struct rpc_loop *loop = call->channel->loop;
    rpc_timer_set(loop, &call->refuse, clock_now_ms(rpc_loop_clock(loop)));
}

// False when there are too many. What gRPC would not send it refuses itself, see send_request().
static bool copy_headers(struct rpc_outgoing *call, const struct rpc_header *headers) {
    for (; headers && headers->name; headers++) {
        if (call->n_headers == HEADERS_MAX)
            return false;
        grpc_metadata *header = &call->headers[call->n_headers++];
        header->key = rpc_slice_of(str_c(headers->name));
        header->value = rpc_slice_of(headers->value);
    }
    return true;
}

// Sends the request and asks for the status, and for the one message of a unary call. Takes the buffer.
static void send_request(struct rpc_outgoing *call, grpc_call *core, grpc_byte_buffer *request) {
    call->call = core;
    call->request = request;
    call->channel->in_flight++;
    grpc_op ops[] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = request},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        {.op = GRPC_OP_RECV_INITIAL_METADATA, .data.recv_initial_metadata.recv_initial_metadata = &call->initial},
        {.op = GRPC_OP_RECV_STATUS_ON_CLIENT},
        receive_op(call),
    };
    ops[0].data.send_initial_metadata.count = call->n_headers;
    ops[0].data.send_initial_metadata.metadata = call->headers;
    ops[4].data.recv_status_on_client.trailing_metadata = &call->trailing;
    ops[4].data.recv_status_on_client.status = &call->status;
    ops[4].data.recv_status_on_client.status_details = &call->text;
    size_t n = sizeof ops / sizeof ops[0];
    if (!start(call, ops, call->each ? n - 1 : n, &call->finished))
        refuse_later(call, ERR_PARTICIPANT_UNAVAILABLE);
    else if (call->each)
        receive_next(call);
}

void rpc_cancel(struct rpc_handle *handle) {
    if (handle->call && handle->call->call)
        grpc_call_cancel(handle->call->call, NULL);
}

// Whether the call may go out, with its headers; else its end is on its way.
static bool may_send(struct rpc_outgoing *call, const struct rpc_call_options *options) {
    assert(options->deadline_ms > 0);
    call->handle = options->handle;
    if (call->handle)
        call->handle->call = call;
    bool full = call->channel->in_flight >= call->channel->in_flight_max;
    if (!full && !call->channel->closed && copy_headers(call, options->headers))
        return true;
    refuse_later(call, full ? ERR_OVERLOADED : ERR_PARTICIPANT_UNAVAILABLE);
    return false;
}

static const struct method *find_method(struct wire_channel *channel, const struct rpc_method *method) {
    for (size_t i = 0; i < channel->n_methods; i++) {
        struct method *known = channel->methods[i];
        if (known->service == method->service && strcmp(strrchr(known->path, '/') + 1, method->name) == 0)
            return known;
    }
    assert(channel->n_methods < METHODS_MAX);
    struct method *known = rpc_alloc(sizeof *known);
    bool fits = rpc_method_path(method, known->path);
    assert(fits);
    (void)fits;
    known->service = method->service;
    known->response_type = rpc_method_response(method);
    known->registered = grpc_channel_register_call(channel->core, known->path, NULL, NULL);
    channel->methods[channel->n_methods++] = known;
    return known;
}

static void stream(struct rpc_channel *base, const struct rpc_method *method, const ProtobufCMessage *request,
                   const struct rpc_call_options *options, rpc_each_fn *each, rpc_done_fn *done, void *ctx) {
    struct wire_channel *channel = CONTAINER_OF(base, struct wire_channel, base);
    struct rpc_outgoing *call = new_call(channel, each, done, ctx);
    if (!may_send(call, options))
        return;
    const struct method *known = find_method(channel, method);
    call->response_type = known->response_type;
    grpc_call *core =
        grpc_channel_create_registered_call(channel->core, NULL, 0, rpc_loop_queue(channel->loop), known->registered,
                                            rpc_deadline_after(options->deadline_ms), NULL);
    send_request(call, core, rpc_buffer_of_message(request, NULL));
}

static void call_unary(struct rpc_channel *base, const struct rpc_method *method, const ProtobufCMessage *request,
                       const struct rpc_call_options *options, rpc_done_fn *done, void *ctx) {
    stream(base, method, request, options, NULL, done, ctx);
}

static void call_bytes(struct rpc_channel *base, const char *path, struct str request,
                       const struct rpc_call_options *options, rpc_done_fn *done, void *ctx) {
    struct wire_channel *channel = CONTAINER_OF(base, struct wire_channel, base);
    struct rpc_outgoing *call = new_call(channel, NULL, done, ctx);
    if (!may_send(call, options))
        return;
    grpc_slice method = rpc_slice_of(str_c(path));
    grpc_call *core = grpc_channel_create_call(channel->core, NULL, 0, rpc_loop_queue(channel->loop), method, NULL,
                                               rpc_deadline_after(options->deadline_ms), NULL);
    grpc_slice_unref(method);
    send_request(call, core, rpc_buffer_of_bytes(request, NULL));
}

// ---- The channel --------------------------------------------------------------------------------------------------

static void close_channel(struct rpc_channel *base) {
    struct wire_channel *channel = CONTAINER_OF(base, struct wire_channel, base);
    assert(!channel->closed);
    channel->closed = true;
    // Those that there are now: a callback may call again, and is refused later.
    struct rpc_outgoing *ending = channel->calls;
    channel->calls = NULL;
    if (ending)
        ending->link = &ending;
    while (ending) {
        struct rpc_outgoing *call = ending;
        conclude_with(call, ERR_PARTICIPANT_SILENT, "the channel was closed before the answer came");
        if (call->pending > 0)
            grpc_call_cancel(call->call, NULL);
        else
            free_call(call); // it was never started
    }
    release_channel(channel);
}

static const struct rpc_channel_ops channel_ops = {call_unary, close_channel, call_bytes, stream};

static grpc_arg integer(const char *key, int value) {
    return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key, .value.integer = value};
}

static grpc_channel *create(const char *target, grpc_channel_credentials *credentials, const char *server_name,
                            uint32_t message_max) {
    grpc_arg args[] = {
        integer(GRPC_ARG_ENABLE_RETRIES, 0), // the engine retries
        integer(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        integer(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
        integer(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        integer(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)message_max),
        integer(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
        integer(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1 << GRPC_COMPRESS_NONE),
        integer(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200),
        integer(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000), // how long one attempt to connect may take
        integer(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000),
        // A connection that swallows everything is found within half a minute.
        integer(GRPC_ARG_KEEPALIVE_TIME_MS, 20000),
        integer(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000),
        {.type = GRPC_ARG_STRING, .key = (char *)(uintptr_t)GRPC_SSL_TARGET_NAME_OVERRIDE_ARG},
    };
    size_t n = sizeof args / sizeof args[0];
    args[n - 1].value.string = (char *)(uintptr_t)server_name;
    grpc_channel_args all = {server_name ? n : n - 1, args};
    return grpc_channel_create(target, credentials, &all);
}

// Addresses as targets are written such that they differ from how gRPC writes a peer's, see never_sent().
static const char *tell_apart(const char *target, char *out, size_t size, bool *ret_is_peer) {
    struct str text = str_c(target);
    *ret_is_peer = false;
    if (str_starts(text, STR("ipv4:")) && !strchr(target, ',')) {
        snprintf(out, size, "dns:///%s", target + strlen("ipv4:"));
    } else if (str_starts(text, STR("unix:/")) && !str_starts(text, STR("unix://"))) {
        snprintf(out, size, "unix://%s", target + strlen("unix:"));
    } else {
        *ret_is_peer =
            str_starts(text, STR("ipv")) || (str_starts(text, STR("unix")) && !str_starts(text, STR("unix:///")));
        return target;
    }
    return out;
}

struct rpc_channel *rpc_channel_open(struct rpc_loop *loop, const char *target,
                                     const struct rpc_channel_options *options, struct error *error) {
    static const struct rpc_channel_options defaults;
    options = options ? options : &defaults;
    grpc_channel_credentials *credentials = rpc_tls_client(options, error);
    if (!credentials)
        return NULL;
    struct wire_channel *channel = rpc_alloc(sizeof *channel);
    channel->base.ops = &channel_ops;
    channel->loop = loop;
    channel->message_max = options->message_max ? options->message_max : 1024 * 1024;
    channel->in_flight_max = options->in_flight_max ? options->in_flight_max : 2048;
    channel->refs = 1;
    char written[TARGET_MAX];
    if (strlen(target) < TARGET_MAX - 16)
        target = tell_apart(target, written, sizeof written, &channel->target_is_peer);
    else
        channel->target_is_peer = true;
    channel->core = create(target, credentials, options->server_name, channel->message_max);
    grpc_channel_credentials_release(credentials);
    return &channel->base;
}
