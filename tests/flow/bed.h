// Where the trade flows are tested: a center and every simulator, and a caller in front of them. Two beds behind one
// interface: everything in this process under virtual time, where any moment can be hit; and the real programs over
// gRPC in real time. A test is one function over the interface and runs on both, but for those that only make sense
// where time is ours. After each test everything is compared to the unit (tests/check/ledgers.h).
//
// Functions fail the running test when something does not go as it must.
#ifndef TXC_TESTS_FLOW_BED_H
#define TXC_TESTS_FLOW_BED_H

#include "participant/sim/v1/sim.pb-c.h"
#include "rpc/client.h"
#include "tests/cmocka.h"
#include "tests/flow/ledger.h"
#include "tests/participants/fields.h"
#include "txcenter/saga/v1/saga.pb-c.h"
#include "txcenter/trade/v1/trade.pb-c.h"

struct flow_bed;

// What the center is configured with where a test wants something else than usual; 0: as usual.
struct flow_settings {
    int32_t quote_ttl_s, attempt_ttl_s;
    bool callers;                // only those of flow_callers[] may call
    bool a_day_of_refunds;       // refunds are made within a day
    int32_t kept_days;           // what has ended is kept so long; 0: for ever
    uint32_t rows_max;           // of a trade that is deleted in one transaction
    bool cash_first;             // refunds are taken from cash before they are from anything else
    bool shortfall_refunds;      // a trade whose benefits were gone is refunded
    bool os_off;                 // the stations' own system is told of nothing
    const char *os_caller;       // it is this caller
    int32_t facts_ttl_s;         // what changes slowly is kept so long; 0: it is asked for each time
    int32_t user_ms, coupons_ms; // these sources of a quote have so long; 0: all that it has
};

// With settings.callers: names, scopes and tenants are as in bed.c.
#define FLOW_CALLER "flow"         // everything, every tenant
#define FLOW_SHOP "shop"           // trades of T001
#define FLOW_OTHER "other"         // trades of T002
#define FLOW_READER "reader"       // sees trades of T001
#define FLOW_OTHER_OPERATOR "otto" // operates for T002

enum { FLOW_WATCHED_MAX = 64 };

// A stream of one trade's changes.
struct flow_watch {
    struct flow_bed *bed;
    size_t n;
    int64_t versions[FLOW_WATCHED_MAX];
    int32_t states[FLOW_WATCHED_MAX];
    bool over;
    char reason[64]; // why it failed; "": it ended well
    void *call;      // the bed's
};

struct flow_bed_ops {
    const char *name;
    bool virtual_time;
    void (*close)(struct flow_bed *bed);
    void (*step)(struct flow_bed *bed); // one thing, or waits for one
    void (*run_for)(struct flow_bed *bed, int64_t ms);
    int64_t (*now_ms)(const struct flow_bed *bed);
    void (*kill_center)(struct flow_bed *bed); // kill -9
    void (*start_center)(struct flow_bed *bed);
    void (*kill_sim)(struct flow_bed *bed);
    void (*start_sim)(struct flow_bed *bed);
    void (*watch)(struct flow_bed *bed, const Txcenter__Trade__V1__WatchTradeRequest *request,
                  struct flow_watch *watch);
    void (*unwatch)(struct flow_watch *watch); // the watcher leaves
};

struct flow_bed {
    const struct flow_bed_ops *ops;
    struct flow_settings settings;
    struct rpc_channel *center, *sim;
    struct arena arena; // what a test makes and is answered
    unsigned sending;   // calls without an answer yet
    unsigned request_no;
    unsigned test_no; // each test has people of its own
    const char *user, *card, *other_user, *other_card;
    int64_t began_ms;  // when the test began
    int parked;        // sagas that wait for an operator when the test ends; the checker expects just so many
    bool leave_open;   // what is open when the test ends stays so
    bool not_compared; // the world was bent so that ledgers can't agree
    int64_t anomalies; // that the center has raised; usually none
    // Of sagas that callers define: what their steps call, and where it is.
    struct ledger ledger;
    const char *ledger_target;
};

// The two beds; freed by ops->close.
struct flow_bed *flow_virtual_open(const struct flow_settings *settings);
struct flow_bed *flow_process_open(const struct flow_settings *settings);

// Before and after each test: people of its own; everything that is open is cancelled, everything that runs ends, and
// then every ledger is compared.
void flow_begin(struct flow_bed *bed);
void flow_end(struct flow_bed *bed);
// The same in the middle of a test.
void flow_settle(struct flow_bed *bed);
// Compares every trade of the world as it is: what does not agree, a line each.
const char *flow_disagreements(struct flow_bed *bed);

// ---- Time ---------------------------------------------------------------------------------------------------------

int64_t flow_now(const struct flow_bed *bed);
void flow_run_for(struct flow_bed *bed, int64_t ms);

// Runs until it holds; fails the test when it takes too long (days of virtual time, a minute of real time).
typedef bool flow_condition_fn(struct flow_bed *bed, const void *ctx);
void flow_until(struct flow_bed *bed, flow_condition_fn *holds, const void *ctx, const char *what);

void flow_crash_center(struct flow_bed *bed);
void flow_crash_sim(struct flow_bed *bed);

// ---- Calls --------------------------------------------------------------------------------------------------------

// What came of a call. Lives in the bed's arena, as everything in it.
struct flow_answer {
    struct flow_bed *bed;
    bool done;
    int64_t sent_ms, at_ms;
    enum outcome outcome;
    const char *reason, *text; // of a failure
    const ProtobufCMessage *message;
    struct str bytes;
};

// A method of any of the center's services, by its name. `fields` as in fields.h; what they leave out is filled in:
// request_id (a new one), wait_ms (long). They may hold `%`-conversions.
struct flow_answer *flow_send(struct flow_bed *bed, const char *method, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));
struct flow_answer *flow_send_as(struct flow_bed *bed, const char *caller, const char *method, const char *fields, ...)
    __attribute__((format(printf, 4, 5)));
void flow_wait(struct flow_bed *bed, const struct flow_answer *answer);

// A request of one's own.
struct flow_answer *flow_send_message(struct flow_bed *bed, const char *method, const ProtobufCMessage *request);

// Sends and waits.
struct flow_answer *flow_ask(struct flow_bed *bed, const char *method, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));
// The same, and it must be done.
const void *flow_must(struct flow_bed *bed, const char *method, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));
// The same, over deaths of the center and whatever else says that it may be tried again: until there is an answer.
struct flow_answer *flow_insist(struct flow_bed *bed, const char *method, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));
// The same, and it must be refused for this reason.
void flow_refused(struct flow_bed *bed, const char *reason, const char *method, const char *fields, ...)
    __attribute__((format(printf, 4, 5)));

const char *flow_text(struct flow_bed *bed, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Whether the center has said no for good, and why.
bool flow_is_definite_no(const struct flow_answer *answer);

// "OK", or the reason of the failure.
const char *flow_verdict(const struct flow_answer *answer);
#define assert_verdict(answer, expected) assert_string_equal(flow_verdict(answer), (expected))

// ---- The participants -----------------------------------------------------------------------------------------------

// SimControlService, which must do it.
const void *flow_control(struct flow_bed *bed, const char *method, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));

#define FAULT(name) PARTICIPANT__SIM__V1__FAULT_KIND__FAULT_KIND_##name
// The same, which may be refused.
void flow_control_maybe(struct flow_bed *bed, const char *method, const char *fields);

// `more` as in message Fault: "count=1 code=NO".
int64_t flow_fault(struct flow_bed *bed, int kind, const char *system, const char *method, const char *more);
void flow_clear_faults(struct flow_bed *bed);

// Somebody calls a participant behind the center's back: it must do it.
void flow_behind(struct flow_bed *bed, const ProtobufCServiceDescriptor *service, const char *method,
                 const char *fields, ...) __attribute__((format(printf, 4, 5)));

// How many entries of this kind (NULL: any) a system's ledger has of the trade, and what they add up to.
struct flow_sum {
    int64_t n, amount, points;
};
struct flow_sum flow_ledger(struct flow_bed *bed, const char *system, const char *trade_no, const char *kind);

// How many effects of a method are in this state (APPLIED, …) there.
#define EFFECT(name) PARTICIPANT__SIM__V1__EFFECT_STATE__EFFECT_STATE_##name
int64_t flow_effects(struct flow_bed *bed, const char *system, const char *trade_no, const char *method, int state);

// Calls that a system got since its start.
int64_t flow_calls(struct flow_bed *bed, const char *system);

#endif
