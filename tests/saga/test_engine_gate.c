// What a participant gets of the sagas' calls: no more at once and no faster than it may, none while it is paused, and
// hardly any while it does not answer; and what becomes of the sagas meanwhile.
#include "tests/cmocka.h"
#include "tests/saga/gated.h"

#include <stdio.h>
#include <stdlib.h>

// ---- Cap and rate -------------------------------------------------------------------------------------------------

static void test_no_more_calls_are_under_way_than_may(void **state) {
    (void)state;
    struct saga_bed bed;
    gated_open(&bed, (struct saga_gate_limits){.in_flight_max = 3});
    gated_start_many(&bed, &flow_trip, 20);
    int64_t most = 0;
    while (bed_status(&bed, "s19") != SAGA_SUCCEEDED) {
        assert_true(bed_step(&bed));
        struct saga_participant model = gated_seen(&bed);
        assert_true(model.in_flight <= 3);
        most = model.in_flight > most ? model.in_flight : most;
    }
    bed_settle(&bed);
    assert_int_equal(most, 3);
    gated_must_all_be(&bed, 20, SAGA_SUCCEEDED);
    bed_release(&bed);
}

static void test_calls_come_no_faster_than_the_rate(void **state) {
    (void)state;
    struct saga_bed bed;
    gated_open(&bed, (struct saga_gate_limits){.rate_per_s = 10, .burst = 5});
    int64_t begun_ms = bed.time.now_ms;
    gated_start_many(&bed, &flow_pair, 20);
    while (bed.model.sent < 40) {
        assert_true(bed_step(&bed));
        assert_true(bed.model.sent <= 6 + (bed.time.now_ms - begun_ms) / 100);
    }
    assert_true(bed.time.now_ms - begun_ms < 4000);
    bed_settle(&bed);
    gated_must_all_be(&bed, 20, SAGA_SUCCEEDED);
    bed_release(&bed);
}

// In line core goes before non-core, and each in the order of its coming.
static void test_core_goes_before_non_core(void **state) {
    (void)state;
    struct saga_bed bed;
    gated_open(&bed, (struct saga_gate_limits){.in_flight_max = 1});
    model_plan(&bed.model, "d", SAGA_ACTION, MODEL_SLOW, 1, 800);
    gated_start_many(&bed, &flow_trip, 1); // d is under way, and extra waits
    while (!model_key(&bed.model, "s0/5/1"))
        assert_true(bed_step(&bed));
    bed_run(&bed, 50);
    assert_int_equal(gated_seen(&bed).waiting, 1);
    bed_start(&bed, &flow_pair, "core", "", NULL);
    bed_run(&bed, 50);
    struct saga_participant model = gated_seen(&bed);
    assert_true(model.waiting == 2 && model.waiting_core == 1);
    char why[SAGA_WHY_MAX];
    int64_t since_ms;
    assert_true(saga_call_waits(bed.engine, STR("core"), 1, 0, why, &since_ms));
    assert_string_equal(why, "model: it has as many calls as it may have at once");
    assert_int_equal(since_ms, bed.time.now_ms - 50);
    assert_false(saga_call_waits(bed.engine, STR("core"), 2, 0, why, &since_ms));
    while (!model_key(&bed.model, "core/1/1"))
        assert_true(bed_step(&bed));
    assert_null(model_key(&bed.model, "s0/6/1"));
    bed_settle(&bed);
    gated_must_all_be(&bed, 1, SAGA_SUCCEEDED);
    bed_release(&bed);
}

// Whether the last core step of the trip has been done, while those that are not core may still be under way.
static bool has_arrived(struct saga_bed *bed, unsigned i) {
    char key[16];
    snprintf(key, sizeof key, "s%u/7/1", i);
    return model_state(&bed->model, key) == MODEL_APPLIED;
}

// [S3-14] steps that are not core take half a minute: the permits that core steps need are never taken by them
static void test_slow_steps_that_are_not_core_take_nothing_that_core_steps_need(void **state) {
    (void)state;
    struct saga_bed bed;
    enum { N = 40, MOST = 8 };
    uint32_t later = 0;
    gated_open(&bed, (struct saga_gate_limits){.in_flight_max = MOST});
    model_plan(&bed.model, "extra", SAGA_ACTION, MODEL_SLOW, N, 30000);
    int64_t begun_ms = bed.time.now_ms;
    for (unsigned i = 0; i < N; i++) {
        char gid[16];
        snprintf(gid, sizeof gid, "s%u", i);
        bed_start(&bed, &flow_trip, gid, "", NULL);
        while (!has_arrived(&bed, i)) {
            assert_true(bed_step(&bed));
            struct saga_participant model = gated_seen(&bed);
            uint32_t others = model.in_flight - model.in_flight_core;
            assert_true(others <= MOST / 2);
            later = others > later ? others : later;
        }
    }
    assert_int_equal(later, MOST / 2); // they were there
    assert_true(bed.time.now_ms - begun_ms < 30000);
    assert_int_equal(gated_seen(&bed).crowded_out, 0);
    assert_int_equal(bed_stats(&bed).crowded_out, 0);
    bed_settle(&bed);
    gated_must_all_be(&bed, N, SAGA_SUCCEEDED);
    bed_release(&bed);
}

// [S3-14] nor do they fill the line: half of it is for core steps
static void test_steps_that_are_not_core_leave_half_of_the_line(void **state) {
    (void)state;
    struct saga_bed bed;
    enum { N = 20 };
    gated_open(&bed, (struct saga_gate_limits){.in_flight_max = 2, .waiting_max = 8});
    model_plan(&bed.model, "extra", SAGA_ACTION, MODEL_SLOW, N, 30000);
    int64_t begun_ms = bed.time.now_ms;
    for (unsigned i = 0; i < N; i++) {
        char gid[16];
        snprintf(gid, sizeof gid, "s%u", i);
        bed_start(&bed, &flow_trip, gid, "", NULL);
        while (!has_arrived(&bed, i))
            assert_true(bed_step(&bed));
    }
    assert_true(bed.time.now_ms - begun_ms < 30000);
    assert_int_equal(gated_seen(&bed).waiting, 4);
    assert_int_equal(gated_seen(&bed).put_off, N - 1 - 4); // those that are not core, and no others
    bed_settle(&bed);
    gated_must_all_be(&bed, N, SAGA_SUCCEEDED);
    bed_release(&bed);
}

// [E11] what waited is made from what is durable when it goes out, and not from what is only just being changed
static void test_what_waited_goes_out_behind_what_is_being_written(void **state) {
    (void)state;
    struct saga_bed bed;
    struct bed_reply reply;
    gated_open(&bed, (struct saga_gate_limits){.in_flight_max = 1});
    model_plan(&bed.model, "debit", SAGA_ACTION, MODEL_SLOW, 1, 500);
    bed_start(&bed, &flow_pair, "slow", "", NULL);
    bed_start(&bed, &flow_order, "one", "5", "account");
    bed_run(&bed, 100);
    bed.holds = true;
    bed_pay(&bed, "account", "no", 3, NULL, &reply); // not durable yet
    bed_run(&bed, 1000);
    assert_null(model_key(&bed.model, "one/1/1"));
    bed.holds = false;
    bed_wait(&bed, &reply);
    bed_settle(&bed); // the bed compares what is sent to what is on the disk
    assert_non_null(strstr(model_key(&bed.model, "one/1/1")->bodies[SAGA_ACTION], "amount=3"));
    bed_release(&bed);
}

// ---- The line is bounded ------------------------------------------------------------------------------------------

// [E5] [E6] what finds no room in line is put off: a row with a time, and no attempt
static void test_what_finds_no_room_in_line_is_put_off(void **state) {
    (void)state;
    struct saga_bed bed;
    enum { N = 60 };
    unsigned off = 0;
    gated_open(&bed, (struct saga_gate_limits){.in_flight_max = 1, .waiting_max = 5});
    bed.options.resident_max = 10;
    bed_revive(&bed);
    gated_must_pause(&bed, true);
    gated_start_many(&bed, &flow_pair, N);
    bed_run(&bed, 1000);
    struct saga_participant model = gated_seen(&bed);
    assert_true(model.waiting == 5 && model.put_off == N - 5);
    assert_true(bed_stats(&bed).resident < 20);
    for (unsigned i = 0; i < N; i++) {
        char gid[16];
        snprintf(gid, sizeof gid, "s%u", i);
        struct saga_instance saga = bed_instance(&bed, gid);
        const struct saga_leg *leg = &saga.legs[0];
        assert_int_equal(leg->attempts, 0);
        if (leg->state == LEG_RETRYING) {
            off++;
            assert_int_equal(leg->code, ERR_PARTICIPANT_HELD);
            assert_string_equal(leg->text, "model is paused by olga: maintenance");
            assert_true(leg->due_ms > bed.time.now_ms);
        }
        saga_instance_release(&saga);
    }
    assert_int_equal(off, N - 5);
    bed_run(&bed, 600000);
    assert_int_equal(bed.model.sent, 0);
    gated_must_pause(&bed, false);
    bed_settle(&bed);
    gated_must_all_be(&bed, N, SAGA_SUCCEEDED);
    bed_release(&bed);
}

// ---- A participant that is paused ---------------------------------------------------------------------------------

// [E8] durable, audited, refused when it is so already
static void test_a_paused_participant_gets_no_calls(void **state) {
    (void)state;
    struct saga_bed bed;
    struct bed_reply reply;
    gated_open(&bed, (struct saga_gate_limits){0});
    gated_pause(&bed, "model", false, &reply);
    assert_int_equal(reply.code, ERR_SAGA_STATE);
    gated_must_pause(&bed, true);
    gated_pause(&bed, "model", true, &reply);
    assert_int_equal(reply.code, ERR_SAGA_STATE);
    gated_pause(&bed, "modle", true, &reply);
    assert_int_equal(reply.code, ERR_PARTICIPANT_UNKNOWN);
    gated_start_many(&bed, &flow_pair, 3);
    bed_run(&bed, 100000);
    assert_int_equal(bed.model.sent, 0);
    bed_revive(&bed); // another process knows it before it sends anything
    bed_run(&bed, 100000);
    assert_int_equal(bed.model.sent, 0);
    const struct participant_row *pause = gated_seen(&bed).pause;
    assert_string_equal(pause->caller, "olga");
    assert_string_equal(pause->reason, "maintenance");
    gated_must_pause(&bed, false);
    bed_settle(&bed);
    gated_must_all_be(&bed, 3, SAGA_SUCCEEDED);
    size_t n;
    struct store_query query = {.table = &audit_table, .limit = 10};
    const struct audit_row *rows = bed_rows(&bed, &query, &n);
    assert_int_equal(n, 2);
    assert_string_equal(rows[0].action, "pause-participant");
    assert_string_equal(rows[0].participant, "model");
    assert_string_equal(rows[0].before, "open");
    assert_string_equal(rows[1].action, "resume-participant");
    assert_string_equal(rows[1].after, "open");
    bed_release(&bed);
}

static void store_row_done(void *ctx, const struct error *error) {
    assert_null(error);
    *(bool *)ctx = true;
}

// [E8] a call that was let through while its saga was being written, and its participant paused before it was sent
static void test_what_was_admitted_before_a_pause_waits_again(void **state) {
    (void)state;
    struct saga_bed bed;
    struct bed_reply paused = {0}, signalled;
    const struct saga_pausing how = {.caller = STR("olga"), .reason = STR("maintenance")};
    gated_open(&bed, (struct saga_gate_limits){.in_flight_max = 1});
    model_plan(&bed.model, "debit", SAGA_ACTION, MODEL_SLOW, 1, 0);
    gated_start_many(&bed, &flow_pair, 2);
    bed.holds = true;
    saga_participant_pause(bed.engine, STR("model"), true, &how, bed_replied, &paused);
    bed_signal(&bed, "s1", "paid", "1", &signalled); // its row is being written behind the pause
    while (gated_seen(&bed).calls < 2)               // the first call ends, and the next one in line is let through
        assert_true(bed_step(&bed));
    assert_int_equal(model_requests(&bed.model, "s1/1/1", SAGA_ACTION), 0);
    bed.holds = false;
    bed_wait(&bed, &signalled);
    assert_true(paused.came && paused.code == ERR_OK && signalled.code == ERR_OK);
    bed_run(&bed, 5000);
    assert_int_equal(model_requests(&bed.model, "s1/1/1", SAGA_ACTION), 0);
    assert_int_equal(gated_seen(&bed).in_flight, 0);
    gated_must_pause(&bed, false);
    bed_settle(&bed);
    gated_must_all_be(&bed, 2, SAGA_SUCCEEDED);
    bed_release(&bed);
}

// What another instance has paused is paused here within a second, and what it let go on goes on.
static void test_a_pause_is_known_to_other_instances_within_a_second(void **state) {
    (void)state;
    struct saga_bed bed;
    struct store_group group = {0};
    struct participant_row row = {.participant = "model", .caller = "otto", .reason = "elsewhere"};
    gated_open(&bed, (struct saga_gate_limits){0});
    bed_run(&bed, 5000);
    for (int paused = 1; paused >= 0; paused--) {
        bool done = false;
        struct store_write *write = store_write_new(bed.store);
        store_row(write, &participant_table, paused ? STORE_PUT : STORE_DELETE, &row);
        store_submit(bed.store, write, &group, store_row_done, &done);
        while (!done)
            assert_true(bed_step(&bed));
        bed_run(&bed, 1050);
        assert_int_equal(gated_seen(&bed).pause != NULL, paused);
    }
    bed_release(&bed);
}

// A target that nobody has called lately may be paused beforehand; one that is paused is there however many there are.
static void test_any_target_may_be_paused(void **state) {
    (void)state;
    struct saga_bed bed;
    struct bed_reply reply;
    bed_init(&bed);
    bed.options.gates_max = 2;
    bed_open(&bed);
    static const char *const targets[] = {"a:1", "b:1", "c:1"};
    for (int i = 0; i < 3; i++) {
        gated_pause(&bed, targets[i], true, &reply);
        assert_int_equal(reply.code, ERR_OK);
    }
    struct saga_pass pass;
    struct error error = {0};
    for (int i = 0; i < 3; i++) {
        assert_false(saga_pass_begin(bed.engine, targets[i], &pass, &error));
        assert_int_equal(error.code, ERR_PARTICIPANT_HELD);
    }
    struct saga_place place; // of one for which there is no gate: its line is not known
    assert_true(saga_place_take(bed.engine, "d:1", true, &place, &error));
    saga_place_give(&place);
    bed_release(&bed);
}

// One more than every instance reads would be acknowledged, and called all the same.
static void test_no_more_are_paused_than_are_looked_for(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    char name[16];
    for (int i = 0; i < PARTICIPANTS_PAUSED_MAX; i++) {
        snprintf(name, sizeof name, "t%d:1", i);
        gated_pause(bed, name, true, &reply);
        assert_int_equal(reply.code, ERR_OK);
    }
    gated_pause(bed, "one.more:1", true, &reply);
    assert_int_equal(reply.code, ERR_SAGA_STATE);
    assert_int_equal(bed_count(bed, &participant_table), PARTICIPANTS_PAUSED_MAX);
    gated_pause(bed, "t0:1", false, &reply);
    assert_int_equal(reply.code, ERR_OK);
    gated_pause(bed, "one.more:1", true, &reply);
    assert_int_equal(reply.code, ERR_OK);
}

// Also when they are asked for at once.
static void test_no_more_are_paused_at_once_than_are_looked_for(void **state) {
    struct saga_bed *bed = *state;
    enum { N = PARTICIPANTS_PAUSED_MAX + 20 };
    static struct bed_reply replies[N];
    const struct saga_pausing how = {.caller = STR("olga"), .reason = STR("maintenance")};
    char name[16];
    unsigned refused = 0;
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "t%d:1", i);
        replies[i] = (struct bed_reply){0};
        saga_participant_pause(bed->engine, str_c(name), true, &how, bed_replied, &replies[i]);
    }
    for (int i = 0; i < N; i++) {
        bed_wait(bed, &replies[i]);
        refused += replies[i].code == ERR_SAGA_STATE;
    }
    assert_int_equal(refused, N - PARTICIPANTS_PAUSED_MAX);
    assert_int_equal(bed_count(bed, &participant_table), PARTICIPANTS_PAUSED_MAX);
}

// However many instances made them: none that is written down is called.
static void test_every_pause_there_is_counts(void **state) {
    struct saga_bed *bed = *state;
    enum { N = 2 * STORE_LIMIT_MAX + 50 };
    struct bed_reply written = {0};
    struct store_write *write = store_write_new(bed->store);
    for (int i = 0; i < N; i++) {
        struct participant_row row = {.since_ms = 1};
        snprintf(row.participant, sizeof row.participant, "t%05d:1", i);
        store_row(write, &participant_table, STORE_PUT, &row);
    }
    store_submit(bed->store, write, NULL, bed_replied, &written);
    bed_wait(bed, &written);
    bed_run(bed, 1500);
    static const char *const some[] = {"t00000:1", "t01000:1", "t02049:1"};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        struct saga_pass pass;
        struct error error = {0};
        assert_false(saga_pass_begin(bed->engine, some[i], &pass, &error));
        assert_non_null(strstr(error.text, "is paused by"));
    }
}

static void test_whom_to_pause_must_be_said(void **state) {
    struct saga_bed *bed = *state;
    static const char too_long[SAGA_PARTICIPANT_MAX + 2] = {[0 ... SAGA_PARTICIPANT_MAX] = 'x'};
    static const char *const names[] = {"", "\xff", too_long};
    struct bed_reply reply;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        gated_pause(bed, names[i], true, &reply);
        assert_int_equal(reply.code, ERR_INVALID_REQUEST);
    }
}

// ---- A participant that does not answer ---------------------------------------------------------------------------

static const struct saga_gate_limits with_breaker = {
    .in_flight_max = 20, .failures_max = 5, .open_first_ms = 1000, .open_max_ms = 8000};

// [E6] it neither burns attempts nor is it flooded when it is back
static void test_what_is_down_burns_no_attempts_and_is_not_flooded(void **state) {
    (void)state;
    struct saga_bed bed;
    enum { N = 200 };
    gated_open(&bed, with_breaker);
    model_plan(&bed.model, "debit", SAGA_ACTION, MODEL_LOST_REQUEST, 100000, 0);
    model_plan(&bed.model, "debit", SAGA_INQUIRE, MODEL_AGAIN, 100000, 0);
    gated_start_many(&bed, &flow_pair, N);
    bed_run(&bed, 1500);
    assert_int_equal(gated_seen(&bed).state, SAGA_BREAKER_OPEN);
    unsigned sent = bed.model.sent;
    assert_true(sent <= 20 + 5); // who takes a place before the breaker has opened
    bed_run(&bed, 600000);       // ten minutes
    assert_true(bed.model.sent - sent <= 600 / 6);
    assert_int_equal(bed_count(&bed, &saga_table), N);
    for (unsigned i = 0; i < N; i++) {
        char gid[16];
        snprintf(gid, sizeof gid, "s%u", i);
        struct saga_instance saga = bed_instance(&bed, gid);
        assert_int_equal(saga.status, SAGA_RUNNING);
        assert_true(saga.legs[0].attempts <= 1);
        saga_instance_release(&saga);
    }
    bed.model.n_plans = 0; // it is back
    while (gated_seen(&bed).state != SAGA_BREAKER_CLOSED)
        assert_true(bed_step(&bed));
    int64_t back_ms = bed.time.now_ms;
    assert_true(gated_seen(&bed).in_flight <= 2);
    bed_settle(&bed);
    assert_true(bed.time.now_ms - back_ms < 120000);
    gated_must_all_be(&bed, N, SAGA_SUCCEEDED);
    bed_release(&bed);
}

// [E6] that others use up the room on our side is no attempt of a saga's: none turns round of it
static void test_what_finds_no_room_on_our_side_burns_no_attempts(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_NO_ROOM, 40, 0);
    bed_start(bed, &flow_pair, "one", "", NULL);
    bed_run(bed, 20000);
    struct saga_instance saga = bed_instance(bed, "one");
    assert_int_equal(saga.status, SAGA_RUNNING);
    assert_int_equal(saga.legs[0].attempts, 0);
    assert_false(saga.legs[0].may_have_run);
    saga_instance_release(&saga);
    assert_true(bed->model.sent <= 20000 / 1000);
    assert_int_equal(bed_count(bed, &attempt_table), 0);
    bed->model.n_plans = 0;
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    bed_check_books(bed);
}

// Behind the pivot a step waits for its participant as long as that takes: no operator is called.
static void test_a_step_behind_the_pivot_outlasts_a_long_outage(void **state) {
    (void)state;
    struct saga_bed bed;
    gated_open(&bed, with_breaker);
    model_plan(&bed.model, "d", SAGA_ACTION, MODEL_AGAIN, 100000, 0);
    gated_start_many(&bed, &flow_trip, 2);
    bed_run(&bed, 3600000);
    assert_int_equal(bed.notices[SAGA_NOTICE_PARKED], 0);
    bed.model.n_plans = 0;
    bed_settle(&bed);
    gated_must_all_be(&bed, 2, SAGA_SUCCEEDED);
    bed_release(&bed);
}

// Somebody waits for the saga: when its participant takes no calls for too long, it turns round.
static void test_who_waits_does_not_wait_for_ever(void **state) {
    (void)state;
    struct saga_bed bed;
    gated_open(&bed, with_breaker);
    bed.options.machine.patience[SAGA_QUICK].hold_ms = 5000;
    bed_revive(&bed);
    gated_must_pause(&bed, true);
    bed_start(&bed, &flow_pair, "one", "", NULL);
    bed_run(&bed, 4900);
    assert_int_equal(bed_status(&bed, "one"), SAGA_RUNNING);
    bed_run(&bed, 200);
    assert_int_equal(bed_status(&bed, "one"), SAGA_FAILED);
    assert_string_equal(bed_row(&bed, "one")->reason, "PARTICIPANT_HELD");
    assert_int_equal(bed.model.sent, 0);
    bed_release(&bed);
}

// ---- Sagas that do something else meanwhile -----------------------------------------------------------------------

// [E3] an action that waited when its saga turned round is never sent, and needs no compensation
static void test_an_action_that_waits_is_withdrawn_when_the_saga_turns_round(void **state) {
    (void)state;
    struct saga_bed bed;
    gated_open(&bed, (struct saga_gate_limits){.in_flight_max = 1});
    model_plan(&bed.model, "a", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(&bed, &flow_trip, "one", "", NULL);
    bed_settle(&bed);
    assert_int_equal(bed_status(&bed, "one"), SAGA_FAILED);
    assert_null(model_key(&bed.model, "one/2/1"));
    assert_int_equal(gated_seen(&bed).waiting, 0);
    bed_release(&bed);
}

// [E8] whatever an operator does to a saga whose call waits: the call does not go, and its place is free
static void test_operators_reach_sagas_whose_calls_wait(void **state) {
    (void)state;
    static const struct {
        struct saga_operation operation;
        enum saga_status end;
    } cases[] = {
        {{.act = SAGA_ACT_TERMINATE}, SAGA_TERMINATED},
        {{.act = SAGA_ACT_COMPENSATE}, SAGA_FAILED},
        {{.act = SAGA_ACT_PAUSE}, SAGA_RUNNING},
        {{.act = SAGA_ACT_RESOLVE, .step = {"debit", 5}, .outcome = OUTCOME_REJECTED}, SAGA_FAILED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct saga_bed bed;
        gated_open(&bed, (struct saga_gate_limits){0});
        gated_must_pause(&bed, true);
        bed_start(&bed, &flow_pair, "one", "", NULL);
        bed_run(&bed, 1000);
        assert_int_equal(gated_seen(&bed).waiting, 1);
        bed_must(&bed, "one", &cases[i].operation);
        bed_run(&bed, 100);
        assert_int_equal(gated_seen(&bed).waiting, 0);
        gated_must_pause(&bed, false);
        bed_run(&bed, 10000);
        assert_int_equal(bed_status(&bed, "one"), cases[i].end);
        assert_int_equal(bed.model.sent, 0);
        assert_int_equal(gated_seen(&bed).in_flight, 0);
        bed_release(&bed);
    }
}

// [E5] the process dies while calls wait: the heir has them wait again
static void test_calls_that_wait_outlive_the_process(void **state) {
    (void)state;
    struct saga_bed bed;
    gated_open(&bed, with_breaker);
    gated_must_pause(&bed, true);
    gated_start_many(&bed, &flow_order, 0);
    bed_start(&bed, &flow_order, "s0", "5", "account");
    bed_run(&bed, 1000);
    for (int i = 0; i < 3; i++) {
        bed_revive(&bed);
        bed_run(&bed, 100000);
        assert_int_equal(bed.model.sent, 0);
        assert_int_equal(gated_seen(&bed).waiting, 1);
    }
    gated_must_pause(&bed, false);
    bed_settle(&bed);
    assert_int_equal(bed_status(&bed, "s0"), SAGA_FAILED); // nobody paid
    bed_check_books(&bed);
    bed_release(&bed);
}

// ---- Calls that are no saga's -------------------------------------------------------------------------------------

static void test_calls_of_nobodys_saga_have_three_quarters_at_most(void **state) {
    (void)state;
    struct saga_bed bed;
    struct saga_pass passes[9];
    struct error error = {0};
    gated_open(&bed, (struct saga_gate_limits){
                         .in_flight_max = 8, .failures_max = 3, .open_first_ms = 1000, .open_max_ms = 1000});
    bed_run(&bed, 10);
    for (int i = 0; i < 6; i++)
        assert_true(saga_pass_begin(bed.engine, "model", &passes[i], &error));
    assert_false(saga_pass_begin(bed.engine, "model", &passes[6], &error));
    assert_int_equal(error.code, ERR_PARTICIPANT_HELD);
    gated_start_many(&bed, &flow_pair, 1); // sagas have the rest
    bed_settle(&bed);
    gated_must_all_be(&bed, 1, SAGA_SUCCEEDED);
    for (int i = 0; i < 6; i++)
        saga_pass_end(bed.engine, &passes[i], OUTCOME_UNKNOWN, ERR_PARTICIPANT_SILENT, "no answer");
    assert_int_equal(gated_seen(&bed).state, SAGA_BREAKER_OPEN); // how they end counts
    assert_string_equal(gated_seen(&bed).last_text, "no answer");
    assert_false(saga_pass_begin(bed.engine, "model", &passes[0], &error));
    bed_run(&bed, 1300);
    assert_true(saga_pass_begin(bed.engine, "model", &passes[0], &error));
    saga_pass_end(bed.engine, &passes[0], OUTCOME_OK, ERR_OK, "");
    assert_int_equal(gated_seen(&bed).state, SAGA_BREAKER_CLOSED);
    bed_release(&bed);
}

// Gates are bounded: those that nobody needs make room.
static void test_gates_that_are_idle_make_room_for_others(void **state) {
    (void)state;
    struct saga_bed bed;
    struct saga_pass pass, kept[3];
    struct error error = {0};
    char name[16];
    bed_init(&bed);
    bed.options.gates_max = 3;
    bed_open(&bed);
    bed_run(&bed, 10);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "t%d:1", i);
        assert_true(saga_pass_begin(bed.engine, name, &pass, &error));
        saga_pass_end(bed.engine, &pass, OUTCOME_OK, ERR_OK, "");
    }
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "u%d:1", i);
        assert_true(saga_pass_begin(bed.engine, name, &kept[i], &error));
    }
    assert_false(saga_pass_begin(bed.engine, "v:1", &pass, &error)); // all are in use
    bed_start(&bed, &flow_pair, "one", "", NULL);
    bed_run(&bed, 1000);
    assert_int_equal(bed.model.sent, 0);
    for (int i = 0; i < 3; i++)
        saga_pass_end(bed.engine, &kept[i], OUTCOME_OK, ERR_OK, "");
    bed_settle(&bed);
    assert_int_equal(bed_status(&bed, "one"), SAGA_SUCCEEDED);
    bed_release(&bed);
}

// Also those that did not answer, and that nobody calls any more.
static void test_gates_of_the_dead_make_room_for_others(void **state) {
    (void)state;
    struct saga_bed bed;
    struct saga_pass pass;
    struct error error = {0};
    char name[16];
    bed_init(&bed);
    bed.options.gates_max = 3;
    bed.options.other_gates = (struct saga_gate_limits){.failures_max = 1, .open_first_ms = 1000, .open_max_ms = 8000};
    bed_open(&bed);
    bed_run(&bed, 10);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "t%d:1", i);
        assert_true(saga_pass_begin(bed.engine, name, &pass, &error));
        saga_pass_end(bed.engine, &pass, OUTCOME_RETRY, ERR_PARTICIPANT_UNAVAILABLE, "nobody is there");
    }
    assert_false(saga_pass_begin(bed.engine, "v:1", &pass, &error)); // they may be called again
    bed_run(&bed, 20000);
    assert_true(saga_pass_begin(bed.engine, "v:1", &pass, &error));
    saga_pass_end(bed.engine, &pass, OUTCOME_OK, ERR_OK, "");
    bed_release(&bed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_more_calls_are_under_way_than_may),
        cmocka_unit_test(test_calls_come_no_faster_than_the_rate),
        cmocka_unit_test(test_core_goes_before_non_core),
        cmocka_unit_test(test_slow_steps_that_are_not_core_take_nothing_that_core_steps_need),
        cmocka_unit_test(test_steps_that_are_not_core_leave_half_of_the_line),
        cmocka_unit_test(test_what_waited_goes_out_behind_what_is_being_written),
        cmocka_unit_test(test_what_finds_no_room_in_line_is_put_off),
        cmocka_unit_test(test_a_paused_participant_gets_no_calls),
        cmocka_unit_test(test_what_was_admitted_before_a_pause_waits_again),
        cmocka_unit_test(test_a_pause_is_known_to_other_instances_within_a_second),
        cmocka_unit_test(test_any_target_may_be_paused),
        cmocka_unit_test_setup_teardown(test_no_more_are_paused_than_are_looked_for, bed_set_up, bed_tear_down),
        cmocka_unit_test_setup_teardown(test_no_more_are_paused_at_once_than_are_looked_for, bed_set_up, bed_tear_down),
        cmocka_unit_test_setup_teardown(test_every_pause_there_is_counts, bed_set_up, bed_tear_down),
        cmocka_unit_test_setup_teardown(test_whom_to_pause_must_be_said, bed_set_up, bed_tear_down),
        cmocka_unit_test(test_what_is_down_burns_no_attempts_and_is_not_flooded),
        cmocka_unit_test_setup_teardown(test_what_finds_no_room_on_our_side_burns_no_attempts, bed_set_up,
                                        bed_tear_down),
        cmocka_unit_test(test_a_step_behind_the_pivot_outlasts_a_long_outage),
        cmocka_unit_test(test_who_waits_does_not_wait_for_ever),
        cmocka_unit_test(test_an_action_that_waits_is_withdrawn_when_the_saga_turns_round),
        cmocka_unit_test(test_operators_reach_sagas_whose_calls_wait),
        cmocka_unit_test(test_calls_that_wait_outlive_the_process),
        cmocka_unit_test(test_calls_of_nobodys_saga_have_three_quarters_at_most),
        cmocka_unit_test(test_gates_that_are_idle_make_room_for_others),
        cmocka_unit_test(test_gates_of_the_dead_make_room_for_others),
    };
    return cmocka_run_group_tests_name("saga/engine gate", tests, NULL, NULL);
}
