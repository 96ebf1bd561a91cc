// TradeService, CallbackService and TradeOperatorService: every row of the trade's methods becomes a row of the
// server's.
#ifndef TXC_ORCHESTRATOR_TRADE_SERVICE_H
#define TXC_ORCHESTRATOR_TRADE_SERVICE_H

#include "flows/trade/trades.h"
#include "rpc/server.h"

struct trade_service;

// When little of the store's queue is left, calls that change something are refused, quotes before payments.
struct trade_service *trade_service_new(struct trades *trades, const struct store *store);
void trade_service_add(struct trade_service *service, struct rpc_server *server);

// Its rows, each with the service pointer that goes with it, for another transport. They live as long as the service.
void trade_service_each(struct trade_service *service,
                        void (*row)(void *ctx, const struct rpc_route *route, void *route_service), void *ctx);

// Ends every stream with SHUTTING_DOWN, so that whoever watches goes on at another instance.
void trade_service_end_streams(struct trade_service *service);

// After the server was freed.
void trade_service_free(struct trade_service *service);

#endif
