#include "orchestrator/ctl/operator_view.h"
#include "orchestrator/ctl/run.h"

enum { BATCH_S = 86400 };

struct batch {
    struct session *session;
    bool finished, whole; // whole: nothing was refused and nothing failed
};

static bool on_report(void *ctx, const ProtobufCMessage *message) {
    struct batch *batch = ctx;
    const Txcenter__Saga__V1__BatchResponse *report = (const void *)message;
    batch->finished = report->finished;
    batch->whole = report->refused == 0 && report->failed == 0;
    session_print(batch->session, batch->session->args->command->show, message);
    return !batch->session->cut; // nobody reads any more: it stops
}

int run_batch(struct session *session) {
    struct batch batch = {.session = session};
    ProtobufCMessage *request = session_request(session);
    if (!request)
        return TXCTL_USAGE;
    uint32_t seconds = args_text(session->args, "timeout") ? (uint32_t)args_number(session->args, "timeout") : BATCH_S;
    struct session_failure failure;
    session_stream(session, &session->args->command->method, request, seconds * 1000, on_report, &batch, &failure);
    if (batch.finished)
        return batch.whole ? TXCTL_OK : TXCTL_REFUSED;
    return session->cut ? TXCTL_OUTPUT : session_report(session, &failure);
}
