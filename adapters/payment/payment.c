#include "adapters/payment/payment.h"

#include "adapters/wire.h"

#define SERVICE &participant__payment__v1__payment_service__descriptor
#define PB(name) Participant__Payment__V1__##name

const struct adapter_method payment_methods[] = {
    [PAYMENT_CREATE] = {.rpc = {.service = SERVICE, .name = "CreatePayment"},
                        .op = ADAPTER_ACTION,
                        .deadline_ms = 5000,
                        .wanted = {"payment.tender_no", "payment.state", "payment.amount.currency"}},
    [PAYMENT_QUERY] = {.rpc = {.service = SERVICE, .name = "QueryPayment"},
                       .op = ADAPTER_READ,
                       .deadline_ms = 3000,
                       .wanted = {"payment.tender_no", "payment.state"}},
    [PAYMENT_CLOSE] = {.rpc = {.service = SERVICE, .name = "ClosePayment"},
                       .op = ADAPTER_COMPENSATE,
                       .deadline_ms = 5000,
                       .wanted = {"payment.tender_no", "payment.state"}},
    [PAYMENT_REVERSE] = {.rpc = {.service = SERVICE, .name = "ReversePayment"},
                         .op = ADAPTER_COMPENSATE,
                         .deadline_ms = 5000,
                         .wanted = {"payment.tender_no", "payment.state"}},
    [PAYMENT_REFUND] = {.rpc = {.service = SERVICE, .name = "RefundPayment"},
                        .op = ADAPTER_ACTION,
                        .deadline_ms = 5000,
                        .wanted = {"refund.refund_no", "refund.state", "refund.amount.currency"}},
    [PAYMENT_QUERY_REFUND] = {.rpc = {.service = SERVICE, .name = "QueryRefund"},
                              .op = ADAPTER_READ,
                              .deadline_ms = 3000,
                              .wanted = {"refund.refund_no", "refund.state"}},
};

void payment_create(struct adapter *adapter, const struct adapter_effect *effect, const struct payment_create *args,
                    adapter_done_fn *done, void *ctx) {
    PB(CreatePaymentRequest) request = PARTICIPANT__PAYMENT__V1__CREATE_PAYMENT_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = wire_money(&args->amount);
    Google__Protobuf__Timestamp expires = wire_time(args->expires_ms);
    request.tender_no = wire_text(args->tender_no);
    request.merchant_id = wire_text(args->merchant_id);
    request.method = args->method;
    request.amount = &amount;
    request.payer = wire_text(args->payer);
    request.expires_at = args->expires_ms > 0 ? &expires : NULL;
    adapter_call(adapter, &payment_methods[PAYMENT_CREATE], effect, &request.base, done, ctx);
}

void payment_query(struct adapter *adapter, const struct adapter_effect *effect, const char *tender_no,
                   adapter_done_fn *done, void *ctx) {
    PB(QueryPaymentRequest) request = PARTICIPANT__PAYMENT__V1__QUERY_PAYMENT_REQUEST__INIT;
    request.tender_no = wire_text(tender_no);
    adapter_call(adapter, &payment_methods[PAYMENT_QUERY], effect, &request.base, done, ctx);
}

void payment_close(struct adapter *adapter, const struct adapter_effect *effect, const char *tender_no,
                   adapter_done_fn *done, void *ctx) {
    PB(ClosePaymentRequest) request = PARTICIPANT__PAYMENT__V1__CLOSE_PAYMENT_REQUEST__INIT;
    request.tender_no = wire_text(tender_no);
    adapter_call(adapter, &payment_methods[PAYMENT_CLOSE], effect, &request.base, done, ctx);
}

void payment_reverse(struct adapter *adapter, const struct adapter_effect *effect, const char *tender_no,
                     adapter_done_fn *done, void *ctx) {
    PB(ReversePaymentRequest) request = PARTICIPANT__PAYMENT__V1__REVERSE_PAYMENT_REQUEST__INIT;
    request.tender_no = wire_text(tender_no);
    adapter_call(adapter, &payment_methods[PAYMENT_REVERSE], effect, &request.base, done, ctx);
}

void payment_refund(struct adapter *adapter, const struct adapter_effect *effect, const struct payment_refund *args,
                    adapter_done_fn *done, void *ctx) {
    PB(RefundPaymentRequest) request = PARTICIPANT__PAYMENT__V1__REFUND_PAYMENT_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = wire_money(&args->amount);
    request.tender_no = wire_text(args->tender_no);
    request.refund_no = wire_text(args->refund_no);
    request.amount = &amount;
    adapter_call(adapter, &payment_methods[PAYMENT_REFUND], effect, &request.base, done, ctx);
}

void payment_query_refund(struct adapter *adapter, const struct adapter_effect *effect, const char *refund_no,
                          adapter_done_fn *done, void *ctx) {
    PB(QueryRefundRequest) request = PARTICIPANT__PAYMENT__V1__QUERY_REFUND_REQUEST__INIT;
    request.refund_no = wire_text(refund_no);
    adapter_call(adapter, &payment_methods[PAYMENT_QUERY_REFUND], effect, &request.base, done, ctx);
}
