#include "rpc/flow.h"

#include "base/map.h"

#include <assert.h>
#include <grpc/byte_buffer.h>
#include <stdlib.h>

// Bytes queued of one call; a single message may be larger.
enum { QUEUED_MAX = 1024 * 1024 };

struct waiting {
    grpc_byte_buffer *buffer;
    size_t size;
};

struct rpc_flow {
    struct rpc_served *served;
    struct waiting queue[RPC_STREAM_QUEUE];
    size_t head, count, bytes;
    struct waiting writing; // buffer NULL: nothing is on its way
    struct rpc_tag written;

    bool reads, reading; // messages of the caller: until its last; one is awaited
    grpc_byte_buffer *incoming;
    struct rpc_tag read;

    bool ended, status_sent;
    int status; // once ended
    grpc_slice text, details;
    struct rpc_timer linger;

    void (*gone)(void *ctx);
    void *gone_ctx;
    struct rpc_timer tell_gone;
};

static struct rpc_loop *loop_of(const struct rpc_flow *flow) {
    return flow->served->server->loop;
}

static int64_t now_ms(const struct rpc_flow *flow) {
    return clock_now_ms(rpc_loop_clock(loop_of(flow)));
}

static void drop_queue(struct rpc_flow *flow) {
    for (; flow->count; flow->count--) {
        grpc_byte_buffer_destroy(flow->queue[flow->head].buffer);
        flow->head = (flow->head + 1) % RPC_STREAM_QUEUE;
    }
    flow->bytes = 0;
}

// ---- Sending ------------------------------------------------------------------------------------------------------

static void write_next(struct rpc_flow *flow) {
    struct rpc_served *served = flow->served;
    flow->writing = flow->queue[flow->head];
    flow->head = (flow->head + 1) % RPC_STREAM_QUEUE;
    flow->count--;
    grpc_op ops[2] = {{.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = flow->writing.buffer},
                      {.op = GRPC_OP_SEND_INITIAL_METADATA}};
    size_t n = served->greeted ? 1 : 2;
    served->greeted = true;
    rpc_served_start(served, ops, n, &flow->written);
}

static void read_next(struct rpc_flow *flow) {
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &flow->incoming};
    flow->reading = true;
    rpc_served_start(flow->served, &op, 1, &flow->read);
}

// Starts what comes next, when nothing is on its way.
static void pump(struct rpc_flow *flow) {
    if (flow->writing.buffer || flow->status_sent)
        return;
    if (flow->count) {
        write_next(flow);
        return;
    }
    if (flow->reads && !flow->reading && !flow->ended)
        read_next(flow);
    if (!flow->ended)
        return;
    flow->status_sent = true;
    rpc_timer_stop(loop_of(flow), &flow->linger);
    struct rpc_answer answer = {
        .status = flow->status, .text = rpc_slice_str(&flow->text), .details = rpc_slice_str(&flow->details)};
    rpc_served_end(flow->served, &answer);
}

static void message_written(struct rpc_tag *tag, bool ok) {
    struct rpc_flow *flow = CONTAINER_OF(tag, struct rpc_flow, written);
    grpc_byte_buffer_destroy(flow->writing.buffer);
    flow->bytes -= flow->writing.size;
    flow->writing.buffer = NULL;
    if (!rpc_served_finish(flow->served))
        return;
    if (!ok) // the caller has left; its close says so to the handler
        drop_queue(flow);
    pump(flow);
}

bool rpc_flow_send(struct rpc_flow *flow, const ProtobufCMessage *message) {
    size_t size = protobuf_c_message_get_packed_size(message);
    bool full = flow->count == RPC_STREAM_QUEUE || (flow->bytes && flow->bytes + size > QUEUED_MAX);
    if (full || flow->served->in.gone)
        return false;
    struct waiting *last = &flow->queue[(flow->head + flow->count) % RPC_STREAM_QUEUE];
    last->buffer = rpc_buffer_of_message(message, &last->size);
    flow->count++;
    flow->bytes += last->size;
    pump(flow);
    return true;
}

// ---- Receiving ----------------------------------------------------------------------------------------------------

static bool deliver(struct rpc_flow *flow, grpc_slice *slice, struct error *error) {
    struct rpc_inbound *in = &flow->served->in;
    if (!rpc_buffer_slice(flow->incoming, slice))
        return error_set(error, ERR_INVALID_REQUEST, "the message is compressed; this server takes it only as it is");
    if (!rpc_served_count(flow->served, *slice, error))
        return false;
    arena_reset(&in->arena);
    in->bytes = rpc_slice_str(slice);
    return rpc_inbound_dispatch(in, error);
}

static void message_read(struct rpc_tag *tag, bool ok) {
    (void)ok; // there is a message or there is none
    struct rpc_flow *flow = CONTAINER_OF(tag, struct rpc_flow, read);
    struct rpc_inbound *in = &flow->served->in;
    if (!rpc_served_finish(flow->served))
        return;
    flow->reading = false;
    grpc_slice slice = grpc_empty_slice();
    if (!flow->ended && flow->incoming) {
        struct error error = {0};
        if (!deliver(flow, &slice, &error))
            rpc_fail(in, &error, NULL);
        in->bytes = STR_NONE;
    } else if (!flow->ended) {
        flow->reads = false;
        in->route->handle(in->service, in, NULL);
    }
    grpc_slice_unref(slice);
    if (flow->incoming)
        grpc_byte_buffer_destroy(flow->incoming);
    flow->incoming = NULL;
    pump(flow);
}

void rpc_flow_receive(struct rpc_flow *flow) {
    flow->reads = true;
    pump(flow);
}

// ---- The end ------------------------------------------------------------------------------------------------------

static void cut_off(void *ctx) {
    struct rpc_flow *flow = ctx;
    drop_queue(flow);
    grpc_call_cancel_with_status(flow->served->call, GRPC_STATUS_RESOURCE_EXHAUSTED,
                                 "the stream was not read for too long", NULL);
}

void rpc_flow_end(struct rpc_flow *flow, const struct rpc_answer *answer) {
    flow->ended = true;
    flow->status = answer->status;
    flow->text = rpc_slice_of(answer->text);
    flow->details = rpc_slice_of(answer->details);
    rpc_timer_stop(loop_of(flow), &flow->tell_gone);
    rpc_timer_set(loop_of(flow), &flow->linger, now_ms(flow) + RPC_FLOW_LINGER_MS);
    pump(flow);
}

static void tell_gone(void *ctx) {
    struct rpc_flow *flow = ctx;
    void (*gone)(void *ctx) = flow->gone;
    flow->gone = NULL;
    if (gone)
        gone(flow->gone_ctx);
}

void rpc_flow_on_gone(struct rpc_flow *flow, void (*gone)(void *ctx), void *ctx) {
    flow->gone = gone;
    flow->gone_ctx = ctx;
    if (flow->served->in.gone)
        rpc_timer_set(loop_of(flow), &flow->tell_gone, now_ms(flow));
}

void rpc_flow_gone(struct rpc_flow *flow) {
    drop_queue(flow);
    if (!flow->ended)
        tell_gone(flow);
}

struct rpc_flow *rpc_flow_new(struct rpc_served *served) {
    struct rpc_flow *flow = rpc_alloc(sizeof *flow);
    flow->served = served;
    flow->written.done = message_written;
    flow->read.done = message_read;
    flow->text = flow->details = grpc_empty_slice();
    flow->linger = (struct rpc_timer){.fire = cut_off, .ctx = flow};
    flow->tell_gone = (struct rpc_timer){.fire = tell_gone, .ctx = flow};
    return flow;
}

void rpc_flow_free(struct rpc_flow *flow) {
    if (!flow)
        return;
    assert(!flow->writing.buffer);
    if (flow->incoming)
        grpc_byte_buffer_destroy(flow->incoming);
    drop_queue(flow);
    rpc_timer_stop(loop_of(flow), &flow->linger);
    rpc_timer_stop(loop_of(flow), &flow->tell_gone);
    grpc_slice_unref(flow->text);
    grpc_slice_unref(flow->details);
    free(flow);
}
