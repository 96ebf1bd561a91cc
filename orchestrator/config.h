// The configuration of txcenterd: a YAML file, read once at start. Every key is one row of the table in config_rows.c:
// its name, type, default, bounds, unit and meaning; reading, checking, --print-config and docs/CONFIGURATION.md all
// come from there. Without a file everything has its default, which runs against txsim on one machine.
#ifndef TXC_ORCHESTRATOR_CONFIG_H
#define TXC_ORCHESTRATOR_CONFIG_H

#include "adapters/systems.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "flows/trade/trades.h"

// Text that is absent is NULL. Lists of text end with NULL. Numbers are whole, in the unit that their name ends with.

struct config_tls {
    const char *certificate, *key, *client_ca;
};

enum config_switch { CONFIG_OFF, CONFIG_ON };
enum config_store_kind { CONFIG_SQLITE, CONFIG_MARIADB };
struct config_store {
    enum config_store_kind kind;
    const char *path;                                                     // SQLITE
    const char *host, *socket, *user, *password_file, *database, *tls_ca; // MARIADB
    struct str password;                                                  // what password_file holds
    uint32_t port, write_connections;
    uint32_t batch_max, queue_max;
    uint32_t retry_first_ms, retry_max_ms, start_wait_ms;
};

struct config_limits {
    uint32_t message_max_bytes, in_flight_max, busy_max_ms, caller_in_flight_max, bytes_in_flight_max;
    uint32_t resident_sagas_max, resident_trades_max, resident_trades_bytes_max, wait_max_ms, watchers_max, keys_days;
};

struct config_log {
    enum log_level level;
    enum log_format format;
};

struct config_trade {
    uint32_t quote_ttl_s, quote_budget_ms;
    uint32_t order_ttl_s, order_ttl_max_s;
    uint32_t refund_window_days;
    enum trade_refund_first refund_first;
    enum trade_shortfall shortfall;
    const char *currency, *timezone, *merchant_id;
    enum config_switch os_sync;
    const char *os_caller; // NULL: none
};

struct config_quote {
    uint32_t budget_ms[QUOTE_SOURCE_KINDS];
};

enum config_cache_kind { CONFIG_MEMORY, CONFIG_REDIS };
struct config_cache {
    enum config_cache_kind kind;
    uint32_t ttl_s[TRADE_FACT_KINDS];
    uint32_t entries_max, bytes_max, waiting_max;              // MEMORY; both
    const char *host, *socket, *user, *password_file, *prefix; // REDIS
    struct str password;                                       // what password_file holds
    uint32_t port, database;
    uint32_t timeout_ms, retry_first_ms, retry_max_ms;
};

struct config_payment {
    uint32_t query_first_ms, query_max_ms, attempt_ttl_s;
};

struct config_callback_key {
    const char *id, *secret_file;
    struct str secret; // from the file where there is one; never printed
};

struct config_callback {
    uint32_t window_s;
    struct config_callback_key *keys;
    size_t n_keys;
};

// The remote systems, in the order of adapters/systems.h.
#define X(NAME, name) CONFIG_##NAME,
enum config_system { ADAPTER_SYSTEMS(X) CONFIG_SYSTEMS };
#undef X

// How many calls one of them gets, and when; saga/saga.h has what each means.
struct config_gate {
    uint32_t in_flight_max, rate_per_s, burst, waiting_max;
    uint32_t failures_max, failure_percent, calls_min, window_ms, open_first_ms, open_max_ms;
};
struct config_participant {
    const char *target;
    uint32_t deadline_ms;
    struct config_gate gate;
    const char *tls_ca, *certificate, *key, *server_name;
};
struct config_targets {
    struct config_gate gate; // of each
    uint32_t gates_max;
};

// Of sagas that callers define: whom their steps may call, and how.
struct config_submit {
    const char *const *targets; // NULL: nobody
    const char *tls_ca, *certificate, *key;
    uint32_t channels_max, idle_s, waiters_max;
};

struct config_caller {
    const char *name;
    uint32_t scopes;            // set of enum rpc_scope
    const char *const *tenants; // "*" is every tenant
    uint32_t in_flight_max;     // 0: as everyone
};

struct config_sentinel {
    uint32_t scan_interval_ms, resume_rate_per_s, horizon_s, resume_max;
};

struct config_cluster {
    uint32_t lease_ms;
    const char *const *peers; // NULL: none
};

// Days; 0: for ever.
struct config_retention_flow {
    const char *flow;
    uint32_t succeeded_days, failed_days, terminated_days;
};
struct config_retention {
    uint32_t succeeded_days, failed_days, terminated_days, unordered_days;
    uint32_t requests_days, events_days, audit_days, strays_days, archive_days;
    uint32_t rows_per_s, batch, interval_s;
    struct config_retention_flow *flows;
    size_t n_flows;
};

// Seconds; 0: never.
struct config_anomaly_flow {
    const char *flow;
    uint32_t running_s, forward_s, compensating_s, parked_s;
};
struct config_anomaly {
    uint32_t running_s, forward_s, compensating_s, parked_s, stuck_s, oscillating_attempts, oscillating_s;
    uint32_t interval_s, rows_per_s, checks_per_s;
    struct config_anomaly_flow *flows;
    size_t n_flows;
};

// In the order of the engine's named policies.
enum config_patience { CONFIG_QUICK, CONFIG_STUBBORN, CONFIG_LEISURELY, CONFIG_PATIENCES };
struct config_retry {
    uint32_t first_ms, max_ms, attempts, jitter_percent, hold_ms;
};

enum { CONFIG_ADDRESS_MAX = 128 };

struct config {
    const char *const *listen;
    size_t shared_listen; // the first of them are shared with other workers; not a key
    const char *instance, *address, *data_dir;
    uint32_t drain_ms;
    struct config_tls tls;
    struct config_store store;
    struct config_limits limits;
    struct config_log log;
    struct config_trade trade;
    struct config_quote quote;
    struct config_cache cache;
    struct config_payment payment;
    struct config_callback callback;
    struct config_participant participants[CONFIG_SYSTEMS];
    struct config_submit submit;
    struct config_targets targets;
    struct config_caller *callers;
    size_t n_callers;
    struct config_sentinel sentinel;
    struct config_cluster cluster;
    struct config_retention retention;
    struct config_anomaly anomaly;
    struct config_retry retry[CONFIG_PATIENCES];
    bool own_address;   // address was given, and is not the first of listen for want of one
    bool development;   // neither TLS nor callers: any `x-caller` may do everything for every tenant
    struct arena arena; // owns all of it
};

// "user", "oil", … as in the file.
const char *config_system_name(enum config_system system);

// Reads `yaml`; `name` is the file's, for messages. Everything that is wrong is reported, not only the first, one line
// each: "name:line: key: expected …, got …". With `files`, the files that it names are looked at and secrets are read;
// without, it touches nothing outside its arguments. False: `report` has at least one line and nothing is to be
// released.
bool config_parse(const char *name, struct str yaml, bool files, struct config *ret_config, struct buf *report);

// Reads the file; NULL: no file, everything at its default. As config_parse with `files`.
bool config_load(const char *path, struct config *ret_config, struct buf *report);

void config_release(struct config *config);

// What is allowed but should be known, for the log at start: the i-th sentence, NULL behind the last.
const char *config_warning(const struct config *config, size_t i);

// The effective configuration as YAML. Secrets are left out.
void config_print(const struct config *config, struct buf *out);

// The page docs/CONFIGURATION.md.
void config_doc(struct buf *out);

#endif
