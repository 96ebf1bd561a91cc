// What comes from outside to a saga: signals, and the ends of its children.
#include "tests/cmocka.h"
#include "tests/saga/bed.h"

#include <stdio.h>

static unsigned signals_of(struct saga_bed *bed, const char *gid) {
    struct saga_instance saga = bed_instance(bed, gid);
    unsigned n = saga.n_signals;
    saga_instance_release(&saga);
    return n;
}

static void send(struct saga_bed *bed, const char *gid, const char *id, enum err expected) {
    struct bed_reply reply;
    bed_signal(bed, gid, "paid", id, &reply);
    bed_wait(bed, &reply);
    if (reply.code != expected)
        fail_msg("%s", reply.text);
}

// ---- Signals ------------------------------------------------------------------------------------------------------

// [E10] a signal may come before its step
static void test_an_early_signal_is_kept(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "begin", SAGA_ACTION, MODEL_SLOW, 1, 500);
    bed_start(bed, &flow_await, "one", "", NULL);
    send(bed, "one", "1", ERR_OK);
    assert_int_equal(model_requests(&bed->model, "one/1/1", SAGA_ACTION), 1);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
}

// [E10] durable before it is acknowledged
static void test_a_signal_is_acknowledged_when_it_is_durable(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    bed_start(bed, &flow_await, "one", "", NULL);
    bed_run(bed, 100);
    bed->holds = true;
    bed_signal(bed, "one", "paid", "1", &reply);
    bed_run(bed, 1000);
    assert_false(reply.came);
    assert_int_equal(signals_of(bed, "one"), 0);
    bed->holds = false;
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_OK);
    assert_int_equal(signals_of(bed, "one"), 1);
}

// [E10] what was acknowledged is there after a death at that very moment
static void test_an_acknowledged_signal_survives(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "begin", SAGA_ACTION, MODEL_HANGS, 1, 0);
    bed_start(bed, &flow_await, "one", "", NULL);
    send(bed, "one", "1", ERR_OK);
    bed_revive(bed);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
}

// [E10] repeats have no effect, and are answered alike
static void test_a_signal_acts_once(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply replies[10];
    model_plan(&bed->model, "begin", SAGA_ACTION, MODEL_SLOW, 1, 500);
    bed_start(bed, &flow_await, "one", "", NULL);
    for (unsigned i = 0; i < 10; i++) // at once
        bed_signal(bed, "one", "paid", "1", &replies[i]);
    for (unsigned i = 0; i < 10; i++) {
        bed_wait(bed, &replies[i]);
        assert_int_equal(replies[i].code, ERR_OK);
    }
    assert_int_equal(signals_of(bed, "one"), 1);
    bed_revive(bed);
    bed_run(bed, 10);
    send(bed, "one", "1", ERR_OK); // later, at another process
    assert_int_equal(signals_of(bed, "one"), 1);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    send(bed, "one", "1", ERR_OK); // when it is over
    send(bed, "one", "2", ERR_SAGA_STATE);
}

// [E10] while its saga is being written, and while it is being loaded
static void test_signals_find_a_saga_that_is_busy_or_not_there(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply busy, loaded[20];
    bed_run(bed, 10);
    bed->holds = true;
    struct bed_reply started;
    bed_begin(bed, &flow_await, "one", "", NULL, &started);
    bed_signal(bed, "one", "other", "1", &busy);
    bed->holds = false;
    bed_wait(bed, &busy);
    assert_int_equal(busy.code, ERR_OK);
    bed_run(bed, 100);
    bed_revive(bed);
    char id[8];
    for (unsigned i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "p%u", i);
        bed_signal(bed, "one", "paid", id, &loaded[i]);
    }
    for (unsigned i = 0; i < 20; i++) {
        bed_wait(bed, &loaded[i]);
        assert_int_equal(loaded[i].code, ERR_OK);
    }
    assert_int_equal(bed_stats(bed).loads, 1);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(signals_of(bed, "one"), 21);
}

// [E10] committed while its saga could not look at it, then a death: looked at when the next process starts, not when
// the await times out
static void test_a_signal_that_was_not_looked_at_is_not_forgotten(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    bed_start(bed, &flow_await, "one", "", NULL);
    bed_run(bed, 100);
    bed_revive(bed);
    bed_signal(bed, "one", "paid", "1", &reply); // before it was resumed
    bed_wait(bed, &reply);
    bed->death = BED_AFTER_COMMIT;
    bed->death_at = bed->commits + 1;
    int64_t begun_ms = bed->time.now_ms;
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_true(bed->time.now_ms - begun_ms < 10000);
}

// A death while it is looked up whether the ended saga knows the signal: the client hears of it, and asks again.
static void test_a_signal_to_what_has_ended_is_always_answered(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_await, "one", "", NULL);
    send(bed, "one", "1", ERR_OK);
    bed_settle(bed);
    for (unsigned steps = 0; steps < 6; steps++) {
        struct bed_reply replies[3];
        for (unsigned i = 0; i < 3; i++)
            bed_signal(bed, "one", "paid", "1", &replies[i]);
        for (unsigned i = 0; i < steps; i++)
            bed_step(bed);
        bed_revive(bed);
        for (unsigned i = 0; i < 3; i++)
            assert_true(replies[i].came && (replies[i].code == ERR_OK || replies[i].code == ERR_SHUTTING_DOWN));
    }
    send(bed, "one", "1", ERR_OK);
    struct bed_reply other = {0};
    saga_signal(bed->engine, STR("one"), STR("paid"), STR("1"), STR("another payload"), bed_replied, &other);
    bed_wait(bed, &other);
    assert_int_equal(other.code, ERR_IDEMPOTENCY_KEY_REUSED);
}

// Whether it had this signal can't be told: it is neither acknowledged nor refused for good as one that came too late.
static void test_a_signal_to_what_can_not_be_read_any_more_says_so(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply = {0};
    bed_start(bed, &flow_pair, "one", "", NULL);
    bed_settle(bed);
    struct saga_row row = *bed_row(bed, "one");
    row.journal = STR("no journal");
    for (int i = 0; i < 2; i++) {
        struct store_write *write = store_write_new(bed->store);
        store_row(write, &saga_table, STORE_PUT, &row);
        store_submit(bed->store, write, NULL, bed_replied, &reply);
        bed_wait(bed, &reply);
        send(bed, "one", "1", ERR_STORE_CORRUPT);
        reply.came = false;
        row.status = 99;
    }
}

static void test_a_saga_holds_so_many_signals_and_no_more(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply replies[SAGA_SIGNALS_MAX + 5];
    bed_start(bed, &flow_await, "one", "", NULL);
    for (unsigned i = 0; i < SAGA_SIGNALS_MAX + 5; i++) {
        char id[8];
        snprintf(id, sizeof id, "%u", i);
        bed_signal(bed, "one", "other", id, &replies[i]);
    }
    for (unsigned i = 0; i < SAGA_SIGNALS_MAX + 5; i++) {
        bed_wait(bed, &replies[i]);
        assert_int_equal(replies[i].code, i < SAGA_SIGNALS_MAX ? ERR_OK : ERR_SIGNALS_FULL);
    }
    send(bed, "one", "x", ERR_SIGNALS_FULL);
    struct bed_reply repeat;
    bed_signal(bed, "one", "other", "7", &repeat);
    bed_wait(bed, &repeat);
    assert_int_equal(repeat.code, ERR_OK);
}

static void test_signals_that_can_not_be_are_refused_at_once(void **state) {
    struct saga_bed *bed = *state;
    static const char long_text[SAGA_SIGNAL_MAX + 1];
    static const struct {
        struct str name, id, payload;
    } cases[] = {
        {{"", 0}, {"1", 1}, {"", 0}},
        {{"paid", 4}, {"", 0}, {"", 0}},
        {{"\xff", 1}, {"1", 1}, {"", 0}},
        {{"paid", 4}, {"a\0b", 3}, {"", 0}},
        {{"paid", 4}, {"1", 1}, {long_text, sizeof long_text}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bed_reply reply = {0};
        saga_signal(bed->engine, STR("one"), cases[i].name, cases[i].id, cases[i].payload, bed_replied, &reply);
        assert_true(reply.came);
        assert_int_equal(reply.code, ERR_INVALID_REQUEST);
    }
    send(bed, "nobody", "1", ERR_SAGA_NOT_FOUND);
}

// ---- Poking -------------------------------------------------------------------------------------------------------

static void test_a_poke_finds_its_saga_wherever_it_is(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    bed_start(bed, &flow_order, "one", "1", "account");
    bed_run(bed, 100);
    bed_pay(bed, "account", "yes", 0, NULL, &reply); // nobody is told
    bed_run(bed, 1000);
    assert_int_equal(bed_status(bed, "one"), SAGA_RUNNING);
    bed_poke(bed, "nobody");
    bed_poke(bed, "one");
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    bed_poke(bed, "one");
    bed_run(bed, 100);
    assert_int_equal(bed_count(bed, &poke_table), 0);
}

// A process that dies between a change and the look of the saga that waits for it has not forgotten the poke, however
// far away the saga's own time is.
static void test_a_poke_survives_as_what_it_tells_of_does(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply, signalled;
    for (int in_memory = 0; in_memory < 2; in_memory++) {
        const char *gid = in_memory ? "one" : "two", *account = in_memory ? "first" : "second";
        bed_close(bed);
        bed->options.horizon_ms = 1000;
        bed_open(bed);
        bed_start(bed, &flow_order, gid, "1", account);
        bed_run(bed, 100);
        if (in_memory) {
            bed_signal(bed, gid, "any", "1", &signalled); // it is being written
            bed_pay(bed, account, "yes", 0, gid, &reply);
        } else {
            bed_pay(bed, account, "yes", 0, NULL, &reply);
            bed_wait(bed, &reply);
            bed_revive(bed);
            bed_run(bed, 100);
            bed_poke(bed, gid);
        }
        bed->death_at = bed->commits + 1;
        bed->death = BED_AFTER_COMMIT;
        unsigned deaths = bed->deaths;
        while (bed->deaths == deaths)
            assert_true(bed_step(bed));
        assert_int_equal(bed_status(bed, gid), SAGA_RUNNING);
        assert_int_equal(bed_count(bed, &poke_table), 1);
        bed_run(bed, 5000);
        assert_int_equal(bed_status(bed, gid), SAGA_SUCCEEDED);
        assert_int_equal(bed_count(bed, &poke_table), 0);
    }
}

// A poked saga of the same subject decides in the same transaction.
static void test_what_a_poked_saga_concludes_is_in_the_same_commit(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    bed_start(bed, &flow_order, "one", "1", "account");
    bed_run(bed, 100);
    int64_t commits = bed->commits;
    bed_pay(bed, "account", "yes", 0, "one", &reply);
    bed_wait(bed, &reply);
    assert_int_equal(bed->commits, commits + 1);
    assert_int_equal(bed_status(bed, "one"), SAGA_FORWARD);
}

// ---- Children -----------------------------------------------------------------------------------------------------

// The child's end and the parent's progress are one transaction: on the disk there is never one without the other.
static void check_together(struct saga_bed *bed, const char *parent, const char *child) {
    const struct saga_row *row = bed_row(bed, child);
    if (!row || !bed_row(bed, parent))
        return;
    struct saga_instance saga = bed_instance(bed, parent);
    bool told = saga_instance_leg(&saga, 1, 0)->child >= CHILD_SUCCEEDED;
    saga_instance_release(&saga);
    assert_true(told == saga_status_ended((enum saga_status)row->status));
}

static void settle_together(struct saga_bed *bed, const char *parent, const char *child) {
    while (!saga_status_ended(bed_status(bed, parent))) {
        assert_true(bed_step(bed));
        check_together(bed, parent, child);
    }
    bed_settle(bed);
}

static void test_a_child_and_its_parent_go_on_together(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_parent, "one", "", NULL);
    settle_together(bed, "one", "one/child1");
    assert_int_equal(bed_status(bed, "one/child1"), SAGA_SUCCEEDED);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_string_equal(bed_row(bed, "one/child1")->parent_gid, "one");
    bed_check_books(bed);
}

static void test_a_child_that_fails_turns_its_parent_round(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_parent, "one", "", NULL);
    settle_together(bed, "one", "one/child1");
    assert_int_equal(bed_status(bed, "one/child1"), SAGA_FAILED);
    assert_int_equal(bed_status(bed, "one"), SAGA_FAILED);
    bed_check_books(bed);
}

static void test_a_child_that_succeeded_is_undone_with_its_parent(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "b", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_parent, "one", "", NULL);
    settle_together(bed, "one", "one/child1");
    assert_int_equal(bed_status(bed, "one"), SAGA_FAILED);
    assert_int_equal(model_requests(&bed->model, "one/1/1", SAGA_COMPENSATE), 1);
}

static void test_no_child_is_as_good_as_one_an_impossible_one_is_not(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_parent, "one", "childless", NULL);
    bed_start(bed, &flow_parent, "two", "unknown", NULL);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(bed_status(bed, "two"), SAGA_FAILED);
    assert_string_equal(bed_row(bed, "two")->text, "the child saga could not be started");
}

static void test_a_child_s_end_is_told_after_a_death(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_HANGS, 1, 0);
    bed_start(bed, &flow_parent, "one", "", NULL);
    bed_run(bed, 100);
    bed_revive(bed);
    settle_together(bed, "one", "one/child1");
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
}

// [E13] what is written together fails together, which needs something in common
static void test_two_sagas_in_one_turn_need_a_subject(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply = {0};
    struct error error = {0};
    struct saga_turn *turn = saga_turn_begin(bed->engine, NULL);
    assert_true(saga_turn_start(turn, &(struct saga_start){.flow = "test.pair", .gid = STR("one")}, &error));
    assert_false(saga_turn_start(turn, &(struct saga_start){.flow = "test.pair", .gid = STR("two")}, &error));
    assert_int_equal(error.code, ERR_INVALID_REQUEST);
    saga_turn_commit(turn, bed_replied, &reply);
    bed_wait(bed, &reply);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_null(bed_row(bed, "two"));
}

// ---- What is finished ---------------------------------------------------------------------------------------------

// [E15] what has ended stays, answers, and is not begun again
static void test_what_has_ended_is_not_begun_again(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    bed_start(bed, &flow_pair, "one", "first", NULL);
    bed_settle(bed);
    unsigned sent = bed->model.sent;
    bed_begin(bed, &flow_pair, "one", "second", NULL, &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_STORE_CONFLICT);
    bed_run(bed, 5000);
    assert_int_equal(bed->model.sent, sent);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_true(str_eq(bed_row(bed, "one")->input, STR("first")));
}

static void test_a_gid_that_is_under_way_is_refused(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_HANGS, 1, 0);
    bed_start(bed, &flow_pair, "one", "", NULL);
    bed_begin(bed, &flow_pair, "one", "", NULL, &reply);
    assert_int_equal(reply.code, ERR_SAGA_EXISTS);
    static const struct saga_flow nothing = {.name = "test.nothing"};
    bed_begin(bed, &nothing, "two", "", NULL, &reply);
    assert_int_equal(reply.code, ERR_FLOW_UNKNOWN);
    bed_begin(bed, &flow_pair, "", "", NULL, &reply);
    assert_int_equal(reply.code, ERR_INVALID_REQUEST);
    bed_begin(bed, &flow_pair, "\xff", "", NULL, &reply);
    assert_int_equal(reply.code, ERR_INVALID_REQUEST);
}

// Whoever looks for a saga that is just being started finds that one.
static void test_a_saga_that_is_looked_for_while_it_starts_is_one(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply signalled, started;
    bed_run(bed, 10);
    bed->holds = true;
    bed_signal(bed, "one", "paid", "1", &signalled); // reads
    bed_begin(bed, &flow_await, "one", "", NULL, &started);
    bed->holds = false;
    bed_wait(bed, &signalled);
    assert_int_equal(signalled.code, ERR_OK);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(model_key(&bed->model, "one/1/1")->requests[SAGA_ACTION], 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_an_early_signal_is_kept),
        TEST(test_a_signal_is_acknowledged_when_it_is_durable),
        TEST(test_an_acknowledged_signal_survives),
        TEST(test_a_signal_acts_once),
        TEST(test_signals_find_a_saga_that_is_busy_or_not_there),
        TEST(test_a_signal_that_was_not_looked_at_is_not_forgotten),
        TEST(test_a_signal_to_what_has_ended_is_always_answered),
        TEST(test_a_signal_to_what_can_not_be_read_any_more_says_so),
        TEST(test_a_saga_holds_so_many_signals_and_no_more),
        TEST(test_signals_that_can_not_be_are_refused_at_once),
        TEST(test_a_poke_finds_its_saga_wherever_it_is),
        TEST(test_a_poke_survives_as_what_it_tells_of_does),
        TEST(test_what_a_poked_saga_concludes_is_in_the_same_commit),
        TEST(test_a_child_and_its_parent_go_on_together),
        TEST(test_a_child_that_fails_turns_its_parent_round),
        TEST(test_a_child_that_succeeded_is_undone_with_its_parent),
        TEST(test_no_child_is_as_good_as_one_an_impossible_one_is_not),
        TEST(test_a_child_s_end_is_told_after_a_death),
        TEST(test_two_sagas_in_one_turn_need_a_subject),
        TEST(test_what_has_ended_is_not_begun_again),
        TEST(test_a_gid_that_is_under_way_is_refused),
        TEST(test_a_saga_that_is_looked_for_while_it_starts_is_one),
    };
    return cmocka_run_group_tests_name("saga/engine: signals and children", tests, NULL, NULL);
}
