// Attempts, parking, operators, and sagas that bring the process down.
#include "tests/cmocka.h"
#include "tests/saga/bed.h"

#include <stdio.h>

static uint32_t attempts(struct saga_bed *bed, const char *gid, uint16_t step) {
    struct saga_instance saga = bed_instance(bed, gid);
    uint32_t n = saga_instance_leg(&saga, step, 0)->attempts;
    saga_instance_release(&saga);
    return n;
}

static enum leg_state state_of(struct saga_bed *bed, const char *gid, uint16_t step) {
    struct saga_instance saga = bed_instance(bed, gid);
    enum leg_state state = saga_instance_leg(&saga, step, 0)->state;
    saga_instance_release(&saga);
    return state;
}

static void must(struct saga_bed *bed, struct bed_reply *reply) {
    bed_wait(bed, reply);
    if (reply->code != ERR_OK)
        fail_msg("%s", reply->text);
}

// ---- Attempts -----------------------------------------------------------------------------------------------------

// [E6] exhausted before the pivot: compensated
static void test_exhausted_attempts_turn_the_saga_round(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_AGAIN, 3, 0);
    bed_start(bed, &flow_pair, "one", "", NULL);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_FAILED);
    assert_int_equal(model_requests(&bed->model, "one/2/1", SAGA_ACTION), 3);
    assert_string_equal(bed_row(bed, "one")->reason, "PARTICIPANT_BROKEN");
    bed_check_books(bed);
}

// [E6] the count of attempts survives every death of the process
static void test_a_death_does_not_reset_the_attempts(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_AGAIN, 2, 0);
    bed_start(bed, &flow_pair, "one", "", NULL);
    for (uint32_t n = 1; n <= 2; n++) {
        while (attempts(bed, "one", 1) < n)
            assert_true(bed_step(bed));
        bed_revive(bed);
        assert_int_equal(attempts(bed, "one", 1), n);
    }
    model_plan(&bed->model, "debit", SAGA_INQUIRE, MODEL_AGAIN, 1, 0);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_FAILED); // the third
}

// [E6] each failed attempt is a row of its own
static void test_each_failed_attempt_is_kept_for_the_operators(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_AGAIN, 1, 0);
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_LOST_REQUEST, 1, 0);
    bed_start(bed, &flow_pair, "one", "", NULL);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    size_t n;
    struct store_query query = {.table = &attempt_table, .limit = 10};
    const struct attempt_row *rows = bed_rows(bed, &query, &n);
    assert_int_equal(n, 2);
    assert_true(rows[0].step_id == 1 && rows[0].op == SAGA_ACTION && rows[0].outcome == OUTCOME_RETRY);
    assert_true(rows[1].step_id == 1 && rows[1].outcome == OUTCOME_UNKNOWN);
    assert_true(rows[1].ended_ms - rows[1].started_ms == 1000); // its deadline
    assert_string_equal(rows[1].text, "as planned");
    assert_true(rows[0].number == 1 && rows[1].number == 2);
}

static void test_a_refusal_is_an_attempt_with_a_number(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_AGAIN, 1, 0);
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_pair, "one", "", NULL);
    bed_settle(bed);
    size_t n;
    struct store_query query = {.table = &attempt_table, .limit = 10};
    const struct attempt_row *rows = bed_rows(bed, &query, &n);
    assert_int_equal(n, 2);
    assert_true(rows[0].number == 1 && rows[0].outcome == OUTCOME_RETRY);
    assert_true(rows[1].number == 2 && rows[1].outcome == OUTCOME_REJECTED);
}

// [E6] after the pivot: parked and told, and an operator's retry takes it on
static void test_exhausted_behind_the_pivot_it_parks(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_AGAIN, 5, 0);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_settle(bed);
    assert_true(bed_status(bed, "one") == SAGA_FORWARD && bed_parked(bed, "one"));
    assert_int_equal(bed->notices[SAGA_NOTICE_PARKED], 1);
    assert_true(bed_row(bed, "one")->due_ms == SAGA_DUE_PARKED);
    bed_run(bed, 3600000); // it stays so
    assert_int_equal(model_requests(&bed->model, "one/5/1", SAGA_ACTION), 5);
    bed_retry(bed, "one", &reply);
    must(bed, &reply);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    bed_check_books(bed);
}

// [E6] in a compensation: parked
static void test_exhausted_in_a_compensation_it_parks(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    model_plan(&bed->model, "debit", SAGA_COMPENSATE, MODEL_AGAIN, 5, 0);
    bed_start(bed, &flow_pair, "one", "", NULL);
    bed_settle(bed);
    assert_int_equal(state_of(bed, "one", 1), LEG_UNDO_PARKED);
    bed_retry(bed, "one", &reply);
    must(bed, &reply);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_FAILED);
    bed_check_books(bed);
}

// [E12] a rejection behind the pivot parks; the next try has the next key
static void test_a_rejection_behind_the_pivot_parks(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_settle(bed);
    assert_int_equal(state_of(bed, "one", 5), LEG_PARKED);
    bed_revive(bed); // also by another process
    bed_settle(bed);
    bed_retry(bed, "one", &reply);
    must(bed, &reply);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(model_state(&bed->model, "one/5/1"), MODEL_REJECTED);
    assert_int_equal(model_state(&bed->model, "one/5/2"), MODEL_APPLIED);
}

// [E12] an unknown pivot is inquired; while nobody can say, it parks, and nothing is compensated
static void test_an_unknown_pivot_parks_and_is_not_compensated(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    model_plan(&bed->model, "pivot", SAGA_ACTION, MODEL_LOST_ANSWER, 1, 0);
    model_plan(&bed->model, "pivot", SAGA_INQUIRE, MODEL_AGAIN, 2, 0);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_settle(bed);
    assert_true(bed_status(bed, "one") == SAGA_RUNNING && bed_parked(bed, "one"));
    assert_int_equal(model_requests(&bed->model, "one/1/1", SAGA_COMPENSATE), 0);
    bed_retry(bed, "one", &reply);
    must(bed, &reply);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(model_requests(&bed->model, "one/4/1", SAGA_ACTION), 1);
}

static void test_a_question_is_asked_until_it_is_answered(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "know", SAGA_INQUIRE, MODEL_AGAIN, 2, 0);
    bed_start(bed, &flow_ask, "one", "", NULL);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(model_requests(&bed->model, "one/1/1", SAGA_INQUIRE), 3);
}

// [E6] a question's count is durable, too
static void test_an_exhausted_question_parks(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "know", SAGA_INQUIRE, MODEL_AGAIN, 3, 0);
    bed_start(bed, &flow_ask, "one", "", NULL);
    while (attempts(bed, "one", 1) < 2)
        assert_true(bed_step(bed));
    bed_revive(bed);
    assert_int_equal(attempts(bed, "one", 1), 2);
    bed_settle(bed);
    assert_true(bed_parked(bed, "one"));
    assert_int_equal(model_requests(&bed->model, "one/1/1", SAGA_INQUIRE), 3);
}

// ---- Operators ----------------------------------------------------------------------------------------------------

static void test_a_retry_is_audited_and_refused_where_it_does_not_fit(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_run(bed, 1);
    bed_retry(bed, "one", &reply); // under way
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_SAGA_STATE);
    bed_settle(bed);
    bed_revive(bed);
    bed_run(bed, 100);
    bed_retry(bed, "one", &reply); // not in memory
    must(bed, &reply);
    bed_settle(bed);
    bed_retry(bed, "one", &reply); // ended
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_SAGA_STATE);
    bed_retry(bed, "nobody", &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_SAGA_NOT_FOUND);
    size_t n;
    struct store_query query = {.table = &audit_table, .limit = 10};
    const struct audit_row *rows = bed_rows(bed, &query, &n);
    assert_int_equal(n, 1);
    assert_string_equal(rows[0].gid, "one");
    assert_string_equal(rows[0].action, "retry");
    assert_string_equal(rows[0].caller, "operator");
    assert_string_equal(rows[0].reason, "tried again");
    assert_string_equal(rows[0].before, "forward, parked");
    assert_string_equal(rows[0].after, "forward");
}

// A saga that is just being written answers when it is: nobody is told to come again.
static void test_a_retry_waits_for_its_saga_to_be_free(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply first, second, third;
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_settle(bed);
    bed->holds = true;
    bed_retry(bed, "one", &first);
    bed_retry(bed, "one", &second);
    bed_run(bed, 1000);
    assert_false(first.came || second.came);
    bed->holds = false;
    must(bed, &first);
    bed_wait(bed, &second);
    assert_int_equal(second.code, ERR_SAGA_STATE); // under way again
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);

    bed_start(bed, &flow_pair, "two", "", NULL);
    while (bed_row(bed, "two")->status != SAGA_SUCCEEDED) {
        bed_retry(bed, "two", &third); // at every moment of its life, its end among them
        assert_true(bed_step(bed));
        bed_wait(bed, &third);
        assert_int_equal(third.code, ERR_SAGA_STATE);
    }
}

static void test_a_retry_says_why_in_words(void **state) {
    struct saga_bed *bed = *state;
    static const struct saga_operation operations[] = {
        {.caller = {"me", 2}, .reason = {"", 0}},
        {.caller = {"me", 2}, .reason = {"\xff", 1}},
        {.caller = {"\xff", 1}, .reason = {"why", 3}},
    };
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        struct bed_reply reply = {0};
        saga_operate(bed->engine, STR("one"), &operations[i], bed_replied, &reply);
        assert_true(reply.came);
        assert_int_equal(reply.code, ERR_INVALID_REQUEST);
    }
}

static void put_row(void *ctx, struct saga_turn *turn) {
    (void)ctx;
    struct account_row row = {.name = "beside"};
    saga_turn_row(turn, &account_table, STORE_PUT, &row);
}

static void test_a_retry_takes_rows_along(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply = {0};
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_settle(bed);
    struct saga_operation operation = {
        .act = SAGA_ACT_RETRY, .caller = STR("me"), .reason = STR("why"), .also = put_row};
    saga_operate(bed->engine, STR("one"), &operation, bed_replied, &reply);
    must(bed, &reply);
    assert_non_null(bed_account(bed, "beside"));
}

// ---- Sagas that kill ----------------------------------------------------------------------------------------------

// [E14] what brings the process down again and again is parked; what was under way beside it is not
static void test_a_saga_that_kills_the_process_is_parked_alone(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    model_plan(&bed->model, "a", SAGA_ACTION, MODEL_KILLS, 100, 0);
    bed_start(bed, &flow_trip, "killer", "", NULL);
    for (int i = '0'; i < '6'; i++) {
        char gid[] = {'s', (char)i, '\0'};
        model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_SLOW, 1, 30000);
        bed_start(bed, &flow_pair, gid, "", NULL);
    }
    bed_settle(bed);
    assert_true(bed_status(bed, "killer") == SAGA_RUNNING && bed_parked(bed, "killer"));
    assert_string_equal(bed->last_reason, "RESUMED_TOO_OFTEN");
    assert_int_equal(bed->deaths, 7); // the first life, three resumptions, three trials
    for (int i = '0'; i < '6'; i++) {
        char gid[] = {'s', (char)i, '\0'};
        assert_int_equal(bed_status(bed, gid), SAGA_SUCCEEDED);
    }
    // What may have been sent behind what is parked is known of.
    for (unsigned i = 0; i < bed->model.n_plans; i++)
        bed->model.plans[i].times = 0;
    bed_retry(bed, "killer", &reply);
    must(bed, &reply);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "killer"), SAGA_SUCCEEDED);
    bed_check_books(bed);
}

// [E14] each death further on in its flow is counted anew, and ends alike
static void test_a_saga_that_kills_in_a_later_step_is_parked(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "c", SAGA_ACTION, MODEL_KILLS, 100, 0);
    bed_start(bed, &flow_trip, "killer", "", NULL);
    bed_settle(bed);
    assert_true(bed_status(bed, "killer") == SAGA_RUNNING && bed_parked(bed, "killer"));
    assert_int_equal(state_of(bed, "killer", 3), LEG_PARKED);
    assert_true(bed->deaths < 20);
}

// [E14] the resumption is counted durably before anything is done
static void test_a_resumption_is_counted_before_it_begins(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_HANGS, 10, 0);
    bed_start(bed, &flow_pair, "one", "", NULL);
    for (int n = 1; n <= 2; n++) {
        unsigned sent = bed->model.sent;
        bed_revive(bed);
        while (bed->model.sent == sent)
            assert_true(bed_step(bed));
        assert_int_equal(bed_row(bed, "one")->resume_count, n);
    }
}

// [E14] progress resets the count
static void test_progress_resets_the_count(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_HANGS, 2, 0);
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_AGAIN, 1, 0);
    bed_start(bed, &flow_pair, "one", "", NULL);
    bed_run(bed, 10);
    bed_revive(bed);
    bed_run(bed, 1000);
    assert_int_equal(bed_row(bed, "one")->resume_count, 1);
    bed_revive(bed);
    bed_run(bed, 10);
    assert_int_equal(bed_row(bed, "one")->resume_count, 0);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
}

// [E14] a saga that only waits for long is no suspect, however often the process is restarted
static void test_waiting_through_many_restarts_is_no_suspicion(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    bed_start(bed, &flow_order, "one", "5", "account");
    bed_run(bed, 100);
    for (int i = 0; i < 10; i++) {
        bed_revive(bed);
        bed_run(bed, 100);
        assert_int_equal(bed_row(bed, "one")->resume_count, 0);
    }
    bed_pay(bed, "account", "yes", 0, "one", &reply);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
}

// [E14] what kills only when it is tried again, long after the restart, is found out as well
static void test_a_saga_that_kills_when_it_comes_due_is_parked(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_AGAIN, 1, 0);
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_KILLS, 100, 0);
    bed_start(bed, &flow_trip, "killer", "", NULL);
    bed_settle(bed);
    assert_true(bed_parked(bed, "killer"));
    assert_string_equal(bed->last_reason, "RESUMED_TOO_OFTEN");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_exhausted_attempts_turn_the_saga_round),
        TEST(test_a_death_does_not_reset_the_attempts),
        TEST(test_each_failed_attempt_is_kept_for_the_operators),
        TEST(test_a_refusal_is_an_attempt_with_a_number),
        TEST(test_exhausted_behind_the_pivot_it_parks),
        TEST(test_exhausted_in_a_compensation_it_parks),
        TEST(test_a_rejection_behind_the_pivot_parks),
        TEST(test_an_unknown_pivot_parks_and_is_not_compensated),
        TEST(test_a_question_is_asked_until_it_is_answered),
        TEST(test_an_exhausted_question_parks),
        TEST(test_a_retry_is_audited_and_refused_where_it_does_not_fit),
        TEST(test_a_retry_waits_for_its_saga_to_be_free),
        TEST(test_a_retry_says_why_in_words),
        TEST(test_a_retry_takes_rows_along),
        TEST(test_a_saga_that_kills_the_process_is_parked_alone),
        TEST(test_a_saga_that_kills_in_a_later_step_is_parked),
        TEST(test_a_resumption_is_counted_before_it_begins),
        TEST(test_progress_resets_the_count),
        TEST(test_waiting_through_many_restarts_is_no_suspicion),
        TEST(test_a_saga_that_kills_when_it_comes_due_is_parked),
    };
    return cmocka_run_group_tests_name("saga/engine: attempts", tests, NULL, NULL);
}
