#include "orchestrator/ctl/run.h"

#include "grpc/health/v1/health.pb-c.h"
#include "orchestrator/ctl/completion.h"
#include "orchestrator/ctl/help.h"
#include "orchestrator/ctl/words.h"

#include <jansson.h>

static void show_health(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    (void)arena;
    const Grpc__Health__V1__HealthCheckResponse *health = (const void *)response;
    const ProtobufCEnumValue *status =
        protobuf_c_enum_descriptor_get_value(response->descriptor->fields[0].descriptor, (int)health->status);
    const char *word = status ? status->name : "?";
    view_text(view, words_paint(word), str_c(word));
    view_printf(view, "\n");
}

int run_health(struct session *session) {
    const ProtobufCMessage *request = session_request(session);
    if (!request)
        return TXCTL_USAGE;
    struct session_failure failure;
    const ProtobufCMessage *response = session_call(session, &session->args->command->method, request, &failure);
    if (!response)
        return session_report(session, &failure);
    session_print(session, show_health, response);
    const Grpc__Health__V1__HealthCheckResponse *health = (const void *)response;
    return health->status == GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING ? TXCTL_OK
                                                                                              : TXCTL_REFUSED;
}

int run_completion(struct session *session) {
    if (strcmp(session->args->operand, "bash") != 0) {
        fprintf(session->env->err, "txctl: expected bash, got '%s'\n", session->args->operand);
        return TXCTL_USAGE;
    }
    completion_bash(&session->view.text);
    session_flush(session);
    return TXCTL_OK;
}

int run_version(struct session *session) {
    if (session->json)
        view_printf(&session->view, "{\"version\": \"%s\"}\n", session->env->version);
    else
        view_printf(&session->view, "txctl %s\n", session->env->version);
    session_flush(session);
    return TXCTL_OK;
}

int run_help(struct session *session) {
    bool known = help_show(&session->view, session->args->topic[0], session->args->topic[1]);
    if (!known)
        fprintf(session->env->err, "txctl: there is no command '%s%s%s'; 'txctl help' lists them\n",
                session->args->topic[0], session->args->topic[1] ? " " : "",
                session->args->topic[1] ? session->args->topic[1] : "");
    session_flush(session);
    return known ? TXCTL_OK : TXCTL_USAGE;
}
