// The settlement system: proto/participant/settlement/v1.
#ifndef TXC_ADAPTERS_SETTLEMENT_H
#define TXC_ADAPTERS_SETTLEMENT_H

#include "adapters/adapter.h"
#include "participant/settlement/v1/settlement.pb-c.h"

ADAPTER_FUNCTION(settlement_record, Participant__Settlement__V1__RecordTradeRequest)
ADAPTER_FUNCTION(settlement_reverse, Participant__Settlement__V1__ReverseTradeRequest)
extern const struct adapter_method settlement_inquire_method;

#endif
