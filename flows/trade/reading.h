// A call that only reads, on its way: its answer is made in its arena.
#ifndef TXC_FLOWS_TRADE_READING_H
#define TXC_FLOWS_TRADE_READING_H

#include "flows/trade/trade.h"

struct reading {
    struct trades *trades;
    struct trade_call *call;
    const ProtobufCMessage *request;
    struct arena arena;
    int32_t page_size; // of a list
};

struct reading *reading_new(struct trades *trades, struct trade_call *call, const ProtobufCMessage *request);

// Ends it, with what there is to say; neither means that there was no memory for that.
void reading_finish(struct reading *reading, const ProtobufCMessage *response, const struct error *error);

// Takes the request's page_size; a violation when it is none.
void reading_take_page(struct reading *reading, struct error *error);
// How many rows the page is read with: one more than it shows, so that it is known whether it is the last.
static inline uint32_t reading_limit(const struct reading *reading) {
    return (uint32_t)reading->page_size + 1;
}
static inline size_t reading_shown(const struct reading *reading, size_t n) {
    return n < (size_t)reading->page_size ? n : (size_t)reading->page_size;
}

// Whether the caller may list what belongs to this tenant (`path` is where the request says it), or, without one, to
// everybody: every row of a page is one that the caller may see, and so is the one that its token names. Pages that
// were filtered afterwards would tell of others'.
bool reading_may(const struct reading *reading, const char *path, const char *tenant_id, struct error *error);

#endif
