// The addresses that a server listens on.
#ifndef TXC_RPC_ADDRESS_H
#define TXC_RPC_ADDRESS_H

#include "base/err.h"

// Whether another server listens on the address ("127.0.0.1:7600", "[::1]:0", "unix:/run/…"). gRPC itself only says
// that it can't listen; and it replaces a unix socket, though somebody serves there. False when it can't be found out.
bool rpc_address_in_use(const char *address);

// Reserves the port of "host:port" for this process and those that it forks, as long as it lives: they, and nobody
// else, can listen there together (struct rpc_server_options.shared). Port 0 takes a free one.
bool rpc_address_reserve(const char *address, int *ret_port, struct error *error);

#endif
