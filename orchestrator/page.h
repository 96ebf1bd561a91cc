// One page of a list, as its calls read it: size, token, and the token of the next one.
#ifndef TXC_ORCHESTRATOR_PAGE_H
#define TXC_ORCHESTRATOR_PAGE_H

#include "orchestrator/page_token.h"
#include "rpc/server.h"

struct page {
    struct rpc_inbound *in;
    struct page_of of;
    uint32_t size;
    struct page_cursor cursor;
    bool has_cursor;
};

// In the call's arena. `request` without its page is the filter that the token belongs to. NULL without memory; faults
// of the form are fields of `error`.
struct page *page_new(struct rpc_inbound *in, const char *list, const ProtobufCMessage *request, int32_t size,
                      const char *token, struct error *error);

// The token of the page that begins behind this row; NULL without memory.
char *page_next(const struct page *page, int64_t key, const char *id);

#endif
