// What the program's log says of calls, sagas and trades. One line each, with the numbers by which it can be found;
// never a secret, and never what a payment's front end is given.
#ifndef TXC_ORCHESTRATOR_OBSERVE_H
#define TXC_ORCHESTRATOR_OBSERVE_H

#include "base/log.h"
#include "base/log_limit.h"
#include "rpc/server.h"
#include "saga/saga.h"

// What it keeps of the calls that were refused, by google.rpc.Code (of one that is not known in the last place). Begins
// as zeroes.
enum { OBSERVE_STATUSES = 18 };
struct observer {
    struct log_limit refused[OBSERVE_STATUSES];
};

// For rpc_server_options.observe; `ctx` is a struct observer. What went well is for debugging; what the caller did
// wrong is information; that we or a remote system can't keep up is a warning; faults of ours are errors. Of refusals
// with one status so many have lines of their own and the others are counted, but for faults of ours.
void observe_call(void *ctx, const struct rpc_method *method, struct rpc_inbound *in, int grpc_status,
                  int64_t duration_us);
// To be called about every second, and at the end: tells how many were only counted.
void observe_counted(struct observer *observer);
enum log_level observe_call_level(int grpc_status);

// For saga_options.notice; `ctx` is not used.
void observe_saga(void *ctx, const struct saga_notice *notice);
enum log_level observe_saga_level(const struct saga_notice *notice);

// For trades_on_alert(); `ctx` is not used.
void observe_trade(void *ctx, const char *what, const char *trade_no, const char *detail);

#endif
