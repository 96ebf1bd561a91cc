#include "orchestrator/forward.h"

#include "base/log.h"
#include "orchestrator/authorize.h"

#include <stdlib.h>
#include <string.h>

enum {
    PEERS_MAX = 64,  // channels that are kept
    PAUSE_MS = 50,   // between tries, while nobody answers for the slot
    LOOK_MS = 200,   // how often it is looked whether the slot has moved while its call is on its way
    REOPEN_MS = 300, // a channel that found nobody is opened afresh, sooner than it would look again by itself
    MARGIN_MS = 100, // so that the answer is there before the caller gives up
    KEEP_MS = 1000,  // an owner that has not answered by then is silent
    LEASES = 3,      // as long as it takes until somebody has taken over, and more
    RETRY_AFTER_MS = 500,
};

struct peer {
    char address[STORE_ADDRESS_MAX + 1];
    struct rpc_channel *channel;
    uint32_t hops; // on their way
    int64_t opened_ms, used_ms;
    bool absent; // nobody was there the last time
};

// One call that is passed on, or of our own. What changes something carries its caller's request id: it can be sent
// again, to whoever has the slot by then, and acts once.
struct hop {
    struct forward *forward;
    struct hop *next, **link;
    struct rpc_inbound *in; // NULL: answered, and only waited for; or one of our own:
    saga_reply_fn *done;    // NULL: told
    void *ctx;
    struct forward_message message;
    int64_t deadline_ms;
    unsigned slot;
    int64_t sent_ms, until_ms, keep_ms; // keep_ms: when it is kept for the next owner instead; INT64_MAX: never
    struct peer *peer;                  // it is on its way to; NULL: it waits
    struct rpc_handle handle;
    struct rpc_timer again;
    bool streams;
    bool stalled; // who reads the stream does not keep up
    bool unsure;  // an owner may have accepted it
};

struct forward {
    struct rpc_loop *loop;
    const struct config *config;
    struct saga_engine *engine;
    struct forward_keeper keeper;
    struct peer peers[PEERS_MAX];
    struct hop *hops;
    bool hurried; // nothing is passed on any more
};

struct forward *forward_new(struct rpc_loop *loop, const struct config *config) {
    struct forward *forward = calloc(1, sizeof *forward);
    if (!forward)
        abort();
    forward->loop = loop;
    forward->config = config;
    return forward;
}

void forward_start(struct forward *forward, struct saga_engine *engine, const struct forward_keeper *keeper) {
    forward->engine = engine;
    forward->keeper = *keeper;
}

static int64_t now_ms(const struct forward *forward) {
    return clock_now_ms(rpc_loop_clock(forward->loop));
}

// ---- Ends ---------------------------------------------------------------------------------------------------------

static bool is_open(const struct hop *hop) {
    return hop->in || hop->done;
}

static void free_when_over(struct hop *hop) {
    if (is_open(hop) || hop->peer)
        return;
    *hop->link = hop->next;
    if (hop->next)
        hop->next->link = hop->link;
    rpc_timer_stop(hop->forward->loop, &hop->again);
    free(hop);
}

// The call is about to be answered. Gives it up.
static struct rpc_inbound *leave(struct hop *hop) {
    struct rpc_inbound *in = hop->in;
    hop->in = NULL;
    rpc_timer_stop(hop->forward->loop, &hop->again);
    if (hop->peer)
        rpc_cancel(&hop->handle);
    return in;
}

static void tell(struct hop *hop, const struct error *error) {
    saga_reply_fn *done = hop->done;
    leave(hop);
    hop->done = NULL;
    done(hop->ctx, error);
}

static void fail(struct hop *hop, enum err code) {
    struct error error;
    error_set(&error, code, NULL);
    error.retry_after_ms = RETRY_AFTER_MS;
    if (hop->done)
        tell(hop, &error);
    else
        call_fail(leave(hop), &error, NULL, NULL);
    free_when_over(hop);
}

// No owner has answered in time.
static void give_up(struct hop *hop) {
    fail(hop, hop->unsure && !hop->streams ? ERR_ACCEPTANCE_UNKNOWN : ERR_SLOT_ELSEWHERE);
}

void forward_end_streams(struct forward *forward) {
    for (struct hop *hop = forward->hops, *next; hop; hop = next) {
        next = hop->next;
        if (hop->in && hop->streams)
            fail(hop, ERR_SHUTTING_DOWN);
    }
}

void forward_hurry(struct forward *forward) {
    forward->hurried = true;
    for (struct hop *hop = forward->hops, *next; hop; hop = next) {
        next = hop->next;
        if (is_open(hop))
            give_up(hop);
    }
}

void forward_free(struct forward *forward) {
    if (!forward)
        return;
    forward_hurry(forward);
    for (size_t i = 0; i < PEERS_MAX; i++)
        rpc_channel_close(forward->peers[i].channel); // what is still on its way ends
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
    *peer = (struct peer){.channel = channel, .opened_ms = now_ms(forward)};
    str_fit(str_c(address), peer->address, sizeof peer->address);
    return true;
}

// The one with this address, or a new one in the place of the one that was idle longest. NULL when all are at work.
static struct peer *find_peer(struct forward *forward, const char *address) {
    struct peer *oldest = NULL;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &forward->peers[i];
        if (peer->channel && strcmp(peer->address, address) == 0) {
            bool stale = peer->absent && peer->hops == 0 && now_ms(forward) - peer->opened_ms >= REOPEN_MS;
            return !stale || open_channel(forward, peer, address) ? peer : NULL;
        }
        if (peer->hops == 0 && (!oldest || peer->used_ms < oldest->used_ms))
            oldest = peer;
    }
    return oldest && open_channel(forward, oldest, address) ? oldest : NULL;
}

// ---- On the way ---------------------------------------------------------------------------------------------------

static const char *owner_of(const struct hop *hop) {
    const struct forward *forward = hop->forward;
    return saga_engine_owns(forward->engine, hop->slot) ? forward->config->address
                                                        : saga_engine_owner(forward->engine, hop->slot);
}

static void set_timer(struct hop *hop, int64_t wait_ms) {
    rpc_timer_set(hop->forward->loop, &hop->again, now_ms(hop->forward) + wait_ms);
}

// Whether the call was kept for the next owner, since this one is silent.
static bool is_kept(struct hop *hop) {
    const struct forward_keeper *keeper = &hop->forward->keeper;
    if (!hop->in || now_ms(hop->forward) < hop->keep_ms)
        return false;
    unsigned slot = hop->slot;
    struct rpc_inbound *in = leave(hop);
    free_when_over(hop);
    keeper->keep(keeper->ctx, in, slot);
    return true;
}

static void try_again(struct hop *hop) {
    if (is_kept(hop))
        return;
    if (now_ms(hop->forward) + PAUSE_MS >= hop->until_ms) {
        give_up(hop);
        return;
    }
    saga_engine_look(hop->forward->engine);
    set_timer(hop, PAUSE_MS);
}

static int64_t patience_ms(const struct forward *forward) {
    return (int64_t)LEASES * forward->config->cluster.lease_ms;
}

// How long an owner is looked for from now on.
static int64_t until(const struct hop *hop) {
    int64_t longest = now_ms(hop->forward) + patience_ms(hop->forward);
    return hop->deadline_ms < longest ? hop->deadline_ms - MARGIN_MS : longest;
}

// Whether it did nothing, because it is not, or no longer, the one that could.
static bool is_elsewhere(const struct rpc_result *result) {
    bool theirs = strcmp(result->reason, err_info(ERR_SLOT_ELSEWHERE)->name) == 0 ||
                  strcmp(result->reason, err_info(ERR_SHUTTING_DOWN)->name) == 0 ||
                  strcmp(result->reason, err_info(ERR_STORE_FENCED)->name) == 0;
    bool absent = result->reason[0] == '\0' && result->error.code == ERR_PARTICIPANT_UNAVAILABLE;
    return result->outcome == OUTCOME_RETRY && (theirs || absent);
}

// Whether our own channel had no room for it, so that it never left.
static bool was_kept_back(const struct rpc_result *result) {
    return result->reason[0] == '\0' && result->error.code == ERR_OVERLOADED;
}

static void pass(struct hop *hop, const struct rpc_result *result) {
    struct error error = result->error;
    error.code = rpc_result_code(result);
    if (hop->done)
        tell(hop, result->outcome == OUTCOME_OK ? NULL : &error);
    else if (result->outcome == OUTCOME_OK && hop->streams)
        rpc_stream_end(leave(hop));
    else
        rpc_pass(leave(hop), result);
    free_when_over(hop);
}

static void answered(void *ctx, const struct rpc_result *result) {
    struct hop *hop = ctx;
    struct forward *forward = hop->forward;
    hop->peer->hops--;
    hop->peer->absent = result->outcome == OUTCOME_RETRY && result->reason[0] == '\0' && !was_kept_back(result);
    hop->peer = NULL;
    rpc_timer_stop(forward->loop, &hop->again);
    if (hop->streams || now_ms(forward) - hop->sent_ms >= forward->config->cluster.lease_ms)
        hop->until_ms = until(hop); // it had an owner for so long, and may find the next one
    if (!is_open(hop)) {
        free_when_over(hop);
    } else if (hop->stalled) {
        fail(hop, ERR_OVERLOADED);
    } else if (is_elsewhere(result) || was_kept_back(result)) {
        try_again(hop);
    } else if (result->outcome != OUTCOME_OK && result->reason[0] == '\0') {
        hop->unsure = true; // the connection was lost, or the slot has moved
        try_again(hop);
    } else if (hop->unsure && !hop->streams && result->outcome == OUTCOME_RETRY) {
        give_up(hop); // it says nothing of the call that had no answer
    } else {
        pass(hop, result);
    }
}

static bool pass_on(void *ctx, const ProtobufCMessage *message) {
    struct hop *hop = ctx;
    hop->stalled = hop->in && !rpc_stream_send(hop->in, message);
    return hop->in && !hop->stalled;
}

static void send(struct hop *hop, const struct rpc_call_options *options) {
    const struct rpc_method *method = hop->message.method;
    struct rpc_channel *channel = hop->peer->channel;
    struct error error = {0};
    char path[RPC_PATH_MAX];
    if (!hop->streams) {
        rpc_method_path(method, path);
        rpc_call_bytes(channel, path, hop->message.bytes, options, answered, hop);
        return;
    }
    const ProtobufCMessage *request =
        rpc_decode(rpc_method_request(method), hop->message.bytes, rpc_inbound_arena(hop->in), &error);
    if (request) {
        rpc_stream(channel, method, request, options, pass_on, answered, hop);
        return;
    }
    hop->peer->hops--;
    hop->peer = NULL;
    fail(hop, ERR_OVERLOADED); // it was decoded once, so there is no memory for it
}

static uint32_t time_left(const struct hop *hop) {
    const struct forward *forward = hop->forward;
    if (hop->deadline_ms == INT64_MAX)
        return hop->streams ? INT32_MAX : forward->config->limits.wait_max_ms + 30000;
    int64_t left = hop->deadline_ms - now_ms(forward) - MARGIN_MS;
    return left < 1 ? 1 : left < INT32_MAX ? (uint32_t)left : INT32_MAX;
}

static void go(struct hop *hop) {
    struct forward *forward = hop->forward;
    const char *address = owner_of(hop);
    if (address && !saga_engine_owns(forward->engine, hop->slot) && strcmp(address, forward->config->address) == 0) {
        give_up(hop); // another says that it is reached where we are (SAGA_NOTICE_ADDRESS_SHARED)
        return;
    }
    hop->peer = address ? find_peer(forward, address) : NULL;
    if (!hop->peer) {
        try_again(hop);
        return;
    }
    hop->peer->hops++;
    hop->peer->used_ms = hop->sent_ms = now_ms(forward);
    const struct forward_message *message = &hop->message;
    char seen[24];
    struct rpc_header headers[] = {{FORWARD_MARK, STR("1")},
                                   {FORWARD_CALLER, str_c(message->caller)},
                                   {"x-caller", str_c(message->caller)},
                                   {"x-request-id", str_c(message->request_id)},
                                   {NULL, STR_NONE},
                                   {NULL, STR_NONE},
                                   {NULL, STR_NONE}};
    struct rpc_header *more = headers + sizeof headers / sizeof headers[0] - 3;
    str_print(seen, sizeof seen, "%lld", (long long)message->seen_ms);
    if (message->traceparent[0])
        *more++ = (struct rpc_header){"traceparent", str_c(message->traceparent)};
    if (message->seen_ms)
        *more = (struct rpc_header){FORWARD_SEEN, str_c(seen)};
    set_timer(hop, LOOK_MS);
    send(hop, &(struct rpc_call_options){.deadline_ms = time_left(hop), .headers = headers, .handle = &hop->handle});
}

// Its time has come to be sent; or it is looked whether whoever it was sent to still has the slot.
static void look(void *ctx) {
    struct hop *hop = ctx;
    if (hop->forward->hurried) {
        give_up(hop);
        return;
    }
    if (!hop->peer) {
        go(hop);
        return;
    }
    if (is_kept(hop))
        return;
    const char *address = owner_of(hop);
    if (address && strcmp(address, hop->peer->address) != 0)
        rpc_cancel(&hop->handle);
    else
        set_timer(hop, LOOK_MS);
}

static void gone(void *ctx) {
    fail(ctx, ERR_CANCELLED_BY_CALLER);
}

static struct hop *hop_new(struct forward *forward, unsigned slot, int64_t deadline_ms) {
    struct hop *hop = calloc(1, sizeof *hop);
    if (!hop)
        abort();
    *hop = (struct hop){.forward = forward,
                        .next = forward->hops,
                        .link = &forward->hops,
                        .slot = slot,
                        .deadline_ms = deadline_ms,
                        .keep_ms = INT64_MAX};
    hop->until_ms = until(hop);
    hop->again = (struct rpc_timer){.fire = look, .ctx = hop};
    if (hop->next)
        hop->next->link = &hop->next;
    forward->hops = hop;
    return hop;
}

bool forward_call(struct forward *forward, struct rpc_inbound *in, unsigned slot) {
    const struct call_context *context = call_context(in);
    if (!forward || !forward->engine || !context || forward->hurried)
        return false;
    if (!str_empty(rpc_inbound_header(in, FORWARD_MARK))) {
        saga_engine_look(forward->engine); // perhaps it has just become ours
        return false;
    }
    struct hop *hop = hop_new(forward, slot, rpc_inbound_deadline_ms(in));
    hop->in = in;
    hop->message = (struct forward_message){.method = rpc_inbound_method(in),
                                            .bytes = rpc_inbound_bytes(in),
                                            .caller = rpc_inbound_caller(in)->name,
                                            .request_id = context->request_id,
                                            .traceparent = context->traceparent};
    hop->streams = hop->message.method->server_streaming;
    if (forward->keeper.keeps(hop->message.method)) {
        int64_t half = (hop->until_ms - now_ms(forward)) / 2; // of a caller in a hurry
        hop->keep_ms = now_ms(forward) + (half < KEEP_MS ? half : KEEP_MS);
    }
    if (hop->streams)
        rpc_stream_on_gone(in, gone, hop);
    go(hop);
    return true;
}

void forward_send(struct forward *forward, unsigned slot, const struct forward_message *message, saga_reply_fn *done,
                  void *ctx) {
    struct hop *hop = hop_new(forward, slot, now_ms(forward) + patience_ms(forward));
    hop->message = *message;
    hop->done = done;
    hop->ctx = ctx;
    set_timer(hop, 0);
}
