// The payment system: proto/participant/payment/v1.
#ifndef TXC_ADAPTERS_PAYMENT_H
#define TXC_ADAPTERS_PAYMENT_H

#include "adapters/adapter.h"
#include "participant/payment/v1/payment.pb-c.h"

ADAPTER_FUNCTION(payment_create, Participant__Payment__V1__CreatePaymentRequest)
ADAPTER_FUNCTION(payment_query, Participant__Payment__V1__QueryPaymentRequest)
ADAPTER_FUNCTION(payment_close, Participant__Payment__V1__ClosePaymentRequest)
ADAPTER_FUNCTION(payment_reverse, Participant__Payment__V1__ReversePaymentRequest)
ADAPTER_FUNCTION(payment_refund, Participant__Payment__V1__RefundPaymentRequest)
ADAPTER_FUNCTION(payment_query_refund, Participant__Payment__V1__QueryRefundRequest)
extern const struct adapter_method payment_inquire_method;

// What the answer to create, query, close or reverse says of the tender; they all have it.
const Participant__Payment__V1__Payment *payment_in_answer(const ProtobufCMessage *answer);

#endif
