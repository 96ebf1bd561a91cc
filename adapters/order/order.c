#include "adapters/order/order.h"

#define SERVICE participant__order__v1__order_service__descriptor

const struct adapter_method order_create_method = ADAPTER_METHOD(SERVICE, "CreateOrder", ACTION, "order_no");
const struct adapter_method order_close_method = ADAPTER_METHOD(SERVICE, "CloseOrder", COMPENSATE);
const struct adapter_method order_mark_paid_method = ADAPTER_METHOD(SERVICE, "MarkPaid", ACTION);
const struct adapter_method order_mark_refunded_method = ADAPTER_METHOD(SERVICE, "MarkRefunded", ACTION);
const struct adapter_method order_inquire_method = ADAPTER_METHOD(SERVICE, "Inquire", INQUIRE);
