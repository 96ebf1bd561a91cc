#include "tests/bench/bare.h"

#include "base/clock.h"
#include "base/map.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>
#include <stdio.h>
#include <stdlib.h>

// As rpc/loop.c does: abseil looks for deadlocks at every lock in builds without NDEBUG.
extern void
absl_set_deadlock_detection(int mode) __asm__("_ZN4absl7debian329SetMutexDeadlockDetectionModeENS0_15OnDeadlockCycleE")
    __attribute__((weak));

static void fatal(const char *what, const char *name) {
    fprintf(stderr, "%s %s\n", what, name);
    exit(1);
}

// ---- The loop -----------------------------------------------------------------------------------------------------

static void on_woken(struct bare_tag *tag, bool ok) {
    (void)ok;
    struct bare *bare = CONTAINER_OF(tag, struct bare, woken);
    atomic_store(&bare->wake_pending, false); // before it looks: what comes later wakes again
    bare->on_wake(bare->ctx);
}

void bare_init(struct bare *bare, void (*on_wake)(void *ctx), void *ctx) {
    if (absl_set_deadlock_detection)
        absl_set_deadlock_detection(0);
    grpc_init();
    *bare = (struct bare){.queue = grpc_completion_queue_create_for_next(NULL), .on_wake = on_wake, .ctx = ctx};
    bare->woken.done = on_woken;
    grpc_channel *nowhere = grpc_lame_client_channel_create("wake", GRPC_STATUS_UNAVAILABLE, "only to wake the loop");
    bare->waker = grpc_channel_create_call(nowhere, NULL, 0, bare->queue, grpc_slice_from_static_string("/wake"), NULL,
                                           gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
}

void bare_run(struct bare *bare, int64_t until_ns) {
    do {
        int64_t left_ns = until_ns - clock_monotonic_ns();
        gpr_timespec wait = left_ns > 0 ? gpr_time_from_nanos(left_ns, GPR_TIMESPAN) : gpr_time_0(GPR_TIMESPAN);
        grpc_event event =
            grpc_completion_queue_next(bare->queue, gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), wait), NULL);
        if (event.type != GRPC_OP_COMPLETE)
            return;
        struct bare_tag *tag = event.tag;
        tag->done(tag, event.success != 0);
    } while (clock_monotonic_ns() < until_ns);
}

static void start(grpc_call *call, const grpc_op *ops, size_t n, struct bare_tag *tag) {
    if (grpc_call_start_batch(call, ops, n, tag, NULL) != GRPC_CALL_OK)
        abort();
}

void bare_wake(struct bare *bare) {
    if (!atomic_exchange(&bare->wake_pending, true))
        start(bare->waker, NULL, 0, &bare->woken);
}

static struct str slice_str(const grpc_slice *slice) {
    return str_n(GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
}

static grpc_slice read_all(grpc_byte_buffer *buffer) {
    grpc_byte_buffer_reader reader;
    if (!buffer || !grpc_byte_buffer_reader_init(&reader, buffer))
        return grpc_empty_slice();
    grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    return slice;
}

static grpc_byte_buffer *wrap(grpc_slice slice) {
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

static void drop(grpc_byte_buffer *buffer) {
    if (buffer)
        grpc_byte_buffer_destroy(buffer);
}

// ---- Serving ------------------------------------------------------------------------------------------------------

static void on_accepted(struct bare_tag *tag, bool ok);
static void on_sent(struct bare_tag *tag, bool ok);

static void accept_next(struct bare *bare, struct bare_method *method) {
    struct bare_in *in = method->spare;
    if (in)
        method->spare = in->next;
    else if (!(in = malloc(sizeof *in)))
        abort();
    *in = (struct bare_in){.bare = bare, .method = method, .accepted.done = on_accepted, .sent.done = on_sent};
    grpc_metadata_array_init(&in->headers);
    grpc_call_error refused =
        grpc_server_request_registered_call(bare->server, method->registered, &in->call, &in->deadline, &in->headers,
                                            &in->request, bare->queue, bare->queue, &in->accepted);
    if (refused != GRPC_CALL_OK)
        abort();
}

static void on_accepted(struct bare_tag *tag, bool ok) {
    struct bare_in *in = CONTAINER_OF(tag, struct bare_in, accepted);
    if (!ok)
        return; // the server ends
    accept_next(in->bare, in->method);
    in->body = read_all(in->request);
    in->method->handle(in, slice_str(&in->body));
}

static void on_sent(struct bare_tag *tag, bool ok) {
    (void)ok;
    struct bare_in *in = CONTAINER_OF(tag, struct bare_in, sent);
    drop(in->request);
    drop(in->answer);
    grpc_slice_unref(in->body);
    grpc_slice_unref(in->text);
    grpc_metadata_array_destroy(&in->headers);
    grpc_call_unref(in->call);
    in->next = in->method->spare;
    in->method->spare = in;
}

void bare_answer(struct bare_in *in, grpc_status_code status, struct str text, grpc_slice answer) {
    in->answer = wrap(answer);
    in->text = grpc_slice_from_copied_buffer(text.ptr ? text.ptr : "", text.len);
    grpc_op ops[4] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}};
    size_t n = 1;
    if (status == GRPC_STATUS_OK)
        ops[n++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = in->answer};
    ops[n] = (grpc_op){.op = GRPC_OP_SEND_STATUS_FROM_SERVER};
    ops[n].data.send_status_from_server.status = status;
    ops[n++].data.send_status_from_server.status_details = &in->text;
    ops[n++] = (grpc_op){.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &in->cancelled};
    start(in->call, ops, n, &in->sent);
}

uint8_t *bare_room(grpc_slice *slice, size_t size) {
    *slice = grpc_slice_malloc(size);
    return GRPC_SLICE_START_PTR(*slice);
}

void bare_serve(struct bare *bare, char *const *addresses, struct bare_method *methods, size_t n, unsigned accepts) {
    bare->server = grpc_server_create(NULL, NULL);
    grpc_server_register_completion_queue(bare->server, bare->queue, NULL);
    for (size_t i = 0; i < n; i++)
        methods[i].registered = grpc_server_register_method(bare->server, methods[i].path, NULL,
                                                            GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    printf("ready");
    for (; *addresses; addresses++) {
        int port = grpc_server_add_http2_port(bare->server, *addresses, credentials);
        if (port == 0)
            fatal("can't listen on", *addresses);
        printf(" %d", port);
    }
    grpc_server_credentials_release(credentials);
    grpc_server_start(bare->server);
    for (size_t i = 0; i < n * accepts; i++)
        accept_next(bare, &methods[i % n]);
    putchar('\n');
    fflush(stdout);
}

// ---- Calling ------------------------------------------------------------------------------------------------------

grpc_channel *bare_channel(const char *target, int number) {
    grpc_arg arg[] = {{.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)GRPC_ARG_ENABLE_RETRIES},
                      {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t) "txc.number", .value.integer = number}};
    grpc_channel_args args = {2, arg};
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(target, credentials, &args);
    grpc_channel_credentials_release(credentials);
    if (!channel)
        fatal("no channel to", target);
    return channel;
}

void *bare_path(grpc_channel *channel, const char *path) {
    return grpc_channel_register_call(channel, path, NULL, NULL);
}

static void on_finished(struct bare_tag *tag, bool ok) {
    (void)ok; // the status is there in any case
    struct bare_out *out = CONTAINER_OF(tag, struct bare_out, finished);
    grpc_slice answer = read_all(out->answer), text = out->text;
    grpc_status_code status = out->status;
    for (size_t i = 0; i < out->n_headers; i++)
        grpc_slice_unref(out->headers[i].value);
    drop(out->request);
    drop(out->answer);
    grpc_metadata_array_destroy(&out->initial);
    grpc_metadata_array_destroy(&out->trailing);
    grpc_call_unref(out->call);
    out->done(out, status, slice_str(&answer), slice_str(&text));
    grpc_slice_unref(answer);
    grpc_slice_unref(text);
}

void bare_call(struct bare *bare, grpc_channel *channel, void *path, const struct bare_header *headers, size_t n,
               grpc_slice request, int64_t deadline_ms, struct bare_out *out) {
    gpr_timespec deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(deadline_ms, GPR_TIMESPAN));
    out->finished.done = on_finished;
    out->call = grpc_channel_create_registered_call(channel, NULL, 0, bare->queue, path, deadline, NULL);
    out->request = wrap(request);
    out->answer = NULL;
    out->n_headers = n < BARE_HEADERS_MAX ? n : BARE_HEADERS_MAX;
    for (size_t i = 0; i < out->n_headers; i++) {
        out->headers[i].key = grpc_slice_from_static_string(headers[i].name);
        out->headers[i].value = grpc_slice_from_copied_buffer(headers[i].value.ptr, headers[i].value.len);
    }
    grpc_metadata_array_init(&out->initial);
    grpc_metadata_array_init(&out->trailing);
    grpc_op ops[] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = out->request},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        {.op = GRPC_OP_RECV_INITIAL_METADATA, .data.recv_initial_metadata.recv_initial_metadata = &out->initial},
        {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &out->answer},
        {.op = GRPC_OP_RECV_STATUS_ON_CLIENT},
    };
    ops[0].data.send_initial_metadata.count = out->n_headers;
    ops[0].data.send_initial_metadata.metadata = out->headers;
    ops[5].data.recv_status_on_client.trailing_metadata = &out->trailing;
    ops[5].data.recv_status_on_client.status = &out->status;
    ops[5].data.recv_status_on_client.status_details = &out->text;
    start(out->call, ops, sizeof ops / sizeof ops[0], &out->finished);
}
