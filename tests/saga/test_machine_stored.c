// The machine goes on from whatever a journal may hold, also where none of its own paths lead: a saga that was stored
// is carried out or waits for an operator, and never is what it can't be.
#include "tests/cmocka.h"
#include "tests/saga/hand.h"
#include "tests/saga/steps.h"

static const struct saga_step long_steps[] = {
    {STEP_CALL(1, 1, "a"), .inquire = step_call},
    {STEP_LOCAL(2, 2, "decide"), .ask = step_call, .deadline_ms = 1000},
    {STEP_PIVOT(3, 3, "pivot")},
    {STEP_AFTER(4, 4, "d")},
};
static const struct saga_flow flow = {
    .name = "long", .version = 1, .steps = long_steps, .n_steps = STEP_COUNT(long_steps)};

static void begin(struct hand *hand, enum saga_status status) {
    hand_init(hand, &flow);
    hand->saga.status = status;
}

static void set(struct hand *hand, const char *step, enum leg_state state) {
    uint8_t leg = hand_leg(hand, str_c(step));
    hand->saga.legs[leg].state = state;
    hand->out[leg] = saga_leg_in_flight(&hand->saga.legs[leg]);
    hand->op[leg] = state == LEG_RUNNING ? SAGA_ACTION : SAGA_INQUIRE;
}

static void check(struct hand *hand, const char *effects, const char *picture) {
    struct buf out;
    struct error error = {0};
    buf_init(&out, 4096);
    hand_picture(hand, &out);
    if (!saga_instance_valid(&hand->saga, &error))
        fail_msg("%s", error.text);
    if (!str_eq_c(buf_str(&out), picture) || (effects && !str_eq_c(buf_str(&hand->effects), effects)))
        fail_msg("got \"%.*s\", \"%.*s\"", STR_FMT(buf_str(&hand->effects)), STR_FMT(buf_str(&out)));
    buf_release(&out);
}

// [E3] what only waits is given up at once, whatever is still on its way before it
static void test_a_decision_does_not_wait_in_a_saga_that_turned_round(void **state) {
    static const enum leg_state ways[] = {LEG_RUNNING, LEG_INQUIRING};
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct hand hand;
        begin(&hand, SAGA_COMPENSATING);
        set(&hand, "a", ways[i]);
        set(&hand, "decide", LEG_ASKING);
        check(&hand, NULL, i ? "compensating a=inquiring decide=asking" : "compensating a=running decide=asking");
        hand_answer(&hand, hand_leg(&hand, STR("decide")), OUTCOME_OK, false, STR_NONE);
        check(&hand, NULL, i ? "compensating a=inquiring decide=skipped" : "compensating a=running decide=skipped");
        hand_answer(&hand, hand_leg(&hand, STR("a")), OUTCOME_OK, false, STR_NONE);
        check(&hand, "undo a commit", "compensating a=undoing decide=skipped");
        hand_release(&hand);
    }
}

// [E2] [E14] what is parked behind the pivot says that the saga is past it
static void test_a_suspect_whose_pivot_is_settled_goes_forward(void **state) {
    struct hand hand;
    (void)state;
    begin(&hand, SAGA_RUNNING);
    set(&hand, "a", LEG_DONE);
    set(&hand, "decide", LEG_DONE);
    set(&hand, "pivot", LEG_SKIPPED);
    hand_apply(&hand, SAGA_EV_SUSPECTED);
    check(&hand, "parked d commit", "forward a=done decide=done pivot=skipped d=parked");
    hand_apply(&hand, SAGA_EV_RETRY);
    check(&hand, "call d commit", "forward a=done decide=done pivot=skipped d=running");
    hand_release(&hand);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_decision_does_not_wait_in_a_saga_that_turned_round),
        cmocka_unit_test(test_a_suspect_whose_pivot_is_settled_goes_forward),
    };
    return cmocka_run_group_tests_name("saga/machine_stored", tests, NULL, NULL);
}
