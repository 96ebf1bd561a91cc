#include "tests/simulation/plan.h"

#include "tests/simulation/lurker.h"

#include <assert.h>
#include <stdio.h>

static const char *const kind_names[ITEM_KINDS] = {
    [ITEM_START] = "start",       [ITEM_SIGNAL] = "signal", [ITEM_PAY] = "pay",     [ITEM_OPERATE] = "operate",
    [ITEM_POKE] = "poke",         [ITEM_MISUSE] = "misuse", [ITEM_TAKEN] = "taken", [ITEM_WEATHER] = "weather",
    [ITEM_HOLD] = "hold",         [ITEM_OUTAGE] = "outage", [ITEM_STORE] = "store", [ITEM_CRASH] = "crash",
    [ITEM_CLOSE] = "close",       [ITEM_PAUSE] = "pause",   [ITEM_JUMP] = "jump",   [ITEM_ROLLBACK] = "rollback",
    [ITEM_OPERATOR] = "operator", [ITEM_LURKER] = "lurker",
};

static const char *const trouble_names[STORE_TROUBLES] = {
    [STORE_AWAY] = "away",
    [STORE_CROWDED] = "crowded",
    [STORE_IS_FULL] = "full",
    [STORE_ODD] = "odd",
    [STORE_LANDED] = "a commit takes place, its answer is lost",
    [STORE_LOST] = "a commit does not take place, nobody knows",
    [STORE_PENDING] = "a commit is still under way when its connection is lost",
    [STORE_SLOW] = "slow",
    [STORE_BLIND] = "blind",
};

static const char *const death_names[DEATHS] = {
    [DIE_NOW] = "now",
    [DIE_BEFORE_COMMIT] = "before a commit",
    [DIE_AFTER_COMMIT] = "after a commit",
    [DIE_AT_SEND] = "while it sends",
    [DIE_AT_REPLY] = "while it answers a caller",
};

const char *item_kind_name(enum item_kind kind) {
    return kind_names[kind];
}

// ---- Making -------------------------------------------------------------------------------------------------------

// Some ways to fail often and others not at all, which ones differing from seed to seed: what only happens when there
// is much of one thing happens, too.
static void make_fates(struct shape *shape, struct seeded *dice) {
    static const uint32_t most[FATES] = {
        [FATE_NO] = 80,   [FATE_FLAKY] = 150, [FATE_SILENT] = 100, [FATE_DEAF] = 100,  [FATE_BROKEN] = 60,
        [FATE_HUGE] = 50, [FATE_CLOSED] = 80, [FATE_LETHAL] = 25,  [FATE_SPOILT] = 40,
    };
    bool fair = draw_chance(dice, 15);
    for (int fate = FATE_FINE + 1; fate < FATES; fate++)
        if (draw_chance(dice, 55) && !fair)
            shape->fates[fate] = draw_between(dice, 1, most[fate]);
}

static void make_limits(struct shape *shape, struct seeded *dice) {
    struct saga_gate_limits *limits = &shape->limits;
    *limits = (struct saga_gate_limits){.open_first_ms = draw_between(dice, 20, 1000)};
    limits->open_max_ms = limits->open_first_ms + draw_between(dice, 0, 3000);
    if (draw_chance(dice, 40))
        limits->in_flight_max = draw_between(dice, 1, 8);
    if (draw_chance(dice, 40))
        limits->waiting_max = draw_between(dice, 1, 8);
    if (draw_chance(dice, 25)) {
        limits->rate_per_s = draw_between(dice, 10, 200);
        limits->burst = draw_between(dice, 0, 10);
    }
    if (draw_chance(dice, 40))
        limits->failures_max = draw_between(dice, 2, 10);
    if (draw_chance(dice, 15)) {
        limits->failure_percent = draw_between(dice, 30, 90);
        limits->calls_min = draw_between(dice, 3, 20);
        limits->window_ms = draw_between(dice, 500, 10000);
    }
    shape->pause_poll_ms = draw_between(dice, 50, 2000);
    shape->hold_ms = draw_chance(dice, 60) ? draw_between(dice, 50, 3000) : 0;
}

static uint32_t draw_sagas(struct seeded *dice) {
    uint64_t size = seeded_below(dice, 100);
    return size < 25   ? draw_between(dice, 1, 8)
           : size < 80 ? draw_between(dice, 8, 40)
                       : draw_between(dice, 40, PLAN_SAGAS_MAX);
}

// Soon over, so that what comes late comes afterwards. Requests are kept for longer than anybody repeats them, whatever
// the clocks do; what operators did for as long as it is asked about here.
static void make_retention(struct shape *shape, struct seeded *dice) {
    struct saga_retention_options *retention = &shape->retention;
    shape->estate = draw_chance(dice, 50);
    for (int class = 0; class < SAGA_KEPT_CLASSES; class ++)
        retention->kept_ms[class] = draw_chance(dice, 90) ? draw_between(dice, 500, 15000) : 0;
    if (shape->estate && retention->kept_ms[SAGA_KEPT_SUCCEEDED] == 0)
        retention->kept_ms[SAGA_KEPT_SUCCEEDED] = 5000;
    retention->requests_ms = 4000000;
    retention->events_ms = draw_chance(dice, 70) ? draw_between(dice, 500, 30000) : 0;
    retention->rows_per_s = draw_between(dice, 50, 2000);
    retention->batch = draw_between(dice, 1, 32);
    retention->interval_ms = draw_between(dice, 200, 3000);
}

static void make_patrol(struct shape *shape, struct seeded *dice) {
    struct saga_patrol_options *patrol = &shape->patrol;
    patrol->running_ms = draw_between(dice, 2000, 20000);
    patrol->forward_ms = draw_between(dice, 2000, 20000);
    patrol->compensating_ms = draw_between(dice, 2000, 20000);
    patrol->parked_ms = draw_between(dice, 500, 10000);
    patrol->stuck_ms = draw_between(dice, 30000, 60000);
    patrol->oscillating_attempts = draw_between(dice, 2, 6);
    patrol->oscillating_ms = draw_between(dice, 1000, 20000);
    patrol->rows_per_s = draw_between(dice, 100, 2000);
    patrol->checks_per_s = draw_between(dice, 1, 50);
    patrol->interval_ms = draw_between(dice, 200, 5000);
}

static void make_instances(struct shape *shape, struct seeded *dice) {
    uint64_t size = seeded_below(dice, 100);
    shape->names = size < 55 ? 1 : size < 80 ? 2 : 3;
    if (shape->names > 1 || draw_chance(dice, 20))
        shape->lease_ms = draw_between(dice, 300, draw_chance(dice, 50) ? 1500 : 6000);
}

static void make_shape(struct shape *shape, uint64_t seed) {
    struct seeded dice = draw_stream(seed, "shape", 0);
    *shape = (struct shape){
        .chaos_ms = 5000 + (int64_t)seeded_below(&dice, 40000),
        .sagas = draw_sagas(&dice),
        .siege = draw_chance(&dice, 20),
        .subjects = draw_between(&dice, 1, PLAN_SUBJECTS_MAX),
        .latency_ms = draw_between(&dice, 1, 40),
        .commit_ms = draw_chance(&dice, 30) ? draw_between(&dice, 10, 200) : draw_between(&dice, 0, 8),
        .resident_max = draw_chance(&dice, 50) ? draw_between(&dice, 1, 10) : 1000,
        .resume_rate = draw_chance(&dice, 50) ? draw_between(&dice, 50, 2000) : 2000,
        .scan_interval_ms = draw_between(&dice, 200, 3000),
        .horizon_ms = draw_between(&dice, 100, 20000),
        .resume_max = draw_between(&dice, 1, 3),
        .batch_max = draw_chance(&dice, 50) ? draw_between(&dice, 1, 6) : 0,
    };
    make_fates(shape, &dice);
    make_limits(shape, &dice);
    make_instances(shape, &dice);
    if (draw_chance(&dice, 40))
        make_retention(shape, &dice);
    if (draw_chance(&dice, 40))
        make_patrol(shape, &dice);
    if (shape->siege) {
        // What parks one step while another is refused, and keeps what is undone busy.
        shape->fates[FATE_NO] = draw_between(&dice, 50, 250);
        shape->fates[FATE_CLOSED] = draw_between(&dice, 50, 250);
        shape->fates[FATE_FLAKY] = draw_between(&dice, 50, 250);
        shape->fates[FATE_SILENT] = draw_between(&dice, 20, 150);
        shape->fates[FATE_HUGE] = draw_between(&dice, 50, 200);
        shape->fates[FATE_LETHAL] = draw_chance(&dice, 50) ? 0 : draw_between(&dice, 10, 60);
    }
}

static struct item *add(struct plan *plan, enum item_kind kind, struct seeded *dice) {
    assert(plan->n < PLAN_ITEMS_MAX);
    struct item *item = &plan->items[plan->n++];
    *item = (struct item){.kind = kind, .at_ms = (int64_t)seeded_below(dice, (uint64_t)plan->shape.chaos_ms)};
    return item;
}

uint32_t plan_draw_act(struct seeded *dice) {
    static const uint8_t percent[SAGA_ACTS] = {
        [SAGA_ACT_RETRY] = 30, [SAGA_ACT_SKIP] = 13,  [SAGA_ACT_COMPENSATE] = 13, [SAGA_ACT_RESOLVE] = 16,
        [SAGA_ACT_PAUSE] = 16, [SAGA_ACT_RESUME] = 5, [SAGA_ACT_TERMINATE] = 7,
    };
    uint64_t place = seeded_below(dice, 100);
    uint32_t act = 0;
    while (place >= percent[act])
        place -= percent[act++];
    return act;
}

// What is said to one saga. Most of it comes when the saga is there, some before and some long after.
static void make_saga(struct plan *plan, uint32_t k) {
    struct seeded dice = draw_stream(plan->seed, "saga's commands", k);
    struct item *start = add(plan, ITEM_START, &dice);
    start->target = k;
    start->a = draw_chance(&dice, 20); // twice at once
    start->b = draw_chance(&dice, 30); // asked again afterwards
    int64_t began_ms = start->at_ms;
    for (uint32_t i = draw_between(&dice, 0, 6); i > 0 && plan->n + 150 < PLAN_ITEMS_MAX; i--) {
        static const enum item_kind kinds[] = {ITEM_SIGNAL,  ITEM_SIGNAL,  ITEM_SIGNAL, ITEM_PAY,   ITEM_PAY,
                                               ITEM_OPERATE, ITEM_OPERATE, ITEM_POKE,   ITEM_TAKEN, ITEM_MISUSE};
        struct item *item = add(plan, kinds[seeded_below(&dice, sizeof kinds / sizeof kinds[0])], &dice);
        if (draw_chance(&dice, 80))
            item->at_ms = began_ms + (int64_t)seeded_below(&dice, 6000);
        item->target = k;
        item->a = (uint32_t)seeded_below(&dice, 4);
        item->b = draw_chance(&dice, 40) ? draw_between(&dice, 2, 3) : 1;
        item->c = plan_draw_act(&dice);
    }
}

static void make_weather(struct plan *plan, struct seeded *dice) {
    struct item *item = add(plan, ITEM_WEATHER, dice);
    item->for_ms = 500 + (int64_t)seeded_below(dice, 15000);
    item->a = draw_chance(dice, 60) ? draw_between(dice, 1, 40) : 0;    // percent of messages that are lost
    item->b = draw_chance(dice, 50) ? draw_between(dice, 1, 40) : 0;    // … that come twice
    item->c = draw_chance(dice, 70) ? draw_between(dice, 50, 8000) : 0; // ms of delay, at most
}

static void make_store_trouble(struct plan *plan, struct seeded *dice) {
    struct item *item = add(plan, ITEM_STORE, dice);
    item->a = plan->shape.siege && draw_chance(dice, 50) ? STORE_ODD : (uint32_t)seeded_below(dice, STORE_TROUBLES);
    item->b = draw_between(dice, 5, 60); // percent, where only some fail
    item->c = draw_chance(dice, 50);     // PENDING: it lands in the end
    bool long_one = draw_chance(dice, 30) || (plan->shape.siege && item->a == STORE_ODD);
    item->for_ms = 50 + (int64_t)seeded_below(dice, long_one ? 12000 : 1500);
}

static int64_t down_ms(struct seeded *dice) {
    return draw_chance(dice, 80) ? (int64_t)seeded_below(dice, 400) : (int64_t)seeded_below(dice, 8000);
}

static void make_crash(struct plan *plan, struct seeded *dice) {
    struct item *item = add(plan, ITEM_CRASH, dice);
    item->target = (uint32_t)seeded_below(dice, plan->shape.names);
    item->a = (uint32_t)seeded_below(dice, DEATHS);
    item->b = draw_between(dice, 1, 8);
    item->for_ms = down_ms(dice);
}

static void make_pause(struct plan *plan, struct seeded *dice) {
    struct item *item = add(plan, ITEM_PAUSE, dice);
    item->target = (uint32_t)seeded_below(dice, plan->shape.names);
    item->for_ms = 20 + (int64_t)seeded_below(dice, 9000);
    item->b = draw_chance(dice, 70);
    item->c = (uint32_t)seeded_below(dice, (uint64_t)item->for_ms); // when the other process takes over
}

static void make_restart(struct plan *plan, enum item_kind kind, struct seeded *dice) {
    struct item *item = add(plan, kind, dice);
    item->target = (uint32_t)seeded_below(dice, plan->shape.names);
    item->for_ms = down_ms(dice);
}

static void make_jump(struct plan *plan, struct seeded *dice) {
    struct item *item = add(plan, ITEM_JUMP, dice);
    int64_t most = draw_chance(dice, 50) ? 600000 : 5000;
    item->delta_ms = (int64_t)seeded_below(dice, (uint64_t)(2 * most)) - most;
    item->a = plan->shape.lease_ms > 0 && draw_chance(dice, 50);
}

static void make_outage(struct plan *plan, struct seeded *dice) {
    struct item *item = add(plan, ITEM_OUTAGE, dice);
    item->target = (uint32_t)seeded_below(dice, PLAN_PARTICIPANTS);
    item->a = draw_chance(dice, 50); // refuses connections, else swallows what is sent
    item->for_ms = 10 + (int64_t)seeded_below(dice, draw_chance(dice, 30) ? 20000 : 2000);
}

static void make_hold(struct plan *plan, struct seeded *dice) {
    struct item *item = add(plan, ITEM_HOLD, dice);
    item->target = (uint32_t)seeded_below(dice, PLAN_PARTICIPANTS);
    item->for_ms = 20 + (int64_t)seeded_below(dice, draw_chance(dice, 30) ? 15000 : 2000);
}

static void make_operator(struct plan *plan, struct seeded *dice) {
    struct item *item = add(plan, ITEM_OPERATOR, dice);
    item->at_ms /= 4;
    item->a = draw_between(dice, 20, 100);
    item->b = draw_chance(dice, 50) ? draw_between(dice, 1, 50) : draw_between(dice, 50, 4000);
}

static void make_faults(struct plan *plan) {
    struct seeded dice = draw_stream(plan->seed, "faults", 0);
    bool calm_world = draw_chance(&dice, 5);
    if (calm_world)
        return;
    for (uint32_t i = draw_between(&dice, 0, 4); i > 0; i--)
        make_weather(plan, &dice);
    for (uint32_t i = draw_between(&dice, 0, 4); i > 0; i--)
        make_outage(plan, &dice);
    for (uint32_t i = draw_chance(&dice, 70) ? draw_between(&dice, 1, 8) : 0; i > 0; i--)
        make_store_trouble(plan, &dice);
    for (uint32_t i = draw_chance(&dice, 70) ? draw_between(&dice, 1, plan->shape.siege ? 40 : 10) : 0; i > 0; i--)
        make_crash(plan, &dice);
    if (draw_chance(&dice, 50))
        make_operator(plan, &dice);
    for (uint32_t i = draw_chance(&dice, 30) ? draw_between(&dice, 1, 4) : 0; i > 0; i--)
        make_hold(plan, &dice);
    for (uint32_t i = draw_chance(&dice, 30) ? draw_between(&dice, 1, 3) : 0; i > 0; i--)
        make_restart(plan, ITEM_CLOSE, &dice);
    for (uint32_t i = draw_chance(&dice, 40) ? draw_between(&dice, 1, 4) : 0; i > 0; i--)
        make_pause(plan, &dice);
    for (uint32_t i = draw_chance(&dice, 25) ? draw_between(&dice, 1, 3) : 0; i > 0; i--)
        make_jump(plan, &dice);
    for (uint32_t i = draw_chance(&dice, 15) ? 1 : 0; i > 0; i--)
        make_restart(plan, ITEM_ROLLBACK, &dice);
}

static void make_lurkers(struct plan *plan) {
    struct seeded dice = draw_stream(plan->seed, "lurkers", 0);
    bool siege = plan->shape.siege;
    uint32_t n = draw_chance(&dice, siege ? 90 : 45) ? draw_between(&dice, siege ? 3 : 1, LURKERS_MAX) : 0;
    for (uint32_t i = 0; i < n; i++) {
        struct item *item = add(plan, ITEM_LURKER, &dice);
        item->at_ms /= 4;
        item->for_ms = down_ms(&dice); // where it kills
        lurker_draw(item, i, siege, &dice);
    }
}

void plan_make(struct plan *plan, uint64_t seed) {
    *plan = (struct plan){.seed = seed};
    make_shape(&plan->shape, seed);
    for (uint32_t k = 0; k < plan->shape.sagas; k++)
        make_saga(plan, k);
    make_faults(plan);
    make_lurkers(plan);
}

// ---- Describing ---------------------------------------------------------------------------------------------------

static void describe_command(const struct item *item, char *out, size_t size) {
    if (item->kind == ITEM_SIGNAL)
        snprintf(out, size, "signal s%u: number %u, sent %u times", item->target, item->a, item->b);
    else if (item->kind == ITEM_PAY)
        snprintf(out, size, "payment number %u for s%u, told %u times", item->a, item->target, item->b);
    else if (item->kind == ITEM_OPERATE)
        snprintf(out, size, "an operator wants to %s s%u", saga_act_name((enum saga_act)item->c), item->target);
    else
        snprintf(out, size, "%s s%u", kind_names[item->kind], item->target);
}

static void describe_fault(const struct item *item, char *out, size_t size) {
    long long ms = (long long)item->for_ms;
    switch (item->kind) {
    case ITEM_WEATHER:
        snprintf(out, size, "weather for %lld ms: %u%% lost, %u%% twice, up to %u ms late", ms, item->a, item->b,
                 item->c);
        break;
    case ITEM_OUTAGE:
        snprintf(out, size, "outage of p%u for %lld ms: %s", item->target, ms,
                 item->a ? "refuses connections" : "swallows what is sent");
        break;
    case ITEM_HOLD: snprintf(out, size, "an operator pauses p%u for %lld ms", item->target, ms); break;
    case ITEM_STORE: snprintf(out, size, "store: %s (%lld ms, %u%%)", trouble_names[item->a], ms, item->b); break;
    case ITEM_CRASH:
        snprintf(out, size, "crash of c%u: %s (%u), back after %lld ms", item->target, death_names[item->a], item->b,
                 ms);
        break;
    case ITEM_PAUSE:
        snprintf(out, size, "pause of c%u for %lld ms%s", item->target, ms,
                 item->b ? ", its name is taken meanwhile" : "");
        break;
    case ITEM_OPERATOR:
        snprintf(out, size, "operators see to %u%% of what is parked, within %u ms", item->a, item->b);
        break;
    case ITEM_LURKER: lurker_describe(item, out, size); break;
    case ITEM_JUMP:
        snprintf(out, size, "%s clock jumps by %lld ms", item->a ? "the database's" : "the wall",
                 (long long)item->delta_ms);
        break;
    default: snprintf(out, size, "%s of c%u, back after %lld ms", kind_names[item->kind], item->target, ms); break;
    }
}

void plan_describe(const struct plan *plan, uint32_t i, char *out, size_t size) {
    const struct item *item = &plan->items[i];
    int head = snprintf(out, size, "%3u  at %lld.%03lld  ", i, (long long)(item->at_ms / 1000),
                        (long long)(item->at_ms % 1000));
    if (item->kind <= ITEM_TAKEN)
        describe_command(item, out + head, size - (size_t)head);
    else
        describe_fault(item, out + head, size - (size_t)head);
}
