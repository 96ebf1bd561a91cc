#include "orchestrator/ctl/run.h"
#include "txcenter/saga/v1/saga.pb-c.h"

static const struct rpc_method get_saga = {.service = &txcenter__saga__v1__saga_service__descriptor, .name = "GetSaga"};

// A list has no steps. Those that are parked are read whole: which step it is, and why, is what an operator looks for.
// One that can't be read stays as it came.
static void complete(struct session *session, Txcenter__Saga__V1__Saga **saga) {
    Txcenter__Saga__V1__GetSagaRequest request = TXCENTER__SAGA__V1__GET_SAGA_REQUEST__INIT;
    request.gid = (*saga)->gid;
    struct session_failure failure;
    const Txcenter__Saga__V1__GetSagaResponse *found =
        (const void *)session_call(session, &get_saga, &request.base, &failure);
    if (found && found->saga)
        *saga = found->saga;
}

int run_saga_list(struct session *session) {
    ProtobufCMessage *request = session_request(session);
    if (!request)
        return TXCTL_USAGE;
    const struct command *command = session->args->command;
    struct session_failure failure;
    const Txcenter__Saga__V1__ListSagasResponse *list =
        (const void *)session_call(session, &command->method, request, &failure);
    if (!list)
        return session_report(session, &failure);
    for (size_t i = 0; i < list->n_sagas; i++)
        if (list->sagas[i]->parked)
            complete(session, &list->sagas[i]);
    session_print(session, command->show, &list->base);
    return TXCTL_OK;
}
