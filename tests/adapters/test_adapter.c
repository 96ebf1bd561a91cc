// What an adapter makes of a participant's answers: first of simulators, then of answers that no good one gives.
#include "adapters/activity/activity.h"
#include "adapters/adapters.h"
#include "adapters/card/card.h"
#include "adapters/coupon/coupon.h"
#include "adapters/discount/discount.h"
#include "adapters/goods/goods.h"
#include "adapters/invoice/invoice.h"
#include "adapters/level/level.h"
#include "adapters/marketing/marketing.h"
#include "adapters/notify/notify.h"
#include "adapters/oil/oil.h"
#include "adapters/order/order.h"
#include "adapters/os/os.h"
#include "adapters/payment/payment.h"
#include "adapters/points/points.h"
#include "adapters/push/push.h"
#include "adapters/settlement/settlement.h"
#include "adapters/user/user.h"
#include "rpc/message.h"
#include "tests/cmocka.h"
#include "tests/participants/bed.h"

#include <stdio.h>

// An answer, kept.
struct kept {
    unsigned n;
    enum outcome outcome;
    enum err code;
    char reason[64];
    bool never_seen;
    int64_t points;
    char descriptor[96];
    size_t n_bytes;
};

static void keep(void *ctx, const struct adapter_answer *answer) {
    struct kept *kept = ctx;
    kept->n++;
    kept->outcome = answer->outcome;
    kept->code = answer->code;
    assert_true(str_copy(str_c(answer->reason), kept->reason, sizeof kept->reason));
    assert_non_null(answer->text);
    kept->never_seen = answer->never_seen;
    kept->n_bytes = answer->bytes.len;
    if (answer->message) {
        assert_true(
            str_copy(str_c(answer->message->descriptor->short_name), kept->descriptor, sizeof kept->descriptor));
        if (answer->message->descriptor == &participant__points__v1__award_points_response__descriptor)
            kept->points = fields_number(answer->message, "points");
    }
}

static const struct adapter_effect effect = {.key = "T1/90/0",
                                             .gid = "T1",
                                             .step = "award_points",
                                             .trade_no = "T1",
                                             .request_id = "r-1",
                                             .traceparent = "00-trace"};

static struct adapter points_of(struct bed *bed) {
    return (struct adapter){.system = "points", .channel = bed->channel, .deadline_ms = 1000};
}

static void award(struct adapter *adapter, struct kept *kept) {
    Participant__Points__V1__AwardPointsRequest request = PARTICIPANT__POINTS__V1__AWARD_POINTS_REQUEST__INIT;
    Txcenter__Type__V1__Money paid = TXCENTER__TYPE__V1__MONEY__INIT;
    paid.currency = rpc_text("CNY");
    paid.minor_units = 12300;
    request.user_id = rpc_text("U0001");
    request.paid = &paid;
    points_award(adapter, &effect, &request, keep, kept);
    assert_null(request.effect); // what was filled in is taken out again
}

static void wait_for(struct bed *bed, const struct kept *kept, unsigned n) {
    while (kept->n < n)
        assert_true(virtual_time_step(&bed->time));
}

// ---- With simulators -------------------------------------------------------------------------------------------

static void test_an_applied_answer_is_ok_and_typed(void **state) {
    struct bed *bed = *state;
    struct adapter adapter = points_of(bed);
    struct kept kept = {0};
    award(&adapter, &kept);
    assert_int_equal(kept.n, 0); // never at once
    wait_for(bed, &kept, 1);
    assert_int_equal(kept.outcome, OUTCOME_OK);
    assert_int_equal(kept.code, ERR_OK);
    assert_int_equal(kept.points, 123);
}

static void test_a_rejection_has_the_participants_code(void **state) {
    struct bed *bed = *state;
    struct adapter adapter = points_of(bed);
    struct kept kept = {0};
    bed_control(bed, "SetFault", "fault.kind=5 fault.code=NOT_TODAY fault.system=points");
    award(&adapter, &kept);
    wait_for(bed, &kept, 1);
    assert_int_equal(kept.outcome, OUTCOME_REJECTED);
    assert_int_equal(kept.code, ERR_PARTICIPANT_REJECTED);
    assert_string_equal(kept.reason, "NOT_TODAY");
}

static void test_unavailable_is_retry_and_an_error_or_silence_is_unknown(void **state) {
    struct bed *bed = *state;
    struct adapter adapter = points_of(bed);
    static const struct {
        int fault;
        enum outcome outcome;
        enum err code;
    } rows[] = {
        {2, OUTCOME_RETRY, ERR_PARTICIPANT_UNAVAILABLE},
        {4, OUTCOME_UNKNOWN, ERR_PARTICIPANT_BROKEN},
        {3, OUTCOME_UNKNOWN, ERR_PARTICIPANT_SILENT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct kept kept = {0};
        bed_control(bed, "SetFault", bed_text(bed, "fault.kind=%d fault.system=points fault.count=1", rows[i].fault));
        award(&adapter, &kept);
        wait_for(bed, &kept, 1);
        assert_int_equal(kept.outcome, rows[i].outcome);
        assert_int_equal(kept.code, rows[i].code);
    }
}

static void inquire(struct bed *bed, struct adapter *adapter, struct kept *kept) {
    adapter_inquire(adapter, &points_inquire_method, &points_award_method, &effect, keep, kept);
    wait_for(bed, kept, 1);
}

static void test_an_inquiry_answers_as_the_action_did(void **state) {
    struct bed *bed = *state;
    struct adapter adapter = points_of(bed);
    struct kept before = {0}, action = {0}, after = {0};
    inquire(bed, &adapter, &before);
    assert_int_equal(before.outcome, OUTCOME_OK);
    assert_true(before.never_seen);
    assert_int_equal(before.n_bytes, 0);
    award(&adapter, &action);
    wait_for(bed, &action, 1);
    inquire(bed, &adapter, &after);
    assert_int_equal(after.outcome, OUTCOME_OK);
    assert_false(after.never_seen);
    assert_string_equal(after.descriptor, "AwardPointsResponse");
    assert_int_equal(after.points, action.points);
    assert_int_equal(after.n_bytes, action.n_bytes);
}

static void test_an_inquiry_of_a_rejection_has_its_code_and_no_message(void **state) {
    struct bed *bed = *state;
    struct adapter adapter = points_of(bed);
    struct kept action = {0}, asked = {0};
    bed_control(bed, "SetFault", "fault.kind=5 fault.code=NOT_TODAY fault.system=points fault.count=1");
    award(&adapter, &action);
    wait_for(bed, &action, 1);
    inquire(bed, &adapter, &asked);
    assert_int_equal(asked.outcome, OUTCOME_REJECTED);
    assert_string_equal(asked.reason, "NOT_TODAY");
    assert_string_equal(asked.descriptor, "");
    assert_int_equal(asked.n_bytes, 0);
}

// ---- With answers made up --------------------------------------------------------------------------------------

// A channel that answers every call with one message, and remembers the headers.
struct stub {
    struct rpc_channel base;
    const ProtobufCMessage *message;
    char headers[256];
};

static void stub_call(struct rpc_channel *base, const struct rpc_method *method, const ProtobufCMessage *request,
                      const struct rpc_call_options *options, rpc_done_fn *done, void *ctx) {
    (void)method, (void)request;
    struct stub *stub = (struct stub *)(void *)base;
    size_t len = 0;
    for (const struct rpc_header *at = options->headers; at && at->name; at++)
        len +=
            (size_t)snprintf(stub->headers + len, sizeof stub->headers - len, "%s=%.*s ", at->name, STR_FMT(at->value));
    done(ctx, &(struct rpc_result){.outcome = OUTCOME_OK, .message = stub->message, .reason = "", .domain = ""});
}

static const struct rpc_channel_ops stub_ops = {.call = stub_call};

static struct kept answer_with(const ProtobufCMessage *message, const struct adapter_method *method,
                               ProtobufCMessage *request) {
    struct stub stub = {.base.ops = &stub_ops, .message = message};
    struct adapter adapter = {.system = "stub", .channel = &stub.base, .deadline_ms = 1000};
    struct kept kept = {0};
    adapter_call(&adapter, method, &effect, request, keep, &kept);
    assert_int_equal(kept.n, 1);
    return kept;
}

static void test_an_answer_without_what_it_must_bring_is_unknown(void **state) {
    (void)state;
    Participant__Order__V1__CreateOrderRequest request = PARTICIPANT__ORDER__V1__CREATE_ORDER_REQUEST__INIT;
    Participant__Order__V1__CreateOrderResponse response = PARTICIPANT__ORDER__V1__CREATE_ORDER_RESPONSE__INIT;
    Participant__Type__V1__Outcome outcome = PARTICIPANT__TYPE__V1__OUTCOME__INIT;
    struct kept kept = answer_with(&response.base, &order_create_method, &request.base); // no outcome at all
    assert_int_equal(kept.outcome, OUTCOME_UNKNOWN);
    assert_int_equal(kept.code, ERR_PARTICIPANT_BROKEN);
    response.outcome = &outcome; // no verdict
    assert_int_equal(answer_with(&response.base, &order_create_method, &request.base).outcome, OUTCOME_UNKNOWN);
    outcome.verdict = PARTICIPANT__TYPE__V1__VERDICT__VERDICT_NEVER_SEEN; // only inquiries may say so
    assert_int_equal(answer_with(&response.base, &order_create_method, &request.base).outcome, OUTCOME_UNKNOWN);
    outcome.verdict = PARTICIPANT__TYPE__V1__VERDICT__VERDICT_APPLIED; // no order_no
    kept = answer_with(&response.base, &order_create_method, &request.base);
    assert_int_equal(kept.outcome, OUTCOME_UNKNOWN);
    assert_int_equal(kept.code, ERR_PARTICIPANT_BROKEN);
    response.order_no = rpc_text("O1");
    assert_int_equal(answer_with(&response.base, &order_create_method, &request.base).outcome, OUTCOME_OK);
}

static void test_a_required_field_may_lie_deep(void **state) {
    (void)state;
    Participant__Payment__V1__CreatePaymentRequest request = PARTICIPANT__PAYMENT__V1__CREATE_PAYMENT_REQUEST__INIT;
    Participant__Payment__V1__CreatePaymentResponse response = PARTICIPANT__PAYMENT__V1__CREATE_PAYMENT_RESPONSE__INIT;
    Participant__Payment__V1__Payment payment = PARTICIPANT__PAYMENT__V1__PAYMENT__INIT;
    Participant__Type__V1__Outcome outcome = PARTICIPANT__TYPE__V1__OUTCOME__INIT;
    outcome.verdict = PARTICIPANT__TYPE__V1__VERDICT__VERDICT_APPLIED;
    response.outcome = &outcome;
    assert_int_equal(answer_with(&response.base, &payment_create_method, &request.base).outcome, OUTCOME_UNKNOWN);
    response.payment = &payment;
    assert_int_equal(answer_with(&response.base, &payment_create_method, &request.base).outcome, OUTCOME_UNKNOWN);
    payment.state = PARTICIPANT__PAYMENT__V1__PAYMENT_STATE__PAYMENT_STATE_PENDING;
    assert_int_equal(answer_with(&response.base, &payment_create_method, &request.base).outcome, OUTCOME_OK);
}

// A system that is newer than we are: what its state means nobody here knows.
static void test_a_state_that_nobody_knows_is_none(void **state) {
    (void)state;
    Participant__Payment__V1__RefundPaymentRequest request = PARTICIPANT__PAYMENT__V1__REFUND_PAYMENT_REQUEST__INIT;
    Participant__Payment__V1__RefundPaymentResponse response = PARTICIPANT__PAYMENT__V1__REFUND_PAYMENT_RESPONSE__INIT;
    Participant__Payment__V1__PaymentRefund refund = PARTICIPANT__PAYMENT__V1__PAYMENT_REFUND__INIT;
    Participant__Type__V1__Outcome outcome = PARTICIPANT__TYPE__V1__OUTCOME__INIT;
    outcome.verdict = PARTICIPANT__TYPE__V1__VERDICT__VERDICT_APPLIED;
    response.outcome = &outcome;
    response.refund = &refund;
    static const struct {
        int state;
        enum outcome outcome;
    } rows[] = {{1, OUTCOME_OK}, {4, OUTCOME_OK}, {0, OUTCOME_UNKNOWN}, {5, OUTCOME_UNKNOWN}, {-1, OUTCOME_UNKNOWN}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        refund.state = (Participant__Payment__V1__RefundState)rows[i].state;
        assert_int_equal(answer_with(&response.base, &payment_refund_method, &request.base).outcome, rows[i].outcome);
    }
}

static void test_a_rejection_without_a_code_still_is_one(void **state) {
    (void)state;
    Participant__Push__V1__PushRequest request = PARTICIPANT__PUSH__V1__PUSH_REQUEST__INIT;
    Participant__Push__V1__PushResponse response = PARTICIPANT__PUSH__V1__PUSH_RESPONSE__INIT;
    Participant__Type__V1__Outcome outcome = PARTICIPANT__TYPE__V1__OUTCOME__INIT;
    outcome.verdict = PARTICIPANT__TYPE__V1__VERDICT__VERDICT_REJECTED;
    response.outcome = &outcome;
    struct kept kept = answer_with(&response.base, &push_send_method, &request.base);
    assert_int_equal(kept.outcome, OUTCOME_REJECTED);
    assert_string_equal(kept.reason, "REJECTED");
}

static void test_an_inquiry_whose_kept_answer_is_garbage_is_unknown(void **state) {
    (void)state;
    Participant__Points__V1__InquireResponse response = PARTICIPANT__POINTS__V1__INQUIRE_RESPONSE__INIT;
    Participant__Type__V1__Outcome outcome = PARTICIPANT__TYPE__V1__OUTCOME__INIT;
    uint8_t garbage[] = {0xff, 0xff, 0xff};
    outcome.verdict = PARTICIPANT__TYPE__V1__VERDICT__VERDICT_APPLIED;
    response.outcome = &outcome;
    response.answer = (ProtobufCBinaryData){sizeof garbage, garbage};
    struct stub stub = {.base.ops = &stub_ops, .message = &response.base};
    struct adapter adapter = {.system = "points", .channel = &stub.base, .deadline_ms = 1000};
    struct kept kept = {0};
    adapter_inquire(&adapter, &points_inquire_method, &points_award_method, &effect, keep, &kept);
    assert_int_equal(kept.outcome, OUTCOME_UNKNOWN);
    assert_int_equal(kept.code, ERR_PARTICIPANT_BROKEN);
    assert_string_equal(stub.headers, "tx-key=T1/90/0 tx-gid=T1 tx-step=award_points tx-op=inquire x-request-id=r-1 "
                                      "traceparent=00-trace ");
}

// Every row names a method that its service has, and every required field exists.
static const struct adapter_method *const rows[] = {
    &user_get_method,
    &oil_get_price_method,
    &oil_get_pump_record_method,
    &order_create_method,
    &order_close_method,
    &order_mark_paid_method,
    &order_mark_refunded_method,
    &payment_create_method,
    &payment_query_method,
    &payment_close_method,
    &payment_reverse_method,
    &payment_refund_method,
    &payment_query_refund_method,
    &card_get_method,
    &card_freeze_method,
    &card_release_method,
    &card_confirm_method,
    &card_cancel_confirm_method,
    &card_refund_method,
    &card_recharge_method,
    &card_cancel_recharge_method,
    &card_get_recharge_method,
    &card_reverse_recharge_method,
    &coupon_list_usable_method,
    &coupon_lock_method,
    &coupon_unlock_method,
    &coupon_use_method,
    &coupon_give_back_method,
    &coupon_issue_method,
    &coupon_withdraw_method,
    &points_get_method,
    &points_freeze_method,
    &points_unfreeze_method,
    &points_deduct_method,
    &points_give_back_method,
    &points_award_method,
    &points_cancel_award_method,
    &points_claw_back_method,
    &settlement_record_method,
    &settlement_reverse_method,
    &push_send_method,
    &goods_get_method,
    &goods_reserve_method,
    &goods_release_method,
    &goods_deduct_method,
    &goods_return_method,
    &discount_list_activities_method,
    &discount_lock_method,
    &discount_unlock_method,
    &discount_use_method,
    &discount_give_back_method,
    &level_get_method,
    &level_report_method,
    &level_cancel_report_method,
    &level_reverse_method,
    &marketing_record_method,
    &marketing_cancel_record_method,
    &marketing_reverse_method,
    &invoice_issue_method,
    &invoice_void_method,
    &invoice_issue_red_method,
    &notify_send_method,
    &activity_evaluate_method,
    &activity_cancel_evaluation_method,
    &activity_deliver_method,
    &activity_withdraw_method,
    &activity_take_back_method,
    &os_sync_method,
    &os_record_offline_method,
};

static void test_every_row_fits_its_proto(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const ProtobufCMessageDescriptor *type = rpc_method_response(&rows[i]->method);
        for (size_t k = 0; k < ADAPTER_REQUIRED_MAX && rows[i]->required[k]; k++) {
            struct str rest = str_c(rows[i]->required[k]);
            const ProtobufCMessageDescriptor *at = type;
            while (rest.len > 0) {
                char name[64];
                assert_true(str_copy(str_cut(&rest, '.'), name, sizeof name));
                const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(at, name);
                assert_non_null(field);
                at = field->descriptor;
            }
        }
    }
}

static void test_every_system_that_is_called_is_played(void **state) {
    (void)state;
#define X(NAME, name) #name,
    static const char *const called[] = {ADAPTER_SYSTEMS(X)};
#undef X
    const char *const *played = sim_system_names();
    for (size_t i = 0; i < sizeof called / sizeof called[0]; i++)
        assert_string_equal(called[i], played[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_an_applied_answer_is_ok_and_typed),
        TEST(test_a_rejection_has_the_participants_code),
        TEST(test_unavailable_is_retry_and_an_error_or_silence_is_unknown),
        TEST(test_an_inquiry_answers_as_the_action_did),
        TEST(test_an_inquiry_of_a_rejection_has_its_code_and_no_message),
        cmocka_unit_test(test_an_answer_without_what_it_must_bring_is_unknown),
        cmocka_unit_test(test_a_required_field_may_lie_deep),
        cmocka_unit_test(test_a_state_that_nobody_knows_is_none),
        cmocka_unit_test(test_a_rejection_without_a_code_still_is_one),
        cmocka_unit_test(test_an_inquiry_whose_kept_answer_is_garbage_is_unknown),
        cmocka_unit_test(test_every_row_fits_its_proto),
        cmocka_unit_test(test_every_system_that_is_called_is_played),
    };
    return cmocka_run_group_tests_name("adapters", tests, NULL, NULL);
}
