// Inside rpc/ only: our errors as google.rpc.Status and back. Any gRPC client's status library understands them.
#ifndef TXC_RPC_STATUS_H
#define TXC_RPC_STATUS_H

#include "base/arena.h"
#include "base/err.h"

#define RPC_STATUS_HEADER "grpc-status-details-bin"
#define RPC_STATUS_DOMAIN "txcenter"

// Makes the error's texts UTF-8, which a status must be: cutting may have split a character, and a text may quote a
// caller's bytes. What is not UTF-8 becomes '?'.
void rpc_status_clean(struct error *error);

// What grpc-status-details-bin says of an error that is clean. `metadata` as for rpc_fail(). In the arena; ptr NULL
// when that is full.
struct str rpc_status_encode(const struct error *error, const char *const *metadata, struct arena *arena);

// What is read of a status that a peer sent. Text lives in the arena of rpc_status_decode().
struct rpc_status {
    int code;
    const char *reason, *domain; // "" where there is no ErrorInfo
};

// Reads the header's bytes. Field violations and the delay go into *error, whose code and text stay. Bytes that are no
// status count as none.
void rpc_status_decode(struct str bytes, struct arena *arena, struct rpc_status *status, struct error *error);

#endif
