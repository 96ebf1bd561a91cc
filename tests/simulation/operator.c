#include "tests/simulation/operator.h"

#include "tests/simulation/center.h"
#include "tests/simulation/durable.h"
#include "tests/simulation/network.h"
#include "tests/simulation/world.h"

#include <stdio.h>

enum { NUMBER_OF_HELP = 100000, NUMBER_OF_STRIKE = 1000000 };

// ---- The participants' books --------------------------------------------------------------------------------------

static bool acts(const struct saga_instance *saga, const struct saga_leg *leg) {
    return leg->step->run || sim_traits(sim_flow_of(saga->flow), leg->step)->acts;
}

// What the participant must say for the statement to be true; EFFECT_NONE: it has nothing to say.
static enum effect_state needed(const struct saga_instance *saga, const struct saga_leg *leg, enum saga_op op,
                                enum outcome outcome) {
    if (op == SAGA_COMPENSATE)
        return outcome == OUTCOME_OK ? EFFECT_UNDONE : EFFECT_NONE;
    if (!acts(saga, leg))
        return EFFECT_NONE;
    return outcome == OUTCOME_OK ? EFFECT_APPLIED : EFFECT_REJECTED;
}

// By hand, at the participant. An action is never carried out by hand: its call may be known to have done nothing.
static void make_true(struct effect *effect, enum effect_state state) {
    if (state == EFFECT_UNDONE && effect->state == EFFECT_APPLIED)
        ledger_undo(&world_now->ledger, effect);
    else if (state != EFFECT_NONE && effect->state == EFFECT_NONE)
        effect->state = state;
}

static bool is_true(const struct effect *effect, enum effect_state state) {
    if (state == EFFECT_NONE)
        return true;
    if (state == EFFECT_REJECTED) // an action that was compensated has no effect, either
        return effect && (effect->state == EFFECT_REJECTED || effect->state == EFFECT_UNDONE);
    return effect && effect->state == state;
}

bool operator_allows(struct saga_turn *turn, const struct saga_ruling *ruling, struct error *error) {
    if (ruling->act != SAGA_ACT_RESOLVE)
        return true;
    const struct saga_instance *saga = saga_turn_saga(turn);
    const struct saga_leg *leg = saga_instance_leg(saga, saga_turn_step(turn)->id, saga_turn_leg(turn));
    char key[SAGA_KEY_MAX], bytes[SAGA_ANSWER_MAX + 512];
    saga_leg_key(saga, leg, key);
    const struct effect *effect = ledger_effect(&world_now->ledger, key);
    enum effect_state state = needed(saga, leg, ruling->op, ruling->outcome);
    if (!is_true(effect, state))
        return error_set(error, ERR_SAGA_STATE, "the participant says otherwise");
    if (state == EFFECT_APPLIED && !str_eq(ruling->answer, network_answer_of(effect, bytes)))
        return error_set(error, ERR_INVALID_REQUEST, "the participant answers otherwise");
    return true;
}

// ---- What they want -----------------------------------------------------------------------------------------------

static bool is_undoing(const struct saga_leg *leg) {
    return leg->state == LEG_UNDOING || leg->state == LEG_UNDO_RETRYING || leg->state == LEG_UNDO_PARKED;
}

static bool is_of_interest(const struct saga_leg *leg, enum saga_act act) {
    bool parked = leg->state == LEG_PARKED || leg->state == LEG_UNDO_PARKED;
    bool busy = leg->state == LEG_RUNNING || leg->state == LEG_INQUIRING || leg->state == LEG_RETRYING;
    return parked || (act == SAGA_ACT_RESOLVE && (busy || is_undoing(leg)));
}

static const struct saga_leg *choose_leg(const struct saga_instance *saga, enum saga_act act, struct seeded *dice) {
    const struct saga_leg *chosen = NULL;
    unsigned n = 0;
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (is_of_interest(&saga->legs[i], act) && seeded_below(dice, ++n) == 0)
            chosen = &saga->legs[i];
    return chosen;
}

// Puts it down for the client to state, and makes it so. False: that can't be.
static bool state(struct client *client, const struct saga_instance *saga, const struct saga_leg *leg,
                  enum outcome outcome) {
    char key[SAGA_KEY_MAX];
    saga_leg_key(saga, leg, key);
    enum effect_state state = needed(saga, leg, is_undoing(leg) ? SAGA_COMPENSATE : SAGA_ACTION, outcome);
    client->operation.outcome = outcome;
    if (state == EFFECT_NONE)
        return true;
    make_true(network_effect(saga, leg), state);
    if (state == EFFECT_APPLIED)
        memcpy(client->operation.key, key, sizeof key);
    return is_true(ledger_effect(&world_now->ledger, key), state);
}

static bool took_place(const struct saga_instance *saga, const struct saga_leg *leg) {
    char key[SAGA_KEY_MAX];
    saga_leg_key(saga, leg, key);
    const struct effect *known = ledger_effect(&world_now->ledger, key);
    return known && known->state == EFFECT_APPLIED;
}

static void state_outcome(struct client *client, const struct saga_instance *saga, const struct saga_leg *leg,
                          struct seeded *dice) {
    bool says_ok = is_undoing(leg) || !acts(saga, leg) ? draw_chance(dice, 60) : took_place(saga, leg);
    state(client, saga, leg, says_ok ? OUTCOME_OK : OUTCOME_REJECTED);
}

static void mean(struct client *client, const struct saga_leg *leg) {
    snprintf(client->operation.step, sizeof client->operation.step, "%s", leg->step->name);
    client->operation.leg = leg->leg;
}

static void put_body(struct client *client) {
    snprintf(client->body, sizeof client->body, "%s %s %u %d", saga_act_name(client->operation.act),
             client->operation.step, client->operation.leg, client->operation.outcome);
}

void operator_decide(struct client *client, enum saga_act act) {
    struct seeded dice = draw_stream(world_now->seed, "operator", client->number);
    const struct saga_row *row = durable_saga(client->gid);
    client->operation.act = act;
    client->operation.outcome = OUTCOME_OK;
    if (draw_chance(&dice, 50))
        ledger_book(&world_now->ledger, client->gid)->fixed = true;
    if (row && (act == SAGA_ACT_SKIP || act == SAGA_ACT_RESOLVE)) {
        struct saga_instance saga = durable_instance(row);
        const struct saga_leg *leg = saga_status_ended(saga.status) ? NULL : choose_leg(&saga, act, &dice);
        if (leg && draw_chance(&dice, 90)) {
            mean(client, leg);
            if (act == SAGA_ACT_RESOLVE)
                state_outcome(client, &saga, leg, &dice);
        }
        saga_instance_release(&saga);
    }
    put_body(client);
}

struct saga_operation operator_operation(const struct client *client, char answer[SAGA_ANSWER_MAX + 512]) {
    const struct effect *effect = ledger_effect(&world_now->ledger, client->operation.key);
    return (struct saga_operation){.act = client->operation.act,
                                   .caller = STR("operator"),
                                   .reason = str_c(client->request_id),
                                   .step = str_c(client->operation.step),
                                   .leg = client->operation.leg,
                                   .outcome = client->operation.outcome,
                                   .answer = effect ? network_answer_of(effect, answer) : STR_NONE};
}

// ---- When they act ------------------------------------------------------------------------------------------------

static struct client *send(const char *gid, enum saga_act act, int64_t delay_ms) {
    struct client *client = client_new(ITEM_OPERATE, gid, NUMBER_OF_HELP + world_now->helps++);
    operator_decide(client, act);
    world_now->time.timers.set(&world_now->time, &client->timer, world_now->time.now_ms + delay_ms);
    return client;
}

// Whether the flow lets operators say anything about the leg, and what this one says is so, or can be.
static bool may_be_stated(const struct saga_instance *saga, const struct saga_leg *leg, enum outcome outcome) {
    if (is_undoing(leg))
        return true;
    if (leg->step->decide && !leg->step->ruled)
        return false;
    return !acts(saga, leg) || took_place(saga, leg) == (outcome == OUTCOME_OK);
}

bool operator_strikes(const struct saga_instance *saga, const struct saga_leg *leg,
                      const struct operator_strike *strike) {
    bool states = strike->act == SAGA_ACT_RESOLVE;
    if (!durable_saga(saga->gid)) // one that is just being started may never have been
        return false;
    if (states && !may_be_stated(saga, leg, strike->outcome))
        return false;
    struct client *client = client_new(ITEM_OPERATE, saga->gid, NUMBER_OF_STRIKE + strike->number);
    client->operation.act = strike->act;
    client->operation.outcome = strike->outcome;
    client->hint = (int)world_now->running->name; // where it was seen
    if (states || strike->act == SAGA_ACT_SKIP)
        mean(client, leg);
    if (states)
        state(client, saga, leg, strike->outcome);
    put_body(client);
    world_now->time.timers.set(&world_now->time, &client->timer, strike->at_ms);
    return true;
}

// Whoever has stopped a saga lets it go on after a while, mostly.
void operator_answered(const struct client *client) {
    struct seeded dice = draw_stream(world_now->seed, "resume", client->number);
    if (client->operation.act == SAGA_ACT_PAUSE && client->acknowledged && draw_chance(&dice, 80))
        send(client->gid, SAGA_ACT_RESUME, draw_between(&dice, 20, draw_chance(&dice, 50) ? 500 : 8000));
    if (client->operation.act != SAGA_ACT_TERMINATE || client->code != ERR_SAGA_STATE)
        return;
    const struct saga_row *row = durable_saga(client->gid);
    if (row && !saga_status_ended((enum saga_status)row->status))
        world_broken("E8", "%s has not ended, and can't be terminated", world_short(client->gid));
}

void operator_hears_of_parked(const char *gid) {
    const struct item *operators = world_now->operators;
    if (!operators || world_now->calm)
        return;
    struct seeded dice = draw_stream(world_now->seed, gid, world_now->helps);
    if (!draw_chance(&dice, operators->a))
        return;
    bool retries = draw_chance(&dice, 65);
    enum saga_act act = (enum saga_act)plan_draw_act(&dice);
    send(gid, retries ? SAGA_ACT_RETRY : act, (int64_t)seeded_below(&dice, operators->b + 1));
}

void operator_help(const struct saga_row *row, uint32_t number) {
    for (const struct client *client = world_now->clients; client; client = client->next)
        if (client->kind == ITEM_OPERATE && strcmp(client->gid, row->gid) == 0 && !client_wants_nothing(client))
            return; // somebody is at it
    struct client *client = client_new(ITEM_OPERATE, row->gid, NUMBER_OF_HELP + number);
    operator_decide(client, row->paused ? SAGA_ACT_RESUME : SAGA_ACT_RETRY);
    ledger_book(&world_now->ledger, row->gid)->fixed = true;
}

// ---- Participants -------------------------------------------------------------------------------------------------

static struct client *hold(const char *participant, enum saga_act act, int64_t for_ms, uint32_t number) {
    struct client *client = client_new(ITEM_HOLD, participant, number);
    client->operation.act = act;
    client->for_ms = for_ms;
    snprintf(client->body, sizeof client->body, "%s %s", saga_act_name(act), participant);
    return client;
}

void operator_hold(const struct item *item, uint32_t number) {
    char name[8];
    snprintf(name, sizeof name, "p%u", item->target);
    hold(name, SAGA_ACT_PAUSE, item->for_ms, number);
}

void operator_held(const struct client *client, struct center *center, bool done) {
    bool pauses = client->operation.act == SAGA_ACT_PAUSE;
    if (done && center)
        limits_changed(center, (uint8_t)(client->gid[1] - '0'), pauses);
    if (!done || !pauses)
        return;
    struct client *next = hold(client->gid, SAGA_ACT_RESUME, 0, NUMBER_OF_HELP + world_now->helps++);
    world_now->time.timers.set(&world_now->time, &next->timer, world_now->time.now_ms + client->for_ms);
}

void operator_let_go(void) {
    struct store_query query = {.table = &participant_table, .limit = STORE_LIMIT_MAX};
    char names[PLAN_PARTICIPANTS][8];
    size_t n;
    const struct participant_row *rows = durable_rows(&query, &n);
    for (size_t i = 0; i < n; i++)
        snprintf(names[i], sizeof names[i], "%s", rows[i].participant);
    for (size_t i = 0; i < n; i++)
        hold(names[i], SAGA_ACT_RESUME, 0, NUMBER_OF_HELP + world_now->helps++);
}

// ---- What they did ------------------------------------------------------------------------------------------------

static bool find_audit(const char *gid, enum saga_act act, const char *detail) {
    struct store_query query = {.table = &audit_table,
                                .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(gid)},
                                          {.column = "action", .cmp = STORE_EQ, .text = str_c(saga_act_name(act))}},
                                .limit = STORE_LIMIT_MAX};
    size_t n;
    const struct audit_row *rows = durable_rows(&query, &n);
    for (size_t i = 0; i < n; i++)
        if (strncmp(rows[i].detail, detail, strlen(detail)) == 0)
            return true;
    return false;
}

bool operator_did(const struct saga_instance *saga, const struct saga_leg *leg, enum saga_act act, unsigned state) {
    char detail[SAGA_NAME_MAX + 64], place[8] = "";
    if (leg->leg > 0)
        snprintf(place, sizeof place, "[%u]", leg->leg);
    snprintf(detail, sizeof detail, "%s%s was %s", leg->step->name, place,
             state == IN_ANY_STATE ? "" : leg_state_name((enum leg_state)state));
    return find_audit(saga->gid, act, detail);
}

bool operator_terminated(const char *gid) {
    return find_audit(gid, SAGA_ACT_TERMINATE, "");
}
