// OperatorService.ListAnomalies: what the patrol found.
#ifndef TXC_ORCHESTRATOR_ANOMALY_SERVICE_H
#define TXC_ORCHESTRATOR_ANOMALY_SERVICE_H

#include "rpc/server.h"
#include "store/store.h"

struct anomaly_service {
    struct store *store;
};

extern const struct rpc_route anomaly_routes[];
extern const size_t n_anomaly_routes;

#endif
