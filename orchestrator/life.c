// How a center lives and ends: signals, looking at its vitals, stopping in order.
#include "base/log.h"
#include "orchestrator/compose.h"

#include <malloc.h>
#include <signal.h>
#include <unistd.h>

enum {
    VITALS_EVERY_MS = 1000,
    AGAIN_MS = 1000,       // after a signal to stop, until another one means "at once"
    CUT_MS = 5000,         // after drain_ms
    TRIM_LOOKS = 10,       // from one look at what is free in memory to the next
    TRIM_LEAST = 16 << 20, // bytes that are free before they are given back
    TRIM_PAD = 4 << 20,    // that stay, so that what comes next needs not ask for them
    LEAVE_MS = 3000,       // that the others' taking over is waited for, once nothing else is
};

// ---- Ending -------------------------------------------------------------------------------------------------------

static void set_timer(struct center *center, struct rpc_timer *timer, void (*fire)(void *ctx), int64_t wait_ms) {
    rpc_timer_stop(center->loop, timer); // it may be set, for something else
    *timer = (struct rpc_timer){.fire = fire, .ctx = center};
    rpc_timer_set(center->loop, timer, clock_now_ms(rpc_loop_clock(center->loop)) + wait_ms);
}

static void leave_late(void *ctx) {
    struct center *center = ctx;
    LOG(LOG_WARN, "ending before the others have what was driven here; they take over when the lease is over");
    rpc_loop_stop(center->loop);
}

static void drained(void *ctx) {
    struct center *center = ctx;
    center->drained = true;
    if (center->left)
        rpc_loop_stop(center->loop);
    else
        set_timer(center, &center->cut_timer, leave_late, LEAVE_MS);
}

// The others have what was driven here, or there is nobody to have it.
static void left(void *ctx, const struct error *error) {
    struct center *center = ctx;
    if (error)
        LOG(LOG_WARN, "what was driven here could not be handed over", LOG_C("text", error->text));
    center->left = true;
    if (center->drained)
        rpc_loop_stop(center->loop);
}

static void hurry(void *ctx) {
    struct center *center = ctx;
    trades_hurry(center->trades);
    submit_hurry(center->saga_service.submit);
    forward_hurry(center->forward);
}

// Something still owes an answer (a store that is down, say): what is durable stays so, and goes on at the next start.
static void cut(void *ctx) {
    struct center *center = ctx;
    LOG(LOG_ERROR, "ending with calls in flight", LOG_INT("in_flight", rpc_server_in_flight(center->server)));
    _exit(1);
}

// Health says NOT_SERVING, what is new is refused, what is in flight ends, and at once the other instances get what is
// driven here. Calls that only wait for an outcome are told how far it is when it goes to another instance, or when
// three quarters of drain_ms are over; after drain_ms connections are cut.
static void stop(struct center *center) {
    center->stopping = true;
    if (!center->serving)
        return; // whoever opens it sees that it is stopping
    int64_t drain_ms = center->config->drain_ms;
    set_timer(center, &center->hurry_timer, hurry, drain_ms * 3 / 4);
    set_timer(center, &center->cut_timer, cut, drain_ms + CUT_MS);
    rpc_server_drain(center->server, drained, center);
    trade_service_end_streams(center->trade_service);
    saga_streams_end(center->saga_service.streams);
    operator_service_end_streams(&center->operator_service);
    forward_end_streams(center->forward);
    if (!center->fenced)
        saga_engine_hand_over(center->engine, left, center);
}

static void caught(void *ctx, int signal_number) {
    struct center *center = ctx;
    int64_t now_ms = clock_now_ms(rpc_loop_clock(center->loop));
    if (center->asked && now_ms < center->asked_ms + AGAIN_MS)
        return; // one request that came twice: to the whole group, or from a parent who passes on what we got, too
    if (center->asked) {
        LOG(LOG_WARN, "ending at once", LOG_INT("signal", signal_number));
        _exit(1); // what is durable stays so; what is in flight is taken up at the next start
    }
    center->asked = true;
    center->asked_ms = now_ms;
    LOG(LOG_INFO, "stopping", LOG_INT("signal", signal_number),
        LOG_INT("in_flight", center->serving ? rpc_server_in_flight(center->server) : 0));
    if (!center->stopping)
        stop(center);
}

// Nothing can be handed over, and who waits is told at once how far it is.
void center_fenced(struct center *center) {
    if (center->fenced)
        return;
    center->fenced = center->left = true;
    if (!center->stopping)
        stop(center);
    else if (center->drained)
        rpc_loop_stop(center->loop);
    if (center->serving)
        set_timer(center, &center->hurry_timer, hurry, 0);
}

// ---- Vitals -------------------------------------------------------------------------------------------------------

// What a burst took and freed goes back to the machine. The C library keeps it, where it lies between what is in use.
static void return_memory(struct center *center) {
    if (++center->looks % TRIM_LOOKS == 0 && mallinfo2().fordblks > TRIM_LEAST)
        malloc_trim(TRIM_PAD);
}

void center_look(struct center *center) {
    struct vitals_seen seen = {.drift_ms = clock_drift_ms()};
    struct store_stats stats;
    struct cache_stats cache;
    cache_stats(center->cache, &cache);
    seen.cache_down = cache.down;
    if (center->store) {
        store_stats(center->store, &stats);
        seen.store_down = stats.down;
        seen.store_warning = store_durability_warning(center->store);
    }
    unsigned news = vitals_look(&center->vitals, &seen);
    if (news & VITALS_CLOCK_JUMPED)
        LOG(LOG_WARN, "the wall clock has jumped; time goes on here as if it had not",
            LOG_INT("drift_ms", seen.drift_ms));
    if (news & VITALS_STORE_DOWN)
        LOG(LOG_ERROR, "the store does not answer; nothing new is accepted until it does");
    if (news & VITALS_STORE_BACK)
        LOG(LOG_INFO, "the store answers again");
    if (news & VITALS_STORE_WEAK)
        LOG(LOG_WARN, seen.store_warning);
    if (news & VITALS_STORE_SOUND)
        LOG(LOG_INFO, "the database's settings are durable again");
    if (news & VITALS_CACHE_DOWN)
        LOG(LOG_WARN, "the cache does not answer; facts are asked for each time until it does",
            LOG_C("text", cache.why));
    if (news & VITALS_CACHE_BACK)
        LOG(LOG_INFO, "the cache answers again");
    if (center->server)
        rpc_server_set_health(center->server, !seen.store_down);
}

static void look(void *ctx) {
    struct center *center = ctx;
    center_look(center);
    observe_counted(&center->observer);
    return_memory(center);
    set_timer(center, &center->vitals_timer, look, VITALS_EVERY_MS);
}

// ---- Living -------------------------------------------------------------------------------------------------------

bool center_listen(struct center *center, struct error *error) {
    static const int signals[] = {SIGTERM, SIGINT};
    set_timer(center, &center->vitals_timer, look, 0);
    return rpc_loop_on_signal(center->loop, signals, sizeof signals / sizeof signals[0], caught, center, error);
}

void center_run(struct center *center) {
    if (!center->stopping)
        rpc_loop_run(center->loop);
}
