// Writes that fail: who fails with them, who goes on, and what is loaded afresh.
#include "saga/peek.h"
#include "tests/cmocka.h"
#include "tests/saga/bed.h"

#include <stdio.h>

static void clear_plans(struct saga_bed *bed) {
    for (unsigned i = 0; i < bed->model.n_plans; i++)
        bed->model.plans[i].times = 0;
}

// A write that the store refuses for what is in it.
static void spoil(struct saga_bed *bed, const char *name, struct bed_reply *reply) {
    struct account *account = accounts_find(&bed->accounts, name);
    struct saga_turn *turn = saga_turn_begin(bed->engine, &account->subject);
    memcpy(account_edit(account)->note, "\xff", 2);
    account->row.amount += 1000;
    *reply = (struct bed_reply){0};
    saga_turn_commit(turn, bed_replied, reply);
    account->row.note[0] = '\0'; // what is written behind it is good in itself
}

// [E13] a failed write fails the later ones of its subject, which is loaded afresh; its neighbours go on
static void test_a_failed_write_fails_what_was_queued_behind_it(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply bad, behind, neighbour;
    bed_start(bed, &flow_order, "one", "10", "bad");
    bed_start(bed, &flow_order, "two", "20", "good");
    bed_run(bed, 100);
    bed->holds = true;
    spoil(bed, "bad", &bad);
    bed_pay(bed, "bad", "yes", 1, "one", &behind);
    bed_pay(bed, "good", "yes", 1, "two", &neighbour);
    bed->holds = false;
    bed_wait(bed, &bad);
    bed_wait(bed, &behind);
    bed_wait(bed, &neighbour);
    assert_int_equal(bad.code, ERR_STORE_REFUSED);
    assert_int_equal(behind.code, ERR_STORE_STALE);
    assert_int_equal(neighbour.code, ERR_OK);
    assert_int_equal(bed->accounts.failed, 1);
    bed_run(bed, 2000);
    assert_int_equal(bed_status(bed, "two"), SAGA_SUCCEEDED);
    assert_int_equal(bed_status(bed, "one"), SAGA_RUNNING);
    // It is in memory again, as it is on the disk, and goes on.
    assert_non_null(accounts_find(&bed->accounts, "bad"));
    assert_int_equal(accounts_find(&bed->accounts, "bad")->row.amount, 10);
    bed_pay(bed, "bad", "yes", 0, "one", &behind);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(bed_account(bed, "bad")->amount, 10);
    assert_int_equal(bed_account(bed, "good")->amount, 21);
    bed_check_books(bed);
}

// [E13] what a saga wants to write is refused each time: the culprit is parked, and not run again and again
static void test_a_saga_whose_write_is_refused_is_parked(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    bed_start(bed, &flow_order, "one", "10", "account");
    bed_start(bed, &flow_order, "two", "10", "neighbour");
    bed_run(bed, 100);
    bed->spoil_note = true;
    bed_pay(bed, "account", "yes", 0, "one", &reply);
    bed_run(bed, 20000);
    assert_true(bed_status(bed, "one") == SAGA_FORWARD && bed_parked(bed, "one"));
    assert_string_equal(bed->last_reason, "STORE_REFUSED");
    assert_int_equal(model_requests(&bed->model, "one/4/1", SAGA_ACTION), 1);
    bed->spoil_note = false;
    bed_pay(bed, "neighbour", "yes", 0, "two", &reply);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "two"), SAGA_SUCCEEDED);
    bed_retry(bed, "one", &reply);
    bed_wait(bed, &reply);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    bed_check_books(bed);
}

// [E13] a row that is in the way stays there: it is not started at all
static void test_a_child_that_exists_already_refuses_its_parent(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_pair, "one/child1", "somebody else's", NULL);
    bed_settle(bed);
    struct bed_reply reply;
    model_plan(&bed->model, "b", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_begin(bed, &flow_parent, "one", "", NULL, &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_STORE_CONFLICT); // parent and child are one write: there is no parent either
    bed_settle(bed);
    assert_null(bed_row(bed, "one"));
}

static bool heir(struct saga_turn *turn, struct arena *arena, struct saga_child *ret_child) {
    ret_child->flow = flow_pair.name;
    ret_child->gid = arena_printf(arena, "%s/%u", saga_turn_saga(turn)->gid, saga_turn_generation(turn));
    return true;
}
static const struct saga_step later_steps[] = {
    {.id = 1, .stage = 1, .name = "first", .run = bed_send, .undo = bed_send, .deadline_ms = 1000},
    {.id = 2, .stage = 2, .name = "child", .child = heir, .undo = bed_send, .deadline_ms = 1000},
};
static const struct saga_flow flow_later = {.name = "test.later", .version = 1, .steps = later_steps, .n_steps = 2};
static const struct saga_flow *const later_flows[] = {&flow_later, NULL};

// [E13] a saga that comes to a child whose gid is taken is parked; tried again, it takes the next one, and so on
static void test_a_child_whose_gid_is_taken_gets_another_one(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    bed_kill(bed);
    bed->options.flow_sets[1].flows = later_flows;
    bed_open(bed);
    bed_start(bed, &flow_pair, "one/1", "somebody else's", NULL);
    bed_start(bed, &flow_pair, "one/2", "somebody else's", NULL);
    bed_settle(bed);
    bed_start(bed, &flow_later, "one", "", NULL);
    for (unsigned taken = 1; taken <= 2; taken++) {
        bed_settle(bed);
        assert_true(bed_status(bed, "one") == SAGA_RUNNING && bed_parked(bed, "one"));
        bed_retry(bed, "one", &reply);
        bed_wait(bed, &reply);
        assert_int_equal(reply.code, ERR_OK);
    }
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_string_equal(bed_row(bed, "one/3")->parent_gid, "one");
    assert_string_equal(bed_row(bed, "one/1")->parent_gid, "");
    bed_check_books(bed);
}

// One child after the other, and a signal before the first.
static const struct saga_step awaiting_steps[] = {
    {.id = 1, .stage = 1, .name = "await", .signal = "go", .timeout_ms = 600000},
    {.id = 2, .stage = 2, .name = "child", .child = heir, .undo = bed_send, .deadline_ms = 1000},
};
static const struct saga_flow flow_awaiting = {
    .name = "test.awaiting", .version = 1, .steps = awaiting_steps, .n_steps = 2};
static bool younger(struct saga_turn *turn, struct arena *arena, struct saga_child *ret_child) {
    ret_child->flow = flow_pair.name;
    ret_child->gid = arena_printf(arena, "%s/younger%u", saga_turn_saga(turn)->gid, saga_turn_generation(turn));
    return true;
}
static const struct saga_step two_steps[] = {
    {.id = 1, .stage = 1, .name = "elder", .child = heir, .undo = bed_send, .deadline_ms = 1000},
    {.id = 2, .stage = 2, .name = "younger", .child = younger, .undo = bed_send, .deadline_ms = 1000},
};
static const struct saga_flow flow_two = {.name = "test.two", .version = 1, .steps = two_steps, .n_steps = 2};
static const struct saga_flow *const turn_flows[] = {&flow_awaiting, &flow_two, NULL};

static void open_with(struct saga_bed *bed, const struct saga_flow *const *flows) {
    bed_kill(bed);
    bed->options.flow_sets[1].flows = flows;
    bed_open(bed);
}

// [E13] whoever opened the turn in which a saga comes to a child whose gid is taken, that saga is parked, and no other
static void test_a_taken_gid_parks_the_parent_in_its_childs_turn(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    open_with(bed, turn_flows);
    bed_start(bed, &flow_pair, "one/younger1", "somebody else's", NULL);
    bed_settle(bed);
    bed_start(bed, &flow_two, "one", "", NULL);
    bed_settle(bed);
    assert_true(bed_status(bed, "one") == SAGA_RUNNING && bed_parked(bed, "one"));
    bed_retry(bed, "one", &reply);
    bed_wait(bed, &reply);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(bed_status(bed, "one/1"), SAGA_SUCCEEDED);
    assert_string_equal(bed_row(bed, "one/younger2")->parent_gid, "one");
    bed_check_books(bed);
}

// [E10] [E13] a signal is acknowledged in the end, though it leads to a child whose gid is taken
static void test_a_taken_gid_does_not_stand_in_a_signals_way(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply = {.code = ERR_STORE_CONFLICT};
    open_with(bed, turn_flows);
    bed_start(bed, &flow_pair, "one/1", "somebody else's", NULL);
    bed_start(bed, &flow_awaiting, "one", "", NULL);
    bed_run(bed, 1000);
    for (unsigned tries = 0; tries < 3 && reply.code != ERR_OK; tries++) {
        bed_signal(bed, "one", "go", "1", &reply);
        bed_wait(bed, &reply);
        bed_run(bed, 1000);
    }
    assert_int_equal(reply.code, ERR_OK);
    bed_retry(bed, "one", &reply);
    bed_wait(bed, &reply);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
}

// [E13] a full disk: nothing is lost, everything goes on when there is room, and meanwhile it is not tried all the time
static void test_a_full_disk_is_gone_on_from(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_SLOW, 20, 100);
    for (unsigned i = 0; i < 20; i++) {
        char gid[16];
        snprintf(gid, sizeof gid, "s%u", i);
        bed_start(bed, &flow_pair, gid, "", NULL);
    }
    bed->faults.fail_result = BACKEND_FULL;
    bed->faults.fail_for = 1000000;
    bed->faults.fail_commit_at = 1;
    int64_t asked = bed->faults.commits;
    bed_begin(bed, &flow_pair, "new", "", NULL, &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_STORE_FULL);
    bed_run(bed, 600000);
    assert_true(bed->notices[SAGA_NOTICE_WRITE_FAILED] >= 20);
    assert_true(bed->faults.commits - asked < 20 * 40); // backed off to one try in half a minute each
    assert_null(bed_row(bed, "new"));
    bed->faults.fail_for = bed->faults.fail_commit_at = 0;
    bed_settle(bed);
    for (unsigned i = 0; i < 20; i++) {
        char gid[16];
        snprintf(gid, sizeof gid, "s%u", i);
        assert_int_equal(bed_status(bed, gid), SAGA_SUCCEEDED);
    }
    bed_check_books(bed);
}

struct told {
    bool heard;
    enum err code;
};

static void hear(void *ctx, const struct saga_seen *seen, const struct error *error) {
    struct told *told = ctx;
    (void)seen;
    told->heard = true;
    told->code = error ? error->code : ERR_OK;
}

// Whoever waits for a saga that can't be taken up, since nothing can be written, is told so, and does not make it be
// tried without a pause.
static void test_who_waits_while_the_disk_is_full_is_told(void **state) {
    struct saga_bed *bed = *state;
    struct told told[3] = {0};
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_SLOW, 20, 100);
    bed_start(bed, &flow_pair, "one", "", NULL);
    bed_run(bed, 10);
    bed_kill(bed);
    bed->faults.fail_result = BACKEND_FULL;
    bed->faults.fail_for = 1000000;
    bed->faults.fail_commit_at = 1;
    bed_open(bed);
    int64_t asked = bed->faults.commits;
    for (int i = 0; i < 3; i++) {
        saga_peek(bed->engine, STR("one"), hear, &told[i]);
        bed_run(bed, 20000);
        assert_true(told[i].heard);
        assert_int_equal(told[i].code, ERR_STORE_FULL);
    }
    assert_true(bed->faults.commits - asked < 15);
    bed->faults.fail_for = bed->faults.fail_commit_at = 0;
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    bed_check_books(bed);
}

static void test_a_store_that_is_down_delays_and_fails_nothing(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    bed_run(bed, 10);
    bed->faults.fail_result = BACKEND_AGAIN;
    bed->faults.fail_for = 20;
    bed->faults.fail_commit_at = 1;
    bed_begin(bed, &flow_trip, "one", "", NULL, &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_OK);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(bed->notices[SAGA_NOTICE_WRITE_FAILED], 0);
}

// Commit unknown, either way, at each of the saga's commits.
static void test_a_commit_that_can_not_be_known_is_found_out(void **state) {
    struct saga_bed *bed = *state;
    for (int64_t at = 1; at <= 3; at++) {
        char gid[] = {'u', (char)('0' + at), '\0'};
        bed->faults.unknown_commit_at = at;
        bed_start(bed, &flow_trip, gid, "", NULL);
        bed_settle(bed);
        assert_int_equal(bed_status(bed, gid), SAGA_SUCCEEDED);
        gid[0] = 'l';
        bed->faults.lost_commit_at = at;
        bed_start(bed, &flow_trip, gid, "", NULL);
        bed_settle(bed);
        assert_int_equal(bed_status(bed, gid), SAGA_SUCCEEDED);
    }
    bed_check_books(bed);
}

// [E7] the store takes nothing of one whose instance has been taken over; nothing more is sent
static void test_a_stale_owner_has_no_effect(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_SLOW, 1, 500);
    bed_start(bed, &flow_pair, "one", "", NULL);
    // Another process opens the same instance.
    struct store_options options = {
        .tables = bed->tables, .clock = &bed->time.clock, .instance = "one", .address = "elsewhere"};
    struct error error = {0};
    struct store *other;
    assert_true(store_open(store_memory_share(bed->disk), &options, &other, &error));
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_run(bed, 5000);
    assert_int_equal(bed_status(bed, "one"), SAGA_RUNNING);
    assert_int_equal(bed->notices[SAGA_NOTICE_FENCED], 1);
    assert_int_equal(bed_stats(bed).slots, 0); // what was in memory of it is not used any more
    assert_int_equal(model_requests(&bed->model, "one/1/1", SAGA_COMPENSATE), 0);
    store_close(other);
    bed_revive(bed);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_FAILED);
    bed_check_books(bed);
}

// [E13] parent and child fail together, and are both loaded afresh
static void test_a_family_fails_together(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_AGAIN, 1, 0);
    bed_start(bed, &flow_parent, "one", "", NULL);
    bed->faults.fail_result = BACKEND_FULL;
    bed->faults.fail_for = 1;
    bed->faults.fail_commit_at = 1;
    bed_run(bed, 50);
    assert_int_equal(bed->notices[SAGA_NOTICE_WRITE_FAILED], 1);
    assert_int_equal(bed_stats(bed).resident, 0);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(bed_status(bed, "one/child1"), SAGA_SUCCEEDED);
    bed_check_books(bed);
}

// Signals and operators meet a saga whose write has just failed: they are told to come again.
static void test_a_lost_saga_is_asked_again(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply bad, again;
    model_plan(&bed->model, "reserve", SAGA_ACTION, MODEL_SLOW, 1, 5000);
    bed_start(bed, &flow_order, "one", "10", "account");
    bed_run(bed, 100);
    bed->holds = true;
    spoil(bed, "account", &bad);
    bed_signal(bed, "one", "any", "1", &again); // queued behind
    bed->holds = false;
    bed_wait(bed, &again);
    assert_int_equal(again.code, ERR_STORE_STALE);
    bed_signal(bed, "one", "any", "1", &again); // loads it
    bed_wait(bed, &again);
    assert_int_equal(again.code, ERR_OK);
    bed_run(bed, 100);
    bed_pay(bed, "account", "no", 0, "one", &bad);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_FAILED);
    assert_int_equal(bed_account(bed, "account")->amount, 0);
    bed_check_books(bed);
}

// Reads that fail delay, whoever wanted them.
static void test_reads_that_fail_are_tried_again(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_order, "one", "10", "account");
    bed_start(bed, &flow_parent, "two", "", NULL);
    bed_run(bed, 1);
    bed_kill(bed);
    bed->faults.fail_reads = 30;
    bed_open(bed);
    bed_run(bed, 120000);
    assert_int_equal(bed->faults.fail_reads, 0);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "two"), SAGA_SUCCEEDED);
    assert_int_equal(bed_status(bed, "one"), SAGA_FAILED); // nobody paid
    bed_check_books(bed);
}

static const struct saga_operation end_it = {.act = SAGA_ACT_TERMINATE};

// An operator who waits for a saga that is just being written, as the process stops, is told so.
static void test_who_waits_for_a_busy_saga_is_told_of_the_stop(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply ended, signalled;
    model_plan(&bed->model, "a", SAGA_ACTION, MODEL_SLOW, 1, 5000);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_run(bed, 50);
    bed->holds = true;
    bed_signal(bed, "one", "any", "1", &signalled);
    bed_operate(bed, "one", &end_it, &ended);
    bed_run(bed, 10);
    assert_false(ended.came);
    bed->holds = false;
    bed_close(bed);
    assert_true(signalled.came && signalled.code == ERR_OK);
    assert_true(ended.came);
    assert_int_equal(ended.code, ERR_SHUTTING_DOWN);
    bed_open(bed);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
}

// A stop in the middle: what was accepted is durable, nothing more is sent, the next process goes on.
static void test_a_stop_is_no_crash(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    model_plan(&bed->model, "a", SAGA_ACTION, MODEL_SLOW, 1, 200);
    bed_begin(bed, &flow_trip, "early", "", NULL, &reply); // before the outbox's numbers are known
    bed_close(bed);
    assert_true(reply.came && reply.code == ERR_OK); // it has no event that needs one
    assert_non_null(bed_row(bed, "early"));
    bed_open(bed);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_run(bed, 50);
    unsigned sent = bed->model.sent;
    saga_engine_stop(bed->engine);
    bed_begin(bed, &flow_trip, "two", "", NULL, &reply);
    bed_run(bed, 1000);
    assert_true(reply.came && reply.code == ERR_OK);
    assert_int_equal(bed->model.sent, sent);
    bed_close(bed);
    bed_open(bed);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(bed_status(bed, "two"), SAGA_SUCCEEDED);
    clear_plans(bed);
    bed_check_books(bed);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_failed_write_fails_what_was_queued_behind_it),
        TEST(test_a_saga_whose_write_is_refused_is_parked),
        TEST(test_a_child_that_exists_already_refuses_its_parent),
        TEST(test_a_child_whose_gid_is_taken_gets_another_one),
        TEST(test_a_taken_gid_parks_the_parent_in_its_childs_turn),
        TEST(test_a_taken_gid_does_not_stand_in_a_signals_way),
        TEST(test_a_full_disk_is_gone_on_from),
        TEST(test_who_waits_while_the_disk_is_full_is_told),
        TEST(test_a_store_that_is_down_delays_and_fails_nothing),
        TEST(test_a_commit_that_can_not_be_known_is_found_out),
        TEST(test_a_stale_owner_has_no_effect),
        TEST(test_a_family_fails_together),
        TEST(test_a_lost_saga_is_asked_again),
        TEST(test_reads_that_fail_are_tried_again),
        TEST(test_who_waits_for_a_busy_saga_is_told_of_the_stop),
        TEST(test_a_stop_is_no_crash),
    };
    return cmocka_run_group_tests_name("saga/engine: writes that fail", tests, NULL, NULL);
}
