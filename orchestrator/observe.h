// What the program's log says of calls, sagas and trades. One line each, with the numbers by which it can be found;
// never a secret, and never what a payment's front end is given.
#ifndef TXC_ORCHESTRATOR_OBSERVE_H
#define TXC_ORCHESTRATOR_OBSERVE_H

#include "base/log.h"
#include "rpc/server.h"
#include "saga/saga.h"

// For rpc_server_options.observe; `ctx` is not used. What went well is for debugging; what the caller did wrong is
// information; that we or a remote system can't keep up is a warning; faults of ours are errors.
void observe_call(void *ctx, const struct rpc_method *method, struct rpc_inbound *in, int grpc_status,
                  int64_t duration_us);
enum log_level observe_call_level(int grpc_status);

// For saga_options.notice; `ctx` is not used.
void observe_saga(void *ctx, const struct saga_notice *notice);
enum log_level observe_saga_level(const struct saga_notice *notice);

// For trades_on_alert(); `ctx` is not used.
void observe_trade(void *ctx, const char *what, const char *trade_no, const char *detail);

#endif
