// `saga submit`: the saga's definition comes from a file, its name and its wait from the options.
#include "orchestrator/ctl/jsonread.h"
#include "orchestrator/ctl/run.h"
#include "txcenter/saga/v1/saga.pb-c.h"

#include <errno.h>

enum { FILE_MAX = 1024 * 1024 };

static bool read_file(const char *path, struct buf *out, struct error *error) {
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rb");
    char chunk[4096];
    if (!file)
        return error_set(error, ERR_INVALID_REQUEST, "%s can't be read: %s", path, strerrordesc_np(errno));
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, file)) > 0;)
        buf_append(out, str_n(chunk, n));
    bool whole = !ferror(file);
    if (!standard)
        fclose(file);
    if (!whole)
        return error_set(error, ERR_INVALID_REQUEST, "%s can't be read", path);
    return !out->failed || error_set(error, ERR_INVALID_REQUEST, "%s has more than %d bytes", path, FILE_MAX);
}

static Txcenter__Saga__V1__SagaDefinition *read_definition(struct session *session, struct error *error) {
    const char *path = session->args->operand;
    struct buf text;
    buf_init(&text, FILE_MAX);
    ProtobufCMessage *made = NULL;
    if (read_file(path, &text, error))
        made = jsonread_text(&txcenter__saga__v1__saga_definition__descriptor,
                             strcmp(path, "-") == 0 ? "standard input" : path, buf_str(&text), &session->arena, error);
    buf_release(&text);
    return (Txcenter__Saga__V1__SagaDefinition *)made;
}

int run_saga_submit(struct session *session) {
    static char none[] = "";
    struct error error = {0};
    Txcenter__Saga__V1__SubmitSagaRequest *request = (void *)session_request(session);
    if (!request)
        return TXCTL_USAGE;
    request->saga = read_definition(session, &error);
    if (!request->saga)
        return session_usage(session->env, session->json, error.text);
    if (*request->gid)
        request->request_id = none; // the gid names it
    struct session_failure failure;
    const Txcenter__Saga__V1__SubmitSagaResponse *response =
        (const void *)session_call(session, &session->args->command->method, &request->base, &failure);
    if (!response)
        return session_report(session, &failure);
    session_print(session, session->args->command->show, &response->base);
    if (response->processing || !response->saga)
        return TXCTL_PROCESSING;
    bool succeeded = response->saga->status == TXCENTER__SAGA__V1__SAGA_STATUS__SAGA_STATUS_SUCCEEDED;
    return succeeded ? TXCTL_OK : TXCTL_REFUSED;
}
