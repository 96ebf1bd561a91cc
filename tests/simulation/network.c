#include "tests/simulation/network.h"

#include "saga/engine.h"
#include "tests/simulation/center.h"
#include "tests/simulation/draw.h"
#include "tests/simulation/limits.h"
#include "tests/simulation/watch.h"
#include "tests/simulation/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

// One attempt of a call, from its sending until no message of it is under way and nobody waits for it.
struct exchange {
    struct exchange *next, **link; // of all
    struct saga_call *call;        // NULL: it has ended
    struct center *center;         // NULL: it is gone
    struct effect *effect;
    enum saga_op op;
    bool question;
    bool refused;  // answered that nothing was done: no copy of it may act
    bool received; // one copy came through
    unsigned attempt;
    unsigned messages; // under way
    struct rpc_timer deadline;
    struct message *first;
};

enum message_kind { REQUEST, SYNCING, ANSWER };

struct message {
    struct message *next, **link; // of its exchange
    struct exchange *exchange;
    enum message_kind kind;
    unsigned copy;
    enum outcome outcome; // ANSWER
    enum err code;
    bool never_seen, huge;
    struct rpc_timer timer;
};

// ---- Chance -------------------------------------------------------------------------------------------------------

static struct seeded dice_of(const struct exchange *exchange, const char *purpose, unsigned copy) {
    char text[SAGA_KEY_MAX + 64];
    snprintf(text, sizeof text, "%s %s %d", purpose, exchange->effect->key, exchange->op);
    return draw_stream(world_now->seed, text, exchange->attempt * 16 + copy);
}

static enum fate draw_fate(const char *key, enum saga_op op, unsigned *ret_times) {
    char text[SAGA_KEY_MAX + 64];
    snprintf(text, sizeof text, "fate %s %d", key, op);
    struct seeded dice = draw_stream(world_now->seed, text, 0);
    *ret_times = draw_chance(&dice, 80) ? draw_between(&dice, 1, 6) : UINT32_MAX;
    return world_fate(seeded_next(&dice));
}

// How it fares this time.
static enum fate fate_of(const struct exchange *exchange) {
    unsigned times;
    enum fate fate = draw_fate(exchange->effect->key, exchange->op, &times);
    bool acts = exchange->op == SAGA_ACTION || exchange->question, fixed = exchange->effect->book->fixed;
    if (world_now->calm)
        return FATE_FINE;
    switch (fate) {
    case FATE_NO: return fixed || (exchange->op == SAGA_INQUIRE && !acts) ? FATE_FINE : fate;
    case FATE_HUGE: return fixed || exchange->op == SAGA_COMPENSATE ? FATE_FINE : fate;
    case FATE_LETHAL: return fixed ? FATE_FINE : fate;
    case FATE_SPOILT: return FATE_FINE;
    default: return exchange->attempt <= times ? fate : FATE_FINE;
    }
}

bool network_refuses(const struct saga_instance *saga, const struct saga_leg *leg) {
    char key[SAGA_KEY_MAX];
    unsigned times;
    saga_leg_key(saga, leg, key);
    const struct effect *effect = ledger_effect(&world_now->ledger, key);
    if (leg->state == LEG_INQUIRING)
        return effect && (effect->state == EFFECT_REJECTED || effect->state == EFFECT_UNDONE);
    bool fixed = ledger_book(&world_now->ledger, saga->gid)->fixed;
    return saga_leg_in_flight(leg) && !fixed && draw_fate(key, saga_leg_op(leg), &times) == FATE_NO;
}

// ---- Exchanges ----------------------------------------------------------------------------------------------------

static void free_message(struct message *message) {
    *message->link = message->next;
    if (message->next)
        message->next->link = message->link;
    world_now->time.timers.stop(&world_now->time, &message->timer);
    message->exchange->messages--;
    free(message);
}

static void free_if_over(struct exchange *exchange) {
    if (exchange->call || exchange->messages > 0)
        return;
    *exchange->link = exchange->next;
    if (exchange->next)
        exchange->next->link = exchange->link;
    world_now->time.timers.stop(&world_now->time, &exchange->deadline);
    free(exchange);
}

// The caller hears of it, at last.
static void end(struct exchange *exchange, const struct message *answer) {
    struct saga_call *call = exchange->call;
    struct effect *effect = exchange->effect;
    char bytes[SAGA_ANSWER_MAX + 512];
    enum outcome outcome = answer ? answer->outcome : OUTCOME_UNKNOWN;
    enum err code = answer ? answer->code : ERR_PARTICIPANT_SILENT;
    exchange->call = NULL;
    world_now->time.timers.stop(&world_now->time, &exchange->deadline);
    if (exchange->op == SAGA_ACTION && watch_is_owner(exchange->center, call) && watch_is_awaited(call))
        effect->unknown = outcome == OUTCOME_UNKNOWN || (effect->unknown && outcome == OUTCOME_RETRY);
    limits_ended(exchange->center, effect->participant, call->probe, outcome);
    world_trace(center_name(exchange->center), "told %s %s: %s%s", world_short(effect->key), saga_op_name(exchange->op),
                outcome_name(outcome), answer && answer->never_seen ? " (never seen)" : "");
    struct center *before = center_enter(exchange->center);
    if (answer && answer->never_seen)
        saga_call_never_seen(call);
    else if (outcome != OUTCOME_OK)
        saga_call_done(call, outcome, code, NULL, "as it was drawn", STR_NONE);
    else if (answer->huge)
        saga_call_ok(call, str_n(memset(bytes, 'h', sizeof bytes), sizeof bytes));
    else
        saga_call_ok(call, network_answer_of(effect, bytes));
    center_leave(exchange->center, before);
}

static void time_is_up(void *ctx) {
    struct exchange *exchange = ctx;
    if (center_defers(exchange->center, &exchange->deadline))
        return;
    end(exchange, NULL);
    free_if_over(exchange);
}

struct str network_answer_of(const struct effect *effect, char out[SAGA_ANSWER_MAX + 512]) {
    struct seeded dice = draw_stream(world_now->seed, effect->key, 77);
    int length = snprintf(out, SAGA_ANSWER_MAX, "%016llx", (unsigned long long)seeded_next(&dice));
    if (draw_permille(&dice, 5)) {
        memset(out + length, 'f', SAGA_ANSWER_MAX - (size_t)length);
        length = SAGA_ANSWER_MAX;
    }
    return str_n(out, (size_t)length);
}

// ---- Messages -----------------------------------------------------------------------------------------------------

static void move_on(void *ctx);

static struct message *launch(struct exchange *exchange, enum message_kind kind, unsigned copy, int64_t delay_ms) {
    struct message *message = calloc(1, sizeof *message);
    if (!message)
        abort();
    message->exchange = exchange;
    message->kind = kind;
    message->copy = copy;
    message->timer = (struct rpc_timer){.fire = move_on, .ctx = message};
    message->next = exchange->first;
    message->link = &exchange->first;
    if (message->next)
        message->next->link = &message->next;
    exchange->first = message;
    exchange->messages++;
    world_now->time.timers.set(&world_now->time, &message->timer, world_now->time.now_ms + delay_ms);
    return message;
}

// Of one message; -1: it is lost.
static int64_t journey_ms(struct seeded *dice) {
    const struct weather *weather = &world_now->weather;
    int64_t ms = (int64_t)seeded_below(dice, world_now->shape->latency_ms + 1);
    bool lost = draw_chance(dice, weather->lost_percent), late = draw_chance(dice, 30);
    int64_t more = (int64_t)(seeded_next(dice) % (weather->late_ms + 1));
    if (world_now->calm)
        return ms;
    return lost ? -1 : ms + (late ? more : 0);
}

static unsigned copies(struct seeded *dice) {
    bool twice = draw_chance(dice, world_now->weather.twice_percent);
    return twice && !world_now->calm ? 2 : 1;
}

static void send_answer(struct exchange *exchange, unsigned copy, struct message answer) {
    struct seeded dice = dice_of(exchange, "answer", copy);
    for (unsigned n = copies(&dice); n > 0; n--) {
        int64_t ms = journey_ms(&dice);
        if (ms < 0)
            continue;
        struct message *message = launch(exchange, ANSWER, copy, ms);
        message->outcome = answer.outcome;
        message->code = answer.code;
        message->never_seen = answer.never_seen;
        message->huge = answer.huge;
    }
}

// ---- Participants -------------------------------------------------------------------------------------------------

static struct message as_recorded(const struct exchange *exchange) {
    switch (exchange->effect->state) {
    case EFFECT_NONE: return (struct message){.outcome = OUTCOME_OK, .never_seen = true};
    case EFFECT_APPLIED: return (struct message){.outcome = OUTCOME_OK};
    case EFFECT_REJECTED:
    case EFFECT_UNDONE: break;
    }
    return (struct message){.outcome = OUTCOME_REJECTED, .code = ERR_PARTICIPANT_REJECTED};
}

static struct message act(struct exchange *exchange, enum fate fate) {
    struct effect *effect = exchange->effect;
    bool forgets = world_now->plant == PLANT_FORGETFUL && effect->arrivals[SAGA_ACTION] == 2;
    if ((effect->state == EFFECT_NONE && fate != FATE_NO) || forgets)
        ledger_apply(&world_now->ledger, effect);
    else if (effect->state == EFFECT_NONE)
        effect->state = EFFECT_REJECTED;
    struct message answer = as_recorded(exchange);
    answer.huge = answer.outcome == OUTCOME_OK && fate == FATE_HUGE;
    return answer;
}

static struct message compensate(struct exchange *exchange, enum fate fate) {
    struct effect *effect = exchange->effect;
    if (fate == FATE_NO)
        return (struct message){.outcome = OUTCOME_REJECTED, .code = ERR_PARTICIPANT_REJECTED};
    if (effect->state == EFFECT_APPLIED)
        ledger_undo(&world_now->ledger, effect);
    else if (effect->state == EFFECT_NONE)
        effect->state = EFFECT_UNDONE; // marked: the late action is refused
    return (struct message){.outcome = OUTCOME_OK};
}

static struct message tell(struct exchange *exchange, enum fate fate) {
    if (!exchange->question)
        return as_recorded(exchange);
    bool no = fate == FATE_NO;
    return (struct message){.outcome = no ? OUTCOME_REJECTED : OUTCOME_OK,
                            .code = no ? ERR_PARTICIPANT_REJECTED : ERR_OK};
}

// What was received is synced: it takes effect, and is answered.
static void synced(struct exchange *exchange, unsigned copy) {
    const struct effect *effect = exchange->effect;
    enum fate fate = fate_of(exchange);
    bool acts = exchange->op == SAGA_ACTION || (exchange->question && sim_traits(effect->flow, effect->step)->acts);
    if (exchange->refused)
        return;
    if (fate == FATE_FLAKY) {
        exchange->refused = true;
        send_answer(exchange, copy, (struct message){.outcome = OUTCOME_RETRY, .code = ERR_PARTICIPANT_UNAVAILABLE});
        return;
    }
    if (fate == FATE_DEAF)
        return;
    struct message answer = acts                              ? act(exchange, fate)
                            : exchange->op == SAGA_COMPENSATE ? compensate(exchange, fate)
                                                              : tell(exchange, fate);
    world_trace("", "   p%u %s %s: %s, applied %u, undone %u", effect->participant, world_short(effect->key),
                saga_op_name(exchange->op), outcome_name(answer.outcome), effect->applied, effect->undone);
    if (fate == FATE_SILENT || (world_now->plant == PLANT_MUTE && effect->step->id == 2))
        return;
    if (fate == FATE_BROKEN)
        answer = (struct message){.outcome = OUTCOME_UNKNOWN, .code = ERR_PARTICIPANT_BROKEN};
    send_answer(exchange, copy, answer);
}

static void received(struct exchange *exchange, unsigned copy) {
    const struct effect *effect = exchange->effect;
    const struct sim_participant *participant = &world_now->participants[effect->participant];
    if (participant->down && !world_now->calm) {
        // A refused connection is known to have done nothing, unless another copy came through.
        if (participant->refuses && !exchange->received) {
            exchange->refused = true;
            send_answer(exchange, copy,
                        (struct message){.outcome = OUTCOME_RETRY, .code = ERR_PARTICIPANT_UNAVAILABLE});
        }
        return;
    }
    exchange->received = true;
    exchange->effect->arrivals[exchange->op]++;
    struct seeded dice = dice_of(exchange, "sync", copy);
    launch(exchange, SYNCING, copy, (int64_t)seeded_below(&dice, 20));
}

void network_participant_dies(unsigned participant, bool refuses) {
    world_now->participants[participant].down++;
    world_now->participants[participant].refuses = refuses;
    for (struct exchange *exchange = world_now->exchanges, *next; exchange; exchange = next) {
        next = exchange->next;
        if (exchange->effect->participant != participant)
            continue;
        for (struct message *message = exchange->first, *after; message; message = after) {
            after = message->next;
            if (message->kind == SYNCING)
                free_message(message);
        }
        free_if_over(exchange);
    }
}

void network_participant_returns(unsigned participant) {
    world_now->participants[participant].down--;
}

// ---- On the way ---------------------------------------------------------------------------------------------------

static void move_on(void *ctx) {
    struct message *message = ctx;
    struct exchange *exchange = message->exchange;
    if (message->kind == ANSWER && exchange->call && center_defers(exchange->center, &message->timer))
        return;
    struct message arrived = *message;
    exchange->messages++; // held, while it is worked on
    free_message(message);
    if (arrived.kind == REQUEST)
        received(exchange, arrived.copy);
    else if (arrived.kind == SYNCING)
        synced(exchange, arrived.copy);
    else if (exchange->call)
        end(exchange, &arrived);
    exchange->messages--;
    free_if_over(exchange);
}

static struct exchange *exchange_new(struct center *center, struct saga_call *call, struct effect *effect) {
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange)
        abort();
    *exchange = (struct exchange){.next = world_now->exchanges,
                                  .link = &world_now->exchanges,
                                  .call = call,
                                  .center = center,
                                  .effect = effect,
                                  .op = saga_call_op(call),
                                  .question = saga_call_step(call)->ask};
    if (exchange->next)
        exchange->next->link = &exchange->next;
    world_now->exchanges = exchange;
    exchange->attempt = ++effect->sends[exchange->op];
    exchange->deadline = (struct rpc_timer){.fire = time_is_up, .ctx = exchange};
    return exchange;
}

static void set_out(struct exchange *exchange) {
    struct seeded dice = dice_of(exchange, "request", 0);
    for (unsigned n = copies(&dice); n > 0; n--) {
        int64_t ms = journey_ms(&dice);
        if (ms >= 0)
            launch(exchange, REQUEST, n, ms);
    }
    world_now->time.timers.set(&world_now->time, &exchange->deadline,
                               world_now->time.now_ms + exchange->effect->step->deadline_ms);
}

static int64_t amount_of(const struct effect *effect) {
    struct seeded dice = draw_stream(world_now->seed, effect->key, 5);
    return 1 + (int64_t)seeded_below(&dice, 1000);
}

static void describe(struct effect *effect, const struct saga_step *step, uint8_t leg, uint32_t generation) {
    if (effect->flow)
        return;
    effect->step = step;
    effect->flow = sim_flow_with(&world_now->flows, step);
    effect->leg = leg;
    effect->participant = sim_whom(effect->flow, step, leg);
    effect->generation = generation;
    effect->amount = amount_of(effect);
}

struct effect *network_effect(const struct saga_instance *saga, const struct saga_leg *leg) {
    char key[SAGA_KEY_MAX];
    saga_leg_key(saga, leg, key);
    struct effect *effect = ledger_open(&world_now->ledger, saga->gid, key);
    describe(effect, leg->step, leg->leg, leg->generation);
    return effect;
}

void network_send(struct center *center, struct saga_call *call, const char *body) {
    struct effect *effect = ledger_open(&world_now->ledger, saga_call_gid(call), saga_call_key(call));
    describe(effect, saga_call_step(call), saga_call_leg(call), saga_call_generation(call));
    // Nothing leaves one that is dying. Nor one whose name was taken: its lease is over, which it knows by its own
    // clock.
    bool leaves = !center->dying && center_is_current(center);
    if (leaves)
        watch_send(center, call, effect, body);
    struct exchange *exchange = exchange_new(center, call, effect);
    limits_sent(center, effect->participant, leaves);
    world_trace(center_name(center), "%s %s %s, attempt %u", leaves ? "sends" : "would send", world_short(effect->key),
                saga_op_name(exchange->op), exchange->attempt);
    if (!leaves) {
        effect->sends[exchange->op]--;
        world_now->time.timers.set(&world_now->time, &exchange->deadline,
                                   world_now->time.now_ms + effect->step->deadline_ms);
        return;
    }
    world_now->tally.sends++;
    if (exchange->op == SAGA_INQUIRE)
        effect->unknown = false;
    enum fate fate = fate_of(exchange);
    if (fate == FATE_LETHAL) {
        watch_death_of(center, effect->book);
        center_die(center, "of what it was about to send");
    } else if (center_dies_at(center, DIE_AT_SEND)) {
        center_die(center, "while it sends");
    } else if (fate == FATE_CLOSED) {
        exchange->refused = true;
        end(exchange, &(struct message){.outcome = OUTCOME_RETRY, .code = ERR_PARTICIPANT_UNAVAILABLE});
        free_if_over(exchange);
    } else {
        set_out(exchange);
    }
}

// What it was at elsewhere another one has learned of since.
static bool is_its_own(const struct exchange *exchange) {
    const struct center *center = exchange->center;
    return !world_now->shape->lease_ms ||
           world_now->owners[id_slot(str_c(saga_call_gid(exchange->call)))] == center->name;
}

void network_unknown(const struct center *center) {
    for (struct exchange *exchange = world_now->exchanges; exchange; exchange = exchange->next)
        if (exchange->center == center && exchange->op == SAGA_ACTION && exchange->call &&
            watch_is_awaited(exchange->call) && is_its_own(exchange))
            exchange->effect->unknown = true;
}

void network_forget(struct center *center) {
    for (struct exchange *exchange = world_now->exchanges, *next; exchange; exchange = next) {
        next = exchange->next;
        if (exchange->center != center)
            continue;
        struct saga_call *call = exchange->call;
        exchange->center = NULL;
        exchange->call = NULL;
        world_now->time.timers.stop(&world_now->time, &exchange->deadline);
        if (call)
            saga_call_done(call, OUTCOME_UNKNOWN, ERR_OK, NULL, NULL, STR_NONE);
        free_if_over(exchange);
    }
}

void network_release(void) {
    for (struct exchange *exchange; (exchange = world_now->exchanges);) {
        assert(!exchange->call);
        while (exchange->first)
            free_message(exchange->first);
        free_if_over(exchange);
    }
}
