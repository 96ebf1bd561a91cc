// The trade business as its host sees it: tables for the store, flows for the engine, methods for the server.
// Everything runs on the loop's thread.
#ifndef TXC_FLOWS_TRADE_TRADES_H
#define TXC_FLOWS_TRADE_TRADES_H

#include "adapters/adapters.h"
#include "flows/trade/source.h"
#include "saga/saga.h"

#include <protobuf-c/protobuf-c.h>

struct trades;

// As what a trade is closed: how long it is kept afterwards goes by it (trades_options).
enum trade_closed {
    TRADE_OPEN,
    TRADE_UNORDERED, // quoted, and never ordered
    TRADE_UNPAID,    // cancelled, expired or failed
    TRADE_SOLD,      // complete, refunds included
    TRADE_DISPUTED,  // with money that does not match
    TRADE_LEAVING,   // being deleted, in more than one transaction: nobody finds it any more
    TRADE_CLOSED_KINDS,
};

// Which tenders give back before the others, where a refund does not say.
enum trade_refund_first { TRADE_REFUND_ALIKE, TRADE_REFUND_CASH, TRADE_REFUND_CARD, TRADE_REFUND_GATEWAY };

// What becomes of a paid trade whose benefits, goods or quota were gone when they were to be used: it stands, and an
// operator settles the shortfall; or all of it is refunded.
enum trade_shortfall { TRADE_SHORTFALL_STANDS, TRADE_SHORTFALL_REFUNDS };

struct trade_callback_key {
    const char *id;
    struct str secret;
};

// Borrowed for the life of the trades; times in milliseconds.
struct trades_options {
    struct store *store;
    const struct clock *clock;
    uint64_t (*random)(void *ctx);
    void *random_ctx;
    struct adapters *adapters;
    const char *merchant_id; // ours, at the payment gateway
    const char *currency;    // of every trade: ISO 4217
    int64_t quote_ttl_ms, quote_budget_ms;
    int64_t source_budget_ms[QUOTE_SOURCE_KINDS]; // of each; 0, or more than that: all of quote_budget_ms
    struct cache *cache;                          // for facts; NULL: each is asked for every time
    int64_t fact_ttl_ms[TRADE_FACT_KINDS];        // 0: it is not kept
    int64_t order_ttl_ms, order_ttl_max_ms;       // default and maximum of expires_in_seconds
    int64_t attempt_ttl_ms;                       // a payment attempt's asynchronous tenders are closed after this
    int64_t query_first_ms, query_max_ms; // a tender without a callback is queried after, then with doubling pauses
    int64_t refund_window_ms;
    enum trade_refund_first refund_first;
    enum trade_shortfall shortfall;
    int64_t wait_max_ms;
    bool os_off;           // the stations' own system is told of no order
    const char *os_caller; // or of none that this caller has made: it is that system; NULL: there is none
    const struct trade_callback_key *callback_keys; // ended by a NULL id
    int64_t callback_window_ms;
    // Trades in memory, and their bytes, beyond which those that nobody uses are dropped; beyond the bytes no quote is
    // made, either. 0 bytes: any.
    uint32_t resident_max;
    int64_t resident_bytes_max;
    uint32_t watchers_max;
    // How long what has ended is kept, at least, from then on; 0: for ever. By enum trade_closed; its sagas are
    // kept as long as the engine says, and it with them. What stays of its tenders then, and callbacks that named
    // nothing we know.
    int64_t kept_ms[TRADE_CLOSED_KINDS];
    int64_t archive_kept_ms, strays_kept_ms;
    uint32_t retire_rows_max; // of a trade that is deleted in one transaction (default 2000)
};

// For store_options.tables and saga_options.flow_sets; NULL-terminated.
extern const struct store_table *const trade_tables[];
extern const struct saga_flow *const trade_flows[];

// `trades` is the ctx of the engine's saga_flow_set, and is given the engine with trades_start() before anything is
// served.
struct trades *trades_new(const struct trades_options *options);
void trades_start(struct trades *trades, struct saga_engine *engine);
// For saga_options.slot_left; `trades` is the ctx. Calls that wait for what was there are answered with SLOT_ELSEWHERE,
// or with what is durable.
void trades_slot_left(void *trades, unsigned slot);
// After the engine was freed. Calls that still wait are answered with ACCEPTANCE_UNKNOWN, watchers with
// SHUTTING_DOWN.
void trades_free(struct trades *trades);

// Sets off what is due (waits that end, trades to drop); returns when to be called again.
int64_t trades_tick(struct trades *trades);
// Told whenever that time becomes earlier.
void trades_on_alarm(struct trades *trades, void (*alarm)(void *ctx, int64_t due_ms), void *ctx);

// The host is stopping: every wait ends now, and no new one begins. Calls are answered with how far they are.
void trades_hurry(struct trades *trades);

struct trades_stats {
    int64_t resident, resident_bytes, waiting, watching, commands, callbacks, unknown_callbacks, conflicts, returned;
    int64_t degraded; // quotes without one of their sources
    int64_t shared;   // questions that another quote's answer was good for
    // What waits for operators, of all instances, as it was counted last: since it changed here, and within ten
    // minutes.
    int64_t shortfalls, conflicted, payouts, strays;
};
void trades_stats(const struct trades *trades, struct trades_stats *ret_stats);

// Whether there is a fact of this name ("price"), and: nothing that is kept of it (name empty: of any) is used any
// more, nor what is being asked for now. `done` runs once, later, with an error where others that share the cache may
// still find it. There must be a cache.
typedef void trades_cleared_fn(void *ctx, const struct error *error);
bool trades_has_fact(struct str name);
void trades_clear_facts(struct trades *trades, struct str name, trades_cleared_fn *done, void *ctx);

// What deserves an operator's attention: conflicts, unknown callbacks, money being returned.
typedef void trades_alert_fn(void *ctx, const char *what, const char *trade_no, const char *detail);
void trades_on_alert(struct trades *trades, trades_alert_fn *alert, void *ctx);

// ---- Methods ------------------------------------------------------------------------------------------------------

// One call being served. Ends in exactly one of reply, reply_bytes, fail; a stream in end or fail.
struct trade_call {
    void *ctx;
    const char *caller;
    bool (*may)(void *ctx, struct str tenant_id); // does the caller belong to this tenant?
    bool backdates;                               // may the caller say when something was bought?
    int64_t deadline_ms;                          // the caller's, on the options' clock; INT64_MAX: none
    bool kept;                                    // it waited for this instance; its time was looked at when it came
    struct str body;                              // the request, encoded, as it came
    const char *request_id, *traceparent;         // metadata x-request-id and traceparent, passed on; "" where none
    void (*reply)(void *ctx, const ProtobufCMessage *response);
    void (*reply_bytes)(void *ctx, struct str response);
    void (*fail)(void *ctx, const struct error *error, const char *trade_no, const char *request_id);
    bool (*send)(void *ctx, const ProtobufCMessage *message); // streams; false: the caller is gone or too slow
    void (*end)(void *ctx);
};

enum trade_urgency { TRADE_LIST, TRADE_QUOTE, TRADE_PAY };
enum trade_access { TRADE_READS, TRADE_CHANGES, TRADE_CALLS_BACK, TRADE_OVERSEES, TRADE_OPERATES };

// One row per RPC of TradeService, CallbackService and TradeOperatorService.
struct trade_method {
    const ProtobufCServiceDescriptor *service;
    const char *name;
    enum trade_access access;
    enum trade_urgency urgency;
    bool streams;
    // `call` and `request` are borrowed until the call has ended.
    void (*serve)(struct trades *trades, struct trade_call *call, const ProtobufCMessage *request);
};
extern const struct trade_method trade_methods[]; // ended by a NULL name

// For what the inbox keeps under this method (a SourceTaken): the order gives way to one of another instance
// (fuelling.h). `done` runs once, at once or later.
#define TRADES_SOURCE_TAKEN "SourceTaken"
void trades_source_taken(struct trades *trades, const ProtobufCMessage *message, saga_reply_fn *done, void *ctx);

// A stream's caller has left: nothing more is sent, and the call is ended with fail(), at once or later.
void trades_gone(struct trades *trades, struct trade_call *call);

#endif
