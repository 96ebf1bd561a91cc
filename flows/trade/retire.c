#include "flows/trade/retire.h"

#include "flows/trade/archive.h"
#include "flows/trade/check.h"
#include "flows/trade/internal.h"
#include "flows/trade/load.h"
#include "flows/trade/matter.h"
#include "flows/trade/parts.h"
#include "flows/trade/refund_end.h"

#include <stdlib.h>

enum {
    ROWS_MAX = 2000, // of one trade, deleted in one transaction
    CHUNK = 500,     // of a larger one, in each of several
    ORDERS_MAX = STORE_LIMIT_MAX,
};
_Static_assert((int)TRADE_VERSIONS_MAX <= (int)ORDERS_MAX,
               "a trade has at most an order for each version of its quote");

// ---- As what it is closed -----------------------------------------------------------------------------------------

static int32_t closed_as(const struct trade_row *row) {
    switch (row->state) {
    case TRADE_STATE(CREATED):
    case TRADE_STATE(QUOTED):
    case TRADE_STATE(CANCELLED):
    case TRADE_STATE(EXPIRED):
    case TRADE_STATE(FAILED): return row->purchase_no == 0 ? TRADE_UNORDERED : TRADE_UNPAID;
    case TRADE_STATE(COMPLETED):
    case TRADE_STATE(PARTIALLY_REFUNDED):
    case TRADE_STATE(REFUNDED): return row->refund_pending > 0 ? TRADE_OPEN : TRADE_SOLD;
    case TRADE_STATE(CONFLICTED): return TRADE_DISPUTED;
    default: return TRADE_OPEN;
    }
}

void retire_note(struct trade_row *row) {
    int32_t closed = row->closed == TRADE_LEAVING ? TRADE_LEAVING : closed_as(row);
    if (closed != row->closed)
        row->closed_ms = row->updated_ms;
    row->closed = closed;
}

static int64_t kept_ms(void *ctx, int32_t closed) {
    const struct trades *trades = ctx;
    return closed == TRADE_LEAVING ? 1 : trades->options.kept_ms[closed];
}

static int64_t strays_kept(void *ctx) {
    return ((const struct trades *)ctx)->options.strays_kept_ms;
}

// As long as a trade that was sold: then nobody knows any more who has paid.
static int64_t fuellings_kept(void *ctx) {
    return ((const struct trades *)ctx)->options.kept_ms[TRADE_SOLD];
}

static int64_t archive_kept(void *ctx) {
    return ((const struct trades *)ctx)->options.archive_kept_ms;
}

// ---- One trade on its way out -------------------------------------------------------------------------------------

struct retiring {
    struct retiring *next, **link; // of the trades'
    struct trades *trades;
    struct saga_leaving *leaving;
    struct trade *trade; // held; NULL: its rows alone
    char trade_no[TRADE_NO_MAX + 1];
    int part;
    size_t rows;
    struct store_group group;
};

static void retiring_free(struct retiring *retiring) {
    *retiring->link = retiring->next;
    if (retiring->next)
        retiring->next->link = retiring->link;
    if (retiring->trade)
        saga_subject_release(&retiring->trade->subject);
    free(retiring);
}

void retire_end(struct trades *trades) {
    while (trades->retiring)
        retiring_free(trades->retiring);
}

static void end(struct retiring *retiring, bool gone) {
    struct saga_leaving *leaving = retiring->leaving;
    struct trade *trade = retiring->trade;
    size_t rows = retiring->rows;
    if (trade)
        trade->leaving = false;
    if (trade && gone)
        trade_leave_memory(trade);
    retiring_free(retiring);
    saga_leaving_done(leaving, gone, rows);
}

// Every tender is definite, nothing is on its way back, and nothing waits for an operator.
static bool is_settled(const struct trade *trade) {
    const struct pay_attempt_row *attempt;
    const struct tender_row *tender;
    const struct refund_row *refund;
    for (size_t i = 0; (attempt = trade_at(trade, PART_ATTEMPT, i)); i++)
        if (attempt->state == ATTEMPT_OPEN)
            return false;
    for (size_t i = 0; (tender = trade_at(trade, PART_TENDER, i)); i++)
        if (tender->state == TENDER_STATE(RETURNING) || tender->undo == UNDO_REVERSING)
            return false;
    for (size_t i = 0; (refund = trade_at(trade, PART_REFUND, i)); i++)
        if (!refund_end_is_over(refund))
            return false;
    return !matter_any_open(trade);
}

// Nobody uses it, and nothing has changed about it since its sagas were looked at.
static bool may_go(const struct trade *trade, const struct saga_leaving *leaving) {
    const struct trade_row *row = &trade->row;
    int64_t kept = kept_ms(trade->trades, row->closed);
    int64_t since_ms = row->closed == TRADE_UNORDERED ? row->updated_ms : row->closed_ms; // quoted again counts
    return row->closed != TRADE_OPEN && kept > 0 && since_ms + kept <= trades_now(trade->trades) &&
           row->updated_ms < saga_leaving_since(leaving) && trade_is_idle(trade, 1) && is_settled(trade);
}

static void gone(void *ctx, const struct error *error) {
    end(ctx, !error);
}

static size_t count_rows(const struct trade *trade) {
    size_t n = 1;
    for (int part = 0; part < TRADE_PARTS; part++)
        n += trade->parts[part].n * (part == PART_TENDER ? 2 : 1); // each leaves a row
    return n;
}

static size_t rows_max(const struct trades *trades) {
    return trades->options.retire_rows_max ? trades->options.retire_rows_max : ROWS_MAX;
}

static void delete_parts(struct saga_turn *turn, const struct trade *trade) {
    const void *row;
    for (int part = 0; part < TRADE_PARTS; part++)
        for (size_t i = 0; (row = trade_at(trade, (enum trade_part)part, i)); i++)
            saga_turn_row(turn, trade_part_tables[part], STORE_DELETE, row);
}

static void delete_root(struct retiring *retiring, struct saga_turn *turn, const struct order_row *orders, size_t n) {
    struct trade_row row = {0};
    memcpy(row.trade_no, retiring->trade_no, sizeof row.trade_no);
    for (size_t i = 0; i < n; i++)
        saga_turn_row(turn, &order_table, STORE_DELETE, &orders[i]);
    saga_turn_row(turn, &trade_table, STORE_DELETE, &row);
    saga_leaving_rows(retiring->leaving, turn);
    retiring->rows += 1 + n;
}

static void read_orders(struct retiring *retiring, store_rows_fn *done) {
    struct store_query query = {
        .table = &order_table,
        .conds = {{.column = "trade_no", .cmp = STORE_EQ, .text = str_c(retiring->trade_no)}},
        .order = &order_table.indexes[ORDER_BY_TRADE],
        .limit = ORDERS_MAX,
    };
    store_read(retiring->trades->options.store, &query, done, retiring);
}

// In one transaction.
static void orders_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct retiring *retiring = ctx;
    struct trade *trade = retiring->trade;
    if (error || !may_go(trade, retiring->leaving)) {
        end(retiring, false);
        return;
    }
    struct saga_turn *turn = saga_turn_begin(retiring->trades->engine, &trade->subject);
    trade->leaving = true;
    archive_keep(trade, turn);
    delete_parts(turn, trade);
    retiring->rows = count_rows(trade) - 1;
    delete_root(retiring, turn, rows, n);
    saga_turn_commit(turn, gone, retiring);
}

// It is a large one: from here on nobody finds it, and its rows go the next time.
static void marked(void *ctx, const struct error *error) {
    struct retiring *retiring = ctx;
    struct trade *trade = retiring->trade;
    if (!error)
        trade_leave_memory(trade);
    end(retiring, false);
}

static void mark(struct retiring *retiring) {
    struct trade *trade = retiring->trade;
    struct saga_turn *turn = saga_turn_begin(retiring->trades->engine, &trade->subject);
    trade->leaving = true;
    archive_keep(trade, turn);
    trade_edit(trade)->closed = TRADE_LEAVING;
    trade->row.closed_ms = saga_turn_now(turn);
    saga_turn_commit(turn, marked, retiring);
}

static void trade_found(void *ctx, struct trade *trade, const struct error *error) {
    struct retiring *retiring = ctx;
    (void)error;
    retiring->trade = trade;
    if (!trade || !may_go(trade, retiring->leaving))
        end(retiring, false);
    else if (count_rows(trade) > rows_max(retiring->trades))
        mark(retiring);
    else
        read_orders(retiring, orders_read);
}

// ---- A large one --------------------------------------------------------------------------------------------------

static void clear_part(struct retiring *retiring);

static void part_cleared(void *ctx, const struct error *error) {
    struct retiring *retiring = ctx;
    if (error)
        end(retiring, false);
    else
        clear_part(retiring);
}

static void part_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct retiring *retiring = ctx;
    const struct store_table *table = trade_part_tables[retiring->part];
    if (error) {
        end(retiring, false);
        return;
    }
    if (n < CHUNK)
        retiring->part++;
    struct store_write *write = store_write_new(retiring->trades->options.store);
    for (size_t i = 0; i < n; i++)
        store_row(write, table, STORE_DELETE, (const char *)rows + i * table->row_size);
    retiring->rows += n;
    store_submit(retiring->trades->options.store, write, &retiring->group, part_cleared, retiring);
}

static void last_orders_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct retiring *retiring = ctx;
    if (error) {
        end(retiring, false);
        return;
    }
    struct saga_turn *turn = saga_turn_begin(retiring->trades->engine, NULL);
    delete_root(retiring, turn, rows, n);
    saga_turn_commit(turn, gone, retiring);
}

static void clear_part(struct retiring *retiring) {
    if (retiring->part == TRADE_PARTS) {
        read_orders(retiring, last_orders_read);
        return;
    }
    struct store_query query = {
        .table = trade_part_tables[retiring->part],
        .conds = {{.column = "trade_no", .cmp = STORE_EQ, .text = str_c(retiring->trade_no)}},
        .limit = CHUNK,
    };
    store_read(retiring->trades->options.store, &query, part_read, retiring);
}

static void retire(void *ctx, struct str key, struct saga_leaving *leaving) {
    struct retiring *retiring = calloc(1, sizeof *retiring);
    if (!retiring)
        abort();
    struct trades *trades = ctx;
    retiring->trades = trades;
    retiring->leaving = leaving;
    retiring->next = trades->retiring;
    retiring->link = &trades->retiring;
    if (retiring->next)
        retiring->next->link = &retiring->next;
    trades->retiring = retiring;
    str_copy(key, retiring->trade_no, sizeof retiring->trade_no);
    if (saga_leaving_closed(leaving) == TRADE_LEAVING)
        clear_part(retiring);
    else
        load_trade(trades, str_c(retiring->trade_no), trade_found, retiring);
}

// ---- The estate ---------------------------------------------------------------------------------------------------

static const struct saga_aged aged[] = {
    // One that is open stays until it is settled, however old: it may be all that is known of money.
    {&settled_stray_table, SAGA_AGED_ANYHOW, .at_offset = offsetof(struct stray_row, settled_ms),
     .kept_ms = strays_kept},
    {&archived_table, SAGA_AGED_BY_INDEX, ARCHIVED_BY_AGE, offsetof(struct archived_row, since_ms), archive_kept},
    {&fuelling_table, SAGA_AGED_BY_INDEX, FUELLING_BY_AGE, offsetof(struct fuelling_row, claimed_ms), fuellings_kept},
    {.table = NULL},
};

const struct saga_estate retire_estate = {
    .table = &trade_table,
    .by_end = TRADE_BY_CLOSED,
    .since_offset = offsetof(struct trade_row, closed_ms),
    .n_closed = TRADE_CLOSED_KINDS - 1,
    .kept_ms = kept_ms,
    .retire = retire,
    .aged = aged,
    .check = check_trade,
};
