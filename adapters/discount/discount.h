// The discount engine: proto/participant/discount/v1.
#ifndef TXC_ADAPTERS_DISCOUNT_H
#define TXC_ADAPTERS_DISCOUNT_H

#include "adapters/adapter.h"
#include "participant/discount/v1/discount.pb-c.h"

ADAPTER_FUNCTION(discount_list_activities, Participant__Discount__V1__ListActivitiesRequest)
ADAPTER_FUNCTION(discount_lock, Participant__Discount__V1__LockQuotaRequest)
ADAPTER_FUNCTION(discount_unlock, Participant__Discount__V1__UnlockQuotaRequest)
ADAPTER_FUNCTION(discount_use, Participant__Discount__V1__UseQuotaRequest)
ADAPTER_FUNCTION(discount_give_back, Participant__Discount__V1__GiveBackQuotaRequest)
extern const struct adapter_method discount_inquire_method;

#endif
