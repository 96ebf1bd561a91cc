#include "adapters/payment/payment.h"

#include "rpc/message.h"

#define SERVICE participant__payment__v1__payment_service__descriptor

const struct adapter_method payment_create_method = ADAPTER_METHOD(SERVICE, "CreatePayment", ACTION, "payment.state");
const struct adapter_method payment_query_method = ADAPTER_METHOD(SERVICE, "QueryPayment", READ, "payment.state");
const struct adapter_method payment_close_method = ADAPTER_METHOD(SERVICE, "ClosePayment", COMPENSATE, "payment.state");
const struct adapter_method payment_reverse_method =
    ADAPTER_METHOD(SERVICE, "ReversePayment", COMPENSATE, "payment.state");
const struct adapter_method payment_refund_method = ADAPTER_METHOD(SERVICE, "RefundPayment", ACTION, "refund.state");
const struct adapter_method payment_query_refund_method = ADAPTER_METHOD(SERVICE, "QueryRefund", READ, "refund.state");
const struct adapter_method payment_inquire_method = ADAPTER_METHOD(SERVICE, "Inquire", INQUIRE);

const Participant__Payment__V1__Payment *payment_in_answer(const ProtobufCMessage *answer) {
    enum { PAYMENT_TAG = 2 };
    return (const void *)rpc_message_in(answer, PAYMENT_TAG);
}
