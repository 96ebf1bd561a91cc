#include "tests/simulation/flows.h"

#include "saga/call.h"
#include "tests/simulation/operator.h"
#include "tests/simulation/plan.h"
#include "tests/simulation/steps.h"
#include "tests/simulation/world.h"

#include <assert.h>
#include <stdio.h>

enum step_shape { OF_CALL, OF_DECISION, OF_AWAIT, OF_CHILD };

// ---- Steps --------------------------------------------------------------------------------------------------------

static struct saga_step *add_step(struct sim_flow *flow, uint8_t stage, enum saga_kind kind, enum step_shape shape) {
    uint8_t i = flow->flow.n_steps++;
    assert(i < SIM_STEPS_MAX);
    struct saga_step *step = &flow->steps[i];
    snprintf(flow->step_names[i], sizeof flow->step_names[i], "%c%u", "ckrx"[kind], i + 1);
    *step = (struct saga_step){.id = (uint16_t)(i + 1),
                               .stage = stage,
                               .kind = kind,
                               .name = flow->step_names[i],
                               .deadline_ms = 500,
                               .retry = kind == SAGA_RETRIABLE ? SAGA_STUBBORN : SAGA_QUICK,
                               .undo_retry = SAGA_STUBBORN};
    if (shape == OF_CALL)
        step->run = step_send;
    if (shape == OF_DECISION)
        step->decide = step_decide;
    if (shape == OF_CHILD)
        step->child = step_child;
    if (kind == SAGA_COMPENSATABLE && (shape == OF_CALL || shape == OF_CHILD))
        step->undo = step_send;
    return step;
}

static struct sim_step *traits_of(struct sim_flow *flow, const struct saga_step *step) {
    return &flow->traits[step - flow->steps];
}

static void draw_policy(struct sim_flow *flow, struct saga_step *step, struct seeded *dice) {
    step->deadline_ms = draw_between(dice, 60, 1500);
    step->retry = (enum saga_patience)seeded_below(dice, SAGA_PATIENCES);
    step->undo_retry = (enum saga_patience)seeded_below(dice, SAGA_PATIENCES);
    if (draw_chance(dice, 50))
        return;
    struct saga_retry *policy = &flow->policies[step - flow->steps];
    uint32_t first_ms = draw_between(dice, 1, 300);
    *policy = (struct saga_retry){.first_ms = first_ms,
                                  .max_ms = first_ms + draw_between(dice, 0, 2000),
                                  .attempts = draw_chance(dice, 85) ? draw_between(dice, 1, 5) : 0,
                                  .jitter_percent = draw_between(dice, 0, 100),
                                  .hold_ms = draw_chance(dice, 50) ? draw_between(dice, 50, 3000) : 0};
    step->policy = policy;
}

static void draw_decision(struct sim_flow *flow, struct saga_step *step, struct seeded *dice, bool *booked) {
    static const enum sim_decide kinds[] = {DECIDES_BOOK, DECIDES_BOOK, DECIDES_LATER, DECIDES_PAID,
                                            DECIDES_ASK,  DECIDES_ASK,  DECIDES_PARK};
    struct sim_step *traits = traits_of(flow, step);
    traits->decide = kinds[seeded_below(dice, sizeof kinds / sizeof kinds[0])];
    traits->wait_ms = draw_between(dice, 1, 8000);
    if (traits->decide == DECIDES_BOOK && *booked)
        traits->decide = DECIDES_LATER;
    *booked = *booked || traits->decide == DECIDES_BOOK;
    if (traits->decide == DECIDES_ASK) {
        step->ask = step_send;
        traits->acts = step->kind == SAGA_RETRIABLE && draw_chance(dice, 60);
    }
    if (step->kind == SAGA_COMPENSATABLE && draw_chance(dice, 25))
        step->undo = step_send;
    if (draw_chance(dice, 60))
        step->ruled = step_ruled;
}

static saga_legs_fn *draw_legs(struct seeded *dice) {
    static saga_legs_fn *const counts[] = {step_no_legs, step_two_legs, step_three_legs, step_some_legs};
    return counts[seeded_below(dice, sizeof counts / sizeof counts[0])];
}

enum { DEPTH_MAX = 2 };

// Of children below a flow of this index, in any of its versions.
static uint8_t depth_of(const struct sim_flows *flows, uint8_t index) {
    uint8_t depth = 0;
    for (uint8_t i = 0; i < flows->n; i++)
        if (flows->list[i].index == index && flows->list[i].depth > depth)
            depth = flows->list[i].depth;
    return depth;
}

static void draw_step(struct sim_flows *flows, struct sim_flow *flow, uint8_t stage, enum saga_kind kind,
                      struct seeded *dice, bool *booked) {
    uint64_t shape = seeded_below(dice, 100);
    struct saga_step *step = add_step(flow, stage, kind,
                                      shape < 62   ? OF_CALL
                                      : shape < 80 ? OF_DECISION
                                      : shape < 90 ? OF_AWAIT
                                                   : OF_CHILD);
    struct sim_step *traits = traits_of(flow, step);
    traits->participant = (uint8_t)seeded_below(dice, PLAN_PARTICIPANTS);
    draw_policy(flow, step, dice);
    if (kind == SAGA_RETRIABLE && draw_chance(dice, 30))
        step->tier = SAGA_NON_CORE;
    if (step->run) {
        step->inquire = draw_chance(dice, 60) ? step_send : NULL;
        traits->notes = draw_chance(dice, 40);
        step->answered = traits->notes ? step_answered : NULL;
    } else if (step->decide) {
        draw_decision(flow, step, dice, booked);
    } else if (step->child) {
        // One that was made before: children have no end otherwise.
        traits->child = (uint8_t)seeded_below(dice, flows->n_names);
        if (depth_of(flows, traits->child) >= DEPTH_MAX)
            traits->child = FLOW_TRANSFER;
        uint8_t depth = (uint8_t)(depth_of(flows, traits->child) + 1);
        flow->depth = flow->depth > depth ? flow->depth : depth;
    } else {
        step->signal = draw_chance(dice, 50) ? "blue" : "green";
        step->timeout_ms = draw_between(dice, 1, draw_chance(dice, 50) ? 3000 : 20000);
    }
    if (kind != SAGA_PIVOT && traits->decide != DECIDES_BOOK && draw_chance(dice, 25))
        step->legs = draw_legs(dice);
    traits->spreads = step->legs && draw_chance(dice, 40);
}

// ---- Flows --------------------------------------------------------------------------------------------------------

static struct sim_flow *add_flow(struct sim_flows *flows, const char *name, uint16_t version) {
    struct sim_flow *flow = &flows->list[flows->n++];
    *flow = (struct sim_flow){.index = flows->n_names};
    snprintf(flow->name, sizeof flow->name, "%s", name);
    flow->flow = (struct saga_flow){.name = flow->name,
                                    .version = version,
                                    .steps = flow->steps,
                                    .on_reversed = step_reversed,
                                    .on_end = step_ended,
                                    .allows = operator_allows,
                                    .attach = step_attach};
    return flow;
}

static void draw_stages(struct sim_flows *flows, struct sim_flow *flow, uint8_t *stage, uint32_t n, enum saga_kind kind,
                        struct seeded *dice, bool *booked) {
    bool booked_before = *booked;
    while (n-- > 0) {
        *stage = (uint8_t)(*stage + draw_between(dice, 1, 3));
        for (uint32_t steps = draw_between(dice, 1, 3); steps > 0 && flow->flow.n_steps < SIM_STEPS_MAX - 1; steps--)
            draw_step(flows, flow, *stage, kind, dice, &booked_before);
    }
    *booked = booked_before;
}

static const char *const participant_names[PLAN_PARTICIPANTS] = {"p0", "p1", "p2", "p3"};

uint8_t sim_whom(const struct sim_flow *flow, const struct saga_step *step, uint8_t leg) {
    const struct sim_step *traits = sim_traits(flow, step);
    return (uint8_t)((traits->participant + (traits->spreads ? leg : 0)) % PLAN_PARTICIPANTS);
}

static const char *whom(const struct saga_call *call) {
    const struct saga_step *step = saga_call_step(call);
    return participant_names[sim_whom(sim_flow_with(&world_now->flows, step), step, saga_call_leg(call))];
}

static void name_participants(struct sim_flow *flow) {
    for (uint8_t i = 0; i < flow->flow.n_steps; i++) {
        struct saga_step *step = &flow->steps[i];
        if (!step->run && !step->undo && !step->ask)
            continue;
        step->participant = flow->traits[i].spreads ? "p0, p1, p2, p3" : participant_names[flow->traits[i].participant];
        step->whom = flow->traits[i].spreads ? whom : NULL;
    }
}

// Requests behind the step that draws the number are made with it.
static void number_requests(struct sim_flow *flow) {
    uint8_t drawn_at = UINT8_MAX;
    for (uint8_t i = 0; i < flow->flow.n_steps; i++)
        if (flow->traits[i].decide == DECIDES_BOOK && flow->steps[i].tier == SAGA_CORE)
            drawn_at = flow->steps[i].stage;
    for (uint8_t i = 0; i < flow->flow.n_steps; i++)
        flow->traits[i].numbers = flow->steps[i].stage > drawn_at;
}

static void draw_flow(struct sim_flows *flows, struct sim_flow *flow, struct seeded *dice) {
    uint8_t stage = 0;
    bool booked = false;
    if (draw_chance(dice, 12)) {
        draw_stages(flows, flow, &stage, draw_between(dice, 1, 4), SAGA_RETRIABLE, dice, &booked);
    } else {
        draw_stages(flows, flow, &stage, draw_between(dice, 1, 4), SAGA_COMPENSATABLE, dice, &booked);
        if (draw_chance(dice, 70) && flow->flow.n_steps < SIM_STEPS_MAX - 2) {
            stage++;
            draw_step(flows, flow, stage, SAGA_PIVOT, dice, &booked);
            draw_stages(flows, flow, &stage, draw_between(dice, 0, 3), SAGA_RETRIABLE, dice, &booked);
        }
    }
    number_requests(flow);
}

static void make_transfer(struct sim_flows *flows) {
    struct sim_flow *flow = add_flow(flows, "transfer", 1);
    for (uint8_t i = 0; i < 2; i++) {
        struct saga_step *step = add_step(flow, (uint8_t)(i + 1), SAGA_COMPENSATABLE, OF_CALL);
        step->inquire = step_send;
        traits_of(flow, step)->participant = i;
    }
    flows->n_names++;
}

static void make_refund(struct sim_flows *flows) {
    struct sim_flow *flow = add_flow(flows, "refund", 1);
    add_step(flow, 1, SAGA_RETRIABLE, OF_CALL);
    flows->n_names++;
}

static void make_purchase(struct sim_flows *flows, uint64_t seed) {
    struct seeded dice = draw_stream(seed, "purchase", 0);
    struct sim_flow *flow = add_flow(flows, "purchase", 1);
    struct saga_step *reserve = add_step(flow, 1, SAGA_COMPENSATABLE, OF_CALL);
    reserve->inquire = step_send;
    struct saga_step *book = add_step(flow, 2, SAGA_COMPENSATABLE, OF_DECISION);
    traits_of(flow, book)->decide = DECIDES_BOOK;
    struct saga_step *order = add_step(flow, 3, SAGA_COMPENSATABLE, OF_CALL);
    order->answered = step_answered;
    traits_of(flow, order)->notes = true;
    traits_of(flow, order)->participant = 1;
    struct saga_step *paid = add_step(flow, 4, SAGA_PIVOT, OF_DECISION);
    traits_of(flow, paid)->decide = DECIDES_PAID;
    traits_of(flow, paid)->wait_ms = draw_between(&dice, 200, 8000);
    struct saga_step *ship = add_step(flow, 5, SAGA_RETRIABLE, OF_CALL);
    ship->legs = step_two_legs;
    traits_of(flow, ship)->participant = 2;
    struct saga_step *tell = add_step(flow, 5, SAGA_RETRIABLE, OF_CALL);
    tell->tier = SAGA_NON_CORE;
    traits_of(flow, tell)->participant = 3;
    number_requests(flow);
    flows->n_names++;
}

static void make_siege(struct sim_flows *flows, uint64_t seed) {
    struct seeded dice = draw_stream(seed, "siege", 0);
    struct sim_flow *flow = add_flow(flows, "siege", 1);
    for (uint8_t stage = 1; stage <= 3; stage++)
        for (int i = 0; i < (stage == 3 ? 1 : 2); i++) {
            struct saga_step *step = add_step(flow, stage, stage == 3 ? SAGA_PIVOT : SAGA_COMPENSATABLE, OF_CALL);
            traits_of(flow, step)->participant = (uint8_t)seeded_below(&dice, PLAN_PARTICIPANTS);
            draw_policy(flow, step, &dice);
            step->inquire = draw_chance(&dice, 50) ? step_send : NULL;
            if (stage == 1 && i == 0) { // gives up at once
                flow->policies[0] = (struct saga_retry){.first_ms = 1, .max_ms = 1, .attempts = 1};
                step->policy = &flow->policies[0];
            }
        }
    struct saga_step *ship = add_step(flow, 4, SAGA_RETRIABLE, OF_CALL);
    draw_policy(flow, ship, &dice);
    ship->inquire = draw_chance(&dice, 70) ? step_send : NULL;
    if (draw_chance(&dice, 60)) {
        // Beside the first calls.
        struct saga_step *ask = &flow->steps[1];
        ask->run = ask->undo = ask->inquire = NULL;
        ask->decide = step_decide;
        ask->ask = step_send;
        traits_of(flow, ask)->decide = DECIDES_ASK;
    } else if (draw_chance(&dice, 70)) {
        flow->steps[1].legs = step_three_legs; // one gives up, one is refused, and one is still on its way
    }
    if (draw_chance(&dice, 50)) {
        // The pivot is not reached without a commit: whatever else may have been sent, the saga can turn round.
        struct saga_step *later = &flow->steps[3];
        later->run = later->undo = later->inquire = NULL;
        later->decide = step_decide;
        traits_of(flow, later)->decide = DECIDES_LATER;
        traits_of(flow, later)->wait_ms = draw_between(&dice, 1, 500);
    }
    flows->n_names++;
}

static void make_random(struct sim_flows *flows, uint64_t seed, uint32_t number) {
    struct seeded dice = draw_stream(seed, "flow", number);
    char name[24];
    snprintf(name, sizeof name, "flow%u", number);
    uint16_t versions = draw_chance(&dice, 25) ? 2 : 1;
    for (uint16_t version = 1; version <= versions; version++)
        draw_flow(flows, add_flow(flows, name, version), &dice);
    flows->n_names++;
}

void sim_flows_make(struct sim_flows *flows, uint64_t seed, const struct saga_estate *estate) {
    struct seeded dice = draw_stream(seed, "flows", 0);
    *flows = (struct sim_flows){0};
    make_transfer(flows);
    make_refund(flows);
    make_purchase(flows, seed);
    make_siege(flows, seed);
    for (uint32_t i = 0, n = draw_between(&dice, 2, 8); i < n; i++)
        make_random(flows, seed, i);
    for (uint8_t i = 0, older = 0; i < flows->n; i++) {
        name_participants(&flows->list[i]);
        flows->list[i].flow.estate = estate;
        flows->all[i] = &flows->list[i].flow;
        if (flows->list[i].flow.version == 1)
            flows->older[older++] = &flows->list[i].flow;
    }
}

// ---- Finding ------------------------------------------------------------------------------------------------------

const struct sim_flow *sim_flows_find(const struct sim_flows *flows, const char *name, int32_t version) {
    for (uint8_t i = 0; i < flows->n; i++)
        if (flows->list[i].flow.version == version && strcmp(flows->list[i].name, name) == 0)
            return &flows->list[i];
    return NULL;
}

const char *sim_flow_name(const struct sim_flows *flows, uint8_t index) {
    uint8_t i = 0;
    while (flows->list[i].index != index)
        i++;
    return flows->list[i].name;
}

const struct sim_flow *sim_flow_with(const struct sim_flows *flows, const struct saga_step *step) {
    for (uint8_t i = 0; i < flows->n; i++)
        if (step >= flows->list[i].steps && step < flows->list[i].steps + SIM_STEPS_MAX)
            return &flows->list[i];
    return NULL;
}
