// OperatorService: what an operator may do to sagas and participants. Each action is done once for its request,
// audited, and refused when it no longer fits (saga/operate.h, saga/participant.h, saga/batch.h).
#ifndef TXC_ORCHESTRATOR_OPERATOR_SERVICE_H
#define TXC_ORCHESTRATOR_OPERATOR_SERVICE_H

#include "flows/trade/trades.h"
#include "orchestrator/saga_service.h"
#include "saga/operate.h"

struct batch_call; // a batch under way

struct operator_service {
    struct saga_service *sagas; // borrowed
    struct trades *trades;      // borrowed
    const char *instance;       // this one's name
    struct batch_call *batches;
};

extern const struct rpc_route operator_routes[];
extern const size_t n_operator_routes;

// Ends the batches that are under way: the server stops.
void operator_service_end_streams(struct operator_service *service);

// ---- Between operator_service.c, operator_batch.c and operator_cache.c ----------------------------------------------

void operator_check_text(struct error *error, const char *path, const char *text, size_t least, size_t most);
enum { OPERATOR_REASON_MAX = sizeof(((struct audit_row *)NULL)->reason) - 1 };
rpc_handler_fn operator_batch, operator_clear_cache;
// The request for an action that fits many sagas, and its method. In `arena`; ptr NULL when that is full.
struct str operator_request(const struct saga_operation *operation, const char *gid, const char *request_id,
                            struct arena *arena, const char **ret_method);

#endif
