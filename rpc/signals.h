// Inside rpc/ only: signals as calls on the loop.
#ifndef TXC_RPC_SIGNALS_H
#define TXC_RPC_SIGNALS_H

#include "rpc/loop.h"

struct rpc_signals;

// As rpc_loop_on_signal(). NULL on failure.
struct rpc_signals *rpc_signals_new(struct rpc_loop *loop, const int *signals, size_t n,
                                    void (*caught)(void *ctx, int signal), void *ctx, struct error *error);

// Ends the thread. The signals stay blocked. NULL is fine.
void rpc_signals_free(struct rpc_signals *signals);

#endif
