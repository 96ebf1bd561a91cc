// The center in this process: trades, engine and a store in memory, served on a net under virtual time. It dies and
// comes back on the same data.
#ifndef TXC_TESTS_FLOW_CENTER_H
#define TXC_TESTS_FLOW_CENTER_H

#include "orchestrator/anomaly_service.h"
#include "orchestrator/authorize.h"
#include "orchestrator/operator_service.h"
#include "orchestrator/stats_service.h"
#include "orchestrator/trade_service.h"
#include "store/cache.h"
#include "tests/flow/bed.h"
#include "tests/participants/crash_point.h"
#include "tests/participants/switchboard.h"
#include "tests/time/virtual_time.h"

enum { FLOW_ALERTS_MAX = 32 };

// What operators were told: how often each thing.
struct flow_alerts {
    const char *what;
    unsigned n;
};

struct flow_center {
    struct virtual_time *time;
    struct rpc_inproc *participants; // their net, on which the ledger is, too
    rpc_fate_fn *fate;               // of its calls to them
    void *fate_ctx;
    struct trades_options options; // a test may change it before a start
    struct config config;          // who may call
    struct authority authority;
    struct switchboard board; // its own net
    uint64_t dice;
    struct store_backend *disk;
    struct crash_point point;
    int64_t down_ms; // it comes back by itself so long after it died at its crash point
    unsigned deaths; // at the crash point
    struct rpc_timer back;
    struct flow_alerts alerts[FLOW_ALERTS_MAX]; // over its deaths

    // While it lives:
    struct store *store; // NULL: dead
    struct cache *cache;
    bool cache_woken;
    struct rpc_channel *channel;
    struct adapters adapters;
    struct raw *raw;
    struct defined defined;
    struct trades *trades;
    struct saga_engine *engine;
    struct trade_service *service;
    struct saga_service sagas;
    struct operator_service operators;
    struct stats_service stats;
    struct anomaly_service anomalies;
    struct rpc_timer engine_timer, trades_timer;
    uint32_t resident_max; // of trades and sagas; 0: as usual
};

// Everything but the center itself. The fate is set before, the participants' net before the start.
void flow_center_prepare(struct flow_center *center, struct virtual_time *time, const struct flow_settings *settings);
void flow_center_close(struct flow_center *center);

// kill -9.
void flow_center_kill(struct flow_center *center);
void flow_center_start(struct flow_center *center);

// How often operators were told this.
unsigned flow_center_alerts(const struct flow_center *center, const char *what);

#define FLOW_LEDGER "ledger:1"
#define FLOW_KEY_ID "flow-key"
#define FLOW_SECRET "a secret of the flow tests"

#endif
