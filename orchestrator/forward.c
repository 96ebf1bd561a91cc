#include "orchestrator/forward.h"

#include "base/log.h"
#include "orchestrator/authorize.h"

#include <stdlib.h>
#include <string.h>

enum {
    PEERS_MAX = 64,  // channels that are kept
    PAUSE_MS = 50,   // between tries, while nobody answers for the slot
    MARGIN_MS = 100, // so that the answer is there before the caller gives up
    LEASES = 3,      // as long as it takes until somebody has taken over, and more
    RETRY_AFTER_MS = 500,
};

struct peer {
    char address[STORE_ADDRESS_MAX + 1];
    struct rpc_channel *channel;
    uint32_t hops; // on their way
    int64_t used_ms;
};

// One call that is passed on.
struct hop {
    struct forward *forward;
    struct hop *next, **link;
    struct rpc_inbound *in;
    unsigned slot;
    int64_t until_ms;
    struct peer *peer; // it is on its way to; NULL: it waits
    struct rpc_timer again;
    bool gone; // the caller of a stream has left
};

struct forward {
    struct rpc_loop *loop;
    const struct config *config;
    struct saga_engine *engine;
    struct peer peers[PEERS_MAX];
    struct hop *hops;
};

struct forward *forward_new(struct rpc_loop *loop, const struct config *config) {
    struct forward *forward = calloc(1, sizeof *forward);
    if (!forward)
        abort();
    forward->loop = loop;
    forward->config = config;
    return forward;
}

void forward_start(struct forward *forward, struct saga_engine *engine) {
    forward->engine = engine;
}

static int64_t now_ms(const struct forward *forward) {
    return clock_now_ms(rpc_loop_clock(forward->loop));
}

// ---- Ends ---------------------------------------------------------------------------------------------------------

static struct rpc_inbound *hop_free(struct hop *hop) {
    struct rpc_inbound *in = hop->in;
    *hop->link = hop->next;
    if (hop->next)
        hop->next->link = hop->link;
    rpc_timer_stop(hop->forward->loop, &hop->again);
    free(hop);
    return in;
}

static void fail(struct hop *hop, enum err code) {
    struct error error;
    error_set(&error, code, NULL);
    error.retry_after_ms = RETRY_AFTER_MS;
    call_fail(hop_free(hop), &error, NULL, NULL);
}

void forward_free(struct forward *forward) {
    if (!forward)
        return;
    for (size_t i = 0; i < PEERS_MAX; i++)
        rpc_channel_close(forward->peers[i].channel); // calls on their way end with an unknown outcome
    while (forward->hops)
        fail(forward->hops, ERR_ACCEPTANCE_UNKNOWN);
    free(forward);
}

// ---- Peers --------------------------------------------------------------------------------------------------------

static bool open_channel(struct forward *forward, struct peer *peer, const char *address) {
    const struct config_tls *tls = &forward->config->tls;
    struct rpc_channel_options options = {.ca = tls->certificate ? tls->client_ca : NULL,
                                          .certificate = tls->client_ca ? tls->certificate : NULL,
                                          .key = tls->client_ca ? tls->key : NULL,
                                          .message_max = forward->config->limits.message_max_bytes * 4,
                                          .in_flight_max = forward->config->limits.in_flight_max};
    struct error error = {0};
    struct rpc_channel *channel = rpc_channel_open(forward->loop, address, &options, &error);
    if (!channel) {
        LOG(LOG_ERROR, "no channel to another instance", LOG_C("address", address), LOG_C("text", error.text));
        return false;
    }
    rpc_channel_close(peer->channel);
    *peer = (struct peer){.channel = channel};
    str_fit(str_c(address), peer->address, sizeof peer->address);
    return true;
}

// The one with this address, or a new one in the place of the one that was idle longest. NULL when all are at work.
static struct peer *find_peer(struct forward *forward, const char *address) {
    struct peer *oldest = NULL;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &forward->peers[i];
        if (peer->channel && strcmp(peer->address, address) == 0)
            return peer;
        if (peer->hops == 0 && (!oldest || peer->used_ms < oldest->used_ms))
            oldest = peer;
    }
    return oldest && open_channel(forward, oldest, address) ? oldest : NULL;
}

// ---- On the way ---------------------------------------------------------------------------------------------------

static void try_again(struct hop *hop) {
    if (now_ms(hop->forward) + PAUSE_MS >= hop->until_ms) {
        fail(hop, ERR_SLOT_ELSEWHERE);
        return;
    }
    saga_engine_look(hop->forward->engine);
    rpc_timer_set(hop->forward->loop, &hop->again, now_ms(hop->forward) + PAUSE_MS);
}

static void answered(void *ctx, const struct rpc_result *result) {
    struct hop *hop = ctx;
    hop->peer->hops--;
    hop->peer = NULL;
    bool undone = result->outcome == OUTCOME_RETRY && result->error.code == ERR_PARTICIPANT_UNAVAILABLE;
    bool theirs = strcmp(result->reason, err_info(ERR_SLOT_ELSEWHERE)->name) == 0 ||
                  strcmp(result->reason, err_info(ERR_SHUTTING_DOWN)->name) == 0 || result->reason[0] == '\0';
    const struct rpc_method *method = rpc_inbound_method(hop->in);
    if (hop->gone)
        fail(hop, ERR_CANCELLED_BY_CALLER);
    else if (undone && theirs)
        try_again(hop); // it did nothing
    else if (result->outcome == OUTCOME_OK && method->server_streaming)
        rpc_stream_end(hop_free(hop));
    else if (result->outcome == OUTCOME_OK || result->reason[0])
        rpc_pass(hop_free(hop), result);
    else
        fail(hop, ERR_ACCEPTANCE_UNKNOWN);
}

static bool pass_on(void *ctx, const ProtobufCMessage *message) {
    struct hop *hop = ctx;
    return !hop->gone && rpc_stream_send(hop->in, message);
}

static void send(struct hop *hop, const struct rpc_call_options *options) {
    const struct rpc_method *method = rpc_inbound_method(hop->in);
    struct rpc_channel *channel = hop->peer->channel;
    struct error error = {0};
    char path[RPC_PATH_MAX];
    if (!method->server_streaming) {
        rpc_method_path(method, path);
        rpc_call_bytes(channel, path, rpc_inbound_bytes(hop->in), options, answered, hop);
        return;
    }
    const ProtobufCMessage *request =
        rpc_decode(rpc_method_request(method), rpc_inbound_bytes(hop->in), rpc_inbound_arena(hop->in), &error);
    if (request)
        rpc_stream(channel, method, request, options, pass_on, answered, hop);
    else
        fail(hop, ERR_OVERLOADED); // it was decoded once, so there is no memory for it
}

static void go(void *ctx) {
    struct hop *hop = ctx;
    struct forward *forward = hop->forward;
    int64_t now = now_ms(forward);
    bool ours = saga_engine_owns(forward->engine, hop->slot);
    const char *address = ours ? forward->config->address : saga_engine_owner(forward->engine, hop->slot);
    hop->peer = address && !hop->gone ? find_peer(forward, address) : NULL;
    if (hop->gone) {
        fail(hop, ERR_CANCELLED_BY_CALLER);
        return;
    }
    if (!hop->peer) {
        try_again(hop);
        return;
    }
    hop->peer->hops++;
    hop->peer->used_ms = now;
    const struct call_context *context = call_context(hop->in);
    const char *caller = rpc_inbound_caller(hop->in)->name;
    const struct rpc_header headers[] = {{FORWARD_MARK, STR("1")},
                                         {FORWARD_CALLER, str_c(caller)},
                                         {"x-caller", str_c(caller)},
                                         {"x-request-id", str_c(context->request_id)},
                                         {context->traceparent[0] ? "traceparent" : NULL, str_c(context->traceparent)},
                                         {NULL, STR_NONE}};
    int64_t deadline = rpc_inbound_deadline_ms(hop->in);
    int64_t left = deadline == INT64_MAX ? forward->config->limits.wait_max_ms + 30000 : deadline - now - MARGIN_MS;
    if (rpc_inbound_method(hop->in)->server_streaming && deadline == INT64_MAX)
        left = INT32_MAX;
    send(hop, &(struct rpc_call_options){.deadline_ms = left > 1 ? (uint32_t)left : 1, .headers = headers});
}

static void left(void *ctx) {
    ((struct hop *)ctx)->gone = true;
}

bool forward_call(struct forward *forward, struct rpc_inbound *in, unsigned slot) {
    struct str mark = rpc_inbound_header(in, FORWARD_MARK);
    if (!forward || !forward->engine || !call_context(in) || !str_empty(mark))
        return false;
    struct hop *hop = calloc(1, sizeof *hop);
    if (!hop)
        return false;
    int64_t now = now_ms(forward), deadline = rpc_inbound_deadline_ms(in);
    int64_t longest = now + (int64_t)LEASES * forward->config->cluster.lease_ms;
    *hop = (struct hop){.forward = forward,
                        .next = forward->hops,
                        .link = &forward->hops,
                        .in = in,
                        .slot = slot,
                        .until_ms = deadline < longest ? deadline - MARGIN_MS : longest};
    hop->again = (struct rpc_timer){.fire = go, .ctx = hop};
    if (hop->next)
        hop->next->link = &hop->next;
    forward->hops = hop;
    if (rpc_inbound_method(in)->server_streaming)
        rpc_stream_on_gone(in, left, hop);
    go(hop);
    return true;
}
