#include "tests/simulation/limits.h"

#include "saga/participant.h"
#include "tests/simulation/center.h"
#include "tests/simulation/durable.h"

#include <stdlib.h>

static const struct saga_gate_limits *limits(void) {
    return &world_now->shape->limits;
}

// ---- Calls --------------------------------------------------------------------------------------------------------

void limits_sent(struct center *center, uint8_t participant, bool leaves) {
    struct limit *limit = &center->limits[participant];
    uint32_t most = limits()->in_flight_max;
    limit->in_flight++;
    if (most && limit->in_flight > most)
        world_broken("limit", "p%u has %u calls of %s at once, and may have %u", participant, limit->in_flight,
                     center->label, most);
    if (limit->paused && leaves)
        world_broken("E8", "p%u is paused, which %s knows, and is called", participant, center->label);
}

// So many failures in a row, and nothing goes out for at least so long (a fifth less, by chance). Where it may be open
// for another reason, this is not known from outside.
void limits_ended(struct center *center, uint8_t participant, bool probe, enum outcome outcome) {
    struct limit *limit = &center->limits[participant];
    bool fine = outcome == OUTCOME_OK || outcome == OUTCOME_REJECTED;
    int64_t now_ms = world_now->time.now_ms;
    limit->in_flight--;
    if (fine && (!limit->open || probe)) {
        limit->open = false;
        limit->failures = 0;
    } else if (probe && limit->open) {
        limit->opened_ms = now_ms;
    } else if (!fine && !limit->open && limits()->failures_max && !limits()->failure_percent &&
               ++limit->failures >= limits()->failures_max) {
        limit->open = true;
        limit->opened_ms = now_ms;
    }
}

// ---- Pauses -------------------------------------------------------------------------------------------------------

void limits_read(struct center *center) {
    struct store_query query = {.table = &participant_table, .limit = STORE_LIMIT_MAX};
    size_t n;
    const struct participant_row *rows = durable_rows(&query, &n);
    center->reading = (struct limit_reading){.there = true, .version = center->pauses};
    for (size_t i = 0; i < n; i++)
        center->reading.paused |= 1u << (rows[i].participant[1] - '0');
}

static void learn(struct center *center, bool paused) {
    struct limit_reading *reading = &center->reading;
    for (unsigned i = 0; i < PLAN_PARTICIPANTS && reading->there && reading->version == center->pauses; i++)
        if ((reading->paused >> i & 1) == paused)
            center->limits[i].paused = paused;
}

void limits_arrive(struct center *center) {
    learn(center, false);
}

void limits_arrived(struct center *center) {
    learn(center, true);
    center->reading.there = false;
}

void limits_told(struct center *center) {
    center->pauses++;
}

void limits_changed(struct center *center, uint8_t participant, bool paused) {
    center->pauses++;
    center->limits[participant].paused = paused;
}

// ---- Admissions ---------------------------------------------------------------------------------------------------

// An even rate, and so many of a burst at once; times are whole milliseconds.
static void check_rate(const struct center *center, struct limit *limit, uint8_t participant) {
    uint32_t rate = limits()->rate_per_s;
    int64_t now_us = world_now->time.now_ms * 1000, burst = limits()->burst ? limits()->burst : 1;
    if (rate == 0)
        return;
    int64_t interval_us = 1000000 / rate;
    if (limit->arrival_us - (burst - 1) * interval_us > now_us + 2000)
        world_broken("limit", "p%u gets calls of %s faster than %u a second, %lld at once", participant, center->label,
                     rate, (long long)burst);
    limit->arrival_us = (limit->arrival_us > now_us ? limit->arrival_us : now_us) + interval_us;
}

static void look(void *ctx, const struct saga_participant *participant) {
    struct center *center = ctx;
    uint8_t number = (uint8_t)(participant->name[1] - '0');
    struct limit *limit = &center->limits[number];
    int64_t first_ms = limits()->open_first_ms, now_ms = world_now->time.now_ms;
    for (; limit->admitted < participant->calls; limit->admitted++) {
        check_rate(center, limit, number);
        if (limit->open && limit->opened_ms < now_ms && now_ms < limit->opened_ms + first_ms * 4 / 5)
            world_broken("limit", "p%u has failed %u times in a row, and %s calls it %lld ms later", number,
                         limit->failures, center->label, (long long)(now_ms - limit->opened_ms));
    }
    limit->admitted = participant->calls; // one that was not sent after all is taken back
}

void limits_step(struct center *center) {
    if (limits()->rate_per_s || limits()->failures_max)
        saga_participants(center->engine, look, center);
}
