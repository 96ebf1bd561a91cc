#include "saga/gate.h"

#include "saga/valve.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    WAITING_MAX = 1000,
    LONG_WAIT_MS = 200, // for a place in line; what comes all at once after a pause of the store's is soon through
    CROWDED_RETRY_MS = 200,
};

enum { CORE, NON_CORE, LINES };

struct line {
    struct saga_call *first, *last;
    uint32_t n;
    uint32_t promised; // places of sagas that are being begun
};

struct gate {
    struct map_node node; // by name
    struct gates *gates;
    char name[SAGA_PARTICIPANT_MAX + 1];
    bool configured;
    struct valve valve;
    int64_t put_off, crowded_out;
    bool paused;
    struct participant_row pause;
    struct line lines[LINES];
    struct heap_node due; // when time lets the next one go
};

struct gates {
    struct saga_engine *engine;
    struct map by_name;
    struct heap due;   // gates
    struct heap holds; // calls, by when they have waited long enough
    bool known;        // which participants are paused
    int64_t crowded_out;
};

static int64_t now_ms(const struct gates *gates) {
    return clock_now_ms(gates->engine->options.clock);
}

static uint64_t any(const struct gates *gates) {
    return gates->engine->options.random(gates->engine->options.random_ctx);
}

// ---- Gates --------------------------------------------------------------------------------------------------------

static const struct saga_gate *config_of(const struct saga_options *options, const char *name) {
    for (size_t i = 0; i < options->n_gates; i++)
        if (strcmp(options->gates[i].participant, name) == 0)
            return &options->gates[i];
    return NULL;
}

static struct gate *gate_new(struct gates *gates, const char *name) {
    const struct saga_options *options = &gates->engine->options;
    const struct saga_gate *row = config_of(options, name);
    struct gate *gate = calloc(1, sizeof *gate);
    if (!gate)
        abort();
    gate->gates = gates;
    gate->configured = row != NULL;
    str_copy(str_c(name), gate->name, sizeof gate->name);
    valve_init(&gate->valve, row ? &row->limits : &options->other_gates, now_ms(gates));
    map_insert(&gates->by_name, &gate->node, str_c(gate->name));
    return gate;
}

static void gate_free(struct gate *gate) {
    heap_remove(&gate->gates->due, &gate->due);
    map_remove(&gate->gates->by_name, &gate->node);
    free(gate);
}

static struct gate *gate_find(const struct gates *gates, const char *name) {
    struct map_node *node = map_find(&gates->by_name, str_c(name));
    return node ? CONTAINER_OF(node, struct gate, node) : NULL;
}

static struct line *line_for(struct gate *gate, bool core) {
    return &gate->lines[core ? CORE : NON_CORE];
}

static uint32_t waiting(const struct gate *gate) {
    return gate->lines[CORE].n + gate->lines[NON_CORE].n;
}

static void drop_idle(void *ctx, struct map_node *node) {
    struct gate *gate = CONTAINER_OF(node, struct gate, node);
    bool promised = gate->lines[CORE].promised || gate->lines[NON_CORE].promised;
    if (!gate->configured && !gate->paused && !promised && waiting(gate) == 0 &&
        valve_is_idle(&gate->valve, now_ms(ctx)))
        gate_free(gate);
}

// NULL: there are as many as there may be, and all are in use.
static struct gate *gate_for(struct gates *gates, const char *name) {
    uint32_t most = gates->engine->options.gates_max;
    struct gate *gate = gate_find(gates, name);
    if (gate)
        return gate;
    if (gates->by_name.count >= most)
        map_each(&gates->by_name, drop_idle, gates);
    return gates->by_name.count < most ? gate_new(gates, name) : NULL;
}

struct gates *gates_new(struct saga_engine *engine) {
    struct gates *gates = calloc(1, sizeof *gates);
    if (!gates)
        abort();
    gates->engine = engine;
    for (size_t i = 0; i < engine->options.n_gates; i++)
        gate_for(gates, engine->options.gates[i].participant);
    return gates;
}

static void free_one(void *ctx, struct map_node *node) {
    (void)ctx;
    gate_free(CONTAINER_OF(node, struct gate, node));
}

void gates_free(struct gates *gates) {
    if (!gates)
        return;
    map_each(&gates->by_name, free_one, NULL);
    map_release(&gates->by_name);
    heap_release(&gates->due);
    heap_release(&gates->holds);
    free(gates);
}

// ---- Whether one may go -------------------------------------------------------------------------------------------

// Why the next call can't go now, in words; NULL: it can.
static const char *refusal(const struct gate *gate, enum valve_use use, int64_t now, char out[SAGA_WHY_MAX]) {
    const char *why = gate->gates->known ? valve_refusal(&gate->valve, use, now) : "who is paused is not known yet";
    if (gate->paused)
        snprintf(out, SAGA_WHY_MAX, "%s is paused by %.60s: %.80s", gate->name, gate->pause.caller, gate->pause.reason);
    else if (why && valve_is_shut(&gate->valve, now) && gate->valve.last_text[0])
        snprintf(out, SAGA_WHY_MAX, "%s: %s: %.80s", gate->name, why, gate->valve.last_text);
    else if (why)
        snprintf(out, SAGA_WHY_MAX, "%s: %s", gate->name, why);
    else
        return NULL;
    return out;
}

// The same of one that waits: when it could go itself, others are before it.
static void why_it_waits(const struct gate *gate, enum valve_use use, int64_t now, char out[SAGA_WHY_MAX]) {
    if (!refusal(gate, use, now, out))
        snprintf(out, SAGA_WHY_MAX, "%s: others are before it", gate->name);
}

static bool is_open(const struct gate *gate, enum valve_use use, int64_t now) {
    return gate->gates->known && !gate->paused && !valve_refusal(&gate->valve, use, now);
}

static enum valve_use use_of(const struct saga_call *call) {
    return call->step->tier == SAGA_CORE ? VALVE_CORE : VALVE_LATER;
}

// ---- The lines ----------------------------------------------------------------------------------------------------

static struct line *line_of(const struct saga_call *call) {
    return line_for(call->gate, use_of(call) == VALVE_CORE);
}

static struct saga_call *next_in_line(const struct gate *gate) {
    return gate->lines[CORE].first ? gate->lines[CORE].first : gate->lines[NON_CORE].first;
}

// A step for which somebody waits does so only for a time, as long as its saga can still turn round.
static int64_t hold_until_ms(const struct saga_call *call) {
    const struct saga_instance *saga = &call->resident->saga;
    const struct saga_leg *leg = &saga->legs[call->index];
    uint32_t hold_ms = saga_leg_policy(&call->engine->options.machine, leg, false)->hold_ms;
    if (!hold_ms || call->op == SAGA_COMPENSATE || call->ask || !saga_instance_may_reverse(saga))
        return INT64_MAX;
    return (leg->held_ms ? leg->held_ms : call->since_ms) + hold_ms;
}

static void stand_in_line(struct saga_call *call) {
    struct line *line = line_of(call);
    call->stage = CALL_WAITS;
    call->before = line->last;
    *(line->last ? &line->last->after : &line->first) = call;
    line->last = call;
    line->n++;
    int64_t until_ms = hold_until_ms(call);
    if (until_ms < INT64_MAX)
        heap_set(&call->gate->gates->holds, &call->hold, until_ms);
}

static void step_out(struct saga_call *call) {
    struct line *line = line_of(call);
    *(call->before ? &call->before->after : &line->first) = call->after;
    *(call->after ? &call->after->before : &line->last) = call->before;
    call->before = call->after = NULL;
    line->n--;
    heap_remove(&call->gate->gates->holds, &call->hold);
}

// It goes in a turn of its saga to come: what it is made from must be durable then, too (E11).
static void admit(struct saga_call *call, int64_t now) {
    step_out(call);
    call->use = use_of(call);
    call->probe = valve_take(&call->gate->valve, call->use, now);
    call->stage = CALL_ADMITTED;
    call->resident->n_admitted++;
    resident_wake(call->resident, WAKE_SEND);
}

// Whoever can go does.
static void flow(struct gate *gate, int64_t now) {
    struct saga_call *call;
    while ((call = next_in_line(gate)) && is_open(gate, use_of(call), now))
        admit(call, now);
    bool goes_by_time = call && gate->gates->known && !gate->paused;
    int64_t due_ms = goes_by_time ? valve_due_ms(&gate->valve, use_of(call), now) : INT64_MAX;
    if (due_ms < INT64_MAX)
        heap_set(&gate->gates->due, &gate->due, due_ms);
    else
        heap_remove(&gate->gates->due, &gate->due);
}

// Behind the horizon, so that it need not stay in memory.
static int64_t later_ms(const struct gates *gates, int64_t now) {
    int64_t horizon_ms = gates->engine->options.horizon_ms;
    return now + horizon_ms + (int64_t)(any(gates) % (uint64_t)(horizon_ms / 2 + 1));
}

static void put_off(struct gate *gate, struct saga_call *call, int64_t now) {
    char why[SAGA_WHY_MAX];
    gate->put_off++;
    why_it_waits(gate, use_of(call), now, why);
    call_put_off(call, later_ms(gate->gates, now), why);
}

static uint32_t waiting_max(const struct gate *gate) {
    return gate->valve.limits.waiting_max ? gate->valve.limits.waiting_max : WAITING_MAX;
}

// Half of the line is kept for core steps, as long as it has two places.
static bool line_is_full(const struct gate *gate, enum valve_use use) {
    uint32_t most = waiting_max(gate);
    return waiting(gate) >= most || (use != VALVE_CORE && most > 1 && gate->lines[NON_CORE].n >= most / 2);
}

// Waits, where there is room; else it is put off.
static void wait_in_line(struct gate *gate, struct saga_call *call, int64_t now) {
    if (line_is_full(gate, use_of(call)))
        put_off(gate, call, now);
    else
        stand_in_line(call);
}

bool gate_enter(struct saga_call *call, const char *participant) {
    struct gates *gates = call->engine->gates;
    struct gate *gate = call->gate = gate_for(gates, participant);
    int64_t now = now_ms(gates);
    call->since_ms = now;
    if (!gate) {
        call_put_off(call, later_ms(gates, now), "too many participants are called at once");
        return false;
    }
    struct saga_call *first = next_in_line(gate);
    call->use = use_of(call);
    bool overtakes = first && (use_of(first) == VALVE_CORE || call->use != VALVE_CORE);
    if (call->use == VALVE_CORE && valve_crowds_out(&gate->valve)) {
        gate->crowded_out++;
        gates->crowded_out++;
    }
    if (!overtakes && is_open(gate, call->use, now)) {
        call->probe = valve_take(&gate->valve, call->use, now);
        call->stage = CALL_ADMITTED;
        call->resident->n_admitted++;
        return true;
    }
    wait_in_line(gate, call, now);
    flow(gate, now);
    return false;
}

bool gate_recall(struct saga_call *call) {
    struct gate *gate = call->gate;
    if (!gate->paused)
        return false;
    valve_give_back(&gate->valve, call->use, call->probe);
    call->probe = false;
    call->resident->n_admitted--;
    call->stage = CALL_NEW;
    wait_in_line(gate, call, now_ms(gate->gates));
    return true;
}

void gate_withdraw(struct saga_call *call) {
    struct gate *gate = call->gate;
    if (call->stage == CALL_WAITS) {
        step_out(call);
    } else if (call->stage == CALL_ADMITTED && gate) {
        valve_give_back(&gate->valve, call->use, call->probe);
        flow(gate, now_ms(gate->gates));
    }
    call->resident->n_admitted -= call->stage == CALL_ADMITTED;
    call->stage = CALL_NEW;
}

void gate_leave(struct saga_call *call, enum outcome outcome, enum err code, const char *text, int64_t *ret_until_ms) {
    struct gate *gate = call->gate;
    if (!gate)
        return;
    int64_t now = now_ms(gate->gates);
    uint64_t chance = outcome == OUTCOME_OK ? 0 : any(gate->gates); // for what opens the breaker; the kernel is asked
    const struct valve_end end = {call->use, call->probe, outcome, code, text};
    valve_leave(&gate->valve, &end, now, chance);
    *ret_until_ms = gate->valve.state == SAGA_BREAKER_CLOSED ? now : gate->valve.until_ms;
    flow(gate, now);
}

// ---- Time ---------------------------------------------------------------------------------------------------------

int64_t gates_due(const struct gates *gates) {
    const struct heap_node *gate = heap_least(&gates->due), *hold = heap_least(&gates->holds);
    if (gates->engine->stopped)
        return INT64_MAX;
    int64_t due_ms = gate ? gate->key : INT64_MAX;
    return hold && hold->key < due_ms ? hold->key : due_ms;
}

void gates_tick(struct gates *gates, int64_t now) {
    struct heap_node *least;
    while ((least = heap_least(&gates->holds)) && least->key <= now) {
        struct saga_call *call = CONTAINER_OF(least, struct saga_call, hold);
        char why[SAGA_WHY_MAX];
        why_it_waits(call->gate, use_of(call), now, why);
        step_out(call);
        call->stage = CALL_NEW;
        call_put_off(call, now, why);
    }
    while ((least = heap_least(&gates->due)) && least->key <= now) {
        heap_remove(&gates->due, least);
        flow(CONTAINER_OF(least, struct gate, due), now);
    }
}

// ---- Pauses -------------------------------------------------------------------------------------------------------

static void pause(struct gate *gate, const struct participant_row *row) {
    gate->paused = true;
    gate->pause = *row;
}

void gate_set_pause(struct gates *gates, const struct participant_row *row, bool paused) {
    struct gate *gate = gate_find(gates, row->participant);
    if (!gate && !paused)
        return;
    gate = gate ? gate : gate_new(gates, row->participant); // also past the bound: those that are paused have one
    pause(gate, row);
    gate->paused = paused;
    flow(gate, now_ms(gates));
}

static void unpause(void *ctx, struct map_node *node) {
    (void)ctx;
    CONTAINER_OF(node, struct gate, node)->paused = false;
}

static void flow_one(void *ctx, struct map_node *node) {
    flow(CONTAINER_OF(node, struct gate, node), now_ms(ctx));
}

void gates_set_pauses(struct gates *gates, const struct participant_row *rows, size_t n) {
    map_each(&gates->by_name, unpause, NULL);
    for (size_t i = 0; i < n; i++) {
        struct gate *gate = gate_find(gates, rows[i].participant);
        pause(gate ? gate : gate_new(gates, rows[i].participant), &rows[i]);
    }
    gates->known = true;
    map_each(&gates->by_name, flow_one, gates);
}

// ---- Calls that are no saga's -------------------------------------------------------------------------------------

bool saga_pass_begin(struct saga_engine *engine, const char *participant, struct saga_pass *ret_pass,
                     struct error *error) {
    struct gates *gates = engine->gates;
    struct gate *gate = gate_for(gates, participant);
    char why[SAGA_WHY_MAX];
    int64_t now = now_ms(gates);
    if (!gate)
        return error_set(error, ERR_PARTICIPANT_HELD, "too many participants are called at once");
    if (refusal(gate, VALVE_PASS, now, why))
        return error_set(error, ERR_PARTICIPANT_HELD, "%s", why);
    *ret_pass = (struct saga_pass){.gate = gate, .probe = valve_take(&gate->valve, VALVE_PASS, now)};
    return true;
}

void saga_pass_end(struct saga_engine *engine, struct saga_pass *pass, enum outcome outcome, enum err code,
                   const char *text) {
    struct gate *gate = pass->gate;
    int64_t now = now_ms(engine->gates);
    const struct valve_end end = {VALVE_PASS, pass->probe, outcome, code, text};
    valve_leave(&gate->valve, &end, now, any(engine->gates));
    engine_enter(engine);
    flow(gate, now);
    engine_exit(engine);
}

// ---- What there is to see -----------------------------------------------------------------------------------------

struct gather {
    const struct gate **list;
    size_t n;
};

static void gather(void *ctx, struct map_node *node) {
    struct gather *found = ctx;
    found->list[found->n++] = CONTAINER_OF(node, struct gate, node);
}

static int by_name(const void *a, const void *b) {
    const struct gate *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void show(const struct gate *gate, saga_participant_fn *each, void *ctx) {
    const struct valve *valve = &gate->valve;
    const struct saga_participant participant = {
        .name = gate->name,
        .limits = &valve->limits,
        .state = valve->state,
        .since_ms = valve->since_ms,
        .until_ms = valve->until_ms,
        .in_flight = valve->in_flight,
        .in_flight_core = valve->taken[VALVE_CORE],
        .crowded_out = gate->crowded_out,
        .waiting = waiting(gate),
        .waiting_core = gate->lines[CORE].n,
        .calls = valve->calls,
        .failures = valve->failures,
        .put_off = gate->put_off,
        .failures_in_row = valve->failures_in_row,
        .failed_ms = valve->failed_ms,
        .last_text = valve->last_text,
        .pause = gate->paused ? &gate->pause : NULL,
    };
    each(ctx, &participant);
}

void saga_participants(const struct saga_engine *engine, saga_participant_fn *each, void *ctx) {
    struct map *all = &engine->gates->by_name;
    struct gather found = {.list = calloc(all->count + 1, sizeof(struct gate *))};
    if (!found.list)
        abort();
    map_each(all, gather, &found);
    qsort(found.list, found.n, sizeof found.list[0], by_name);
    for (size_t i = 0; i < found.n; i++)
        show(found.list[i], each, ctx);
    free(found.list);
}

bool gates_have(const struct gates *gates, const char *participant, bool *ret_paused) {
    const struct gate *gate = gate_find(gates, participant);
    *ret_paused = gate && gate->paused;
    return gate != NULL;
}

static void count_paused(void *ctx, struct map_node *node) {
    *(size_t *)ctx += CONTAINER_OF(node, struct gate, node)->paused;
}

int64_t gates_crowded_out(const struct gates *gates) {
    return gates->crowded_out;
}

// Of the places in line that calls of its kind can have, half are for sagas that are under way; who can go needs none.
static bool is_crowded(struct gate *gate, bool core, int64_t now) {
    const struct line *line = line_for(gate, core);
    uint32_t most = core ? waiting_max(gate) - gate->lines[NON_CORE].n : waiting_max(gate) / 2;
    uint32_t can_go = line->n == 0 ? valve_free(&gate->valve, core ? VALVE_CORE : VALVE_LATER, now) : 0;
    return (uint64_t)line->n + line->promised >= ((uint64_t)most + 1) / 2 + can_go ||
           (line->first && now - line->first->since_ms > LONG_WAIT_MS);
}

bool saga_place_take(struct saga_engine *engine, const char *participant, bool core, struct saga_place *ret_place,
                     struct error *error) {
    struct gates *gates = engine->gates;
    struct gate *gate = gate_for(gates, participant);
    *ret_place = (struct saga_place){.gate = gate, .core = core};
    if (!gate)
        return true;
    bool answers =
        gates->known && !gate->paused && gate->valve.state == SAGA_BREAKER_CLOSED && gate->valve.slow_start == 0;
    if (answers && is_crowded(gate, core, now_ms(gates))) {
        ret_place->gate = NULL;
        error_set(error, ERR_OVERLOADED, "%s is called for as much already as it can take", participant);
        error->retry_after_ms = CROWDED_RETRY_MS;
        return false;
    }
    line_for(gate, core)->promised++;
    return true;
}

void saga_place_give(struct saga_place *place) {
    if (place->gate)
        line_for(place->gate, place->core)->promised--;
    place->gate = NULL;
}

size_t gates_paused(const struct gates *gates) {
    size_t n = 0;
    map_each((struct map *)(uintptr_t)&gates->by_name, count_paused, &n); // which may remove; this visitor doesn't
    return n;
}

bool saga_call_waits(const struct saga_engine *engine, struct str gid, uint16_t step_id, uint8_t leg,
                     char out[SAGA_WHY_MAX], int64_t *ret_since_ms) {
    struct saga_resident *resident = resident_find(engine, gid);
    for (const struct saga_call *call = resident ? resident->calls : NULL; call; call = call->next)
        if (call->stage == CALL_WAITS && call->step_id == step_id && call->leg == leg) {
            why_it_waits(call->gate, use_of(call), now_ms(engine->gates), out);
            *ret_since_ms = call->since_ms;
            return true;
        }
    return false;
}
