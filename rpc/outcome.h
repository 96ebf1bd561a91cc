// Inside rpc/ only: what an answer means, over whatever transport it came. The table of rpc/client.h, as code.
#ifndef TXC_RPC_OUTCOME_H
#define TXC_RPC_OUTCOME_H

#include "base/arena.h"
#include "rpc/client.h"

// What came back of a call.
struct rpc_received {
    int status;
    struct str text, details; // details: what RPC_STATUS_HEADER held
    bool has_message;         // `bytes` came
    struct str bytes;
    const ProtobufCMessageDescriptor *type; // NULL: nobody wants it decoded
    bool never_sent;                        // the request never reached a connection
};

// Fills the result, but for a call that ended without an answer. Messages live in the arena, bytes where they were.
void rpc_outcome_read(const struct rpc_received *received, struct arena *arena, struct rpc_result *result);

// The result of a call that ended on our side. `text` NULL: the code's.
void rpc_outcome_local(enum err code, const char *text, struct rpc_result *result);

#endif
