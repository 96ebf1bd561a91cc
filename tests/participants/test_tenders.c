// The payment gateway's business: tenders and refunds.
#include "participant/payment/v1/payment.pb-c.h"
#include "participant/sim/v1/sim.pb-c.h"
#include "tests/cmocka.h"
#include "tests/participants/bed.h"

#define STATE(name) PARTICIPANT__PAYMENT__V1__PAYMENT_STATE__PAYMENT_STATE_##name
#define REFUND(name) PARTICIPANT__PAYMENT__V1__REFUND_STATE__REFUND_STATE_##name

static struct bed_answer ask(struct bed *bed, const char *method, const char *key, const char *fields) {
    return bed_ask(
        bed, &(struct bed_call){.system = "payment", .method = method, .key = key, .trade_no = "T1", .fields = fields});
}

static struct bed_answer create(struct bed *bed, const char *key, const char *more) {
    return ask(bed, "CreatePayment", key,
               bed_text(bed, "tender_no=t1 merchant_id=M1 amount=CNY1000 payer=P1 %s", more));
}

static int64_t state_of(struct bed *bed) {
    struct bed_answer answer = ask(bed, "QueryPayment", NULL, "tender_no=t1");
    return fields_number(answer.message, "payment.state");
}

static void pay(struct bed *bed, const char *more) {
    bed_control(bed, "PayTender", bed_text(bed, "tender_no=t1 %s", more));
}

static const char *tell(struct bed *bed, const char *more) {
    struct rpc_method method = {.service = &participant__sim__v1__sim_control_service__descriptor, .name = "PayTender"};
    struct bed_answer answer;
    bed_send_message(bed, &method,
                     fields_make(rpc_method_request(&method), bed_text(bed, "tender_no=t1 %s", more), &bed->arena),
                     &answer);
    bed_wait(bed, &answer);
    return answer.outcome == OUTCOME_OK ? "OK" : bed_text(bed, "%s", answer.reason);
}

static void test_a_tender_waits_for_its_payer_and_has_prepay_parameters(void **state) {
    struct bed *bed = *state;
    struct bed_answer answer = create(bed, "T1/a", "method=1");
    assert_verdict(bed, &answer, "APPLIED");
    assert_int_equal(fields_number(answer.message, "payment.state"), STATE(PENDING));
    assert_string_not_equal(fields_text(answer.message, "prepay_parameters"), "");
    bed_run_for(bed, 86400000);
    assert_int_equal(state_of(bed), STATE(PENDING));
}

static void test_the_parts_of_a_subsidised_payment_add_up(void **state) {
    struct bed *bed = *state;
    create(bed, "T1/a", "method=1");
    pay(bed, "result=1 gateway_discount=150 merchant_discount=50");
    struct bed_answer answer = ask(bed, "QueryPayment", NULL, "tender_no=t1");
    assert_int_equal(fields_number(answer.message, "payment.state"), STATE(PAID));
    assert_int_equal(fields_number(answer.message, "payment.amount.minor_units"), 1000);
    assert_int_equal(fields_number(answer.message, "payment.payer_amount.minor_units"), 800);
    assert_int_equal(fields_number(answer.message, "payment.gateway_discount.minor_units"), 150);
    assert_int_equal(fields_number(answer.message, "payment.merchant_discount.minor_units"), 50);
    assert_int_equal(fields_number(answer.message, "payment.settlement_amount.minor_units"), 950);
}

static void test_a_payment_that_failed_says_why(void **state) {
    struct bed *bed = *state;
    create(bed, "T1/a", "method=1");
    pay(bed, "result=2 code=NO_MONEY");
    struct bed_answer answer = ask(bed, "QueryPayment", NULL, "tender_no=t1");
    assert_int_equal(fields_number(answer.message, "payment.state"), STATE(FAILED));
    assert_string_equal(fields_text(answer.message, "payment.code"), "NO_MONEY");
    answer = ask(bed, "ClosePayment", "T1/a", "tender_no=t1");
    assert_int_equal(fields_number(answer.message, "payment.state"), STATE(FAILED));
}

static void test_closing_what_is_unpaid_closes_it_for_good(void **state) {
    struct bed *bed = *state;
    create(bed, "T1/a", "method=1");
    struct bed_answer answer = ask(bed, "ClosePayment", "T1/a", "tender_no=t1");
    assert_verdict(bed, &answer, "APPLIED");
    assert_int_equal(fields_number(answer.message, "payment.state"), STATE(CLOSED));
    assert_string_equal(tell(bed, "result=1"), "INVALID_REQUEST");
    assert_int_equal(state_of(bed), STATE(CLOSED));
}

static void test_closing_what_is_paid_answers_paid_and_changes_nothing(void **state) {
    struct bed *bed = *state;
    create(bed, "T1/a", "method=1");
    pay(bed, "result=1");
    for (int i = 0; i < 2; i++) {
        struct bed_answer answer = ask(bed, "ClosePayment", "T1/a", "tender_no=t1");
        assert_verdict(bed, &answer, "APPLIED");
        assert_int_equal(fields_number(answer.message, "payment.state"), STATE(PAID));
    }
    assert_int_equal(state_of(bed), STATE(PAID));
    struct bed_answer again = create(bed, "T1/a", "method=1"), asked = ask(bed, "Inquire", "T1/a", "");
    assert_verdict(bed, &again, "APPLIED");
    assert_verdict(bed, &asked, "APPLIED");
}

static void test_closing_what_never_was_answers_closed_and_refuses_it_later(void **state) {
    struct bed *bed = *state;
    struct bed_answer answer = ask(bed, "ClosePayment", "T1/a", "tender_no=t1");
    assert_verdict(bed, &answer, "APPLIED");
    assert_int_equal(fields_number(answer.message, "payment.state"), STATE(CLOSED));
    struct bed_answer late = create(bed, "T1/a", "method=1");
    assert_verdict(bed, &late, "REJECTED CANCELLED");
    assert_int_equal(state_of(bed), STATE(NOT_FOUND));
}

static void test_a_scanned_tender_is_paid_in_the_answer_and_notified_too(void **state) {
    struct bed *bed = *state;
    struct bed_answer answer = create(bed, "T1/a", "method=4");
    assert_int_equal(fields_number(answer.message, "payment.state"), STATE(PAID));
    assert_string_equal(fields_text(answer.message, "prepay_parameters"), "");
    bed_run_for(bed, 60000);
    assert_int_equal(bed->n_notes, 1);
}

static void test_a_scanned_tender_can_be_refused_by_payer_code(void **state) {
    struct bed *bed = *state;
    bed_control(bed, "SetAutoPay", "rules[0].method=4 rules[0].payer=P1 rules[0].result=2 rules[0].code=CODE_EXPIRED");
    struct bed_answer answer = create(bed, "T1/a", "method=4");
    assert_verdict(bed, &answer, "REJECTED CODE_EXPIRED");
    assert_int_equal(state_of(bed), STATE(FAILED));
}

static void test_a_scanned_tender_can_be_in_progress_and_be_decided_later(void **state) {
    struct bed *bed = *state;
    bed_control(bed, "SetAutoPay", "rules[0].method=4 rules[0].result=1 rules[0].after_ms=3000");
    struct bed_answer answer = create(bed, "T1/a", "method=4");
    assert_int_equal(fields_number(answer.message, "payment.state"), STATE(PENDING));
    bed_run_for(bed, 2900);
    assert_int_equal(state_of(bed), STATE(PENDING));
    bed_run_for(bed, 200);
    assert_int_equal(state_of(bed), STATE(PAID));
}

static void test_reversing_what_is_paid_gives_it_back(void **state) {
    struct bed *bed = *state;
    create(bed, "T1/a", "method=4");
    struct bed_answer answer = ask(bed, "ReversePayment", "T1/a", "tender_no=t1");
    assert_verdict(bed, &answer, "APPLIED");
    assert_int_equal(fields_number(answer.message, "payment.state"), STATE(CLOSED));
    assert_int_equal(bed_ledger(bed, "payment", "T1/a", "paid").amount, 1000);
    assert_int_equal(bed_ledger(bed, "payment", "T1/a", "refunded").amount, 1000);
    assert_int_equal(state_of(bed), STATE(CLOSED));
}

static void test_reversing_what_is_in_progress_closes_it(void **state) {
    struct bed *bed = *state;
    bed_control(bed, "SetAutoPay", "rules[0].method=4 rules[0].result=3");
    create(bed, "T1/a", "method=4");
    struct bed_answer answer = ask(bed, "ReversePayment", "T1/a", "tender_no=t1");
    assert_int_equal(fields_number(answer.message, "payment.state"), STATE(CLOSED));
    assert_int_equal(bed_ledger(bed, "payment", "T1/a", "refunded").n, 0);
}

static void test_a_tender_is_made_once_under_any_key(void **state) {
    struct bed *bed = *state;
    create(bed, "T1/a", "method=1");
    struct bed_answer same = create(bed, "T1/b", "method=1");
    assert_verdict(bed, &same, "APPLIED");
    struct bed_answer other =
        ask(bed, "CreatePayment", "T1/c", "tender_no=t1 merchant_id=M1 amount=CNY999 payer=P1 method=1");
    assert_verdict(bed, &other, "REJECTED TENDER_EXISTS");
    pay(bed, "result=1");
    struct bed_answer paid = create(bed, "T1/d", "method=1");
    assert_int_equal(fields_number(paid.message, "payment.state"), STATE(PAID));
    assert_int_equal(bed_ledger(bed, "payment", "T1/a", "create").n, 1);
    assert_int_equal(bed_ledger(bed, "payment", "T1/b", "create").n, 0);
}

static void test_nobody_can_pay_after_the_time_but_a_gateway_that_breaks_its_word(void **state) {
    struct bed *bed = *state;
    int64_t expires_s = bed_now(bed) / 1000 + 60;
    bed_control(bed, "SetAutoPay", "rules[0].result=1 rules[0].after_ms=90000");
    create(bed, "T1/a", bed_text(bed, "method=1 expires_at.seconds=%lld", (long long)expires_s));
    bed_run_for(bed, 120000);
    assert_int_equal(state_of(bed), STATE(PENDING));
    assert_string_equal(tell(bed, "result=1"), "INVALID_REQUEST");
    assert_string_equal(tell(bed, "result=1 force=true"), "OK");
    assert_int_equal(state_of(bed), STATE(PAID));
    assert_string_equal(tell(bed, "result=1 force=true"), "INVALID_REQUEST");
}

static void test_a_closed_tender_that_is_paid_by_force_is_notified(void **state) {
    struct bed *bed = *state;
    create(bed, "T1/a", "method=1");
    ask(bed, "ClosePayment", "T1/a", "tender_no=t1");
    assert_string_equal(tell(bed, "result=1 force=true"), "OK");
    bed_wait_notes(bed, 1);
    assert_int_equal(fields_number(bed->notes[0].inner, "payment.state"), STATE(PAID));
}

// ---- Refunds ---------------------------------------------------------------------------------------------------

static struct bed_answer refund(struct bed *bed, const char *refund_no, int amount) {
    return ask(bed, "RefundPayment", bed_text(bed, "T1/%s", refund_no),
               bed_text(bed, "tender_no=t1 refund_no=%s amount=CNY%d", refund_no, amount));
}

// Paid at once; the notice of that has come.
static void create_paid(struct bed *bed) {
    create(bed, "T1/a", "method=4");
    bed_wait_notes(bed, 1);
}

static struct bed_answer query_refund(struct bed *bed, const char *refund_no) {
    return ask(bed, "QueryRefund", NULL, bed_text(bed, "refund_no=%s", refund_no));
}

static void test_a_refund_is_accepted_then_done_and_notified(void **state) {
    struct bed *bed = *state;
    create_paid(bed);
    struct bed_answer answer = refund(bed, "r1", 400);
    assert_int_equal(fields_number(answer.message, "refund.state"), REFUND(ACCEPTED));
    bed_wait_notes(bed, 2);
    assert_true(bed->notes[1].refund);
    assert_true(bed->notes[1].genuine);
    assert_int_equal(fields_number(bed->notes[1].inner, "refund.state"), REFUND(DONE));
    answer = query_refund(bed, "r1");
    assert_int_equal(fields_number(answer.message, "refund.state"), REFUND(DONE));
    answer = query_refund(bed, "r9");
    assert_int_equal(fields_number(answer.message, "refund.state"), REFUND(NOT_FOUND));
}

static void test_a_refund_is_done_over_kill_9(void **state) {
    struct bed *bed = *state;
    create_paid(bed);
    refund(bed, "r1", 400);
    bed_crash(bed);
    bed_wait_notes(bed, 2);
    assert_int_equal(bed_ledger(bed, "payment", "T1/r1", "refunded").amount, 400);
}

static void test_refunds_never_exceed_what_was_paid_and_the_last_takes_the_rest(void **state) {
    struct bed *bed = *state;
    create(bed, "T1/a", "method=1");
    pay(bed, "result=1 gateway_discount=333");
    int64_t payer = 0;
    const int amounts[] = {331, 337, 332};
    for (int i = 0; i < 3; i++) {
        struct bed_answer answer = refund(bed, bed_text(bed, "r%d", i), amounts[i]);
        assert_verdict(bed, &answer, "APPLIED");
        payer += fields_number(answer.message, "refund.payer_amount.minor_units");
    }
    assert_int_equal(payer, 667); // exactly what the payer paid
    struct bed_answer more = refund(bed, "r4", 1);
    assert_verdict(bed, &more, "REJECTED EXCEEDS_REST");
}

static void test_a_refund_that_fails_frees_its_amount(void **state) {
    struct bed *bed = *state;
    create_paid(bed);
    bed_control(bed, "SetFault", "fault.kind=20 fault.system=payment fault.count=1 fault.code=ACCOUNT_CLOSED");
    struct bed_answer answer = refund(bed, "r1", 1000);
    assert_int_equal(fields_number(answer.message, "refund.state"), REFUND(ACCEPTED));
    bed_wait_notes(bed, 2);
    assert_int_equal(fields_number(bed->notes[1].inner, "refund.state"), REFUND(FAILED));
    assert_string_equal(fields_text(bed->notes[1].inner, "refund.code"), "ACCOUNT_CLOSED");
    answer = refund(bed, "r2", 1000);
    assert_verdict(bed, &answer, "APPLIED");
}

static void test_a_refund_number_is_used_once_under_any_key(void **state) {
    struct bed *bed = *state;
    create(bed, "T1/a", "method=4");
    refund(bed, "r1", 400);
    struct bed_answer same = ask(bed, "RefundPayment", "T1/x", "tender_no=t1 refund_no=r1 amount=CNY400");
    struct bed_answer other = ask(bed, "RefundPayment", "T1/y", "tender_no=t1 refund_no=r1 amount=CNY401");
    assert_verdict(bed, &same, "APPLIED");
    assert_verdict(bed, &other, "REJECTED REFUND_EXISTS");
    bed_run_for(bed, 60000);
    assert_int_equal(bed_ledger(bed, "payment", "T1/r1", "refunded").amount, 400);
    assert_int_equal(bed_ledger(bed, "payment", "T1/x", NULL).n, 0);
}

static void test_only_what_is_paid_is_refunded(void **state) {
    struct bed *bed = *state;
    struct bed_answer none = refund(bed, "r1", 1);
    assert_verdict(bed, &none, "REJECTED NOT_FOUND");
    create(bed, "T1/a", "method=1");
    struct bed_answer pending = refund(bed, "r2", 1);
    assert_verdict(bed, &pending, "REJECTED NOT_PAID");
    pay(bed, "result=1");
    struct bed_answer currency = ask(bed, "RefundPayment", "T1/r3", "tender_no=t1 refund_no=r3 amount=USD1");
    assert_verdict(bed, &currency, "REJECTED CURRENCY_MISMATCH");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_tender_waits_for_its_payer_and_has_prepay_parameters),
        TEST(test_the_parts_of_a_subsidised_payment_add_up),
        TEST(test_a_payment_that_failed_says_why),
        TEST(test_closing_what_is_unpaid_closes_it_for_good),
        TEST(test_closing_what_is_paid_answers_paid_and_changes_nothing),
        TEST(test_closing_what_never_was_answers_closed_and_refuses_it_later),
        TEST(test_a_scanned_tender_is_paid_in_the_answer_and_notified_too),
        TEST(test_a_scanned_tender_can_be_refused_by_payer_code),
        TEST(test_a_scanned_tender_can_be_in_progress_and_be_decided_later),
        TEST(test_reversing_what_is_paid_gives_it_back),
        TEST(test_reversing_what_is_in_progress_closes_it),
        TEST(test_a_tender_is_made_once_under_any_key),
        TEST(test_nobody_can_pay_after_the_time_but_a_gateway_that_breaks_its_word),
        TEST(test_a_closed_tender_that_is_paid_by_force_is_notified),
        TEST(test_a_refund_is_accepted_then_done_and_notified),
        TEST(test_a_refund_is_done_over_kill_9),
        TEST(test_refunds_never_exceed_what_was_paid_and_the_last_takes_the_rest),
        TEST(test_a_refund_that_fails_frees_its_amount),
        TEST(test_a_refund_number_is_used_once_under_any_key),
        TEST(test_only_what_is_paid_is_refunded),
    };
    return cmocka_run_group_tests_name("payment's tenders and refunds", tests, NULL, NULL);
}
