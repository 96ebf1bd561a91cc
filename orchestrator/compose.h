// One txcenterd: every part of it, made by the configuration in the order of what needs what.
#ifndef TXC_ORCHESTRATOR_COMPOSE_H
#define TXC_ORCHESTRATOR_COMPOSE_H

#include "flows/trade/trades.h"
#include "orchestrator/anomaly_service.h"
#include "orchestrator/authorize.h"
#include "orchestrator/config.h"
#include "orchestrator/forward.h"
#include "orchestrator/inbox.h"
#include "orchestrator/observe.h"
#include "orchestrator/operator_service.h"
#include "orchestrator/participants.h"
#include "orchestrator/saga_service.h"
#include "orchestrator/stats_service.h"
#include "orchestrator/trade_service.h"
#include "orchestrator/vitals.h"
#include "rpc/timers.h"

struct center {
    struct config *config; // borrowed
    struct rpc_loop *loop;
    struct rpc_waker store_waker;
    struct rpc_rest store_rest;
    struct store *store;
    struct rpc_waker cache_waker;
    struct cache *cache;
    struct rpc_timers timers; // the loop's
    struct participants participants;
    struct raw *raw;
    struct defined defined;
    struct saga_gate gates[CONFIG_SYSTEMS];
    struct trade_callback_key *callback_keys;
    struct trades *trades;
    void *made[SAGA_FLOW_SETS_MAX]; // by each business
    struct saga_engine *engine;
    struct forward *forward;
    struct inbox_service inbox;
    struct authority authority;
    struct saga_service saga_service;
    struct operator_service operator_service;
    struct stats_service stats_service;
    struct anomaly_service anomaly_service;
    struct trade_service *trade_service;
    struct rpc_server *server;
    struct rpc_timer engine_timer, trades_timer, vitals_timer, hurry_timer, cut_timer;
    struct vitals vitals;
    unsigned looks; // at them
    struct observer observer;
    bool serving, stopping, fenced;
    bool asked;         // it stops because it was told to
    int64_t asked_ms;   // when
    bool drained, left; // on its way out: no call is in flight; nothing is driven here that another could
};

// Opens every part and serves; `returning` as in struct store_options. False when it can't, or when it was told to stop
// or was taken over from meanwhile (then without an error); to be closed in any case.
bool center_open(struct center *center, struct config *config, bool returning, struct error *error);

// Runs until what was in flight has ended, because it was `asked` to stop, or is `fenced`: another instance has taken
// over, or another process has its name.
void center_run(struct center *center);

void center_close(struct center *center);

// ---- Between compose.c and life.c -----------------------------------------------------------------------------------

// Looks at the vitals, and says what has changed; done by itself every second.
void center_look(struct center *center);

// From now on signals are heard, and the vitals are looked at.
bool center_listen(struct center *center, struct error *error);

// Whatever is written from here on has no effect: what was driven here is another's.
void center_fenced(struct center *center);

#endif
