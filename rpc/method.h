// What a method is, for both sides: one row, made from the service descriptor that protobuf-c generates.
#ifndef TXC_RPC_METHOD_H
#define TXC_RPC_METHOD_H

#include "base/arena.h"
#include "base/err.h"

#include <protobuf-c/protobuf-c.h>

struct rpc_method {
    const ProtobufCServiceDescriptor *service;
    const char *name; // "GetTrade"
    bool server_streaming;
    bool client_streaming; // served only, and only with server_streaming; see rpc_handler_fn
    bool undecoded;        // served, unary: the handler decodes rpc_inbound_bytes() itself; its `request` is NULL
};

// "/txcenter.trade.v1.TradeService/GetTrade" into out; false when it doesn't fit.
enum { RPC_PATH_MAX = 160 };
bool rpc_method_path(const struct rpc_method *method, char out[RPC_PATH_MAX]);

// Asserts that the service has the method.
const ProtobufCMessageDescriptor *rpc_method_request(const struct rpc_method *method);
const ProtobufCMessageDescriptor *rpc_method_response(const struct rpc_method *method);

// Decodes into the arena: nothing of the message is to be freed. NULL and INVALID_REQUEST when the bytes are no such
// message, hold text that is not UTF-8, nest deeper than 32, or need more than the arena's maximum.
ProtobufCMessage *rpc_decode(const ProtobufCMessageDescriptor *type, struct str bytes, struct arena *arena,
                             struct error *error);

// The content of a length-delimited field of a message that rpc_decode() has taken, as it came; ptr NULL when it is not
// there. Of several the first.
struct str rpc_field(struct str bytes, uint32_t number);

// Encodes into the arena; ptr NULL when the arena is full.
struct str rpc_encode(const ProtobufCMessage *message, struct arena *arena);

#endif
