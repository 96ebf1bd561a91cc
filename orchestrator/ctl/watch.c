#include "orchestrator/ctl/run.h"
#include "orchestrator/ctl/saga_view.h"
#include "orchestrator/ctl/trade_view.h"

enum { WATCH_S = 3600, FAILURES_MAX = 6, FIRST_PAUSE_MS = 100, UNAVAILABLE = 14 };

struct watch {
    struct session *session;
    ProtobufCMessage *request;
    // Writes down in the request how far it has been seen. True: it has ended.
    bool (*note)(ProtobufCMessage *request, const ProtobufCMessage *change);
    bool heard, ended;
};

static bool note_trade(ProtobufCMessage *request, const ProtobufCMessage *change) {
    const Txcenter__Trade__V1__Trade *trade = ((const Txcenter__Trade__V1__WatchTradeResponse *)change)->trade;
    if (trade)
        ((Txcenter__Trade__V1__WatchTradeRequest *)request)->after_version = trade->version;
    return trade && trade_has_ended(trade);
}

static bool note_saga(ProtobufCMessage *request, const ProtobufCMessage *change) {
    const Txcenter__Saga__V1__Saga *saga = ((const Txcenter__Saga__V1__WatchSagaResponse *)change)->saga;
    Google__Protobuf__Timestamp *after = ((Txcenter__Saga__V1__WatchSagaRequest *)request)->after_updated_at;
    if (saga && saga->updated_at) {
        after->seconds = saga->updated_at->seconds;
        after->nanos = saga->updated_at->nanos;
    }
    return saga && saga_has_ended(saga);
}

static bool on_change(void *ctx, const ProtobufCMessage *message) {
    struct watch *watch = ctx;
    struct session *session = watch->session;
    watch->heard = true;
    watch->ended = watch->note(watch->request, message);
    session->view.now_ms = clock_now_ms(clock_system());
    session_print(session, session->args->command->show, message);
    return !session->cut; // nobody reads any more
}

// Waits without missing what the loop has to do.
static void pause_ms(struct session *session, int64_t ms) {
    int64_t until = clock_now_ms(clock_system()) + ms;
    for (int64_t now; (now = clock_now_ms(clock_system())) < until;)
        rpc_loop_once(session->loop, until - now);
}

int run_watch(struct session *session) {
    struct watch watch = {.session = session, .request = session_request(session), .note = note_trade};
    Google__Protobuf__Timestamp beginning = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    if (!watch.request)
        return TXCTL_USAGE;
    if (watch.request->descriptor == &txcenter__saga__v1__watch_saga_request__descriptor) {
        Txcenter__Saga__V1__WatchSagaRequest *request = (void *)watch.request;
        request->after_updated_at = request->after_updated_at ? request->after_updated_at : &beginning;
        watch.note = note_saga;
    }
    int64_t seconds = args_text(session->args, "timeout") ? args_number(session->args, "timeout") : WATCH_S;
    int64_t until = clock_now_ms(clock_system()) + seconds * 1000;
    for (int failures = 0;;) {
        int64_t left = until - clock_now_ms(clock_system());
        if (left <= 0)
            return TXCTL_PROCESSING;
        struct session_failure failure;
        watch.heard = false;
        session_stream(session, &session->args->command->method, watch.request, (uint32_t)left, on_change, &watch,
                       &failure);
        if (failure.grpc_status == 0 || watch.ended || session->cut)
            return watch.ended ? TXCTL_OK : TXCTL_PROCESSING;
        if (clock_now_ms(clock_system()) >= until)
            return TXCTL_PROCESSING;
        failures = watch.heard ? 1 : failures + 1;
        bool broken = failure.grpc_status == UNAVAILABLE && session->channel;
        if (!broken || failures == FAILURES_MAX)
            return session_report(session, &failure);
        pause_ms(session, (int64_t)FIRST_PAUSE_MS << failures);
    }
}
