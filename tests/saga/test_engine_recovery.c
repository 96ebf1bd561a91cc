// Restarts, the sentinel and eviction: who is found, how fast, and who is in memory.
#include "saga/engine.h"
#include "saga/peek.h"
#include "tests/cmocka.h"
#include "tests/saga/bed.h"

#include <stdio.h>

typedef char gid_text[48];

static const char *name(gid_text out, const char *prefix, unsigned i) {
    snprintf(out, sizeof(gid_text), "%s%04u", prefix, i);
    return out;
}

static void start_many(struct saga_bed *bed, const struct saga_flow *flow, const char *prefix, unsigned n) {
    static struct bed_reply replies[1200];
    gid_text gid;
    assert_true(n <= sizeof replies / sizeof replies[0]);
    for (unsigned i = 0; i < n; i++)
        bed_begin(bed, flow, name(gid, prefix, i), "", NULL, &replies[i]);
    for (unsigned i = 0; i < n; i++) {
        bed_wait(bed, &replies[i]);
        assert_int_equal(replies[i].code, ERR_OK);
    }
}

static void check_all(struct saga_bed *bed, const char *prefix, unsigned n, enum saga_status status) {
    gid_text gid;
    for (unsigned i = 0; i < n; i++)
        if (bed_status(bed, name(gid, prefix, i)) != status)
            fail_msg("%s: %s", gid, saga_status_name(bed_status(bed, gid)));
}

static void must_signal(struct saga_bed *bed, const char *gid) {
    struct bed_reply reply;
    bed_signal(bed, gid, "paid", "1", &reply);
    bed_wait(bed, &reply);
    if (reply.code != ERR_OK)
        fail_msg("%s", reply.text);
}

static void wait_recovered(struct saga_bed *bed) {
    while (!saga_engine_recovered(bed->engine))
        assert_true(bed_step(bed));
}

// ---- Restarts -----------------------------------------------------------------------------------------------------

static void check_resumed(struct saga_bed *bed, const char *prefix, unsigned n) {
    gid_text key;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_HANGS, n, 0);
    start_many(bed, &flow_pair, prefix, n);
    bed_revive(bed);
    assert_false(saga_engine_recovered(bed->engine));
    wait_recovered(bed);
    assert_int_equal(bed_stats(bed).resumed, n);
    bed_settle(bed);
    check_all(bed, prefix, n, SAGA_SUCCEEDED);
    for (unsigned i = 0; i < n; i++) { // sent again under the one key, and nothing under another
        snprintf(key, sizeof key, "%s%04u/1/1", prefix, i);
        assert_int_equal(model_requests(&bed->model, key, SAGA_ACTION), 2);
        snprintf(key, sizeof key, "%s%04u/1/2", prefix, i);
        assert_null(model_key(&bed->model, key));
    }
}

// [E5] whatever was under way is found after a restart, at any number of them
static void test_everything_unfinished_is_resumed(void **state) {
    check_resumed(*state, "a", 1);
    check_resumed(*state, "b", 600);
    bed_check_books(*state);
}

// [E5] also where a page of one slot ends
static void test_every_page_of_a_slot_is_resumed(void **state) {
    static const unsigned counts[] = {SAGA_ROWS_MAX - 1, SAGA_ROWS_MAX, SAGA_ROWS_MAX + 1, 4 * SAGA_ROWS_MAX, 600};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        char prefix[] = "01M7YBK6QT3HKKBQ7APVMWGMY?/"; // the slot is that of the number before the stroke
        prefix[ID_LEN - 1] = (char)('A' + c);
        check_resumed(*state, prefix, counts[c]);
    }
    bed_check_books(*state);
}

// One of each kind, wherever it stands.
static void test_every_kind_of_wait_outlives_a_restart(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    model_plan(&bed->model, "begin", SAGA_ACTION, MODEL_OK, 1, 0);
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_AGAIN, 2, 0);
    model_plan(&bed->model, "know", SAGA_INQUIRE, MODEL_HANGS, 1, 0);
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_await, "await", "", NULL);
    bed_start(bed, &flow_parent, "parent", "", NULL);
    bed_start(bed, &flow_ask, "ask", "", NULL);
    bed_start(bed, &flow_order, "order", "10", "account");
    bed_start(bed, &flow_trip, "parked", "", NULL);
    bed_run(bed, 50);
    for (int i = 0; i < 3; i++) {
        bed_revive(bed);
        bed_run(bed, 1);
    }
    bed_run(bed, 2000);
    assert_int_equal(bed_status(bed, "parent"), SAGA_SUCCEEDED);
    assert_int_equal(bed_status(bed, "ask"), SAGA_SUCCEEDED);
    assert_true(bed_status(bed, "parked") == SAGA_FORWARD && bed_parked(bed, "parked"));
    must_signal(bed, "await");
    while (!accounts_find(&bed->accounts, "account")) {
        bed_poke(bed, "order");
        bed_run(bed, 1);
    }
    bed_pay(bed, "account", "yes", 0, "order", &reply);
    bed_wait(bed, &reply);
    bed_retry(bed, "parked", &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_OK);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "await"), SAGA_SUCCEEDED);
    assert_int_equal(bed_status(bed, "order"), SAGA_SUCCEEDED);
    assert_int_equal(bed_status(bed, "parked"), SAGA_SUCCEEDED);
}

// [E5] what is in memory, unfinished and at rest must be led on by a time, a call that is out, or an operator
static void test_what_nothing_drives_on_is_counted(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_await, "one", "", NULL);
    bed_run(bed, 2000);
    assert_int_equal(bed_stats(bed).orphans, 0);
    struct saga_leg *await = saga_instance_leg(&resident_find(bed->engine, STR("one"))->saga, 2, 0);
    int64_t due_ms = await->due_ms;
    assert_int_equal(await->state, LEG_WAITING);
    await->due_ms = INT64_MAX;
    assert_int_equal(bed_stats(bed).orphans, 1);
    await->due_ms = due_ms;
    assert_int_equal(bed_stats(bed).orphans, 0);
    await->state = LEG_ASKING; // and no call is out
    assert_int_equal(bed_stats(bed).orphans, 1);
    await->state = LEG_WAITING;
}

// [E7] each process has its own incarnation, and what it wrote says so
static void test_a_row_tells_who_wrote_it(void **state) {
    struct saga_bed *bed = *state;
    struct store_identity before, after;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_HANGS, 1, 0);
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_SLOW, 1, 500);
    store_identity(bed->store, &before);
    bed_start(bed, &flow_pair, "one", "", NULL);
    int64_t mark = bed_row(bed, "one")->written_by;
    bed_revive(bed);
    store_identity(bed->store, &after);
    assert_true(after.incarnation > before.incarnation && after.batch_no > before.batch_no);
    assert_true(bed_row(bed, "one")->written_by == mark);
    bed_run(bed, 100); // counted, and on its way
    assert_true(bed_row(bed, "one")->written_by != mark);
    assert_int_equal(bed_row(bed, "one")->resume_count, 1);
}

// [E14] a stop while sagas are being resumed is no death of theirs: who was not begun is not counted
static void test_a_stop_during_the_recovery_counts_nothing(void **state) {
    struct saga_bed *bed = *state;
    gid_text gid;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_HANGS, 300, 0);
    start_many(bed, &flow_pair, "s", 300);
    bed_kill(bed);
    for (unsigned steps = 1; steps < 40; steps++) {
        bed_open(bed);
        for (unsigned i = 0; i < steps % 8 && bed_stats(bed).loads == 0; i++)
            bed_step(bed);
        unsigned sent = bed->model.sent;
        bed->holds = bed_stats(bed).loads > 0; // then they are being counted: lost with this process
        saga_engine_stop(bed->engine);
        bed_run(bed, 100);
        assert_int_equal(bed->model.sent, sent);
        bed_kill(bed);
        bed->holds = false;
    }
    bed_open(bed);
    unsigned counted = 0;
    for (unsigned i = 0; i < 300; i++)
        counted += (unsigned)bed_row(bed, name(gid, "s", i))->resume_count;
    assert_int_equal(counted, 0);
    bed_settle(bed);
    check_all(bed, "s", 300, SAGA_SUCCEEDED);
}

// A death while sagas are on their way into memory, children waiting for their parents.
static void test_a_death_during_the_recovery(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_HANGS, 60, 0);
    start_many(bed, &flow_parent, "p", 60);
    bed_kill(bed);
    for (unsigned steps = 1; steps < 30; steps++) {
        bed_open(bed);
        bed->faults.fail_reads = steps % 3;
        for (unsigned i = 0; i < steps && bed_stats(bed).resident == 0; i++)
            bed_step(bed);
        bed_kill(bed);
    }
    bed_open(bed);
    bed_settle(bed);
    check_all(bed, "p", 60, SAGA_SUCCEEDED);
    bed_check_books(bed);
}

// ---- The sentinel -------------------------------------------------------------------------------------------------

// A recovery is no flood: so many in a second, and not more.
static void test_sagas_are_resumed_under_a_rate_limit(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_HANGS, 1100, 0);
    start_many(bed, &flow_pair, "s", 1100);
    bed_kill(bed);
    bed->options.resume_rate = 500;
    bed_open(bed);
    int64_t begun_ms = bed->time.now_ms;
    while (!saga_engine_recovered(bed->engine)) {
        int64_t allowed = SAGA_ROWS_MAX + (bed->time.now_ms - begun_ms) * 500 / 1000;
        assert_true(bed_stats(bed).resumed <= allowed);
        bed_run(bed, 100);
    }
    assert_int_equal(bed_stats(bed).resumed, 1100);
    assert_true(bed->time.now_ms - begun_ms < 3000);
    bed_settle(bed);
    check_all(bed, "s", 1100, SAGA_SUCCEEDED);
}

// What is due later than the horizon stays on the disk, is found before it is due, and is done on time.
static void test_what_is_far_is_loaded_before_it_is_due(void **state) {
    struct saga_bed *bed = *state;
    start_many(bed, &flow_await, "s", 300); // each waits ten minutes
    bed_run(bed, 1000);
    int64_t due_ms = bed_row(bed, "s0000")->due_ms;
    bed_revive(bed);
    bed_run(bed, 60000);
    assert_true(saga_engine_recovered(bed->engine));
    assert_int_equal(bed_stats(bed).resident, 0);
    bed_run(bed, due_ms - 1000 - bed->time.now_ms);
    assert_int_equal(bed_stats(bed).resident, 300);
    check_all(bed, "s", 300, SAGA_RUNNING);
    bed_run(bed, 3000);
    check_all(bed, "s", 300, SAGA_FAILED); // timed out, and undone
    bed_check_books(bed);
}

// A saga that could not be loaded is loaded later: at the first try, at its parent's, at its subject's.
static void test_a_load_that_fails_is_made_up_for(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "reserve", SAGA_ACTION, MODEL_HANGS, 1, 0);
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_HANGS, 1, 0);
    bed_start(bed, &flow_order, "order", "10", "account");
    bed_start(bed, &flow_parent, "parent", "", NULL);
    bed_run(bed, 10);
    for (unsigned fails = 1; fails < 12; fails++) {
        bed_kill(bed);
        bed->accounts.fail_loads = fails;
        bed_open(bed);
        wait_recovered(bed);
        bed_run(bed, 1);
    }
    assert_true(bed->notices[SAGA_NOTICE_LOAD_FAILED] > 0);
    bed_settle(bed);
    assert_int_equal(bed->accounts.fail_loads, 0);
    assert_int_equal(bed_status(bed, "parent"), SAGA_SUCCEEDED);
    assert_int_equal(bed_status(bed, "order"), SAGA_FAILED); // nobody paid
    bed_check_books(bed);
}

// [E5] a saga whose subject can't be read is left untouched like one that can't be read itself, and that is told
static void test_a_subject_that_can_not_be_read_is_told(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_order, "order", "10", "account");
    bed_run(bed, 10);
    bed_kill(bed);
    bed->accounts.fail_loads = 1;
    bed->accounts.fail_code = ERR_STORE_CORRUPT;
    bed_open(bed);
    bed_poke(bed, "order");
    bed_run(bed, 1000);
    assert_int_equal(bed_stats(bed).corrupt, 1);
    assert_int_equal(bed->notices[SAGA_NOTICE_CORRUPT], 1);
    assert_int_equal(bed_status(bed, "order"), SAGA_RUNNING);
}

static void set_parent(struct saga_bed *bed, const char *gid, const char *parent_gid) {
    struct bed_reply reply = {0};
    struct saga_row row = *bed_row(bed, gid);
    struct saga_turn *turn = saga_turn_begin(bed->engine, NULL);
    snprintf(row.parent_gid, sizeof row.parent_gid, "%s", parent_gid);
    saga_turn_row(turn, &saga_table, STORE_DELETE, &row);
    saga_turn_row(turn, &saga_table, STORE_INSERT, &row);
    saga_turn_commit(turn, bed_replied, &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_OK);
}

// [E5] parents that go round in a circle, of one or more, are left untouched and told; nobody waits for them
static void test_a_circle_of_parents_is_told(void **state) {
    struct saga_bed *bed = *state;
    gid_text gid, parent;
    for (unsigned size = 1; size <= 3; size++) {
        char prefix[] = {(char)('a' + size), '\0'};
        model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_HANGS, size + 1, 0);
        start_many(bed, &flow_pair, prefix, size + 1);
        for (unsigned i = 0; i < size; i++)
            set_parent(bed, name(gid, prefix, i), name(parent, prefix, (i + 1) % size));
        set_parent(bed, name(gid, prefix, size), name(parent, prefix, 0)); // a child of the circle, and no part of it
        bed_revive(bed);
        bed_run(bed, 10000);
        assert_true(saga_engine_recovered(bed->engine));
        assert_true(bed_stats(bed).corrupt >= 1);
        check_all(bed, prefix, size + 1, SAGA_RUNNING);
    }
}

// A flow version that this process does not know: left as it is, and counted; the next one that knows it goes on.
static void test_an_unknown_flow_is_left_untouched(void **state) {
    struct saga_bed *bed = *state;
    static const struct saga_flow *const fewer[] = {&flow_trip, NULL};
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_HANGS, 1, 0);
    bed_start(bed, &flow_pair, "one", "", NULL);
    bed_kill(bed);
    bed->options.flow_sets[0].flows = fewer;
    bed_open(bed);
    bed_run(bed, 10000);
    assert_int_equal(bed_stats(bed).unknown_flows, 1);
    assert_true(saga_engine_recovered(bed->engine));
    assert_int_equal(model_requests(&bed->model, "one/1/1", SAGA_ACTION), 1);
    bed_kill(bed);
    bed->options.flow_sets[0].flows = test_flows;
    bed_open(bed);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
}

// ---- Eviction -----------------------------------------------------------------------------------------------------

static void open_small(struct saga_bed *bed, uint32_t resident_max) {
    bed_kill(bed);
    bed->options.resident_max = resident_max;
    bed_open(bed);
}

// Many wait, few are in memory, and each is found by its signal.
static void test_what_waits_is_a_row_and_nothing_else(void **state) {
    struct saga_bed *bed = *state;
    gid_text gid;
    open_small(bed, 20);
    start_many(bed, &flow_await, "s", 300);
    bed_run(bed, 1000);
    assert_true(bed_stats(bed).resident <= 20);
    assert_int_equal(bed_stats(bed).evictions, 280);
    for (unsigned i = 0; i < 300; i++) {
        must_signal(bed, name(gid, "s", (i * 7) % 300));
        bed_run(bed, 5); // until it has come to its end
        assert_true(bed_stats(bed).resident <= 20);
    }
    bed_settle(bed);
    check_all(bed, "s", 300, SAGA_SUCCEEDED);
    bed_check_books(bed);
}

// Nobody is sent away whose turn comes soon, and everybody who was has their turn in time.
static void test_what_was_evicted_comes_due_in_time(void **state) {
    struct saga_bed *bed = *state;
    open_small(bed, 10);
    start_many(bed, &flow_await, "s", 200);
    bed_run(bed, 1000);
    assert_true(bed_stats(bed).resident <= 10);
    bed_run(bed, 600000);
    bed_run(bed, 5000);
    check_all(bed, "s", 200, SAGA_FAILED);
    assert_int_equal(bed_stats(bed).resident, 0);
    bed_check_books(bed);
}

// Parked sagas wait for long: they leave memory, too.
static void test_parked_sagas_leave_memory(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    gid_text gid;
    open_small(bed, 10);
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_REFUSE, 50, 0);
    start_many(bed, &flow_trip, "s", 50);
    bed_settle(bed);
    assert_true(bed_stats(bed).resident <= 10);
    for (unsigned i = 0; i < 50; i++) {
        bed_retry(bed, name(gid, "s", i), &reply);
        bed_wait(bed, &reply);
        assert_int_equal(reply.code, ERR_OK);
    }
    bed_settle(bed);
    check_all(bed, "s", 50, SAGA_SUCCEEDED);
    bed_check_books(bed);
}

// A parent stays as long as its child is there; both go, and the child brings its parent back.
static void test_a_child_and_its_parent_leave_in_order(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    gid_text gid;
    open_small(bed, 1);
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_REFUSE, 20, 0);
    model_plan(&bed->model, "debit", SAGA_COMPENSATE, MODEL_REFUSE, 20, 0);
    start_many(bed, &flow_parent, "q", 20);
    bed_settle(bed); // the children are parked
    assert_true(bed_stats(bed).resident <= 2);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(gid, sizeof gid, "q%04u/child1", i);
        bed_retry(bed, gid, &reply);
        bed_wait(bed, &reply);
        assert_int_equal(reply.code, ERR_OK);
    }
    bed_settle(bed);
    check_all(bed, "q", 20, SAGA_FAILED);
    bed_check_books(bed);
}

// A saga that is ahead of its row is written before it goes; a signal meets it just then.
static void test_eviction_and_a_signal_meet(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply started[5], signals[5];
    gid_text gid;
    open_small(bed, 1);
    start_many(bed, &flow_await, "s", 5);
    bed_run(bed, 100);
    for (unsigned hold_ms = 0; hold_ms < 4; hold_ms++) {
        char prefix[] = {(char)('a' + hold_ms), '\0'};
        start_many(bed, &flow_await, prefix, 5);
        bed->holds = hold_ms > 0;
        for (unsigned i = 0; i < 5; i++) {
            if (hold_ms == 2)
                bed_begin(bed, &flow_await, name(gid, "x", i), "", NULL, &started[i]); // pushes others out
            bed_signal(bed, name(gid, prefix, i), "paid", "1", &signals[i]);
        }
        bed_run(bed, hold_ms);
        bed->holds = false;
        for (unsigned i = 0; i < 5; i++) {
            bed_wait(bed, &signals[i]);
            assert_int_equal(signals[i].code, ERR_OK);
        }
        bed_run(bed, 100);
        check_all(bed, prefix, 5, SAGA_SUCCEEDED);
    }
    check_all(bed, "s", 5, SAGA_RUNNING);
}

// ---- Suspects -----------------------------------------------------------------------------------------------------

// [E14] who was only slow at the deaths is tried alone, one after the other, and goes on
static void test_innocent_suspects_are_tried_and_go_on(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply, retried;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_HANGS, 40, 0);
    start_many(bed, &flow_pair, "s", 10);
    for (unsigned i = 0; i < 3; i++) {
        bed_revive(bed);
        bed_run(bed, 10);
        assert_int_equal(bed_row(bed, "s0000")->resume_count, i + 1);
    }
    unsigned sent = bed->model.sent;
    bed_revive(bed);
    bed_run(bed, 10);
    assert_int_equal(bed->model.sent, sent); // nobody yet
    bed_retry(bed, "s0005", &retried);       // nor for an operator, who hears of it afterwards
    bed_run(bed, 10);
    assert_false(retried.came);
    bed_signal(bed, "s0006", "any", "1", &reply); // what comes is kept meanwhile
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_OK);
    for (unsigned n = 1; n <= 10; n++) {
        while (bed->model.sent == sent)
            assert_true(bed_step(bed));
        assert_true(bed_stats(bed).in_flight_calls == 1);
        while (bed_stats(bed).in_flight_calls > 0)
            assert_true(bed_step(bed));
        sent = bed->model.sent;
    }
    bed_settle(bed);
    assert_true(retried.came && retried.code == ERR_SAGA_STATE);
    check_all(bed, "s", 10, SAGA_SUCCEEDED);
    bed_check_books(bed);
}

// [E14] its trial does not end before it has begun, however slow the store is; a write of it that fails does not end
// the trials of the others
static void test_trials_outlive_a_bad_store(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_HANGS, 20, 0);
    start_many(bed, &flow_pair, "s", 5);
    for (unsigned i = 0; i < 3; i++) {
        bed_revive(bed);
        bed_run(bed, 10);
    }
    bed_revive(bed);
    bed_run(bed, 900);
    bed->holds = true;
    bed_run(bed, 10000);
    assert_int_equal(bed_stats(bed).in_flight_calls, 0);
    bed->holds = false;
    bed->faults.fail_result = BACKEND_FULL;
    bed->faults.fail_for = 6;
    bed->faults.fail_commit_at = 1;
    bed_settle(bed);
    check_all(bed, "s", 5, SAGA_SUCCEEDED);
    bed_check_books(bed);
}

static void hear(void *ctx, const struct saga_seen *seen, const struct error *error) {
    (void)seen;
    *(enum err *)ctx = error ? error->code : ERR_OK;
}

// Whoever wants a saga that waits for its trial is told to come again, however many are to be tried before it.
static void test_nobody_waits_for_long_for_a_suspect(void **state) {
    enum { SUSPECTS = 30, UNHEARD = -1 };
    struct saga_bed *bed = *state;
    enum err told[SUSPECTS];
    unsigned again = 0;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_SLOW, 6 * SUSPECTS, 3000);
    start_many(bed, &flow_pair, "s", SUSPECTS);
    for (unsigned i = 0; i < 4; i++) {
        bed_revive(bed);
        bed_run(bed, 10);
    }
    for (unsigned i = 0; i < SUSPECTS; i++) {
        gid_text gid;
        told[i] = (enum err)UNHEARD;
        saga_peek(bed->engine, str_c(name(gid, "s", i)), hear, &told[i]);
    }
    bed_run(bed, 8000);
    for (unsigned i = 0; i < SUSPECTS; i++) {
        assert_int_not_equal(told[i], UNHEARD);
        again += told[i] == ERR_OVERLOADED;
    }
    assert_true(again > SUSPECTS / 2);
    bed_settle(bed);
    check_all(bed, "s", SUSPECTS, SAGA_SUCCEEDED);
    bed_check_books(bed);
}

// [E14] what is written about one that waits for its trial is no resumption: loaded again, it waits again
static void test_a_suspect_that_is_written_and_lost_is_still_tried_alone(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_HANGS, 4, 0);
    bed_start(bed, &flow_pair, "one", "", NULL);
    for (unsigned i = 0; i < 4; i++) {
        bed_revive(bed);
        bed_run(bed, 10);
    }
    unsigned sent = bed->model.sent;
    bed_signal(bed, "one", "any", "1", &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_OK);
    bed->faults.fail_result = BACKEND_FULL;
    bed->faults.fail_commit_at = 1;
    bed_signal(bed, "one", "any", "2", &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_STORE_FULL);
    bed_run(bed, 500); // it is there again
    assert_int_equal(bed_stats(bed).resident, 1);
    assert_int_equal(bed->model.sent, sent);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    bed_check_books(bed);
}

// [E14] [E5] one that is terminated during its trial, and stays for its child, does not keep the child from its own
static void test_a_trial_ends_with_its_saga(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "b", SAGA_ACTION, MODEL_HANGS, 5, 0);
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_HANGS, 4, 0);
    bed_start(bed, &flow_beside, "one", "", NULL);
    for (unsigned i = 0; i < 4; i++) {
        bed_revive(bed);
        bed_run(bed, 10);
    }
    assert_int_equal(bed_row(bed, "one")->resume_count, 3);
    assert_int_equal(bed_row(bed, "one/child1")->resume_count, 3);
    unsigned tried = model_requests(&bed->model, "one/2/1", SAGA_ACTION);
    unsigned child = model_requests(&bed->model, "one/child1/1/1", SAGA_ACTION);
    while (model_requests(&bed->model, "one/2/1", SAGA_ACTION) == tried)
        assert_true(bed_step(bed));
    assert_int_equal(model_requests(&bed->model, "one/child1/1/1", SAGA_ACTION), child); // it waits for its own
    bed_must(bed, "one", &(struct saga_operation){.act = SAGA_ACT_TERMINATE});
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_TERMINATED);
    assert_true(saga_status_ended(bed_status(bed, "one/child1")));
}

// Of two who wait for the same row, the first one's command is refused because all ends, which drops what was loaded.
static void test_all_who_wait_for_a_row_are_told_when_it_is_dropped_at_once(void **state) {
    struct saga_bed *bed = *state;
    const struct saga_operation terminate = {.act = SAGA_ACT_TERMINATE};
    struct bed_reply replies[3];
    bed_start(bed, &flow_await, "one", "", NULL);
    bed_run(bed, 100);
    bed_revive(bed);
    for (size_t i = 0; i < 3; i++)
        bed_operate(bed, "one", &terminate, &replies[i]);
    bed_close(bed);
    for (size_t i = 0; i < 3; i++) {
        assert_true(replies[i].came);
        assert_int_equal(replies[i].code, ERR_SHUTTING_DOWN);
    }
    bed_open(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_RUNNING);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_everything_unfinished_is_resumed),
        TEST(test_every_page_of_a_slot_is_resumed),
        TEST(test_every_kind_of_wait_outlives_a_restart),
        TEST(test_what_nothing_drives_on_is_counted),
        TEST(test_a_row_tells_who_wrote_it),
        TEST(test_a_stop_during_the_recovery_counts_nothing),
        TEST(test_a_death_during_the_recovery),
        TEST(test_sagas_are_resumed_under_a_rate_limit),
        TEST(test_what_is_far_is_loaded_before_it_is_due),
        TEST(test_a_load_that_fails_is_made_up_for),
        TEST(test_a_subject_that_can_not_be_read_is_told),
        TEST(test_a_circle_of_parents_is_told),
        TEST(test_an_unknown_flow_is_left_untouched),
        TEST(test_what_waits_is_a_row_and_nothing_else),
        TEST(test_what_was_evicted_comes_due_in_time),
        TEST(test_parked_sagas_leave_memory),
        TEST(test_a_child_and_its_parent_leave_in_order),
        TEST(test_eviction_and_a_signal_meet),
        TEST(test_innocent_suspects_are_tried_and_go_on),
        TEST(test_trials_outlive_a_bad_store),
        TEST(test_nobody_waits_for_long_for_a_suspect),
        TEST(test_a_suspect_that_is_written_and_lost_is_still_tried_alone),
        TEST(test_a_trial_ends_with_its_saga),
        TEST(test_all_who_wait_for_a_row_are_told_when_it_is_dropped_at_once),
    };
    return cmocka_run_group_tests_name("saga/engine: recovery", tests, NULL, NULL);
}
