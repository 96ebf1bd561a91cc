// SagaService: what the engine's sagas are doing and did. Reads show what is durable. Callers see and signal the sagas
// that they submitted; all sagas and flows are for callers of every tenant, since they belong to none, as
// OperatorService is (operator_service.h).
#ifndef TXC_ORCHESTRATOR_SAGA_SERVICE_H
#define TXC_ORCHESTRATOR_SAGA_SERVICE_H

#include "orchestrator/saga_watch.h"
#include "orchestrator/submit.h"
#include "saga/request.h"
#include "txcenter/saga/v1/saga.pb-c.h"

struct saga_service {
    struct saga_engine *engine;
    struct store *store;
    struct requests *requests;
    struct submit *submit;
    struct saga_streams *streams;
};

extern const struct rpc_route saga_routes[];
extern const size_t n_saga_routes;

// ---- For OperatorService ------------------------------------------------------------------------------------------

// What a method begins with. False: the call is over, because of `error` or of who calls.
bool saga_service_enter(struct rpc_inbound *in, struct error *error);

// The same of one that changes something: the call is also over when the store has no room for that.
bool saga_service_enter_to_change(const struct saga_service *service, struct rpc_inbound *in, struct error *error);

// Zeroed, for as long as the call; NULL: there was no memory, and the call is over.
void *saga_service_keep(struct rpc_inbound *in, size_t size);

// Answers with one saga, as GetSaga does, in a response of this type, whose first field it is. The gid is borrowed
// until then.
void saga_service_show(struct saga_service *service, struct rpc_inbound *in, const char *gid,
                       const ProtobufCMessageDescriptor *response);

#endif
