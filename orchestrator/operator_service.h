// OperatorService: what an operator may do to sagas and participants. Each action is done once for its request,
// audited, and refused when it no longer fits (saga/operate.h, saga/participant.h, saga/batch.h).
#ifndef TXC_ORCHESTRATOR_OPERATOR_SERVICE_H
#define TXC_ORCHESTRATOR_OPERATOR_SERVICE_H

#include "orchestrator/saga_service.h"
#include "saga/operate.h"

struct batch_call; // a batch under way

struct operator_service {
    struct saga_service *sagas; // borrowed
    const char *instance;       // this one's name
    struct batch_call *batches;
};

extern const struct rpc_route operator_routes[];
extern const size_t n_operator_routes;

// Ends the batches that are under way: the server stops.
void operator_service_end_streams(struct operator_service *service);

// ---- Between operator_service.c and operator_batch.c ----------------------------------------------------------------

void operator_check_text(struct error *error, const char *path, const char *text, size_t least, size_t most);
rpc_handler_fn operator_batch;
// The request for an action that fits many sagas, and its method. In `arena`; ptr NULL when that is full.
struct str operator_request(const struct saga_operation *operation, const char *gid, const char *request_id,
                            struct arena *arena, const char **ret_method);

#endif
