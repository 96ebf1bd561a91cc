#include "flows/trade/matter_list.h"

#include "flows/trade/command.h"
#include "flows/trade/listing.h"
#include "flows/trade/matter.h"
#include "flows/trade/stray.h"
#include "flows/trade/view.h"

#include <inttypes.h>

enum { COUNT_MS = 600000, SOON_MS = 1000, COUNTED_MAX = 100000 };

// ---- Matters ------------------------------------------------------------------------------------------------------

typedef Txcenter__Trade__V1__MatterFilter matter_filter;

// A page token is "<settled_ms>.<created_ms>.<trade_no>.<number>" of the last matter that the page has
// looked at.
static bool read_matter_token(const char *token, struct matter_row *ret_after) {
    struct str rest = str_c(token), settled = str_cut(&rest, '.'), created = str_cut(&rest, '.');
    struct str trade_no = str_cut(&rest, '.');
    int64_t number = 0;
    bool whole = str_to_i64(settled, &ret_after->settled_ms) && str_to_i64(created, &ret_after->created_ms) &&
                 id_valid(trade_no) && str_to_i64(rest, &number) && number > 0 && number <= INT32_MAX;
    ret_after->number = (int32_t)number;
    return whole && str_copy(trade_no, ret_after->trade_no, sizeof ret_after->trade_no);
}

static const char *matter_token(const void *row, struct arena *arena) {
    const struct matter_row *matter = row;
    return arena_printf(arena, "%" PRId64 ".%" PRId64 ".%s.%d", matter->settled_ms, matter->created_ms,
                        matter->trade_no, matter->number)
        .ptr;
}

// One trade has few, which its key finds in the order in which they came.
static void query_matters(const matter_filter *filter, struct store_query *query) {
    query->descending = filter->settled;
    if (filter->trade_no[0]) {
        query->conds[0] = (struct store_cond){.column = "trade_no", .cmp = STORE_EQ, .text = str_c(filter->trade_no)};
        return;
    }
    query->order = &matter_table.indexes[filter->tenant_id[0] ? MATTER_BY_TENANT : MATTER_BY_SETTLED];
    query->conds[0] = (struct store_cond){.column = "settled_ms", .cmp = filter->settled ? STORE_GT : STORE_EQ};
    if (filter->tenant_id[0])
        query->conds[1] = (struct store_cond){.column = "tenant_id", .cmp = STORE_EQ, .text = str_c(filter->tenant_id)};
}

static const matter_filter *filter_of(const ProtobufCMessage *message) {
    static const matter_filter everything = TXCENTER__TRADE__V1__MATTER_FILTER__INIT;
    const Txcenter__Trade__V1__ListMattersRequest *request = (const void *)message;
    return request->filter ? request->filter : &everything;
}

static bool matter_fits(const ProtobufCMessage *message, const void *row) {
    const matter_filter *filter = filter_of(message);
    const struct matter_row *matter = row;
    return (!filter->kind || matter->kind == (int32_t)filter->kind) && filter->settled == (matter->settled_ms > 0) &&
           (!filter->tenant_id[0] || strcmp(matter->tenant_id, filter->tenant_id) == 0);
}

static void *matter_shown(const void *row, struct arena *arena) {
    return matter_view(row, arena);
}

static void finish_matters(struct reading *reading, void **views, size_t n, char *next) {
    Txcenter__Trade__V1__ListMattersResponse response = TXCENTER__TRADE__V1__LIST_MATTERS_RESPONSE__INIT;
    response.matters = (Txcenter__Trade__V1__Matter **)views;
    response.n_matters = n;
    response.next_page_token = next;
    reading_finish(reading, &response.base, NULL);
}

void matter_list(struct trades *trades, struct trade_call *call, const ProtobufCMessage *message) {
    const Txcenter__Trade__V1__ListMattersRequest *request = (const void *)message;
    static const struct listing_kind kind = {matter_fits, matter_shown, matter_token, finish_matters};
    const matter_filter *filter = filter_of(message);
    struct reading *reading = reading_new(trades, call, message);
    struct matter_row after = {0};
    struct error error = {0};
    reading_take_page(reading, &error);
    if (request->page_token[0] && !read_matter_token(request->page_token, &after))
        error_field(&error, "page_token", "is none of ours");
    check_text(&error, "filter.tenant_id", filter->tenant_id, 0, TRADE_ID_MAX);
    check_range(&error, "filter.kind", (int64_t)filter->kind, 0, MATTER_KIND(PAYOUT));
    check_trade_no(&error, "filter.trade_no", filter->trade_no, false);
    if (error_is(&error) || !reading_may(reading, "filter.tenant_id", filter->tenant_id, &error)) {
        reading_finish(reading, NULL, &error);
        return;
    }
    struct store_query query = {.table = &matter_table};
    query_matters(filter, &query);
    str_copy(str_c(filter->tenant_id), after.tenant_id, sizeof after.tenant_id);
    query.after = request->page_token[0] ? &after : NULL;
    listing_read(reading, &kind, &query);
}

// ---- Strays -------------------------------------------------------------------------------------------------------

// A page token is "<received_ms>.<bytes of key_id>.<key_id><nonce>" of the page's last stray.
static bool read_stray_token(const char *token, struct stray_row *ret_after) {
    struct str rest = str_c(token), received = str_cut(&rest, '.'), length = str_cut(&rest, '.');
    int64_t n = 0;
    return str_to_i64(received, &ret_after->received_ms) && str_to_i64(length, &n) && n >= 0 &&
           (uint64_t)n <= rest.len &&
           str_copy(str_n(rest.ptr, (size_t)n), ret_after->key_id, sizeof ret_after->key_id) &&
           str_copy(str_n(rest.ptr + n, rest.len - (size_t)n), ret_after->nonce, sizeof ret_after->nonce);
}

static const char *stray_token(const void *row, struct arena *arena) {
    const struct stray_row *stray = row;
    return arena_printf(arena, "%" PRId64 ".%zu.%s%s", stray->received_ms, strlen(stray->key_id), stray->key_id,
                        stray->nonce)
        .ptr;
}

static void *stray_shown(const void *row, struct arena *arena) {
    return stray_view(row, arena);
}

static void finish_strays(struct reading *reading, void **views, size_t n, char *next) {
    Txcenter__Trade__V1__ListStraysResponse response = TXCENTER__TRADE__V1__LIST_STRAYS_RESPONSE__INIT;
    response.strays = (Txcenter__Trade__V1__Stray **)views;
    response.n_strays = n;
    response.next_page_token = next;
    reading_finish(reading, &response.base, NULL);
}

void stray_list(struct trades *trades, struct trade_call *call, const ProtobufCMessage *message) {
    static const struct listing_kind kind = {NULL, stray_shown, stray_token, finish_strays};
    const Txcenter__Trade__V1__ListStraysRequest *request = (const void *)message;
    const struct store_table *table = request->settled ? &settled_stray_table : &stray_table;
    struct reading *reading = reading_new(trades, call, message);
    struct stray_row after = {0};
    struct error error = {0};
    reading_take_page(reading, &error);
    if (request->page_token[0] && !read_stray_token(request->page_token, &after))
        error_field(&error, "page_token", "is none of ours");
    if (!error_is(&error) && !call->may(call->ctx, STR("*")))
        error_set(&error, ERR_TENANT_FORBIDDEN, "only callers that see every tenant may see what is nobody's");
    if (error_is(&error)) {
        reading_finish(reading, NULL, &error);
        return;
    }
    struct store_query query = {
        .table = table, .order = &table->indexes[STRAY_BY_AGE], .after = request->page_token[0] ? &after : NULL};
    listing_read(reading, &kind, &query);
}

// ---- How many -----------------------------------------------------------------------------------------------------

static void count_next(struct trades *trades);

static void counted(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct trades *trades = ctx;
    int64_t *const counts[] = {&trades->stats.shortfalls, &trades->stats.conflicted, &trades->stats.payouts,
                               &trades->stats.strays};
    (void)rows;
    if (!error)
        *counts[trades->counting - 1] = (int64_t)n;
    trades->counting = error ? 0 : trades->counting + 1;
    if (trades->counting > 0)
        count_next(trades);
}

// The kinds of matters one after the other, then the strays.
static void count_next(struct trades *trades) {
    struct store_query matters = {
        .table = &matter_table,
        .order = &matter_table.indexes[MATTER_BY_SETTLED],
        .conds = {{.column = "settled_ms", .cmp = STORE_EQ},
                  {.column = "kind", .cmp = STORE_EQ, .integer = trades->counting}},
        .limit = COUNTED_MAX,
        .count = true,
        .list = true,
    };
    const struct store_query strays = {.table = &stray_table, .limit = COUNTED_MAX, .count = true, .list = true};
    if (trades->counting <= (int)MATTER_KIND(PAYOUT))
        store_read(trades->options.store, &matters, counted, trades);
    else if (trades->counting == (int)MATTER_KIND(PAYOUT) + 1)
        store_read(trades->options.store, &strays, counted, trades);
    else
        trades->counting = 0;
}

void matter_count_soon(struct trades *trades) {
    int64_t soon_ms = trades_now(trades) + SOON_MS; // it is on its way to the store
    if (trades->count_ms <= soon_ms)
        return;
    trades->count_ms = soon_ms;
    trades_alarm_at(trades, soon_ms);
}

int64_t matter_count_tick(struct trades *trades, int64_t now_ms) {
    if (now_ms < trades->count_ms)
        return trades->count_ms;
    trades->count_ms = now_ms + COUNT_MS;
    if (trades->counting == 0) {
        trades->counting = (int)MATTER_KIND(SHORTFALL);
        count_next(trades);
    }
    return trades->count_ms;
}
