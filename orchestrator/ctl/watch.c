#include "orchestrator/ctl/run.h"
#include "orchestrator/ctl/trade_view.h"

enum { WATCH_S = 3600, FAILURES_MAX = 6, FIRST_PAUSE_MS = 100, UNAVAILABLE = 14 };

struct watch {
    struct session *session;
    Txcenter__Trade__V1__WatchTradeRequest *request;
    bool heard, ended;
};

static bool on_change(void *ctx, const ProtobufCMessage *message) {
    struct watch *watch = ctx;
    struct session *session = watch->session;
    const Txcenter__Trade__V1__WatchTradeResponse *change = (const void *)message;
    watch->heard = true;
    if (change->trade) {
        watch->request->after_version = change->trade->version;
        watch->ended = trade_has_ended(change->trade);
    }
    session->view.now_ms = clock_now_ms(clock_system());
    session_print(session, trade_show_watch, message);
    return !session->cut; // nobody reads any more
}

// Waits without missing what the loop has to do.
static void pause_ms(struct session *session, int64_t ms) {
    int64_t until = clock_now_ms(clock_system()) + ms;
    for (int64_t now; (now = clock_now_ms(clock_system())) < until;)
        rpc_loop_once(session->loop, until - now);
}

int run_watch(struct session *session) {
    struct watch watch = {.session = session, .request = (void *)session_request(session)};
    if (!watch.request)
        return TXCTL_USAGE;
    int64_t seconds = args_text(session->args, "timeout") ? args_number(session->args, "timeout") : WATCH_S;
    int64_t until = clock_now_ms(clock_system()) + seconds * 1000;
    for (int failures = 0;;) {
        int64_t left = until - clock_now_ms(clock_system());
        if (left <= 0)
            return TXCTL_PROCESSING;
        struct session_failure failure;
        watch.heard = false;
        session_stream(session, &session->args->command->method, &watch.request->base, (uint32_t)left, on_change,
                       &watch, &failure);
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
