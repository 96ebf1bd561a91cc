#include "rpc/inbound.h"

#include "rpc/status.h"

#include <assert.h>

enum { DETAILS_MAX = 16 * 1024 }; // memory for making the details of a failure

static const struct {
    enum rpc_scope scope;
    const char *name;
} scope_names[] = {
    {RPC_TRADE_READ, "trade.read"}, {RPC_TRADE, "trade"},       {RPC_SAGA, "saga"},
    {RPC_OPERATE, "operate"},       {RPC_CALLBACK, "callback"}, {RPC_SIM, "sim"},
};

bool rpc_inbound_permitted(const struct rpc_inbound *in, struct error *error) {
    enum rpc_scope needed = in->route->scope;
    if (needed == RPC_PUBLIC || (in->caller.scopes & needed))
        return true;
    const char *name = "?";
    for (size_t i = 0; i < sizeof scope_names / sizeof scope_names[0]; i++)
        if (scope_names[i].scope == needed)
            name = scope_names[i].name;
    return error_set(error, ERR_SCOPE_MISSING, "%s needs the scope %s", in->route->method.name, name);
}

bool rpc_inbound_dispatch(struct rpc_inbound *in, struct error *error) {
    const ProtobufCMessage *request = NULL;
    if (!in->route->method.undecoded && !(request = rpc_decode(in->request_type, in->bytes, &in->arena, error)))
        return false;
    in->route->handle(in->service, in, request);
    return true;
}

// ---- For handlers -------------------------------------------------------------------------------------------------

const struct rpc_caller *rpc_inbound_caller(const struct rpc_inbound *in) {
    return &in->caller;
}

struct arena *rpc_inbound_arena(struct rpc_inbound *in) {
    return &in->arena;
}

int64_t rpc_inbound_deadline_ms(const struct rpc_inbound *in) {
    return in->deadline_ms;
}

struct str rpc_inbound_header(const struct rpc_inbound *in, const char *name) {
    return in->ops->header(in, name);
}

struct str rpc_inbound_bytes(const struct rpc_inbound *in) {
    return in->bytes;
}

bool rpc_inbound_gone(const struct rpc_inbound *in) {
    return in->gone || in->deadline_ms <= clock_now_ms(in->clock);
}

void rpc_inbound_end(struct rpc_inbound *in, const struct rpc_answer *how) {
    assert(!in->answered);
    in->answered = true;
    in->ops->answer(in, how);
    in->bytes = STR_NONE;
    arena_release(&in->arena);
}

void rpc_reply(struct rpc_inbound *in, const ProtobufCMessage *response) {
    assert(response->descriptor == in->response_type);
    rpc_inbound_end(in, &(struct rpc_answer){.message = response});
}

void rpc_reply_bytes(struct rpc_inbound *in, struct str response) {
    rpc_inbound_end(in, &(struct rpc_answer){.bytes = response});
}

struct rpc_answer rpc_failure(const struct error *error, const char *const *metadata, struct arena *arena) {
    return (struct rpc_answer){.status = err_info(error->code)->grpc_status,
                               .text = str_c(error->text),
                               .details = rpc_status_encode(error, metadata, arena)};
}

void rpc_fail(struct rpc_inbound *in, const struct error *error, const char *const *metadata) {
    assert(error_is(error));
    struct arena arena;
    arena_init(&arena, DETAILS_MAX);
    struct error clean = *error;
    rpc_status_clean(&clean);
    struct rpc_answer how = rpc_failure(&clean, metadata, &arena);
    rpc_inbound_end(in, &how);
    arena_release(&arena);
}

void rpc_pass(struct rpc_inbound *in, const struct rpc_result *result) {
    bool ok = result->grpc_status == 0 && result->outcome == OUTCOME_OK;
    rpc_inbound_end(in, &(struct rpc_answer){.status = ok                    ? 0
                                                       : result->grpc_status ? result->grpc_status
                                                                             : 13,
                                             .text = result->text,
                                             .details = result->details,
                                             .bytes = result->bytes});
}

const struct rpc_method *rpc_inbound_method(const struct rpc_inbound *in) {
    return &in->route->method;
}

void rpc_inbound_fail(struct rpc_inbound *in, int status, const char *text) {
    rpc_inbound_end(in, &(struct rpc_answer){.status = status, .text = str_c(text)});
}

bool rpc_stream_send(struct rpc_inbound *in, const ProtobufCMessage *message) {
    assert(in->route->method.server_streaming && !in->answered);
    return in->ops->send(in, message);
}

void rpc_stream_end(struct rpc_inbound *in) {
    assert(in->route->method.server_streaming);
    rpc_inbound_end(in, &(struct rpc_answer){.status = 0});
}

void rpc_stream_on_gone(struct rpc_inbound *in, void (*gone)(void *ctx), void *ctx) {
    assert(in->route->method.server_streaming && !in->answered);
    in->ops->on_gone(in, gone, ctx);
}
