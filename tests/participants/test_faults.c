// What each fault does to a call.
#include "participant/sim/v1/sim.pb-c.h"
#include "tests/cmocka.h"
#include "tests/participants/bed.h"

#define KIND(name) PARTICIPANT__SIM__V1__FAULT_KIND__FAULT_KIND_##name

static void set_fault(struct bed *bed, int kind, const char *more) {
    bed_control(bed, "SetFault", bed_text(bed, "fault.kind=%d %s", kind, more));
}

static struct bed_call freeze(const char *key) {
    return (struct bed_call){.system = "points",
                             .method = "FreezePoints",
                             .key = key,
                             .trade_no = "T1",
                             .fields = "user_id=U0001 points=100"};
}

static struct bed_answer freeze_points(struct bed *bed, const char *key) {
    struct bed_call call = freeze(key);
    return bed_ask(bed, &call);
}

static int64_t available(struct bed *bed) {
    struct bed_answer answer =
        bed_must(bed, &(struct bed_call){.system = "points", .method = "GetPoints", .fields = "user_id=U0001"});
    return fields_number(answer.message, "available");
}

static void test_a_delay_is_as_long_as_it_says(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(DELAY), "fault.delay_ms=700");
    int64_t start_ms = bed_now(bed);
    struct bed_answer answer = freeze_points(bed, "T1/a");
    assert_verdict(bed, &answer, "APPLIED");
    assert_int_equal(bed_now(bed) - start_ms, 700);
}

static void test_unavailable_says_that_nothing_was_done(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(UNAVAILABLE), "fault.count=1");
    struct bed_answer answer = freeze_points(bed, "T1/a");
    assert_int_equal(answer.outcome, OUTCOME_RETRY);
    assert_string_equal(answer.reason, "RETRY");
    assert_int_equal(available(bed), 5000);
}

static void test_an_error_leaves_the_caller_in_doubt_and_does_nothing(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(ERROR), "fault.count=1");
    struct bed_answer answer = freeze_points(bed, "T1/a");
    assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
    assert_int_equal(available(bed), 5000);
}

static void test_no_answer_takes_effect_and_lets_the_deadline_pass(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(NO_ANSWER), "fault.count=1");
    int64_t start_ms = bed_now(bed);
    struct bed_call call = freeze("T1/a");
    call.deadline_ms = 2500;
    struct bed_answer answer = bed_ask(bed, &call);
    assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
    assert_int_equal(bed_now(bed) - start_ms, 2500);
    assert_int_equal(available(bed), 4900);
}

static void test_a_slow_drip_answers_just_in_time(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(SLOW_DRIP), "fault.count=1 fault.delay_ms=30");
    int64_t start_ms = bed_now(bed);
    struct bed_call call = freeze("T1/a");
    call.deadline_ms = 2500;
    struct bed_answer answer = bed_ask(bed, &call);
    assert_verdict(bed, &answer, "APPLIED");
    assert_int_equal(bed_now(bed) - start_ms, 2470);
}

static void test_a_rejection_has_the_code_that_was_asked_for(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(REJECT), "fault.count=1 fault.code=NOT_TODAY");
    struct bed_answer answer = freeze_points(bed, "T1/a");
    assert_verdict(bed, &answer, "REJECTED NOT_TODAY");
    assert_int_equal(available(bed), 5000);
}

static void test_a_system_that_is_down_refuses_everything_and_others_do_not(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(DOWN), "fault.system=points");
    struct bed_answer action = freeze_points(bed, "T1/a");
    struct bed_answer read =
        bed_ask(bed, &(struct bed_call){.system = "points", .method = "GetPoints", .fields = "user_id=U0001"});
    assert_int_not_equal(action.outcome, OUTCOME_OK);
    assert_int_not_equal(read.outcome, OUTCOME_OK);
    bed_must(bed, &(struct bed_call){.system = "user", .method = "GetUser", .fields = "user_id=U0001"});
    bed_control(bed, "ClearFaults", "system=points");
    action = freeze_points(bed, "T1/a");
    assert_verdict(bed, &action, "APPLIED");
}

static void test_a_fault_can_be_for_one_user_or_one_trade(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(REJECT), "fault.user_id=U0002 fault.code=THIS_USER");
    set_fault(bed, KIND(REJECT), "fault.key_prefix=T9/ fault.code=THIS_TRADE");
    struct bed_answer neither = freeze_points(bed, "T1/a"), trade = freeze_points(bed, "T9/a");
    struct bed_call call = freeze("T1/b");
    call.fields = "user_id=U0002 points=100";
    struct bed_answer user = bed_ask(bed, &call);
    assert_verdict(bed, &neither, "APPLIED");
    assert_verdict(bed, &trade, "REJECTED THIS_TRADE");
    assert_verdict(bed, &user, "REJECTED THIS_USER");
}

static void test_a_fault_ends_after_its_count_and_is_listed_until_then(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(UNAVAILABLE), "fault.system=points fault.count=2");
    struct bed_answer listed = bed_control(bed, "ListFaults", "");
    assert_int_equal(fields_count(listed.message, "faults"), 1);
    assert_int_equal(fields_number(listed.message, "faults[0].count"), 2);
    assert_int_equal(freeze_points(bed, "T1/a").outcome, OUTCOME_RETRY);
    assert_int_equal(freeze_points(bed, "T1/a").outcome, OUTCOME_RETRY);
    assert_int_equal(freeze_points(bed, "T1/a").outcome, OUTCOME_OK);
    listed = bed_control(bed, "ListFaults", "");
    assert_int_equal(fields_count(listed.message, "faults"), 0);
    assert_int_equal(bed_stat(bed, "points", "faults_fired"), 2);
}

// Which of 200 calls met the fault, as a text of 0 and 1.
static void throw_dice(struct bed *bed, char out[201]) {
    set_fault(bed, KIND(UNAVAILABLE), "fault.system=user fault.permille=250");
    for (int i = 0; i < 200; i++) {
        struct bed_answer answer =
            bed_ask(bed, &(struct bed_call){.system = "user", .method = "GetUser", .fields = "user_id=U0001"});
        out[i] = answer.outcome == OUTCOME_OK ? '0' : '1';
    }
    out[200] = '\0';
}

static void test_chances_are_about_right_and_the_same_for_the_same_seed(void **state) {
    struct bed *bed = *state;
    char first[201], second[201], other[201];
    throw_dice(bed, first);
    bed_crash(bed);
    throw_dice(bed, second);
    bed->sims.options.fault_seed = 2;
    bed_crash(bed);
    throw_dice(bed, other);
    assert_string_equal(first, second);
    assert_string_not_equal(first, other);
    int fired = 0;
    for (const char *at = first; *at; at++)
        fired += *at == '1';
    assert_in_range(fired, 25, 75);
}

static void assert_malformed(struct bed *bed, const char *fields) {
    struct rpc_method method = {.service = &participant__sim__v1__sim_control_service__descriptor, .name = "SetFault"};
    ProtobufCMessage *request = fields_make(rpc_method_request(&method), fields, &bed->arena);
    struct bed_answer answer;
    bed_send_message(bed, &method, request, &answer);
    bed_wait(bed, &answer);
    assert_string_equal(answer.reason, "INVALID_REQUEST");
}

static void test_a_malformed_fault_is_refused(void **state) {
    struct bed *bed = *state;
    assert_malformed(bed, "");
    assert_malformed(bed, "fault.kind=99");
    assert_malformed(bed, "fault.kind=5");
    assert_malformed(bed, "fault.kind=1 fault.delay_ms=-1");
    assert_malformed(bed, "fault.kind=2 fault.permille=1001");
    assert_malformed(bed, "fault.kind=2 fault.system=nothing");
}

static void test_faults_have_a_bound(void **state) {
    struct bed *bed = *state;
    for (int i = 0; i < 256; i++)
        set_fault(bed, KIND(UNAVAILABLE), "fault.system=push");
    struct rpc_method method = {.service = &participant__sim__v1__sim_control_service__descriptor, .name = "SetFault"};
    struct bed_answer answer;
    bed_send_message(bed, &method, fields_make(rpc_method_request(&method), "fault.kind=2", &bed->arena), &answer);
    bed_wait(bed, &answer);
    assert_string_equal(answer.reason, "OVERLOADED");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_delay_is_as_long_as_it_says),
        TEST(test_unavailable_says_that_nothing_was_done),
        TEST(test_an_error_leaves_the_caller_in_doubt_and_does_nothing),
        TEST(test_no_answer_takes_effect_and_lets_the_deadline_pass),
        TEST(test_a_slow_drip_answers_just_in_time),
        TEST(test_a_rejection_has_the_code_that_was_asked_for),
        TEST(test_a_system_that_is_down_refuses_everything_and_others_do_not),
        TEST(test_a_fault_can_be_for_one_user_or_one_trade),
        TEST(test_a_fault_ends_after_its_count_and_is_listed_until_then),
        TEST(test_chances_are_about_right_and_the_same_for_the_same_seed),
        TEST(test_a_malformed_fault_is_refused),
        TEST(test_faults_have_a_bound),
    };
    return cmocka_run_group_tests_name("faults of calls", tests, NULL, NULL);
}
