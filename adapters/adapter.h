// A participant as the center calls it. Every method is a row, every call goes one way: fill in the Effect, send, find
// out what the answer means. What an adapter does not know: sagas, retries, the business.
//
// Everything here belongs to the loop's thread.
#ifndef TXC_ADAPTERS_ADAPTER_H
#define TXC_ADAPTERS_ADAPTER_H

#include "rpc/client.h"
#include "rpc/timers.h"

struct adapter;

struct adapter_options {
    const char *system;          // "coupon": for error texts; borrowed
    struct rpc_channel *channel; // borrowed; may serve several adapters
    struct rpc_timers timers;
    uint32_t in_flight_max;      // calls at once (default 1024); above it OVERLOADED/RETRY
};

struct adapter *adapter_new(const struct adapter_options *options);

// Every call must have been answered: close the channel first. NULL is fine.
void adapter_free(struct adapter *adapter);

uint32_t adapter_in_flight(const struct adapter *adapter);

// ---- Calls -----------------------------------------------------------------------------------------------------

// For whom and under which key. Texts are borrowed until the call returns; NULL is the empty text.
struct adapter_effect {
    const char *key; // one per effect: the same for action, compensation and inquiry; not needed for reads
    const char *gid, *step;
    const char *trade_no, *order_no;
    uint32_t deadline_ms;             // from now; 0: the method's
    const struct rpc_header *headers; // to pass on (x-request-id, traceparent): NULL, or ended by a NULL name
};

struct adapter_answer {
    enum outcome outcome;
    struct error error; // what went wrong, unless OK
    char code[64];      // the participant's, where it REJECTED; else empty
    bool never_seen;    // an inquiry: the participant does not know the key (outcome RETRY: it may be sent again)
    // The method's response, where it is OK or REJECTED and the participant answered itself. An inquiry answers with
    // the response of the action that it asks about. Borrowed until the callback returns.
    const ProtobufCMessage *message;
    struct str bytes; // the same, encoded
};

// Runs exactly once, later, on the loop.
typedef void adapter_done_fn(void *ctx, const struct adapter_answer *answer);

enum adapter_op { ADAPTER_READ, ADAPTER_ACTION, ADAPTER_COMPENSATE, ADAPTER_INQUIRE };

enum { ADAPTER_WANTED_MAX = 4 };

// One method of a participant.
struct adapter_method {
    struct rpc_method rpc;
    enum adapter_op op;
    uint32_t deadline_ms;
    // What an APPLIED answer must have, as paths: "order_no", "payment.amount". An answer without is no answer: UNKNOWN.
    const char *wanted[ADAPTER_WANTED_MAX];
};

// Sends `request`, whose field 1 is filled with the effect (and empty again when this returns).
//
// What an answer means: the RPC's status by rpc/client.h, and UNAVAILABLE or RESOURCE_EXHAUSTED with
// ErrorInfo.reason "RETRY" is RETRY: the participant says that it did nothing. Then its verdict: APPLIED is OK, REJECTED
// is REJECTED with its code, NEVER_SEEN (of an inquiry) is RETRY with never_seen; anything else is UNKNOWN with
// PARTICIPANT_BROKEN.
void adapter_call(struct adapter *adapter, const struct adapter_method *method, const struct adapter_effect *effect,
                  ProtobufCMessage *request, adapter_done_fn *done, void *ctx);

// Asks what became of the action under effect->key. OK: it was applied, and the answer is the action's.
void adapter_inquire(struct adapter *adapter, const struct adapter_method *action, const struct adapter_effect *effect,
                     adapter_done_fn *done, void *ctx);

#endif
