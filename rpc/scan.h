// Inside rpc/ only: whether bytes are a message of a type, looked at before protobuf-c is let at them.
#ifndef TXC_RPC_SCAN_H
#define TXC_RPC_SCAN_H

#include "base/err.h"

#include <protobuf-c/protobuf-c.h>

enum { RPC_DEPTH_MAX = 32 };

// Checks lengths, wire types, nesting, and that text is UTF-8 without NUL. protobuf-c recurses without a limit, takes
// any bytes for text, and merges a sub-message that is given twice wrongly for proto3 (it loses numbers), so the second
// one is refused here. INVALID_REQUEST names the field where there is one: "lines[2].sku". Allocates nothing.
bool rpc_scan(const ProtobufCMessageDescriptor *type, struct str bytes, struct error *error);

// The next field of a message: its number, and for a length-delimited one its content (else ptr NULL). False at the end
// and when the bytes are malformed: then `rest` isn't empty.
bool rpc_scan_field(struct str *rest, uint32_t *ret_number, struct str *ret_content);

#endif
