// Requests that come again: the same, another under its id, many at once, over deaths, and what was refused.
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

enum { METHODS = 7 };

// A trade that is ready for the method, and the request's fields but its id.
static const char *ready_for(struct flow_bed *bed, const char *method, struct flow_trade *trade) {
    *trade = (struct flow_trade){0};
    if (strcmp(method, "Quote") == 0)
        return flow_text(bed, "%s " FUEL_200, flow_context(bed));
    if (strcmp(method, "QuoteOrderPay") == 0)
        return flow_text(bed, "%s " FUEL_200 " %s", flow_context(bed),
                         flow_tenders(bed, 1, KIND(WECHAT), BEST_200, "payer"));
    if (strcmp(method, "Refund") == 0) {
        flow_completed(bed, trade);
        return flow_text(bed, "trade_no=%s amount=CNY1000", trade->no);
    }
    flow_quote(bed, trade, FUEL_200, "");
    if (strcmp(method, "PlaceOrder") == 0)
        return flow_text(bed, "trade_no=%s quote_version=1", trade->no);
    if (strcmp(method, "OrderPay") == 0)
        return flow_text(bed, "trade_no=%s quote_version=1 %s", trade->no,
                         flow_tenders(bed, 1, KIND(WECHAT), BEST_200, "payer"));
    flow_order(bed, trade, "");
    if (strcmp(method, "Cancel") == 0)
        return flow_text(bed, "trade_no=%s", trade->no);
    return flow_text(bed, "trade_no=%s %s", trade->no, flow_tenders(bed, 1, KIND(WECHAT), BEST_200, "payer"));
}

// What makes another body of it.
static const char *otherwise(const char *method) {
    static const char *const others[][2] = {{"Quote", "exclude_points=true"},
                                            {"PlaceOrder", "expires_in_seconds=5"},
                                            {"Pay", "on_failure=2"},
                                            {"OrderPay", "expires_in_seconds=5"},
                                            {"QuoteOrderPay", "exclude_points=true"},
                                            {"Cancel", "reason=other"},
                                            {"Refund", "reason=other"}};
    for (size_t i = 0; i < METHODS; i++)
        if (strcmp(others[i][0], method) == 0)
            return others[i][1];
    fail_msg("%s has no other body", method);
    return "";
}

static size_t trades_of_user(struct flow_bed *bed) {
    return ((const Txcenter__Trade__V1__ListTradesResponse *)flow_must(bed, "ListTrades",
                                                                       "filter.user_id=%s page_size=200", bed->user))
        ->n_trades;
}

static bool same_bytes(const struct flow_answer *a, const struct flow_answer *b) {
    return a->bytes.len == b->bytes.len && memcmp(a->bytes.ptr, b->bytes.ptr, a->bytes.len) == 0;
}

// Twice, over a death, with another patience: the stored answer. Another body: refused, and nothing is changed.
static void repeat(struct flow_bed *bed, const char *method) {
    struct flow_trade trade;
    const char *fields = ready_for(bed, method, &trade);
    const char *id = flow_text(bed, "request_id=again-%s-%s", method, bed->user);
    struct flow_answer *first = flow_ask(bed, method, "%s %s", fields, id);
    assert_verdict(first, "OK");
    size_t trades = trades_of_user(bed);
    assert_true(same_bytes(flow_ask(bed, method, "%s %s", fields, id), first));
    flow_crash_center(bed);
    assert_true(same_bytes(flow_ask(bed, method, "%s %s", fields, id), first));
    const ProtobufCMessageDescriptor *type = first->message->descriptor;
    if (protobuf_c_message_descriptor_get_field_by_name(type, "processing"))
        assert_true(same_bytes(flow_ask(bed, method, "%s %s wait_ms=7", fields, id), first));
    flow_refused(bed, "IDEMPOTENCY_KEY_REUSED", method, "%s %s %s", fields, otherwise(method), id);
    assert_int_equal(trades_of_user(bed), trades);
    if (protobuf_c_message_descriptor_get_field_by_name(type, "trade")) // its benefits are for the next
        flow_ask(bed, "Cancel", "trade_no=%s", fields_text(first->message, "trade.trade_no"));
}

// [S3-19] [S3-20] each call that changes something may be repeated, and counts once
static void test_each_call_may_be_repeated_and_counts_once(struct flow_bed *bed) {
    static const char *const methods[METHODS] = {"Quote",    "PlaceOrder",    "Pay",   "Cancel",
                                                 "OrderPay", "QuoteOrderPay", "Refund"};
    for (size_t i = 0; i < METHODS; i++)
        repeat(bed, methods[i]);
}

// One id is one request, whatever the method.
static void test_the_id_of_one_method_is_not_another_s(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    const char *id = flow_text(bed, "request_id=one-%s", bed->user);
    flow_must(bed, "Pay", "trade_no=%s %s %s", trade.no, flow_tenders(bed, 1, KIND(WECHAT), BEST_200, "payer"), id);
    flow_refused(bed, "IDEMPOTENCY_KEY_REUSED", "Cancel", "trade_no=%s %s", trade.no, id);
    assert_state(bed, &trade, TRADE(PAYING));
}

// What was refused for its form or the trade's state does not use the id up.
static void test_a_refused_request_does_not_use_its_id_up(struct flow_bed *bed) {
    struct flow_trade trade;
    const char *id = flow_text(bed, "request_id=refused-%s", bed->user);
    flow_ordered(bed, &trade);
    flow_refused(bed, "INVALID_REQUEST", "Pay", "trade_no=%s tenders[0].kind=99 %s", trade.no, id);
    flow_refused(bed, "TENDERS_UNEQUAL", "Pay", "trade_no=%s %s %s", trade.no,
                 flow_tenders(bed, 1, KIND(WECHAT), 1, "payer"), id);
    flow_refused(bed, "NOT_REFUNDABLE", "Refund", "trade_no=%s whole=true %s", trade.no, id);
    flow_must(bed, "Pay", "trade_no=%s %s %s", trade.no, flow_tenders(bed, 1, KIND(WECHAT), BEST_200, "payer"), id);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
}

static void test_a_request_needs_an_id(struct flow_bed *bed) {
    flow_refused(bed, "INVALID_REQUEST", "Quote", "%s " FUEL_200 " request_id=", flow_context(bed));
    flow_refused(bed, "INVALID_REQUEST", "Quote",
                 "%s " FUEL_200 " request_id=0123456789012345678901234567890123456789012345678901234567890123456789",
                 flow_context(bed));
}

// Another caller's request of the same id is another request.
static void test_another_caller_s_id_is_another_request(struct flow_bed *bed) {
    const char *callers[] = {FLOW_CALLER, FLOW_SHOP}, *numbers[2];
    for (int i = 0; i < 2; i++) {
        struct flow_answer *answer =
            flow_send_as(bed, callers[i], "Quote", "%s " FUEL_200 " request_id=same-%s", flow_context(bed), bed->user);
        flow_wait(bed, answer);
        assert_verdict(answer, "OK");
        numbers[i] = fields_text(answer->message, "trade_no");
    }
    assert_string_not_equal(numbers[0], numbers[1]);
}

// The outcome of what failed is kept like any other answer.
static void test_a_failure_is_answered_again_as_it_was(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_fault(bed, FAULT(REJECT), "order", "CreateOrder", "code=CLOSED_TODAY count=1");
    const char *fields = flow_text(bed, "trade_no=%s quote_version=1 request_id=fails-%s", trade.no, bed->user);
    for (int i = 0; i < 3; i++) {
        flow_refused(bed, "ORDER_REFUSED", "PlaceOrder", "%s", fields);
        if (i == 1)
            flow_crash_center(bed);
    }
    assert_int_equal(flow_ledger(bed, "order", trade.no, "create").n, 0);
    assert_state(bed, &trade, TRADE(FAILED));
}

// A repeat while the first is still under way is told how far it is, and in the end the same.
static void test_a_repeat_while_the_first_is_under_way(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_fault(bed, FAULT(DELAY), "order", "CreateOrder", "delay_ms=400");
    const char *fields = flow_text(bed, "trade_no=%s quote_version=1 request_id=slow-%s", trade.no, bed->user);
    struct flow_answer *first = flow_send(bed, "PlaceOrder", "%s", fields);
    flow_until_state(bed, &trade, TRADE(ORDERING));
    const Txcenter__Trade__V1__PlaceOrderResponse *early = flow_must(bed, "PlaceOrder", "%s wait_ms=1", fields);
    assert_true(early->processing);
    assert_int_equal(early->trade->state, TRADE(ORDERING));
    struct flow_answer *second = flow_send(bed, "PlaceOrder", "%s", fields);
    flow_wait(bed, first);
    flow_wait(bed, second);
    assert_verdict(first, "OK");
    assert_true(same_bytes(first, second));
    assert_int_equal(flow_ledger(bed, "order", trade.no, "create").n, 1);
}

enum { AT_ONCE = 50 };

// [A10] [S3-21] 50 times the same at once, all of a purchase in one call: one trade, one order, one payment
static void test_fifty_at_once_are_one_purchase(struct flow_bed *bed) {
    struct flow_answer *answers[AT_ONCE];
    const char *fields = flow_text(bed, "%s " FUEL_200 " wait_for=2 request_id=fifty-%s %s", flow_context(bed),
                                   bed->user, flow_tenders(bed, 1, KIND(SCANNED), BEST_200, "code"));
    for (int i = 0; i < AT_ONCE; i++)
        answers[i] = flow_send(bed, "QuoteOrderPay", "%s", fields);
    for (int i = 0; i < AT_ONCE; i++) {
        flow_wait(bed, answers[i]);
        assert_verdict(answers[i], "OK");
        assert_string_equal(fields_text(answers[i]->message, "trade.trade_no"),
                            fields_text(answers[0]->message, "trade.trade_no"));
        assert_int_equal(fields_number(answers[i]->message, "attempt.state"), ATTEMPT(PAID));
    }
    assert_int_equal(trades_of_user(bed), 1);
    const char *trade_no = fields_text(answers[0]->message, "trade.trade_no");
    assert_int_equal(flow_ledger(bed, "order", trade_no, "create").n, 1);
    assert_int_equal(flow_ledger(bed, "payment", trade_no, "paid").n, 1);
    assert_int_equal(flow_ledger(bed, "coupon", trade_no, "lock").n, BEST_200_COUPONS);
}

// 50 payments of one order at once, each a request of its own: one attempt is open, the others are told
static void test_fifty_payments_at_once_are_one_attempt(struct flow_bed *bed) {
    struct flow_answer *answers[AT_ONCE];
    struct flow_trade trade;
    int good = 0;
    flow_ordered(bed, &trade);
    for (int i = 0; i < AT_ONCE; i++)
        answers[i] =
            flow_send(bed, "Pay", "trade_no=%s %s", trade.no, flow_tenders(bed, 1, KIND(WECHAT), BEST_200, "payer"));
    for (int i = 0; i < AT_ONCE; i++) {
        flow_wait(bed, answers[i]);
        good += answers[i]->message != NULL;
        if (!answers[i]->message)
            assert_verdict(answers[i], "PAYMENT_IN_PROGRESS");
    }
    assert_int_equal(good, 1);
    assert_int_equal(flow_get(bed, trade.no)->n_attempts, 1);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "create").n, 1);
}

// 50 purchases at once, each of its own trade: all complete
static void test_fifty_purchases_at_once_all_complete(struct flow_bed *bed) {
    struct flow_answer *answers[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++)
        answers[i] = flow_send(bed, "QuoteOrderPay",
                               "%s " FUEL_200 " exclude_points=true wait_for=2 %s "
                               "excluded_coupon_ids[0]=K%s-1 excluded_coupon_ids[1]=K%s-2 excluded_coupon_ids[2]=K%s-3",
                               flow_context(bed), flow_tenders(bed, 1, KIND(SCANNED), LIST_200, "code"), bed->user + 1,
                               bed->user + 1, bed->user + 1);
    for (int i = 0; i < AT_ONCE; i++) {
        flow_wait(bed, answers[i]);
        assert_verdict(answers[i], "OK");
        assert_int_equal(fields_number(answers[i]->message, "attempt.state"), ATTEMPT(PAID));
    }
    assert_int_equal(trades_of_user(bed), AT_ONCE);
    for (int i = 0; i < AT_ONCE; i++) {
        struct flow_trade trade = {0};
        str_copy(str_c(fields_text(answers[i]->message, "trade.trade_no")), trade.no, sizeof trade.no);
        flow_until_state(bed, &trade, TRADE(COMPLETED));
    }
}

static const struct flow_case cases[] = {
    CASE(test_each_call_may_be_repeated_and_counts_once),
    CASE(test_the_id_of_one_method_is_not_another_s),
    CASE(test_a_refused_request_does_not_use_its_id_up),
    CASE(test_a_request_needs_an_id),
    CASE(test_a_failure_is_answered_again_as_it_was),
    CASE(test_a_repeat_while_the_first_is_under_way),
    CASE(test_fifty_at_once_are_one_purchase),
    CASE(test_fifty_payments_at_once_are_one_attempt),
    CASE(test_fifty_purchases_at_once_all_complete),
    CASE_WITH(test_another_caller_s_id_is_another_request, .callers = true),
};

CASES(again);
