#include "flows/trade/listing.h"

#include "flows/trade/internal.h"
#include "flows/trade/view.h"

#include <stdlib.h>

enum { CHUNK = 100 }; // rows read at once, where not every one fits

struct listing {
    struct reading *reading;
    const struct listing_kind *kind;
    struct store_query query;
    void *at; // the last that was looked at, without blobs
    uint32_t chunk, looked;
    void **views; // page_size + 1: the last only tells that there is more
    size_t n;
    const char *next; // behind the last of a whole page
};

static void listing_free(struct listing *listing) {
    free(listing->at);
    free(listing);
}

static void fail(struct listing *listing, const struct error *error) {
    reading_finish(listing->reading, NULL, error);
    listing_free(listing);
}

static void finish(struct listing *listing, bool more) {
    struct reading *reading = listing->reading;
    size_t shown = reading_shown(reading, listing->n);
    const char *next = shown < listing->n ? listing->next : "";
    if (shown == listing->n && more)
        next = listing->kind->token(listing->at, &reading->arena);
    if (next)
        listing->kind->finish(reading, listing->views, shown, view_text(next));
    else
        reading_finish(reading, NULL, NULL);
    listing_free(listing);
}

// False without memory.
static bool show(struct listing *listing, const void *row) {
    struct reading *reading = listing->reading;
    void *copy = arena_alloc(&reading->arena, listing->query.table->row_size);
    if (!copy)
        return false;
    memcpy(copy, row, listing->query.table->row_size);
    void *view = listing->kind->view(copy, &reading->arena);
    listing->views[listing->n++] = view;
    if (listing->n == (size_t)reading->page_size)
        listing->next = listing->kind->token(copy, &reading->arena);
    return view && (listing->n != (size_t)reading->page_size || listing->next);
}

static bool look_at(struct listing *listing, const void *row) {
    bool (*fits)(const ProtobufCMessage *request, const void *row) = listing->kind->fits;
    if (listing->n > (size_t)listing->reading->page_size || (fits && !fits(listing->reading->request, row)))
        return true;
    return show(listing, row);
}

static void read_chunk(struct listing *listing);

static void chunk_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct listing *listing = ctx;
    size_t size = listing->query.table->row_size;
    bool made = !error;
    for (size_t i = 0; made && i < n; i++)
        made = look_at(listing, (const char *)rows + i * size);
    if (!made) {
        fail(listing, error);
        return;
    }
    if (n > 0)
        memcpy(listing->at, (const char *)rows + (n - 1) * size, size);
    listing->looked += (uint32_t)n;
    if (n < listing->chunk)
        finish(listing, false);
    else if (listing->n > (size_t)listing->reading->page_size || listing->looked >= LISTING_LOOKS)
        finish(listing, true);
    else
        read_chunk(listing);
}

static void read_chunk(struct listing *listing) {
    struct store_query query = listing->query;
    uint32_t left = LISTING_LOOKS - listing->looked, page = reading_limit(listing->reading);
    uint32_t wanted = listing->looked > 0 && page < CHUNK ? CHUNK : page;
    listing->chunk = query.limit = wanted < left ? wanted : left;
    if (listing->looked > 0)
        query.after = listing->at;
    store_read(listing->reading->trades->options.store, &query, chunk_read, listing);
}

void listing_read(struct reading *reading, const struct listing_kind *kind, const struct store_query *query) {
    struct listing *listing = calloc(1, sizeof *listing);
    if (!listing || !(listing->at = calloc(1, query->table->row_size)))
        abort();
    listing->reading = reading;
    listing->kind = kind;
    listing->query = *query;
    listing->query.list = true;
    listing->views = arena_alloc(&reading->arena, reading_limit(reading) * sizeof *listing->views);
    if (listing->views)
        read_chunk(listing);
    else
        fail(listing, NULL);
}
