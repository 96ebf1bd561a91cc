// GetTrade, ListTrades, WatchTrade: they show what is durable, never what is only in memory.
#include "flows/trade/read.h"

#include "flows/trade/command.h"
#include "flows/trade/listing.h"
#include "flows/trade/load.h"
#include "flows/trade/view.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_MAX = 16 * 1024 * 1024, WATCHERS_OF_TRADE_MAX = 64 };

// ---- GetTrade -------------------------------------------------------------------------------------------------------

static void got(void *ctx, struct trade *trade, const struct error *failed) {
    struct reading *reading = ctx;
    struct error error = {0};
    Txcenter__Trade__V1__GetTradeResponse *response = NULL;
    if (trade && !reading->call->may(reading->call->ctx, str_c(trade->row.tenant_id)))
        error_set(&error, ERR_TENANT_FORBIDDEN, NULL);
    else if (trade)
        response =
            VIEW_NEW(&reading->arena, txcenter__trade__v1__get_trade_response, Txcenter__Trade__V1__GetTradeResponse);
    if (response && !(response->trade = view_trade(trade, &reading->arena)))
        response = NULL;
    reading_finish(reading, response ? &response->base : NULL, failed ? failed : error_is(&error) ? &error : NULL);
    if (trade)
        saga_subject_release(&trade->subject);
}

static void order_found(void *ctx, const struct order_row *order, const struct error *error) {
    struct reading *reading = ctx;
    if (error)
        reading_finish(reading, NULL, error);
    else
        load_snapshot(reading->trades, str_c(order->trade_no), got, reading);
}

void read_get(struct trades *trades, struct trade_call *call, const ProtobufCMessage *message) {
    const Txcenter__Trade__V1__GetTradeRequest *request = (const void *)message;
    struct reading *reading = reading_new(trades, call, message);
    struct error error = {0};
    check_trade_no(&error, "trade_no", request->trade_no, !request->order_no[0]);
    check_text(&error, "order_no", request->order_no, 0, TRADE_ID_MAX);
    if (error_is(&error)) {
        reading_finish(reading, NULL, &error);
    } else if (request->trade_no[0]) {
        load_snapshot(trades, str_c(request->trade_no), got, reading);
    } else {
        load_order(trades, str_c(request->order_no), order_found, reading);
    }
}

// ---- ListTrades -----------------------------------------------------------------------------------------------------

static int64_t time_ms(const Google__Protobuf__Timestamp *time) {
    return time ? clock_moment_ms(time->seconds, time->nanos) : 0;
}

typedef Txcenter__Trade__V1__TradeFilter trade_filter;

// A page token is "<created_ms>.<trade_no>" of the last trade that the page has looked at.
static bool read_token(const char *token, struct trade_row *ret_after) {
    struct str rest = str_c(token), created = str_cut(&rest, '.');
    return str_to_i64(created, &ret_after->created_ms) && id_valid(rest) &&
           str_copy(rest, ret_after->trade_no, sizeof ret_after->trade_no);
}

static const char *token_of(const void *row, struct arena *arena) {
    const struct trade_row *trade = row;
    return arena_printf(arena, "%lld.%s", (long long)trade->created_ms, trade->trade_no).ptr;
}

static void add(struct store_query *query, struct store_cond cond) {
    size_t n = 0;
    while (query->conds[n].column)
        n++;
    query->conds[n] = cond;
}

static void add_text(struct store_query *query, const char *column, const char *text) {
    if (text[0])
        add(query, (struct store_cond){.column = column, .cmp = STORE_EQ, .text = str_c(text)});
}

// Which index; what it does not decide is looked at row by row. With a tenant every row is one of that tenant's.
static void filter_query(const trade_filter *filter, struct store_query *query) {
    static const int indexes[][2] = {{TRADE_BY_CREATED, TRADE_BY_TENANT},
                                     {TRADE_BY_STATION, TRADE_BY_TENANT_STATION},
                                     {TRADE_BY_USER, TRADE_BY_TENANT_USER}};
    int narrower = filter->user_id[0] ? 2 : filter->station_id[0] ? 1 : 0;
    query->order = &trade_table.indexes[indexes[narrower][filter->tenant_id[0] != '\0']];
    add_text(query, "tenant_id", filter->tenant_id);
    if (narrower == 2)
        add_text(query, "user_id", filter->user_id);
    else if (narrower == 1)
        add_text(query, "station_id", filter->station_id);
    if (filter->created_from)
        add(query,
            (struct store_cond){.column = "created_ms", .cmp = STORE_GE, .integer = time_ms(filter->created_from)});
    if (filter->created_to)
        add(query,
            (struct store_cond){.column = "created_ms", .cmp = STORE_LT, .integer = time_ms(filter->created_to)});
}

static const trade_filter *filter_of(const ProtobufCMessage *message) {
    static const trade_filter everything = TXCENTER__TRADE__V1__TRADE_FILTER__INIT;
    const Txcenter__Trade__V1__ListTradesRequest *request = (const void *)message;
    return request->filter ? request->filter : &everything;
}

static bool trade_fits(const ProtobufCMessage *message, const void *row) {
    const trade_filter *filter = filter_of(message);
    const struct trade_row *trade = row;
    return (!filter->state || trade->state == (int32_t)filter->state) &&
           (!filter->station_id[0] || strcmp(trade->station_id, filter->station_id) == 0);
}

static void *trade_shown(const void *row, struct arena *arena) {
    return view_trade_row(row, arena);
}

static void finish_trades(struct reading *reading, void **views, size_t n, char *next) {
    Txcenter__Trade__V1__ListTradesResponse response = TXCENTER__TRADE__V1__LIST_TRADES_RESPONSE__INIT;
    response.trades = (Txcenter__Trade__V1__Trade **)views;
    response.n_trades = n;
    response.next_page_token = next;
    reading_finish(reading, &response.base, NULL);
}

static void check_filter(const trade_filter *filter, struct error *error) {
    check_text(error, "filter.tenant_id", filter->tenant_id, 0, TRADE_ID_MAX);
    check_text(error, "filter.user_id", filter->user_id, 0, TRADE_ID_MAX);
    check_text(error, "filter.station_id", filter->station_id, 0, TRADE_ID_MAX);
    check_range(error, "filter.state", (int64_t)filter->state, 0, TRADE_STATE(CONFLICTED));
    check_moment(error, "filter.created_from", filter->created_from);
    check_moment(error, "filter.created_to", filter->created_to);
}

void read_list(struct trades *trades, struct trade_call *call, const ProtobufCMessage *message) {
    static const struct listing_kind kind = {trade_fits, trade_shown, token_of, finish_trades};
    const Txcenter__Trade__V1__ListTradesRequest *request = (const void *)message;
    const trade_filter *filter = filter_of(message);
    struct reading *reading = reading_new(trades, call, message);
    struct trade_row after = {0};
    struct error error = {0};
    reading_take_page(reading, &error);
    if (request->page_token[0] && !read_token(request->page_token, &after))
        error_field(&error, "page_token", "is none of ours");
    check_filter(filter, &error);
    if (error_is(&error) || !reading_may(reading, "filter.tenant_id", filter->tenant_id, &error)) {
        reading_finish(reading, NULL, &error);
        return;
    }
    struct store_query query = {.table = &trade_table, .descending = true};
    filter_query(filter, &query);
    str_copy(str_c(filter->tenant_id), after.tenant_id, sizeof after.tenant_id);
    str_copy(str_c(filter->user_id), after.user_id, sizeof after.user_id);
    str_copy(str_c(filter->station_id), after.station_id, sizeof after.station_id);
    query.after = request->page_token[0] ? &after : NULL;
    listing_read(reading, &kind, &query);
}

// ---- WatchTrade -----------------------------------------------------------------------------------------------------

struct trade_watch {
    struct trade_watch *next;
    struct trades *trades;
    struct trade_call *call;
    int64_t version; // last sent
    const char *trade_no;
    bool gone; // the caller has left while the trade was being read
    struct trade_waiter waiter;
};

static void watch_free(struct trade_watch *watch) {
    struct trade_watch **at = &watch->trades->watches;
    while (*at != watch)
        at = &(*at)->next;
    *at = watch->next;
    watch->trades->stats.watching--;
    trade_unwait(&watch->waiter);
    free(watch);
}

static void watch_fail(struct trade_watch *watch, const struct error *error) {
    watch->call->fail(watch->call->ctx, error, watch->trade_no, "");
    watch_free(watch);
}

static void watch_fail_as(struct trade_watch *watch, enum err code, const char *text) {
    struct error error;
    error_set(&error, code, "%s", text ? text : err_info(code)->text);
    watch_fail(watch, &error);
}

// Nothing more is expected of a trade in this state, with this much on its way back.
static bool is_over(int32_t state, int64_t refund_pending) {
    switch (state) {
    case TRADE_STATE(CANCELLED):
    case TRADE_STATE(EXPIRED):
    case TRADE_STATE(FAILED):
    case TRADE_STATE(CONFLICTED):
    case TRADE_STATE(REFUNDED): return true;
    case TRADE_STATE(COMPLETED): return refund_pending == 0;
    default: return false;
    }
}

// What is sent, and with it whether it is the last: one byte, then the message.
static bool watch_outcome(struct trade_waiter *waiter, struct arena *arena, struct str *ret_answer,
                          struct error *ret_error) {
    struct trade_watch *watch = CONTAINER_OF(waiter, struct trade_watch, waiter);
    const struct trade_row *row = &waiter->trade->row;
    bool over = is_over(row->state, row->refund_pending), changed = row->version > watch->version;
    if (!changed && !over)
        return false;
    Txcenter__Trade__V1__WatchTradeResponse response = TXCENTER__TRADE__V1__WATCH_TRADE_RESPONSE__INIT;
    response.trade = changed ? view_trade(waiter->trade, arena) : NULL;
    size_t size = changed ? txcenter__trade__v1__watch_trade_response__get_packed_size(&response) : 0;
    uint8_t *bytes = arena_alloc(arena, size + 1);
    if (!bytes || (changed && !response.trade)) {
        error_set(ret_error, ERR_OVERLOADED, "the trade is too large to be shown");
        return true;
    }
    bytes[0] = over;
    if (changed)
        txcenter__trade__v1__watch_trade_response__pack(&response, bytes + 1);
    watch->version = row->version;
    *ret_answer = str_n(bytes, size + 1);
    return true;
}

static bool watch_send(struct trade_watch *watch, struct str message) {
    struct arena arena;
    if (str_empty(message))
        return true;
    arena_init(&arena, ARENA_MAX);
    const Txcenter__Trade__V1__WatchTradeResponse *response =
        adapter_decode(message, &txcenter__trade__v1__watch_trade_response__descriptor, &arena);
    bool sent = response && watch->call->send(watch->call->ctx, &response->base);
    arena_release(&arena);
    return sent;
}

static void watch_done(struct trade_waiter *waiter, struct str answer, const struct error *error) {
    struct trade_watch *watch = CONTAINER_OF(waiter, struct trade_watch, waiter);
    if (error) {
        watch_fail(watch, error);
    } else if (!watch_send(watch, str_n(answer.ptr + 1, answer.len - 1))) {
        watch_fail_as(watch, ERR_OVERLOADED, "the watcher does not keep up; watch again from the last version");
    } else if (answer.ptr[0]) {
        watch->call->end(watch->call->ctx);
        watch_free(watch);
    }
}

static void watch_failed(struct trade_waiter *waiter, const struct error *error) {
    watch_fail(CONTAINER_OF(waiter, struct trade_watch, waiter), error);
}

static void watch_found(void *ctx, struct trade *trade, const struct error *failed) {
    struct trade_watch *watch = ctx;
    if (watch->gone) {
        watch_fail_as(watch, ERR_CANCELLED_BY_CALLER, NULL);
    } else if (failed) {
        watch_fail(watch, failed);
    } else if (!watch->call->may(watch->call->ctx, str_c(trade->row.tenant_id))) {
        watch_fail_as(watch, ERR_TENANT_FORBIDDEN, NULL);
    } else if (trade->n_streams >= WATCHERS_OF_TRADE_MAX) {
        watch_fail_as(watch, ERR_OVERLOADED, "this trade has as many watchers as it may have");
    } else {
        watch->waiter = (struct trade_waiter){
            .outcome = watch_outcome, .done = watch_done, .failed = watch_failed, .streams = true};
        trade_wait(trade, &watch->waiter);
        // The present state, once what is on its way is durable.
        saga_turn_commit(saga_turn_begin(watch->trades->engine, &trade->subject), NULL, NULL);
    }
    if (trade)
        saga_subject_release(&trade->subject);
}

void read_watch(struct trades *trades, struct trade_call *call, const ProtobufCMessage *message) {
    const Txcenter__Trade__V1__WatchTradeRequest *request = (const void *)message;
    struct error error = {0};
    check_trade_no(&error, "trade_no", request->trade_no, true);
    check_range(&error, "after_version", request->after_version, 0, INT64_MAX);
    if (!error_is(&error) && trades->stats.watching >= trades->options.watchers_max) {
        error_set(&error, ERR_OVERLOADED, "%u watchers are there already", trades->options.watchers_max);
        error.retry_after_ms = 1000;
    }
    if (error_is(&error)) {
        call->fail(call->ctx, &error, "", "");
        return;
    }
    struct trade_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        abort();
    *watch = (struct trade_watch){.next = trades->watches,
                                  .trades = trades,
                                  .call = call,
                                  .version = request->after_version,
                                  .trade_no = request->trade_no};
    trades->watches = watch;
    trades->stats.watching++;
    load_trade(trades, str_c(request->trade_no), watch_found, watch);
}

void read_gone(struct trades *trades, struct trade_call *call) {
    for (struct trade_watch *watch = trades->watches; watch; watch = watch->next) {
        if (watch->call != call)
            continue;
        watch->gone = true;
        if (watch->waiter.trade)
            watch_fail_as(watch, ERR_CANCELLED_BY_CALLER, NULL);
        return; // else watch_found() ends it
    }
}

void read_end(struct trades *trades) {
    while (trades->watches)
        watch_fail_as(trades->watches, ERR_SHUTTING_DOWN, NULL);
}
