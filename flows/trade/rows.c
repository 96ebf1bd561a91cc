#include "flows/trade/rows.h"

#include "flows/trade/trades.h"

#define TABLE(table_name, row, keys, ...)                                                                              \
    .name = (table_name), .row_size = sizeof(struct row), .columns = row##_columns,                                    \
    .n_columns = STORE_COUNT(row##_columns), .n_key = (keys), .since = 1, __VA_ARGS__

// What a layer of discounts took off, and how a benefit after payment stands: columns for the tables of these. Each
// ends in a comma.
#define DISCOUNT(row, NAME, layer, version)                                                                            \
    {.name = #layer "_discount",                                                                                       \
     .type = STORE_I64,                                                                                                \
     .since = (version),                                                                                               \
     .offset = offsetof(struct row, discount[SOLVER_LAYER_##NAME])},
#define TRADE_DISCOUNT(NAME, layer, version) DISCOUNT(trade_row, NAME, layer, version)
#define LINE_DISCOUNT(NAME, layer, version) DISCOUNT(line_row, NAME, layer, version)
#define AFTER(NAME, benefit, version, ...)                                                                             \
    {.name = #benefit "_state",                                                                                        \
     .type = STORE_I32,                                                                                                \
     .since = (version),                                                                                               \
     .offset = offsetof(struct trade_row, after[AFTER_##NAME].state)},                                                 \
        {.name = #benefit "_generation",                                                                               \
         .type = STORE_I32,                                                                                            \
         .since = (version),                                                                                           \
         .offset = offsetof(struct trade_row, after[AFTER_##NAME].generation)},

static const struct store_column trade_row_columns[] = {
    STORE_COL_TEXT(trade_row, trade_no),
    STORE_COL_I64(trade_row, version),
    STORE_COL_I32(trade_row, state),
    STORE_COL_I32(trade_row, closing),
    STORE_COL_TEXT(trade_row, tenant_id, .fixed = true),
    STORE_COL_TEXT(trade_row, user_id),
    STORE_COL_TEXT(trade_row, station_id),
    STORE_COL_TEXT(trade_row, terminal_id),
    STORE_COL_TEXT(trade_row, employee_id),
    STORE_COL_TEXT(trade_row, channel),
    STORE_COL_TEXT(trade_row, scenario),
    STORE_COL_TEXT(trade_row, shift_id),
    STORE_COL_TEXT(trade_row, business_date),
    STORE_COL_TEXT(trade_row, currency),
    STORE_COL_TEXT(trade_row, order_no),
    STORE_COL_I32(trade_row, quote_version),
    STORE_COL_I32(trade_row, ordered_version),
    STORE_COL_TEXT(trade_row, combination_id),
    STORE_COL_I32(trade_row, purchase_no),
    STORE_COL_I32(trade_row, attempt_no),
    STORE_COL_I32(trade_row, refund_count),
    STORE_COL_I32(trade_row, ledger_entries),
    STORE_COL_I32(trade_row, paid_entry),
    STORE_COL_I64(trade_row, payable),
    STORE_COL_I64(trade_row, list_price),
    STORE_COL_I64(trade_row, points),
    STORE_COL_I64(trade_row, paid),
    STORE_COL_I64(trade_row, refunded),
    STORE_COL_I64(trade_row, refund_pending),
    STORE_COL_I64(trade_row, created_ms, .fixed = true),
    STORE_COL_I64(trade_row, updated_ms),
    STORE_COL_I64(trade_row, quoted_ms),
    STORE_COL_I64(trade_row, order_expires_ms),
    STORE_COL_I64(trade_row, paid_ms),
    STORE_COL_I64(trade_row, completed_ms),
    STORE_COL_I64(trade_row, points_awarded),
    STORE_COL_I64(trade_row, points_clawed_back),
    STORE_COL_TEXT(trade_row, created_by),
    STORE_COL_TEXT(trade_row, call_id, .since = 3),
    STORE_COL_TEXT(trade_row, traceparent, .since = 3),
    STORE_COL_TEXT(trade_row, reason),
    STORE_COL_TEXT(trade_row, text),
    STORE_COL_I32(trade_row, failure),
    STORE_COL_I32(trade_row, closed, .since = 4),
    STORE_COL_I64(trade_row, closed_ms, .since = 4),
    STORE_COL_I32(trade_row, stopped, .since = 4),
    STORE_COL_I32(trade_row, missed, .since = 4),
    STORE_COL_I32(trade_row, mode, .since = 5),
    STORE_COL_I32(trade_row, quotas, .since = 5),
    STORE_COL_I32(trade_row, matters, .since = 5),
    STORE_COL_I32(trade_row, coupons, .since = 5),
    STORE_COL_TEXT(trade_row, posted_shift, .since = 5),
    STORE_COL_TEXT(trade_row, posted_date, .since = 5),
    STORE_COL_I32(trade_row, adjust, .since = 5),
    STORE_COL_I32(trade_row, capturing, .since = 5),
    STORE_COL_I32(trade_row, adjust_entry, .since = 5),
    STORE_COL_I64(trade_row, authorised, .since = 5),
    STORE_COL_I64(trade_row, adjusted_ms, .since = 5),
    STORE_COL_I32(trade_row, unsold, .since = 5),
    STORE_COL_I32(trade_row, next_version, .since = 5),
    STORE_COL_I32(trade_row, next_mode, .since = 5),
    STORE_COL_I32(trade_row, next_expires_s, .since = 5),
    STORE_COL_TEXT(trade_row, next_combination, .since = 5),
    SOLVER_LAYER_TABLE(TRADE_DISCOUNT) AFTER_TABLE(AFTER) STORE_COL_BLOB(trade_row, history, 4096),
};
static const struct store_index trade_indexes[] = {
    [TRADE_BY_CREATED] = {.name = "trade_by_created", .columns = {"created_ms"}},
    [TRADE_BY_TENANT] = {.name = "trade_by_tenant", .columns = {"tenant_id", "created_ms"}},
    [TRADE_BY_USER] = {.name = "trade_by_user", .columns = {"user_id", "created_ms"}},
    [TRADE_BY_STATION] = {.name = "trade_by_station", .columns = {"station_id", "created_ms"}},
    [TRADE_BY_CLOSED] = {.name = "trade_by_closed", .columns = {"closed", "closed_ms"}, .since = 4},
    [TRADE_BY_TENANT_USER] = {.name = "trade_by_tenant_user",
                              .columns = {"tenant_id", "user_id", "created_ms"},
                              .since = 5},
    [TRADE_BY_TENANT_STATION] = {.name = "trade_by_tenant_station",
                                 .columns = {"tenant_id", "station_id", "created_ms"},
                                 .since = 5},
};
const struct store_table trade_table = {
    TABLE("trade", trade_row, 1, .indexes = trade_indexes, .n_indexes = STORE_COUNT(trade_indexes))};

static const struct store_column fuelling_row_columns[] = {
    STORE_COL_TEXT(fuelling_row, tenant_id),
    STORE_COL_TEXT(fuelling_row, station_id),
    STORE_COL_TEXT(fuelling_row, nozzle),
    STORE_COL_TEXT(fuelling_row, pump_serial),
    STORE_COL_I32(fuelling_row, term),
    STORE_COL_TEXT(fuelling_row, trade_no, .fixed = true),
    STORE_COL_I32(fuelling_row, purchase_no, .fixed = true),
    STORE_COL_I64(fuelling_row, claimed_ms, .fixed = true),
};
static const struct store_index fuelling_indexes[] = {
    [FUELLING_BY_AGE] = {.name = "trade_fuelling_by_age", .columns = {"claimed_ms"}},
};
const struct store_table fuelling_table = {
    .name = "trade_fuelling",
    .row_size = sizeof(struct fuelling_row),
    .columns = fuelling_row_columns,
    .indexes = fuelling_indexes,
    .n_columns = STORE_COUNT(fuelling_row_columns),
    .n_key = 5,
    .n_indexes = STORE_COUNT(fuelling_indexes),
    .since = 5,
};

static const struct store_column order_row_columns[] = {
    STORE_COL_TEXT(order_row, order_no),
    STORE_COL_TEXT(order_row, trade_no, .fixed = true),
    STORE_COL_I32(order_row, purchase_no),
};
static const struct store_index order_indexes[] = {
    [ORDER_BY_TRADE] = {.name = "trade_order_by_trade", .columns = {"trade_no"}, .since = 4},
};
const struct store_table order_table = {
    TABLE("trade_order", order_row, 1, .indexes = order_indexes, .n_indexes = STORE_COUNT(order_indexes))};

static const struct store_column quote_row_columns[] = {
    STORE_COL_TEXT(quote_row, trade_no),
    STORE_COL_I32(quote_row, version),
    STORE_COL_I64(quote_row, created_ms),
    STORE_COL_I64(quote_row, expires_ms),
    STORE_COL_I32(quote_row, degraded),
    STORE_COL_BLOB(quote_row, quote, TRADE_BLOB_MAX),
    STORE_COL_BLOB(quote_row, facts, TRADE_BLOB_MAX),
};
const struct store_table quote_table = {TABLE("trade_quote", quote_row, 2, )};

static const struct store_column line_row_columns[] = {
    STORE_COL_TEXT(line_row, trade_no),
    STORE_COL_I32(line_row, purchase_no),
    STORE_COL_I32(line_row, line),
    STORE_COL_TEXT(line_row, kind),
    STORE_COL_TEXT(line_row, code),
    STORE_COL_TEXT(line_row, name),
    STORE_COL_TEXT(line_row, nozzle),
    STORE_COL_I64(line_row, volume_centi),
    STORE_COL_I64(line_row, unit_price),
    STORE_COL_I64(line_row, list_price),
    STORE_COL_I64(line_row, payable),
    STORE_COL_I64(line_row, refund_taken),
    SOLVER_LAYER_TABLE(LINE_DISCOUNT) STORE_COL_I64(line_row, refund_done),
    STORE_COL_I64(line_row, quantity, .since = 5),
    STORE_COL_I32(line_row, delivery, .since = 5),
    STORE_COL_TEXT(line_row, returned_by, .since = 5),
    STORE_COL_TEXT(line_row, pump_serial, .since = 5),
    STORE_COL_I32(line_row, authorised, .since = 5),
};
const struct store_table line_table = {TABLE("trade_line", line_row, 3, )};

static const struct store_column pay_attempt_row_columns[] = {
    STORE_COL_TEXT(pay_attempt_row, trade_no),
    STORE_COL_I32(pay_attempt_row, attempt_no),
    STORE_COL_I32(pay_attempt_row, state),
    STORE_COL_I32(pay_attempt_row, on_failure),
    STORE_COL_I32(pay_attempt_row, offered),
    STORE_COL_I64(pay_attempt_row, created_ms),
    STORE_COL_I64(pay_attempt_row, deadline_ms),
    STORE_COL_I64(pay_attempt_row, ended_ms),
    STORE_COL_TEXT(pay_attempt_row, order_no),
    STORE_COL_TEXT(pay_attempt_row, reason),
    STORE_COL_TEXT(pay_attempt_row, text),
    STORE_COL_I32(pay_attempt_row, recalled, .since = 4),
    STORE_COL_I64(pay_attempt_row, rounding_off, .since = 5),
};
const struct store_table pay_attempt_table = {TABLE("trade_attempt", pay_attempt_row, 2, )};

static const struct store_column tender_row_columns[] = {
    STORE_COL_TEXT(tender_row, trade_no),
    STORE_COL_I32(tender_row, attempt_no),
    STORE_COL_I32(tender_row, tender),
    STORE_COL_TEXT(tender_row, tender_no),
    STORE_COL_I32(tender_row, kind),
    STORE_COL_I32(tender_row, state),
    STORE_COL_I64(tender_row, amount),
    STORE_COL_TEXT(tender_row, account),
    STORE_COL_BLOB(tender_row, prepay_parameters, TRADE_PARAMETERS_MAX),
    STORE_COL_TEXT(tender_row, gateway_no),
    STORE_COL_I64(tender_row, payer_amount),
    STORE_COL_I64(tender_row, gateway_discount),
    STORE_COL_I64(tender_row, merchant_discount),
    STORE_COL_I64(tender_row, settlement_amount),
    STORE_COL_I64(tender_row, principal),
    STORE_COL_I64(tender_row, bonus),
    STORE_COL_I64(tender_row, refunded),
    STORE_COL_I64(tender_row, refund_pending),
    STORE_COL_I64(tender_row, next_query_ms),
    STORE_COL_I32(tender_row, queries),
    STORE_COL_I64(tender_row, paid_ms),
    STORE_COL_TEXT(tender_row, detail),
    STORE_COL_I32(tender_row, undo, .since = 3),
    STORE_COL_TEXT(tender_row, merchant_id, .since = 5),
};
const struct store_table tender_table = {TABLE("trade_tender", tender_row, 3, )};

static const struct store_column refund_row_columns[] = {
    STORE_COL_TEXT(refund_row, trade_no),
    STORE_COL_TEXT(refund_row, refund_no),
    STORE_COL_I32(refund_row, kind),
    STORE_COL_I32(refund_row, state),
    STORE_COL_I64(refund_row, amount),
    STORE_COL_I32(refund_row, final),
    STORE_COL_I32(refund_row, legs),
    STORE_COL_I32(refund_row, entry),
    STORE_COL_I64(refund_row, refunded_before),
    STORE_COL_TEXT(refund_row, reason),
    STORE_COL_I64(refund_row, created_ms),
    STORE_COL_I64(refund_row, done_ms),
    STORE_COL_I64(refund_row, points_given_back),
    STORE_COL_I64(refund_row, points_clawed_back),
    STORE_COL_I64(refund_row, points_shortfall),
    STORE_COL_I32(refund_row, coupons_spent, .since = 5),
    STORE_COL_I32(refund_row, gifts_spent, .since = 5),
    STORE_COL_I32(refund_row, awaits, .since = 5),
    STORE_COL_I32(refund_row, marked),
    STORE_COL_I32(refund_row, stopped, .since = 4),
    STORE_COL_I32(refund_row, recharge, .since = 5),
    STORE_COL_TEXT(refund_row, posted_shift, .since = 5),
    STORE_COL_TEXT(refund_row, posted_date, .since = 5),
    STORE_COL_BLOB(refund_row, line_parts, 8 * TRADE_LINES_MAX),
    STORE_COL_BLOB(refund_row, invoice_parts, 8 * TRADE_INVOICES_MAX * TRADE_TENDERS_MAX, .since = 5),
};
const struct store_table refund_table = {TABLE("trade_refund", refund_row, 2, )};

static const struct store_column refund_leg_row_columns[] = {
    STORE_COL_TEXT(refund_leg_row, trade_no),
    STORE_COL_TEXT(refund_leg_row, refund_no),
    STORE_COL_I32(refund_leg_row, leg),
    STORE_COL_I32(refund_leg_row, attempt_no),
    STORE_COL_I32(refund_leg_row, tender),
    STORE_COL_I32(refund_leg_row, state),
    STORE_COL_I64(refund_leg_row, amount),
    STORE_COL_I64(refund_leg_row, next_query_ms),
    STORE_COL_I32(refund_leg_row, queries),
    STORE_COL_TEXT(refund_leg_row, detail),
    STORE_COL_I32(refund_leg_row, generation, .since = 3),
    STORE_COL_I64(refund_leg_row, payer_amount, .since = 3),
    STORE_COL_I64(refund_leg_row, gateway_discount, .since = 3),
    STORE_COL_I64(refund_leg_row, merchant_discount, .since = 3),
    STORE_COL_I64(refund_leg_row, settlement_amount, .since = 3),
    STORE_COL_I32(refund_leg_row, paid_by, .since = 5),
    STORE_COL_I32(refund_leg_row, asked_as, .since = 5),
};
const struct store_table refund_leg_table = {TABLE("trade_refund_leg", refund_leg_row, 3, )};

static const struct store_column ledger_row_columns[] = {
    STORE_COL_TEXT(ledger_row, trade_no), STORE_COL_I32(ledger_row, entry),  STORE_COL_I32(ledger_row, line),
    STORE_COL_TEXT(ledger_row, account),  STORE_COL_I64(ledger_row, amount), STORE_COL_TEXT(ledger_row, text),
    STORE_COL_I64(ledger_row, at_ms),
};
const struct store_table ledger_table = {TABLE("trade_ledger", ledger_row, 3, )};

static const struct store_column matter_row_columns[] = {
    STORE_COL_TEXT(matter_row, trade_no),   STORE_COL_I32(matter_row, number),
    STORE_COL_I32(matter_row, kind),        STORE_COL_I32(matter_row, outcome),
    STORE_COL_TEXT(matter_row, tenant_id),  STORE_COL_TEXT(matter_row, currency),
    STORE_COL_TEXT(matter_row, what),       STORE_COL_TEXT(matter_row, reason),
    STORE_COL_TEXT(matter_row, text),       STORE_COL_I64(matter_row, amount),
    STORE_COL_I64(matter_row, points),      STORE_COL_TEXT(matter_row, gid),
    STORE_COL_I64(matter_row, created_ms),  STORE_COL_I64(matter_row, settled_ms),
    STORE_COL_TEXT(matter_row, settled_by), STORE_COL_TEXT(matter_row, note),
    STORE_COL_TEXT(matter_row, reference),  STORE_COL_I32(matter_row, generation),
    STORE_COL_I32(matter_row, tries),
};
static const struct store_index matter_indexes[] = {
    [MATTER_BY_SETTLED] = {.name = "trade_matter_by_settled", .columns = {"settled_ms", "created_ms"}},
    [MATTER_BY_TENANT] = {.name = "trade_matter_by_tenant", .columns = {"tenant_id", "settled_ms", "created_ms"}},
};
const struct store_table matter_table = {
    .name = "trade_matter",
    .row_size = sizeof(struct matter_row),
    .columns = matter_row_columns,
    .n_columns = STORE_COUNT(matter_row_columns),
    .n_key = 2,
    .indexes = matter_indexes,
    .n_indexes = STORE_COUNT(matter_indexes),
    .since = 5,
};

#define STRAY_COLUMNS                                                                                                  \
    STORE_COL_TEXT(stray_row, key_id), STORE_COL_TEXT(stray_row, nonce), STORE_COL_I32(stray_row, kind),               \
        STORE_COL_TEXT(stray_row, number), STORE_COL_BLOB(stray_row, body, 65536),                                     \
        STORE_COL_I64(stray_row, received_ms), STORE_COL_TEXT(stray_row, why, .since = 5),                             \
        STORE_COL_TEXT(stray_row, trade_no, .since = 5)
static const struct store_column stray_row_columns[] = {STRAY_COLUMNS};
static const struct store_index stray_indexes[] = {
    [STRAY_BY_AGE] = {.name = "trade_stray_by_age", .columns = {"received_ms"}, .since = 5},
};
const struct store_table stray_table = {
    TABLE("trade_stray_callback", stray_row, 2, .indexes = stray_indexes, .n_indexes = STORE_COUNT(stray_indexes))};

static const struct store_column settled_stray_columns[] = {
    STRAY_COLUMNS,
    STORE_COL_I64(stray_row, settled_ms),
    STORE_COL_I32(stray_row, outcome),
    STORE_COL_TEXT(stray_row, settled_by),
    STORE_COL_TEXT(stray_row, note),
    STORE_COL_TEXT(stray_row, reference),
};
static const struct store_index settled_stray_indexes[] = {
    [STRAY_BY_AGE] = {.name = "trade_settled_stray_by_age", .columns = {"received_ms"}},
};
const struct store_table settled_stray_table = {
    .name = "trade_settled_stray",
    .row_size = sizeof(struct stray_row),
    .columns = settled_stray_columns,
    .n_columns = STORE_COUNT(settled_stray_columns),
    .n_key = 2,
    .indexes = settled_stray_indexes,
    .n_indexes = STORE_COUNT(settled_stray_indexes),
    .since = 5,
};

static const struct store_column archived_row_columns[] = {
    STORE_COL_TEXT(archived_row, tender_no),
    STORE_COL_TEXT(archived_row, trade_no),
    STORE_COL_I32(archived_row, attempt_no),
    STORE_COL_I32(archived_row, tender),
    STORE_COL_I32(archived_row, kind),
    STORE_COL_I32(archived_row, state),
    STORE_COL_I32(archived_row, undo),
    STORE_COL_I32(archived_row, trade_state),
    STORE_COL_TEXT(archived_row, tenant_id),
    STORE_COL_TEXT(archived_row, user_id),
    STORE_COL_TEXT(archived_row, station_id),
    STORE_COL_TEXT(archived_row, order_no),
    STORE_COL_TEXT(archived_row, gateway_no),
    STORE_COL_TEXT(archived_row, currency),
    STORE_COL_I64(archived_row, amount),
    STORE_COL_I64(archived_row, refunded),
    STORE_COL_I64(archived_row, created_ms),
    STORE_COL_I64(archived_row, paid_ms),
    STORE_COL_I64(archived_row, since_ms),
    STORE_COL_TEXT(archived_row, detail),
    STORE_COL_I32(archived_row, return_state),
    STORE_COL_I32(archived_row, return_generation),
    STORE_COL_I32(archived_row, return_queries),
    STORE_COL_I64(archived_row, return_created_ms),
    STORE_COL_I64(archived_row, return_done_ms),
    STORE_COL_I64(archived_row, return_next_query_ms),
    STORE_COL_TEXT(archived_row, return_detail),
    STORE_COL_I32(archived_row, return_paid_by, .since = 5),
    STORE_COL_TEXT(archived_row, merchant_id, .since = 5),
};
static const struct store_index archived_indexes[] = {
    [ARCHIVED_BY_AGE] = {.name = "trade_archive_by_age", .columns = {"since_ms"}},
};
const struct store_table archived_table = {
    .name = "trade_archive",
    .row_size = sizeof(struct archived_row),
    .columns = archived_row_columns,
    .indexes = archived_indexes,
    .n_columns = STORE_COUNT(archived_row_columns),
    .n_key = 1,
    .n_indexes = STORE_COUNT(archived_indexes),
    .since = 4,
};

const struct store_table *const trade_tables[] = {
    &trade_table,  &order_table,         &quote_table,      &line_table,     &pay_attempt_table,
    &tender_table, &refund_table,        &refund_leg_table, &ledger_table,   &matter_table,
    &stray_table,  &settled_stray_table, &archived_table,   &fuelling_table, NULL,
};
