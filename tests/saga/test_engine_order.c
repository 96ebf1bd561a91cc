// What is durable before what: sends, turns, pivots, and what an effect's body is made from.
#include "tests/cmocka.h"
#include "tests/saga/bed.h"

static void test_a_saga_goes_from_its_start_to_its_end(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_trip, "one", "input", NULL);
    assert_int_equal(bed_status(bed, "one"), SAGA_RUNNING);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(bed->model.sent, 7);
    bed_check_books(bed);
    struct saga_stats stats = bed_stats(bed);
    assert_true(stats.resident == 0 && stats.in_flight_calls == 0 && stats.started == 1 && stats.ended == 1);
}

// The happy path's writes: start and end, and the pivot between them.
static void test_two_commits_without_a_pivot_three_with_one(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_pair, "one", "", NULL);
    bed_settle(bed);
    assert_int_equal(bed->commits, 2);
    bed_start(bed, &flow_trip, "two", "", NULL);
    bed_settle(bed);
    assert_int_equal(bed->commits, 5);
}

// [E1] nothing is sent before the row is durable (the bed looks at the disk at every send)
static void test_nothing_is_sent_while_the_store_is_slow(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    bed_run(bed, 10);
    bed->holds = true;
    bed_begin(bed, &flow_pair, "one", "", NULL, &reply);
    bed_run(bed, 1000);
    assert_int_equal(bed->model.sent, 0);
    assert_false(reply.came);
    bed->holds = false;
    bed_settle(bed);
    assert_true(reply.came && reply.code == ERR_OK);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
}

// [E2] the turn is durable before the first compensation, the pivot before what follows (the bed looks)
static void test_nothing_is_undone_before_the_turn_is_durable(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_pair, "one", "", NULL);
    while (model_state(&bed->model, "one/2/1") == MODEL_UNSEEN)
        assert_true(bed_step(bed));
    bed->holds = true;
    bed_run(bed, 1000);
    assert_int_equal(model_requests(&bed->model, "one/1/1", SAGA_COMPENSATE), 0);
    bed->holds = false;
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_FAILED);
    assert_int_equal(model_state(&bed->model, "one/1/1"), MODEL_COMPENSATED);
}

static void test_nothing_follows_before_the_pivot_is_durable(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_trip, "one", "", NULL);
    while (model_state(&bed->model, "one/4/1") == MODEL_UNSEEN)
        assert_true(bed_step(bed));
    bed->holds = true;
    bed_run(bed, 1000);
    assert_int_equal(model_state(&bed->model, "one/5/1"), MODEL_UNSEEN);
    bed->holds = false;
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
}

// [E3] [E4] each kind of trouble before the turn, each compensated and in the end nothing left of it
static void test_everything_that_may_have_run_is_compensated(void **state) {
    struct saga_bed *bed = *state;
    static const struct {
        enum model_fate fate;
        enum model_state end;
        unsigned inquiries, undos;
    } cases[] = {
        {MODEL_OK, MODEL_COMPENSATED, 0, 1},
        {MODEL_REFUSE, MODEL_REJECTED, 0, 0},
        {MODEL_AGAIN, MODEL_UNSEEN, 0, 0},
        {MODEL_LOST_REQUEST, MODEL_COMPENSATED, 1, 1},
        {MODEL_LOST_ANSWER, MODEL_COMPENSATED, 1, 1},
        {MODEL_LATE, MODEL_COMPENSATED, 1, 1},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char gid[16] = {'s', (char)('0' + i)}, key[32];
        model_plan(&bed->model, "a", SAGA_ACTION, cases[i].fate, 1, 50);
        model_plan(&bed->model, "b", SAGA_ACTION, MODEL_REFUSE, 1, 0);
        bed_start(bed, &flow_trip, gid, "", NULL);
        bed_settle(bed);
        bed_run(bed, 5000); // what is late has arrived
        assert_int_equal(bed_status(bed, gid), SAGA_FAILED);
        memcpy(key, gid, sizeof gid);
        memcpy(key + 2, "/1/1", 5);
        assert_int_equal(model_state(&bed->model, key), cases[i].end);
        assert_int_equal(model_requests(&bed->model, key, SAGA_INQUIRE), cases[i].inquiries);
        assert_int_equal(model_requests(&bed->model, key, SAGA_COMPENSATE), cases[i].undos);
    }
    bed_check_books(bed);
}

// [E4] an action that arrives behind its compensation is refused by the participant, and nobody minds
static void test_a_late_action_finds_its_compensation(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "a", SAGA_ACTION, MODEL_LATE, 1, 4000);
    model_plan(&bed->model, "b", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_FAILED);
    assert_int_equal(model_state(&bed->model, "one/1/1"), MODEL_COMPENSATED);
    bed_run(bed, 10000);
    assert_int_equal(model_key(&bed->model, "one/1/1")->effects, 0);
}

// [E3] undone again after each death, under the one key
static void test_what_was_in_flight_at_a_death_is_undone(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "a", SAGA_ACTION, MODEL_HANGS, 1, 0);
    model_plan(&bed->model, "b", SAGA_ACTION, MODEL_SLOW, 1, 500);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_run(bed, 10);
    model_plan(&bed->model, "b", SAGA_ACTION, MODEL_OK, 1, 0);
    model_plan(&bed->model, "c", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_revive(bed);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_FAILED);
    assert_int_equal(model_state(&bed->model, "one/1/1"), MODEL_COMPENSATED);
    assert_int_equal(model_state(&bed->model, "one/2/1"), MODEL_COMPENSATED);
    assert_int_equal(model_requests(&bed->model, "one/1/1", SAGA_ACTION), 2);
    bed_check_books(bed);
}

// [E11] a re-send is the same request, byte for byte: the bed compares every one with the first of its key
static void test_a_request_that_is_sent_again_is_the_same(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "reserve", SAGA_ACTION, MODEL_LOST_ANSWER, 1, 0);
    model_plan(&bed->model, "ship", SAGA_ACTION, MODEL_AGAIN, 2, 0);
    bed_start(bed, &flow_order, "one", "25", "account");
    bed_run(bed, 50);
    bed_revive(bed);
    bed_run(bed, 3000);
    assert_true(model_requests(&bed->model, "one/1/1", SAGA_ACTION) >= 2);
    struct bed_reply reply;
    bed_pay(bed, "account", "yes", 0, "one", &reply);
    bed_run(bed, 300);
    bed_revive(bed);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_true(model_requests(&bed->model, "one/4/1", SAGA_ACTION) >= 3);
    assert_int_equal(bed_account(bed, "account")->amount, 25);
}

// [E11] a call is built when everything that it could be made from is durable, not merely its own turn (the bed
// compares the account in memory with the one on the disk)
static void test_a_call_waits_for_a_change_of_its_subject(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply started, changed;
    bed_close(bed);
    bed->batch_max = 1;
    bed_open(bed);
    bed_run(bed, 10);
    bed->holds = true;
    bed_begin(bed, &flow_order, "one", "25", "account", &started);
    bed_pay(bed, "account", "", 7, NULL, &changed);
    bed->holds = false;
    bed_run(bed, 100);
    assert_true(started.came && changed.came);
    assert_int_equal(model_requests(&bed->model, "one/1/1", SAGA_ACTION), 1);
    assert_int_equal(bed_account(bed, "account")->amount, 32);
}

static void test_a_call_that_comes_due_waits_for_a_change_of_its_subject(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply changed;
    model_plan(&bed->model, "ship", SAGA_ACTION, MODEL_AGAIN, 1, 0);
    bed_start(bed, &flow_order, "one", "25", "account");
    bed_run(bed, 50);
    bed_pay(bed, "account", "yes", 0, "one", &changed);
    bed_run(bed, 20);
    assert_int_equal(model_requests(&bed->model, "one/4/1", SAGA_ACTION), 1);
    bed->holds = true; // the second attempt comes due while a change is on its way to the store
    bed_pay(bed, "account", "yes", 0, NULL, &changed);
    bed_run(bed, 2000);
    assert_int_equal(model_requests(&bed->model, "one/4/1", SAGA_ACTION), 1);
    bed->holds = false;
    bed_run(bed, 20);
    assert_int_equal(model_requests(&bed->model, "one/4/1", SAGA_ACTION), 2);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_saga_goes_from_its_start_to_its_end),
        TEST(test_two_commits_without_a_pivot_three_with_one),
        TEST(test_nothing_is_sent_while_the_store_is_slow),
        TEST(test_nothing_is_undone_before_the_turn_is_durable),
        TEST(test_nothing_follows_before_the_pivot_is_durable),
        TEST(test_everything_that_may_have_run_is_compensated),
        TEST(test_a_late_action_finds_its_compensation),
        TEST(test_what_was_in_flight_at_a_death_is_undone),
        TEST(test_a_request_that_is_sent_again_is_the_same),
        TEST(test_a_call_waits_for_a_change_of_its_subject),
        TEST(test_a_call_that_comes_due_waits_for_a_change_of_its_subject),
    };
    return cmocka_run_group_tests_name("saga/engine: order", tests, NULL, NULL);
}
