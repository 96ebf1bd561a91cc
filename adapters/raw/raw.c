#include "adapters/raw/raw.h"

#include "base/map.h"

#include <assert.h>
#include <stdlib.h>

enum { NOT_FOUND = 5 }; // of google.rpc.Code

// The connection to one target.
struct raw_channel {
    struct map_node node; // by target
    struct raw *raw;
    struct rpc_channel *channel;
    uint32_t in_flight;
    struct raw_channel *idle_before, *idle_after; // in the order of their last use, while nothing is in flight
    int64_t idle_since_ms;
    char target[RAW_TARGET_MAX + 1];
};

struct raw {
    struct raw_options options;
    struct map channels;
    struct raw_channel *idle_first, *idle_last;
    struct rpc_timer timer;
};

struct raw_pending {
    struct raw_channel *channel;
    adapter_done_fn *done;
    void *ctx;
    bool inquiry;
};

// ---- What may be called ---------------------------------------------------------------------------------------------

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// `*` takes as little as will do; where the rest doesn't fit, the last one takes one more.
static bool matches(const char *pattern, struct str text) {
    const char *star = NULL;
    size_t at = 0, taken = 0;
    while (at < text.len) {
        if (*pattern == '*') {
            star = pattern++;
            taken = at;
        } else if (*pattern && *pattern == text.ptr[at]) {
            pattern++;
            at++;
        } else if (star && (is_word(text.ptr[taken]) || text.ptr[taken] == '-')) {
            pattern = star + 1;
            at = ++taken;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool raw_is_open(const struct raw *raw) {
    return raw->options.targets && raw->options.targets[0];
}

bool raw_allows(const struct raw *raw, struct str target) {
    if (target.len > RAW_TARGET_MAX || memchr(target.ptr, '*', target.len))
        return false;
    for (const char *const *pattern = raw->options.targets; pattern && *pattern; pattern++)
        if (matches(*pattern, target))
            return true;
    return false;
}

static bool is_name(struct str part, const char *more) {
    for (size_t i = 0; i < part.len; i++)
        if (!is_word(part.ptr[i]) && !strchr(more, part.ptr[i]))
            return false;
    return part.len > 0;
}

const char *raw_method_fault(struct str method) {
    struct str rest = method;
    if (method.len >= RPC_PATH_MAX)
        return "is too long";
    struct str before = str_cut(&rest, '/'), service = str_cut(&rest, '/');
    if (before.len > 0 || !is_name(service, "._") || !is_name(rest, "_"))
        return "must be a full method such as /shop.v1.Orders/Create";
    return NULL;
}

// What gRPC and HTTP/2 keep to themselves, and what the center says in each call.
static bool is_reserved(struct str name) {
    static const char *const names[] = {"te",         "host",       "connection",        "content-type",
                                        "user-agent", "keep-alive", "transfer-encoding", "content-length",
                                        "upgrade",    "trailer",    "proxy-connection",  "x-request-id",
                                        "traceparent"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_eq_c(name, names[i]))
            return true;
    return str_starts(name, STR("grpc-")) || str_starts(name, STR("tx-"));
}

const char *raw_header_fault(struct str name, struct str value) {
    bool lower = name.len > 0 && name.len <= RAW_HEADER_NAME_MAX;
    for (size_t i = 0; i < name.len; i++)
        lower = lower && ((is_word(name.ptr[i]) && !(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z')) ||
                          (name.ptr[i] && strchr("-_.", name.ptr[i])));
    if (!lower)
        return "a name has 1..64 lower-case letters, digits, '-', '_' and '.'";
    if (name.len >= 4 && str_eq(str_n(name.ptr + name.len - 4, 4), STR("-bin")))
        return "binary metadata (-bin) is not passed on";
    if (is_reserved(name))
        return "this name is reserved";
    if (value.len > RAW_HEADER_VALUE_MAX)
        return "a value has at most 512 bytes";
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < ' ' || value.ptr[i] > '~')
            return "a value is printable ASCII";
    return NULL;
}

// ---- Channels -------------------------------------------------------------------------------------------------------

static int64_t now_ms(const struct raw *raw) {
    return clock_now_ms(raw->options.timers->clock);
}

static void set_timer(struct raw *raw) {
    const struct rpc_timers *timers = raw->options.timers;
    if (raw->idle_first)
        timers->set(timers->ctx, &raw->timer, raw->idle_first->idle_since_ms + raw->options.idle_ms);
    else
        timers->stop(timers->ctx, &raw->timer);
}

static void idle_remove(struct raw_channel *channel) {
    struct raw *raw = channel->raw;
    *(channel->idle_before ? &channel->idle_before->idle_after : &raw->idle_first) = channel->idle_after;
    *(channel->idle_after ? &channel->idle_after->idle_before : &raw->idle_last) = channel->idle_before;
    channel->idle_before = channel->idle_after = NULL;
}

static void idle_add(struct raw_channel *channel) {
    struct raw *raw = channel->raw;
    channel->idle_since_ms = now_ms(raw);
    channel->idle_before = raw->idle_last;
    *(raw->idle_last ? &raw->idle_last->idle_after : &raw->idle_first) = channel;
    raw->idle_last = channel;
    if (raw->idle_first == channel)
        set_timer(raw);
}

static void close_idle(struct raw_channel *channel) {
    idle_remove(channel);
    map_remove(&channel->raw->channels, &channel->node);
    rpc_channel_close(channel->channel);
    free(channel);
}

static void look(void *ctx) {
    struct raw *raw = ctx;
    while (raw->idle_first && raw->idle_first->idle_since_ms + raw->options.idle_ms <= now_ms(raw))
        close_idle(raw->idle_first);
    set_timer(raw);
}

static struct raw_channel *open_channel(struct raw *raw, const char *target, struct error *error) {
    if (raw->channels.count >= raw->options.channels_max && raw->idle_first)
        close_idle(raw->idle_first);
    if (raw->channels.count >= raw->options.channels_max) {
        error_set(error, ERR_OVERLOADED, "%u targets have calls under way", raw->options.channels_max);
        return NULL;
    }
    struct rpc_channel *opened = raw->options.open(raw->options.open_ctx, target, error);
    if (!opened)
        return NULL;
    struct raw_channel *channel = calloc(1, sizeof *channel);
    if (!channel)
        abort();
    channel->raw = raw;
    channel->channel = opened;
    bool fits = str_copy(str_c(target), channel->target, sizeof channel->target);
    assert(fits); // it is allowed
    map_insert(&raw->channels, &channel->node, str_c(channel->target));
    return channel;
}

// For one call more.
static struct raw_channel *channel_to(struct raw *raw, const char *target, struct error *error) {
    if (!raw_allows(raw, str_c(target))) {
        error_set(error, ERR_PARTICIPANT_UNAVAILABLE, "the target is not among submit.targets of the configuration");
        return NULL;
    }
    struct map_node *node = map_find(&raw->channels, str_c(target));
    struct raw_channel *channel =
        node ? CONTAINER_OF(node, struct raw_channel, node) : open_channel(raw, target, error);
    if (!channel)
        return NULL;
    if (node && channel->in_flight == 0)
        idle_remove(channel);
    channel->in_flight++;
    return channel;
}

// ---- Life -----------------------------------------------------------------------------------------------------------

struct raw *raw_new(const struct raw_options *options) {
    struct raw *raw = calloc(1, sizeof *raw);
    if (!raw)
        abort();
    raw->options = *options;
    raw->timer = (struct rpc_timer){.fire = look, .ctx = raw};
    return raw;
}

static void close_channel(void *ctx, struct map_node *node) {
    struct raw *raw = ctx;
    struct raw_channel *channel = CONTAINER_OF(node, struct raw_channel, node);
    map_remove(&raw->channels, node);
    rpc_channel_close(channel->channel); // its calls end, and with the last of them it is idle
    idle_remove(channel);
    free(channel);
}

void raw_free(struct raw *raw) {
    if (!raw)
        return;
    map_each(&raw->channels, close_channel, raw);
    map_release(&raw->channels);
    raw->options.timers->stop(raw->options.timers->ctx, &raw->timer);
    free(raw);
}

// ---- Calls ----------------------------------------------------------------------------------------------------------

static void answered(void *ctx, const struct rpc_result *result) {
    struct raw_pending *pending = ctx;
    bool rejected = result->outcome == OUTCOME_REJECTED;
    bool never_seen = pending->inquiry && !rejected && result->grpc_status == NOT_FOUND;
    const char *reason = rejected && result->reason[0] ? result->reason : err_info(result->error.code)->name;
    struct adapter_answer answer = {
        .outcome = never_seen ? OUTCOME_OK : result->outcome,
        .code = never_seen ? ERR_OK : result->error.code,
        .reason = never_seen || result->outcome == OUTCOME_OK ? "" : reason,
        .text = result->error.text,
        .never_seen = never_seen,
        .bytes = never_seen ? STR_NONE : result->bytes,
    };
    struct raw_channel *channel = pending->channel;
    if (--channel->in_flight == 0)
        idle_add(channel);
    pending->done(pending->ctx, &answer);
    free(pending);
}

static void refuse(const struct error *error, adapter_done_fn *done, void *ctx) {
    done(ctx, &(struct adapter_answer){.outcome = OUTCOME_RETRY,
                                       .code = error->code,
                                       .reason = err_info(error->code)->name,
                                       .text = error->text});
}

void raw_send(struct raw *raw, const struct raw_call *call, adapter_done_fn *done, void *ctx) {
    struct error error = {0};
    struct raw_channel *channel = channel_to(raw, call->target, &error);
    if (!channel) {
        refuse(&error, done, ctx);
        return;
    }
    struct raw_pending *pending = malloc(sizeof *pending);
    if (!pending)
        abort();
    *pending = (struct raw_pending){.channel = channel, .done = done, .ctx = ctx, .inquiry = call->inquiry};
    const struct rpc_header own[] = {
        {"tx-key", str_c(call->key)},
        {"tx-gid", str_c(call->gid)},
        {"tx-step", str_c(call->step)},
        {"tx-op", str_c(call->op)},
        {"x-request-id", str_c(call->request_id)},
        {"traceparent", str_c(call->traceparent)},
    };
    enum { OWN = sizeof own / sizeof own[0] };
    struct rpc_header headers[OWN + RAW_HEADERS_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; i < OWN; i++)
        if (!str_empty(own[i].value))
            headers[n++] = own[i];
    for (size_t i = 0; i < RAW_HEADERS_MAX && call->headers && call->headers[i].name; i++)
        headers[n++] = call->headers[i];
    headers[n] = (struct rpc_header){.name = NULL};
    struct rpc_call_options options = {.deadline_ms = call->deadline_ms, .headers = headers};
    rpc_call_bytes(channel->channel, call->method, call->payload, &options, answered, pending);
}
