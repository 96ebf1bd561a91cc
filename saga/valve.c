#include "saga/valve.h"

#include <assert.h>

enum { SLOW_START = 2, SLOW_START_MAX = 1024 };
#define SECOND_NS INT64_C(1000000000)
#define MS_NS INT64_C(1000000)

void valve_init(struct valve *valve, const struct saga_gate_limits *limits, int64_t now_ms) {
    *valve = (struct valve){.limits = *limits, .since_ms = now_ms, .now = {now_ms, 0, 0}, .before = {now_ms, 0, 0}};
}

// ---- Whether one may go -------------------------------------------------------------------------------------------

static uint32_t at_once(const struct valve *valve) {
    uint32_t most = valve->limits.in_flight_max;
    if (valve->slow_start && (most == 0 || valve->slow_start < most))
        most = valve->slow_start;
    return most ? most : UINT32_MAX;
}

// How many of `most` are kept for core steps.
static uint32_t kept(uint32_t most) {
    return most == 1 ? 0 : most / 4 + (most % 4 != 0);
}

static uint32_t at_least_one(uint32_t n) {
    return n ? n : 1;
}

static uint32_t less(uint32_t n, uint32_t taken, uint32_t most) {
    uint32_t rest = taken < most ? most - taken : 0;
    return rest < n ? rest : n;
}

// How many of `n` find room among those that may go at once.
static uint32_t room_for(const struct valve *valve, enum valve_use use, uint32_t n) {
    uint32_t most = at_once(valve);
    n = less(n, valve->in_flight, most);
    if (use != VALVE_CORE)
        n = less(n, valve->in_flight - valve->taken[VALVE_CORE], at_least_one(most - kept(most)));
    return use == VALVE_LATER ? less(n, valve->taken[VALVE_LATER], at_least_one(most / 2)) : n;
}

// What is kept for core steps is theirs also while more than the rest is under way, because less may be than before.
static bool has_room(const struct valve *valve, enum valve_use use) {
    return room_for(valve, use, 1) > 0 ||
           (use == VALVE_CORE && valve->taken[VALVE_CORE] < kept(at_once(valve)) &&
            (!valve->limits.in_flight_max || valve->in_flight < valve->limits.in_flight_max));
}

bool valve_crowds_out(const struct valve *valve) {
    return !has_room(valve, VALVE_CORE) && valve->taken[VALVE_CORE] < kept(at_once(valve));
}

static int64_t interval_ns(const struct valve *valve) {
    return (SECOND_NS + valve->limits.rate_per_s - 1) / valve->limits.rate_per_s;
}

static int64_t burst_of(const struct valve *valve, enum valve_use use) {
    uint32_t whole = at_least_one(valve->limits.burst);
    return use == VALVE_CORE ? whole : whole - kept(whole);
}

// When the bucket has a token again. As time is told in milliseconds, what comes within one comes at once.
static int64_t token_ms(const struct valve *valve, enum valve_use use) {
    if (valve->limits.rate_per_s == 0)
        return 0;
    return (valve->arrival_ns - (burst_of(valve, use) - 1) * interval_ns(valve)) / MS_NS;
}

static uint32_t tokens(const struct valve *valve, enum valve_use use, int64_t now_ms) {
    if (valve->limits.rate_per_s == 0)
        return UINT32_MAX;
    int64_t burst = burst_of(valve, use), ahead_ns = valve->arrival_ns - now_ms * MS_NS;
    int64_t taken = ahead_ns <= 0 ? 0 : (ahead_ns + interval_ns(valve) - 1) / interval_ns(valve);
    return taken < burst ? (uint32_t)(burst - taken) : 0;
}

uint32_t valve_free(const struct valve *valve, enum valve_use use, int64_t now_ms) {
    return room_for(valve, use, tokens(valve, use, now_ms));
}

bool valve_is_shut(const struct valve *valve, int64_t now_ms) {
    return valve->state != SAGA_BREAKER_CLOSED && (valve->probing || now_ms < valve->until_ms);
}

const char *valve_refusal(const struct valve *valve, enum valve_use use, int64_t now_ms) {
    if (valve_is_shut(valve, now_ms))
        return "it does not answer";
    if (!has_room(valve, use))
        return "it has as many calls as it may have at once";
    return token_ms(valve, use) > now_ms ? "it has had as many calls as it may have in this time" : NULL;
}

int64_t valve_due_ms(const struct valve *valve, enum valve_use use, int64_t now_ms) {
    if (valve->state != SAGA_BREAKER_CLOSED && !valve->probing && now_ms < valve->until_ms)
        return valve->until_ms;
    return !valve_is_shut(valve, now_ms) && token_ms(valve, use) > now_ms ? token_ms(valve, use) : INT64_MAX;
}

bool valve_take(struct valve *valve, enum valve_use use, int64_t now_ms) {
    assert(!valve_refusal(valve, use, now_ms));
    valve->in_flight++;
    valve->taken[use]++;
    valve->calls++;
    if (valve->limits.rate_per_s) {
        int64_t now_ns = now_ms * MS_NS;
        valve->arrival_ns = (valve->arrival_ns > now_ns ? valve->arrival_ns : now_ns) + interval_ns(valve);
    }
    if (valve->state == SAGA_BREAKER_CLOSED)
        return false;
    valve->state = SAGA_BREAKER_HALF_OPEN;
    valve->probing = true;
    return true;
}

void valve_give_back(struct valve *valve, enum valve_use use, bool probe) {
    valve->in_flight--;
    valve->taken[use]--;
    valve->calls--;
    if (probe) {
        valve->probing = false;
        valve->state = SAGA_BREAKER_OPEN;
    }
}

// A breaker that is open is worth remembering for as long as somebody may come to probe: whoever was turned away comes
// back within the longest pause. Else those that are never called again would stay for ever.
bool valve_is_idle(const struct valve *valve, int64_t now_ms) {
    int64_t remembered_ms = valve->state == SAGA_BREAKER_CLOSED ? 0 : valve->until_ms + valve->limits.open_max_ms;
    return valve->in_flight == 0 && remembered_ms <= now_ms && token_ms(valve, VALVE_CORE) <= now_ms;
}

// ---- The breaker --------------------------------------------------------------------------------------------------

static void pause(struct valve *valve, int64_t now_ms, uint64_t random) {
    const struct saga_gate_limits *limits = &valve->limits;
    const struct saga_retry pauses = {
        .first_ms = limits->open_first_ms, .max_ms = limits->open_max_ms, .jitter_percent = 20};
    valve->state = SAGA_BREAKER_OPEN;
    valve->until_ms = now_ms + saga_backoff_ms(&pauses, valve->opened, random);
}

static void open_breaker(struct valve *valve, int64_t now_ms, uint64_t random) {
    if (valve->state == SAGA_BREAKER_CLOSED)
        valve->since_ms = now_ms;
    valve->opened++;
    pause(valve, now_ms, random);
}

static void close_breaker(struct valve *valve, int64_t now_ms) {
    valve->state = SAGA_BREAKER_CLOSED;
    valve->since_ms = now_ms;
    valve->until_ms = 0;
    valve->opened = valve->failures_in_row = 0;
    valve->now = valve->before = (struct valve_span){.from_ms = now_ms};
    valve->slow_start = SLOW_START;
}

// The window is two spans: the present one, and the one before it.
static void count(struct valve *valve, bool failed, int64_t now_ms) {
    int64_t span_ms = valve->limits.window_ms / 2, age_ms = now_ms - valve->now.from_ms;
    if (age_ms >= span_ms) {
        valve->before = age_ms < 2 * span_ms ? valve->now : (struct valve_span){.from_ms = now_ms};
        valve->now = (struct valve_span){.from_ms = now_ms};
    }
    valve->now.calls++;
    valve->now.failures += failed;
}

static bool fails_often(const struct valve *valve) {
    const struct saga_gate_limits *limits = &valve->limits;
    uint64_t calls = (uint64_t)valve->now.calls + valve->before.calls;
    uint64_t failures = (uint64_t)valve->now.failures + valve->before.failures;
    if (limits->failures_max && valve->failures_in_row >= limits->failures_max)
        return true;
    return limits->failure_percent && calls >= limits->calls_min && failures * 100 >= calls * limits->failure_percent;
}

// A definite answer is one, whatever it says; that we had too many calls ourselves is no fault of the participant's.
enum verdict { FINE, FAILED, NEITHER };
static enum verdict verdict_of(enum outcome outcome, enum err code) {
    if (outcome == OUTCOME_OK || outcome == OUTCOME_REJECTED)
        return FINE;
    return code == ERR_OVERLOADED || code == ERR_SHUTTING_DOWN ? NEITHER : FAILED;
}

static void speed_up(struct valve *valve) {
    uint32_t most = valve->limits.in_flight_max ? valve->limits.in_flight_max : SLOW_START_MAX;
    if (valve->slow_start && ++valve->slow_start >= most)
        valve->slow_start = 0;
}

void valve_leave(struct valve *valve, const struct valve_end *end, int64_t now_ms, uint64_t random) {
    enum verdict verdict = verdict_of(end->outcome, end->code);
    valve->in_flight--;
    valve->taken[end->use]--;
    if (verdict == FAILED) {
        valve->failures++;
        valve->failed_ms = now_ms;
        str_fit(str_c(end->text), valve->last_text, sizeof valve->last_text);
    }
    valve->probing = valve->probing && !end->probe;
    if (end->probe && verdict == FINE) {
        close_breaker(valve, now_ms);
    } else if (end->probe && verdict == NEITHER) {
        pause(valve, now_ms, random); // nothing was learnt: as long as before
    } else if (end->probe) {
        open_breaker(valve, now_ms, random);
    } else if (valve->state == SAGA_BREAKER_CLOSED && verdict != NEITHER) {
        valve->failures_in_row = verdict == FAILED ? valve->failures_in_row + 1 : 0;
        count(valve, verdict == FAILED, now_ms);
        if (verdict == FINE)
            speed_up(valve);
        else if (fails_often(valve))
            open_breaker(valve, now_ms, random);
    }
}
