// What the systems are made of: sets of rows in memory that follow the store, changes that become durable as a whole,
// and calls that are answered when they are. Only for the files of this folder.
#ifndef TXC_SIM_CORE_H
#define TXC_SIM_CORE_H

#include "base/map.h"
#include "base/money.h"
#include "participant/type/v1/effect.pb-c.h"
#include "rpc/message.h"
#include "sim/sim.h"
#include "txcenter/type/v1/money.pb-c.h"

enum { SIM_KEY_MAX = 128, SIM_ID_MAX = 64, SIM_NAME_MAX = 128, SIM_CODE_MAX = 63, SIM_SETS_MAX = 6 };

typedef char sim_key[SIM_KEY_MAX + 1];
typedef char sim_id[SIM_ID_MAX + 1];
typedef char sim_name[SIM_NAME_MAX + 1];
typedef char sim_code[SIM_CODE_MAX + 1];

struct sim_system;
struct sim_call;

// ---- Descriptions: what a system's file is ---------------------------------------------------------------------

// A set of rows: all in memory, each change durable. The key is the table's first column, a TEXT.
struct sim_set_def {
    const struct store_table *table;
    void (*made)(struct sim_system *system, void *row); // a row came in, loaded or new (then already filled): index it
    void (*due)(struct sim_system *system, void *row);  // the time of sim_arm() has come
    int64_t (*rearm)(struct sim_system *system, const void *row); // due time of a loaded row; 0: none
};

enum sim_op { SIM_READ, SIM_ACTION, SIM_COMPENSATE, SIM_INQUIRE };

// A method. `apply` checks first and changes afterwards: after sim_reject() or sim_invalid() nothing may have changed.
// It runs once per key (for a compensation: only when the action is applied), the keyed contract is effects.c's.
struct sim_method {
    const char *name;
    enum sim_op op;
    void (*apply)(struct sim_call *call); // NULL for Inquire, and for a compensation that has nothing to do
    const char *undoes;                   // of a compensation: the action's method
    // Of a compensation: what it answers when there is nothing to undo (never seen, rejected); NULL: just APPLIED.
    void (*empty)(struct sim_call *call);
};

struct sim_system_def {
    const char *name;
    const ProtobufCServiceDescriptor *service;
    const struct sim_method *methods;
    const struct sim_set_def *sets;
    size_t n_methods, n_sets;
    size_t state_size; // of what the system keeps beside its rows, zeroed at the start
    void (*stop)(struct sim_system *system);
    void (*release)(struct sim_system *system);
};

// Every system: NAME, name. Its description is sim_<name>_def, its place in the simulator's array SIM_<NAME>.
#define SIM_SYSTEM_TABLE(X)                                                                                            \
    X(USER, user)                                                                                                      \
    X(OIL, oil)                                                                                                        \
    X(ORDER, order)                                                                                                    \
    X(PAYMENT, payment)                                                                                                \
    X(GOODS, goods)                                                                                                    \
    X(CARD, card)                                                                                                      \
    X(DISCOUNT, discount)                                                                                              \
    X(COUPON, coupon)                                                                                                  \
    X(POINTS, points)                                                                                                  \
    X(LEVEL, level)                                                                                                    \
    X(MARKETING, marketing)                                                                                            \
    X(SETTLEMENT, settlement)                                                                                          \
    X(PUSH, push)                                                                                                      \
    X(INVOICE, invoice)                                                                                                \
    X(NOTIFY, notify)                                                                                                  \
    X(ACTIVITY, activity)                                                                                              \
    X(OS, os)

#define X(NAME, name) SIM_##NAME,
enum sim_system_index { SIM_SYSTEM_TABLE(X) SIM_SYSTEMS };
#undef X
#define X(NAME, name) extern const struct sim_system_def sim_##name##_def;
SIM_SYSTEM_TABLE(X)
#undef X
extern const struct sim_system_def *const sim_system_defs[SIM_SYSTEMS];

// ---- A running simulator ---------------------------------------------------------------------------------------

struct sim_set {
    const struct sim_set_def *def;
    struct sim_system *system;
    struct map map;
};

struct sim_method_types {
    const ProtobufCMessageDescriptor *request, *response;
};

struct sim_system {
    const struct sim_system_def *def;
    struct sim *sim;
    struct sim_set sets[SIM_SETS_MAX];
    struct map records; // struct sim_record by key: effects.c
    struct rpc_route *routes;
    struct sim_method_types *types; // of def->methods, in their order
    int64_t ledger_seq;             // of the last posting
    uint32_t in_flight;             // changes that are not durable yet
    struct sim_stats stats;
    void *state;
};

struct sim_faults; // faults.c
struct sim_load;   // load.c

struct sim {
    struct sim_options options;
    struct sim_system systems[SIM_SYSTEMS];
    struct sim_faults *faults;
    struct sim_load *load;
    struct heap due; // struct sim_row
    struct rpc_timer timer;
    struct store_group group;
    struct sim_call *held; // calls that wait for a time or an event
    struct sim_pending *pending;
    bool ready, stopped, broken;
};

static inline int64_t sim_now(const struct sim *sim) {
    return clock_now_ms(sim->options.timers.clock);
}

// ---- Rows (rows.c) ---------------------------------------------------------------------------------------------

// NULL when there is none.
void *sim_find(struct sim_system *system, unsigned set, const char *key);

// A new row, all zero but for its key, which must be new. Becomes durable by sim_put(). Borrowed from the set.
void *sim_make(struct sim_system *system, unsigned set, const char *key);

// Of tables that load.c reads: a copy of `row` joins the set.
void *sim_row_join(struct sim_system *system, unsigned set, const void *row);

size_t sim_count(const struct sim_system *system, unsigned set);
void sim_set_release(struct sim_set *set);

// At this time, or soon when it is past, the set's `due` runs; INT64_MAX: never.
void sim_row_arm(void *row, int64_t at_ms);

// The same for now, where the row is armed.
void sim_row_hurry(void *row);

// Every row of the set, in no particular order. The visitor must not make or remove rows.
void sim_each(struct sim_system *system, unsigned set, void (*visit)(void *ctx, void *row), void *ctx);

// Once everything is loaded: what is due may run.
void sim_rows_loaded(struct sim *sim);

// The simulator's timer: runs what is due.
void sim_rows_due(void *ctx);

// ---- Changes (change.c) ----------------------------------------------------------------------------------------

struct sim_about { // what postings are about; borrowed while the change is made
    const char *key, *gid, *trade_no;
};

enum { SIM_ARMED_MAX = 4 };

struct sim_change {
    struct sim_system *system;
    struct store_write *write; // NULL until something was put
    struct sim_about about;
    struct {
        void *row;
        int64_t at_ms;
    } armed[SIM_ARMED_MAX];
    unsigned n_armed;
};

void sim_change_begin(struct sim_change *change, struct sim_system *system, struct sim_about about);

// The row as it is now becomes durable with the change. On a row's first put the set's `made` runs.
void sim_put(struct sim_change *change, void *row);

// The row goes, at once from memory; `row` is invalid afterwards. It must not be armed in a change under way.
void sim_remove(struct sim_change *change, void *row);

// Once the change is durable: sim_row_arm(row, at_ms).
void sim_arm(struct sim_change *change, void *row, int64_t at_ms);

// Any row of any table; DELETE goes by its key.
void sim_put_plain(struct sim_change *change, const struct store_table *table, const void *row);
void sim_delete_plain(struct sim_change *change, const struct store_table *table, const void *row);

struct sim_posting {
    const char *kind, *account, *state, *currency;
    int64_t amount, points;
    struct str detail;
};

// One entry of the system's ledger.
void sim_post(struct sim_change *change, const struct sim_posting *posting);

// Submits; `done` (NULL is fine) runs when it is durable, never before this returns; or, with false, when the store
// failed or the simulator is freed first.
typedef void sim_durable_fn(void *ctx, bool durable);
void sim_change_commit(struct sim_change *change, sim_durable_fn *done, void *ctx);

// What waits for the store, so that it can be given up with the simulator. `drop` frees it.
struct sim_pending {
    struct sim_pending *next, **at;
    void (*drop)(struct sim_pending *pending);
};
void sim_pending_add(struct sim *sim, struct sim_pending *pending);
void sim_pending_remove(struct sim_pending *pending);

// ---- Calls (call.c) --------------------------------------------------------------------------------------------

// What faults have in store for a call (faults.c).
struct sim_plan {
    int64_t delay_ms;
    int32_t fails;   // a FaultKind that ends the call before its effect; 0: none
    int64_t drip_ms; // > 0: answer so long before the deadline
    bool no_answer, early_callback, forged_callback;
    bool reject; // with `code`
    sim_code code;
    sim_code refund_fails; // code; empty: it doesn't
    sim_code bend;         // what of its answer is changed, for sim_bend()
};

struct sim_call {
    struct sim_change change;
    struct sim_system *system;
    const struct sim_method *method;
    const struct sim_method_types *types;
    struct rpc_inbound *in;
    struct arena *arena; // as long as the call
    const ProtobufCMessage *request;
    const Participant__Type__V1__Effect *effect;
    struct sim_plan plan;

    // What the method has made of it.
    struct str answer; // encoded; ptr NULL: the bare APPLIED
    struct str note;   // kept with the effect; in its compensation what the action kept: sim_note()
    bool rejected;
    bool not_undone;      // a compensation that answered, but left the effect as it is
    struct error invalid; // set: the request can't be understood, nothing is remembered

    // Waiting.
    struct rpc_timer timer;
    void (*resume)(struct sim_call *call);
    sim_key waits_for; // sim_call_release(); empty: only for the timer
    struct sim_call *next_held, **at_held;
};

void sim_call_handle(void *service, struct rpc_inbound *in, const ProtobufCMessage *request);

// For `apply` and `empty`. The message's field 1 (outcome) is filled in. Strings and sub-messages need only live until
// this returns.
void sim_answer(struct sim_call *call, ProtobufCMessage *response);
void sim_reject(struct sim_call *call, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void sim_invalid(struct sim_call *call, const char *path, const char *what);
// An answer with nothing but its outcome.
void sim_answer_bare(struct sim_call *call, Participant__Type__V1__Verdict verdict, const char *code, const char *text);

// Keeps up to SIM_NOTE_MAX bytes with the effect, NUL-terminated; in the compensation they are call->note. Copied.
enum { SIM_NOTE_MAX = 4096 };
void sim_note(struct sim_call *call, struct str note);

// The same for the ids of rows, none with a comma, each at most SIM_LISTED_ID_MAX bytes long; the compensation runs
// `each` for every one of these rows that is there.
enum { SIM_LISTED_ID_MAX = 48, SIM_LISTED_MAX = 64 /* as checks.c bounds lists */ };
void sim_note_ids(struct sim_call *call, char *const *ids, size_t n);
void sim_noted(struct sim_call *call, unsigned set, void (*each)(struct sim_call *call, void *row));

// A Money in the call's arena.
Txcenter__Type__V1__Money *sim_money(struct sim_call *call, const char *currency, int64_t minor_units);

// An amount that must be there and not negative (`positive`: more than 0); else sim_invalid() and false.
bool sim_wants_amount(struct sim_call *call, const Txcenter__Type__V1__Money *money, bool positive, const char *path);
// A text that must not be empty.
bool sim_wants_text(struct sim_call *call, const char *text, const char *path);

// An answer that is ready waits until sim_call_release() of this name, or for `at_most_ms`.
void sim_call_wait_for(struct sim_call *call, const char *name);
void sim_call_release(struct sim *sim, const char *name);
void sim_calls_end(struct sim *sim);

// ---- The rest of the core --------------------------------------------------------------------------------------

// effects.c: the keyed contract.
extern const struct store_table sim_effects_table;
void sim_effects_run(struct sim_call *call); // after which the call is answered, rejected or invalid
void sim_effects_join(struct sim_system *system, const void *row);
void sim_effects_release(struct sim_system *system);

// ledger.c: where postings are kept.
extern const struct store_table sim_ledger_table;

// load.c
void sim_load_start(struct sim *sim);
void sim_load_free(struct sim_load *load);

// checks.c: bounds on what comes in, by the messages' descriptors.
bool sim_check_request(const ProtobufCMessage *request, struct error *error);

// sim.c
struct sim_system *sim_system_named(struct sim *sim, struct str name);
void sim_broken(struct sim *sim, const struct error *error);

// Copies text that is known to fit (requests were checked); asserts that it does.
void sim_copy(char *out, size_t size, const char *text);
#define SIM_COPY(out, text) sim_copy((out), sizeof(out), (text))

#endif
