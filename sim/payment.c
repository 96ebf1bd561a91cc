#include "sim/payment.h"

#include <inttypes.h>
#include <stdio.h>

#define PB(name) Participant__Payment__V1__##name

static const struct store_column tender_columns[] = {
    STORE_COL_TEXT(sim_tender_row, tender_no),
    STORE_COL_TEXT(sim_tender_row, made_by),
    STORE_COL_TEXT(sim_tender_row, gid),
    STORE_COL_TEXT(sim_tender_row, trade_no),
    STORE_COL_TEXT(sim_tender_row, merchant_id),
    STORE_COL_TEXT(sim_tender_row, gateway_no),
    STORE_COL_TEXT(sim_tender_row, payer),
    STORE_COL_TEXT(sim_tender_row, code),
    STORE_COL_TEXT(sim_tender_row, currency),
    STORE_COL_I32(sim_tender_row, method),
    STORE_COL_I32(sim_tender_row, state),
    STORE_COL_I64(sim_tender_row, amount),
    STORE_COL_I64(sim_tender_row, gateway_discount),
    STORE_COL_I64(sim_tender_row, merchant_discount),
    STORE_COL_I64(sim_tender_row, refunded),
    STORE_COL_I64(sim_tender_row, refunding),
    STORE_COL_I64(sim_tender_row, created_ms),
    STORE_COL_I64(sim_tender_row, paid_ms),
    STORE_COL_I64(sim_tender_row, expires_ms),
    STORE_COL_I64(sim_tender_row, pay_ms),
    STORE_COL_I32(sim_tender_row, pay_result),
    STORE_COL_I64(sim_tender_row, pay_gateway_discount),
    STORE_COL_I64(sim_tender_row, pay_merchant_discount),
    STORE_COL_TEXT(sim_tender_row, pay_code),
    STORE_COL_I32(sim_tender_row, notified),
};

const struct store_table sim_tenders_table = {
    .name = "sim_tender",
    .row_size = sizeof(struct sim_tender_row),
    .columns = tender_columns,
    .n_columns = STORE_COUNT(tender_columns),
    .n_key = 1,
    .since = 1,
};

static const struct store_column refund_columns[] = {
    STORE_COL_TEXT(sim_refund_row, refund_no),
    STORE_COL_TEXT(sim_refund_row, made_by),
    STORE_COL_TEXT(sim_refund_row, gid),
    STORE_COL_TEXT(sim_refund_row, tender_no),
    STORE_COL_TEXT(sim_refund_row, trade_no),
    STORE_COL_TEXT(sim_refund_row, code),
    STORE_COL_TEXT(sim_refund_row, fails),
    STORE_COL_TEXT(sim_refund_row, currency),
    STORE_COL_I32(sim_refund_row, state),
    STORE_COL_I64(sim_refund_row, amount),
    STORE_COL_I64(sim_refund_row, payer_amount),
    STORE_COL_I64(sim_refund_row, done_ms),
    STORE_COL_I64(sim_refund_row, gateway_discount, .since = 2),
};

const struct store_table sim_refunds_table = {
    .name = "sim_refund",
    .row_size = sizeof(struct sim_refund_row),
    .columns = refund_columns,
    .n_columns = STORE_COUNT(refund_columns),
    .n_key = 1,
    .since = 1,
};

static struct sim_tender_row *tender_named(struct sim_call *call, const char *tender_no) {
    return sim_find(call->system, SIM_TENDERS, tender_no);
}

// ---- Creating --------------------------------------------------------------------------------------------------

static void answer_created(struct sim_call *call, const struct sim_tender_row *tender) {
    struct sim_payment_message message;
    sim_payment_message(&message, tender);
    char prepay[SIM_ID_MAX + 32];
    snprintf(prepay, sizeof prepay, "prepay_id=%s", tender->gateway_no);
    PB(CreatePaymentResponse) response = PARTICIPANT__PAYMENT__V1__CREATE_PAYMENT_RESPONSE__INIT;
    response.payment = &message.payment;
    if (!sim_tender_direct(tender))
        response.prepay_parameters = prepay;
    sim_answer(call, &response.base);
}

static struct sim_tender_row *make_tender(struct sim_call *call, const PB(CreatePaymentRequest) * request) {
    int64_t now_ms = sim_now(call->system->sim);
    struct sim_tender_row *tender = sim_make(call->system, SIM_TENDERS, request->tender_no);
    SIM_COPY(tender->made_by, request->effect->key);
    SIM_COPY(tender->gid, request->effect->gid);
    SIM_COPY(tender->trade_no, request->effect->trade_no);
    SIM_COPY(tender->merchant_id, request->merchant_id);
    SIM_COPY(tender->payer, request->payer);
    SIM_COPY(tender->currency, request->amount->currency);
    snprintf(tender->gateway_no, sizeof tender->gateway_no, "G%013" PRId64 "%06zu", now_ms,
             sim_count(call->system, SIM_TENDERS));
    tender->method = (int32_t)request->method;
    tender->state = (int32_t)SIM_PENDING;
    tender->amount = request->amount->minor_units;
    tender->created_ms = now_ms;
    if (request->expires_at)
        tender->expires_ms = request->expires_at->seconds * 1000 + request->expires_at->nanos / 1000000;
    sim_tender_post(&call->change, tender, "create", tender->amount, tender->payer);
    return tender;
}

// The tender exists under another key.
static void create_again(struct sim_call *call, const PB(CreatePaymentRequest) * request,
                         const struct sim_tender_row *tender) {
    if (tender->amount != request->amount->minor_units || strcmp(tender->currency, request->amount->currency) != 0 ||
        strcmp(tender->merchant_id, request->merchant_id) != 0)
        sim_reject(call, "TENDER_EXISTS", "tender %s exists with other terms", tender->tender_no);
    else if (tender->state == (int32_t)SIM_FAILED || tender->state == (int32_t)SIM_CLOSED)
        sim_reject(call, tender->state == (int32_t)SIM_CLOSED ? "CLOSED" : tender->code, "tender %s has ended",
                   tender->tender_no);
    else
        answer_created(call, tender);
}

static bool check_create(struct sim_call *call, const PB(CreatePaymentRequest) * request) {
    if (request->method == PARTICIPANT__PAYMENT__V1__PAYMENT_METHOD__PAYMENT_METHOD_UNSPECIFIED ||
        !protobuf_c_enum_descriptor_get_value(&participant__payment__v1__payment_method__descriptor,
                                              (int)request->method))
        sim_invalid(call, "method", "is not known");
    if (request->expires_at && (request->expires_at->seconds < 0 || request->expires_at->seconds > MONEY_MAX))
        sim_invalid(call, "expires_at", "is out of range");
    return sim_wants_text(call, request->tender_no, "tender_no") &&
           sim_wants_text(call, request->merchant_id, "merchant_id") &&
           sim_wants_amount(call, request->amount, true, "amount");
}

static void create_payment(struct sim_call *call) {
    const PB(CreatePaymentRequest) *request = (const void *)call->request;
    if (!check_create(call, request))
        return;
    sim_note(call, str_c(request->tender_no));
    struct sim_tender_row *tender = tender_named(call, request->tender_no);
    if (tender) {
        create_again(call, request, tender);
        return;
    }
    tender = make_tender(call, request);
    bool at_once = sim_tender_plan(call->system, tender);
    struct sim_pay pay = sim_tender_planned(tender);
    if (at_once) {
        sim_tender_pay(&call->change, tender, &pay);
        if (tender->state == (int32_t)SIM_FAILED)
            sim_reject(call, tender->code, "the payer's code was refused");
        else
            answer_created(call, tender);
        return;
    }
    answer_created(call, tender);
    if (call->plan.forged_callback)
        sim_notify_forged(call->system, tender);
    if (call->plan.early_callback) {
        const char *note = sim_tender_pay(&call->change, tender, &pay);
        if (note)
            sim_call_wait_for(call, note);
        return;
    }
    sim_put(&call->change, tender);
    if (tender->pay_ms > 0)
        sim_arm(&call->change, tender, tender->pay_ms);
}

static void query_payment(struct sim_call *call) {
    const PB(QueryPaymentRequest) *request = (const void *)call->request;
    const struct sim_tender_row *tender = tender_named(call, request->tender_no);
    PB(QueryPaymentResponse) response = PARTICIPANT__PAYMENT__V1__QUERY_PAYMENT_RESPONSE__INIT;
    struct sim_payment_message message;
    if (tender) {
        sim_payment_message(&message, tender);
    } else {
        message.payment = (PB(Payment))PARTICIPANT__PAYMENT__V1__PAYMENT__INIT;
        message.payment.tender_no = request->tender_no;
        message.payment.state = PARTICIPANT__PAYMENT__V1__PAYMENT_STATE__PAYMENT_STATE_NOT_FOUND;
    }
    response.payment = &message.payment;
    sim_answer(call, &response.base);
}

// ---- Undoing ---------------------------------------------------------------------------------------------------

static void answer_closed(struct sim_call *call, const struct sim_tender_row *tender, const char *tender_no) {
    PB(ClosePaymentResponse) closed = PARTICIPANT__PAYMENT__V1__CLOSE_PAYMENT_RESPONSE__INIT;
    PB(ReversePaymentResponse) reversed = PARTICIPANT__PAYMENT__V1__REVERSE_PAYMENT_RESPONSE__INIT;
    struct sim_payment_message message;
    if (tender) {
        sim_payment_message(&message, tender);
    } else {
        message.payment = (PB(Payment))PARTICIPANT__PAYMENT__V1__PAYMENT__INIT;
        message.payment.tender_no = rpc_text(tender_no);
        message.payment.state = SIM_CLOSED;
    }
    closed.payment = reversed.payment = &message.payment;
    bool reverse = call->types->response == reversed.base.descriptor;
    sim_answer(call, reverse ? &reversed.base : &closed.base);
}

static void close_pending(struct sim_call *call, struct sim_tender_row *tender) {
    tender->state = (int32_t)SIM_CLOSED;
    sim_put(&call->change, tender);
    sim_tender_post(&call->change, tender, "closed", tender->amount, "");
}

static void close_tender(struct sim_call *call, struct sim_tender_row *tender) {
    if (tender->state == (int32_t)SIM_PENDING)
        close_pending(call, tender);
    else if (tender->state == (int32_t)SIM_PAID)
        call->not_undone = true;
    answer_closed(call, tender, NULL);
}

static void reverse_tender(struct sim_call *call, struct sim_tender_row *tender) {
    if (tender->state == (int32_t)SIM_PENDING) {
        close_pending(call, tender);
    } else if (tender->state == (int32_t)SIM_PAID) {
        int64_t rest = tender->amount - tender->refunded - tender->refunding;
        tender->refunded += rest;
        tender->state = (int32_t)SIM_CLOSED;
        sim_put(&call->change, tender);
        sim_tender_post(&call->change, tender, "refunded", rest, "reversed");
    }
    answer_closed(call, tender, NULL);
}

// The tender that the action has made, or, where the key is not known, that has this number all the same.
static void undo(struct sim_call *call, const char *tender_no,
                 void (*what)(struct sim_call *call, struct sim_tender_row *tender)) {
    struct sim_tender_row *tender = tender_named(call, call->note.ptr ? call->note.ptr : tender_no);
    if (tender)
        what(call, tender);
    else
        answer_closed(call, NULL, tender_no);
}

static void close_payment(struct sim_call *call) {
    const PB(ClosePaymentRequest) *request = (const void *)call->request;
    if (sim_wants_text(call, request->tender_no, "tender_no"))
        undo(call, request->tender_no, close_tender);
}

static void reverse_payment(struct sim_call *call) {
    const PB(ReversePaymentRequest) *request = (const void *)call->request;
    if (sim_wants_text(call, request->tender_no, "tender_no"))
        undo(call, request->tender_no, reverse_tender);
}

// ---- Refunding -------------------------------------------------------------------------------------------------

static void answer_refund(struct sim_call *call, const struct sim_refund_row *refund) {
    struct sim_refund_message message;
    sim_refund_message(&message, refund);
    PB(RefundPaymentResponse) response = PARTICIPANT__PAYMENT__V1__REFUND_PAYMENT_RESPONSE__INIT;
    response.refund = &message.refund;
    sim_answer(call, &response.base);
}

// What the payer gets of the next `amount`: in the proportion of what the payer paid, exact over all refunds.
static int64_t payer_part(const struct sim_tender_row *tender, int64_t amount) {
    int64_t part = 0;
    money_mul_div(tender->amount - tender->gateway_discount - tender->merchant_discount, amount, tender->amount,
                  ROUND_DOWN, &part);
    return part;
}

// And what the gateway bears, of what the payer does not get.
static int64_t gateway_part(const struct sim_tender_row *tender, int64_t amount) {
    int64_t part = 0, discount = tender->gateway_discount + tender->merchant_discount;
    if (discount > 0)
        money_mul_div(amount - payer_part(tender, amount), tender->gateway_discount, discount, ROUND_DOWN, &part);
    return part;
}

static void accept_refund(struct sim_call *call, const PB(RefundPaymentRequest) * request,
                          struct sim_tender_row *tender) {
    struct sim *sim = call->system->sim;
    struct sim_refund_row *refund = sim_make(call->system, SIM_REFUNDS, request->refund_no);
    SIM_COPY(refund->made_by, request->effect->key);
    SIM_COPY(refund->gid, request->effect->gid);
    SIM_COPY(refund->tender_no, tender->tender_no);
    SIM_COPY(refund->trade_no, request->effect->trade_no);
    SIM_COPY(refund->currency, tender->currency);
    memcpy(refund->fails, call->plan.refund_fails, sizeof refund->fails);
    refund->state = (int32_t)SIM_REFUND_ACCEPTED;
    refund->amount = request->amount->minor_units;
    int64_t given = tender->refunded + tender->refunding, all = given + refund->amount;
    refund->payer_amount = payer_part(tender, all) - payer_part(tender, given);
    refund->gateway_discount = gateway_part(tender, all) - gateway_part(tender, given);
    refund->done_ms = sim_now(sim) + sim->options.refund_ms;
    tender->refunding += refund->amount;
    sim_put(&call->change, tender);
    sim_put(&call->change, refund);
    sim_arm(&call->change, refund, refund->done_ms);
    sim_tender_post(&call->change, tender, "refund_accepted", refund->amount, refund->refund_no);
    answer_refund(call, refund);
}

static void refund_payment(struct sim_call *call) {
    const PB(RefundPaymentRequest) *request = (const void *)call->request;
    if (!sim_wants_text(call, request->tender_no, "tender_no") ||
        !sim_wants_text(call, request->refund_no, "refund_no") ||
        !sim_wants_amount(call, request->amount, true, "amount"))
        return;
    struct sim_tender_row *tender = tender_named(call, request->tender_no);
    const struct sim_refund_row *known = sim_find(call->system, SIM_REFUNDS, request->refund_no);
    int64_t amount = request->amount->minor_units;
    if (!tender)
        sim_reject(call, "NOT_FOUND", "there is no tender %s", request->tender_no);
    else if (known && known->amount == amount && strcmp(known->tender_no, tender->tender_no) == 0)
        answer_refund(call, known);
    else if (known)
        sim_reject(call, "REFUND_EXISTS", "refund %s exists with other terms", known->refund_no);
    else if (tender->state != (int32_t)SIM_PAID)
        sim_reject(call, "NOT_PAID", "tender %s is not paid", tender->tender_no);
    else if (strcmp(request->amount->currency, tender->currency) != 0)
        sim_reject(call, "CURRENCY_MISMATCH", "tender %s is in %s", tender->tender_no, tender->currency);
    else if (amount > tender->amount - tender->refunded - tender->refunding)
        sim_reject(call, "EXCEEDS_REST", "of tender %s %" PRId64 " %s are left", tender->tender_no,
                   tender->amount - tender->refunded - tender->refunding, tender->currency);
    else
        accept_refund(call, request, tender);
}

static void query_refund(struct sim_call *call) {
    const PB(QueryRefundRequest) *request = (const void *)call->request;
    const struct sim_refund_row *refund = sim_find(call->system, SIM_REFUNDS, request->refund_no);
    PB(QueryRefundResponse) response = PARTICIPANT__PAYMENT__V1__QUERY_REFUND_RESPONSE__INIT;
    struct sim_refund_message message;
    if (refund) {
        sim_refund_message(&message, refund);
    } else {
        message.refund = (PB(PaymentRefund))PARTICIPANT__PAYMENT__V1__PAYMENT_REFUND__INIT;
        message.refund.refund_no = request->refund_no;
        message.refund.state = PARTICIPANT__PAYMENT__V1__REFUND_STATE__REFUND_STATE_NOT_FOUND;
    }
    response.refund = &message.refund;
    sim_answer(call, &response.base);
}

static const struct sim_method methods[] = {
    {.name = "CreatePayment", .op = SIM_ACTION, .apply = create_payment},
    {.name = "QueryPayment", .op = SIM_READ, .apply = query_payment},
    {.name = "ClosePayment",
     .op = SIM_COMPENSATE,
     .apply = close_payment,
     .empty = close_payment,
     .undoes = "CreatePayment"},
    {.name = "ReversePayment",
     .op = SIM_COMPENSATE,
     .apply = reverse_payment,
     .empty = reverse_payment,
     .undoes = "CreatePayment"},
    {.name = "RefundPayment", .op = SIM_ACTION, .apply = refund_payment},
    {.name = "QueryRefund", .op = SIM_READ, .apply = query_refund},
    {.name = "Inquire", .op = SIM_INQUIRE},
};

static const struct sim_set_def sets[] = {
    [SIM_TENDERS] = {.table = &sim_tenders_table, .due = sim_tender_due, .rearm = sim_tender_rearm},
    [SIM_REFUNDS] = {.table = &sim_refunds_table, .due = sim_refund_due, .rearm = sim_refund_rearm},
    [SIM_NOTES] = {.table = &sim_notes_table, .due = sim_note_due, .rearm = sim_note_rearm},
};

const struct sim_system_def sim_payment_def = {
    .name = "payment",
    .service = &participant__payment__v1__payment_service__descriptor,
    .methods = methods,
    .n_methods = STORE_COUNT(methods),
    .sets = sets,
    .n_sets = STORE_COUNT(sets),
    .state_size = sizeof(struct sim_payment_state),
};
