// The activity system: proto/participant/activity/v1.
#ifndef TXC_ADAPTERS_ACTIVITY_H
#define TXC_ADAPTERS_ACTIVITY_H

#include "adapters/adapter.h"
#include "participant/activity/v1/activity.pb-c.h"

ADAPTER_FUNCTION(activity_evaluate, Participant__Activity__V1__EvaluateTradeRequest)
ADAPTER_FUNCTION(activity_cancel_evaluation, Participant__Activity__V1__CancelEvaluationRequest)
ADAPTER_FUNCTION(activity_deliver, Participant__Activity__V1__DeliverItemRequest)
ADAPTER_FUNCTION(activity_withdraw, Participant__Activity__V1__WithdrawItemRequest)
ADAPTER_FUNCTION(activity_take_back, Participant__Activity__V1__TakeBackRequest)
extern const struct adapter_method activity_inquire_method;

#endif
