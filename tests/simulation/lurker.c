#include "tests/simulation/lurker.h"

#include "saga/tables.h"
#include "tests/simulation/center.h"
#include "tests/simulation/durable.h"
#include "tests/simulation/network.h"
#include "tests/simulation/operator.h"
#include "tests/simulation/world.h"

#include <assert.h>
#include <stdio.h>

enum {
    STRIKES_MAX = 8,
    REFUSALS_MAX = 12,   // a batch is halved until it is known what of it can't be done
    MISSED_PERCENT = 25, // of the occasions
    TIMER_LEAD_MS = 8,   // it takes about as long until an operator is heard
};

// What it does when it sees its prey.
enum deed {
    DEED_RETRY,
    DEED_COMPENSATE,
    DEED_RESOLVE_OK,
    DEED_RESOLVE_NO,
    DEED_PAUSE,
    DEED_TERMINATE,
    DEED_PAUSE_IN_TIME, // just before something of it is due
    DEED_PAUSE_REFUSED, // while what will be refused is on its way
    DEED_PAUSE_SPOIL,   // and then the disk refuses to keep what is answered
    DEED_SPOIL,         // the disk refuses the next write of it
    DEED_KILL,          // the process dies
    DEEDS
};

static const struct {
    const char *name;
    enum saga_act act;
    enum saga_event_kind event;
    enum outcome outcome;
} deeds[DEEDS] = {
    [DEED_RETRY] = {"retries", SAGA_ACT_RETRY, SAGA_EV_RETRY, OUTCOME_OK},
    [DEED_COMPENSATE] = {"turns round", SAGA_ACT_COMPENSATE, SAGA_EV_COMPENSATE, OUTCOME_OK},
    [DEED_RESOLVE_OK] = {"resolves with OK", SAGA_ACT_RESOLVE, SAGA_EV_RESOLVE, OUTCOME_OK},
    [DEED_RESOLVE_NO] = {"resolves with REJECTED", SAGA_ACT_RESOLVE, SAGA_EV_RESOLVE, OUTCOME_REJECTED},
    [DEED_PAUSE] = {"pauses", SAGA_ACT_PAUSE, SAGA_EV_PAUSE, OUTCOME_OK},
    [DEED_TERMINATE] = {"terminates", SAGA_ACT_TERMINATE, SAGA_EV_TERMINATE, OUTCOME_OK},
    [DEED_PAUSE_IN_TIME] = {"pauses, when its timer is about to fire,", SAGA_ACT_PAUSE, SAGA_EV_PAUSE, OUTCOME_OK},
    [DEED_PAUSE_REFUSED] = {"pauses, when it is about to be refused,", SAGA_ACT_PAUSE, SAGA_EV_PAUSE, OUTCOME_OK},
    [DEED_PAUSE_SPOIL] = {"pauses, and has the disk refuse what then comes of,", SAGA_ACT_PAUSE, SAGA_EV_PAUSE,
                          OUTCOME_OK},
    [DEED_SPOIL] = {.name = "has the disk refuse the next write of"}, // what follows is no operator's
    [DEED_KILL] = {.name = "kills the process that has"},
};

// ---- What they hunt -----------------------------------------------------------------------------------------------

#define IN(state) (1u << LEG_##state)
#define OF(status) (1u << SAGA_##status)
enum {
    FORTH = OF(RUNNING) | OF(FORWARD),
    BACK = OF(COMPENSATING),
    ANY_STATE = (1u << LEG_STATES) - 2,
    OF_THE_WAY_BACK = IN(REJECTED) | IN(UNDOING) | IN(UNDO_RETRYING) | IN(UNDONE) | IN(UNDO_PARKED),
    ON_ITS_WAY = IN(RUNNING) | IN(INQUIRING) | IN(ASKING) | IN(UNDOING),
    TRIED = IN(RUNNING) | IN(INQUIRING) | IN(RETRYING) | IN(ASKING),
};

// What chance alone brings about too seldom. What stands here twice is rarer still, and hunted twice as often.
static const struct hunt {
    unsigned statuses, states;
    enum deed deed;
} hunts[] = {
    {FORTH, IN(WAITING) | IN(ASKING), DEED_RESOLVE_OK},
    {FORTH, IN(WAITING) | IN(ASKING), DEED_RESOLVE_NO},
    {OF(FORWARD), IN(WAITING) | IN(ASKING), DEED_RESOLVE_OK},
    {OF(FORWARD), IN(WAITING), DEED_RESOLVE_OK},
    {OF(FORWARD), IN(WAITING), DEED_RESOLVE_NO},
    {FORTH, TRIED, DEED_RESOLVE_OK},
    {FORTH, TRIED, DEED_RESOLVE_NO},
    {BACK, TRIED | IN(PARKED), DEED_RESOLVE_OK},
    {BACK, TRIED | IN(PARKED), DEED_RESOLVE_NO},
    {BACK, IN(ASKING), DEED_RESOLVE_OK},
    {BACK, IN(ASKING), DEED_RESOLVE_NO},
    {BACK, ON_ITS_WAY | IN(RETRYING) | IN(WAITING) | IN(PARKED), DEED_RETRY},
    {BACK, IN(ASKING) | IN(RETRYING) | IN(PARKED), DEED_PAUSE},
    {BACK, IN(ASKING) | IN(RETRYING) | IN(PARKED), DEED_TERMINATE},
    {FORTH | BACK, ANY_STATE, DEED_PAUSE_IN_TIME},
    {BACK, ANY_STATE, DEED_PAUSE_IN_TIME},
    {FORTH | BACK, ON_ITS_WAY, DEED_PAUSE_REFUSED},
    {OF(RUNNING) | BACK, IN(INQUIRING), DEED_PAUSE_REFUSED},
    {OF(RUNNING) | BACK, IN(INQUIRING), DEED_PAUSE_REFUSED},
    {FORTH | BACK, ANY_STATE, DEED_PAUSE_SPOIL},
    {BACK, ANY_STATE, DEED_PAUSE_SPOIL},
    {FORTH | BACK, ON_ITS_WAY | IN(PARKED) | IN(UNDO_PARKED), DEED_SPOIL},
    {BACK, IN(PARKED) | IN(UNDO_PARKED), DEED_SPOIL},
};

// In a siege they hunt together: after a death steps of two stages may have been sent; then one of them is parked, or
// waits for another attempt, and the saga turns round while another of its stage is still on its way. The first two see
// to that.
enum { BEATERS = 2 };
static const struct hunt ambush[] = {
    {OF(RUNNING), IN(RUNNING), DEED_KILL}, {OF(RUNNING), IN(PARKED), DEED_COMPENSATE},
    {BACK, IN(PARKED), DEED_RESOLVE_OK},   {BACK, IN(PARKED), DEED_RESOLVE_OK},
    {BACK, IN(PARKED), DEED_RESOLVE_NO},   {BACK, IN(RETRYING), DEED_RESOLVE_OK},
    {BACK, IN(RETRYING), DEED_RESOLVE_NO}, {BACK, IN(PARKED), DEED_TERMINATE},
    {BACK, IN(PARKED), DEED_SPOIL},
};

static unsigned draw_one_of(unsigned set, struct seeded *dice) {
    unsigned chosen = 0, n = 0;
    for (unsigned i = 0; i < 32; i++)
        if (set >> i & 1 && seeded_below(dice, ++n) == 0)
            chosen = i;
    return chosen;
}

static const struct hunt *draw_hunt(uint32_t place, bool siege, struct seeded *dice) {
    if (siege && place < BEATERS)
        return &ambush[place];
    if (siege && draw_chance(dice, 60))
        return &ambush[BEATERS + seeded_below(dice, sizeof ambush / sizeof ambush[0] - BEATERS)];
    return &hunts[seeded_below(dice, sizeof hunts / sizeof hunts[0])];
}

void lurker_draw(struct item *item, uint32_t place, bool siege, struct seeded *dice) {
    const struct hunt *hunt = draw_hunt(place, siege, dice);
    item->a = draw_one_of(hunt->statuses, dice);
    item->b = draw_one_of(hunt->states & ~(item->a == SAGA_COMPENSATING ? 0u : (unsigned)OF_THE_WAY_BACK), dice);
    item->c = hunt->deed;
}

void lurker_describe(const struct item *item, char *out, size_t size) {
    snprintf(out, size, "a lurker %s what is %s, of a saga that is %s", deeds[item->c].name,
             leg_state_name((enum leg_state)item->b), saga_status_name((enum saga_status)item->a));
}

void lurker_begin(const struct item *item, uint32_t number) {
    struct lurkers *lurkers = &world_now->lurkers;
    assert(lurkers->n < LURKERS_MAX);
    lurkers->list[lurkers->n++] = (struct lurker){.item = item, .dice = draw_stream(world_now->seed, "lurker", number)};
}

// ---- Striking -----------------------------------------------------------------------------------------------------

static bool is_prey(const struct item *item, const struct saga_instance *saga, const struct saga_leg *leg) {
    return saga->status == (enum saga_status)item->a && leg->state == (enum leg_state)item->b;
}

// What waits is looked at at once when it begins to; only then does it really wait.
static bool lasts(const struct saga_leg *leg) {
    return leg->state != LEG_WAITING || leg->due_ms > clock_now_ms(&world_now->running->clock);
}

static bool is_in_flight(const struct saga_instance *saga) {
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (saga_leg_in_flight(&saga->legs[i]))
            return true;
    return false;
}

// Whether the leg would stay parked for a while, should the saga turn round now: a later step may have been sent, and
// what that was made from is still on its way.
static bool is_behind(const struct saga_instance *saga, const struct saga_leg *leg) {
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (saga->legs[i].step->stage > leg->step->stage && saga->legs[i].may_have_run)
            return is_in_flight(saga);
    return false;
}

// When the timer is about to fire, by the clock of the world; 0: there is none.
static int64_t before_timer(struct lurker *lurker, const struct saga_instance *saga) {
    int64_t due_ms = saga_instance_timer(saga), now_ms = world_now->time.now_ms;
    if (due_ms >= SAGA_DUE_CHILD)
        return 0;
    due_ms -= world_now->running->wall_offset_ms + draw_between(&lurker->dice, 0, TIMER_LEAD_MS);
    return due_ms > now_ms ? due_ms : now_ms;
}

static bool operate(struct lurker *lurker, const struct saga_instance *saga, const struct saga_leg *leg) {
    enum deed deed = (enum deed)lurker->item->c;
    struct saga_event event = {
        .kind = deeds[deed].event, .leg = (uint8_t)(leg - saga->legs), .outcome = deeds[deed].outcome};
    struct operator_strike strike = {
        .act = deeds[deed].act,
        .outcome = deeds[deed].outcome,
        .at_ms = world_now->time.now_ms,
        .number = (uint32_t)(lurker->item - world_now->plan->items) * STRIKES_MAX + lurker->strikes,
    };
    if (saga_operator_refusal(saga, &event))
        return false;
    if (deed == DEED_PAUSE_IN_TIME && (strike.at_ms = before_timer(lurker, saga)) == 0)
        return false;
    if (deed == DEED_PAUSE_REFUSED && !network_refuses(saga, leg))
        return false;
    if (deed == DEED_PAUSE_SPOIL && !is_in_flight(saga))
        return false;
    if (deed == DEED_COMPENSATE && !is_behind(saga, leg))
        return false;
    return operator_strikes(saga, leg, &strike);
}

static bool strike(struct lurker *lurker, const struct saga_instance *saga, const struct saga_leg *leg) {
    enum deed deed = (enum deed)lurker->item->c;
    if (deed == DEED_KILL) {
        if (!durable_saga(saga->gid)) // nobody would take it up
            return false;
        world_now->running->back_ms = lurker->item->for_ms;
        center_die(world_now->running, "of a lurker");
        return true;
    }
    if (deed != DEED_SPOIL && !operate(lurker, saga, leg))
        return false;
    if (deed == DEED_SPOIL || deed == DEED_PAUSE_SPOIL) {
        memcpy(lurker->prey, saga->gid, sizeof lurker->prey);
        lurker->refusals = 0;
    }
    return true;
}

static void see(struct lurker *lurker, const struct saga_instance *saga, const struct saga_event *event) {
    if (event->kind == SAGA_EV_SUSPECTED && strcmp(lurker->prey, saga->gid) == 0)
        lurker->prey[0] = '\0';
    for (uint8_t i = 0; i < saga->n_legs; i++) {
        if (lurker->strikes == STRIKES_MAX || lurker->prey[0] || !is_prey(lurker->item, saga, &saga->legs[i]) ||
            !lasts(&saga->legs[i]) || draw_chance(&lurker->dice, MISSED_PERCENT))
            continue;
        if (strike(lurker, saga, &saga->legs[i])) {
            world_trace(center_name(world_now->running), "a lurker strikes: %s %s of %s", deeds[lurker->item->c].name,
                        saga->legs[i].step->name, world_short(saga->gid));
            lurker->strikes++;
            return;
        }
    }
}

void lurkers_see(const struct saga_instance *saga, const struct saga_event *event) {
    if (!world_now || world_now->calm || !center_is_current(world_now->running) || world_now->running->dying)
        return;
    for (unsigned i = 0; i < world_now->lurkers.n; i++)
        see(&world_now->lurkers.list[i], saga, event);
}

// ---- Spoiling -----------------------------------------------------------------------------------------------------

// Whether the prey is durably at what is hunted: its next write is the one that is refused.
static bool is_at_it(const struct lurker *lurker) {
    const struct saga_row *row = durable_saga(lurker->prey);
    if (!row || saga_status_ended((enum saga_status)row->status))
        return false;
    struct saga_instance saga = durable_instance(row);
    bool at_it = row->paused == (lurker->item->c == DEED_PAUSE_SPOIL), found = false;
    for (uint8_t i = 0; i < saga.n_legs; i++)
        found = found || is_prey(lurker->item, &saga, &saga.legs[i]);
    saga_instance_release(&saga);
    return at_it && found;
}

// As it came from the saga itself, not from an operator, who would only be told to come again.
static bool is_of_prey(const struct lurker *lurker, const struct store_op *ops, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct saga_row *row = ops[i].table == &saga_table && ops[i].verb == STORE_PUT ? ops[i].row : NULL;
        if (row && strcmp(row->gid, lurker->prey) == 0 && row->paused == (lurker->item->c == DEED_PAUSE_SPOIL))
            return true;
    }
    return false;
}

bool lurkers_refuse(const struct store_op *ops, size_t n) {
    for (unsigned i = 0; i < world_now->lurkers.n; i++) {
        struct lurker *lurker = &world_now->lurkers.list[i];
        if (!lurker->prey[0] || !is_of_prey(lurker, ops, n) || !is_at_it(lurker))
            continue;
        if (++lurker->refusals == REFUSALS_MAX)
            lurker->prey[0] = '\0';
        return true;
    }
    return false;
}
