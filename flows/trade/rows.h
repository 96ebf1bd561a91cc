// The trade's own tables, described once. Amounts are minor units of the trade's currency; times are milliseconds since
// 1970, 0: not yet. Points are whole ones.
#ifndef TXC_FLOWS_TRADE_ROWS_H
#define TXC_FLOWS_TRADE_ROWS_H

#include "base/id.h"
#include "flows/trade/after_table.h"
#include "flows/trade/holding_table.h"
#include "flows/trade/solver.h"
#include "saga/tables.h"
#include "store/store.h"

enum {
    TRADE_NO_MAX = 26,
    TRADE_ID_MAX = 64,  // ids of other systems
    TENDER_NO_MAX = 40, // "<trade_no>-<attempt>-<tender>": what the gateway knows
    TRADE_ACCOUNT_MAX = 128,
    TRADE_BLOB_MAX = 262144,
    TRADE_PARAMETERS_MAX = 4096,
    TRADE_TENDERS_MAX = 16, // of one attempt
    TRADE_ATTEMPTS_MAX = 50,
    TRADE_REFUNDS_MAX = 100,
    TRADE_LINES_MAX = 32,
    TRADE_INVOICES_MAX = 2, // of one trade: those of invoicing.c
    TRADE_VERSIONS_MAX = 200,
};

// What follows payment and a refund takes back (after.h).
#define X(NAME, ...) AFTER_##NAME,
enum after_benefit { AFTER_TABLE(X) AFTERS };
#undef X
// A refund cancels what has not come yet and takes back what has. Unsure: its purchase was terminated before that was
// known, so a part of it is an operator's to take back.
enum after_state { AFTER_NONE, AFTER_PENDING, AFTER_APPLIED, AFTER_CANCELLED, AFTER_UNSURE };
struct after {
    int32_t state;      // enum after_state
    int32_t generation; // of the key under which it is, or was, asked for
};

// Of an order with a fill-up (adjust.h).
enum trade_adjust {
    ADJUST_NONE,
    ADJUST_AWAITED, // what is dispensed is not known yet
    ADJUST_DONE,
};

// Why an unpaid trade is being closed.
enum trade_closing {
    CLOSING_NO,
    CLOSING_CANCEL,
    CLOSING_EXPIRY,
    CLOSING_FAILURE,
    CLOSING_CONFLICT,
    CLOSING_REORDER, // it is ordered again as soon as this order is over (reorder.h)
    CLOSING_TAKEN,   // another trade has taken over the fuelling that it was for (fuelling.h)
};

// An operator has terminated the saga of the order before it was paid.
enum trade_stopped {
    STOPPED_NO,
    STOPPED_RECALLED,  // a saga of its own undoes the order, and ends the trade
    STOPPED_ABANDONED, // nobody does: the trade ends with its last payment attempt
};

// What a paid trade's saga is known not to have done, because an operator has terminated it (or skipped a step of it),
// or because it was gone when it was to be deducted; a refund does not take it back.
#define X(NAME, name, missed, ...) MISSED_##NAME = missed,
enum trade_missed {
    TRADE_HOLDINGS(X)      // held, and not used
    MISSED_SETTLEMENT = 4, // not recorded
    MISSED_RECHARGE = 16,  // not credited
    MISSED_PERHAPS = 128,  // a recharge: not known, when the saga was terminated, whether it was credited (32 is none)
};
#undef X

struct trade_row {
    char trade_no[TRADE_NO_MAX + 1];
    int64_t version; // rises with every durable change
    int32_t state;   // Txcenter__Trade__V1__TradeState
    int32_t closing; // enum trade_closing
    char tenant_id[TRADE_ID_MAX + 1], user_id[TRADE_ID_MAX + 1], station_id[TRADE_ID_MAX + 1];
    char terminal_id[TRADE_ID_MAX + 1], employee_id[TRADE_ID_MAX + 1];
    char channel[33], scenario[33], shift_id[33], business_date[11];
    char posted_shift[33], posted_date[11]; // where settlement has posted the sale
    char currency[4];
    char order_no[TRADE_ID_MAX + 1];
    int32_t quote_version;   // the newest quote
    int32_t ordered_version; // the quote that the order uses
    char combination_id[9];
    int32_t purchase_no; // purchase sagas so far: a re-order is a new one
    int32_t attempt_no;  // payment attempts so far
    int32_t refund_count;
    int32_t ledger_entries, paid_entry; // entries so far, and the one of the payment: from 1; 0: none (yet)
    int64_t payable, list_price, points;
    int64_t discount[SOLVER_LAYERS];
    int64_t paid, refunded, refund_pending; // refunded is done; pending is reserved beside it
    int64_t created_ms, updated_ms, quoted_ms, order_expires_ms, paid_ms, completed_ms;
    struct after after[AFTERS];
    int64_t points_awarded, points_clawed_back;
    char created_by[REQUEST_CALLER_MAX + 1];
    char call_id[129], traceparent[65]; // metadata of the latest accepted command: passed on to the participants
    char reason[SAGA_CODE_MAX], text[SAGA_TEXT_MAX];
    int32_t failure;                 // enum err: what whoever ordered is told, once the order has failed
    int32_t closed;                  // enum trade_closed (trades.h)
    int64_t closed_ms;               // since when it is
    int32_t stopped;                 // enum trade_stopped
    int32_t missed;                  // bits of enum trade_missed
    int32_t mode;                    // Txcenter__Trade__V1__OrderMode of the order; 0: it locks first
    int32_t quotas;                  // how many of activities and limits the order takes of
    int32_t matters;                 // so many there have been (matter.h)
    int32_t coupons;                 // that the order uses (chosen.h)
    int32_t adjust;                  // enum trade_adjust
    int32_t capturing;               // 1: what the cards pay is being taken (capture.h)
    int32_t adjust_entry;            // of the ledger; 0: none
    int64_t authorised, adjusted_ms; // what was paid before it was adjusted; when it was
    int32_t unsold;                  // 1: CONFLICTED, and whoever paid has it all back: it buys nothing, for ever
    // With CLOSING_REORDER: what is ordered next.
    int32_t next_version, next_mode, next_expires_s;
    char next_combination[9];
    struct str history; // packed: state and time of each change
};
extern const struct store_table trade_table;
enum { // indexes of trade_table
    TRADE_BY_CREATED,
    TRADE_BY_TENANT,
    TRADE_BY_USER,
    TRADE_BY_STATION,
    TRADE_BY_CLOSED,
    TRADE_BY_TENANT_USER,
    TRADE_BY_TENANT_STATION,
};

// Whose fuel of a pump it is to pay for: of the rows of one fuelling, the order with the highest term (fuelling.h).
struct fuelling_row {
    char tenant_id[TRADE_ID_MAX + 1], station_id[TRADE_ID_MAX + 1], nozzle[33], pump_serial[TRADE_ID_MAX + 1];
    int32_t term; // from 1
    char trade_no[TRADE_NO_MAX + 1];
    int32_t purchase_no;
    int64_t claimed_ms;
};
extern const struct store_table fuelling_table;
enum { FUELLING_BY_AGE }; // indexes of fuelling_table

// Every order number that a trade ever had: a re-order has a new one, and either finds the trade.
struct order_row {
    char order_no[TRADE_ID_MAX + 1];
    char trade_no[TRADE_NO_MAX + 1];
    int32_t purchase_no;
};
extern const struct store_table order_table;
enum { ORDER_BY_TRADE }; // indexes of order_table

struct quote_row {
    char trade_no[TRADE_NO_MAX + 1];
    int32_t version;
    int64_t created_ms, expires_ms;
    int32_t degraded; // 1: a source did not answer
    struct str quote; // txcenter.trade.v1.Quote: what was answered, and what an order uses
    struct str facts; // txcenter.trade.v1.QuoteFacts: what it was made from
};
extern const struct store_table quote_table;

// A line of the order, with its net share.
struct line_row {
    char trade_no[TRADE_NO_MAX + 1];
    int32_t purchase_no, line;
    char kind[17], code[TRADE_ID_MAX + 1], name[97], nozzle[33];
    int64_t volume_centi, quantity; // of fuel; of goods and items
    int64_t unit_price, list_price, payable;
    int64_t discount[SOLVER_LAYERS];
    int64_t refund_taken; // of payable, by refunds that are done or under way
    int64_t refund_done;  // of it, done
    // Of what is delivered: the generation of the key under which it was; 0: the first.
    int32_t delivery;
    char returned_by[41];               // the refund with which the goods, or the item, come back; empty: they are kept
    char pump_serial[TRADE_ID_MAX + 1]; // of fuel that has been dispensed; else empty
    int32_t authorised;                 // 1: a fill-up
};
extern const struct store_table line_table;

enum attempt_state { ATTEMPT_PLANNED, ATTEMPT_OPEN, ATTEMPT_PAID, ATTEMPT_FAILED };
struct pay_attempt_row {
    char trade_no[TRADE_NO_MAX + 1];
    int32_t attempt_no;
    int32_t state;      // enum attempt_state
    int32_t on_failure; // Txcenter__Trade__V1__OnFailure
    int32_t offered;    // 1: every tender has been created or frozen
    int32_t recalled;   // 1: its saga was terminated, and another one takes back what it left (recall.h)
    int64_t created_ms, deadline_ms, ended_ms;
    int64_t rounding_off;            // of what was payable
    char order_no[TRADE_ID_MAX + 1]; // what it pays: the trade may have another one by the time its money goes back
    char reason[SAGA_CODE_MAX], text[SAGA_TEXT_MAX];
};
extern const struct store_table pay_attempt_table;

// How a tender of the gateway is made definite when the trade no longer waits for it: durable before it is asked for.
enum tender_undo {
    UNDO_NONE,
    UNDO_CLOSING,   // closed: gives back nothing
    UNDO_REVERSING, // reversed, perhaps already: whether money came or went, only the answer to that says
    UNDO_REVERSED,  // what the gateway has of it may have gone back already: it is asked before anything is given back
};

struct tender_row {
    char trade_no[TRADE_NO_MAX + 1];
    int32_t attempt_no, tender; // from 0 within the attempt
    char tender_no[TENDER_NO_MAX + 1];
    int32_t kind;  // Txcenter__Trade__V1__TenderKind
    int32_t state; // Txcenter__Trade__V1__TenderState
    int64_t amount;
    char account[TRADE_ACCOUNT_MAX + 1];
    char merchant_id[TRADE_ID_MAX + 1]; // of the gateway's: ours, when it was asked for
    struct str prepay_parameters;
    char gateway_no[TRADE_ID_MAX + 1];
    int64_t payer_amount, gateway_discount, merchant_discount, settlement_amount;
    int64_t principal, bonus;
    int64_t refunded, refund_pending;
    int64_t next_query_ms;
    int32_t queries;
    int64_t paid_ms; // as the gateway says; it need not count
    char detail[SAGA_TEXT_MAX];
    int32_t undo; // enum tender_undo
};
extern const struct store_table tender_table;

enum refund_kind {
    REFUND_OF_TRADE,
    REFUND_RETURN, // money that the trade did not want goes back
    REFUND_UNUSED, // what was authorised and not used
};
// Of a recharge: its balance goes before its money does.
enum refund_recharge {
    RECHARGE_NOT_ASKED,
    RECHARGE_TAKEN, // its money is owed
    RECHARGE_SPENT, // what is spent is not paid out
    RECHARGE_ASKED, // it may be taken: only the answer says
    RECHARGE_NEVER, // it never came, and is cancelled under its own key so that it never will
};
// refund_row.stopped: no saga drives it any more.
enum { REFUND_ALONE = -1 };
struct refund_row {
    char trade_no[TRADE_NO_MAX + 1];
    char refund_no[41];
    int32_t kind;  // enum refund_kind
    int32_t state; // Txcenter__Trade__V1__RefundState
    int64_t amount;
    int32_t final; // 1: after it nothing is left; as long as it is PENDING, only as planned
    int32_t legs;
    int32_t entry;           // of the ledger, once done; 0: not yet, or nothing was moved
    int64_t refunded_before; // of the trade, when its money was back; before that, when it was reserved
    char reason[201];
    int64_t created_ms, done_ms;
    int64_t points_given_back, points_clawed_back, points_shortfall;
    int32_t coupons_spent, gifts_spent;     // issued with the payment, and spent or used before they could go back
    int32_t awaits;                         // bits of enum after_benefit: what it takes back when that has come
    int32_t marked;                         // 1: the order system knows it
    int32_t stopped;                        // how many of its sagas an operator has terminated; REFUND_ALONE
    struct str line_parts;                  // packed int64: how much of it each line bears
    int32_t recharge;                       // enum refund_recharge
    struct str invoice_parts;               // packed int64: how much of each tender each invoice loses (invoicing.h)
    char posted_shift[33], posted_date[11]; // where settlement has posted it
};
extern const struct store_table refund_table;

// refund_leg_row.paid_by: it went back in another way than by a try, or an operator has said that it did, however.
enum { REFUND_LEG_OTHERWISE = -1 };
struct refund_leg_row {
    char trade_no[TRADE_NO_MAX + 1];
    char refund_no[41];
    int32_t leg;
    int32_t attempt_no, tender;
    int32_t state; // Txcenter__Trade__V1__RefundLegState
    int64_t amount;
    int64_t next_query_ms;
    int32_t queries;
    int32_t generation; // its newest try: each one after a definite no is another refund at the gateway; 0: none
    int32_t asked_as;   // under which generation of its saga's step that was made
    int32_t paid_by;    // the try that was paid out, as the gateway says; REFUND_LEG_OTHERWISE; 0: none (yet)
    char detail[SAGA_TEXT_MAX];
    int64_t payer_amount, gateway_discount, merchant_discount, settlement_amount;
};
extern const struct store_table refund_leg_table;

struct ledger_row {
    char trade_no[TRADE_NO_MAX + 1];
    int32_t entry, line; // from 1; the posting within the entry, from 0
    char account[81];    // as in ledger.h
    int64_t amount;
    char text[97];
    int64_t at_ms;
};
extern const struct store_table ledger_table;

// What an operator must settle about a trade (matter.h).
enum { MATTER_WHAT_MAX = 64, MATTER_NOTE_MAX = 200, MATTER_REFERENCE_MAX = 64 };
struct matter_row {
    char trade_no[TRADE_NO_MAX + 1];
    int32_t number;  // from 1
    int32_t kind;    // Txcenter__Trade__V1__MatterKind
    int32_t outcome; // Txcenter__Trade__V1__MatterOutcome; 0: it is open
    char tenant_id[TRADE_ID_MAX + 1], currency[4];
    char what[MATTER_WHAT_MAX + 1];
    char reason[SAGA_CODE_MAX], text[SAGA_TEXT_MAX];
    int64_t amount, points; // what it is worth
    char gid[SAGA_GID_MAX + 1];
    int64_t created_ms, settled_ms;
    char settled_by[REQUEST_CALLER_MAX + 1], note[MATTER_NOTE_MAX + 1], reference[MATTER_REFERENCE_MAX + 1];
    // Of a shortfall (deduction.h): the generation of the key that was refused last; so often it was tried again.
    int32_t generation, tries;
};
extern const struct store_table matter_table;
enum { MATTER_BY_SETTLED, MATTER_BY_TENANT }; // indexes of matter_table

// A notification that names nothing we know: kept for the operators; once it is settled, in a table of its own, so that
// it is settled once. What comes behind received_ms is known only then, but for `why` and the trade that it seems to be
// about.
enum { STRAY_OF_PAYMENT = 1, STRAY_OF_REFUND };
struct stray_row {
    char key_id[TRADE_ID_MAX + 1];
    char nonce[REQUEST_ID_MAX + 1];
    int32_t kind;
    char number[81];
    struct str body;
    int64_t received_ms;
    char why[MATTER_WHAT_MAX + 1];
    char trade_no[TRADE_NO_MAX + 1];
    int64_t settled_ms;
    int32_t outcome; // Txcenter__Trade__V1__StrayOutcome
    char settled_by[REQUEST_CALLER_MAX + 1], note[MATTER_NOTE_MAX + 1], reference[MATTER_REFERENCE_MAX + 1];
};
extern const struct store_table stray_table, settled_stray_table;
enum { STRAY_BY_AGE }; // indexes of both

// What is kept of a tender when its trade is deleted, so that money that comes later than that still finds its way back
// (E15); and how that stands.
struct archived_row {
    char tender_no[TENDER_NO_MAX + 1];
    char trade_no[TRADE_NO_MAX + 1];
    int32_t attempt_no, tender, kind;
    int32_t state, undo; // of the tender
    int32_t trade_state; // of the trade, when it was deleted
    char tenant_id[TRADE_ID_MAX + 1], user_id[TRADE_ID_MAX + 1], station_id[TRADE_ID_MAX + 1];
    char order_no[TRADE_ID_MAX + 1]; // what it was to pay
    char gateway_no[TRADE_ID_MAX + 1], merchant_id[TRADE_ID_MAX + 1];
    char currency[4];
    int64_t amount, refunded;
    int64_t created_ms, paid_ms; // the trade; the tender
    int64_t since_ms;            // archived, or returned since: its time counts from here
    char detail[SAGA_TEXT_MAX];
    // Of the return of what came late.
    int32_t return_state; // Txcenter__Trade__V1__RefundLegState; 0: there is none
    int32_t return_generation, return_queries, return_paid_by;
    int64_t return_created_ms, return_done_ms, return_next_query_ms;
    char return_detail[SAGA_TEXT_MAX];
};
extern const struct store_table archived_table;
enum { ARCHIVED_BY_AGE }; // indexes of archived_table

#endif
