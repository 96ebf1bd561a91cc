// Inside rpc/ only: the addresses that a server listens on.
#ifndef TXC_RPC_ADDRESS_H
#define TXC_RPC_ADDRESS_H

#include <stdbool.h>

// Whether another server listens on the address ("127.0.0.1:7600", "[::1]:0", "unix:/run/…"). gRPC itself only says
// that it can't listen; and it replaces a unix socket, though somebody serves there. False when it can't be found out.
bool rpc_address_in_use(const char *address);

#endif
