// A page of a list: rows in the order of an index, of which those that fit are shown. Of one page at most LISTING_LOOKS
// rows are looked at, so that it costs the same however many rows there are and whatever is asked for: it comes back
// with what it found, and where to go on.
#ifndef TXC_FLOWS_TRADE_LISTING_H
#define TXC_FLOWS_TRADE_LISTING_H

#include "flows/trade/reading.h"

enum { LISTING_LOOKS = 1000 };

struct listing_kind {
    // Whether the request asks for this row; NULL: for all that the query finds.
    bool (*fits)(const ProtobufCMessage *request, const void *row);
    // As callers see it, in the arena; the row lives as long, but for its blobs, where `fits` is NULL as long as this.
    void *(*view)(const void *row, struct arena *arena);
    // Where the page behind this row begins.
    const char *(*token)(const void *row, struct arena *arena);
    // Ends the reading with a page of these; `next` is "" when it is the last.
    void (*finish)(struct reading *reading, void **views, size_t n, char *next);
};

// Reads one page and ends the reading with it. The query is without limit, and its conditions are those that its order
// serves: what it finds and does not fit is what a caller may see, since a token may name it.
void listing_read(struct reading *reading, const struct listing_kind *kind, const struct store_query *query);

#endif
