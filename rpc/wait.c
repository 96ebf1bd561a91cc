// rpc_call_wait(): a call as a function that returns its answer.
#include "rpc/client.h"
#include "rpc/status.h"

enum { ROUND_MS = 1000 };

struct waiting {
    struct arena *arena;
    const ProtobufCMessageDescriptor *type;
    const ProtobufCMessage *message;
    struct error *error;
    bool over;
};

enum err rpc_result_code(const struct rpc_result *result) {
    size_t n;
    const struct err_info *table = err_table(&n);
    if (strcmp(result->domain, RPC_STATUS_DOMAIN) == 0)
        for (size_t i = 0; i < n; i++)
            if (strcmp(table[i].name, result->reason) == 0)
                return table[i].code;
    return result->error.code;
}

static void take(void *ctx, const struct rpc_result *result) {
    struct waiting *waiting = ctx;
    waiting->over = true;
    if (result->outcome == OUTCOME_OK) {
        // Decoded once more, into the memory of whoever waits.
        waiting->message = rpc_decode(waiting->type, result->bytes, waiting->arena, waiting->error);
        return;
    }
    *waiting->error = result->error;
    waiting->error->code = rpc_result_code(result);
}

bool rpc_call_wait(struct rpc_loop *loop, struct rpc_channel *channel, const struct rpc_method *method,
                   const ProtobufCMessage *request, const struct rpc_call_options *options, struct arena *arena,
                   const ProtobufCMessage **ret_message, struct error *error) {
    struct waiting waiting = {.arena = arena, .type = rpc_method_response(method), .error = error};
    rpc_call(channel, method, request, options, take, &waiting);
    while (!waiting.over)
        rpc_loop_once(loop, ROUND_MS);
    if (!waiting.message)
        return false;
    *ret_message = waiting.message;
    return true;
}
