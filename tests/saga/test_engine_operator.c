// What operators do to sagas: durable, audited, refused when it does not fit, once for one request, whatever dies.
#include "tests/cmocka.h"
#include "tests/saga/bed.h"

#include <stdio.h>
#include <stdlib.h>

static const struct saga_operation retry = {.act = SAGA_ACT_RETRY}, skip = {.act = SAGA_ACT_SKIP},
                                   compensate = {.act = SAGA_ACT_COMPENSATE}, pause = {.act = SAGA_ACT_PAUSE},
                                   go_on = {.act = SAGA_ACT_RESUME}, terminate = {.act = SAGA_ACT_TERMINATE};

static struct saga_operation resolve(const char *step, enum outcome outcome, const char *answer) {
    return (struct saga_operation){
        .act = SAGA_ACT_RESOLVE, .step = str_c(step), .outcome = outcome, .answer = str_c(answer)};
}

static enum leg_state state_of(struct saga_bed *bed, const char *gid, uint16_t step) {
    struct saga_instance saga = bed_instance(bed, gid);
    enum leg_state state = saga_instance_leg(&saga, step, 0)->state;
    saga_instance_release(&saga);
    return state;
}

static const struct attempt_row *late_attempts(struct saga_bed *bed, size_t expected) {
    size_t n;
    struct store_query query = {
        .table = &attempt_table, .conds = {{.column = "reason", .cmp = STORE_EQ, .text = STR("LATE")}}, .limit = 100};
    const struct attempt_row *rows = bed_rows(bed, &query, &n);
    assert_int_equal(n, expected);
    return rows;
}

// Behind its pivot, with d parked.
static void parked(struct saga_bed *bed, const char *gid) {
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_trip, gid, "", NULL);
    bed_settle(bed);
    assert_true(bed_parked(bed, gid));
}

// ---- Skip ---------------------------------------------------------------------------------------------------------

// [E8]
static void test_a_skipped_step_counts_as_done_and_is_audited(void **state) {
    struct saga_bed *bed = *state;
    parked(bed, "one");
    bed_must(bed, "one", &skip);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(state_of(bed, "one", 5), LEG_SKIPPED);
    const struct audit_row *row = bed_audits(bed, 1);
    assert_string_equal(row->action, "skip");
    assert_string_equal(row->gid, "one");
    assert_string_equal(row->caller, "operator");
    assert_string_equal(row->before, "forward, parked");
    assert_string_equal(row->after, "forward");
    assert_string_equal(row->detail, "d was parked");
    bed_refused(bed, "one", &skip, ERR_SAGA_STATE); // it has ended
    bed_check_books(bed);
}

static void test_which_step_is_meant_must_be_said_when_several_are_parked(void **state) {
    struct saga_bed *bed = *state;
    struct saga_operation named = skip;
    model_plan(&bed->model, "extra", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    parked(bed, "one");
    bed_refused(bed, "one", &skip, ERR_SAGA_STATE);
    named.step = STR("nothing");
    bed_refused(bed, "one", &named, ERR_SAGA_STATE);
    named.step = STR("d");
    named.leg = 1;
    bed_refused(bed, "one", &named, ERR_SAGA_STATE);
    named.leg = 0;
    bed_must(bed, "one", &named);
    bed_settle(bed);
    bed_must(bed, "one", &skip); // it is the only one now
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    bed_audits(bed, 2);
}

// ---- What the flow has to say -------------------------------------------------------------------------------------

static void test_a_decision_is_nobody_elses_unless_the_flow_says_what_it_means(void **state) {
    struct saga_bed *bed = *state;
    struct saga_operation ok = resolve("know", OUTCOME_OK, "");
    model_plan(&bed->model, "know", SAGA_INQUIRE, MODEL_AGAIN, 3, 0);
    bed_start(bed, &flow_ask, "ask", "", NULL);
    bed_start(bed, &flow_desk, "desk", "", "account");
    bed_settle(bed);
    bed_refused(bed, "ask", &skip, ERR_SAGA_STATE);
    bed_refused(bed, "ask", &ok, ERR_SAGA_STATE);
    bed_audits(bed, 0);
    bed_must(bed, "desk", &skip);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "desk"), SAGA_SUCCEEDED);
    assert_string_equal(bed_account(bed, "account")->note, "skip OK: tried again; succeeded");
}

static void test_a_decision_may_be_stated_to_be_refused(void **state) {
    struct saga_bed *bed = *state;
    struct saga_operation no = resolve("judge", OUTCOME_REJECTED, "");
    bed_start(bed, &flow_desk, "desk", "", "account");
    bed_settle(bed);
    bed_must(bed, "desk", &no);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "desk"), SAGA_FAILED);
    assert_string_equal(bed_row(bed, "desk")->text, "tried again");
    bed_check_books(bed);
}

// [E8] refused when the subject does not allow it; nothing is changed and nothing audited
static void test_the_flow_may_refuse(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    bed_start(bed, &flow_desk, "desk", "", "account");
    bed_settle(bed);
    bed_pay(bed, "account", "yes", 0, NULL, &reply);
    bed_wait(bed, &reply);
    bed_refused(bed, "desk", &compensate, ERR_SAGA_STATE);
    bed_pay(bed, "account", "no", 0, NULL, &reply);
    bed_wait(bed, &reply);
    bed_audits(bed, 0);
    bed_must(bed, "desk", &compensate);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "desk"), SAGA_FAILED);
    bed_check_books(bed);
}

static void test_an_answer_that_the_flow_does_not_know_is_refused(void **state) {
    struct saga_bed *bed = *state;
    struct saga_operation nonsense = resolve("reserve", OUTCOME_OK, "nonsense"),
                          good = resolve("reserve", OUTCOME_OK, "answer of mine");
    model_plan(&bed->model, "reserve", SAGA_ACTION, MODEL_SLOW, 1, 60000);
    bed_start(bed, &flow_desk, "desk", "", "account");
    bed_run(bed, 100);
    bed_refused(bed, "desk", &nonsense, ERR_INVALID_REQUEST);
    bed_must(bed, "desk", &good);
    assert_string_equal(bed_account(bed, "account")->note, "action OK: answer of mine tried again");
}

// ---- Compensate ---------------------------------------------------------------------------------------------------

// [E8] [E3]
static void test_a_saga_that_waits_turns_round_when_told_to(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_order, "one", "5", "account");
    bed_run(bed, 1000);
    assert_int_equal(bed_account(bed, "account")->amount, 5);
    bed_must(bed, "one", &compensate);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_FAILED);
    assert_string_equal(bed_row(bed, "one")->reason, "STOPPED_BY_OPERATOR");
    assert_string_equal(bed_row(bed, "one")->text, "tried again");
    assert_int_equal(bed_account(bed, "account")->amount, 0);
    assert_string_equal(bed_audits(bed, 1)->after, "compensating");
    bed_check_books(bed);
}

// [E12]
static void test_what_is_past_its_pivot_or_may_be_is_not_compensated(void **state) {
    struct saga_bed *bed = *state;
    parked(bed, "past");
    model_plan(&bed->model, "pivot", SAGA_ACTION, MODEL_LOST_ANSWER, 1, 0);
    model_plan(&bed->model, "pivot", SAGA_INQUIRE, MODEL_AGAIN, 2, 0);
    bed_start(bed, &flow_trip, "unknown", "", NULL);
    bed_settle(bed);
    bed_refused(bed, "past", &compensate, ERR_SAGA_STATE);
    bed_refused(bed, "unknown", &compensate, ERR_SAGA_STATE);
    bed_revive(bed);
    bed_refused(bed, "unknown", &compensate, ERR_SAGA_STATE);
    assert_int_equal(model_requests(&bed->model, "unknown/1/1", SAGA_COMPENSATE), 0);
}

// ---- Resolve ------------------------------------------------------------------------------------------------------

// [E8] [E12]
static void test_an_unknown_pivot_takes_the_outcome_that_is_stated(void **state) {
    struct saga_bed *bed = *state;
    struct saga_operation ok = resolve("pivot", OUTCOME_OK, "as if it had answered"),
                          no = resolve("pivot", OUTCOME_REJECTED, "");
    const char *gids[] = {"ok", "no"};
    for (int i = 0; i < 2; i++) {
        model_plan(&bed->model, "pivot", SAGA_ACTION, i ? MODEL_LOST_REQUEST : MODEL_LOST_ANSWER, 1, 0);
        model_plan(&bed->model, "pivot", SAGA_INQUIRE, MODEL_AGAIN, 2, 0);
        bed_start(bed, &flow_trip, gids[i], "", NULL);
        bed_settle(bed);
        assert_true(bed_parked(bed, gids[i]));
    }
    bed_must(bed, "ok", &ok);
    bed_must(bed, "no", &no);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "ok"), SAGA_SUCCEEDED);
    assert_int_equal(bed_status(bed, "no"), SAGA_FAILED);
    assert_non_null(strstr(model_key(&bed->model, "ok/5/1")->bodies[SAGA_ACTION], "4=as if it had answered"));
    assert_string_equal(bed_audits(bed, 2)->detail, "pivot was parked, is OK");
    bed_check_books(bed);
}

// [E9] [E8] an answer that comes after its step was resolved is written down, and decides nothing
static void test_the_answer_of_a_resolved_step_comes_late(void **state) {
    struct saga_bed *bed = *state;
    struct saga_operation ok = resolve("debit", OUTCOME_OK, "mine");
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_SLOW, 1, 900);
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_SLOW, 1, 5000);
    bed_start(bed, &flow_pair, "one", "", NULL);
    bed_run(bed, 100);
    bed_must(bed, "one", &ok);
    bed_run(bed, 2000);
    const struct attempt_row *row = late_attempts(bed, 1);
    assert_true(row->step_id == 1 && row->outcome == OUTCOME_OK && row->op == SAGA_ACTION);
    bed_events(bed, "saga.late_answer", 1);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_non_null(strstr(model_key(&bed->model, "one/2/1")->bodies[SAGA_ACTION], "1=mine"));
}

// [E12] it came while the saga was being written, so the operator's word is heard before it: what it says is about the
// key that was refused, not about the one that was sent since
static void test_an_answer_that_waited_is_not_taken_for_that_of_the_next_generation(void **state) {
    struct saga_bed *bed = *state;
    struct saga_operation refused = resolve("d", OUTCOME_REJECTED, "");
    struct bed_reply replies[3];
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_SLOW, 1, 900);
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_AGAIN, 1, 0);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_run(bed, 500);
    bed->holds = true;
    bed_signal(bed, "one", "paid", "1", &replies[0]);
    bed_run(bed, 1000);
    bed_operate(bed, "one", &refused, &replies[1]);
    bed_operate(bed, "one", &retry, &replies[2]);
    bed->holds = false;
    for (int i = 0; i < 3; i++) {
        bed_wait(bed, &replies[i]);
        assert_int_equal(replies[i].code, ERR_OK);
    }
    bed_settle(bed);
    assert_int_equal(late_attempts(bed, 1)->outcome, OUTCOME_OK);
    assert_int_equal(model_state(&bed->model, "one/5/2"), MODEL_APPLIED);
    assert_int_equal(model_requests(&bed->model, "one/5/2", SAGA_ACTION), 2);
}

static void test_what_is_stated_has_a_form(void **state) {
    struct saga_bed *bed = *state;
    static char large[SAGA_ANSWER_MAX + 2];
    memset(large, 'x', SAGA_ANSWER_MAX + 1);
    const struct saga_operation bad[] = {
        resolve("d", OUTCOME_OK, large),
        resolve("d", OUTCOME_REJECTED, "an answer"),
        resolve("d", OUTCOME_UNKNOWN, ""),
        resolve("\xff", OUTCOME_OK, ""),
        {.act = SAGA_ACT_SKIP, .step = STR("d"), .leg = SAGA_LEGS_MAX},
        {.act = SAGA_ACT_PAUSE, .reason = {"", 0}},
    };
    parked(bed, "one");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        bed_refused(bed, "one", &bad[i], ERR_INVALID_REQUEST);
    static const char too_long[SAGA_GID_MAX + 2] = {[0 ... SAGA_GID_MAX] = 'g'};
    const struct saga_operation good = {.act = SAGA_ACT_RETRY};
    bed_refused(bed, too_long, &good, ERR_SAGA_NOT_FOUND);
    bed_refused(bed, "", &good, ERR_SAGA_NOT_FOUND);
    bed_audits(bed, 0);
}

// ---- Pause --------------------------------------------------------------------------------------------------------

// [E8] [E5] nothing is sent and nothing decided while it is paused; what answered meanwhile is not asked for again
static void test_a_paused_saga_does_nothing_until_it_is_resumed(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "a", SAGA_ACTION, MODEL_SLOW, 1, 500);
    model_plan(&bed->model, "b", SAGA_ACTION, MODEL_AGAIN, 1, 0);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_run(bed, 1);
    bed_must(bed, "one", &pause);
    assert_true(bed_row(bed, "one")->paused == 1 && bed_row(bed, "one")->due_ms == SAGA_DUE_PARKED);
    bed_run(bed, 3600000);
    assert_int_equal(bed->model.sent, 2);
    bed_refused(bed, "one", &pause, ERR_SAGA_STATE);
    bed_refused(bed, "one", &retry, ERR_SAGA_STATE);
    bed_must(bed, "one", &go_on);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(model_requests(&bed->model, "one/1/1", SAGA_ACTION), 1);
    assert_int_equal(model_requests(&bed->model, "one/2/1", SAGA_ACTION), 2);
    const struct audit_row *rows = bed_audits(bed, 2);
    assert_string_equal(rows[0].after, "running, paused");
    assert_string_equal(rows[1].before, "running, paused");
    bed_check_books(bed);
}

// [E8] durable: another process leaves it alone, keeps what was kept, and asks for the rest again
static void test_a_pause_outlives_the_process(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "b", SAGA_ACTION, MODEL_SLOW, 1, 900);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_run(bed, 1);
    bed_must(bed, "one", &pause);
    bed_run(bed, 100); // a has answered, b has not
    bed_revive(bed);
    bed_run(bed, 3600000);
    assert_int_equal(bed->model.sent, 2);
    bed_must(bed, "one", &go_on);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(model_requests(&bed->model, "one/1/1", SAGA_ACTION), 1);
    assert_int_equal(model_requests(&bed->model, "one/2/1", SAGA_INQUIRE), 1);
    bed_check_books(bed);
}

// [E10] a signal to a paused saga is acknowledged when it is durable, and taken when it goes on
static void test_a_paused_saga_takes_signals_in(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    bed_start(bed, &flow_await, "one", "", NULL);
    bed_run(bed, 1000);
    bed_must(bed, "one", &pause);
    bed_signal(bed, "one", "paid", "1", &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_OK);
    bed_run(bed, 1000000); // past the await's time
    assert_int_equal(state_of(bed, "one", 2), LEG_WAITING);
    bed_must(bed, "one", &go_on);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
}

static void test_a_paused_parent_hears_of_its_child_when_it_goes_on(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_parent, "one", "", NULL);
    bed_must(bed, "one", &pause);
    bed_run(bed, 10000);
    assert_int_equal(bed_status(bed, "one/child1"), SAGA_SUCCEEDED);
    assert_int_equal(state_of(bed, "one", 1), LEG_WAITING);
    bed_revive(bed);
    bed_must(bed, "one", &go_on);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    bed_check_books(bed);
}

static void test_a_paused_saga_turns_round_when_it_goes_on(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_SLOW, 1, 300);
    bed_start(bed, &flow_pair, "one", "", NULL);
    while (state_of(bed, "one", 2) != LEG_RUNNING && model_requests(&bed->model, "one/2/1", SAGA_ACTION) == 0)
        assert_true(bed_step(bed));
    bed_must(bed, "one", &pause);
    bed_run(bed, 5000);
    assert_int_equal(bed_status(bed, "one"), SAGA_RUNNING);
    bed_must(bed, "one", &go_on);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_FAILED);
    bed_check_books(bed);
}

// ---- Terminate ----------------------------------------------------------------------------------------------------

// [E8] [E9] what is in mid-air is listed; what answers later is written down
static void test_a_terminated_saga_ends_as_it_stands(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "a", SAGA_ACTION, MODEL_SLOW, 1, 800);
    model_plan(&bed->model, "b", SAGA_ACTION, MODEL_LOST_ANSWER, 1, 0);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_run(bed, 100);
    bed_must(bed, "one", &terminate);
    assert_int_equal(bed_status(bed, "one"), SAGA_TERMINATED);
    const struct saga_row *row = bed_row(bed, "one");
    assert_true(row->due_ms == INT64_MAX && row->ended_ms > 0);
    assert_string_equal(row->reason, "STOPPED_BY_OPERATOR");
    assert_string_equal(bed_audits(bed, 1)->detail, "in mid-air: a running, b running");
    assert_int_equal(bed->notices[SAGA_NOTICE_ENDED], 1);
    bed_run(bed, 10000);
    const struct attempt_row *late = late_attempts(bed, 2);
    assert_true(late[0].step_id == 1 && late[0].outcome == OUTCOME_OK);
    assert_true(late[1].step_id == 2 && late[1].outcome == OUTCOME_UNKNOWN);
    bed_events(bed, "saga.late_answer", 2);
    bed_events(bed, "saga.ended", 1);
    assert_int_equal(bed->model.sent, 2);
    bed_refused(bed, "one", &terminate, ERR_SAGA_STATE);
    bed_refused(bed, "nobody", &terminate, ERR_SAGA_NOT_FOUND);
}

// [E9] what was kept while it was paused is not lost either
static void test_what_a_paused_saga_kept_comes_late_when_it_is_terminated(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_SLOW, 1, 500);
    bed_start(bed, &flow_pair, "one", "", NULL);
    bed_must(bed, "one", &pause);
    bed_run(bed, 1000);
    bed_must(bed, "one", &terminate);
    assert_string_equal(bed_audits(bed, 2)[1].detail, "in mid-air: debit running");
    assert_int_equal(late_attempts(bed, 1)->outcome, OUTCOME_OK);
}

// [E8] its flow hears of it
static void test_the_flow_hears_that_it_was_terminated(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_order, "one", "5", "account");
    bed_run(bed, 1000);
    bed_must(bed, "one", &terminate);
    assert_string_equal(bed_account(bed, "account")->note, "terminated");
}

static const struct {
    const struct saga_flow *flow;
    const char *account;
    const char *step; // that is refused, so that it turns round or parks; NULL: none
} lives[] = {{&flow_pair, NULL, NULL},      {&flow_pair, NULL, "credit"},      {&flow_trip, NULL, NULL},
             {&flow_trip, NULL, "c"},       {&flow_trip, NULL, "d"},           {&flow_order, "account", NULL},
             {&flow_await, NULL, NULL},     {&flow_parent, NULL, NULL},        {&flow_ask, NULL, NULL},
             {&flow_desk, "account", NULL}, {&flow_desk, "account", "reserve"}};
enum { LIVES = sizeof lives / sizeof lives[0], MOMENTS = 60 };

// [E8] terminate always works: at every moment of every life, also right after the process died
static void test_terminate_works_at_every_moment(void **state) {
    (void)state;
    for (size_t life = 0; life < LIVES; life++)
        for (unsigned moment = 0; moment < MOMENTS; moment++) {
            struct saga_bed bed;
            struct bed_reply reply;
            bed_init(&bed);
            bed_open(&bed);
            if (lives[life].step)
                model_plan(&bed.model, lives[life].step, SAGA_ACTION, MODEL_REFUSE, 1, 0);
            bed_start(&bed, lives[life].flow, "one", "", lives[life].account);
            for (unsigned i = 0; i < moment; i++)
                bed_step(&bed);
            if (moment % 3 == 0)
                bed_revive(&bed);
            bed_operate(&bed, "one", &terminate, &reply);
            bed_wait(&bed, &reply);
            if (reply.code != ERR_OK && reply.code != ERR_SAGA_STATE)
                fail_msg("%s at moment %u: %s", lives[life].flow->name, moment, reply.text);
            enum saga_status status = bed_status(&bed, "one");
            assert_true(reply.code == ERR_OK ? status == SAGA_TERMINATED
                                             : status == SAGA_SUCCEEDED || status == SAGA_FAILED);
            bed_settle(&bed);
            bed_revive(&bed);
            bed_settle(&bed);
            assert_int_equal(bed_status(&bed, "one"), status);
            bed_release(&bed);
        }
}

// [E8] [E14] also a saga that brings its process down: it need not be able to go on
static void test_a_saga_that_waits_for_its_trial_can_be_terminated(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "a", SAGA_ACTION, MODEL_KILLS, 100, 0);
    bed_start(bed, &flow_trip, "killer", "", NULL);
    while (bed_row(bed, "killer")->resume_count < 3)
        assert_true(bed_step(bed));
    bed_revive(bed);
    bed_run(bed, 100);
    unsigned deaths = bed->deaths;
    bed_must(bed, "killer", &terminate);
    bed_run(bed, 60000);
    assert_int_equal(bed_status(bed, "killer"), SAGA_TERMINATED);
    assert_int_equal(bed->deaths, deaths);
}

// [E8] a terminated child is a failed one to its parent, with the reason
static void test_a_terminated_child_fails_its_parents_step(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_SLOW, 1, 900);
    bed_start(bed, &flow_parent, "one", "", NULL);
    bed_run(bed, 100);
    bed_must(bed, "one/child1", &terminate);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_FAILED);
    assert_string_equal(bed_row(bed, "one")->reason, "STOPPED_BY_OPERATOR");
    assert_string_equal(bed_row(bed, "one")->text, "the child saga was terminated");
}

static void test_the_child_of_a_terminated_parent_ends_on_its_own(void **state) {
    struct saga_bed *bed = *state;
    for (int loaded = 0; loaded < 2; loaded++) {
        const char *gid = loaded ? "two" : "one", *child = loaded ? "two/child1" : "one/child1";
        model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_SLOW, 1, 900);
        bed_start(bed, &flow_parent, gid, "", NULL);
        bed_run(bed, 100);
        bed_must(bed, gid, &terminate);
        assert_string_equal(bed_audits(bed, (size_t)loaded + 1)[loaded].detail,
                            "in mid-air: child waiting (its child goes on)");
        if (loaded)
            bed_revive(bed);
        bed_settle(bed);
        assert_int_equal(bed_status(bed, child), SAGA_SUCCEEDED);
        assert_int_equal(bed_status(bed, gid), SAGA_TERMINATED);
    }
    bed_run(bed, 1000);
    assert_int_equal(bed_stats(bed).resident, 0);
}

// ---- Requests -----------------------------------------------------------------------------------------------------

struct asked {
    struct saga_bed *bed;
    const char *gid;
    const struct saga_operation *operation;
    struct request_entry *entry;
    struct bed_reply reply;
};

static void made(void *ctx, struct saga_turn *turn) {
    struct asked *asked = ctx;
    request_made(asked->entry, turn, str_c(asked->gid), STR_NONE, NULL);
    asked->entry = NULL;
}

static void operated(void *ctx, const struct error *error) {
    struct asked *asked = ctx;
    if (asked->entry)
        request_dropped(asked->entry);
    bed_replied(&asked->reply, error);
}

static void begun(void *ctx, enum request_verdict verdict, struct request_entry *entry, const struct request_row *row,
                  const struct error *error) {
    struct asked *asked = ctx;
    struct saga_operation operation = *asked->operation;
    (void)row;
    operation.caller = STR("olga");
    operation.reason = STR("why");
    operation.also = made;
    asked->entry = entry;
    if (verdict == REQUEST_NEW)
        saga_operate(asked->bed->engine, str_c(asked->gid), &operation, operated, asked);
    else
        bed_replied(&asked->reply, error);
}

// As a caller does who wants an answer, over whatever dies.
static enum err insist(struct saga_bed *bed, const char *gid, const struct saga_operation *operation) {
    static struct asked asked[100];
    for (int i = 0; i < 100; i++) {
        const struct request_id id = {.caller = STR("olga"), .id = STR("r-1"), .method = "Test", .body = str_c(gid)};
        asked[i] = (struct asked){.bed = bed, .gid = gid, .operation = operation};
        unsigned deaths = bed->deaths;
        request_begin(bed->requests, &id, begun, &asked[i]);
        while (!asked[i].reply.came && bed->deaths == deaths)
            assert_true(bed_step(bed));
        if (asked[i].reply.came && asked[i].reply.code != ERR_SHUTTING_DOWN)
            return asked[i].reply.code;
    }
    fail_msg("there is never an answer");
    return ERR_INTERNAL;
}

// Each action, and the saga that it fits.
static void prepare(struct saga_bed *bed, enum saga_act act) {
    switch (act) {
    case SAGA_ACT_RETRY:
    case SAGA_ACT_SKIP:
    case SAGA_ACT_RESOLVE: parked(bed, "one"); break;
    case SAGA_ACT_RESUME:
        bed_start(bed, &flow_await, "one", "", NULL);
        bed_run(bed, 1000);
        bed_must(bed, "one", &pause);
        break;
    default:
        bed_start(bed, &flow_await, "one", "", NULL);
        bed_run(bed, 1000);
        break;
    }
}

// [E8] [E2] killed at each durable point of an action, before it and after it: it is done once
static void test_an_action_is_done_once_whatever_dies(void **state) {
    (void)state;
    struct saga_operation operations[SAGA_ACTS] = {retry, skip,  compensate, resolve("", OUTCOME_OK, ""),
                                                   pause, go_on, terminate};
    static const enum saga_status ends[SAGA_ACTS] = {SAGA_SUCCEEDED, SAGA_SUCCEEDED, SAGA_FAILED,    SAGA_SUCCEEDED,
                                                     SAGA_RUNNING,   SAGA_FAILED,    SAGA_TERMINATED};
    for (int act = 0; act < SAGA_ACTS; act++)
        for (int death = BED_BEFORE_COMMIT; death <= BED_AFTER_TELLING; death++)
            for (int64_t at = 1; at <= 3; at++) {
                struct saga_bed bed;
                bed_init(&bed);
                bed_open(&bed);
                prepare(&bed, (enum saga_act)act);
                size_t before = bed_count(&bed, &audit_table);
                bed.death = (enum bed_death)death;
                bed.death_at = bed.commits + at;
                assert_int_equal(insist(&bed, "one", &operations[act]), ERR_OK);
                bed_settle(&bed);
                assert_int_equal(insist(&bed, "one", &operations[act]),
                                 ERR_OK); // asked for again, it is answered alike
                assert_int_equal(bed_count(&bed, &audit_table), before + 1);
                bed_run(&bed, 700000);
                bed_settle(&bed);
                assert_int_equal(bed_status(&bed, "one"), ends[act]);
                assert_int_equal(bed_row(&bed, "one")->paused, act == SAGA_ACT_PAUSE);
                bed_release(&bed);
            }
}

// A saga that is being written answers when it is; two who want the same get one of it.
static void test_of_two_operators_one_comes_late(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply replies[SAGA_ACTS];
    static const struct saga_operation *const both[] = {&terminate, &retry, &skip};
    parked(bed, "one");
    bed->holds = true;
    for (int i = 0; i < 3; i++)
        bed_operate(bed, "one", both[i], &replies[i]);
    bed_run(bed, 1000);
    bed->holds = false;
    for (int i = 0; i < 3; i++) {
        bed_wait(bed, &replies[i]);
        assert_int_equal(replies[i].code, i == 0 ? ERR_OK : ERR_SAGA_STATE);
    }
    bed_audits(bed, 1);
}

static void test_an_action_that_can_not_be_written_is_not_done(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    parked(bed, "one");
    bed->faults.fail_commit_at = 1;
    bed->faults.fail_result = BACKEND_FULL;
    bed_operate(bed, "one", &skip, &reply);
    bed_wait(bed, &reply);
    if (reply.code == ERR_OK) // tried again until there was room
        bed_settle(bed);
    assert_true(reply.code == ERR_OK || reply.code == ERR_STORE_FULL);
    bed_settle(bed);
    assert_int_equal(bed_count(bed, &audit_table), reply.code == ERR_OK);
    assert_true(bed_parked(bed, "one") == (reply.code != ERR_OK));
}

#define OVER_A_BED(test) cmocka_unit_test_setup_teardown(test, bed_set_up, bed_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        OVER_A_BED(test_a_skipped_step_counts_as_done_and_is_audited),
        OVER_A_BED(test_which_step_is_meant_must_be_said_when_several_are_parked),
        OVER_A_BED(test_a_decision_is_nobody_elses_unless_the_flow_says_what_it_means),
        OVER_A_BED(test_a_decision_may_be_stated_to_be_refused),
        OVER_A_BED(test_the_flow_may_refuse),
        OVER_A_BED(test_an_answer_that_the_flow_does_not_know_is_refused),
        OVER_A_BED(test_a_saga_that_waits_turns_round_when_told_to),
        OVER_A_BED(test_what_is_past_its_pivot_or_may_be_is_not_compensated),
        OVER_A_BED(test_an_unknown_pivot_takes_the_outcome_that_is_stated),
        OVER_A_BED(test_the_answer_of_a_resolved_step_comes_late),
        OVER_A_BED(test_an_answer_that_waited_is_not_taken_for_that_of_the_next_generation),
        OVER_A_BED(test_what_is_stated_has_a_form),
        OVER_A_BED(test_a_paused_saga_does_nothing_until_it_is_resumed),
        OVER_A_BED(test_a_pause_outlives_the_process),
        OVER_A_BED(test_a_paused_saga_takes_signals_in),
        OVER_A_BED(test_a_paused_parent_hears_of_its_child_when_it_goes_on),
        OVER_A_BED(test_a_paused_saga_turns_round_when_it_goes_on),
        OVER_A_BED(test_a_terminated_saga_ends_as_it_stands),
        OVER_A_BED(test_what_a_paused_saga_kept_comes_late_when_it_is_terminated),
        OVER_A_BED(test_the_flow_hears_that_it_was_terminated),
        cmocka_unit_test(test_terminate_works_at_every_moment),
        OVER_A_BED(test_a_saga_that_waits_for_its_trial_can_be_terminated),
        OVER_A_BED(test_a_terminated_child_fails_its_parents_step),
        OVER_A_BED(test_the_child_of_a_terminated_parent_ends_on_its_own),
        cmocka_unit_test(test_an_action_is_done_once_whatever_dies),
        OVER_A_BED(test_of_two_operators_one_comes_late),
        OVER_A_BED(test_an_action_that_can_not_be_written_is_not_done),
    };
    return cmocka_run_group_tests_name("saga/engine operator", tests, NULL, NULL);
}
