// Inside rpc/ only: credentials from PEM files.
#ifndef TXC_RPC_TLS_H
#define TXC_RPC_TLS_H

#include "rpc/client.h"
#include "rpc/server.h"

#include <grpc/grpc_security.h>

// Plaintext when there are no files. NULL and CONFIG_INVALID when a file can't be read or a key lacks its certificate.
grpc_server_credentials *rpc_tls_server(const struct rpc_tls *tls, struct error *error);
grpc_channel_credentials *rpc_tls_client(const struct rpc_channel_options *options, struct error *error);

#endif
