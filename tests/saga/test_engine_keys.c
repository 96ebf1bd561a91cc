// What was first sent longer ago than participants remember keys: it is not sent again, nor undone, but parked.
#include "tests/cmocka.h"
#include "tests/saga/gated.h"
#include "tests/saga/hand.h"

enum { KEYS_MS = 1800000, LONGER_MS = KEYS_MS + 1000 };

static void set_up(struct saga_bed *bed) {
    bed_init(bed);
    bed->options.machine.keys_ms = KEYS_MS;
    bed_open(bed);
}

// Nobody is called for longer than keys are remembered.
static void pass_long(struct saga_bed *bed) {
    gated_must_pause(bed, true);
    bed_run(bed, LONGER_MS);
    gated_must_pause(bed, false);
    bed_settle(bed);
}

static void run_until_sent(struct saga_bed *bed, const char *key) {
    while (!model_key(&bed->model, key))
        assert_true(bed_step(bed));
}

static void run_until_failed(struct saga_bed *bed) {
    while (bed_stats(bed).attempts_failed == 0)
        assert_true(bed_step(bed));
}

// Dies, and nobody is there for so long.
static void be_dead_for(struct saga_bed *bed, int64_t ms) {
    bed_kill(bed);
    bed->time.now_ms += ms;
    bed_open(bed);
    bed_settle(bed);
}

static void assert_parked(struct saga_bed *bed, uint16_t step, enum leg_state state) {
    struct saga_instance saga = bed_instance(bed, "one");
    const struct saga_leg *leg = saga_instance_leg(&saga, step, 0);
    assert_int_equal(leg->state, state);
    assert_int_equal(leg->code, ERR_KEY_TOO_OLD);
    assert_string_equal(leg->reason, "KEY_TOO_OLD");
    saga_instance_release(&saga);
}

static void retry(struct saga_bed *bed) {
    bed_must(bed, "one", &(struct saga_operation){.act = SAGA_ACT_RETRY});
    bed_settle(bed);
}

static void resolve(struct saga_bed *bed, const char *step, enum outcome outcome) {
    bed_must(bed, "one", &(struct saga_operation){.act = SAGA_ACT_RESOLVE, .step = str_c(step), .outcome = outcome});
    bed_settle(bed);
}

// [E12] behind the pivot: what became of it is not known, and nobody could be asked for so long that the participant
// knows nothing of it any more. Neither the engine nor an operator's retry sends it again; what an operator states
// takes it on
static void test_what_may_have_been_forgotten_is_not_sent_again(void **state) {
    (void)state;
    struct saga_bed bed;
    set_up(&bed);
    model_plan(&bed.model, "d", SAGA_ACTION, MODEL_LOST_REQUEST, 1, 0);
    bed_start(&bed, &flow_trip, "one", "", NULL);
    run_until_failed(&bed);
    pass_long(&bed);
    assert_parked(&bed, 5, LEG_PARKED);
    assert_int_equal(bed.notices[SAGA_NOTICE_PARKED], 1);
    retry(&bed);
    assert_parked(&bed, 5, LEG_PARKED);
    bed_revive(&bed); // another process knows it, too
    retry(&bed);
    assert_parked(&bed, 5, LEG_PARKED);
    assert_int_equal(model_requests(&bed.model, "one/5/1", SAGA_ACTION), 1);
    resolve(&bed, "d", OUTCOME_OK);
    assert_int_equal(bed_status(&bed, "one"), SAGA_SUCCEEDED);
    bed_release(&bed);
}

// Found out to have never been done, it is sent under the next key, which is new.
static void test_what_an_operator_states_was_not_done_goes_under_the_next_key(void **state) {
    (void)state;
    struct saga_bed bed;
    set_up(&bed);
    model_plan(&bed.model, "d", SAGA_ACTION, MODEL_LOST_REQUEST, 1, 0);
    bed_start(&bed, &flow_trip, "one", "", NULL);
    run_until_failed(&bed);
    pass_long(&bed);
    assert_parked(&bed, 5, LEG_PARKED);
    resolve(&bed, "d", OUTCOME_REJECTED);
    retry(&bed);
    assert_int_equal(bed_status(&bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(model_requests(&bed.model, "one/5/1", SAGA_ACTION), 1);
    assert_int_equal(model_state(&bed.model, "one/5/2"), MODEL_APPLIED);
    bed_release(&bed);
}

// [E4] a compensation, too: a participant that has forgotten the action would take it for empty, and undo nothing
static void test_what_may_have_been_forgotten_is_not_undone(void **state) {
    (void)state;
    struct saga_bed bed;
    set_up(&bed);
    model_plan(&bed.model, "credit", SAGA_ACTION, MODEL_AGAIN, 1, 0);
    model_plan(&bed.model, "credit", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(&bed, &flow_pair, "one", "", NULL);
    run_until_failed(&bed);
    pass_long(&bed);
    assert_int_equal(model_state(&bed.model, "one/2/1"), MODEL_REJECTED); // it was never done: its key was not old
    assert_int_equal(bed_status(&bed, "one"), SAGA_COMPENSATING);
    assert_parked(&bed, 1, LEG_UNDO_PARKED);
    retry(&bed);
    assert_parked(&bed, 1, LEG_UNDO_PARKED);
    assert_int_equal(model_requests(&bed.model, "one/1/1", SAGA_COMPENSATE), 0);
    resolve(&bed, "debit", OUTCOME_OK); // undone there by hand
    assert_int_equal(bed_status(&bed, "one"), SAGA_FAILED);
    bed_release(&bed);
}

// [E3] what can be inquired is: what the participant knows of it is true, however old the key is. That it knows nothing
// proves nothing any more
static void test_what_is_old_is_still_inquired(void **state) {
    (void)state;
    static const enum model_fate fates[] = {MODEL_LOST_ANSWER, MODEL_LOST_REQUEST};
    for (int i = 0; i < 2; i++) {
        struct saga_bed bed;
        set_up(&bed);
        model_plan(&bed.model, "d", SAGA_ACTION, fates[i], 1, 0);
        bed_start(&bed, &flow_trip, "one", "", NULL);
        run_until_failed(&bed);
        pass_long(&bed);
        assert_int_equal(model_requests(&bed.model, "one/5/1", SAGA_INQUIRE), 1);
        assert_int_equal(model_requests(&bed.model, "one/5/1", SAGA_ACTION), 1);
        if (fates[i] == MODEL_LOST_ANSWER)
            assert_int_equal(bed_status(&bed, "one"), SAGA_SUCCEEDED);
        else
            assert_parked(&bed, 5, LEG_PARKED);
        bed_release(&bed);
    }
}

// What was held back, or answered that nothing was done, is remembered by nobody: it may be sent at any time.
static void test_what_never_took_effect_is_never_too_old(void **state) {
    (void)state;
    struct saga_bed bed;
    set_up(&bed);
    model_plan(&bed.model, "d", SAGA_ACTION, MODEL_AGAIN, 2, 0);
    bed_start(&bed, &flow_trip, "one", "", NULL);
    run_until_failed(&bed);
    pass_long(&bed);
    assert_int_equal(bed_status(&bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(bed.notices[SAGA_NOTICE_PARKED], 0);
    assert_int_equal(model_requests(&bed.model, "one/5/1", SAGA_ACTION), 3);
    bed_check_books(&bed);
    bed_release(&bed);
}

// [E3] the process dies when the call is out, and its record does not know: it counts as sent when the record was
// written. The next process comes too late to send it again
static void test_what_was_sent_before_a_long_death_is_parked(void **state) {
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct saga_bed bed;
        set_up(&bed);
        bed_start(&bed, &flow_trip, "one", "", NULL);
        run_until_sent(&bed, "one/3/1"); // a and b are done, of which nothing is written
        unsigned sent = bed.model.sent;
        be_dead_for(&bed, late ? LONGER_MS : KEYS_MS - 60000);
        assert_int_equal(bed_status(&bed, "one"), late ? SAGA_RUNNING : SAGA_SUCCEEDED);
        if (late) {
            assert_parked(&bed, 1, LEG_PARKED);
            assert_parked(&bed, 2, LEG_PARKED);
            resolve(&bed, "a", OUTCOME_OK);
            resolve(&bed, "b", OUTCOME_OK);
            assert_parked(&bed, 3, LEG_PARKED); // of which nothing was written at all
            assert_int_equal(bed.model.sent, sent);
        }
        bed_release(&bed);
    }
}

// A question that may act is as old as the first time that it was asked.
static void test_a_question_that_is_too_old_parks(void **state) {
    (void)state;
    struct saga_bed bed;
    set_up(&bed);
    model_plan(&bed.model, "know", SAGA_INQUIRE, MODEL_LOST_ANSWER, 1, 0);
    bed_start(&bed, &flow_ask, "one", "", NULL);
    run_until_sent(&bed, "one/1/1");
    be_dead_for(&bed, LONGER_MS);
    assert_parked(&bed, 1, LEG_PARKED);
    retry(&bed);
    assert_parked(&bed, 1, LEG_PARKED);
    assert_int_equal(model_requests(&bed.model, "one/1/1", SAGA_INQUIRE), 1);
    bed_release(&bed);
}

// What became of a question that only reads, in whatever way, says nothing of how old the key of the one that acted is.
static void test_a_question_that_only_reads_makes_no_key_younger(void **state) {
    (void)state;
    for (int held = 0; held < 2; held++) {
        struct hand hand;
        hand_init(&hand, &flow_ask);
        hand.machine.keys_ms = KEYS_MS;
        hand.now_ms = 1000;
        hand.verdicts[0] = saga_ask();
        hand_apply(&hand, SAGA_EV_STARTED);
        hand.now_ms = 2000;
        hand.verdicts[0] = saga_ask_to_know();
        hand_answer(&hand, 0, OUTCOME_OK, false, STR_NONE);
        assert_int_equal(hand.saga.legs[0].state, LEG_ASKING);
        hand.verdicts[0] = saga_wait(3000);
        if (held)
            hand_held(&hand, 0, 3000);
        else
            hand_answer(&hand, 0, OUTCOME_RETRY, false, STR_NONE);
        assert_int_equal(hand.saga.legs[0].sent_ms, 1000);
        hand.now_ms = 1000 + KEYS_MS;
        hand.verdicts[0] = saga_ask();
        hand_apply(&hand, SAGA_EV_TIMER);
        assert_int_equal(hand.saga.legs[0].state, LEG_PARKED);
        assert_int_equal(hand.saga.legs[0].code, ERR_KEY_TOO_OLD);
        hand_release(&hand);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_may_have_been_forgotten_is_not_sent_again),
        cmocka_unit_test(test_what_an_operator_states_was_not_done_goes_under_the_next_key),
        cmocka_unit_test(test_what_may_have_been_forgotten_is_not_undone),
        cmocka_unit_test(test_what_is_old_is_still_inquired),
        cmocka_unit_test(test_what_never_took_effect_is_never_too_old),
        cmocka_unit_test(test_what_was_sent_before_a_long_death_is_parked),
        cmocka_unit_test(test_a_question_that_is_too_old_parks),
        cmocka_unit_test(test_a_question_that_only_reads_makes_no_key_younger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
