// Random flows, random participants, random operators, random deaths of the process: the machine walks through them,
// and whatever happens on the way (hand.c checks each step), at the end the saga and the participants agree.
#include "saga/journal.h"
#include "tests/base/seeded.h"
#include "tests/cmocka.h"
#include "tests/saga/hand.h"
#include "tests/saga/steps.h"

#include <stdio.h>

enum { STEPS_MAX = 12, GENERATIONS = 16, LATE_MAX = 64, EVENTS = 60, CALM_EVENTS = 3000 };

// What a participant knows of one key; as the participants' contract says.
enum known { NEVER_SEEN, APPLIED, REJECTED, COMPENSATED };

struct request {
    uint8_t leg;
    uint32_t generation;
    enum saga_op op;
};

struct walk {
    struct hand hand;
    struct seeded seeded;
    struct saga_flow flow;
    struct saga_step steps[STEPS_MAX];
    struct saga_retry policies[STEPS_MAX];
    char names[STEPS_MAX][8];
    enum known known[SAGA_LEGS_MAX][GENERATIONS];
    struct request late[LATE_MAX]; // sent, and yet to arrive
    unsigned n_late;
    struct request out[SAGA_LEGS_MAX]; // what the call that is out asks for
    bool arrived[SAGA_LEGS_MAX];       // … and whether it has
    bool held[SAGA_LEGS_MAX];          // it is not sent: the participant takes no calls
    bool calm;                         // no more faults
};

static bool chance(struct walk *walk, unsigned percent) {
    return seeded_below(&walk->seeded, 100) < percent;
}

static unsigned below(struct walk *walk, unsigned bound) {
    return (unsigned)seeded_below(&walk->seeded, bound);
}

// ---- Random flows -------------------------------------------------------------------------------------------------

static void make_step(struct walk *walk, struct saga_step *step, uint8_t stage, enum saga_kind kind) {
    unsigned i = walk->flow.n_steps++;
    snprintf(walk->names[i], sizeof walk->names[i], "s%u", i);
    walk->policies[i] = (struct saga_retry){.first_ms = 1 + below(walk, 100),
                                            .max_ms = 1000,
                                            .attempts = 1 + below(walk, 3),
                                            .jitter_percent = below(walk, 101)};
    *step = (struct saga_step){.id = (uint16_t)(i + 1),
                               .stage = stage,
                               .name = walk->names[i],
                               .kind = kind,
                               .deadline_ms = 1000,
                               .policy = &walk->policies[i],
                               .undo_policy = &walk->policies[i]};
    if (kind == SAGA_RETRIABLE && chance(walk, 30))
        step->tier = SAGA_NON_CORE;
    if (kind != SAGA_PIVOT && chance(walk, 30))
        step->legs = chance(walk, 60) ? step_two_legs : step_no_legs;
    unsigned shape = below(walk, 100);
    if (shape < 65) {
        step->run = step_call;
        step->inquire = chance(walk, 60) ? step_call : NULL;
        step->undo = kind == SAGA_COMPENSATABLE ? step_call : NULL;
    } else if (shape < 80) {
        step->decide = step_decide;
        step->ask = chance(walk, 50) ? step_call : NULL;
        step->undo = kind == SAGA_COMPENSATABLE && chance(walk, 20) ? step_call : NULL;
    } else if (shape < 90) {
        step->signal = chance(walk, 50) ? "blue" : "green";
        step->timeout_ms = 1 + below(walk, 2000);
    } else {
        step->child = step_child;
        step->undo = kind == SAGA_COMPENSATABLE ? step_call : NULL;
    }
}

static void make_stages(struct walk *walk, uint8_t *stage, unsigned n, enum saga_kind kind) {
    while (n-- > 0) {
        ++*stage;
        for (unsigned steps = 1 + below(walk, 2); steps > 0; steps--)
            make_step(walk, &walk->steps[walk->flow.n_steps], *stage, kind);
    }
}

static void make_flow(struct walk *walk) {
    uint8_t stage = 0;
    walk->flow = (struct saga_flow){.name = "walk", .version = 1, .steps = walk->steps};
    walk->flow.limit_ms = chance(walk, 40) ? 1 + below(walk, 3000) : 0;
    if (chance(walk, 10)) {
        make_stages(walk, &stage, 1 + below(walk, 3), SAGA_RETRIABLE);
        return;
    }
    make_stages(walk, &stage, 1 + below(walk, 3), SAGA_COMPENSATABLE);
    if (chance(walk, 70)) {
        stage++;
        make_step(walk, &walk->steps[walk->flow.n_steps], stage, SAGA_PIVOT);
        make_stages(walk, &stage, below(walk, 3), SAGA_RETRIABLE);
    }
}

// ---- Participants -------------------------------------------------------------------------------------------------

static enum known *known(struct walk *walk, const struct request *request) {
    assert_true(request->generation < GENERATIONS);
    return &walk->known[request->leg][request->generation];
}

// A stage is compensated only when nothing of a later one has any effect (that the center could know of).
static void check_reverse(struct walk *walk, uint8_t leg) {
    const struct saga_instance *saga = &walk->hand.saga;
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (saga->legs[i].step->stage > saga->legs[leg].step->stage && saga->legs[i].step->run)
            for (uint32_t g = 0; g < GENERATIONS; g++)
                assert_int_not_equal(walk->known[i][g], APPLIED);
}

static void arrive(struct walk *walk, const struct request *request) {
    enum known *state = known(walk, request);
    if (request->op == SAGA_ACTION && *state == NEVER_SEEN)
        *state = !walk->calm && chance(walk, 20) ? REJECTED : APPLIED;
    else if (request->op == SAGA_COMPENSATE && *state != REJECTED)
        *state = COMPENSATED;
}

static void sent(struct hand *hand, uint8_t leg, enum saga_op op) {
    struct walk *walk = hand->ctx;
    struct request request = {leg, hand->saga.legs[leg].generation, op};
    walk->out[leg] = request;
    if (op == SAGA_COMPENSATE)
        check_reverse(walk, leg);
    assert_false(walk->hand.saga.paused);
    walk->held[leg] = !walk->calm && chance(walk, 8);
    walk->arrived[leg] = false;
    if (walk->held[leg])
        return;
    walk->arrived[leg] = walk->calm || chance(walk, 80);
    if (walk->arrived[leg])
        arrive(walk, &request);
    else if (op != SAGA_INQUIRE && walk->n_late < LATE_MAX && chance(walk, 70))
        walk->late[walk->n_late++] = request; // else it is lost
}

static void arrive_late(struct walk *walk) {
    if (walk->n_late == 0)
        return;
    unsigned i = below(walk, walk->n_late);
    struct request request = walk->late[i];
    walk->late[i] = walk->late[--walk->n_late];
    arrive(walk, &request);
}

// ---- Events -------------------------------------------------------------------------------------------------------

static struct saga_verdict decide(struct hand *hand, uint8_t leg) {
    struct walk *walk = hand->ctx;
    const struct saga_leg *waiting = &hand->saga.legs[leg];
    int64_t soon = hand->now_ms + below(walk, 500);
    if (walk->calm)
        return (struct saga_verdict){.answer = SAGA_DONE};
    switch (below(walk, 8)) {
    case 0: return (struct saga_verdict){.answer = SAGA_REJECT, .code = ERR_TRADE_ENDED};
    case 1: return (struct saga_verdict){.answer = SAGA_PARK, .code = ERR_TRADE_ENDED};
    case 2:
    case 3:
        if (waiting->step->ask)
            return (struct saga_verdict){.answer = SAGA_ASK};
        return (struct saga_verdict){.answer = SAGA_WAIT, .until_ms = soon};
    case 4: return (struct saga_verdict){.answer = SAGA_WAIT, .until_ms = soon};
    default: return (struct saga_verdict){.answer = SAGA_DONE};
    }
}

static void answer(struct walk *walk, uint8_t leg) {
    struct hand *hand = &walk->hand;
    const struct request *request = &walk->out[leg];
    enum known state = *known(walk, request);
    bool asking = hand->saga.legs[leg].state == LEG_ASKING;
    int64_t later_ms = hand->now_ms + 1 + below(walk, 500);
    if (walk->held[leg]) {
        hand_held(hand, leg, later_ms);
    } else if (!walk->arrived[leg] || (!walk->calm && chance(walk, 15))) {
        if (chance(walk, 20))
            hand_tried(hand, leg, OUTCOME_UNKNOWN, later_ms);
        else
            hand_answer(hand, leg, OUTCOME_UNKNOWN, false, STR_NONE);
    } else if (asking || !hand->saga.legs[leg].step->run) {
        hand_answer(hand, leg, OUTCOME_OK, false, STR("yes")); // a question; or the compensation of a local step
    } else if (request->op == SAGA_INQUIRE) {
        // A compensated key is one whose action never was, or is no longer: it was refused.
        hand_answer(hand, leg, state == APPLIED || state == NEVER_SEEN ? OUTCOME_OK : OUTCOME_REJECTED,
                    state == NEVER_SEEN, STR("yes"));
    } else if (request->op == SAGA_ACTION) {
        hand_answer(hand, leg, state == APPLIED ? OUTCOME_OK : OUTCOME_REJECTED, false, STR("yes"));
    } else {
        hand_answer(hand, leg, OUTCOME_OK, false, STR_NONE);
    }
}

// Definitely not done, or refused: only true of what has not arrived and will not.
static void refuse(struct walk *walk, uint8_t leg) {
    const struct request *request = &walk->out[leg];
    bool arrived = walk->arrived[leg];
    for (unsigned i = 0; i < walk->n_late; i++)
        arrived = arrived || (walk->late[i].leg == leg && walk->late[i].op == request->op);
    arrived = arrived || *known(walk, request) == (request->op == SAGA_COMPENSATE ? COMPENSATED : APPLIED);
    if (arrived || walk->held[leg])
        answer(walk, leg);
    else if (request->op == SAGA_COMPENSATE && chance(walk, 50))
        hand_answer(&walk->hand, leg, OUTCOME_REJECTED, false, STR_NONE);
    else
        hand_answer(&walk->hand, leg, OUTCOME_RETRY, false, STR_NONE);
}

static void pass_time(struct walk *walk) {
    int64_t due = saga_instance_timer(&walk->hand.saga);
    if (due >= SAGA_DUE_CHILD)
        return;
    walk->hand.now_ms = due > walk->hand.now_ms ? due : walk->hand.now_ms;
    hand_apply(&walk->hand, SAGA_EV_TIMER);
}

static void signal(struct walk *walk) {
    struct error error;
    bool duplicate;
    char id[8];
    snprintf(id, sizeof id, "%u", below(walk, 100));
    if (!saga_status_ended(walk->hand.saga.status) &&
        saga_instance_signal(&walk->hand.saga, chance(walk, 50) ? STR("blue") : STR("green"), str_c(id), STR_NONE,
                             &duplicate, &error))
        hand_apply(&walk->hand, SAGA_EV_POKED);
}

static void end_child(struct walk *walk, uint8_t leg) {
    static const enum leg_child ends[] = {CHILD_SUCCEEDED, CHILD_FAILED, CHILD_REFUSED};
    if (walk->hand.saga.legs[leg].child == CHILD_STARTED && !saga_status_ended(walk->hand.saga.status))
        hand_child(&walk->hand, leg, ends[walk->calm ? 0 : below(walk, 3)]);
}

// What an operator says of a step is true: he has asked the participant, where nothing can arrive any more.
static void resolve(struct walk *walk, uint8_t leg) {
    struct hand *hand = &walk->hand;
    const struct saga_leg *of = &hand->saga.legs[leg];
    bool undoing = of->state == LEG_UNDOING || of->state == LEG_UNDO_RETRYING || of->state == LEG_UNDO_PARKED;
    const struct request request = {leg, of->generation, undoing ? SAGA_COMPENSATE : SAGA_ACTION};
    enum known state = of->step->run ? *known(walk, &request) : NEVER_SEEN;
    if (undoing && state == COMPENSATED)
        hand_resolve(hand, leg, OUTCOME_OK);
    else if (!undoing && state == APPLIED)
        hand_resolve(hand, leg, OUTCOME_OK);
    else if (!undoing && (state == REJECTED || state == COMPENSATED))
        hand_resolve(hand, leg, OUTCOME_REJECTED);
}

static void operate(struct walk *walk, uint8_t leg) {
    struct hand *hand = &walk->hand;
    switch (below(walk, 8)) {
    case 0: hand_apply(hand, SAGA_EV_PAUSE); break;
    case 1:
    case 2: hand_apply(hand, SAGA_EV_RESUME); break;
    case 3: hand_apply(hand, SAGA_EV_COMPENSATE); break;
    case 4:
        if (hand->saga.legs[leg].state == LEG_PARKED)
            hand_skip(hand, leg);
        break;
    case 5:
    case 6: resolve(walk, leg); break;
    default: hand_apply(hand, SAGA_EV_RETRY); break;
    }
}

static void die(struct walk *walk) {
    bool suspected = chance(walk, 20);
    if (saga_status_ended(walk->hand.stored_status))
        return;
    walk->hand.now_ms += chance(walk, 30) ? below(walk, 3000) : 0;
    hand_reload(&walk->hand, suspected ? SAGA_EV_SUSPECTED : SAGA_EV_RESUMED);
    if (suspected && !saga_instance_parked(&walk->hand.saga))
        hand_reload(&walk->hand, SAGA_EV_RESUMED);
}

static void step(struct walk *walk) {
    struct hand *hand = &walk->hand;
    uint8_t leg = (uint8_t)below(walk, hand->saga.n_legs);
    unsigned what = below(walk, 100);
    if (what < 55 || walk->calm) {
        if (hand->out[leg])
            (walk->calm || chance(walk, 80) ? answer : refuse)(walk, leg);
        else
            end_child(walk, leg);
    } else if (what < 65) {
        pass_time(walk);
    } else if (what < 72) {
        signal(walk);
    } else if (what < 78) {
        arrive_late(walk);
    } else if (what < 82) {
        hand_apply(hand, SAGA_EV_POKED);
    } else if (what < 92) {
        operate(walk, leg);
    } else {
        die(walk);
    }
}

// The faults are over: the saga must come to its end, if operators say so where it is parked.
static void calm_down(struct walk *walk) {
    struct hand *hand = &walk->hand;
    walk->calm = true;
    hand_apply(hand, SAGA_EV_RESUME);
    for (unsigned i = 0; !saga_status_ended(hand->saga.status); i++) {
        assert_true(i < CALM_EVENTS);
        step(walk);
        if (i % 50 == 49) {
            pass_time(walk);
            signal(walk);
            if (saga_instance_parked(&hand->saga))
                hand_apply(hand, SAGA_EV_RETRY);
        }
    }
    while (walk->n_late > 0)
        arrive_late(walk);
}

// ---- The end ------------------------------------------------------------------------------------------------------

static void check_end(struct walk *walk) {
    const struct saga_instance *saga = &walk->hand.saga;
    for (uint8_t i = 0; i < saga->n_legs; i++) {
        const struct saga_leg *leg = &saga->legs[i];
        if (!leg->step->run || (leg->state == LEG_SKIPPED && saga->status == SAGA_SUCCEEDED))
            continue;
        unsigned applied = 0, compensated = 0;
        for (uint32_t g = 0; g < GENERATIONS; g++) {
            applied += walk->known[i][g] == APPLIED;
            compensated += walk->known[i][g] == COMPENSATED;
        }
        if (saga->status == SAGA_SUCCEEDED) {
            assert_int_equal(applied, 1);
            assert_int_equal(compensated, 0);
            assert_int_equal(walk->known[i][leg->generation], APPLIED);
        } else {
            assert_int_equal(applied, 0);
        }
    }
}

static uint64_t walking; // the seed of the walk under way

static int tell_seed(void **state) {
    (void)state;
    if (walking)
        print_error("the walk had the seed %llu\n", (unsigned long long)walking);
    return 0;
}

static enum saga_status walk_once(uint64_t seed) {
    struct walk walk = {.seeded = {seed}};
    walking = seed;
    make_flow(&walk);
    hand_init(&walk.hand, &walk.flow);
    walk.hand.ctx = &walk;
    walk.hand.decide = decide;
    walk.hand.sent = sent;
    walk.hand.random = seeded_next(&walk.seeded);
    hand_apply(&walk.hand, SAGA_EV_STARTED);
    for (unsigned i = 0; i < EVENTS; i++)
        step(&walk);
    calm_down(&walk);
    check_end(&walk);
    enum saga_status status = walk.hand.saga.status;
    hand_release(&walk.hand);
    walking = 0;
    return status;
}

// [E2] [E3] [E4] [E5] [E6] [E8] [E12] whatever happens, the participants end as the saga says
static void test_saga_and_participants_agree_in_the_end(void **state) {
    (void)state;
    enum { WALKS = 20000 };
    unsigned ends[SAGA_TERMINATED + 1] = {0};
    for (uint64_t seed = 1; seed <= WALKS; seed++)
        ends[walk_once(seed)]++;
    // Both ends are really walked to.
    assert_true(ends[SAGA_SUCCEEDED] > WALKS / 10 && ends[SAGA_FAILED] > WALKS / 10);
}

// An answer, a call that was not sent and a verdict find the leg elsewhere: nothing is concluded from them. Nor is
// an outcome stated that is none.
static void test_what_no_leg_waits_for_changes_nothing(void **state) {
    static const enum saga_event_kind kinds[] = {SAGA_EV_ANSWERED, SAGA_EV_HELD, SAGA_EV_DECIDED};
    static const struct saga_step calls[] = {{STEP_CALL(1, 1, "a")}, {STEP_CALL(2, 2, "b")}};
    static const struct saga_flow two = {.name = "two", .version = 1, .steps = calls, .n_steps = 2};
    struct hand hand;
    struct buf before, after;
    (void)state;
    buf_init(&before, 200);
    buf_init(&after, 200);
    hand_init(&hand, &two);
    hand_apply(&hand, SAGA_EV_STARTED);
    hand_answer(&hand, 0, OUTCOME_OK, false, STR_NONE);
    hand_picture(&hand, &before);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        hand_apply(&hand, kinds[i]); // of the first leg
        buf_clear(&after);
        hand_picture(&hand, &after);
        assert_true(str_eq(buf_str(&before), buf_str(&after)));
        assert_false(hand.commits);
    }
    assert_string_equal(hand_refusal(&hand, SAGA_EV_RESOLVE, 1, OUTCOME_UNKNOWN),
                        "an outcome is either OK or REJECTED");
    hand_release(&hand);
    buf_release(&before);
    buf_release(&after);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_saga_and_participants_agree_in_the_end, tell_seed),
        cmocka_unit_test(test_what_no_leg_waits_for_changes_nothing),
    };
    return cmocka_run_group_tests_name("saga/machine walk", tests, NULL, NULL);
}
