// How a center lives and ends: signals, looking at its vitals, stopping in order.
#include "base/log.h"
#include "orchestrator/compose.h"

#include <signal.h>
#include <unistd.h>

enum { VITALS_EVERY_MS = 1000 };

// ---- Ending -------------------------------------------------------------------------------------------------------

static void drained(void *ctx) {
    struct center *center = ctx;
    rpc_loop_stop(center->loop);
}

// Health says NOT_SERVING, what is new is refused, what is in flight ends or is cut off after drain_ms.
static void stop(struct center *center) {
    center->stopping = true;
    if (!center->serving)
        return; // whoever opens it sees that it is stopping
    rpc_server_drain(center->server, drained, center);
    trade_service_end_streams(center->trade_service);
}

static void caught(void *ctx, int signal_number) {
    struct center *center = ctx;
    if (center->stopping) {
        LOG(LOG_WARN, "ending at once", LOG_INT("signal", signal_number));
        _exit(1); // what is durable stays so; what is in flight is taken up at the next start
    }
    LOG(LOG_INFO, "stopping", LOG_INT("signal", signal_number),
        LOG_INT("in_flight", center->serving ? rpc_server_in_flight(center->server) : 0));
    stop(center);
}

void center_fenced(struct center *center) {
    center->failed = true;
    if (center->stopping)
        return;
    LOG(LOG_ERROR, "stopping: another process has taken over this instance",
        LOG_C("instance", center->config->instance));
    stop(center);
}

// ---- Vitals -------------------------------------------------------------------------------------------------------

static void look(void *ctx) {
    struct center *center = ctx;
    struct vitals_seen seen = {.drift_ms = clock_drift_ms()};
    struct store_stats stats;
    if (center->store) {
        store_stats(center->store, &stats);
        seen.store_down = stats.down;
    }
    unsigned news = vitals_look(&center->vitals, &seen);
    if (news & VITALS_CLOCK_JUMPED)
        LOG(LOG_WARN, "the wall clock has jumped; time goes on here as if it had not",
            LOG_INT("drift_ms", seen.drift_ms));
    if (news & VITALS_STORE_DOWN)
        LOG(LOG_ERROR, "the store does not answer; nothing new is accepted until it does");
    if (news & VITALS_STORE_BACK)
        LOG(LOG_INFO, "the store answers again");
    rpc_timer_set(center->loop, &center->vitals_timer, clock_now_ms(rpc_loop_clock(center->loop)) + VITALS_EVERY_MS);
}

// ---- Living -------------------------------------------------------------------------------------------------------

bool center_listen(struct center *center, struct error *error) {
    static const int signals[] = {SIGTERM, SIGINT};
    center->vitals_timer = (struct rpc_timer){.fire = look, .ctx = center};
    rpc_timer_set(center->loop, &center->vitals_timer, clock_now_ms(rpc_loop_clock(center->loop)));
    return rpc_loop_on_signal(center->loop, signals, sizeof signals / sizeof signals[0], caught, center, error);
}

bool center_run(struct center *center) {
    if (!center->stopping)
        rpc_loop_run(center->loop);
    return !center->failed;
}
