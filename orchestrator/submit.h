// SubmitSaga: accepting what a caller defines, telling a repeat from a misuse, and waiting for the outcome.
//
// A saga needs no row of its request: where the caller names the request, the saga's gid follows from both; the stored
// definition tells whether a second one means the same.
#ifndef TXC_ORCHESTRATOR_SUBMIT_H
#define TXC_ORCHESTRATOR_SUBMIT_H

#include "flows/defined/definition.h"
#include "rpc/server.h"
#include "rpc/timers.h"
#include "saga/tables.h"

struct submit;

// Everything is borrowed.
struct submit_options {
    struct saga_engine *engine;
    struct store *store;
    const struct defined *defined;
    const struct rpc_timers *timers;
    uint32_t wait_max_ms; // longest wait_ms
    uint32_t waiters_max; // calls that wait at once; one more is answered as soon as its saga is durable
};

struct submit *submit_new(const struct submit_options *options);

// Calls that wait are answered now, and those to come don't wait any more.
void submit_hurry(struct submit *submit);

// After the engine was freed. NULL is fine.
void submit_free(struct submit *submit);

// Serves one call.
void submit_saga(struct submit *submit, struct rpc_inbound *in);

// The gid that a caller's request_id stands for: the same for ever, and none that a caller could choose.
void submit_gid(struct str caller, struct str request_id, char out[SAGA_GID_MAX + 1]);

#endif
