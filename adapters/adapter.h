// How the center talks to a remote system: one path for every method of every system. It fills in the effect (key, gid,
// step, operation), calls, and says what the answer means: OK, REJECTED (a definite no), RETRY (definitely not done) or
// UNKNOWN. Nothing here knows sagas or trades.
#ifndef TXC_ADAPTERS_ADAPTER_H
#define TXC_ADAPTERS_ADAPTER_H

#include "participant/type/v1/effect.pb-c.h"
#include "rpc/client.h"

// One remote system. Several may share a channel. How many calls it gets at once is for those to see to who call.
struct adapter {
    const char *system; // "coupon"
    struct rpc_channel *channel;
    uint32_t deadline_ms; // of calls whose effect names none
};

enum { ADAPTER_REQUIRED_MAX = 2 };

// One method of a system: a row in adapters/<system>/<system>.c. Its request begins with the field `effect`, its
// response with `outcome`.
struct adapter_method {
    struct rpc_method method;
    Participant__Type__V1__Operation op;
    // Fields that an APPLIED answer must bring, e.g. "order_no", "payment.state": texts not empty, messages there,
    // numbers not zero, enums a value that is known here. An answer without them is no answer: what it did is not
    // known. Whoever gets an OK, or decodes the kept bytes of one, relies on it: the messages on these paths
    // ("payment", "frozen") are dereferenced without asking, all others may be NULL.
    const char *required[ADAPTER_REQUIRED_MAX];
};

// What a call is done for. Borrowed until adapter_call() returns.
struct adapter_effect {
    const char *key; // one per effect: the same for action, compensation and inquiry; NULL for reads
    const char *gid, *step;
    const char *trade_no, *order_no;      // NULL where not known
    uint32_t deadline_ms;                 // 0: the adapter's
    const char *request_id, *traceparent; // of the caller's request, passed on; NULL: none
};

struct adapter_answer {
    enum outcome outcome;
    enum err code;      // ERR_OK, or a PARTICIPANT_… code
    const char *reason; // REJECTED: the participant's own code ("INSUFFICIENT_BALANCE"), else the name of `code`
    const char *text;
    bool never_seen; // answer to an inquiry (outcome OK): the key is not known there
    // The method's response; set when outcome is OK (and not never_seen), or REJECTED by the method itself.
    const ProtobufCMessage *message;
    struct str bytes; // the same, encoded
};

// Everything in the answer is borrowed until the callback returns.
typedef void adapter_done_fn(void *ctx, const struct adapter_answer *answer);

// `request` may live on the stack; its field `effect` is set here. `done` runs exactly once, later, on the loop, by the
// deadline at the latest.
void adapter_call(struct adapter *adapter, const struct adapter_method *method, const struct adapter_effect *effect,
                  ProtobufCMessage *request, adapter_done_fn *done, void *ctx);

// Asks by `inquire` (the system's Inquire row) what became of the action `method` under effect->key. When it was
// applied, the answer is the action's own, as if it had just come.
void adapter_inquire(struct adapter *adapter, const struct adapter_method *inquire, const struct adapter_method *method,
                     const struct adapter_effect *effect, adapter_done_fn *done, void *ctx);

// Decodes an encoded message (a kept answer, a signed notification) into the arena; NULL when it is none of this type.
// Any bytes are safe.
const void *adapter_decode(struct str bytes, const ProtobufCMessageDescriptor *type, struct arena *arena);

// The same for an answer of this method when it was applied, with all that such a one must bring; NULL when it is none.
const void *adapter_decode_answer(struct str bytes, const struct adapter_method *method, struct arena *arena);

// Whether an enum says something that we know: a system may be newer than we are, and what it means is unknown then.
bool adapter_is_known(const ProtobufCEnumDescriptor *type, int value);

// What is asked, encoded into the arena, for who wants to know whether it was asked before: without the effect, and
// without the moment (`at`) for which it is asked. ptr NULL when the arena is full.
struct str adapter_question(ProtobufCMessage *request, struct arena *arena);

// A copy that lives in the arena; NULL when it is full.
ProtobufCMessage *adapter_request_copy(const ProtobufCMessage *request, struct arena *arena);

// ---- For adapters/<system> ------------------------------------------------------------------------------------------

#define ADAPTER_METHOD(service_descriptor, method_name, operation, ...)                                                \
    {                                                                                                                  \
        .method = {.service = &(service_descriptor), .name = (method_name)},                                           \
        .op = PARTICIPANT__TYPE__V1__OPERATION__OPERATION_##operation, .required = {                                   \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

// Declares the row `name##_method` and a typed function `name`.
#define ADAPTER_FUNCTION(name, request_type)                                                                           \
    extern const struct adapter_method name##_method;                                                                  \
    static inline void name(struct adapter *adapter, const struct adapter_effect *effect, request_type *request,       \
                            adapter_done_fn *done, void *ctx) {                                                        \
        adapter_call(adapter, &name##_method, effect, &request->base, done, ctx);                                      \
    }

#endif
