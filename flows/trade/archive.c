#include "flows/trade/archive.h"

#include "flows/trade/internal.h"

#include <stdio.h>

#define SUFFIX "/late"

void archive_return_no(const struct tender_row *tender, char out[ARCHIVE_RETURN_NO_MAX]) {
    str_print(out, ARCHIVE_RETURN_NO_MAX, "%s" SUFFIX, tender->tender_no);
}

// Callers' numbers hold no '/'.
bool archive_is_return_no(const char *refund_no) {
    return strchr(refund_no, '/') != NULL;
}

struct store_query archive_query(const char *trade_no, char prefix[TRADE_NO_MAX + 2]) {
    snprintf(prefix, TRADE_NO_MAX + 2, "%s-", trade_no);
    return (struct store_query){
        .table = &archived_table,
        .conds = {{.column = "tender_no", .cmp = STORE_PREFIX, .text = str_c(prefix)}},
        .limit = STORE_LIMIT_MAX, // more than a trade can have
    };
}

// ---- Into rows ----------------------------------------------------------------------------------------------------

static void note_return(struct archived_row *row, const struct refund_row *refund, const struct refund_leg_row *leg) {
    row->return_state = leg->state;
    row->return_generation = leg->generation;
    row->return_queries = leg->queries;
    row->return_paid_by = leg->paid_by;
    row->return_created_ms = refund->created_ms;
    row->return_done_ms = refund->done_ms;
    row->return_next_query_ms = leg->next_query_ms;
    memcpy(row->return_detail, leg->detail, sizeof row->return_detail);
}

// What the trade never waited for is over with it: whatever comes for it is late.
static int32_t final_state(const struct tender_row *tender) {
    bool open = tender->state == TENDER_STATE(CREATED) || tender->state == TENDER_STATE(PENDING);
    return open ? (int32_t)TENDER_STATE(CLOSED) : tender->state;
}

static struct archived_row row_of(const struct trade *trade, const struct tender_row *tender, int64_t now_ms) {
    const struct pay_attempt_row *attempt = trade_attempt(trade, tender->attempt_no);
    struct archived_row row = {
        .attempt_no = tender->attempt_no,
        .tender = tender->tender,
        .kind = tender->kind,
        .state = final_state(tender),
        .undo = tender->undo,
        .trade_state = trade->row.state,
        .amount = tender->amount,
        .refunded = tender->refunded,
        .created_ms = trade->row.created_ms,
        .paid_ms = tender->paid_ms,
        .since_ms = now_ms,
    };
    memcpy(row.tender_no, tender->tender_no, sizeof row.tender_no);
    memcpy(row.trade_no, trade->row.trade_no, sizeof row.trade_no);
    memcpy(row.tenant_id, trade->row.tenant_id, sizeof row.tenant_id);
    memcpy(row.user_id, trade->row.user_id, sizeof row.user_id);
    memcpy(row.station_id, trade->row.station_id, sizeof row.station_id);
    memcpy(row.order_no, attempt ? attempt->order_no : trade->row.order_no, sizeof row.order_no);
    memcpy(row.gateway_no, tender->gateway_no, sizeof row.gateway_no);
    memcpy(row.merchant_id, tender->merchant_id, sizeof row.merchant_id);
    memcpy(row.currency, trade->row.currency, sizeof row.currency);
    memcpy(row.detail, tender->detail, sizeof row.detail);
    return row;
}

void archive_keep(const struct trade *trade, struct saga_turn *turn) {
    const struct tender_row *tender;
    for (size_t i = 0; (tender = trade_at(trade, PART_TENDER, i)); i++) {
        struct archived_row row = row_of(trade, tender, saga_turn_now(turn));
        saga_turn_row(turn, &archived_table, STORE_PUT, &row);
    }
}

// Whether the row has changed; it is written now.
static bool take_change(void *row) {
    struct trade_item *item = row ? CONTAINER_OF(row, struct trade_item, row) : NULL;
    bool dirty = item && item->dirty;
    if (item)
        item->dirty = false;
    return dirty;
}

void archive_flush(struct trade *trade, struct store_write *write) {
    struct tender_row *tender;
    for (size_t i = 0; (tender = trade_at(trade, PART_TENDER, i)); i++) {
        char number[ARCHIVE_RETURN_NO_MAX];
        archive_return_no(tender, number);
        struct refund_row *refund = trade_refund(trade, str_c(number));
        struct refund_leg_row *leg = refund ? trade_refund_leg(trade, number, 0) : NULL;
        bool changed = take_change(tender);
        changed = take_change(refund) || changed;
        changed = take_change(leg) || changed;
        if (!changed)
            continue;
        struct archived_row row = row_of(trade, tender, trades_now(trade->trades));
        if (refund && leg)
            note_return(&row, refund, leg);
        store_row(write, &archived_table, STORE_PUT, &row);
    }
    trade->dirty = false;
}

// ---- From rows ----------------------------------------------------------------------------------------------------

static void *add(struct trade *trade, enum trade_part part, const void *row) {
    void *added = trade_add(trade, part, row);
    struct trade_item *item = CONTAINER_OF(added, struct trade_item, row);
    item->dirty = false;
    item->stored = true;
    return added;
}

static void fill_attempt(struct trade *trade, const struct archived_row *row) {
    struct pay_attempt_row attempt = {.attempt_no = row->attempt_no, .created_ms = row->created_ms};
    if (trade_attempt(trade, row->attempt_no))
        return;
    attempt.state = row->paid_ms && row->state == TENDER_STATE(PAID) ? ATTEMPT_PAID : ATTEMPT_FAILED;
    memcpy(attempt.order_no, row->order_no, sizeof attempt.order_no);
    add(trade, PART_ATTEMPT, &attempt);
}

static void fill_return(struct trade *trade, const struct tender_row *tender, const struct archived_row *row) {
    struct refund_row refund = {
        .kind = REFUND_RETURN,
        .state = row->return_done_ms ? REFUND_STATE(DONE) : REFUND_STATE(PENDING),
        .amount = row->amount,
        .legs = 1,
        .created_ms = row->return_created_ms,
        .done_ms = row->return_done_ms,
    };
    struct refund_leg_row leg = {
        .attempt_no = row->attempt_no,
        .tender = row->tender,
        .state = row->return_state,
        .amount = row->amount,
        .next_query_ms = row->return_next_query_ms,
        .queries = row->return_queries,
        .generation = row->return_generation,
        .asked_as = row->return_generation, // it has one saga
        .paid_by = row->return_paid_by,
    };
    archive_return_no(tender, refund.refund_no);
    memcpy(leg.refund_no, refund.refund_no, sizeof leg.refund_no);
    memcpy(leg.detail, row->return_detail, sizeof leg.detail);
    add(trade, PART_REFUND, &refund);
    add(trade, PART_REFUND_LEG, &leg);
}

static void fill_tender(struct trade *trade, const struct archived_row *row) {
    struct tender_row tender = {
        .attempt_no = row->attempt_no,
        .tender = row->tender,
        .kind = row->kind,
        .state = row->state,
        .undo = row->undo,
        .amount = row->amount,
        .refunded = row->refunded,
        .paid_ms = row->paid_ms,
    };
    memcpy(tender.tender_no, row->tender_no, sizeof tender.tender_no);
    memcpy(tender.gateway_no, row->gateway_no, sizeof tender.gateway_no);
    memcpy(tender.merchant_id, row->merchant_id, sizeof tender.merchant_id);
    memcpy(tender.detail, row->detail, sizeof tender.detail);
    fill_attempt(trade, row);
    add(trade, PART_TENDER, &tender);
    if (row->return_state)
        fill_return(trade, &tender, row);
}

void archive_fill(struct trade *trade, const struct archived_row *rows, size_t n) {
    struct trade_row *row = &trade->row;
    trade->archived = trade->stored = true;
    trade->archived_ms = rows[0].since_ms;
    row->state = rows[0].trade_state;
    row->created_ms = rows[0].created_ms;
    memcpy(row->tenant_id, rows[0].tenant_id, sizeof row->tenant_id);
    memcpy(row->user_id, rows[0].user_id, sizeof row->user_id);
    memcpy(row->station_id, rows[0].station_id, sizeof row->station_id);
    memcpy(row->order_no, rows[n - 1].order_no, sizeof row->order_no);
    memcpy(row->currency, rows[0].currency, sizeof row->currency);
    for (size_t i = 0; i < n; i++) {
        row->attempt_no = rows[i].attempt_no > row->attempt_no ? rows[i].attempt_no : row->attempt_no;
        fill_tender(trade, &rows[i]);
    }
}
