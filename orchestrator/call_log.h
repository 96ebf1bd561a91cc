// One line in the log for each finished call: who called what, how it ended, how long it took.
#ifndef TXC_ORCHESTRATOR_CALL_LOG_H
#define TXC_ORCHESTRATOR_CALL_LOG_H

#include "base/log.h"
#include "rpc/server.h"

// For rpc_server_options.observe; `ctx` is not used. Faults of ours are errors, what an operator should hear of (we or
// a remote system can't keep up) is a warning, what the caller did wrong is information, and what went well is for
// debugging.
void call_log(void *ctx, const struct rpc_method *method, struct rpc_inbound *in, int grpc_status, int64_t duration_us);

enum log_level call_log_level(int grpc_status);

// The fields of a call, for other lines about it. They borrow from the call and from `path`.
enum { CALL_LOG_FIELDS = 7 };
void call_log_fields(const struct rpc_method *method, const struct rpc_inbound *in, int grpc_status,
                     int64_t duration_us, char path[RPC_PATH_MAX], struct log_field fields[CALL_LOG_FIELDS]);

#endif
