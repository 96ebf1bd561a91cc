#include "orchestrator/anomaly_service.h"

#include "base/clock.h"
#include "orchestrator/authorize.h"
#include "orchestrator/page.h"
#include "orchestrator/saga_view.h"
#include "rpc/message.h"
#include "saga/anomaly.h"

#include <inttypes.h>
#include <stdio.h>

enum { LOOKS = 250 }; // rows of a page, of which the filter may leave few

typedef Txcenter__Saga__V1__AnomalyFilter filter_message;

_Static_assert((int)TXCENTER__SAGA__V1__ANOMALY_KIND__ANOMALY_KIND_UNREADABLE == (int)ANOMALY_UNREADABLE,
               "the kinds have the same numbers");

// A page being read.
struct listing {
    struct page *page;
    struct anomaly_filter filter;
};

// ---- Where a page goes on -----------------------------------------------------------------------------------------

// The key is when it was first seen; the id "<cleared_ms> <kind> <about>".
static char *next_token(const struct page *page, const struct anomaly_row *row) {
    char id[PAGE_ID_MAX + 1];
    str_print(id, sizeof id, "%" PRId64 " %d %s", row->cleared_ms, row->kind, row->about);
    return page_next(page, row->first_ms, id);
}

static bool read_cursor(const struct page *page, struct anomaly_row *ret_after) {
    struct str rest = str_c(page->cursor.id), cleared = str_cut(&rest, ' '), kind = str_cut(&rest, ' ');
    struct anomaly_row after = {.first_ms = page->cursor.key};
    int64_t number;
    if (!str_to_i64(cleared, &after.cleared_ms) || !str_to_i64(kind, &number) || number < 0 || number > INT32_MAX ||
        !str_copy(rest, after.about, sizeof after.about))
        return false;
    after.kind = (int32_t)number;
    *ret_after = after;
    return true;
}

// ---- Rows as messages ---------------------------------------------------------------------------------------------

static void reply(struct listing *listing, const struct anomaly_row *rows, size_t n) {
    const struct page *page = listing->page;
    struct arena *arena = rpc_inbound_arena(page->in);
    struct error error = {0};
    Txcenter__Saga__V1__ListAnomaliesResponse response = TXCENTER__SAGA__V1__LIST_ANOMALIES_RESPONSE__INIT;
    response.anomalies = arena_calloc(arena, page->size, sizeof *response.anomalies);
    const struct anomaly_row *last = NULL; // that was looked at
    bool made = response.anomalies != NULL, more = n == LOOKS;
    for (size_t i = 0; made && i < n; i++) {
        if (!anomaly_fits(&listing->filter, &rows[i])) {
            last = &rows[i];
            continue;
        }
        if (response.n_anomalies == page->size) {
            more = true;
            break;
        }
        last = &rows[i];
        made = (response.anomalies[response.n_anomalies++] = anomaly_view(last, arena)) != NULL;
    }
    if (made && more && last)
        made = (response.next_page_token = next_token(page, last)) != NULL;
    if (made) {
        rpc_reply(page->in, &response.base);
    } else {
        error_set(&error, ERR_OVERLOADED, "no memory for the answer; a smaller page may fit");
        call_fail(page->in, &error, NULL, NULL);
    }
}

static void rows_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct listing *listing = ctx;
    if (error)
        call_fail(listing->page->in, error, NULL, NULL);
    else
        reply(listing, rows, n);
}

// ---- The call -----------------------------------------------------------------------------------------------------

static void check_filter(const filter_message *filter, struct error *error) {
    const Google__Protobuf__Timestamp *from = filter->seen_from;
    if (!protobuf_c_enum_descriptor_get_value(&txcenter__saga__v1__anomaly_kind__descriptor, (int)filter->kind))
        error_field(error, "filter.kind", "is no kind");
    if (strlen(filter->flow) > SAGA_NAME_MAX)
        error_field(error, "filter.flow", "must have at most %d bytes", SAGA_NAME_MAX);
    if (strlen(filter->subject) > SAGA_SUBJECT_MAX)
        error_field(error, "filter.subject", "must have at most %d bytes", SAGA_SUBJECT_MAX);
    if (from && !clock_is_moment(from->seconds, from->nanos))
        error_field(error, "filter.seen_from", "is not a time");
}

static struct anomaly_filter filter_of(const filter_message *asked) {
    return (struct anomaly_filter){
        .kind = (enum saga_anomaly)asked->kind,
        .cleared = asked->cleared,
        .flow = str_c(asked->flow),
        .subject = str_c(asked->subject),
        .from_ms = asked->seen_from ? clock_moment_ms(asked->seen_from->seconds, asked->seen_from->nanos) : 0,
    };
}

static void list_anomalies(void *ctx, struct rpc_inbound *in, const ProtobufCMessage *message) {
    static const filter_message everything = TXCENTER__SAGA__V1__ANOMALY_FILTER__INIT;
    const struct anomaly_service *service = ctx;
    const Txcenter__Saga__V1__ListAnomaliesRequest *request = (const void *)message;
    const filter_message *filter = request->filter ? request->filter : &everything;
    Txcenter__Saga__V1__ListAnomaliesRequest unpaged = *request;
    unpaged.page_size = 0;
    unpaged.page_token = rpc_text("");
    struct error error = {0};
    struct anomaly_row after;
    struct page *page = page_new(in, "anomalies", &unpaged.base, request->page_size, request->page_token, &error);
    struct listing *listing = arena_calloc(rpc_inbound_arena(in), 1, sizeof *listing);
    check_filter(filter, &error);
    if (page && page->has_cursor && !read_cursor(page, &after))
        error_field(&error, "page_token", "is not one that this list gave for this filter");
    if (!listing && !error_is(&error))
        error_set(&error, ERR_OVERLOADED, "no memory for the call");
    if (!error_is(&error) && !call_may_all(call_context(in)))
        error_set(&error, ERR_TENANT_FORBIDDEN, "anomalies belong to no tenant: only callers of every tenant see them");
    if (error_is(&error)) {
        call_fail(in, &error, NULL, NULL);
        return;
    }
    *listing = (struct listing){page, filter_of(filter)};
    struct store_query query = anomaly_query(&listing->filter);
    query.after = page->has_cursor ? &after : NULL;
    query.limit = LOOKS;
    query.list = true;
    store_read(service->store, &query, rows_read, listing);
}

const struct rpc_route anomaly_routes[] = {
    {.method = {.service = &txcenter__saga__v1__operator_service__descriptor, .name = "ListAnomalies"},
     .handle = list_anomalies,
     .scope = RPC_OPERATE,
     .tier = RPC_TIER_LOW},
};
const size_t n_anomaly_routes = sizeof anomaly_routes / sizeof anomaly_routes[0];
