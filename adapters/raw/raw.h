// Calls of methods that are known by their path only, at targets that callers name: bytes out, bytes back. Which
// targets may be called is a list in the configuration.
//
// What a participant's answer means is the table of rpc/client.h: OK is done; ABORTED, or another definite status with
// the reason REJECTED, is a no for good; DEADLINE_EXCEEDED and the like are unknown. In answer to an inquiry OK means
// that the action took effect, ABORTED that it was refused, NOT_FOUND that its key was never seen.
#ifndef TXC_ADAPTERS_RAW_RAW_H
#define TXC_ADAPTERS_RAW_RAW_H

#include "adapters/adapter.h"

struct raw;

enum {
    RAW_TARGET_MAX = 255, // bytes
    RAW_HEADERS_MAX = 8,  // of the caller's own, for each call
    RAW_HEADER_NAME_MAX = 64,
    RAW_HEADER_VALUE_MAX = 512,
};

struct raw_options {
    // Opens a channel, never blocking; NULL with an error.
    struct rpc_channel *(*open)(void *ctx, const char *target, struct error *error);
    void *open_ctx;
    const struct rpc_timers *timers; // borrowed
    // Borrowed, ended by NULL: a target as in gRPC, in which `*` stands for any letters, digits and '-'.
    const char *const *targets;
    uint32_t channels_max; // open at once
    uint32_t idle_ms;      // a channel without calls is closed after this long
};

struct raw *raw_new(const struct raw_options *options);

// Ends the calls that are under way, too: their callbacks run before it returns, and must not call again. NULL is fine.
void raw_free(struct raw *raw);

// Whether any target may be called, and whether this one may.
bool raw_is_open(const struct raw *raw);
bool raw_allows(const struct raw *raw, struct str target);

// What it can't do, in words; NULL: it is fine.
const char *raw_method_fault(struct str method);                 // "/package.Service/Method"
const char *raw_header_fault(struct str name, struct str value); // none of our own names, nothing binary

struct raw_call {
    const char *target, *method;
    struct str payload;
    const struct rpc_header *headers; // the caller's, at most RAW_HEADERS_MAX, ended by a NULL name
    const char *key, *gid, *step, *op;
    const char *request_id, *traceparent; // passed on; "" where there is none
    uint32_t deadline_ms;
    bool inquiry;
};

// `done` runs exactly once: at once when the call can't be sent, else later, by the deadline at the latest. Everything
// in `call` is copied; `message` of the answer is NULL.
void raw_send(struct raw *raw, const struct raw_call *call, adapter_done_fn *done, void *ctx);

#endif
