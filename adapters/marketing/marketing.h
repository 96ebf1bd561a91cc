// The marketing system: proto/participant/marketing/v1.
#ifndef TXC_ADAPTERS_MARKETING_H
#define TXC_ADAPTERS_MARKETING_H

#include "adapters/adapter.h"
#include "participant/marketing/v1/marketing.pb-c.h"

ADAPTER_FUNCTION(marketing_record, Participant__Marketing__V1__RecordTradeRequest)
ADAPTER_FUNCTION(marketing_cancel_record, Participant__Marketing__V1__CancelRecordRequest)
ADAPTER_FUNCTION(marketing_reverse, Participant__Marketing__V1__ReverseTradeRequest)
extern const struct adapter_method marketing_inquire_method;

#endif
