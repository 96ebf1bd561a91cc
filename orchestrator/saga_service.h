// SagaService and OperatorService: what the engine's sagas are doing and did, and what an operator may do to them.
// Reads show what is durable. Callers see and signal the sagas that they submitted; all sagas, flows and actions are
// for callers of every tenant, since they belong to none.
#ifndef TXC_ORCHESTRATOR_SAGA_SERVICE_H
#define TXC_ORCHESTRATOR_SAGA_SERVICE_H

#include "orchestrator/saga_watch.h"
#include "orchestrator/submit.h"
#include "saga/request.h"

struct saga_service {
    struct saga_engine *engine;
    struct store *store;
    struct requests *requests;
    struct submit *submit;
    struct saga_streams *streams;
};

extern const struct rpc_route saga_routes[];
extern const size_t n_saga_routes;

#endif
