// Calls that belong to another instance: what this one does not own is passed on to its owner, one hop, and the
// owner's answer is passed back as it is.
#ifndef TXC_ORCHESTRATOR_FORWARD_H
#define TXC_ORCHESTRATOR_FORWARD_H

#include "orchestrator/config.h"
#include "rpc/server.h"
#include "saga/saga.h"

// Metadata of a call that was passed on: the name of who called first, and what keeps it from being passed on again.
#define FORWARD_CALLER "tx-caller"
#define FORWARD_MARK "tx-forwarded"
// Of an operator's action that was decided on a saga's row: that row's time, as in struct saga_operation.
#define FORWARD_SEEN "tx-seen"

struct forward;

// What becomes of calls whose owner is silent: those of some methods are kept, and answered.
struct forward_keeper {
    bool (*keeps)(const struct rpc_method *method);
    void (*keep)(void *ctx, struct rpc_inbound *in, unsigned slot); // takes over the call
    void *ctx;
};

struct forward *forward_new(struct rpc_loop *loop, const struct config *config);
// Before anything is served.
void forward_start(struct forward *forward, struct saga_engine *engine, const struct forward_keeper *keeper);
// The host is stopping: streams end with SHUTTING_DOWN; then what is still on its way is answered with what is known of
// it (ACCEPTANCE_UNKNOWN, or SLOT_ELSEWHERE), and nothing is passed on any more.
void forward_end_streams(struct forward *forward);
void forward_hurry(struct forward *forward);
// Hurries. NULL is fine.
void forward_free(struct forward *forward);

// A message of our own to whoever owns the slot, on behalf of a caller. All of it is borrowed until `done` has run,
// later; its answer is not looked at.
struct forward_message {
    const struct rpc_method *method;
    struct str bytes;                              // the request, encoded
    const char *caller, *request_id, *traceparent; // as metadata
    int64_t seen_ms;                               // likewise; 0: none
};
void forward_send(struct forward *forward, unsigned slot, const struct forward_message *message, saga_reply_fn *done,
                  void *ctx);

// Takes over the call, which was refused with SLOT_ELSEWHERE: finds who owns the slot, also when that changes just now,
// as long as there is time. False when it was passed on already, or the host is stopping: it is to be refused.
bool forward_call(struct forward *forward, struct rpc_inbound *in, unsigned slot);

#endif
