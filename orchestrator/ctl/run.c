#include "orchestrator/ctl/run.h"

#include "grpc/health/v1/health.pb-c.h"
#include "orchestrator/ctl/completion.h"
#include "orchestrator/ctl/help.h"
#include "orchestrator/ctl/words.h"
#include "txcenter/ops/v1/stats.pb-c.h"

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

// What a server that serves has to say all the same. Health is for everybody, this is for operators: to others nothing
// is said.
static void warn(struct session *session) {
    static const struct rpc_method get_stats = {.service = &txcenter__ops__v1__stats_service__descriptor,
                                                .name = "GetStats"};
    Txcenter__Ops__V1__GetStatsRequest request = TXCENTER__OPS__V1__GET_STATS_REQUEST__INIT;
    struct session_failure ignored;
    const ProtobufCMessage *response = session_call(session, &get_stats, &request.base, &ignored);
    const Txcenter__Ops__V1__GetStatsResponse *stats = (const void *)response;
    for (size_t i = 0; response && i < stats->n_warnings; i++)
        session_warn(session, stats->warnings[i]);
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
    if (health->status != GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING)
        return TXCTL_REFUSED;
    warn(session);
    return TXCTL_OK;
}

int run_completion(struct session *session) {
    if (strcmp(session->args->operand, "bash") != 0) {
        struct error error;
        error_set(&error, ERR_INVALID_REQUEST, "expected bash, got '%s'", session->args->operand);
        return session_usage(session->env, session->json, error.text);
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
    const char *const *topic = session->args->topic;
    bool known = help_show(&session->view, topic[0], topic[1]);
    session_flush(session);
    if (known)
        return TXCTL_OK;
    struct error error;
    error_set(&error, ERR_INVALID_REQUEST, "there is no command '%s%s%s'; 'txctl help' lists them", topic[0],
              topic[1] ? " " : "", topic[1] ? topic[1] : "");
    return session_usage(session->env, session->json, error.text);
}
