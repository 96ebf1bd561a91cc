// The order system: proto/participant/order/v1.
#ifndef TXC_ADAPTERS_ORDER_H
#define TXC_ADAPTERS_ORDER_H

#include "adapters/adapter.h"
#include "participant/order/v1/order.pb-c.h"

ADAPTER_FUNCTION(order_create, Participant__Order__V1__CreateOrderRequest)
ADAPTER_FUNCTION(order_close, Participant__Order__V1__CloseOrderRequest)
ADAPTER_FUNCTION(order_mark_paid, Participant__Order__V1__MarkPaidRequest)
ADAPTER_FUNCTION(order_mark_refunded, Participant__Order__V1__MarkRefundedRequest)
extern const struct adapter_method order_inquire_method;

#endif
