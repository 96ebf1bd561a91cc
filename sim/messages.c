// Messages, to screens (push) and to users (notify), are only told to the ledger.
#include "participant/notify/v1/notify.pb-c.h"
#include "participant/push/v1/push.pb-c.h"
#include "sim/core.h"

#include <stdio.h>

static void tell(struct sim_call *call, const char *kind, const char *account, const char *what, const char *text) {
    char detail[SIM_ID_MAX + 260];
    snprintf(detail, sizeof detail, "%s: %s", what, text);
    sim_post(&call->change, &(struct sim_posting){.kind = kind, .account = account, .detail = str_c(detail)});
}

static void push(struct sim_call *call) {
    const Participant__Push__V1__PushRequest *request = (const void *)call->request;
    char text[256] = "";
    size_t len = 0;
    if (!sim_wants_text(call, request->event, "event"))
        return;
    for (size_t i = 0; i < request->n_screens && len < sizeof text; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "[%s] ", request->screens[i]);
    if (len < sizeof text)
        snprintf(text + len, sizeof text - len, "%s", request->text);
    tell(call, "push", request->station_id, request->event, text);
}

static void notify(struct sim_call *call) {
    const Participant__Notify__V1__SendRequest *request = (const void *)call->request;
    char text[256] = "";
    size_t len = 0;
    if (!sim_wants_text(call, request->user_id, "user_id") ||
        !sim_wants_text(call, request->template_code, "template_code"))
        return;
    for (size_t i = 0; i < request->n_parameters && len < sizeof text; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s=%s", i > 0 ? " " : "",
                                request->parameters[i]->name, request->parameters[i]->value);
    tell(call, "notify", request->user_id, request->template_code, text);
}

static const struct sim_method push_methods[] = {
    {.name = "Push", .op = SIM_ACTION, .apply = push},
    {.name = "Inquire", .op = SIM_INQUIRE},
};

const struct sim_system_def sim_push_def = {
    .name = "push",
    .service = &participant__push__v1__push_service__descriptor,
    .methods = push_methods,
    .n_methods = STORE_COUNT(push_methods),
};

static const struct sim_method notify_methods[] = {
    {.name = "Send", .op = SIM_ACTION, .apply = notify},
    {.name = "Inquire", .op = SIM_INQUIRE},
};

const struct sim_system_def sim_notify_def = {
    .name = "notify",
    .service = &participant__notify__v1__notify_service__descriptor,
    .methods = notify_methods,
    .n_methods = STORE_COUNT(notify_methods),
};
