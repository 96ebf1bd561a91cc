// Messages are only told to the ledger.
#include "participant/push/v1/push.pb-c.h"
#include "sim/core.h"

#include <stdio.h>

#define PB(name) Participant__Push__V1__##name

static void push(struct sim_call *call) {
    const PB(PushRequest) *request = (const void *)call->request;
    if (!sim_wants_text(call, request->event, "event"))
        return;
    char detail[SIM_ID_MAX + 260];
    snprintf(detail, sizeof detail, "%s: %s", request->event, request->text);
    sim_post(&call->change,
             &(struct sim_posting){.kind = "push", .account = request->station_id, .detail = str_c(detail)});
}

static const struct sim_method methods[] = {
    {.name = "Push", .op = SIM_ACTION, .apply = push},
    {.name = "Inquire", .op = SIM_INQUIRE},
};

const struct sim_system_def sim_push_def = {
    .name = "push",
    .service = &participant__push__v1__push_service__descriptor,
    .methods = methods,
    .n_methods = STORE_COUNT(methods),
};
