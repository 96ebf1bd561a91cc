// Notifications of the payment simulator: signed, repeated until acknowledged, and bent by faults.
#include "participant/payment/v1/payment.pb-c.h"
#include "participant/sim/v1/sim.pb-c.h"
#include "tests/cmocka.h"
#include "tests/participants/bed.h"

#define KIND(name) PARTICIPANT__SIM__V1__FAULT_KIND__FAULT_KIND_##name
#define PAID PARTICIPANT__PAYMENT__V1__PAYMENT_STATE__PAYMENT_STATE_PAID
#define PENDING PARTICIPANT__PAYMENT__V1__PAYMENT_STATE__PAYMENT_STATE_PENDING
#define FAILED PARTICIPANT__PAYMENT__V1__PAYMENT_STATE__PAYMENT_STATE_FAILED

static void set_fault(struct bed *bed, int kind, const char *more) {
    bed_control(bed, "SetFault", bed_text(bed, "fault.kind=%d fault.system=payment fault.count=1 %s", kind, more));
}

static struct bed_answer create(struct bed *bed, const char *tender_no) {
    return bed_must(
        bed, &(struct bed_call){
                 .system = "payment",
                 .method = "CreatePayment",
                 .key = bed_text(bed, "T1/%s", tender_no),
                 .trade_no = "T1",
                 .fields = bed_text(bed, "tender_no=%s merchant_id=M1 method=1 amount=CNY5000 payer=P1", tender_no),
             });
}

static void pay(struct bed *bed, const char *tender_no) {
    bed_control(bed, "PayTender", bed_text(bed, "tender_no=%s result=1", tender_no));
}

static int64_t state_of(struct bed *bed, const char *tender_no) {
    struct bed_answer answer = bed_must(bed, &(struct bed_call){.system = "payment",
                                                                .method = "QueryPayment",
                                                                .fields = bed_text(bed, "tender_no=%s", tender_no)});
    return fields_number(answer.message, "payment.state");
}

static int64_t waiting(struct bed *bed) {
    return fields_number(bed_control(bed, "GetStats", "").message, "notifications_waiting");
}

static void test_a_payment_is_notified_once_with_a_good_signature(void **state) {
    struct bed *bed = *state;
    create(bed, "t1");
    pay(bed, "t1");
    bed_wait_notes(bed, 1);
    bed_run_for(bed, 120000);
    assert_int_equal(bed->n_notes, 1);
    const struct bed_note *note = &bed->notes[0];
    assert_true(note->genuine);
    assert_int_equal(note->timestamp_ms, note->at_ms);
    assert_string_equal(fields_text(note->inner, "payment.tender_no"), "t1");
    assert_int_equal(fields_number(note->inner, "payment.state"), PAID);
    assert_int_equal(fields_number(note->inner, "payment.amount.minor_units"), 5000);
    assert_string_equal(fields_text(note->inner, "payment.merchant_id"), "M1");
    assert_int_equal(waiting(bed), 0);
}

static void test_what_is_not_acknowledged_is_repeated_with_back_off(void **state) {
    struct bed *bed = *state;
    create(bed, "t1");
    bed->refuse_notes = 4;
    pay(bed, "t1");
    bed_wait_notes(bed, 5);
    bed_run_for(bed, 120000);
    assert_int_equal(bed->n_notes, 5);
    for (size_t i = 1; i < 5; i++) {
        assert_true(str_eq(bed->notes[i].body, bed->notes[0].body));
        assert_string_not_equal(bed->notes[i].nonce, bed->notes[i - 1].nonce);
        assert_int_equal(bed->notes[i].timestamp_ms, bed->notes[i].at_ms);
        assert_int_equal(bed->notes[i].at_ms - bed->notes[i - 1].at_ms, 200 << (i - 1));
    }
}

static void test_what_is_not_acknowledged_survives_kill_9(void **state) {
    struct bed *bed = *state;
    create(bed, "t1");
    bed->refuse_notes = 2;
    pay(bed, "t1");
    bed_wait_notes(bed, 1);
    bed_crash(bed);
    bed_wait_notes(bed, 3);
    bed_run_for(bed, 120000);
    assert_int_equal(bed->n_notes, 3);
    assert_true(str_eq(bed->notes[2].body, bed->notes[0].body));
    assert_int_equal(waiting(bed), 0);
}

static void test_a_tender_pays_itself_by_rule_and_over_kill_9(void **state) {
    struct bed *bed = *state;
    bed_control(bed, "SetAutoPay", "rules[0].result=1 rules[0].after_ms=5000");
    int64_t start_ms = bed_now(bed);
    create(bed, "t1");
    bed_run_for(bed, 4000);
    assert_int_equal(state_of(bed, "t1"), PENDING);
    bed_crash(bed); // the rule is gone, what it decided is not
    bed_wait_notes(bed, 1);
    assert_int_equal(bed_now(bed) - start_ms, 5000);
    assert_int_equal(state_of(bed, "t1"), PAID);
}

static void test_a_duplicate_comes_with_the_same_and_with_another_nonce(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(DUPLICATE_CALLBACK), "fault.method=NotifyPayment");
    create(bed, "t1");
    pay(bed, "t1");
    bed_wait_notes(bed, 3);
    bed_run_for(bed, 120000);
    assert_int_equal(bed->n_notes, 3);
    unsigned same = 0;
    for (size_t i = 0; i < 3; i++) {
        assert_true(bed->notes[i].genuine);
        assert_true(str_eq(bed->notes[i].body, bed->notes[0].body));
        same += strcmp(bed->notes[i].nonce, bed->notes[0].nonce) == 0;
    }
    assert_int_equal(same, 2);
}

static void test_an_early_notification_comes_before_the_answer_of_the_create_call(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(EARLY_CALLBACK), "fault.method=CreatePayment");
    struct bed_answer answer;
    bed_send(bed,
             &(struct bed_call){.system = "payment",
                                .method = "CreatePayment",
                                .key = "T1/t1",
                                .trade_no = "T1",
                                .fields = "tender_no=t1 merchant_id=M1 method=1 amount=CNY5000 payer=P1"},
             &answer);
    bed_wait_notes(bed, 1);
    assert_false(answer.done);
    assert_int_equal(fields_number(bed->notes[0].inner, "payment.state"), PAID);
    bed_wait(bed, &answer);
    assert_verdict(bed, &answer, "APPLIED");
    assert_int_equal(fields_number(answer.message, "payment.state"), PENDING);
    assert_string_not_equal(fields_text(answer.message, "prepay_parameters"), "");
    assert_int_equal(state_of(bed, "t1"), PAID);
}

static void test_an_early_notification_that_is_refused_does_not_hold_the_answer_for_ever(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(EARLY_CALLBACK), "fault.method=CreatePayment");
    bed->refuse_notes = 1;
    struct bed_answer answer = create(bed, "t1");
    assert_int_equal(fields_number(answer.message, "payment.state"), PENDING);
    bed_wait_notes(bed, 2);
}

static void test_a_late_notification_is_late(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(LATE_CALLBACK), "fault.method=NotifyPayment fault.delay_ms=60000");
    create(bed, "t1");
    int64_t start_ms = bed_now(bed);
    pay(bed, "t1");
    bed_wait_notes(bed, 1);
    assert_int_equal(bed->notes[0].at_ms - start_ms, 60000);
}

static void test_a_lost_notification_never_comes_and_a_query_tells(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(LOST_CALLBACK), "fault.method=NotifyPayment");
    create(bed, "t1");
    pay(bed, "t1");
    bed_run_for(bed, 600000);
    assert_int_equal(bed->n_notes, 0);
    assert_int_equal(state_of(bed, "t1"), PAID);
}

static void test_a_reordered_notification_comes_after_the_next_one(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(REORDERED_CALLBACK), "fault.method=NotifyPayment fault.delay_ms=30000");
    create(bed, "t1");
    create(bed, "t2");
    pay(bed, "t1");
    bed_run_for(bed, 10);
    assert_int_equal(bed->n_notes, 0);
    int64_t start_ms = bed_now(bed);
    pay(bed, "t2");
    bed_wait_notes(bed, 2);
    assert_string_equal(fields_text(bed->notes[0].inner, "payment.tender_no"), "t2");
    assert_string_equal(fields_text(bed->notes[1].inner, "payment.tender_no"), "t1");
    assert_true(bed_now(bed) - start_ms < 1000);
}

static void test_a_reordered_notification_comes_at_last_when_no_other_does(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(REORDERED_CALLBACK), "fault.method=NotifyPayment fault.delay_ms=30000");
    create(bed, "t1");
    int64_t start_ms = bed_now(bed);
    pay(bed, "t1");
    bed_wait_notes(bed, 1);
    assert_int_equal(bed_now(bed) - start_ms, 30000);
}

static void test_a_wrong_amount_currency_or_merchant_is_signed_well(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(WRONG_AMOUNT), "fault.method=NotifyPayment fault.key_prefix=T1/t1");
    set_fault(bed, KIND(WRONG_CURRENCY), "fault.method=NotifyPayment fault.key_prefix=T1/t2");
    set_fault(bed, KIND(WRONG_MERCHANT), "fault.method=NotifyPayment fault.key_prefix=T1/t3");
    for (int i = 1; i <= 3; i++) {
        create(bed, bed_text(bed, "t%d", i));
        pay(bed, bed_text(bed, "t%d", i));
        bed_wait_notes(bed, (size_t)i);
        assert_true(bed->notes[i - 1].genuine);
    }
    assert_int_equal(fields_number(bed->notes[0].inner, "payment.amount.minor_units"), 5001);
    assert_string_equal(fields_text(bed->notes[1].inner, "payment.amount.currency"), "USD");
    assert_string_equal(fields_text(bed->notes[2].inner, "payment.merchant_id"), "not-M1");
    assert_int_equal(state_of(bed, "t1"), PAID);
}

static void test_a_forged_notification_is_not_signed_and_the_true_one_follows(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(FORGED_SIGNATURE), "fault.method=NotifyPayment");
    create(bed, "t1");
    pay(bed, "t1");
    bed_wait_notes(bed, 2);
    assert_false(bed->notes[0].genuine);
    assert_true(bed->notes[1].genuine);
}

static void test_a_forged_notification_says_paid_before_anybody_paid(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(FORGED_SIGNATURE), "fault.method=CreatePayment");
    create(bed, "t1");
    bed_wait_notes(bed, 1);
    assert_false(bed->notes[0].genuine);
    assert_int_equal(fields_number(bed->notes[0].inner, "payment.state"), PAID);
    bed_run_for(bed, 120000);
    assert_int_equal(bed->n_notes, 1);
    assert_int_equal(state_of(bed, "t1"), PENDING);
}

static void test_a_contradiction_follows_the_true_one(void **state) {
    struct bed *bed = *state;
    set_fault(bed, KIND(CONTRADICTING_CALLBACK), "fault.method=NotifyPayment fault.delay_ms=100");
    create(bed, "t1");
    pay(bed, "t1");
    bed_wait_notes(bed, 2);
    assert_int_equal(fields_number(bed->notes[0].inner, "payment.state"), PAID);
    assert_int_equal(fields_number(bed->notes[1].inner, "payment.state"), FAILED);
    assert_true(bed->notes[1].genuine);
    assert_string_not_equal(fields_text(bed->notes[0].inner, "notification_id"),
                            fields_text(bed->notes[1].inner, "notification_id"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_payment_is_notified_once_with_a_good_signature),
        TEST(test_what_is_not_acknowledged_is_repeated_with_back_off),
        TEST(test_what_is_not_acknowledged_survives_kill_9),
        TEST(test_a_tender_pays_itself_by_rule_and_over_kill_9),
        TEST(test_a_duplicate_comes_with_the_same_and_with_another_nonce),
        TEST(test_an_early_notification_comes_before_the_answer_of_the_create_call),
        TEST(test_an_early_notification_that_is_refused_does_not_hold_the_answer_for_ever),
        TEST(test_a_late_notification_is_late),
        TEST(test_a_lost_notification_never_comes_and_a_query_tells),
        TEST(test_a_reordered_notification_comes_after_the_next_one),
        TEST(test_a_reordered_notification_comes_at_last_when_no_other_does),
        TEST(test_a_wrong_amount_currency_or_merchant_is_signed_well),
        TEST(test_a_forged_notification_is_not_signed_and_the_true_one_follows),
        TEST(test_a_forged_notification_says_paid_before_anybody_paid),
        TEST(test_a_contradiction_follows_the_true_one),
    };
    return cmocka_run_group_tests_name("notifications", tests, NULL, NULL);
}
