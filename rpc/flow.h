// Inside rpc/ only: the messages of a served call that streams.
#ifndef TXC_RPC_FLOW_H
#define TXC_RPC_FLOW_H

#include "rpc/served.h"

struct rpc_flow *rpc_flow_new(struct rpc_served *served);
void rpc_flow_free(struct rpc_flow *flow);

// As rpc_stream_send().
bool rpc_flow_send(struct rpc_flow *flow, const ProtobufCMessage *message);

// Ends the call once what is queued has gone out; a caller that doesn't take it within RPC_FLOW_LINGER_MS is cut off.
enum { RPC_FLOW_LINGER_MS = 3000 };
void rpc_flow_end(struct rpc_flow *flow, const struct rpc_answer *answer);

// As rpc_stream_on_gone().
void rpc_flow_on_gone(struct rpc_flow *flow, void (*gone)(void *ctx), void *ctx);

// Reads the caller's messages, one after the other, into the handler.
void rpc_flow_receive(struct rpc_flow *flow);

// The caller has left.
void rpc_flow_gone(struct rpc_flow *flow);

#endif
